-- The statements of writers/store.py, by name.

-- name: candidates
SELECT i.id, i.kind, i.payload::text AS payload, i.submitted_at, i.waiting_reason, i.waiting_block, i.alert, i.approved_at
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

-- name: prepare
UPDATE intent.intents SET
    signer = %(signer)s, call_to = %(to)s, call_data = %(data)s, call_value = %(value)s, amount = %(amount)s,
    once = %(once)s, event_table = %(table)s, key_column = %(key_column)s, key_value = %(key)s,
    event_match = %(match)s, event_equal = %(equal)s, event_at_most = %(at_most)s
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
    waiting_since = CASE WHEN waiting_reason = %(reason)s THEN waiting_since ELSE clock_timestamp() END,
    waiting_block = coalesce(CASE WHEN %(reverted)s THEN coalesce(waiting_block, %(head)s) END, waiting_block),
    checked_block = %(head)s, alert = %(alert)s
WHERE id = %(id)s AND outcome IS NULL
    AND NOT EXISTS (SELECT FROM intent.transactions t WHERE t.intent = intents.id AND t.foreign_hash IS NULL);

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

-- name: count_open
SELECT count(*) FROM intent.transactions WHERE signer = %s AND closed_block IS NULL AND foreign_hash IS NULL;

-- name: anything_in_flight
SELECT EXISTS (SELECT FROM intent.transactions WHERE closed_block IS NULL AND foreign_hash IS NULL);

-- name: next_nonce
SELECT greatest(
    l.explained_to, (SELECT max(nonce) + 1 FROM intent.transactions t WHERE t.signer = l.signer)
) FROM intent.lanes l WHERE l.signer = %s;

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

-- name: lane
SELECT signer, name, first_nonce, explained_to, blocked_reason, blocked_nonce, blocked_hash, alert, balance_wei
FROM intent.lanes WHERE signer = %s;

-- name: open_lane
INSERT INTO intent.lanes (signer, name) VALUES (%(signer)s, %(name)s)
ON CONFLICT (signer) DO UPDATE SET name = excluded.name, updated_at = clock_timestamp()
WHERE lanes.name <> excluded.name;

-- name: first_open_nonce
SELECT coalesce(min(nonce) FILTER (WHERE closed_block IS NULL), max(nonce) + 1) FROM intent.transactions WHERE signer = %s;

-- name: is_nobodys
SELECT %(used)s < %(ours)s
    AND %(used)s >= (SELECT l.explained_to FROM intent.lanes l WHERE l.signer = %(signer)s)
    AND NOT EXISTS (
        SELECT FROM intent.transactions t
        WHERE t.signer = %(signer)s AND t.nonce = %(used)s AND (t.closed_block IS NOT NULL OR t.foreign_hash IS NULL)
    );

-- name: begin_lane
UPDATE intent.lanes SET
    first_nonce = %(nonce)s, explained_to = %(nonce)s, blocked_reason = NULL, blocked_nonce = NULL, blocked_hash = NULL,
    blocked_block = NULL, updated_at = clock_timestamp()
WHERE signer = %(signer)s AND first_nonce IS NULL;

-- name: block_lane
UPDATE intent.lanes SET
    blocked_reason = %(reason)s, blocked_nonce = %(nonce)s, blocked_hash = %(hash)s, blocked_block = %(block)s,
    updated_at = clock_timestamp()
WHERE signer = %(signer)s
    AND (blocked_reason, blocked_hash) IS DISTINCT FROM (%(reason)s, %(hash)s);

-- name: unblock_lane
UPDATE intent.lanes l SET
    blocked_reason = NULL, blocked_nonce = NULL, blocked_hash = NULL, blocked_block = NULL, updated_at = clock_timestamp()
WHERE l.signer = %(signer)s AND l.blocked_hash IS NOT NULL AND EXISTS (
    SELECT FROM intent.transactions t
    WHERE t.signer = l.signer AND t.nonce = l.blocked_nonce AND t.closed_block IS NOT NULL
);

-- name: stop_lane
UPDATE intent.lanes SET blocked_reason = %(reason)s, updated_at = clock_timestamp()
WHERE signer = %(signer)s AND blocked_reason IS NULL;

-- name: alert_lane
UPDATE intent.lanes SET alert = %(alert)s, balance_wei = coalesce(%(balance_wei)s, balance_wei), updated_at = clock_timestamp()
WHERE signer = %(signer)s
    AND (alert IS DISTINCT FROM %(alert)s OR balance_wei IS DISTINCT FROM coalesce(%(balance_wei)s, balance_wei));

-- name: explain_to
UPDATE intent.lanes l SET explained_to = e.nonce, updated_at = clock_timestamp()
FROM (
    SELECT coalesce(min(n.nonce), %(used)s) AS nonce
    FROM generate_series((SELECT explained_to FROM intent.lanes WHERE signer = %(signer)s), %(used)s - 1) AS n (nonce)
    -- LIMIT: nonce by nonce through the index, never a join with all that there ever were
    WHERE (
        SELECT true FROM intent.transactions t
        WHERE t.signer = %(signer)s AND t.nonce = n.nonce AND t.closed_block IS NOT NULL LIMIT 1
    ) IS NULL
) e
WHERE l.signer = %(signer)s AND l.explained_to < e.nonce;

-- name: unexplained
SELECT n.nonce
FROM generate_series((SELECT explained_to FROM intent.lanes WHERE signer = %(signer)s), %(used)s - 1) AS n (nonce)
WHERE (
    SELECT true FROM intent.transactions t
    LEFT JOIN intent.attempts a ON a.transaction = t.id
    LEFT JOIN intent.inclusions i ON i.attempt = a.id
    WHERE t.signer = %(signer)s AND t.nonce = n.nonce AND (t.closed_block IS NOT NULL OR i.attempt IS NOT NULL)
    LIMIT 1
) IS NULL
ORDER BY n.nonce;

-- name: own_attempt
SELECT a.id FROM intent.attempts a WHERE a.hash = %s;

-- name: unprepared
SELECT i.id, i.kind, i.payload::text AS payload
FROM intent.intents i
WHERE i.outcome IS NULL AND i.event_table IS NULL
    AND CASE WHEN %(default)s THEN i.kind <> ALL (%(kinds)s) ELSE i.kind = ANY (%(kinds)s) END
ORDER BY i.id;

-- name: equal_intent
SELECT i.id
FROM intent.intents i
LEFT JOIN intent.transactions t ON t.intent = i.id AND t.foreign_hash IS NULL
WHERE i.outcome IS NULL AND i.call_to = %(to)s AND i.call_data = %(data)s AND i.call_value = %(value)s
    AND (t.id IS NULL OR (t.signer, t.nonce) = (%(signer)s, %(nonce)s))
-- the one that has this nonce; else they are all alike: the one that would be signed first
ORDER BY t.id IS NULL, i.priority DESC, i.id
LIMIT 1;

-- name: settled_by
SELECT i.id
FROM intent.settlements s JOIN intent.intents i ON i.id = s.intent
WHERE s.tx_hash = %(hash)s AND i.call_to = %(to)s AND i.call_data = %(data)s AND i.call_value = %(value)s
LIMIT 1;

-- name: transaction_at
SELECT id, intent FROM intent.transactions WHERE signer = %s AND nonce = %s AND foreign_hash IS NULL FOR UPDATE;

-- name: intent_at
SELECT t.intent FROM intent.transactions t JOIN intent.intents i ON i.id = t.intent
WHERE t.signer = %s AND t.nonce = %s AND t.foreign_hash IS NULL AND i.outcome IS NULL;

-- name: adopt_attempt
INSERT INTO intent.attempts (transaction, purpose, hash, max_fee_wei, priority_fee_wei, signed_block, sent_at,
    last_sent_at, last_sent_block, answer)
VALUES (%(transaction)s, %(purpose)s, %(hash)s, %(max_fee_wei)s, %(priority_fee_wei)s, %(block)s,
    clock_timestamp(), clock_timestamp(), %(block)s, 'found on the chain')
RETURNING id;

-- name: held_block
SELECT hash FROM chain.blocks WHERE number = %s;

-- name: accept_held
UPDATE intent.transactions SET foreign_hash = %(hash)s, accepted_by = %(who)s, closed_block = %(block)s
WHERE signer = %(signer)s AND nonce = %(nonce)s AND closed_block IS NULL;

-- name: accept_unknown
INSERT INTO intent.transactions (signer, nonce, foreign_hash, accepted_by, closed_block)
VALUES (%(signer)s, %(nonce)s, %(hash)s, %(who)s, %(block)s);

-- name: accept_again
UPDATE intent.transactions SET closed_block = %(block)s
WHERE signer = %(signer)s AND nonce = %(nonce)s AND foreign_hash = %(hash)s AND closed_block IS NULL;

-- name: reclaim
UPDATE intent.transactions t SET foreign_hash = NULL, accepted_by = NULL
FROM intent.attempts a
WHERE a.id = %s AND t.id = a.transaction AND t.foreign_hash IS NOT NULL AND t.closed_block IS NULL
    AND NOT EXISTS (
        SELECT FROM intent.transactions o
        WHERE o.foreign_hash IS NULL AND (o.intent = t.intent OR (o.signer, o.nonce) = (t.signer, t.nonce))
    );

-- name: reverted_without_reason
SELECT i.id, i.call_to, i.call_data, i.call_value, i.ended_block
FROM intent.intents i
WHERE i.signer = %(signer)s AND i.outcome = 'failed' AND i.error = 'reverted' AND i.ended_at > %(since)s
ORDER BY i.ended_at;

-- name: explain_failure
UPDATE intent.intents SET error = %(error)s WHERE id = %(id)s AND outcome = 'failed' AND error = 'reverted';

-- name: included_block
SELECT coalesce(t.closed_block, n.block_number)
FROM intent.transactions t
LEFT JOIN intent.attempts a ON a.transaction = t.id
LEFT JOIN intent.inclusions n ON n.attempt = a.id
WHERE t.signer = %s AND t.nonce < %s AND (t.closed_block IS NOT NULL OR n.block_number IS NOT NULL)
ORDER BY t.nonce DESC LIMIT 1;
