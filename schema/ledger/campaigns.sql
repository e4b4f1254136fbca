CREATE INDEX ON event.campaign_factory_campaign_created (campaign);
CREATE INDEX ON event.campaign_investment_recorded (address, block_number, tx_index, log_index);
CREATE INDEX ON event.campaign_campaign_finalized (address);
CREATE INDEX ON event.campaign_campaign_cancelled (address);
CREATE INDEX ON event.campaign_paused (address, block_number, tx_index, log_index);
CREATE INDEX ON event.campaign_unpaused (address, block_number, tx_index, log_index);

CREATE VIEW ledger.campaigns_fold AS
SELECT
    c.campaign AS address,
    c.address AS factory,
    c.campaign_id,
    c.issuer,
    c.token,
    c.terms,
    c.fee_bps,
    c.deadline,
    c.record_until,
    CASE
        WHEN x.address IS NOT NULL THEN 'cancelled'
        WHEN f.status = 1 THEN 'successful'
        WHEN f.status = 2 THEN 'failed'
        ELSE 'active'
    END AS status,
    coalesce(x.total_raised, f.total_raised, i.total_raised, 0) AS total_raised,
    coalesce(x.investor_count, f.investor_count, i.investor_count, 0) AS investor_count,
    coalesce(p.paused, false) AS paused,
    x.reason AS cancel_reason,
    c.block_number AS created_block,
    c.block_time AS created_at,
    coalesce(x.block_time, f.block_time) AS ended_at
FROM event.campaign_factory_campaign_created c
LEFT JOIN LATERAL (
    SELECT e.total_raised, e.investor_count FROM event.campaign_investment_recorded e
    WHERE e.address = c.campaign
    ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
) i ON true
LEFT JOIN LATERAL (
    SELECT e.* FROM event.campaign_campaign_finalized e WHERE e.address = c.campaign
    ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
) f ON true
LEFT JOIN LATERAL (
    SELECT e.* FROM event.campaign_campaign_cancelled e WHERE e.address = c.campaign
    ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
) x ON true
LEFT JOIN LATERAL (
    SELECT u.paused FROM (
        (SELECT true AS paused, e.block_number, e.tx_index, e.log_index FROM event.campaign_paused e
        WHERE e.address = c.campaign ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1)
        UNION ALL
        (SELECT false, e.block_number, e.tx_index, e.log_index FROM event.campaign_unpaused e
        WHERE e.address = c.campaign ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1)
    ) u ORDER BY u.block_number DESC, u.tx_index DESC, u.log_index DESC LIMIT 1
) p ON true;

COMMENT ON VIEW ledger.campaigns_fold IS 'Campaigns, as their events make them: what ledger.campaigns must hold';
COMMENT ON COLUMN ledger.campaigns_fold.address IS 'The campaign''s own contract';
COMMENT ON COLUMN ledger.campaigns_fold.factory IS 'The factory that made it';
COMMENT ON COLUMN ledger.campaigns_fold.campaign_id IS 'The campaign''s UUID, then zeros';
COMMENT ON COLUMN ledger.campaigns_fold.issuer IS 'The company''s wallet when the campaign was created; ledger.issuers has the one now';
COMMENT ON COLUMN ledger.campaigns_fold.token IS 'The token that it raises';
COMMENT ON COLUMN ledger.campaigns_fold.terms IS 'What it promises, as it was created';
COMMENT ON COLUMN ledger.campaigns_fold.fee_bps IS 'The platform''s fee, in 1/10 000 of what is raised';
COMMENT ON COLUMN ledger.campaigns_fold.deadline IS 'Investing on chain ends, in seconds since 1970';
COMMENT ON COLUMN ledger.campaigns_fold.record_until IS 'Recording bank money ends, in seconds since 1970';
COMMENT ON COLUMN ledger.campaigns_fold.status IS 'active, successful, failed or cancelled; stays so after the release or the refunds';
COMMENT ON COLUMN ledger.campaigns_fold.total_raised IS 'Everything accepted, in token units; refunds don''t lower it';
COMMENT ON COLUMN ledger.campaigns_fold.investor_count IS 'How many wallets invested';
COMMENT ON COLUMN ledger.campaigns_fold.paused IS 'Whether investing and recording are stopped';
COMMENT ON COLUMN ledger.campaigns_fold.cancel_reason IS 'Why it was called off; null: it was not';
COMMENT ON COLUMN ledger.campaigns_fold.created_block IS 'The block that created it';
COMMENT ON COLUMN ledger.campaigns_fold.created_at IS 'That block''s time';
COMMENT ON COLUMN ledger.campaigns_fold.ended_at IS 'Time of the block that finalized or cancelled it; null: active';

CREATE TABLE ledger.campaigns (LIKE ledger.campaigns_fold INCLUDING COMMENTS);
ALTER TABLE ledger.campaigns ADD PRIMARY KEY (address);
CREATE INDEX ON ledger.campaigns (campaign_id);
COMMENT ON TABLE ledger.campaigns IS 'Campaigns; amounts in token units';
