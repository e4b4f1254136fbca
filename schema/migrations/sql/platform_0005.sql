-- What apps read: ledger and records joined into the models that they know.
--
-- The views run with their owner's rights and say themselves who sees which record: for a view with the invoker's
-- rights PostgreSQL wants a right on every column that the view names, and the reader shall have none on records.
-- security_barrier: what somebody's own function in a WHERE could see is what the view shows. Conditions on uuid and
-- text get through it to the indexes.
CREATE SCHEMA api;
COMMENT ON SCHEMA api IS 'What apps read: the chain''s ledger and the platform''s records, joined';

-- An id of the chain: the UUID is its first 16 bytes. Without SET and with a parsed body, so that indexes take it in.
CREATE FUNCTION platform.uuid_of(chain_id text) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN octet_length(chain_id) = 66 THEN substr(chain_id, 3, 32)::uuid END;
COMMENT ON FUNCTION platform.uuid_of(text) IS 'The UUID in an id of the chain (bytes32): its first 16 bytes';

CREATE FUNCTION platform.place(block_number bigint, tx_index integer, log_index integer) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN block_number::text || '-' || tx_index::text || '-' || log_index::text;
COMMENT ON FUNCTION platform.place(bigint, integer, integer) IS 'Where an event is, as one text: an id for rows that are one event';

-- Who reads, as the policies of the tables have it: the app itself all, for staff all, for others what is theirs.
CREATE FUNCTION platform.reads_all() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN pg_has_role(intent.caller(), 'chainfirst_app', 'USAGE') AND (
        coalesce(current_setting('chainfirst.user', true), '') = ''
        OR platform.may('admin', 'compliance_officer', 'custodian', 'regulator')
    );
END
$$;
COMMENT ON FUNCTION platform.reads_all() IS
    'Whether every record is seen: by an app, unless it acts for a user who is no staff; not by the reader';

CREATE FUNCTION platform.reading_user(as_role text) RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE
        WHEN coalesce(current_setting('chainfirst.user', true), '') <> ''
            AND pg_has_role(intent.caller(), 'chainfirst_app', 'USAGE') AND platform.acting_role() = as_role
        THEN platform.acting_user()
    END;
END
$$;
COMMENT ON FUNCTION platform.reading_user(text) IS 'The user whose own records are seen, if it has this role; else null';

REVOKE ALL ON FUNCTION platform.uuid_of(text), platform.place(bigint, integer, integer), platform.reads_all(),
    platform.reading_user(text) FROM PUBLIC;
-- the daemon: these are in indexes of tables that it fills
GRANT EXECUTE ON FUNCTION platform.uuid_of(text), platform.place(bigint, integer, integer) TO chainfirst_daemon;
GRANT EXECUTE ON FUNCTION platform.uuid_of(text), platform.place(bigint, integer, integer), platform.reads_all(),
    platform.reading_user(text) TO chainfirst_app, chainfirst_reader;

-- What the views look up.
CREATE INDEX ON ledger.investors (investor);
CREATE INDEX ON ledger.issuers (platform.uuid_of(company_id));
CREATE INDEX ON ledger.campaigns (platform.uuid_of(campaign_id));
CREATE INDEX ON ledger.campaigns (status, address);
CREATE INDEX ON ledger.certificates (token_id);
CREATE INDEX ON ledger.certificates (investment_id);
CREATE INDEX ON ledger.certificates (platform.uuid_of(investment_id));
CREATE INDEX ON ledger.certificates (platform.uuid_of(campaign_id));
CREATE INDEX escrows_held ON ledger.escrows (address) WHERE released_at IS NULL AND investors_remaining IS DISTINCT FROM 0;
CREATE INDEX escrows_released ON ledger.escrows (released_at) WHERE released_at IS NOT NULL;
CREATE INDEX escrows_refunded ON ledger.escrows (address) WHERE investors_remaining = 0;
CREATE INDEX ON event.issuer_registry_issuer_campaign_changed (campaign);
CREATE INDEX ON event.issuer_registry_issuer_campaign_changed (platform.uuid_of(company_id));
CREATE INDEX ON event.campaign_investment_recorded (platform.uuid_of(investment_id));
-- with the address for refunds; without it is of no use then
CREATE INDEX ON event.campaign_investment_recorded (investor, address);
DROP INDEX event.campaign_investment_recorded_investor_idx;
CREATE INDEX ON event.share_certificate_certificate_transferred (token_id);
CREATE INDEX ON event.campaign_investor_refunded (platform.place(block_number, tx_index, log_index));
CREATE INDEX ON event.share_certificate_certificate_transferred (platform.place(block_number, tx_index, log_index));
CREATE INDEX ON event.share_certificate_base_uri_changed (address, block_number, tx_index, log_index);
CREATE INDEX ON event.share_certificate_registrar_transferred (address, token_id, block_number, tx_index);

-- of paid investments that aren't on the chain, which are on their way and which the chain refuses
CREATE INDEX requests_unconfirmed_status ON platform.requests
    (subject, purpose, (CASE WHEN outcome IS NULL THEN 'pending' ELSE 'failed' END), row_id)
    WHERE outcome IS DISTINCT FROM 'confirmed';
-- of campaigns that aren't on the chain
CREATE INDEX campaigns_status_shown ON platform.campaigns
    ((CASE WHEN status = 'approved' THEN 'cancelled' ELSE status END), id)
    WHERE status <> 'approved' OR cancelled_at IS NOT NULL;
CREATE INDEX investments_wallet ON platform.investments (wallet);
-- what happens once is asked for by one request, whatever becomes of it
CREATE UNIQUE INDEX requests_once ON platform.requests (row_id, purpose) WHERE target IS NULL;

-- The latest request of a row, for the views.
CREATE VIEW platform.row_intents AS
SELECT DISTINCT ON (r.row_id)
    r.row_id, r.key,
    coalesce(r.outcome, (
        SELECT intent.status_of(i.id) FROM intent.intents i WHERE i.key = r.key ORDER BY i.generation DESC LIMIT 1
    )) AS status,
    coalesce(r.error, (
        SELECT i.waiting_reason FROM intent.intents i WHERE i.key = r.key ORDER BY i.generation DESC LIMIT 1
    )) AS error
FROM platform.requests r
ORDER BY r.row_id, r.asked_at DESC, r.revision DESC;
COMMENT ON VIEW platform.row_intents IS 'What was last asked of the chain for each row, and what became of it';
COMMENT ON COLUMN platform.row_intents.row_id IS 'The row';
COMMENT ON COLUMN platform.row_intents.key IS 'The intent''s key';
COMMENT ON COLUMN platform.row_intents.status IS 'Its status, as intent.overview has it';
COMMENT ON COLUMN platform.row_intents.error IS 'Why it ended badly, or why it waits; null: neither';
GRANT SELECT ON platform.row_intents TO chainfirst_app;

CREATE VIEW api.chain_status AS
SELECT
    c.chain_id, c.indexed_number, c.indexed_hash, b.time AS indexed_at, c.final_number, c.final_hash,
    extract(epoch FROM clock_timestamp() - b.time)::numeric(20, 3) AS lag_seconds,
    (
        SELECT coalesce(array_agg(s.table_name ORDER BY s.table_name), '{}')
        FROM chain.sources s WHERE NOT s.joined
    ) AS syncing,
    c.reorg_suspected, (SELECT coalesce(max(h.seq), 0) FROM chain.changes h) AS last_change, c.updated_at
FROM chain.cursor c
LEFT JOIN chain.blocks b ON b.number = c.indexed_number;
COMMENT ON VIEW api.chain_status IS 'One row: how far the database is true to the chain';
COMMENT ON COLUMN api.chain_status.chain_id IS 'EIP-155 id of the chain';
COMMENT ON COLUMN api.chain_status.indexed_number IS 'The last indexed block; null: none yet';
COMMENT ON COLUMN api.chain_status.indexed_hash IS 'Its hash';
COMMENT ON COLUMN api.chain_status.indexed_at IS 'Its own time';
COMMENT ON COLUMN api.chain_status.final_number IS 'The last final block: what is in it, and below, stays';
COMMENT ON COLUMN api.chain_status.final_hash IS 'Its hash';
COMMENT ON COLUMN api.chain_status.lag_seconds IS 'How old the last indexed block is by the database''s clock';
COMMENT ON COLUMN api.chain_status.syncing IS 'Event tables that are not complete yet: what is made of them is not either';
COMMENT ON COLUMN api.chain_status.reorg_suspected IS 'Why the last blocks may be replaced; null: no doubt';
COMMENT ON COLUMN api.chain_status.last_change IS 'The cursor for api.changes that belongs to what is read in the same transaction';
COMMENT ON COLUMN api.chain_status.updated_at IS 'When the daemon last wrote, by the database''s clock';

GRANT USAGE ON SCHEMA api TO chainfirst_app, chainfirst_reader;
GRANT SELECT ON api.chain_status TO chainfirst_app, chainfirst_reader;
