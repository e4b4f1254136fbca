"""Alembic's folder: env.py, the revisions, and their DDL in sql/."""
