"""One daemon that keeps a PostgreSQL database true to an EVM chain."""
