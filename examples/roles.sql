-- The logins of the examples' apps, for a superuser (psql -f examples/roles.sql): each is a member of one of the
-- roles that the migrations made, and has its rights and no others. Give them passwords with \password.

-- A web app that writes the platform's records and reads the views. Its framework keeps tables of its own (logins,
-- sessions) in a schema of their own in the same database.
CREATE ROLE platform_web LOGIN IN ROLE chainfirst_app;
CREATE SCHEMA django AUTHORIZATION platform_web;
ALTER ROLE platform_web SET search_path = django;

-- Servers that show the public what comes from the chain: GraphQL, REST. They read, and no query of theirs takes long.
CREATE ROLE platform_reader LOGIN IN ROLE chainfirst_reader;
ALTER ROLE platform_reader SET search_path = api;
ALTER ROLE platform_reader SET default_transaction_read_only = on;
ALTER ROLE platform_reader SET statement_timeout = '5s';
