"""The development servers: an embedded PostgreSQL and a local node, detached and owned by `chainfirst dev`."""
