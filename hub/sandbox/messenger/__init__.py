"""Facebook Messenger, simulated: what it shares with Instagram stands in `hub/sandbox/_graph/`."""
