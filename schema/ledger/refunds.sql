CREATE VIEW ledger.refunds AS
SELECT address, investor, amount, block_number, tx_index, log_index, block_time AS refunded_at, tx_hash
FROM event.campaign_investor_refunded;
COMMENT ON VIEW ledger.refunds IS 'One row per refunded investor of a campaign; address: the campaign';
