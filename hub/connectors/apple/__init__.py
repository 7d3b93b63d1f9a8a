"""Apple Messages for Business, as a messaging service provider of Apple's. `README.md` says what it needs and what works."""
