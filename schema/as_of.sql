-- The ledger as of a block (as_of.py). What has an underscore before its name is about the views; the others are
-- the files of an export. There the names of ledger relations and of event tables mean their rows up to the
-- block. Columns that end in _birr are token units here; _epoch: seconds since 1970.

-- name: _events
SELECT DISTINCT t.relname::text
FROM pg_catalog.pg_class v
JOIN pg_catalog.pg_rewrite w ON w.ev_class = v.oid
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
JOIN pg_catalog.pg_class t ON d.refclassid = 'pg_class'::regclass AND t.oid = d.refobjid
WHERE v.relnamespace = 'ledger'::regnamespace AND v.relname = ANY (%s) AND t.relnamespace = 'event'::regnamespace
ORDER BY 1;

-- name: _definitions
SELECT v.relname::text, regexp_replace(rtrim(pg_catalog.pg_get_viewdef(v.oid), ';'), '\mevent\.', '', 'g')
FROM pg_catalog.pg_class v
WHERE v.relnamespace = 'ledger'::regnamespace AND v.relname = ANY (%s);

-- name: campaigns
SELECT
    campaign_id AS campaign, address, factory, issuer, token, status,
    (terms ->> 'fundingGoal')::numeric AS goal_birr,
    (terms ->> 'minInvestment')::numeric AS min_investment_birr,
    nullif((terms ->> 'maxInvestment')::numeric, 0) AS max_investment_birr,
    (terms ->> 'successThresholdBps')::integer AS threshold_bps,
    fee_bps, total_raised AS raised_birr, investor_count AS investors, paused, created_block, created_at,
    deadline AS deadline_epoch, record_until AS record_until_epoch, ended_at,
    terms ->> 'documentURI' AS document_uri, cancel_reason
FROM campaigns ORDER BY created_block, address COLLATE "C";

-- name: investments
SELECT
    i.investment_id AS investment, c.campaign_id AS campaign, i.address, i.investor, i.payer,
    i.amount AS amount_birr, i.payment_reference, i.block_number, i.tx_index, i.log_index, i.tx_hash, i.invested_at
FROM investments i
LEFT JOIN campaign_factory_campaign_created c ON c.campaign = i.address
ORDER BY i.block_number, i.tx_index, i.log_index;

-- name: escrows
SELECT
    c.campaign_id AS campaign, e.address, e.token, e.escrow_balance AS held_birr,
    e.released_amount AS released_birr, e.released_fee AS fee_birr, w.withdrawn AS fee_withdrawn_birr,
    r.refunded AS refunded_birr, e.released_at, e.investors_remaining
FROM escrows e
JOIN campaign_factory_campaign_created c ON c.campaign = e.address
LEFT JOIN (SELECT address, sum(amount) AS withdrawn FROM campaign_fee_withdrawn GROUP BY address) w
    ON w.address = e.address
LEFT JOIN (SELECT address, sum(amount) AS refunded FROM refunds GROUP BY address) r ON r.address = e.address
ORDER BY c.block_number, e.address COLLATE "C";

-- name: refunds
SELECT
    c.campaign_id AS campaign, r.address, r.investor, r.amount AS amount_birr,
    r.block_number, r.tx_index, r.log_index, r.tx_hash, r.refunded_at
FROM refunds r
LEFT JOIN campaign_factory_campaign_created c ON c.campaign = r.address
ORDER BY r.block_number, r.tx_index, r.log_index;

-- name: certificates
SELECT
    address, token_id, investment_id AS investment, campaign_id AS campaign, owner, amount AS amount_birr,
    voting_weight, metadata_hash, transfer_count, revoked, revoke_reason, minted_block, minted_at
FROM certificates ORDER BY address COLLATE "C", token_id;

-- name: transfers
SELECT
    t.address, t.token_id, t."from", t."to", t.transfer_count,
    t.block_number, t.tx_index, t.log_index, t.tx_hash, t.transferred_at
FROM certificate_transfers t
ORDER BY t.block_number, t.tx_index, t.log_index;

-- name: votes
SELECT address, owner, weight AS voting_weight, changed_block, changed_at
FROM votes ORDER BY address COLLATE "C", owner COLLATE "C";

-- name: totals
SELECT
    c.campaign_id AS campaign, c.address, c.token, c.total_raised AS raised_birr,
    coalesce(i.invested, 0) AS invested_birr, e.escrow_balance AS held_birr,
    coalesce(e.released_amount, 0) AS released_birr, coalesce(w.withdrawn, 0) AS fee_withdrawn_birr,
    coalesce(r.refunded, 0) AS refunded_birr
FROM campaigns c
JOIN escrows e ON e.address = c.address
LEFT JOIN (SELECT address, sum(amount) AS invested FROM investments GROUP BY address) i ON i.address = c.address
LEFT JOIN (SELECT address, sum(amount) AS withdrawn FROM campaign_fee_withdrawn GROUP BY address) w
    ON w.address = c.address
LEFT JOIN (SELECT address, sum(amount) AS refunded FROM refunds GROUP BY address) r ON r.address = c.address
ORDER BY c.created_block, c.address COLLATE "C";
