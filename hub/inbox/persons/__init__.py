"""A person as a whole, over all channels: their wishes, their data, and what is held against the organisation about them."""
