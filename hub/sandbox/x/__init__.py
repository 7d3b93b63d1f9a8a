"""X as far as an app sees it (provider file x-dm.md): users, direct messages, webhooks with their test, subscriptions, tokens."""
