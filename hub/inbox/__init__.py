"""The shared inbox. The road in: `door.py`, then `ingest.py`. The road out: `outbound.py`, then `claiming.py`. What agents do:
`service.py`."""
