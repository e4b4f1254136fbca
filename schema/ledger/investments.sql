CREATE INDEX ON event.campaign_investment_recorded (investment_id);
CREATE INDEX ON event.campaign_investment_recorded (investor);

CREATE VIEW ledger.investments AS
SELECT
    address, investment_id, investor, payer, amount, payment_reference, investor_total,
    block_number, tx_index, log_index, block_time AS invested_at, tx_hash
FROM event.campaign_investment_recorded;
COMMENT ON VIEW ledger.investments IS 'One row per investment; amounts in token units';
COMMENT ON COLUMN ledger.investments.address IS 'The campaign';
COMMENT ON COLUMN ledger.investments.investment_id IS 'A UUID, then zeros; of an investment made on chain, the hash of campaign, investor and nonce';
COMMENT ON COLUMN ledger.investments.investor IS 'Whose investment it is';
COMMENT ON COLUMN ledger.investments.payer IS 'Who paid the tokens: the investor, or the treasury for bank money';
COMMENT ON COLUMN ledger.investments.amount IS 'What was accepted';
COMMENT ON COLUMN ledger.investments.payment_reference IS 'Names the bank payment; zeros: invested on chain';
COMMENT ON COLUMN ledger.investments.investor_total IS 'The investor''s investments in this campaign, this one included';
COMMENT ON COLUMN ledger.investments.block_number IS 'The block of its event';
COMMENT ON COLUMN ledger.investments.tx_index IS 'Position of its transaction in the block';
COMMENT ON COLUMN ledger.investments.log_index IS 'Position of its event, in the block or (on some chains) the transaction';
COMMENT ON COLUMN ledger.investments.tx_hash IS 'Hash of its transaction';
COMMENT ON COLUMN ledger.investments.invested_at IS 'The block''s time';
