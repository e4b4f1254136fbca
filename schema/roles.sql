-- What an administrator runs once for a server and a database, so that the daemon's own login needs neither
-- CREATEROLE nor CREATEDB. Each statement changes nothing that is there already.

-- name: group_role
DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {name}) THEN
        CREATE ROLE {role} NOLOGIN;
    END IF;
END
$do$

-- name: login_role
DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {name}) THEN
        CREATE ROLE {role} LOGIN;
    END IF;
END
$do$

-- name: membership
GRANT {groups} TO {role}

-- name: is_database
SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = {name})

-- name: database
CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'

-- name: nobody
REVOKE ALL ON DATABASE {database} FROM PUBLIC

-- name: connect
GRANT CONNECT ON DATABASE {database} TO chainfirst_owner, chainfirst_daemon, chainfirst_app, chainfirst_reader

-- name: work
GRANT TEMPORARY ON DATABASE {database} TO chainfirst_daemon

-- name: own
GRANT CREATE ON DATABASE {database} TO chainfirst_owner

-- name: password
ALTER ROLE {role} PASSWORD {verifier}
