-- The statements of schema/rewind.py, by name.

-- name: event_tables
SELECT c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = 'event' AND c.relkind = 'r' AND a.attname = 'block_number' AND NOT a.attisdropped
ORDER BY c.relname;

-- name: has_table
SELECT to_regclass(%s) IS NOT NULL;

-- name: allow
SELECT set_config('chainfirst.rewind', 'on', true);

-- name: forbid
SELECT set_config('chainfirst.rewind', 'off', true);

-- name: lower_sources
UPDATE chain.sources SET complete_to = least(complete_to, %(number)s), joined = joined OR %(empty)s;

-- name: as_owner
SELECT set_config('role', 'chainfirst_owner', true);

-- name: forget
DELETE FROM chain.blocks;
DELETE FROM chain.changes;
DELETE FROM chain.sources;
DELETE FROM chain.cursor;
