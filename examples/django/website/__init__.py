"""A web site of the platform. It knows a database, and no chain: it writes records to the schema `platform`
and reads what came of them in the schema `api`."""
