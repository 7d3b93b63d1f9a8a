"""A simulated Threema Gateway: `server.py` is the API, `phone.py` the people, `world.py` what both know."""
