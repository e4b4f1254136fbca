-- The statements of writers/account.py, by name.

-- name: next_nonce
SELECT greatest(
    l.explained_to, (SELECT max(nonce) + 1 FROM intent.transactions t WHERE t.signer = l.signer)
) FROM intent.lanes l WHERE l.signer = %s;

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
            -- its bytes may have been pruned, and its block lost by a rewind since
            AND NOT (
                t.closed_block IS NULL
                AND EXISTS (SELECT FROM intent.attempts a WHERE a.transaction = t.id AND a.gas IS NOT NULL)
                AND NOT EXISTS (SELECT FROM intent.attempts a WHERE a.transaction = t.id AND a.raw IS NOT NULL)
            )
    );

-- name: begin_lane
UPDATE intent.lanes SET
    first_nonce = %(nonce)s, explained_to = %(nonce)s, blocked_reason = NULL, blocked_nonce = NULL, blocked_hash = NULL,
    blocked_block = NULL, blocked_more = '[]', updated_at = clock_timestamp()
WHERE signer = %(signer)s AND first_nonce IS NULL;

-- name: block_lane
UPDATE intent.lanes SET
    blocked_reason = %(reason)s, blocked_nonce = %(nonce)s, blocked_hash = %(hash)s, blocked_block = %(block)s,
    blocked_more = %(more)s, updated_at = clock_timestamp()
WHERE signer = %(signer)s
    AND (blocked_reason, blocked_hash, blocked_more) IS DISTINCT FROM (%(reason)s, %(hash)s, %(more)s::jsonb);

-- name: unblock_lane
UPDATE intent.lanes l SET
    blocked_reason = NULL, blocked_nonce = NULL, blocked_hash = NULL, blocked_block = NULL, blocked_more = '[]',
    updated_at = clock_timestamp()
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

-- name: included_block
SELECT coalesce(t.closed_block, n.block_number)
FROM intent.transactions t
LEFT JOIN intent.attempts a ON a.transaction = t.id
LEFT JOIN intent.inclusions n ON n.attempt = a.id
WHERE t.signer = %s AND t.nonce < %s AND (t.closed_block IS NOT NULL OR n.block_number IS NOT NULL)
ORDER BY t.nonce DESC LIMIT 1;
