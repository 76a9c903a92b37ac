"""What a user can rely on: one file for each group of promises."""
