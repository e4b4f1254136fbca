CREATE INDEX ON event.campaign_funds_released (address, block_number, tx_index, log_index);
CREATE INDEX ON event.campaign_investor_refunded (address, block_number, tx_index, log_index);
CREATE INDEX ON event.campaign_fee_withdrawn (address, block_number, tx_index, log_index);

CREATE VIEW ledger.escrows_fold AS
SELECT
    c.campaign AS address,
    c.token,
    coalesce(b.escrow_balance, 0) AS escrow_balance,
    r.amount AS released_amount,
    r.fee AS released_fee,
    r.block_time AS released_at,
    q.investors_remaining
FROM event.campaign_factory_campaign_created c
LEFT JOIN LATERAL (
    SELECT e.* FROM event.campaign_funds_released e WHERE e.address = c.campaign
    ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
) r ON true
LEFT JOIN LATERAL (
    SELECT e.* FROM event.campaign_investor_refunded e WHERE e.address = c.campaign
    ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
) q ON true
LEFT JOIN LATERAL (
    SELECT u.escrow_balance FROM (
        (SELECT e.escrow_balance, e.block_number, e.tx_index, e.log_index FROM event.campaign_investment_recorded e
        WHERE e.address = c.campaign ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1)
        UNION ALL
        (SELECT e.escrow_balance, e.block_number, e.tx_index, e.log_index FROM event.campaign_fee_withdrawn e
        WHERE e.address = c.campaign ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1)
        UNION ALL
        SELECT r.escrow_balance, r.block_number, r.tx_index, r.log_index WHERE r.address IS NOT NULL
        UNION ALL
        SELECT q.escrow_balance, q.block_number, q.tx_index, q.log_index WHERE q.address IS NOT NULL
    ) u ORDER BY u.block_number DESC, u.tx_index DESC, u.log_index DESC LIMIT 1
) b ON true;

COMMENT ON VIEW ledger.escrows_fold IS 'What each campaign holds, as its events make it: what ledger.escrows must hold';
COMMENT ON COLUMN ledger.escrows_fold.address IS 'The campaign';
COMMENT ON COLUMN ledger.escrows_fold.token IS 'The token that it holds';
COMMENT ON COLUMN ledger.escrows_fold.escrow_balance IS 'What it still owes to issuer, investors and fee recipient';
COMMENT ON COLUMN ledger.escrows_fold.released_amount IS 'What the issuer was paid; null: nothing yet';
COMMENT ON COLUMN ledger.escrows_fold.released_fee IS 'The fee that was credited then; null: not released';
COMMENT ON COLUMN ledger.escrows_fold.released_at IS 'Time of the block that released the funds; null: not released';
COMMENT ON COLUMN ledger.escrows_fold.investors_remaining IS 'How many investors are still to be refunded; null: nobody was refunded yet';

CREATE TABLE ledger.escrows (LIKE ledger.escrows_fold INCLUDING COMMENTS);
ALTER TABLE ledger.escrows ADD PRIMARY KEY (address);
COMMENT ON TABLE ledger.escrows IS 'What each campaign holds; amounts in token units';
