CREATE INDEX ON event.share_certificate_voting_weight_changed
    (address, owner, block_number DESC, tx_index DESC, log_index DESC);

CREATE VIEW ledger.votes_fold AS
SELECT DISTINCT ON (address, owner) address, owner, weight, block_number AS changed_block, block_time AS changed_at
FROM event.share_certificate_voting_weight_changed
ORDER BY address, owner, block_number DESC, tx_index DESC, log_index DESC;

CREATE TABLE ledger.votes AS SELECT * FROM ledger.votes_fold WITH NO DATA;
ALTER TABLE ledger.votes ADD PRIMARY KEY (address, owner);
COMMENT ON TABLE ledger.votes IS 'Voting weight of each owner; address: the ERC-721 contract';
