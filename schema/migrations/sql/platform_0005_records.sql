-- The views that are partly records. Their rows are a UNION ALL of those that the chain knows, with what the platform
-- knows of them, and those that it does not know yet. No branch reads more than it must for one key, one owner, one
-- campaign or one status: the status of each is a constant, or a column with an index.

CREATE VIEW api.users WITH (security_invoker = true) AS
SELECT
    u.id, u.email, u.full_name, u.phone, u.role, u.wallet, u.kyc_level, u.kyc_status, u.aml_score, u.active,
    coalesce(v.verified, false) AS verified_on_blockchain,
    coalesce(v.changed_block <= (SELECT k.final_number FROM api.chain_status k), false) AS is_final,
    (SELECT r.key FROM platform.row_intents r WHERE r.row_id = u.id) AS intent_key,
    (SELECT r.status FROM platform.row_intents r WHERE r.row_id = u.id) AS intent_status,
    (SELECT r.error FROM platform.row_intents r WHERE r.row_id = u.id) AS intent_error,
    u.erased_at, u.created_at, u.updated_at
FROM platform.users u
LEFT JOIN LATERAL (
    SELECT i.verified, i.changed_block FROM ledger.investors i WHERE i.investor = u.wallet
    ORDER BY i.changed_block DESC LIMIT 1
) v ON true;
COMMENT ON VIEW api.users IS 'People who use the platform; for apps alone';
COMMENT ON COLUMN api.users.id IS 'UUID';
COMMENT ON COLUMN api.users.email IS 'Personal';
COMMENT ON COLUMN api.users.full_name IS 'Personal';
COMMENT ON COLUMN api.users.phone IS 'Personal';
COMMENT ON COLUMN api.users.role IS 'admin, compliance_officer, custodian, regulator, issuer or investor';
COMMENT ON COLUMN api.users.wallet IS 'The account that invests; null: none yet';
COMMENT ON COLUMN api.users.kyc_level IS 'How far identity was checked: 0 not, 3 wholly';
COMMENT ON COLUMN api.users.kyc_status IS 'unverified, pending, verified, rejected or expired';
COMMENT ON COLUMN api.users.aml_score IS 'Risk of money laundering, 0 to 100';
COMMENT ON COLUMN api.users.active IS 'False: may not log in';
COMMENT ON COLUMN api.users.verified_on_blockchain IS 'Whether the wallet may invest on chain now';
COMMENT ON COLUMN api.users.is_final IS 'Whether a final block says so';
COMMENT ON COLUMN api.users.intent_key IS 'The key of what was last asked of the chain for it: intent.overview has the rest';
COMMENT ON COLUMN api.users.intent_status IS 'What became of that, as intent.overview says it; null: nothing was asked';
COMMENT ON COLUMN api.users.intent_error IS 'Why it ended badly, or what it waits for';
COMMENT ON COLUMN api.users.erased_at IS 'When the personal data was blanked; null: it is there';
COMMENT ON COLUMN api.users.created_at IS 'When it was made';
COMMENT ON COLUMN api.users.updated_at IS 'When it last changed';

CREATE VIEW api.companies WITH (security_barrier = true) AS
SELECT
    u.id, u.owner, u.name, u.tin, u.sector, u.description, u.wallet, u.verified, u.verified_by, u.verified_at,
    u.document_uri, u.document_hash, u.credential_hash, u.time_zone,
    u.company_id IS NOT NULL AS registered_on_blockchain,
    (
        SELECT e.tx_hash FROM event.issuer_registry_issuer_registered e
        WHERE e.address = u.registry AND e.company_id = u.company_id
        ORDER BY e.block_number LIMIT 1
    ) AS blockchain_tx_hash,
    u.registered_at AS blockchain_registered_at, u.issuer AS blockchain_wallet,
    u.registered_uri AS blockchain_document_uri, u.active AS active_on_blockchain,
    u.active_campaign IS NOT NULL AS has_active_campaign,
    (
        SELECT platform.uuid_of(c.campaign_id) FROM ledger.campaigns c WHERE c.address = u.active_campaign
    ) AS active_campaign_id,
    (
        SELECT extract(year FROM e.block_time AT TIME ZONE coalesce(u.time_zone, 'Africa/Addis_Ababa'))::integer
        FROM event.issuer_registry_issuer_campaign_changed e
        WHERE e.address = u.registry AND e.company_id = u.company_id
            AND e.campaign <> '0x0000000000000000000000000000000000000000'
        ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT 1
    ) AS last_campaign_year,
    coalesce(
        greatest(
            u.registered_block,
            (
                SELECT max(e.block_number) FROM event.issuer_registry_issuer_campaign_changed e
                WHERE e.address = u.registry AND e.company_id = u.company_id
            ),
            (
                SELECT max(e.block_number) FROM event.issuer_registry_issuer_status_changed e
                WHERE e.address = u.registry AND e.company_id = u.company_id
            ),
            (
                SELECT max(e.block_number) FROM event.issuer_registry_issuer_document_updated e
                WHERE e.address = u.registry AND e.company_id = u.company_id
            ),
            (
                SELECT max(e.block_number) FROM event.issuer_registry_issuer_replaced e
                WHERE e.address = u.registry AND e.company_id = u.company_id
            )
        ) <= (SELECT k.final_number FROM chain.cursor k), false
    ) AS is_final,
    (SELECT r.key FROM platform.row_intents r WHERE r.row_id = u.record) AS intent_key,
    (SELECT r.status FROM platform.row_intents r WHERE r.row_id = u.record) AS intent_status,
    (SELECT r.error FROM platform.row_intents r WHERE r.row_id = u.record) AS intent_error,
    u.created_at
FROM (
    SELECT
        p.id, CASE WHEN o.id IS NOT NULL THEN p.id END AS record, o.id AS owner, p.name,
        CASE WHEN o.id IS NOT NULL THEN p.tin END AS tin, p.sector, p.description, p.wallet, p.verified,
        CASE WHEN o.id IS NOT NULL THEN p.verified_by END AS verified_by, p.verified_at,
        p.document_uri, p.document_hash, p.credential_hash, p.time_zone,
        i.address AS registry, i.company_id, i.registered_block, i.registered_at, i.issuer,
        coalesce(i.active, false) AS active, i.active_campaign, i.document_uri AS registered_uri, p.created_at
    FROM platform.companies p
    LEFT JOIN platform.users o ON o.id = p.owner
        AND ((SELECT platform.reads_all()) OR o.id = (SELECT platform.reading_user('issuer')))
    LEFT JOIN LATERAL (
        SELECT s.* FROM ledger.issuers s WHERE s.company_id = platform.chain_id(p.id)
        ORDER BY s.registered_block DESC LIMIT 1
    ) i ON true
    WHERE i.company_id IS NOT NULL OR (SELECT platform.reads_all()) OR p.owner = (SELECT platform.reading_user('issuer'))
    UNION ALL
    -- registered, and none of the platform's
    SELECT
        platform.uuid_of(i.company_id), NULL, NULL, NULL, NULL, NULL, NULL, i.issuer, NULL, NULL, NULL, i.document_uri,
        NULL, i.credential_hash, NULL, i.address, i.company_id, i.registered_block, i.registered_at, i.issuer, i.active,
        i.active_campaign, i.document_uri, i.registered_at
    FROM ledger.issuers i
    WHERE NOT EXISTS (SELECT FROM platform.companies p WHERE p.id = platform.uuid_of(i.company_id))
) u;
COMMENT ON VIEW api.companies IS 'Issuers of shares, with their entry in the registry of issuers';
COMMENT ON COLUMN api.companies.id IS 'UUID; on chain, with zeros behind, the company id';
COMMENT ON COLUMN api.companies.owner IS 'The user who acts for it';
COMMENT ON COLUMN api.companies.name IS 'Its name; null: the platform doesn''t know it';
COMMENT ON COLUMN api.companies.tin IS 'Taxpayer identification number';
COMMENT ON COLUMN api.companies.sector IS 'What it does';
COMMENT ON COLUMN api.companies.description IS 'In its own words';
COMMENT ON COLUMN api.companies.wallet IS 'The account that is paid, as the platform has it';
COMMENT ON COLUMN api.companies.verified IS 'Checked by compliance';
COMMENT ON COLUMN api.companies.verified_by IS 'Who checked it';
COMMENT ON COLUMN api.companies.verified_at IS 'When';
COMMENT ON COLUMN api.companies.document_uri IS 'Where its public profile is, as the platform has it';
COMMENT ON COLUMN api.companies.document_hash IS 'SHA-256 of that profile';
COMMENT ON COLUMN api.companies.credential_hash IS 'SHA-256 of its proof of identity';
COMMENT ON COLUMN api.companies.time_zone IS 'Whose calendar says what a year is';
COMMENT ON COLUMN api.companies.registered_on_blockchain IS 'Whether the registry of issuers has it';
COMMENT ON COLUMN api.companies.blockchain_tx_hash IS 'The transaction that registered it';
COMMENT ON COLUMN api.companies.blockchain_registered_at IS 'That block''s time';
COMMENT ON COLUMN api.companies.blockchain_wallet IS 'Its wallet on chain now';
COMMENT ON COLUMN api.companies.blockchain_document_uri IS 'Where its profile is, as the chain has it';
COMMENT ON COLUMN api.companies.active_on_blockchain IS 'False: suspended, or not registered';
COMMENT ON COLUMN api.companies.has_active_campaign IS 'Whether a campaign of it runs on chain';
COMMENT ON COLUMN api.companies.active_campaign_id IS 'That campaign';
COMMENT ON COLUMN api.companies.last_campaign_year IS 'The year, in its time zone, of its last campaign on chain';
COMMENT ON COLUMN api.companies.is_final IS 'Whether all that the row says of the chain is in final blocks; false too while nothing is there';
COMMENT ON COLUMN api.companies.intent_key IS 'The key of what was last asked of the chain for it: intent.overview has the rest';
COMMENT ON COLUMN api.companies.intent_status IS 'What became of that, as intent.overview says it; null: nothing was asked';
COMMENT ON COLUMN api.companies.intent_error IS 'Why it ended badly, or what it waits for';
COMMENT ON COLUMN api.companies.created_at IS 'When its record was made, or else when it was registered';

CREATE VIEW api.campaigns WITH (security_barrier = true) AS
SELECT
    u.id, u.company, u.title, u.description, u.goal::numeric(80, 2) AS goal,
    u.min_investment::numeric(80, 2) AS min_investment, u.max_investment::numeric(80, 2) AS max_investment,
    u.duration_days, u.grace_days, u.threshold_bps, u.document_uri, u.status,
    u.current_funding::numeric(80, 2) AS current_funding,
    (CASE WHEN u.goal > 0 THEN 100 * u.current_funding / u.goal END)::numeric(80, 2) AS progress_percentage,
    u.investor_count, u.issuer, u.smart_contract_address,
    (
        SELECT e.tx_hash FROM event.campaign_factory_campaign_created e WHERE e.campaign = u.smart_contract_address
        ORDER BY e.block_number LIMIT 1
    ) AS deployment_tx_hash,
    u.deadline, u.record_until, u.paused, u.started_at, u.ended_at,
    coalesce(
        (SELECT e.released_at IS NOT NULL FROM ledger.escrows e WHERE e.address = u.smart_contract_address), false
    ) AS funds_released,
    (SELECT e.released_at FROM ledger.escrows e WHERE e.address = u.smart_contract_address) AS funds_released_at,
    u.cancel_reason, u.submitted_at, u.approved_by, u.approved_at, u.rejection_reason, u.cancelled_by, u.cancelled_at,
    coalesce(
        greatest(
            u.created_block,
            (
                SELECT max(e.block_number) FROM event.campaign_investment_recorded e
                WHERE e.address = u.smart_contract_address
            ),
            (
                SELECT max(e.block_number) FROM event.campaign_campaign_finalized e
                WHERE e.address = u.smart_contract_address
            ),
            (
                SELECT max(e.block_number) FROM event.campaign_campaign_cancelled e
                WHERE e.address = u.smart_contract_address
            ),
            (
                SELECT max(e.block_number) FROM event.campaign_funds_released e
                WHERE e.address = u.smart_contract_address
            ),
            (SELECT max(e.block_number) FROM event.campaign_paused e WHERE e.address = u.smart_contract_address),
            (SELECT max(e.block_number) FROM event.campaign_unpaused e WHERE e.address = u.smart_contract_address)
        ) <= (SELECT k.final_number FROM chain.cursor k), false
    ) AS is_final,
    (SELECT r.key FROM platform.row_intents r WHERE r.row_id = u.record) AS intent_key,
    (SELECT r.status FROM platform.row_intents r WHERE r.row_id = u.record) AS intent_status,
    (SELECT r.error FROM platform.row_intents r WHERE r.row_id = u.record) AS intent_error,
    u.created_at
FROM (
    -- on the chain, and a record of the platform's
    SELECT
        p.id, p.id AS record, p.company, p.title, p.description, p.document_uri, c.status,
        (c.terms ->> 'fundingGoal')::numeric * 0.01 AS goal, (c.terms ->> 'minInvestment')::numeric * 0.01 AS min_investment,
        nullif((c.terms ->> 'maxInvestment')::numeric, 0) * 0.01 AS max_investment,
        p.duration_days, p.grace_days, p.threshold_bps,
        c.total_raised * 0.01 AS current_funding, c.investor_count, c.issuer, c.address AS smart_contract_address,
        to_timestamp(c.deadline::double precision) AS deadline,
        to_timestamp(c.record_until::double precision) AS record_until, c.paused, c.created_block,
        c.created_at AS started_at, c.ended_at, coalesce(c.cancel_reason, p.cancel_reason) AS cancel_reason,
        p.submitted_at, p.approved_by, p.approved_at, p.rejection_reason, p.cancelled_by, p.cancelled_at, p.created_at
    FROM ledger.campaigns c
    JOIN platform.campaigns p ON p.id = platform.uuid_of(c.campaign_id)
    UNION ALL
    -- on the chain alone: another operator's. OFFSET 0: looked up row by row, for most have one
    SELECT
        platform.uuid_of(c.campaign_id), NULL, platform.uuid_of(x.company_id), NULL, NULL, c.terms ->> 'documentURI', c.status,
        (c.terms ->> 'fundingGoal')::numeric * 0.01, (c.terms ->> 'minInvestment')::numeric * 0.01,
        nullif((c.terms ->> 'maxInvestment')::numeric, 0) * 0.01,
        ((c.terms ->> 'duration')::bigint / 86400)::integer, ((c.terms ->> 'grace')::bigint / 86400)::integer,
        (c.terms ->> 'successThresholdBps')::integer, c.total_raised * 0.01, c.investor_count, c.issuer, c.address,
        to_timestamp(c.deadline::double precision), to_timestamp(c.record_until::double precision), c.paused,
        c.created_block, c.created_at, c.ended_at, c.cancel_reason, NULL, NULL, NULL, NULL, NULL, NULL, c.created_at
    FROM ledger.campaigns c
    LEFT JOIN event.issuer_registry_issuer_campaign_changed x ON x.campaign = c.address
    WHERE NOT EXISTS (SELECT FROM platform.campaigns p WHERE p.id = platform.uuid_of(c.campaign_id) OFFSET 0)
    UNION ALL
    -- approved and not on the chain: it has a request that isn't confirmed. Called off in time, it is cancelled
    SELECT
        p.id, p.id, p.company, p.title, p.description, p.document_uri,
        CASE WHEN p.cancelled_at IS NOT NULL AND r.outcome IS NOT NULL THEN 'cancelled' ELSE 'approved' END,
        p.goal, p.min_investment, p.max_investment, p.duration_days, p.grace_days, p.threshold_bps,
        0::numeric, 0::bigint, NULL, NULL, NULL, NULL, false, NULL, NULL, NULL, p.cancel_reason, p.submitted_at, p.approved_by,
        p.approved_at, p.rejection_reason, p.cancelled_by, p.cancelled_at, p.created_at
    FROM platform.requests r
    JOIN platform.campaigns p ON p.id = r.row_id AND p.status = 'approved'
    WHERE r.subject = 'campaign' AND r.purpose = 'create' AND r.outcome IS DISTINCT FROM 'confirmed'
        AND NOT EXISTS (SELECT FROM ledger.campaigns c WHERE platform.uuid_of(c.campaign_id) = p.id)
        AND ((SELECT platform.reads_all()) OR EXISTS (
            SELECT FROM platform.companies o WHERE o.id = p.company AND o.owner = (SELECT platform.reading_user('issuer'))
        ))
    UNION ALL
    -- not approved; or moved in from an older platform, where it was called off
    SELECT
        p.id, p.id, p.company, p.title, p.description, p.document_uri,
        CASE WHEN p.status = 'approved' THEN 'cancelled' ELSE p.status END,
        p.goal, p.min_investment, p.max_investment, p.duration_days, p.grace_days, p.threshold_bps,
        0::numeric, 0::bigint, NULL, NULL, NULL, NULL, false, NULL, NULL, NULL, p.cancel_reason, p.submitted_at, p.approved_by,
        p.approved_at, p.rejection_reason, p.cancelled_by, p.cancelled_at, p.created_at
    FROM platform.campaigns p
    WHERE (p.status <> 'approved' OR p.cancelled_at IS NOT NULL)
        AND NOT EXISTS (SELECT FROM platform.requests r WHERE r.row_id = p.id AND r.purpose = 'create')
        AND NOT EXISTS (SELECT FROM ledger.campaigns c WHERE platform.uuid_of(c.campaign_id) = p.id)
        AND ((SELECT platform.reads_all()) OR EXISTS (
            SELECT FROM platform.companies o WHERE o.id = p.company AND o.owner = (SELECT platform.reading_user('issuer'))
        ))
) u;
COMMENT ON VIEW api.campaigns IS 'Campaigns, from draft to end';
COMMENT ON COLUMN api.campaigns.id IS 'UUID; on chain, with zeros behind, the campaign id';
COMMENT ON COLUMN api.campaigns.company IS 'Who raises money';
COMMENT ON COLUMN api.campaigns.title IS 'Its title; null: the platform doesn''t know it';
COMMENT ON COLUMN api.campaigns.description IS 'What the money is for';
COMMENT ON COLUMN api.campaigns.goal IS 'What it wants to raise, in birr';
COMMENT ON COLUMN api.campaigns.min_investment IS 'The least that is taken at once, in birr';
COMMENT ON COLUMN api.campaigns.max_investment IS 'The most from one investor in all, in birr; null: no limit';
COMMENT ON COLUMN api.campaigns.duration_days IS 'How long it runs from its creation on chain';
COMMENT ON COLUMN api.campaigns.grace_days IS 'How long after that bank money may still be recorded';
COMMENT ON COLUMN api.campaigns.threshold_bps IS 'The part of the goal that makes it a success, in 1/10 000';
COMMENT ON COLUMN api.campaigns.document_uri IS 'Where its public terms are';
COMMENT ON COLUMN api.campaigns.status IS 'draft, pending, rejected, approved; on chain active, successful, failed or cancelled (also if called off before)';
COMMENT ON COLUMN api.campaigns.current_funding IS 'Everything accepted, in birr; refunds don''t lower it';
COMMENT ON COLUMN api.campaigns.progress_percentage IS 'That in per cent of the goal';
COMMENT ON COLUMN api.campaigns.investor_count IS 'How many wallets invested';
COMMENT ON COLUMN api.campaigns.issuer IS 'The company''s wallet when it was created on chain';
COMMENT ON COLUMN api.campaigns.smart_contract_address IS 'Its contract; null: not on chain';
COMMENT ON COLUMN api.campaigns.deployment_tx_hash IS 'The transaction that created it there';
COMMENT ON COLUMN api.campaigns.deadline IS 'Investing on chain ends';
COMMENT ON COLUMN api.campaigns.record_until IS 'Recording bank money ends';
COMMENT ON COLUMN api.campaigns.paused IS 'Whether investing and recording are stopped';
COMMENT ON COLUMN api.campaigns.started_at IS 'Time of the block that created it';
COMMENT ON COLUMN api.campaigns.ended_at IS 'Time of the block that finalized or cancelled it; null: it runs';
COMMENT ON COLUMN api.campaigns.funds_released IS 'Whether the company was paid';
COMMENT ON COLUMN api.campaigns.funds_released_at IS 'Time of the block that paid it';
COMMENT ON COLUMN api.campaigns.cancel_reason IS 'Why it was called off; null: it was not';
COMMENT ON COLUMN api.campaigns.submitted_at IS 'When it was last submitted for approval';
COMMENT ON COLUMN api.campaigns.approved_by IS 'Who approved it';
COMMENT ON COLUMN api.campaigns.approved_at IS 'When';
COMMENT ON COLUMN api.campaigns.rejection_reason IS 'Why it was rejected';
COMMENT ON COLUMN api.campaigns.cancelled_by IS 'Who called it off';
COMMENT ON COLUMN api.campaigns.cancelled_at IS 'When; null: nobody of the platform did';
COMMENT ON COLUMN api.campaigns.is_final IS 'Whether all that the row says of the chain is in final blocks; false too while nothing is there';
COMMENT ON COLUMN api.campaigns.intent_key IS 'The key of what was last asked of the chain for it: intent.overview has the rest';
COMMENT ON COLUMN api.campaigns.intent_status IS 'What became of that, as intent.overview says it; null: nothing was asked';
COMMENT ON COLUMN api.campaigns.intent_error IS 'Why it ended badly, or what it waits for';
COMMENT ON COLUMN api.campaigns.created_at IS 'When its record was made, or else its contract';

CREATE VIEW api.investments WITH (security_barrier = true) AS
SELECT
    u.id, u.campaign, u.investor, u.wallet, u.amount::numeric(80, 2) AS amount, u.status,
    CASE WHEN u.investor IS NOT NULL THEN u.payment_method END AS payment_method,
    CASE WHEN u.investor IS NOT NULL THEN u.payment_reference END AS payment_reference,
    CASE WHEN u.investor IS NOT NULL THEN u.failure_reason END AS failure_reason,
    CASE WHEN u.investor IS NOT NULL THEN u.paid_at END AS paid_at,
    u.smart_contract_address, u.blockchain_tx_hash, u.block_number, u.log_index, u.invested_at,
    u.refund_tx_hash, u.refunded_at,
    coalesce(greatest(u.block_number, u.refund_block) <= (SELECT k.final_number FROM chain.cursor k), false) AS is_final,
    (SELECT r.key FROM platform.row_intents r WHERE r.row_id = u.record) AS intent_key,
    (SELECT r.status FROM platform.row_intents r WHERE r.row_id = u.record) AS intent_status,
    (SELECT r.error FROM platform.row_intents r WHERE r.row_id = u.record) AS intent_error,
    u.created_at
FROM (
    -- on the chain, and a record of the platform's
    SELECT
        p.id, CASE WHEN o.id IS NOT NULL THEN p.id END AS record, platform.uuid_of(c.campaign_id) AS campaign,
        o.id AS investor, l.investor AS wallet, l.amount * 0.01 AS amount, 'confirmed' AS status,
        p.payment_method, p.payment_reference, p.failure_reason, p.paid_at, l.address AS smart_contract_address,
        l.tx_hash AS blockchain_tx_hash, l.block_number, l.log_index, l.block_time AS invested_at,
        NULL::text AS refund_tx_hash, NULL::timestamptz AS refunded_at, NULL::bigint AS refund_block, p.created_at
    FROM platform.investments p
    JOIN event.campaign_investment_recorded l ON l.investment_id = p.chain_id
    JOIN ledger.campaigns c ON c.address = l.address
    LEFT JOIN platform.users o ON o.id = p.investor
        AND ((SELECT platform.reads_all()) OR o.id = (SELECT platform.reading_user('investor')))
    WHERE NOT EXISTS (
        SELECT FROM event.campaign_investor_refunded f WHERE f.investor = l.investor AND f.address = l.address
    )
    UNION ALL
    SELECT
        p.id, CASE WHEN o.id IS NOT NULL THEN p.id END, platform.uuid_of(c.campaign_id), o.id, l.investor,
        l.amount * 0.01, 'refunded', p.payment_method, p.payment_reference, p.failure_reason, p.paid_at, l.address,
        l.tx_hash, l.block_number, l.log_index, l.block_time, f.tx_hash, f.block_time, f.block_number, p.created_at
    FROM event.campaign_investor_refunded f
    JOIN event.campaign_investment_recorded l ON l.investor = f.investor AND l.address = f.address
    JOIN platform.investments p ON p.chain_id = l.investment_id
    JOIN ledger.campaigns c ON c.address = l.address
    LEFT JOIN platform.users o ON o.id = p.investor
        AND ((SELECT platform.reads_all()) OR o.id = (SELECT platform.reading_user('investor')))
    UNION ALL
    -- on the chain alone
    SELECT
        platform.uuid_of(l.investment_id), NULL, platform.uuid_of(c.campaign_id), NULL, l.investor,
        l.amount * 0.01, 'confirmed', NULL, NULL, NULL, NULL, l.address,
        l.tx_hash, l.block_number, l.log_index, l.block_time, NULL, NULL, NULL, l.block_time
    FROM event.campaign_investment_recorded l
    JOIN ledger.campaigns c ON c.address = l.address
    WHERE NOT EXISTS (SELECT FROM platform.investments p WHERE p.chain_id = l.investment_id)
        AND NOT EXISTS (
            SELECT FROM event.campaign_investor_refunded f WHERE f.investor = l.investor AND f.address = l.address
        )
    UNION ALL
    SELECT
        platform.uuid_of(l.investment_id), NULL, platform.uuid_of(c.campaign_id), NULL, l.investor,
        l.amount * 0.01, 'refunded', NULL, NULL, NULL, NULL, l.address,
        l.tx_hash, l.block_number, l.log_index, l.block_time, f.tx_hash, f.block_time, f.block_number, l.block_time
    FROM event.campaign_investor_refunded f
    JOIN event.campaign_investment_recorded l ON l.investor = f.investor AND l.address = f.address
    JOIN ledger.campaigns c ON c.address = l.address
    WHERE NOT EXISTS (SELECT FROM platform.investments p WHERE p.chain_id = l.investment_id)
    UNION ALL
    -- paid and not on the chain: it has a request that isn't confirmed
    SELECT
        p.id, p.id, p.campaign, p.investor, p.wallet, p.amount, CASE WHEN r.outcome IS NULL THEN 'pending' ELSE 'failed' END,
        p.payment_method, p.payment_reference, p.failure_reason, p.paid_at,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, p.created_at
    FROM platform.requests r
    JOIN platform.investments p ON p.id = r.row_id AND p.status = 'paid'
    WHERE r.subject = 'investment' AND r.purpose = 'record' AND r.outcome IS DISTINCT FROM 'confirmed'
        AND NOT EXISTS (SELECT FROM event.campaign_investment_recorded l WHERE l.investment_id = p.chain_id)
        AND ((SELECT platform.reads_all()) OR p.investor = (SELECT platform.reading_user('investor')))
    UNION ALL
    SELECT
        p.id, p.id, p.campaign, p.investor, p.wallet, p.amount, p.status,
        p.payment_method, p.payment_reference, p.failure_reason, p.paid_at,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, p.created_at
    FROM platform.investments p
    WHERE p.status <> 'paid'
        AND NOT EXISTS (SELECT FROM event.campaign_investment_recorded l WHERE l.investment_id = p.chain_id)
        AND ((SELECT platform.reads_all()) OR p.investor = (SELECT platform.reading_user('investor')))
) u;
COMMENT ON VIEW api.investments IS 'Investments, from the app''s record to the chain';
COMMENT ON COLUMN api.investments.id IS 'UUID. Of one that the platform has no record of: the first 16 bytes of its id on chain';
COMMENT ON COLUMN api.investments.campaign IS 'The campaign';
COMMENT ON COLUMN api.investments.investor IS 'The user who invests; null: not known, or not to be seen by the user who reads';
COMMENT ON COLUMN api.investments.wallet IS 'The investor''s account, to which certificate or refund go';
COMMENT ON COLUMN api.investments.amount IS 'Birr; on chain what was accepted, which may be less than what was offered';
COMMENT ON COLUMN api.investments.status IS 'pending, confirmed (on chain; for good if is_final), failed (not paid, or the chain refuses it) or refunded';
COMMENT ON COLUMN api.investments.payment_method IS 'token: by the investor on chain; else the bank or service that took the money';
COMMENT ON COLUMN api.investments.payment_reference IS 'The bank''s reference of the payment';
COMMENT ON COLUMN api.investments.failure_reason IS 'Why the payment failed';
COMMENT ON COLUMN api.investments.paid_at IS 'When the platform noted it as paid';
COMMENT ON COLUMN api.investments.smart_contract_address IS 'The campaign''s contract';
COMMENT ON COLUMN api.investments.blockchain_tx_hash IS 'The transaction that recorded it; null: not on chain';
COMMENT ON COLUMN api.investments.block_number IS 'Its block';
COMMENT ON COLUMN api.investments.log_index IS 'Position of its event there, or (on some chains) in the transaction';
COMMENT ON COLUMN api.investments.invested_at IS 'That block''s time';
COMMENT ON COLUMN api.investments.refund_tx_hash IS 'The transaction that paid it back';
COMMENT ON COLUMN api.investments.refunded_at IS 'That block''s time';
COMMENT ON COLUMN api.investments.is_final IS 'Whether that is in final blocks; false too while nothing is there';
COMMENT ON COLUMN api.investments.intent_key IS 'The key of what was last asked of the chain for it: intent.overview has the rest';
COMMENT ON COLUMN api.investments.intent_status IS 'What became of that, as intent.overview says it; null: nothing was asked';
COMMENT ON COLUMN api.investments.intent_error IS 'Why it ended badly, or what it waits for';
COMMENT ON COLUMN api.investments.created_at IS 'When its record was made, or else its block''s time';

-- The reader gets what is public: it sees the chain's rows alone, and of them no column of a person or of the workflow.
GRANT SELECT ON api.users, api.companies, api.campaigns, api.investments TO chainfirst_app;
GRANT SELECT (
    id, name, sector, description, wallet, verified, verified_at, document_uri, document_hash, credential_hash,
    time_zone, registered_on_blockchain, blockchain_tx_hash, blockchain_registered_at, blockchain_wallet,
    blockchain_document_uri, active_on_blockchain, has_active_campaign, active_campaign_id, last_campaign_year,
    is_final, created_at
) ON api.companies TO chainfirst_reader;
GRANT SELECT (
    id, company, title, description, goal, min_investment, max_investment, duration_days, grace_days,
    threshold_bps, document_uri, status, current_funding, progress_percentage, investor_count, issuer,
    smart_contract_address, deployment_tx_hash, deadline, record_until, paused, started_at, ended_at,
    funds_released, funds_released_at, cancel_reason, is_final, created_at
) ON api.campaigns TO chainfirst_reader;
GRANT SELECT (
    id, campaign, wallet, amount, status, smart_contract_address, blockchain_tx_hash, block_number, log_index,
    invested_at, refund_tx_hash, refunded_at, is_final, created_at
) ON api.investments TO chainfirst_reader;
