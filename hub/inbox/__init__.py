"""The shared inbox. The road in: `arriving/door.py`, then `arriving/ingest.py`. The road out: `sending/outbound.py`, then
`sending/claiming.py`. What agents do: `service.py`, in the pages of `page/`."""
