"""SMS through any gateway with a JSON API. `README.md` says what it needs and what it can do."""
