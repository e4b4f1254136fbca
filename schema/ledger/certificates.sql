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

CREATE TABLE ledger.certificates AS SELECT * FROM ledger.certificates_fold WITH NO DATA;
ALTER TABLE ledger.certificates ADD PRIMARY KEY (address, token_id);
CREATE INDEX ON ledger.certificates (owner);
COMMENT ON TABLE ledger.certificates IS 'Share certificates; address: the ERC-721 contract; owner: now';
