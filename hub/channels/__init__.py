"""Connected messenger accounts: settings, health, provider terms, kill switch, lanes' owner."""
