"""A simulated Viber: `server.py` is the Bot API, `checks.py` how strict it is, `phone.py` the people, `world.py` what all know."""
