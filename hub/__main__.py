"""`python -m hub` is `hub`."""

from hub.cli import app

app()
