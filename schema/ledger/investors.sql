CREATE INDEX ON event.issuer_registry_investor_status_changed
    (address, investor, block_number DESC, tx_index DESC, log_index DESC);

CREATE VIEW ledger.investors_fold AS
SELECT DISTINCT ON (address, investor) address, investor, verified, block_number AS changed_block, block_time AS changed_at
FROM event.issuer_registry_investor_status_changed
ORDER BY address, investor, block_number DESC, tx_index DESC, log_index DESC;

CREATE TABLE ledger.investors AS SELECT * FROM ledger.investors_fold WITH NO DATA;
ALTER TABLE ledger.investors ADD PRIMARY KEY (address, investor);
COMMENT ON TABLE ledger.investors IS 'Wallets that are or were verified; address: the registry';
