"""Apple Messages for Business as a provider sees it (provider file apple-messages.md), and the phones behind it."""
