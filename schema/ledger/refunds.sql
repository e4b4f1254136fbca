CREATE VIEW ledger.refunds AS
SELECT address, investor, amount, block_number, tx_index, log_index, block_time AS refunded_at, tx_hash
FROM event.campaign_investor_refunded;
COMMENT ON VIEW ledger.refunds IS 'One row per refunded investor of a campaign';
COMMENT ON COLUMN ledger.refunds.address IS 'The campaign';
COMMENT ON COLUMN ledger.refunds.investor IS 'Who was paid back';
COMMENT ON COLUMN ledger.refunds.amount IS 'Everything the investor had put in, in token units';
COMMENT ON COLUMN ledger.refunds.block_number IS 'The block of its event';
COMMENT ON COLUMN ledger.refunds.tx_index IS 'Position of its transaction in the block';
COMMENT ON COLUMN ledger.refunds.log_index IS 'Position of its event, in the block or (on some chains) the transaction';
COMMENT ON COLUMN ledger.refunds.tx_hash IS 'Hash of its transaction';
COMMENT ON COLUMN ledger.refunds.refunded_at IS 'The block''s time';
