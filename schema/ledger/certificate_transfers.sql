CREATE VIEW ledger.certificate_transfers AS
SELECT
    address, token_id, "from", "to", transfer_count,
    block_number, tx_index, log_index, block_time AS transferred_at, tx_hash
FROM event.share_certificate_certificate_transferred;
COMMENT ON VIEW ledger.certificate_transfers IS 'One row per transfer after minting';
COMMENT ON COLUMN ledger.certificate_transfers.address IS 'The ERC-721 contract';
COMMENT ON COLUMN ledger.certificate_transfers.token_id IS 'The certificate';
COMMENT ON COLUMN ledger.certificate_transfers."from" IS 'Whose it was';
COMMENT ON COLUMN ledger.certificate_transfers."to" IS 'Whose it became';
COMMENT ON COLUMN ledger.certificate_transfers.transfer_count IS 'How many times it has changed hands, this one included';
COMMENT ON COLUMN ledger.certificate_transfers.block_number IS 'The block of its event';
COMMENT ON COLUMN ledger.certificate_transfers.tx_index IS 'Position of its transaction in the block';
COMMENT ON COLUMN ledger.certificate_transfers.log_index IS 'Position of its event, in the block or (on some chains) the transaction';
COMMENT ON COLUMN ledger.certificate_transfers.tx_hash IS 'Hash of its transaction';
COMMENT ON COLUMN ledger.certificate_transfers.transferred_at IS 'The block''s time';
