"""What an agent works in: lists, thread, composer, and what changes in an open page."""
