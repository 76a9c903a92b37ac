"""Stands for Playwright where it is not installed: what the page about browsers uses of it."""
