"""Import paths of bgpy 0.2 and 0.3."""
