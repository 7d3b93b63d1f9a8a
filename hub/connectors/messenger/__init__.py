"""Facebook Messenger, for a business's page. Start with `connector.py`; what works and what does not stands in `README.md`."""
