"""Our own website chat as a provider: visitors, their public addresses, and what they see. Start with `api.py`."""
