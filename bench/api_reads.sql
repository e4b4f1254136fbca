-- Reads of the schema api by key, owner, campaign and status, and beside each the bare look-up of the same rows in the
-- table that has them, by its index. Parameters: %(key)s.

-- name: samples
SELECT jsonb_build_object(
    'user', (SELECT jsonb_agg(id) FROM (
        SELECT id FROM platform.users WHERE role = 'investor' ORDER BY md5(id::text) LIMIT 200
    ) s),
    'owner', (SELECT jsonb_agg(owner) FROM (
        SELECT owner FROM platform.companies ORDER BY md5(id::text) LIMIT 200
    ) s),
    'wallet', (SELECT jsonb_agg(wallet) FROM (
        SELECT wallet FROM platform.users WHERE role = 'investor' ORDER BY md5(id::text) LIMIT 200
    ) s),
    'company', (SELECT jsonb_agg(id) FROM (SELECT id FROM platform.companies ORDER BY md5(id::text) LIMIT 200) s),
    'campaign', (SELECT jsonb_agg(id) FROM (
        SELECT platform.uuid_of(campaign_id) AS id FROM ledger.campaigns ORDER BY md5(campaign_id) LIMIT 200
    ) s),
    'investment', (SELECT jsonb_agg(id) FROM (
        SELECT i.id FROM platform.campaigns c
        JOIN LATERAL (SELECT id FROM platform.investments i WHERE i.campaign = c.id LIMIT 1) i ON true
        ORDER BY md5(c.id::text) LIMIT 200
    ) s),
    'token', (SELECT jsonb_agg(token_id) FROM (
        SELECT token_id FROM ledger.certificates ORDER BY md5(token_id::text) LIMIT 200
    ) s),
    'place', (SELECT jsonb_agg(id) FROM (SELECT id FROM api.nft_transfer_history ORDER BY md5(id) LIMIT 200) s)
);

-- name: users_by_id__user
SELECT * FROM api.users WHERE id = %(key)s;
-- name: users_by_id__bare
SELECT * FROM platform.users WHERE id = %(key)s;

-- name: users_by_wallet__wallet
SELECT * FROM api.users WHERE wallet = %(key)s;
-- name: users_by_wallet__bare
SELECT * FROM platform.users WHERE wallet = %(key)s;

-- name: companies_by_id__company
SELECT * FROM api.companies WHERE id = %(key)s;
-- name: companies_by_id__bare
SELECT * FROM platform.companies WHERE id = %(key)s;

-- name: companies_by_owner__owner
SELECT * FROM api.companies WHERE owner = %(key)s;
-- name: companies_by_owner__bare
SELECT * FROM platform.companies WHERE owner = %(key)s;

-- name: campaigns_by_id__campaign
SELECT * FROM api.campaigns WHERE id = %(key)s;
-- name: campaigns_by_id__bare
SELECT * FROM ledger.campaigns WHERE platform.uuid_of(campaign_id) = %(key)s;

-- name: campaigns_by_company__company
SELECT * FROM api.campaigns WHERE company = %(key)s;
-- name: campaigns_by_company__bare
SELECT * FROM platform.campaigns WHERE company = %(key)s;

-- name: campaigns_by_status__campaign_status
SELECT * FROM api.campaigns WHERE status = %(key)s LIMIT 20;
-- name: campaigns_by_status__bare
SELECT * FROM ledger.campaigns WHERE %(key)s::text IS NOT NULL ORDER BY address LIMIT 20;

-- name: investments_by_id__investment
SELECT * FROM api.investments WHERE id = %(key)s;
-- name: investments_by_id__bare
SELECT * FROM platform.investments WHERE id = %(key)s;

-- name: investments_by_campaign__campaign
SELECT * FROM api.investments WHERE campaign = %(key)s LIMIT 20;
-- name: investments_by_campaign__bare
SELECT * FROM platform.investments WHERE campaign = %(key)s LIMIT 20;

-- name: investments_by_investor__user
SELECT * FROM api.investments WHERE investor = %(key)s LIMIT 20;
-- name: investments_by_investor__bare
SELECT * FROM platform.investments WHERE investor = %(key)s LIMIT 20;

-- name: investments_by_wallet__wallet
SELECT * FROM api.investments WHERE wallet = %(key)s LIMIT 20;
-- name: investments_by_wallet__bare
SELECT * FROM event.campaign_investment_recorded WHERE investor = %(key)s LIMIT 20;

-- name: investments_by_status__investment_status
SELECT * FROM api.investments WHERE status = %(key)s LIMIT 20;
-- name: investments_by_status__bare
SELECT * FROM platform.investments WHERE %(key)s::text IS NOT NULL ORDER BY id LIMIT 20;

-- name: fund_escrows_by_campaign__campaign
SELECT * FROM api.fund_escrows WHERE campaign = %(key)s;
-- name: fund_escrows_by_campaign__bare
SELECT e.* FROM ledger.campaigns c JOIN ledger.escrows e ON e.address = c.address WHERE platform.uuid_of(c.campaign_id) = %(key)s;

-- name: fund_escrows_by_status__escrow_status
SELECT * FROM api.fund_escrows WHERE status = %(key)s LIMIT 20;
-- name: fund_escrows_by_status__bare
SELECT * FROM ledger.escrows WHERE %(key)s::text IS NOT NULL ORDER BY address LIMIT 20;

-- name: refunds_by_campaign__campaign
SELECT * FROM api.refund_transactions WHERE campaign = %(key)s LIMIT 20;
-- name: refunds_by_campaign__bare
SELECT f.* FROM ledger.campaigns c JOIN event.campaign_investor_refunded f ON f.address = c.address
WHERE platform.uuid_of(c.campaign_id) = %(key)s LIMIT 20;

-- name: refunds_by_wallet__wallet
SELECT * FROM api.refund_transactions WHERE wallet = %(key)s;
-- name: refunds_by_wallet__bare
SELECT * FROM event.campaign_investor_refunded WHERE investor = %(key)s;

-- name: certificates_by_token__token
SELECT * FROM api.nft_share_certificates WHERE token_id = %(key)s::numeric;
-- name: certificates_by_token__bare
SELECT * FROM ledger.certificates WHERE token_id = %(key)s::numeric;

-- name: certificates_by_owner__wallet
SELECT * FROM api.nft_share_certificates WHERE owner = %(key)s LIMIT 20;
-- name: certificates_by_owner__bare
SELECT * FROM ledger.certificates WHERE owner = %(key)s LIMIT 20;

-- name: certificates_by_campaign__campaign
SELECT * FROM api.nft_share_certificates WHERE campaign = %(key)s LIMIT 20;
-- name: certificates_by_campaign__bare
SELECT * FROM ledger.certificates WHERE platform.uuid_of(campaign_id) = %(key)s LIMIT 20;

-- name: certificates_by_investment__investment
SELECT * FROM api.nft_share_certificates WHERE investment = %(key)s;
-- name: certificates_by_investment__bare
SELECT c.* FROM platform.investments p JOIN ledger.certificates c ON c.investment_id = p.chain_id WHERE p.id = %(key)s;

-- name: transfers_by_token__token
SELECT * FROM api.nft_transfer_history WHERE token_id = %(key)s::numeric;
-- name: transfers_by_token__bare
SELECT * FROM event.share_certificate_certificate_transferred WHERE token_id = %(key)s::numeric;

-- name: transfers_by_id__place
SELECT * FROM api.nft_transfer_history WHERE id = %(key)s;
-- name: transfers_by_id__bare
SELECT * FROM event.share_certificate_certificate_transferred
WHERE platform.place(block_number, tx_index, log_index) = %(key)s;

-- name: activity_newest__none
SELECT * FROM api.activity WHERE %(key)s::text IS NULL LIMIT 20;
-- name: activity_newest__bare
SELECT * FROM event.campaign_investment_recorded WHERE %(key)s::text IS NULL
ORDER BY block_number DESC, tx_index DESC, log_index DESC LIMIT 20;
