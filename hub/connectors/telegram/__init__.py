"""Telegram, by bot: text in and out. Start with `connector.py`; what works and what does not stands in `README.md`."""
