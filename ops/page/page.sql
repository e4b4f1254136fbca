-- What the status page reads, by name. Texts from chains and apps are cut: they may be of any length.

-- name: cursor
SELECT c.chain_id, c.genesis_hash, c.indexed_number, c.indexed_hash, c.final_number, c.final_hash,
    left(c.reorg_suspected, 300) AS reorg_suspected, c.updated_at, b.time AS indexed_time, l.epoch,
    EXISTS (
        SELECT FROM pg_locks k
        WHERE k.locktype = 'advisory' AND k.granted AND k.classid = %(lock)s::bigint >> 32
            AND k.objid = %(lock)s::bigint & 4294967295
            AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    ) AS led
FROM chain.leader l
LEFT JOIN chain.cursor c ON true
LEFT JOIN chain.blocks b ON b.number = c.indexed_number;

-- name: sources
SELECT count(*) AS tables, min((filter ->> 'start_block')::bigint) AS start_block FROM chain.sources;

-- name: syncing
SELECT table_name, complete_to, (filter ->> 'start_block')::bigint AS start_block FROM chain.sources
WHERE NOT joined ORDER BY complete_to, table_name LIMIT 20;

-- name: newest_change
SELECT coalesce(max(seq), 0) AS seq FROM chain.changes;

-- name: changed_since
SELECT coalesce(max(c.seq), %(seq)s) AS seq, coalesce(sum(a.rows), 0)::bigint AS rows
FROM chain.changes c
LEFT JOIN LATERAL (SELECT sum(value::bigint) AS rows FROM jsonb_each_text(c.added)) a ON true
WHERE c.seq > %(seq)s;

-- name: changes
SELECT seq, kind, from_block, to_block, added, removed, at FROM chain.changes ORDER BY seq DESC LIMIT 60;

-- name: blocks
SELECT b.number, b.hash, b.time, b.number <= c.final_number AS final
FROM chain.blocks b CROSS JOIN chain.cursor c ORDER BY b.number DESC LIMIT 10;

-- name: columns
SELECT table_name, contract, event FROM chain.sources WHERE table_name = ANY(%s);

-- name: open_intents
SELECT
    CASE
        WHEN s.intent IS NOT NULL OR a.included THEN 'included'
        WHEN t.id IS NULL THEN CASE WHEN i.waiting_reason IS NULL THEN 'pending' ELSE 'waiting' END
        WHEN a.sent THEN 'sent'
        ELSE 'signed'
    END AS status,
    count(*) AS count
FROM intent.intents i
LEFT JOIN intent.settlements s ON s.intent = i.id
LEFT JOIN intent.transactions t ON t.intent = i.id AND t.foreign_hash IS NULL
LEFT JOIN LATERAL (
    SELECT bool_or(e.sent_at IS NOT NULL) AS sent, bool_or(n.attempt IS NOT NULL) AS included
    FROM intent.attempts e LEFT JOIN intent.inclusions n ON n.attempt = e.id
    WHERE e.transaction = t.id
) a ON t.id IS NOT NULL
WHERE i.outcome IS NULL
GROUP BY 1;

-- name: ended_intents
SELECT outcome AS status, count(*) AS count FROM intent.intents WHERE outcome IS NOT NULL GROUP BY outcome;

-- name: stuck_intents
WITH candidates (id) AS (
    (SELECT id FROM intent.intents WHERE alert ORDER BY id DESC LIMIT 12)
    UNION
    (SELECT id FROM intent.intents WHERE outcome IS NULL AND waiting_reason IS NOT NULL ORDER BY id LIMIT 12)
    UNION
    (
        SELECT i.id FROM intent.intents p JOIN intent.intents i ON i.depends_on = p.key AND i.outcome IS NULL
        WHERE p.outcome <> 'confirmed'
            AND NOT EXISTS (SELECT FROM intent.intents l WHERE l.key = p.key AND l.generation > p.generation)
        ORDER BY i.id LIMIT 12
    )
    UNION
    (
        SELECT t.intent FROM intent.transactions t
        WHERE t.closed_block IS NULL AND t.foreign_hash IS NULL
            AND t.created_at < clock_timestamp() - %(slow_seconds)s * interval '1 second'
        ORDER BY t.created_at LIMIT 12
    )
)
SELECT o.id, o.kind, left(o.key, 200) AS key, o.generation, o.status, left(coalesce(o.error, o.waits_for), 300) AS reason,
    o.alert, o.submitted_at, coalesce(o.waiting_since, o.sent_at, o.signed_at, o.submitted_at) AS since
FROM candidates c
-- OFFSET 0 keeps the planner from joining the whole view: it looks up each intent by its key
CROSS JOIN LATERAL (SELECT v.* FROM intent.overview v WHERE v.id = c.id OFFSET 0) o
ORDER BY o.alert DESC, o.ended_at IS NOT NULL, o.status <> 'waiting', o.id
LIMIT 12;

-- name: latest_intents
SELECT o.id, o.kind, left(o.key, 200) AS key, o.generation, o.status, left(coalesce(o.error, o.waits_for), 300) AS reason,
    o.alert, o.submitted_at, o.hash, o.block_number
FROM (SELECT id FROM intent.intents ORDER BY id DESC LIMIT 6) l
CROSS JOIN LATERAL (SELECT v.* FROM intent.overview v WHERE v.id = l.id OFFSET 0) o
ORDER BY o.id DESC;

-- name: lanes
SELECT l.name, l.signer, l.balance_wei, left(l.blocked_reason, 300) AS blocked_reason, left(l.alert, 300) AS alert,
    (
        SELECT count(*) FROM intent.transactions t
        WHERE t.signer = l.signer AND t.closed_block IS NULL AND t.foreign_hash IS NULL
    ) AS in_flight
FROM intent.lanes l ORDER BY l.name, l.signer LIMIT 50;

-- name: pauses
SELECT subject, left(why, 200) AS why, paused_by, paused_at FROM intent.pauses ORDER BY subject LIMIT 50;

-- name: concerns
SELECT
    (SELECT count(*) FROM intent.differences WHERE cleared_at IS NULL) AS differences,
    (SELECT count(*) FROM (SELECT FROM event.undecoded LIMIT 1000) u) AS undecoded,
    (SELECT count(*) FROM (SELECT FROM intent.intents WHERE alert LIMIT 1000) i) AS alerts;

-- name: has_platform
SELECT to_regclass('intent.stuck') IS NOT NULL AS yes;

-- name: rules
SELECT count(*) AS stuck FROM (SELECT FROM intent.stuck LIMIT 1000) s;

-- name: campaigns
SELECT c.address, c.campaign_id, c.status, c.paused, c.investor_count, c.total_raised, c.deadline, c.ended_at, c.goal,
    CASE WHEN c.goal > 0 THEN trunc(100 * c.total_raised / c.goal, 1)::float8 END AS percent, e.escrow_balance,
    e.released_at, e.investors_remaining, n.title
FROM (
    SELECT c.*, (c.terms ->> 'fundingGoal')::numeric AS goal FROM ledger.campaigns c
    ORDER BY c.status <> 'active', c.created_block DESC, c.address LIMIT 12
) c
LEFT JOIN ledger.escrows e USING (address)
LEFT JOIN LATERAL (
    SELECT left(i.payload ->> 'title', 200) AS title FROM intent.intents i
    WHERE i.kind = 'campaign.create'
        AND left(lower(replace(i.payload ->> 'campaign', '-', '')), 80) IN (c.campaign_id, substr(c.campaign_id, 3, 32))
    ORDER BY i.outcome IS NOT DISTINCT FROM 'confirmed' DESC, i.id DESC LIMIT 1
) n ON true
ORDER BY c.status <> 'active', c.created_block DESC, c.address;

-- name: totals
SELECT c.campaigns, c.active, c.raised, e.held, t.certificates
FROM (
    SELECT count(*) AS campaigns, count(*) FILTER (WHERE status = 'active') AS active, coalesce(sum(total_raised), 0) AS raised
    FROM ledger.campaigns
) c
CROSS JOIN (SELECT coalesce(sum(escrow_balance), 0) AS held FROM ledger.escrows) e
CROSS JOIN (SELECT count(*) AS certificates FROM ledger.certificates) t;

-- name: tables
SELECT relname AS name, n_live_tup AS rows FROM pg_stat_user_tables
WHERE schemaname = 'event' AND n_live_tup > 0 ORDER BY n_live_tup DESC, relname LIMIT 12;

-- name: size
SELECT pg_database_size(current_database()) AS bytes;
