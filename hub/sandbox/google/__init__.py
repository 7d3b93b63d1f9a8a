"""Google's RCS for Business as far as an agent sees it (provider file google-rcs.md), and the phones behind it."""
