"""WhatsApp, through 360dialog or Meta's Cloud API. Start with `connector.py`; what works stands in `README.md`."""
