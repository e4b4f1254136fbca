-- What happened, for eyes and for programs; and how to wait for it.

-- Each branch is one table in the order of its primary key: they are merged, and read no further than is asked for.
CREATE VIEW api.activity AS
SELECT
    u.block_time AS at, u.kind,
    format(
        CASE u.kind
            WHEN 'issuer_registered' THEN '%1$s was registered, with the wallet %3$s'
            WHEN 'issuer_replaced' THEN '%1$s changed its wallet from %4$s to %3$s'
            WHEN 'issuer_document_updated' THEN '%1$s has a new profile: %7$s'
            WHEN 'issuer_suspended' THEN '%1$s was suspended'
            WHEN 'issuer_reinstated' THEN '%1$s was reinstated'
            WHEN 'investor_verified' THEN '%3$s may invest'
            WHEN 'investor_unverified' THEN '%3$s may not invest any more'
            WHEN 'campaign_created' THEN '%2$s began: it wants to raise %5$s ETB'
            WHEN 'campaign_paused' THEN '%2$s was paused'
            WHEN 'campaign_unpaused' THEN '%2$s goes on'
            WHEN 'invested' THEN '%3$s invested %5$s ETB in %2$s'
            WHEN 'campaign_successful' THEN '%2$s was successful: %5$s ETB were raised'
            WHEN 'campaign_failed' THEN '%2$s failed: %5$s ETB were raised'
            WHEN 'campaign_cancelled' THEN '%2$s was cancelled, with %5$s ETB raised: %7$s'
            WHEN 'funds_released' THEN '%2$s: %5$s ETB were paid to the company''s wallet %3$s'
            WHEN 'refunded' THEN '%2$s: %5$s ETB were paid back to %3$s'
            WHEN 'fee_withdrawn' THEN '%2$s: the fee of %5$s ETB was paid to %3$s'
            WHEN 'swept' THEN '%2$s: %5$s ETB sent there by mistake went to %3$s'
            WHEN 'certificate_minted' THEN 'certificate %6$s was made for %3$s: %5$s ETB in %2$s'
            WHEN 'certificate_transferred' THEN 'certificate %6$s of %2$s went from %4$s to %3$s'
            WHEN 'certificate_revoked' THEN 'certificate %6$s of %2$s, which %3$s had, was revoked: %7$s'
        END,
        coalesce((SELECT p.name FROM platform.companies p WHERE p.id = u.company), 'company ' || u.company),
        coalesce((SELECT p.title FROM platform.campaigns p WHERE p.id = u.campaign), 'campaign ' || u.campaign),
        u.wallet, u.other, (u.units * 0.01)::numeric(80, 2), u.token_id, u.detail
    ) AS what,
    u.campaign, u.company, u.token_id, u.wallet, (u.units * 0.01)::numeric(80, 2) AS amount,
    u.contract AS smart_contract_address, u.tx_hash, u.block_number, u.tx_index, u.log_index,
    coalesce(u.block_number <= (SELECT k.final_number FROM chain.cursor k), false) AS is_final
FROM (
    SELECT
        a.*,
        CASE
            WHEN a.token_id IS NULL THEN
                (SELECT platform.uuid_of(c.campaign_id) FROM ledger.campaigns c WHERE c.address = a.contract)
            ELSE (
                SELECT platform.uuid_of(c.campaign_id) FROM ledger.certificates c
                WHERE c.address = a.contract AND c.token_id = a.token_id
            )
        END AS campaign,
        platform.uuid_of(a.company_id) AS company
    FROM (
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'issuer_registered' AS kind, e.address AS contract, e.company_id, NULL::numeric AS token_id, e.issuer AS wallet,
            NULL::text AS other, NULL::numeric AS units, NULL::text AS detail
        FROM event.issuer_registry_issuer_registered e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'issuer_replaced', e.address, e.company_id, NULL, e.new_issuer, e.old_issuer, NULL, NULL
        FROM event.issuer_registry_issuer_replaced e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'issuer_document_updated', e.address, e.company_id, NULL, e.issuer, NULL, NULL, e.document_uri
        FROM event.issuer_registry_issuer_document_updated e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            CASE WHEN e.active THEN 'issuer_reinstated' ELSE 'issuer_suspended' END,
            e.address, e.company_id, NULL, e.issuer, NULL, NULL, NULL
        FROM event.issuer_registry_issuer_status_changed e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            CASE WHEN e.verified THEN 'investor_verified' ELSE 'investor_unverified' END,
            e.address, NULL, NULL, e.investor, NULL, NULL, NULL
        FROM event.issuer_registry_investor_status_changed e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'campaign_created', e.campaign, NULL, NULL, e.issuer, NULL, (e.terms ->> 'fundingGoal')::numeric, NULL
        FROM event.campaign_factory_campaign_created e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'campaign_paused', e.address, NULL, NULL, NULL, NULL, NULL, NULL
        FROM event.campaign_paused e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'campaign_unpaused', e.address, NULL, NULL, NULL, NULL, NULL, NULL
        FROM event.campaign_unpaused e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'invested', e.address, NULL, NULL, e.investor, NULL, e.amount, NULL
        FROM event.campaign_investment_recorded e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            CASE e.status WHEN 1 THEN 'campaign_successful' ELSE 'campaign_failed' END,
            e.address, NULL, NULL, NULL, NULL, e.total_raised, NULL
        FROM event.campaign_campaign_finalized e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'campaign_cancelled', e.address, NULL, NULL, NULL, NULL, e.total_raised, e.reason
        FROM event.campaign_campaign_cancelled e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'funds_released', e.address, NULL, NULL, e.issuer, NULL, e.amount, NULL
        FROM event.campaign_funds_released e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'refunded', e.address, NULL, NULL, e.investor, NULL, e.amount, NULL
        FROM event.campaign_investor_refunded e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'fee_withdrawn', e.address, NULL, NULL, e.fee_recipient, NULL, e.amount, NULL
        FROM event.campaign_fee_withdrawn e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'swept', e.address, NULL, NULL, e.treasury, NULL, e.amount, NULL
        FROM event.campaign_swept e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'certificate_minted', e.address, NULL, e.token_id, e.owner, NULL, e.amount, NULL
        FROM event.share_certificate_certificate_minted e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'certificate_transferred', e.address, NULL, e.token_id, e."to", e."from", NULL, NULL
        FROM event.share_certificate_certificate_transferred e
        UNION ALL
        SELECT e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash,
            'certificate_revoked', e.address, NULL, e.token_id, e.owner, NULL, NULL, e.reason
        FROM event.share_certificate_certificate_revoked e
    ) a
) u
ORDER BY u.block_number DESC, u.tx_index DESC, u.log_index DESC;
COMMENT ON VIEW api.activity IS 'Everything that happened on the chain, newest first';
COMMENT ON COLUMN api.activity.at IS 'The block''s time';
COMMENT ON COLUMN api.activity.kind IS 'What happened, for programs';
COMMENT ON COLUMN api.activity.what IS 'What happened, for readers: names and reasons are somebody''s own text';
COMMENT ON COLUMN api.activity.campaign IS 'The campaign; null: of none';
COMMENT ON COLUMN api.activity.company IS 'The company, of what happens to a company itself';
COMMENT ON COLUMN api.activity.token_id IS 'The certificate''s number; null: of none';
COMMENT ON COLUMN api.activity.wallet IS 'Whose account is concerned; null: nobody''s';
COMMENT ON COLUMN api.activity.amount IS 'Birr; null: none';
COMMENT ON COLUMN api.activity.smart_contract_address IS 'The campaign''s contract, or the one that said it';
COMMENT ON COLUMN api.activity.tx_hash IS 'The transaction';
COMMENT ON COLUMN api.activity.block_number IS 'Its block';
COMMENT ON COLUMN api.activity.tx_index IS 'Its position there';
COMMENT ON COLUMN api.activity.log_index IS 'The position of the event: with the two before, the order, and the cursor for the next page';
COMMENT ON COLUMN api.activity.is_final IS 'Whether that block is final';
GRANT SELECT ON api.activity TO chainfirst_app, chainfirst_reader;

-- What is pruned of the changes, for those who come too late.
CREATE TABLE chain.pruned (
    id boolean PRIMARY KEY DEFAULT true CONSTRAINT pruned_one_row CHECK (id),
    seq bigint NOT NULL
);
COMMENT ON TABLE chain.pruned IS 'One row: which changes are no longer kept';
COMMENT ON COLUMN chain.pruned.id IS 'Always true: there is one row';
COMMENT ON COLUMN chain.pruned.seq IS 'Changes up to this one are gone; 0: none';
INSERT INTO chain.pruned (seq)
SELECT coalesce(min(seq) - 1, pg_sequence_last_value('chain.changes_seq_seq'), 0) FROM chain.changes;

CREATE FUNCTION chain.note_pruned() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE chain.pruned p SET seq = g.seq FROM (SELECT max(o.seq) AS seq FROM gone o) g WHERE g.seq > p.seq;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION chain.note_pruned() IS 'Notes in chain.pruned which changes are deleted';
CREATE TRIGGER note_pruned AFTER DELETE ON chain.changes REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION chain.note_pruned();

CREATE FUNCTION chain.tell_block() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c record;
    said jsonb;
BEGIN
    FOR c IN SELECT m.* FROM made m ORDER BY m.seq LOOP
        said := jsonb_build_object(
            'seq', c.seq, 'kind', c.kind, 'from_block', c.from_block, 'to_block', c.to_block, 'tables', (
                SELECT coalesce(jsonb_agg(t.name ORDER BY t.name), '[]')
                FROM (SELECT jsonb_object_keys(c.added) UNION SELECT jsonb_object_keys(c.removed)) t (name)
            )
        );
        -- PostgreSQL takes less than 8000 bytes
        IF octet_length(said::text) >= 8000 THEN
            said := said || '{"tables": null}';
        END IF;
        PERFORM pg_notify('chainfirst_block', said::text);
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION chain.tell_block() IS
    'Tells those who LISTEN to chainfirst_block which blocks came or went, and which tables they touched';
CREATE TRIGGER tell_block AFTER INSERT ON chain.changes REFERENCING NEW TABLE AS made
FOR EACH STATEMENT EXECUTE FUNCTION chain.tell_block();

CREATE FUNCTION api.changes(since bigint, at_most integer DEFAULT 1000)
RETURNS TABLE (
    seq bigint, kind text, from_block bigint, to_block bigint, table_name text, added bigint, removed bigint, at timestamptz
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone bigint := (SELECT p.seq FROM chain.pruned p);
    newest bigint := greatest(gone, (SELECT max(c.seq) FROM chain.changes c));
BEGIN
    IF since IS NULL OR at_most IS NULL THEN
        RAISE EXCEPTION 'the cursor and the number of changes can''t be null' USING ERRCODE = 'null_value_not_allowed';
    ELSIF since < gone THEN
        RAISE EXCEPTION 'the cursor % is too old: changes up to % are not kept any more', since, gone
            USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Read the tables anew, and api.chain_status in the same snapshot: its last_change is the cursor then.';
    ELSIF since > newest THEN
        RAISE EXCEPTION 'the cursor % is ahead: the newest change is %', since, newest
            USING ERRCODE = 'invalid_parameter_value',
            HINT = 'It is another database''s, or this one was restored: read the tables anew, and api.chain_status.';
    END IF;
    RETURN QUERY
    SELECT c.seq, c.kind, c.from_block, c.to_block, t.name, coalesce(c.added ->> t.name, '0')::bigint,
        coalesce(c.removed ->> t.name, '0')::bigint, c.at
    FROM (SELECT h.* FROM chain.changes h WHERE h.seq > since ORDER BY h.seq LIMIT at_most) c
    LEFT JOIN LATERAL (
        SELECT jsonb_object_keys(c.added) UNION SELECT jsonb_object_keys(c.removed)
    ) t (name) ON true
    ORDER BY c.seq, t.name;
END
$$;
COMMENT ON FUNCTION api.changes(bigint, integer) IS
    'What came and went since a cursor: a row for each change and event table; one without a table if it touched none';

-- Neither SECURITY DEFINER nor SET: with either it couldn't commit, and it must: so it sees what others write whatever the
-- isolation level, and holds up no vacuum.
CREATE PROCEDURE api.wait(subject text, timeout interval DEFAULT '60 seconds', INOUT status text DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    until timestamptz := clock_timestamp() + timeout;
    wanted uuid := CASE WHEN subject ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN subject::uuid END;
    asked text;
BEGIN
    LOOP
        IF wanted IS NOT NULL THEN
            SELECT r.key, r.status INTO asked, status FROM platform.row_intents r WHERE r.row_id = wanted;
        ELSE
            SELECT i.key, intent.status_of(i.id) INTO asked, status FROM intent.intents i
            WHERE i.key = subject ORDER BY i.generation DESC LIMIT 1;
        END IF;
        IF asked IS NULL THEN
            RAISE EXCEPTION 'nothing was asked of the chain for %', subject USING ERRCODE = 'no_data_found',
                HINT = 'Give the id of a row of yours that is committed, or the key of an intent.';
        END IF;
        EXIT WHEN status IN ('confirmed', 'failed', 'rejected', 'cancelled', 'expired') OR clock_timestamp() >= until;
        COMMIT;
        PERFORM pg_sleep(0.1);
    END LOOP;
END
$$;
COMMENT ON PROCEDURE api.wait(text, interval, text) IS
    'CALL it outside a transaction: waits until what was last asked for a row (its id) or under a key has ended, or the time is over';

REVOKE ALL ON FUNCTION chain.note_pruned(), chain.tell_block(), api.changes(bigint, integer) FROM PUBLIC;
REVOKE ALL ON PROCEDURE api.wait(text, interval, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api.changes(bigint, integer) TO chainfirst_app, chainfirst_reader;
GRANT EXECUTE ON PROCEDURE api.wait(text, interval, text) TO chainfirst_app;

-- For logical replication: the ledger's tables. Its other relations are views of one event table each, which whoever
-- needs them adds (docs/feed.md).
CREATE PUBLICATION chainfirst_ledger FOR TABLE
    ledger.issuers, ledger.investors, ledger.campaigns, ledger.escrows, ledger.certificates, ledger.votes;
