"""Database to chain: intents, nonces, fees, signing."""
