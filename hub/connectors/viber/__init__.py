"""Viber, by bot. Start with `connector.py`; what works and what does not stands in `README.md`."""
