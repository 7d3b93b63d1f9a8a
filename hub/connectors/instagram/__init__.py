"""Instagram, for a business's professional account. Start with `connector.py`; what works and what does not stands in
`README.md`."""
