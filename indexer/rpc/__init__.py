"""Talking to nodes: one typed endpoint, the table of their wordings, a pool, and heads by WebSocket."""
