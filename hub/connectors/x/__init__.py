"""Direct messages of X. `README.md` says what it needs, what works, and what it costs."""
