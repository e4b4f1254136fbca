-- Prints the statements that make the published tables, with their keys, on another server:
-- psql -At -f replica.sql postgresql://… | psql postgresql://…
SELECT DISTINCT format('CREATE SCHEMA IF NOT EXISTS %I;', schemaname)
FROM pg_publication_tables WHERE pubname = 'chainfirst_ledger';
SELECT format(
    'CREATE TABLE IF NOT EXISTS %s (%s, %s);', conrelid::regclass,
    (
        SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = conrelid AND attnum > 0 AND NOT attisdropped
    ),
    pg_get_constraintdef(c.oid)
)
FROM pg_publication_tables p
JOIN pg_constraint c ON contype = 'p' AND conrelid = format('%I.%I', schemaname, tablename)::regclass
WHERE pubname = 'chainfirst_ledger';
