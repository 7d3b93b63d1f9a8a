"""Wire formats <-> neutral events, one folder per messenger. Pure: nothing here knows the database.

`contract.py` says what a connector is, `events.py` what it yields, `errors.py` what may go wrong, `registry.py` finds them.
How to add one: `docs/connectors.md`.
"""
