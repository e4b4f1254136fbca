-- The statements of writers/rules.py, by name.

-- name: hold
SELECT done_to FROM intent.rules FOR UPDATE;

-- name: final
SELECT c.final_number, extract(epoch FROM b.time)::bigint
FROM chain.cursor c JOIN chain.blocks b ON b.number = c.final_number;

-- name: incomplete
SELECT count(*) FROM unnest(%s::text[]) AS needed (name)
WHERE NOT EXISTS (SELECT FROM chain.sources s WHERE s.table_name = needed.name AND s.joined);

-- name: finalize
WITH due AS MATERIALIZED (
    SELECT c.address, c.campaign_id, EXISTS (
        SELECT FROM intent.intents i
        WHERE i.kind = 'campaign.record_investment' AND i.outcome IS NULL
            AND left(lower(replace(i.payload ->> 'campaign', '-', '')), 80)
                IN (c.campaign_id, substr(c.campaign_id, 3, 32))
    ) AS held
    FROM ledger.campaigns c
    WHERE c.status = 'active' AND c.created_block <= %(final)s
        AND (
            c.record_until < %(time)s
            -- totals only grow: where the newest one doesn't reach the goal, no event need be looked up
            OR c.total_raised >= (c.terms ->> 'fundingGoal')::numeric AND (
                SELECT e.total_raised FROM event.campaign_investment_recorded e
                WHERE e.address = c.address AND e.block_number <= %(final)s
                ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
            ) >= (c.terms ->> 'fundingGoal')::numeric
        )
        AND NOT EXISTS (SELECT FROM intent.intents i WHERE i.key = 'rule:finalize:' || c.address)
    ORDER BY c.created_block, c.address
)
SELECT
    count(CASE WHEN NOT held THEN intent.submit(
        'campaign.finalize', jsonb_build_object('campaign', campaign_id), 'rule:finalize:' || address
    ) END),
    count(*) FILTER (WHERE held)
FROM due;

-- name: release
SELECT count(intent.submit('escrow.release', jsonb_build_object('campaign', d.campaign_id), d.key))
FROM (
    SELECT c.campaign_id, 'rule:release:' || f.address AS key
    FROM event.campaign_campaign_finalized f
    JOIN event.campaign_factory_campaign_created c ON c.campaign = f.address
    WHERE f.status = 1 AND f.block_number > %(done_to)s AND f.block_number <= %(final)s
        AND NOT EXISTS (
            SELECT FROM event.campaign_funds_released r WHERE r.address = f.address AND r.block_number <= %(final)s
        )
        AND NOT EXISTS (SELECT FROM intent.intents i WHERE i.key = 'rule:release:' || f.address)
    ORDER BY f.block_number, f.tx_index, f.log_index
    LIMIT %(most)s
) d;

-- name: refund
WITH ended AS MATERIALIZED (
    SELECT c.campaign AS address, c.campaign_id, e.block_number, e.tx_index, e.log_index
    FROM (
        SELECT f.address, f.block_number, f.tx_index, f.log_index FROM event.campaign_campaign_finalized f
        WHERE f.status = 2 AND f.block_number > %(done_to)s AND f.block_number <= %(final)s
        UNION ALL
        SELECT x.address, x.block_number, x.tx_index, x.log_index FROM event.campaign_campaign_cancelled x
        WHERE x.block_number > %(done_to)s AND x.block_number <= %(final)s
    ) e
    JOIN event.campaign_factory_campaign_created c ON c.campaign = e.address
)
SELECT count(intent.submit(
    'escrow.refund', jsonb_build_object('campaign', d.campaign_id, 'investor', d.investor), d.key
))
FROM (
    SELECT k.campaign_id, k.investor, 'rule:refund:' || k.address || ':' || k.investor AS key
    FROM (
        SELECT DISTINCT e.*, i.investor
        FROM ended e JOIN event.campaign_investment_recorded i ON i.address = e.address
        WHERE i.block_number <= %(final)s
    ) k
    WHERE NOT EXISTS (
        SELECT FROM event.campaign_investor_refunded r
        WHERE r.investor = k.investor AND r.address = k.address AND r.block_number <= %(final)s
    )
        AND NOT EXISTS (
            SELECT FROM intent.intents i WHERE i.key = 'rule:refund:' || k.address || ':' || k.investor
        )
    ORDER BY k.block_number, k.tx_index, k.log_index, k.investor
    LIMIT %(most)s
) d;

-- name: uncertified
SELECT c.campaign, c.campaign_id, c.issuer, o.company_id, i.investment_id, i.investor, i.amount
FROM event.campaign_campaign_finalized f
JOIN event.campaign_factory_campaign_created c ON c.campaign = f.address
LEFT JOIN event.issuer_registry_issuer_campaign_changed o
    ON o.block_number = c.block_number AND o.tx_index = c.tx_index AND o.campaign = c.campaign
JOIN event.campaign_investment_recorded i ON i.address = f.address
WHERE f.status = 1 AND f.block_number > %(done_to)s AND f.block_number <= %(final)s
    AND i.block_number <= %(final)s
    AND NOT EXISTS (
        SELECT FROM event.share_certificate_certificate_minted m
        WHERE m.investment_id = i.investment_id AND m.block_number <= %(final)s
    )
    AND NOT EXISTS (
        SELECT FROM intent.intents n WHERE n.key = 'rule:mint:' || f.address || ':' || i.investment_id
    )
ORDER BY f.block_number, f.tx_index, f.log_index, i.block_number, i.tx_index, i.log_index
LIMIT %(most)s;

-- name: mint
SELECT count(intent.submit(
    'certificate.mint',
    jsonb_build_object('campaign', m.campaign_id, 'investment', m.investment, 'owner', m.owner, 'metadata_hash', m.hash),
    'rule:mint:' || m.campaign || ':' || m.investment,
    priority => %(priority)s
))
FROM (
    SELECT * FROM unnest(
        %(campaigns)s::text[], %(campaign_ids)s::text[], %(investments)s::text[], %(owners)s::text[], %(hashes)s::text[]
    ) WITH ORDINALITY AS u (campaign, campaign_id, investment, owner, hash, place)
    ORDER BY u.place
) m;

-- name: advance
UPDATE intent.rules SET done_to = %(final)s WHERE done_to < %(final)s;

-- name: stuck
SELECT kind, count(*) FROM intent.stuck GROUP BY kind ORDER BY kind;
