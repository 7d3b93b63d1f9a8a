"""How people agree and stop, on every road, and what they see of it themselves."""
