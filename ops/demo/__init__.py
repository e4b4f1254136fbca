"""The demonstration: the platform's whole life, played from outside on a local chain."""
