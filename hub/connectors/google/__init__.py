"""Google's RCS for Business. `README.md` says what it needs, what works, and what became of Google Business Messages."""
