"""Messages that should not have left, cases of prohibited use, and what they cost."""
