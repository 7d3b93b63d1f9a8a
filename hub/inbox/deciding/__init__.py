"""What the gate said, as people see it: each decision explained, messages that wait for a second person, and overrides."""
