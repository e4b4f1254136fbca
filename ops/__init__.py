"""Leaves that every part may use: errors, log, metrics, settings; and the dev services."""
