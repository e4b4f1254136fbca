-- Escrow and certificates are the daemon's own rules' alone, unless somebody grants them.
INSERT INTO intent.grants (kind, role)
SELECT kind, 'chainfirst_app' FROM unnest(ARRAY[
    'issuer.register', 'issuer.update_document', 'issuer.set_active', 'investor.set_verified',
    'campaign.create', 'campaign.record_investment', 'campaign.finalize', 'campaign.cancel'
]) AS kind;

-- What the rules look up. Payloads spell an id as a UUID, or as 0x and its 32 bytes; either in any case.
CREATE INDEX campaigns_active ON ledger.campaigns (address) WHERE status = 'active';
CREATE INDEX intents_recording ON intent.intents (left(lower(replace(payload ->> 'campaign', '-', '')), 80))
    WHERE kind = 'campaign.record_investment' AND outcome IS NULL;
CREATE INDEX intents_companies ON intent.intents (left(lower(replace(payload ->> 'company', '-', '')), 80))
    WHERE kind = 'issuer.register';
CREATE INDEX intents_campaigns ON intent.intents (left(lower(replace(payload ->> 'campaign', '-', '')), 80))
    WHERE kind = 'campaign.create';
-- By which intents find their event among all that are indexed.
CREATE INDEX ON event.issuer_registry_issuer_registered (company_id);
CREATE INDEX ON event.campaign_factory_campaign_created (campaign_id);
CREATE INDEX ON event.campaign_investor_refunded (investor, address);
CREATE INDEX ON event.share_certificate_certificate_revoked (token_id);

CREATE VIEW intent.stuck AS
SELECT i.id, i.kind, i.key, i.generation, i.outcome, i.error, i.ended_at
FROM intent.intents i
CROSS JOIN LATERAL (
    SELECT split_part(i.key, ':', 2) AS rule, split_part(i.key, ':', 3) AS campaign, split_part(i.key, ':', 4) AS subject
) k
WHERE i.outcome <> 'confirmed' AND i.key LIKE 'rule:%'
    AND NOT EXISTS (SELECT FROM intent.intents l WHERE l.key = i.key AND l.generation > i.generation)
    AND NOT CASE k.rule
        WHEN 'finalize' THEN
            EXISTS (SELECT FROM event.campaign_campaign_finalized e WHERE e.address = k.campaign)
            OR EXISTS (SELECT FROM event.campaign_campaign_cancelled e WHERE e.address = k.campaign)
        WHEN 'release' THEN EXISTS (SELECT FROM event.campaign_funds_released e WHERE e.address = k.campaign)
        WHEN 'refund' THEN EXISTS (
            SELECT FROM event.campaign_investor_refunded e WHERE e.address = k.campaign AND e.investor = k.subject
        )
        WHEN 'mint' THEN EXISTS (
            SELECT FROM event.share_certificate_certificate_minted e WHERE e.investment_id = k.subject
        )
        ELSE false
    END;
COMMENT ON VIEW intent.stuck IS
    'What rules asked for, ended badly, and is still not done: they don''t ask twice, so somebody must retry it';
COMMENT ON COLUMN intent.stuck.id IS 'The intent, the latest of its key';
COMMENT ON COLUMN intent.stuck.kind IS 'What is wanted';
COMMENT ON COLUMN intent.stuck.key IS 'Rule, campaign and investor or investment';
COMMENT ON COLUMN intent.stuck.generation IS 'How many times it was tried';
COMMENT ON COLUMN intent.stuck.outcome IS 'How it ended: failed, rejected, cancelled or expired';
COMMENT ON COLUMN intent.stuck.error IS 'Why';
COMMENT ON COLUMN intent.stuck.ended_at IS 'When';
GRANT SELECT ON intent.stuck TO chainfirst_daemon, chainfirst_app;
