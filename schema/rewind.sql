-- The statements of schema/rewind.py, by name.

-- name: event_tables
SELECT c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = 'event' AND c.relkind = 'r' AND a.attname = 'block_number' AND NOT a.attisdropped
ORDER BY c.relname;

-- name: allow
SELECT set_config('chainfirst.rewind', 'on', true);

-- name: forbid
SELECT set_config('chainfirst.rewind', 'off', true);

-- name: lower_sources
UPDATE chain.sources SET complete_to = least(complete_to, %(number)s), joined = joined OR %(empty)s;

-- name: unsettle
DELETE FROM intent.inclusions WHERE block_number > %(number)s;

-- name: unsettle_events
DELETE FROM intent.settlements WHERE block_number > %(number)s;

-- name: reopen_transactions
UPDATE intent.transactions SET closed_block = NULL WHERE closed_block > %(number)s;

-- name: lower_lanes
-- what used their nonces is to be found again, and may be something else
UPDATE intent.lanes l SET
    explained_to = least(l.explained_to, o.nonce),
    blocked_reason = CASE WHEN l.blocked_block > %(number)s THEN NULL ELSE l.blocked_reason END,
    blocked_nonce = CASE WHEN l.blocked_block > %(number)s THEN NULL ELSE l.blocked_nonce END,
    blocked_hash = CASE WHEN l.blocked_block > %(number)s THEN NULL ELSE l.blocked_hash END,
    blocked_block = CASE WHEN l.blocked_block > %(number)s THEN NULL ELSE l.blocked_block END,
    updated_at = clock_timestamp()
FROM (
    SELECT n.signer, (SELECT min(t.nonce) FROM intent.transactions t WHERE t.signer = n.signer AND t.closed_block IS NULL) AS nonce
    FROM intent.lanes n
) o
WHERE o.signer = l.signer AND (l.explained_to > o.nonce OR l.blocked_block > %(number)s);

-- name: reopen_intents
UPDATE intent.intents i
SET outcome = NULL, error = NULL, ended_at = NULL, ended_block = NULL, alert = false
WHERE i.ended_block > %(number)s
    -- one that was tried again stays as it was: both would go on
    AND NOT EXISTS (SELECT FROM intent.intents l WHERE l.key = i.key AND l.generation > i.generation);

-- name: lower_rules
UPDATE intent.rules SET done_to = least(done_to, %(number)s);

-- name: as_owner
SELECT set_config('role', 'chainfirst_owner', true);

-- name: forget
DELETE FROM intent.settlements;
DELETE FROM intent.inclusions;
DELETE FROM intent.attempts;
DELETE FROM intent.transactions;
DELETE FROM intent.intents;
DELETE FROM intent.history;
DELETE FROM intent.lanes;
DELETE FROM intent.documents;
DELETE FROM intent.differences;
UPDATE intent.rules SET done_to = -1;
DELETE FROM chain.blocks;
DELETE FROM chain.changes;
DELETE FROM chain.sizes;
DELETE FROM chain.sources;
DELETE FROM chain.cursor;
