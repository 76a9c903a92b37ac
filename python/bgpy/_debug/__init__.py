"""Looks into a server while it runs: its stacks, prompts in it, and tasks at breakpoints."""
