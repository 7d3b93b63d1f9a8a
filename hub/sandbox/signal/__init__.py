"""A simulated Signal: signal-cli's daemon and the wrapper around it over one world, and the people's apps (`simulator.py`)."""
