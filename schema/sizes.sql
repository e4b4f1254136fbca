-- The statements of schema/sizes.py, by name.

-- name: note
-- once a day, and once something is indexed; with the time of the last indexed block
WITH indexed AS (
    SELECT b.time FROM chain.cursor c JOIN chain.blocks b ON b.number = c.indexed_number
)
INSERT INTO chain.sizes (day, relation, bytes, at, block_time)
SELECT (%(now)s AT TIME ZONE 'UTC')::date, format('%%s.%%s', n.nspname, c.relname), pg_total_relation_size(c.oid),
    %(now)s, indexed.time
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace CROSS JOIN indexed
WHERE c.relkind = 'r' AND n.nspname = ANY (%(schemas)s)
    AND NOT EXISTS (SELECT FROM chain.sizes s WHERE s.day = (%(now)s AT TIME ZONE 'UTC')::date);

-- name: forget
DELETE FROM chain.sizes WHERE day < (%s AT TIME ZONE 'UTC')::date;

-- name: read
-- `base`: the day to compare with: the newest that is old enough, or else the first one
WITH base AS (
    SELECT coalesce(max(day) FILTER (WHERE at <= %(since)s), min(day)) AS day FROM chain.sizes
), indexed AS (
    SELECT max(b.time) AS time FROM chain.blocks b
)
SELECT format('%%s.%%s', n.nspname, c.relname) AS relation, pg_total_relation_size(c.oid) AS bytes,
    greatest(c.reltuples, 0)::bigint AS rows, coalesce(s.bytes, 0) AS bytes_then,
    greatest(%(now)s - d.at, indexed.time - d.block_time) AS elapsed
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN indexed
LEFT JOIN (SELECT t.day, min(t.at) AS at, min(t.block_time) AS block_time FROM chain.sizes t JOIN base USING (day) GROUP BY t.day) d
    ON true
LEFT JOIN chain.sizes s ON s.day = d.day AND s.relation = format('%%s.%%s', n.nspname, c.relname)
WHERE c.relkind = 'r' AND n.nspname = ANY (%(schemas)s)
ORDER BY bytes DESC, relation;
