-- The statements of writers/store.py, by name.

-- name: candidates
SELECT i.id, i.kind, i.payload::text AS payload, i.submitted_at, i.waiting_block, i.waiting_hash, i.approved_at
FROM intent.intents i
WHERE i.outcome IS NULL
    AND CASE WHEN %(default)s THEN i.kind <> ALL (%(kinds)s) ELSE i.kind = ANY (%(kinds)s) END
    AND i.checked_block IS DISTINCT FROM %(head)s
    AND i.cancel_requested_at IS NULL
    AND (i.not_before IS NULL OR i.not_before <= %(now)s)
    AND (i.expires_at IS NULL OR i.expires_at > %(now)s)
    AND NOT EXISTS (SELECT FROM intent.transactions t WHERE t.intent = i.id AND t.foreign_hash IS NULL)
    AND NOT EXISTS (SELECT FROM intent.settlements s WHERE s.intent = i.id)
    AND NOT EXISTS (
        SELECT FROM intent.pauses p
        WHERE p.subject IN (%(signer)s, i.kind, '*', split_part(i.kind, '.', 1) || '.*')
    )
    AND (i.depends_on IS NULL OR 'confirmed' = (
        SELECT p.outcome FROM intent.intents p WHERE p.key = i.depends_on ORDER BY p.generation DESC LIMIT 1
    ))
-- those that were tried before come after those that were not, and last those that were tried last: none can hold
-- up another, however little room there is
ORDER BY coalesce(i.checked_block, -1), i.priority DESC, i.id
LIMIT %(limit)s
-- an app that is slow to commit must hold up no lane
FOR SHARE OF i SKIP LOCKED;

-- name: any_due
SELECT EXISTS (
    SELECT FROM intent.intents i
    WHERE i.outcome IS NULL AND (i.expires_at <= %(now)s OR i.cancel_requested_at IS NOT NULL)
        AND CASE WHEN %(default)s THEN i.kind <> ALL (%(kinds)s) ELSE i.kind = ANY (%(kinds)s) END
        AND NOT EXISTS (SELECT FROM intent.transactions t WHERE t.intent = i.id AND t.foreign_hash IS NULL)
        AND NOT EXISTS (SELECT FROM intent.settlements s WHERE s.intent = i.id)
);

-- name: expire
WITH due AS (
    SELECT i.id FROM intent.intents i
    -- one that is to be taken back and isn't signed was, until its nonce was lost, or its event
    WHERE i.outcome IS NULL AND (i.expires_at <= %(now)s OR i.cancel_requested_at IS NOT NULL)
        AND CASE WHEN %(default)s THEN i.kind <> ALL (%(kinds)s) ELSE i.kind = ANY (%(kinds)s) END
        AND NOT EXISTS (SELECT FROM intent.transactions t WHERE t.intent = i.id AND t.foreign_hash IS NULL)
        AND NOT EXISTS (SELECT FROM intent.settlements s WHERE s.intent = i.id)
    ORDER BY i.id
    -- an app that is slow to commit must hold up no lane
    FOR NO KEY UPDATE OF i SKIP LOCKED
)
UPDATE intent.intents i SET
    outcome = CASE WHEN i.cancel_requested_at IS NULL THEN 'expired' ELSE 'cancelled' END,
    error = CASE
        WHEN i.cancel_requested_at IS NULL THEN 'it expired before it was signed'
        ELSE coalesce(i.error, 'nothing of it can be mined any more')
    END,
    ended_at = clock_timestamp(), waiting_reason = NULL, waiting_since = NULL
FROM due WHERE i.id = due.id;

-- name: hold_cursor
SELECT indexed_number, final_number FROM chain.cursor FOR SHARE;

-- name: lock_free
SELECT i.id FROM intent.intents i WHERE i.id = ANY (%s) AND i.outcome IS NULL
ORDER BY i.id
-- an app that is slow to commit must hold up no lane, nor a block: whoever calls holds the cursor
FOR NO KEY UPDATE OF i SKIP LOCKED;

-- name: prepare
UPDATE intent.intents SET
    signer = %(signer)s, call_to = %(to)s, call_data = %(data)s, call_value = %(value)s, amount = %(amount)s,
    once = %(once)s, event_table = %(table)s, key_column = %(key_column)s, key_value = %(key)s,
    event_match = %(match)s, event_equal = %(equal)s, event_at_most = %(at_most)s,
    waiting_block = NULL, waiting_hash = NULL -- it was another call that was refused
WHERE id = %(id)s AND outcome IS NULL
    -- one that waits is prepared again each block, mostly the same
    AND (signer, call_to, call_data, call_value, amount, once, event_table, key_column, key_value, event_match, event_equal,
        event_at_most)
    IS DISTINCT FROM (%(signer)s, %(to)s, %(data)s, %(value)s::numeric, %(amount)s::numeric, %(once)s, %(table)s,
        %(key_column)s, %(key)s, %(match)s::jsonb, %(equal)s::jsonb, %(at_most)s::jsonb);

-- name: unsettled
SELECT i.id FROM intent.intents i
WHERE i.id = ANY (%s) AND i.outcome IS NULL AND NOT EXISTS (SELECT FROM intent.settlements s WHERE s.intent = i.id);

-- name: wait
UPDATE intent.intents SET
    waiting_reason = %(reason)s,
    waiting_since = CASE
        WHEN intent.reason_class(waiting_reason) = intent.reason_class(%(reason)s) THEN waiting_since
        ELSE statement_timestamp()
    END,
    waiting_block = %(block)s, waiting_hash = %(hash)s, checked_block = %(head)s, alert = %(alert)s
WHERE id = %(id)s AND outcome IS NULL
    AND NOT EXISTS (SELECT FROM intent.transactions t WHERE t.intent = intents.id AND t.foreign_hash IS NULL)
RETURNING waiting_since = statement_timestamp();

-- name: reject
UPDATE intent.intents SET
    outcome = 'rejected', error = %(error)s, ended_at = clock_timestamp(), waiting_reason = NULL, waiting_since = NULL,
    alert = false
WHERE id = %(id)s AND outcome IS NULL
    AND NOT EXISTS (SELECT FROM intent.transactions t WHERE t.intent = intents.id AND t.foreign_hash IS NULL)
    AND NOT EXISTS (SELECT FROM intent.settlements s WHERE s.intent = intents.id);

-- name: lock_unsigned
SELECT i.id FROM intent.intents i
WHERE i.id = ANY (%(ids)s) AND i.outcome IS NULL AND i.cancel_requested_at IS NULL
    AND (i.expires_at IS NULL OR i.expires_at > %(now)s)
    AND NOT EXISTS (SELECT FROM intent.transactions t WHERE t.intent = i.id AND t.foreign_hash IS NULL)
    AND NOT EXISTS (SELECT FROM intent.settlements s WHERE s.intent = i.id)
    AND NOT EXISTS (
        SELECT FROM intent.pauses p
        WHERE p.subject IN (%(signer)s, i.kind, '*', split_part(i.kind, '.', 1) || '.*')
    )
ORDER BY i.id
FOR NO KEY UPDATE OF i SKIP LOCKED;

-- name: take_nonce
INSERT INTO intent.transactions (signer, nonce, intent) VALUES (%s, %s, %s) RETURNING id;

-- name: ready
UPDATE intent.intents SET waiting_reason = NULL, waiting_since = NULL, error = NULL, alert = false
WHERE id = ANY (%s) AND (waiting_reason IS NOT NULL OR error IS NOT NULL);

-- name: add_attempt
INSERT INTO intent.attempts (transaction, purpose, hash, raw, gas, max_fee_wei, priority_fee_wei, signed_block,
    signed_at)
VALUES (%(transaction)s, %(purpose)s, %(hash)s, %(raw)s, %(gas)s, %(max_fee_wei)s, %(priority_fee_wei)s, %(head)s,
    %(now)s)
RETURNING id;

-- name: was_signed
SELECT EXISTS (
    SELECT FROM intent.attempts a
    WHERE a.transaction = %(transaction)s AND a.purpose = %(purpose)s AND a.gas = %(gas)s
        AND a.max_fee_wei = %(max_fee_wei)s AND a.priority_fee_wei IS NOT DISTINCT FROM %(priority_fee_wei)s
);

-- name: give_up
UPDATE intent.intents SET error = %(error)s, alert = true
WHERE id = %(id)s AND outcome IS NULL
    AND (%(unless_due)s::timestamptz IS NULL OR cancel_requested_at IS NULL AND (expires_at <= %(unless_due)s) IS NOT TRUE);

-- name: lock_open
SELECT t.id FROM intent.transactions t WHERE t.id = %s AND t.closed_block IS NULL AND t.foreign_hash IS NULL FOR UPDATE;

-- name: sent
UPDATE intent.attempts SET
    sent_at = coalesce(sent_at, %(now)s), last_sent_at = %(now)s, last_sent_block = %(head)s,
    answer = %(answer)s, answer_text = %(text)s
WHERE id = %(attempt)s;

-- name: open_transactions
SELECT
    t.id, t.nonce, t.intent, i.call_to, i.call_data, i.call_value, i.kind,
    i.outcome IS NOT NULL OR i.cancel_requested_at IS NOT NULL OR i.expires_at <= %(now)s IS TRUE AS take_back,
    a.id AS attempt, a.purpose, a.raw, a.hash, a.gas, a.max_fee_wei, a.priority_fee_wei, a.signed_block, a.signed_at,
    a.last_sent_block, a.last_sent_at, a.answer, a.answer_text, a.included, a.refused
FROM intent.transactions t
JOIN intent.intents i ON i.id = t.intent
JOIN LATERAL (
    SELECT e.*, bool_or(n.attempt IS NOT NULL) OVER every AS included,
        count(*) FILTER (WHERE e.answer IN ('gas', 'reverted')) OVER every AS refused
    FROM intent.attempts e LEFT JOIN intent.inclusions n ON n.attempt = e.id
    WHERE e.transaction = t.id AND e.raw IS NOT NULL
    WINDOW every AS (PARTITION BY e.transaction)
    ORDER BY e.id DESC LIMIT 1
) a ON true
WHERE t.signer = %(signer)s AND t.closed_block IS NULL AND t.foreign_hash IS NULL
ORDER BY t.nonce;

-- name: calm_since
SELECT greatest(
    (SELECT max(closed_block) FROM intent.transactions),
    (
        SELECT max(coalesce(n.block_number, 9223372036854775807))
        FROM intent.transactions t
        LEFT JOIN LATERAL (
            SELECT i.block_number FROM intent.attempts a JOIN intent.inclusions i ON i.attempt = a.id
            WHERE a.transaction = t.id
        ) n ON true
        WHERE t.closed_block IS NULL AND t.foreign_hash IS NULL
    ),
    0
);

-- name: spent
SELECT coalesce(sum(i.amount), 0)
FROM intent.transactions t JOIN intent.intents i ON i.id = t.intent
WHERE t.signer = %(signer)s AND t.created_at > %(since)s AND i.kind = %(kind)s
    AND t.foreign_hash IS NULL AND i.outcome IS DISTINCT FROM 'failed' AND i.outcome IS DISTINCT FROM 'cancelled'
    AND i.outcome IS DISTINCT FROM 'expired';

-- name: incomplete
SELECT w.name FROM unnest(%s::text[]) AS w (name)
WHERE NOT EXISTS (SELECT FROM chain.sources s WHERE s.table_name = w.name AND s.joined)
ORDER BY w.name;

-- name: any_open
SELECT EXISTS (SELECT FROM intent.intents WHERE outcome IS NULL);

-- name: unprepared
SELECT i.id, i.kind, i.payload::text AS payload
FROM intent.intents i
WHERE i.outcome IS NULL AND i.event_table IS NULL
    AND CASE WHEN %(default)s THEN i.kind <> ALL (%(kinds)s) ELSE i.kind = ANY (%(kinds)s) END
ORDER BY i.id;

-- name: reverted_without_reason
SELECT i.id, i.call_to, i.call_data, i.call_value, i.ended_block
FROM intent.intents i
WHERE i.signer = %(signer)s AND i.outcome = 'failed' AND i.error = 'reverted' AND i.ended_at > %(since)s
ORDER BY i.ended_at;

-- name: explain_failure
UPDATE intent.intents SET error = %(error)s WHERE id = %(id)s AND outcome = 'failed' AND error = 'reverted';
