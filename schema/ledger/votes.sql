CREATE INDEX ON event.share_certificate_voting_weight_changed
    (address, owner, block_number DESC, tx_index DESC, log_index DESC);

CREATE VIEW ledger.votes_fold AS
SELECT DISTINCT ON (address, owner) address, owner, weight, block_number AS changed_block, block_time AS changed_at
FROM event.share_certificate_voting_weight_changed
ORDER BY address, owner, block_number DESC, tx_index DESC, log_index DESC;

COMMENT ON VIEW ledger.votes_fold IS 'Votes of each owner: what ledger.votes must hold';
COMMENT ON COLUMN ledger.votes_fold.address IS 'The ERC-721 contract';
COMMENT ON COLUMN ledger.votes_fold.owner IS 'The wallet';
COMMENT ON COLUMN ledger.votes_fold.weight IS 'Its votes now, of all its certificates';
COMMENT ON COLUMN ledger.votes_fold.changed_block IS 'The block that changed them last';
COMMENT ON COLUMN ledger.votes_fold.changed_at IS 'That block''s time';

CREATE TABLE ledger.votes (LIKE ledger.votes_fold INCLUDING COMMENTS);
ALTER TABLE ledger.votes ADD PRIMARY KEY (address, owner);
COMMENT ON TABLE ledger.votes IS 'Voting weight of each owner';
