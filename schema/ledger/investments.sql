CREATE INDEX ON event.campaign_investment_recorded (investment_id);
CREATE INDEX ON event.campaign_investment_recorded (investor);

CREATE VIEW ledger.investments AS
SELECT
    address, investment_id, investor, payer, amount, payment_reference, investor_total,
    block_number, tx_index, log_index, block_time AS invested_at, tx_hash
FROM event.campaign_investment_recorded;
COMMENT ON VIEW ledger.investments IS 'One row per investment; address: the campaign; amount in token units';
