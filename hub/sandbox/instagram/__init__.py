"""Instagram, simulated: what it shares with Messenger stands in `hub/sandbox/_graph/`."""
