CREATE INDEX ON event.share_certificate_certificate_minted (address, token_id);
CREATE INDEX ON event.share_certificate_certificate_minted (investment_id);
CREATE INDEX ON event.share_certificate_transfer (address, token_id, block_number, tx_index, log_index);
CREATE INDEX ON event.share_certificate_certificate_transferred (address, token_id, block_number, tx_index, log_index);
CREATE INDEX ON event.share_certificate_certificate_revoked (address, token_id);

CREATE VIEW ledger.certificates_fold AS
SELECT
    m.address,
    m.token_id,
    m.investment_id,
    m.campaign_id,
    coalesce(t.to, m.owner) AS owner,
    m.amount,
    CASE WHEN r.address IS NULL THEN m.voting_weight ELSE 0 END AS voting_weight,
    m.metadata_hash,
    coalesce(n.transfer_count, 0) AS transfer_count,
    r.address IS NOT NULL AS revoked,
    r.reason AS revoke_reason,
    m.block_number AS minted_block,
    m.block_time AS minted_at
FROM event.share_certificate_certificate_minted m
LEFT JOIN LATERAL (
    SELECT e."to" FROM event.share_certificate_transfer e
    WHERE e.address = m.address AND e.token_id = m.token_id
    ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
) t ON true
LEFT JOIN LATERAL (
    SELECT e.transfer_count FROM event.share_certificate_certificate_transferred e
    WHERE e.address = m.address AND e.token_id = m.token_id
    ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
) n ON true
LEFT JOIN LATERAL (
    SELECT e.address, e.reason FROM event.share_certificate_certificate_revoked e
    WHERE e.address = m.address AND e.token_id = m.token_id
    ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
) r ON true;

COMMENT ON VIEW ledger.certificates_fold IS 'Share certificates, as their events make them: what ledger.certificates must hold';
COMMENT ON COLUMN ledger.certificates_fold.address IS 'The ERC-721 contract';
COMMENT ON COLUMN ledger.certificates_fold.token_id IS 'Its number there';
COMMENT ON COLUMN ledger.certificates_fold.investment_id IS 'The investment that it certifies';
COMMENT ON COLUMN ledger.certificates_fold.campaign_id IS 'The campaign''s UUID, then zeros';
COMMENT ON COLUMN ledger.certificates_fold.owner IS 'Whose it is now';
COMMENT ON COLUMN ledger.certificates_fold.amount IS 'What was invested, in token units';
COMMENT ON COLUMN ledger.certificates_fold.voting_weight IS 'Its votes now; a revoked one has none';
COMMENT ON COLUMN ledger.certificates_fold.metadata_hash IS 'SHA-256 of the document at the token''s URI';
COMMENT ON COLUMN ledger.certificates_fold.transfer_count IS 'How often it changed hands after minting';
COMMENT ON COLUMN ledger.certificates_fold.revoked IS 'Whether it lost its votes and can''t move';
COMMENT ON COLUMN ledger.certificates_fold.revoke_reason IS 'Why; null: it is not revoked';
COMMENT ON COLUMN ledger.certificates_fold.minted_block IS 'The block that minted it';
COMMENT ON COLUMN ledger.certificates_fold.minted_at IS 'That block''s time';

CREATE TABLE ledger.certificates (LIKE ledger.certificates_fold INCLUDING COMMENTS);
ALTER TABLE ledger.certificates ADD PRIMARY KEY (address, token_id);
CREATE INDEX ON ledger.certificates (owner);
COMMENT ON TABLE ledger.certificates IS 'Share certificates';
