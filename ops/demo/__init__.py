"""The demonstration: the platform's whole life, played as its app and its investors do, on a local chain."""
