CREATE INDEX ON event.issuer_registry_issuer_registered (address, company_id);
CREATE INDEX ON event.issuer_registry_issuer_replaced (address, company_id, block_number, tx_index, log_index);
CREATE INDEX ON event.issuer_registry_issuer_document_updated (address, company_id, block_number, tx_index, log_index);
CREATE INDEX ON event.issuer_registry_issuer_status_changed (address, company_id, block_number, tx_index, log_index);
CREATE INDEX ON event.issuer_registry_issuer_campaign_changed (address, company_id, block_number, tx_index, log_index);

CREATE VIEW ledger.issuers_fold AS
SELECT
    r.address,
    r.company_id,
    coalesce(w.new_issuer, r.issuer) AS issuer,
    r.credential_hash,
    coalesce(d.document_uri, r.document_uri) AS document_uri,
    coalesce(s.active, true) AS active,
    nullif(c.campaign, '0x0000000000000000000000000000000000000000') AS active_campaign,
    r.block_number AS registered_block,
    r.block_time AS registered_at
FROM event.issuer_registry_issuer_registered r
LEFT JOIN LATERAL (
    SELECT e.new_issuer FROM event.issuer_registry_issuer_replaced e
    WHERE e.address = r.address AND e.company_id = r.company_id
    ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
) w ON true
LEFT JOIN LATERAL (
    SELECT e.document_uri FROM event.issuer_registry_issuer_document_updated e
    WHERE e.address = r.address AND e.company_id = r.company_id
    ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
) d ON true
LEFT JOIN LATERAL (
    SELECT e.active FROM event.issuer_registry_issuer_status_changed e
    WHERE e.address = r.address AND e.company_id = r.company_id
    ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
) s ON true
LEFT JOIN LATERAL (
    SELECT e.campaign FROM event.issuer_registry_issuer_campaign_changed e
    WHERE e.address = r.address AND e.company_id = r.company_id
    ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
) c ON true;

COMMENT ON VIEW ledger.issuers_fold IS 'Registered companies, as their events make them: what ledger.issuers must hold';
COMMENT ON COLUMN ledger.issuers_fold.address IS 'The registry';
COMMENT ON COLUMN ledger.issuers_fold.company_id IS 'The company''s UUID, then zeros';
COMMENT ON COLUMN ledger.issuers_fold.issuer IS 'The company''s wallet now';
COMMENT ON COLUMN ledger.issuers_fold.credential_hash IS 'Hash of its proof of identity';
COMMENT ON COLUMN ledger.issuers_fold.document_uri IS 'Where its profile is';
COMMENT ON COLUMN ledger.issuers_fold.active IS 'False: suspended, no new campaigns';
COMMENT ON COLUMN ledger.issuers_fold.active_campaign IS 'Its running campaign; null: none';
COMMENT ON COLUMN ledger.issuers_fold.registered_block IS 'The block that registered it';
COMMENT ON COLUMN ledger.issuers_fold.registered_at IS 'That block''s time';

CREATE TABLE ledger.issuers (LIKE ledger.issuers_fold INCLUDING COMMENTS);
ALTER TABLE ledger.issuers ADD PRIMARY KEY (address, company_id);
COMMENT ON TABLE ledger.issuers IS 'Registered companies';
