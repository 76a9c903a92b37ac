"""Scripts written for bgpy 0.1 to 0.3 run unchanged, and what was broken there is mended."""
