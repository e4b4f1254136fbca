-- The statements of writers/reconcile.py, by name. Those of relations begin with the relation's key.

-- name: snapshot
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: syncing
SELECT count(*) FROM unnest(%s::text[]) AS needed (name)
WHERE NOT EXISTS (SELECT FROM chain.sources s WHERE s.table_name = needed.name AND s.joined);

-- name: issuers
SELECT address, company_id, issuer, active, active_campaign FROM ledger.issuers
WHERE registered_block <= %(final)s ORDER BY address, company_id;

-- name: investors
SELECT address, investor, verified FROM ledger.investors ORDER BY address, investor;

-- name: campaigns
SELECT address, status, total_raised, investor_count FROM ledger.campaigns
WHERE created_block <= %(final)s ORDER BY address;

-- name: escrows
SELECT e.address, e.token, e.escrow_balance FROM ledger.escrows e
WHERE EXISTS (
    SELECT FROM event.campaign_factory_campaign_created c
    WHERE c.campaign = e.address AND c.block_number <= %(final)s
)
ORDER BY e.address;

-- name: certificates
SELECT address, token_id, investment_id, owner, amount, voting_weight, metadata_hash, transfer_count, revoked
FROM ledger.certificates WHERE minted_block <= %(final)s ORDER BY address, token_id;

-- name: votes
SELECT address, owner, weight FROM ledger.votes ORDER BY address, owner;

-- name: minted
SELECT address, count(*) FROM ledger.certificates WHERE minted_block <= %(final)s GROUP BY address ORDER BY address;

-- name: hold
LOCK TABLE intent.differences IN SHARE ROW EXCLUSIVE MODE;

-- name: held
SELECT id, subject, what, ledger_value AS ledger, chain_value AS chain
FROM intent.differences WHERE cleared_at IS NULL ORDER BY id;

-- name: clear
UPDATE intent.differences SET cleared_at = clock_timestamp() WHERE id = ANY (%(ids)s);

-- name: add
INSERT INTO intent.differences (subject, what, ledger_value, chain_value, block_number)
SELECT d.*, %(block)s
FROM unnest(%(subjects)s::text[], %(whats)s::text[], %(ledgers)s::text[], %(chains)s::text[]) AS d;

-- name: counts
SELECT what, count(*) FROM intent.differences WHERE cleared_at IS NULL GROUP BY what ORDER BY what;
