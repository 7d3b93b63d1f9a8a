"""The database's schema over time (alembic). `hub migrate` runs it as hub_owner."""
