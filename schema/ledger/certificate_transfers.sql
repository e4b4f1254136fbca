CREATE VIEW ledger.certificate_transfers AS
SELECT
    address, token_id, "from", "to", transfer_count,
    block_number, tx_index, log_index, block_time AS transferred_at, tx_hash
FROM event.share_certificate_certificate_transferred;
COMMENT ON VIEW ledger.certificate_transfers IS 'One row per transfer after minting; address: the ERC-721 contract';
