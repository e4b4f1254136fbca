"""Benchmarks that print ratios: `make bench`, or `python -m bench <part>` from the repository's root."""
