"""Tariffs, subscriptions and invoices. For now only the ports by which other rooms ask (`ports.py`)."""
