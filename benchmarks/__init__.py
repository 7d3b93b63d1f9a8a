"""How fast the hub is, as ratios measured on the spot: `python -m benchmarks` (or `make bench`) writes docs/performance.md.

`place.py` sets up servers and processes, `load.py` is the load generator, `b1.py` … `b20.py` are the measurements in the order of
the table, `report.py` writes it. Everything runs on loopback over an own PostgreSQL and Valkey in a temporary folder.
"""
