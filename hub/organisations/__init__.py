"""Organisations, persons, members and their roles, log-in, policy, audit log."""
