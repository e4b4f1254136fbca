CREATE INDEX ON event.issuer_registry_investor_status_changed
    (address, investor, block_number DESC, tx_index DESC, log_index DESC);

CREATE VIEW ledger.investors_fold AS
SELECT DISTINCT ON (address, investor) address, investor, verified, block_number AS changed_block, block_time AS changed_at
FROM event.issuer_registry_investor_status_changed
ORDER BY address, investor, block_number DESC, tx_index DESC, log_index DESC;

COMMENT ON VIEW ledger.investors_fold IS 'Wallets that are or were verified: what ledger.investors must hold';
COMMENT ON COLUMN ledger.investors_fold.address IS 'The registry';
COMMENT ON COLUMN ledger.investors_fold.investor IS 'The wallet';
COMMENT ON COLUMN ledger.investors_fold.verified IS 'Whether it may invest on chain now';
COMMENT ON COLUMN ledger.investors_fold.changed_block IS 'The block that said so last';
COMMENT ON COLUMN ledger.investors_fold.changed_at IS 'That block''s time';

CREATE TABLE ledger.investors (LIKE ledger.investors_fold INCLUDING COMMENTS);
ALTER TABLE ledger.investors ADD PRIMARY KEY (address, investor);
COMMENT ON TABLE ledger.investors IS 'Wallets that are or were verified to invest on chain';
