"""The platform's records: the tables of the schema `platform`, which the database keeps in order."""
