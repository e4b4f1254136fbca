-- The views that are of the chain alone: what campaigns hold, what was paid back, the certificates.

CREATE VIEW api.fund_escrows AS
SELECT
    u.id, u.id AS campaign, u.address AS smart_contract_address, u.token,
    (u.total_raised * 0.01)::numeric(80, 2) AS total_escrowed,
    (u.escrow_balance * 0.01)::numeric(80, 2) AS escrow_balance, u.status,
    (u.released_amount * 0.01)::numeric(80, 2) AS released_amount,
    (u.released_fee * 0.01)::numeric(80, 2) AS released_fee,
    (
        SELECT e.tx_hash FROM event.campaign_funds_released e WHERE e.address = u.address
        ORDER BY e.block_number DESC LIMIT 1
    ) AS release_tx_hash,
    u.released_at, u.ending IN ('failed', 'cancelled') AS refund_due, u.investors_remaining IS NOT NULL AS refund_initiated,
    u.status = 'refunded' AS refund_completed,
    (
        CASE WHEN u.ending IN ('failed', 'cancelled') THEN u.total_raised - u.escrow_balance ELSE 0 END * 0.01
    )::numeric(80, 2) AS refunded_amount,
    CASE WHEN u.ending IN ('failed', 'cancelled') THEN coalesce(u.investors_remaining, u.investor_count) END
        AS investors_remaining,
    coalesce(
        greatest(
            u.created_block,
            (SELECT max(e.block_number) FROM event.campaign_investment_recorded e WHERE e.address = u.address),
            (SELECT max(e.block_number) FROM event.campaign_campaign_finalized e WHERE e.address = u.address),
            (SELECT max(e.block_number) FROM event.campaign_campaign_cancelled e WHERE e.address = u.address),
            (SELECT max(e.block_number) FROM event.campaign_funds_released e WHERE e.address = u.address),
            (SELECT max(e.block_number) FROM event.campaign_investor_refunded e WHERE e.address = u.address),
            (SELECT max(e.block_number) FROM event.campaign_fee_withdrawn e WHERE e.address = u.address)
        ) <= (SELECT k.final_number FROM chain.cursor k), false
    ) AS is_final,
    u.created_at
FROM (
    SELECT
        platform.uuid_of(c.campaign_id) AS id, 'released' AS status, e.*, c.status AS ending, c.total_raised,
        c.investor_count, c.created_block, c.created_at
    FROM ledger.escrows e
    JOIN ledger.campaigns c ON c.address = e.address
    WHERE e.released_at IS NOT NULL
    UNION ALL
    SELECT
        platform.uuid_of(c.campaign_id), 'refunded', e.*, c.status, c.total_raised, c.investor_count, c.created_block, c.created_at
    FROM ledger.escrows e
    JOIN ledger.campaigns c ON c.address = e.address
    WHERE e.released_at IS NULL AND e.investors_remaining = 0
    UNION ALL
    -- nobody had invested: nothing is owed
    SELECT
        platform.uuid_of(c.campaign_id), 'refunded', e.*, c.status, c.total_raised, c.investor_count, c.created_block, c.created_at
    FROM ledger.escrows e
    JOIN ledger.campaigns c ON c.address = e.address
    WHERE e.released_at IS NULL AND e.investors_remaining IS NULL
        AND c.status IN ('failed', 'cancelled') AND c.investor_count = 0
    UNION ALL
    SELECT
        platform.uuid_of(c.campaign_id), 'escrowed', e.*, c.status, c.total_raised, c.investor_count, c.created_block, c.created_at
    FROM ledger.escrows e
    JOIN ledger.campaigns c ON c.address = e.address
    WHERE e.released_at IS NULL AND e.investors_remaining IS DISTINCT FROM 0
        AND (c.status IN ('active', 'successful') OR c.investor_count > 0)
) u;
COMMENT ON VIEW api.fund_escrows IS 'What each campaign on chain holds, and where it went';
COMMENT ON COLUMN api.fund_escrows.id IS 'The campaign''s UUID: it has one escrow';
COMMENT ON COLUMN api.fund_escrows.campaign IS 'The campaign';
COMMENT ON COLUMN api.fund_escrows.smart_contract_address IS 'The campaign''s contract, which holds the money';
COMMENT ON COLUMN api.fund_escrows.token IS 'The token that it holds';
COMMENT ON COLUMN api.fund_escrows.total_escrowed IS 'Everything that came in from investors, in birr';
COMMENT ON COLUMN api.fund_escrows.escrow_balance IS 'What it still owes to company, investors and fee recipient, in birr';
COMMENT ON COLUMN api.fund_escrows.status IS 'escrowed, released (the company was paid) or refunded (every investor was, or there was none)';
COMMENT ON COLUMN api.fund_escrows.released_amount IS 'What the company was paid, in birr; null: nothing yet';
COMMENT ON COLUMN api.fund_escrows.released_fee IS 'The fee that was kept for the platform then, in birr';
COMMENT ON COLUMN api.fund_escrows.release_tx_hash IS 'The transaction that paid the company';
COMMENT ON COLUMN api.fund_escrows.released_at IS 'That block''s time';
COMMENT ON COLUMN api.fund_escrows.refund_due IS 'The campaign failed or was cancelled: all is paid back';
COMMENT ON COLUMN api.fund_escrows.refund_initiated IS 'An investor has been paid back';
COMMENT ON COLUMN api.fund_escrows.refund_completed IS 'No investor is still to be paid back';
COMMENT ON COLUMN api.fund_escrows.refunded_amount IS 'What was paid back so far, in birr';
COMMENT ON COLUMN api.fund_escrows.investors_remaining IS 'How many investors are still to be paid back; null: nothing is to be';
COMMENT ON COLUMN api.fund_escrows.is_final IS 'Whether all that the row says is in final blocks';
COMMENT ON COLUMN api.fund_escrows.created_at IS 'Time of the block that created the campaign';

CREATE VIEW api.refund_transactions WITH (security_barrier = true) AS
SELECT
    platform.place(f.block_number, f.tx_index, f.log_index) AS id, platform.uuid_of(c.campaign_id) AS campaign,
    o.id AS investor, f.investor AS wallet, (f.amount * 0.01)::numeric(80, 2) AS amount,
    f.address AS smart_contract_address, f.tx_hash AS refund_tx_hash, f.block_number, f.block_time AS refunded_at,
    coalesce(f.block_number <= (SELECT k.final_number FROM chain.cursor k), false) AS is_final
FROM event.campaign_investor_refunded f
JOIN ledger.campaigns c ON c.address = f.address
LEFT JOIN platform.users o ON o.wallet = f.investor
    AND ((SELECT platform.reads_all()) OR o.id = (SELECT platform.reading_user('investor')));
COMMENT ON VIEW api.refund_transactions IS 'What was paid back: one row for each investor of a failed or cancelled campaign';
COMMENT ON COLUMN api.refund_transactions.id IS 'The place of its event: block, transaction, log';
COMMENT ON COLUMN api.refund_transactions.campaign IS 'The campaign';
COMMENT ON COLUMN api.refund_transactions.investor IS 'The user whose wallet it is now; null: not known, or not to be seen by the user who reads';
COMMENT ON COLUMN api.refund_transactions.wallet IS 'The account that was paid';
COMMENT ON COLUMN api.refund_transactions.amount IS 'Birr: all that it had put in';
COMMENT ON COLUMN api.refund_transactions.smart_contract_address IS 'The campaign''s contract';
COMMENT ON COLUMN api.refund_transactions.refund_tx_hash IS 'The transaction';
COMMENT ON COLUMN api.refund_transactions.block_number IS 'Its block';
COMMENT ON COLUMN api.refund_transactions.refunded_at IS 'That block''s time';
COMMENT ON COLUMN api.refund_transactions.is_final IS 'Whether that block is final';

CREATE VIEW api.nft_share_certificates AS
SELECT
    u.id, u.token_id, u.address AS smart_contract_address, platform.uuid_of(u.campaign_id) AS campaign, u.investment,
    u.owner, (u.amount * 0.01)::numeric(80, 2) AS investment_amount, u.voting_weight,
    (
        SELECT e.base_uri FROM event.share_certificate_base_uri_changed e WHERE e.address = u.address
        ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
    ) || CASE
        WHEN substr(u.investment_id, 35) = repeat('0', 32) THEN platform.uuid_of(u.investment_id)::text
        ELSE u.investment_id
    END AS token_uri,
    u.metadata_hash,
    (
        SELECT convert_from(d.body, 'UTF8')::jsonb FROM intent.documents d
        WHERE d.hash = u.metadata_hash AND d.media_type = 'application/json'
    ) AS metadata,
    (
        SELECT e.tx_hash FROM event.share_certificate_certificate_minted e
        WHERE e.address = u.address AND e.token_id = u.token_id ORDER BY e.block_number LIMIT 1
    ) AS mint_tx_hash,
    u.minted_at, u.transfer_count > 0 AS transferred, u.transfer_count, u.revoked, u.revoke_reason, u.minted_block AS block_number,
    coalesce(
        greatest(
            u.minted_block,
            (
                SELECT max(e.block_number) FROM event.share_certificate_transfer e
                WHERE e.address = u.address AND e.token_id = u.token_id
            ),
            (
                SELECT max(e.block_number) FROM event.share_certificate_certificate_revoked e
                WHERE e.address = u.address AND e.token_id = u.token_id
            )
        ) <= (SELECT k.final_number FROM chain.cursor k), false
    ) AS is_final
FROM (
    SELECT platform.uuid_of(c.investment_id) AS id, p.id AS investment, c.*
    FROM ledger.certificates c
    JOIN platform.investments p ON p.chain_id = c.investment_id
    UNION ALL
    SELECT platform.uuid_of(c.investment_id), platform.uuid_of(c.investment_id), c.*
    FROM ledger.certificates c
    WHERE NOT EXISTS (SELECT FROM platform.investments p WHERE p.chain_id = c.investment_id)
) u;
COMMENT ON VIEW api.nft_share_certificates IS 'Share certificates: ERC-721 tokens';
COMMENT ON COLUMN api.nft_share_certificates.id IS 'The first 16 bytes of its investment''s id on chain: what its token URI ends with';
COMMENT ON COLUMN api.nft_share_certificates.token_id IS 'Its number in the contract';
COMMENT ON COLUMN api.nft_share_certificates.smart_contract_address IS 'The ERC-721 contract';
COMMENT ON COLUMN api.nft_share_certificates.campaign IS 'The campaign';
COMMENT ON COLUMN api.nft_share_certificates.investment IS 'The investment that it certifies, as api.investments has it';
COMMENT ON COLUMN api.nft_share_certificates.owner IS 'The account whose it is now';
COMMENT ON COLUMN api.nft_share_certificates.investment_amount IS 'What was invested, in birr';
COMMENT ON COLUMN api.nft_share_certificates.voting_weight IS 'Its votes now; a revoked one has none';
COMMENT ON COLUMN api.nft_share_certificates.token_uri IS 'Where its document is served';
COMMENT ON COLUMN api.nft_share_certificates.metadata_hash IS 'SHA-256 of that document, as the chain has it';
COMMENT ON COLUMN api.nft_share_certificates.metadata IS 'That document (ERC-721 metadata); null: it isn''t one of this platform''s';
COMMENT ON COLUMN api.nft_share_certificates.mint_tx_hash IS 'The transaction that made it';
COMMENT ON COLUMN api.nft_share_certificates.minted_at IS 'That block''s time';
COMMENT ON COLUMN api.nft_share_certificates.transferred IS 'Whether it has changed hands';
COMMENT ON COLUMN api.nft_share_certificates.transfer_count IS 'How often';
COMMENT ON COLUMN api.nft_share_certificates.revoked IS 'Whether it lost its votes and can''t move';
COMMENT ON COLUMN api.nft_share_certificates.revoke_reason IS 'Why; null: it is not revoked';
COMMENT ON COLUMN api.nft_share_certificates.block_number IS 'The block that made it';
COMMENT ON COLUMN api.nft_share_certificates.is_final IS 'Whether all that the row says is in final blocks';

CREATE VIEW api.nft_transfer_history AS
SELECT
    platform.place(t.block_number, t.tx_index, t.log_index) AS id, t.token_id, t.address AS smart_contract_address,
    (
        SELECT platform.uuid_of(c.investment_id) FROM ledger.certificates c
        WHERE c.address = t.address AND c.token_id = t.token_id
    ) AS certificate,
    t."from" AS from_address, t."to" AS to_address, t.transfer_count,
    (
        SELECT e.reason FROM event.share_certificate_registrar_transferred e
        WHERE e.address = t.address AND e.token_id = t.token_id AND e.block_number = t.block_number
            AND e.tx_index = t.tx_index
        ORDER BY e.log_index LIMIT 1
    ) AS reason,
    t.tx_hash AS transfer_tx_hash, t.block_number, t.block_time AS transferred_at,
    coalesce(t.block_number <= (SELECT k.final_number FROM chain.cursor k), false) AS is_final
FROM event.share_certificate_certificate_transferred t;
COMMENT ON VIEW api.nft_transfer_history IS 'How certificates changed hands after they were made';
COMMENT ON COLUMN api.nft_transfer_history.id IS 'The place of its event: block, transaction, log';
COMMENT ON COLUMN api.nft_transfer_history.token_id IS 'The certificate''s number in the contract';
COMMENT ON COLUMN api.nft_transfer_history.smart_contract_address IS 'The ERC-721 contract';
COMMENT ON COLUMN api.nft_transfer_history.certificate IS 'The certificate''s id in api.nft_share_certificates';
COMMENT ON COLUMN api.nft_transfer_history.from_address IS 'Whose it was';
COMMENT ON COLUMN api.nft_transfer_history.to_address IS 'Whose it became';
COMMENT ON COLUMN api.nft_transfer_history.transfer_count IS 'How often it has changed hands, this time included';
COMMENT ON COLUMN api.nft_transfer_history.reason IS 'What the registrar said; null: the owner did it';
COMMENT ON COLUMN api.nft_transfer_history.transfer_tx_hash IS 'The transaction';
COMMENT ON COLUMN api.nft_transfer_history.block_number IS 'Its block';
COMMENT ON COLUMN api.nft_transfer_history.transferred_at IS 'That block''s time';
COMMENT ON COLUMN api.nft_transfer_history.is_final IS 'Whether that block is final';

GRANT SELECT ON api.fund_escrows, api.refund_transactions, api.nft_share_certificates, api.nft_transfer_history
    TO chainfirst_app;
GRANT SELECT ON api.fund_escrows, api.nft_share_certificates, api.nft_transfer_history TO chainfirst_reader;
GRANT SELECT (
    id, campaign, wallet, amount, smart_contract_address, refund_tx_hash, block_number, refunded_at, is_final
) ON api.refund_transactions TO chainfirst_reader;
