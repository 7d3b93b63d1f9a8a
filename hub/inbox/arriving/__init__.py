"""The road in: from a provider's request to a line of a thread. Begins in `door.py`, then `ingest.py`."""
