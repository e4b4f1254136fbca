-- The statements of writers/settle.py, by name.

-- name: anything_open
SELECT EXISTS (SELECT FROM intent.intents WHERE outcome IS NULL)
    OR EXISTS (SELECT FROM intent.transactions WHERE closed_block IS NULL AND foreign_hash IS NULL);

-- name: open_attempts
SELECT a.hash, a.id
FROM intent.transactions t
JOIN intent.attempts a ON a.transaction = t.id
WHERE t.closed_block IS NULL AND t.foreign_hash IS NULL;

-- name: unwind_inclusions
DELETE FROM intent.inclusions WHERE block_number >= %s;

-- name: unwind_settlements
DELETE FROM intent.settlements WHERE block_number >= %s;

-- name: include
INSERT INTO intent.inclusions (attempt, block_number, block_hash, ok, gas_used, gas_price_wei)
SELECT a.id, %(block_number)s, %(block_hash)s, %(ok)s, %(gas_used)s, coalesce(%(gas_price_wei)s, a.max_fee_wei)
FROM intent.attempts a WHERE a.id = %(attempt)s
ON CONFLICT (attempt) DO NOTHING;

-- name: expected
SELECT DISTINCT i.event_table, i.key_column, format_type(a.atttypid, a.atttypmod)
FROM intent.intents i
JOIN pg_catalog.pg_attribute a
    ON a.attrelid = to_regclass(format('event.%%I', i.event_table)) AND a.attname = i.key_column
WHERE i.outcome IS NULL AND i.event_table = ANY (%(tables)s)
    AND NOT EXISTS (SELECT FROM intent.settlements s WHERE s.intent = i.id);

-- name: expected_tables
SELECT DISTINCT event_table FROM intent.intents WHERE id = ANY (%s);

-- name: settle
INSERT INTO intent.settlements (intent, block_number, tx_index, log_index, tx_hash, parameters, outside, conflict)
SELECT DISTINCT ON (i.id)
    i.id, e.block_number, e.tx_index, e.log_index, e.tx_hash, r.parameters, own.attempt IS NULL, d.conflict
FROM intent.intents i
JOIN event.{table} e ON e.{column} = i.key_value::{type}
CROSS JOIN LATERAL (SELECT to_jsonb(e) AS parameters) r
LEFT JOIN LATERAL (
    SELECT a.id AS attempt FROM intent.attempts a JOIN intent.transactions t ON t.id = a.transaction
    WHERE t.intent = i.id AND a.hash = e.tx_hash
) own ON true
LEFT JOIN LATERAL (
    SELECT string_agg(format('%%s is %%s, not %%s%%s', w.name, r.parameters -> w.name, w.words, w.value), '; ') AS conflict
    FROM (
        SELECT q.key AS name, '' AS words, q.value FROM jsonb_each(i.event_equal) q
        WHERE r.parameters -> q.key IS DISTINCT FROM q.value
        UNION ALL
        SELECT m.key, 'at most ', m.value FROM jsonb_each(i.event_at_most) m
        WHERE ((r.parameters ->> m.key)::numeric <= (m.value #>> '{{}}')::numeric) IS NOT TRUE
    ) w
) d ON i.once
WHERE i.outcome IS NULL AND i.event_table = %(table)s AND i.key_column = %(column)s
    AND e.block_number BETWEEN %(first)s AND %(last)s
    AND (%(only)s::uuid[] IS NULL OR i.id = ANY (%(only)s))
    AND r.parameters @> i.event_match
    AND (i.once OR own.attempt IS NOT NULL)
ORDER BY i.id, e.block_number, e.tx_index, e.log_index
ON CONFLICT (intent) DO NOTHING;

-- name: close
UPDATE intent.transactions t SET closed_block = n.block_number
FROM intent.attempts a JOIN intent.inclusions n ON n.attempt = a.id
WHERE a.transaction = t.id AND t.closed_block IS NULL AND n.block_number <= %(final)s;

-- name: end_settled
WITH due AS (
    SELECT i.id, s.block_number, s.conflict
    FROM intent.settlements s JOIN intent.intents i ON i.id = s.intent
    WHERE i.outcome IS NULL AND s.block_number <= %(final)s
    ORDER BY i.id
    -- one that an app holds ends later (overdue): whoever is slow to commit must hold up no block
    FOR NO KEY UPDATE OF i SKIP LOCKED
)
UPDATE intent.intents i SET
    outcome = CASE WHEN due.conflict IS NULL THEN 'confirmed' ELSE 'rejected' END,
    error = 'conflict: an event of this id is there, but ' || due.conflict,
    alert = due.conflict IS NOT NULL,
    waiting_reason = NULL, waiting_since = NULL,
    ended_at = clock_timestamp(), ended_block = due.block_number
FROM due WHERE i.id = due.id;

-- name: end_mined
WITH due AS (
    SELECT i.id, n.block_number, n.ok, a.purpose
    FROM intent.intents i
    JOIN intent.transactions t ON t.intent = i.id AND t.foreign_hash IS NULL
    JOIN intent.attempts a ON a.transaction = t.id
    JOIN intent.inclusions n ON n.attempt = a.id
    WHERE i.outcome IS NULL AND n.block_number <= %(final)s
        -- an event that is not final yet may still confirm it
        AND NOT EXISTS (SELECT FROM intent.settlements s WHERE s.intent = i.id)
        -- nor does an event lack before its table is complete
        AND (a.purpose = 'cancel' OR NOT n.ok OR EXISTS (
            SELECT FROM chain.sources c WHERE c.table_name = i.event_table AND c.joined
        ))
    ORDER BY i.id
    FOR NO KEY UPDATE OF i SKIP LOCKED
)
UPDATE intent.intents i SET
    outcome = CASE
        WHEN due.purpose = 'call' THEN 'failed'
        WHEN i.cancel_requested_at IS NOT NULL THEN 'cancelled'
        -- what was given up for another reason says so (store.give_up)
        WHEN i.error IS NULL THEN 'expired'
        ELSE 'failed'
    END,
    error = CASE
        WHEN due.purpose = 'cancel' THEN coalesce(i.error, 'taken back: a transfer of nothing was mined in its place')
        WHEN due.ok THEN 'mined without its event'
        ELSE 'reverted'
    END,
    -- nobody wanted these two ends
    alert = CASE WHEN due.purpose = 'call' THEN due.ok ELSE i.cancel_requested_at IS NULL AND i.error IS NOT NULL END,
    waiting_reason = NULL, waiting_since = NULL,
    ended_at = clock_timestamp(), ended_block = due.block_number
FROM due WHERE i.id = due.id;

-- name: overdue
SELECT EXISTS (
    SELECT FROM intent.intents i
    WHERE i.outcome IS NULL AND (
        EXISTS (SELECT FROM intent.settlements s WHERE s.intent = i.id AND s.block_number <= %(final)s)
        OR EXISTS (
            SELECT FROM intent.transactions t WHERE t.intent = i.id AND t.foreign_hash IS NULL AND t.closed_block <= %(final)s
        )
    )
);

-- name: tell
SELECT pg_notify('intent_changed', %s::text);
