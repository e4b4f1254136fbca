-- The statements of ops/sampling.py, by name: what only the database knows. None of them counts what has ended.

-- name: cursor
SELECT c.indexed_number, i.time, c.final_number, f.time, c.reorg_suspected IS NOT NULL
FROM chain.cursor c
LEFT JOIN chain.blocks i ON i.number = c.indexed_number
LEFT JOIN chain.blocks f ON f.number = c.final_number;

-- name: database
SELECT pg_database_size(current_database());

-- name: sizes
SELECT table_name, pg_total_relation_size(format('event.%I', table_name)::regclass)
FROM chain.sources WHERE to_regclass(format('event.%I', table_name)) IS NOT NULL;

-- name: sources
SELECT table_name, joined, complete_to FROM chain.sources;

-- name: open
SELECT
    CASE WHEN i.kind = ANY (%(kinds)s) THEN i.kind ELSE %(other)s END,
    CASE
        WHEN s.intent IS NOT NULL OR a.included THEN 'included'
        WHEN t.id IS NULL THEN CASE WHEN i.waiting_reason IS NULL THEN 'pending' ELSE 'waiting' END
        WHEN a.sent THEN 'sent'
        ELSE 'signed'
    END,
    count(*)
FROM intent.intents i
LEFT JOIN intent.settlements s ON s.intent = i.id
LEFT JOIN intent.transactions t ON t.intent = i.id AND t.foreign_hash IS NULL
LEFT JOIN LATERAL (
    SELECT bool_or(e.sent_at IS NOT NULL) AS sent, bool_or(n.attempt IS NOT NULL) AS included
    FROM intent.attempts e LEFT JOIN intent.inclusions n ON n.attempt = e.id
    WHERE e.transaction = t.id
) a ON t.id IS NOT NULL
WHERE i.outcome IS NULL
GROUP BY 1, 2;

-- name: oldest
SELECT coalesce(extract(epoch FROM min(greatest(submitted_at, not_before))), 0)::float8
FROM intent.intents WHERE outcome IS NULL AND (not_before IS NULL OR not_before <= clock_timestamp());

-- name: alerts
SELECT count(*) FROM intent.intents WHERE alert;

-- name: waiting
-- The errors are those of kinds.TOKEN_LACKS and kinds.NO_ROLE; a reason begins with its error's name, or has the
-- contract's words in it.
SELECT
    CASE
        WHEN waiting_reason ~* 'Insufficient(Balance|Allowance)|exceeds (balance|allowance)|insufficient allowance|SafeERC20Failed'
            THEN 'treasury'
        WHEN waiting_reason ~* 'paused|EnforcedPause' THEN 'paused'
        WHEN waiting_reason ~ 'AccessControlUnauthorizedAccount|MissingRole' THEN 'role'
        WHEN waiting_reason LIKE '%%fee_cap_wei%%' THEN 'fee_cap'
        ELSE 'other'
    END,
    count(*)
FROM intent.intents WHERE outcome IS NULL AND alert AND waiting_reason IS NOT NULL GROUP BY 1;

-- name: wanted
SELECT coalesce(sum(i.amount), 0) FROM intent.intents i
WHERE i.outcome IS NULL AND i.kind = 'campaign.record_investment'
    AND NOT EXISTS (SELECT FROM intent.settlements s WHERE s.intent = i.id);

-- name: differences
SELECT what, count(*) FROM intent.differences WHERE cleared_at IS NULL GROUP BY what;

-- name: has_rules
SELECT to_regclass('intent.stuck') IS NOT NULL;

-- name: stuck
SELECT kind, count(*) FROM intent.stuck GROUP BY kind;

-- name: pauses
SELECT count(*) FROM intent.pauses;

-- name: lanes
SELECT
    l.name, l.blocked_reason IS NOT NULL AS blocked, l.alert, l.balance_wei,
    EXISTS (SELECT FROM intent.pauses p WHERE p.subject IN (l.signer, '*')) AS paused,
    o.opened, o.in_flight, c.cost_wei,
    greatest(l.explained_to, (SELECT max(t.nonce) + 1 FROM intent.transactions t WHERE t.signer = l.signer)) AS next_nonce,
    greatest(l.explained_to, o.mined) AS mined_nonce
FROM intent.lanes l
CROSS JOIN LATERAL (
    SELECT count(*) AS opened, count(*) FILTER (WHERE NOT n.included) AS in_flight,
        max(t.nonce + 1) FILTER (WHERE n.included) AS mined
    FROM intent.transactions t
    CROSS JOIN LATERAL (
        SELECT EXISTS (
            SELECT FROM intent.attempts a JOIN intent.inclusions i ON i.attempt = a.id WHERE a.transaction = t.id
        ) AS included
    ) n
    WHERE t.signer = l.signer AND t.closed_block IS NULL AND t.foreign_hash IS NULL
) o
LEFT JOIN LATERAL (
    SELECT avg(i.gas_used * i.gas_price_wei) AS cost_wei
    FROM (
        SELECT t.id FROM intent.transactions t
        WHERE t.signer = l.signer AND t.intent IS NOT NULL ORDER BY t.nonce DESC LIMIT 50
    ) t
    JOIN intent.attempts a ON a.transaction = t.id
    JOIN intent.inclusions i ON i.attempt = a.id
) c ON true;

-- name: newest
SELECT coalesce(max(seq), -1) FROM intent.history;

-- name: history
-- Each first time alone: a reorganisation brings some again.
WITH fresh AS MATERIALIZED (
    SELECT h.seq, h.intent, h.at,
        CASE
            WHEN h.cause LIKE 'signed: %%' THEN 'signed'
            WHEN h.cause LIKE 'signed to cancel it: %%' THEN 'cancel'
            WHEN h.cause LIKE 'sent: %%' THEN 'sent'
            WHEN h.cause LIKE 'mined%%' THEN 'included'
            WHEN h.status = ANY (%(outcomes)s) AND split_part(h.cause, ':', 1) = h.status THEN h.status
        END AS stage
    FROM intent.history h WHERE h.seq > %(after)s
)
SELECT f.seq, f.stage, CASE WHEN i.kind = ANY (%(kinds)s) THEN i.kind ELSE %(other)s END,
    extract(epoch FROM f.at - i.submitted_at)::float8 AS seconds,
    EXISTS (
        SELECT FROM intent.history e
        WHERE e.intent = f.intent AND e.seq < f.seq AND CASE f.stage
            WHEN 'signed' THEN e.cause LIKE 'signed: %%'
            WHEN 'cancel' THEN e.cause LIKE 'signed to cancel it: %%'
            WHEN 'sent' THEN e.cause LIKE 'sent: %%'
            WHEN 'included' THEN e.cause LIKE 'mined%%'
            ELSE split_part(e.cause, ':', 1) = f.stage
        END
    ) AS again
FROM fresh f JOIN intent.intents i ON i.id = f.intent
WHERE f.stage IS NOT NULL
ORDER BY f.seq;

-- name: passed
SELECT coalesce(max(seq), %(after)s) FROM intent.history
WHERE seq > %(after)s AND at < clock_timestamp() - %(seconds)s * interval '1 second';
