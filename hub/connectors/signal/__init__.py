"""Signal, by signal-cli. Start with `connector.py`; what works and what does not stands in `README.md`."""
