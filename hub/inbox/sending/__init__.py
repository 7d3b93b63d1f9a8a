"""The road out: `outbound.py` writes what the gate permits, `claiming.py` lets it go, `dispatch.py` sends, `results.py` records."""
