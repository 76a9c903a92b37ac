"""The command `bgpy`, as the console script and as `python -m bgpy`."""
