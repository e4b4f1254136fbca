"""The development servers, detached and owned by `chainfirst dev`: embedded PostgreSQL and a local node."""
