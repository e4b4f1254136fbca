-- Steps of the workflow become intents, in the transaction of the app that takes them. A request names its intent by a key;
-- of once-kinds a row has one for ever, of the others one for each revision that asked.
--
-- Locks: whoever writes a row of platform.requests holds the intent of its key, or has just made it. Apps can't lock these
-- rows otherwise, and the indexer passes by what an app holds (settle.sql): so its transaction never waits for an app.

ALTER TABLE platform.requests ADD COLUMN target text;
CREATE INDEX requests_target ON platform.requests (target, asked_at) WHERE target IS NOT NULL;
COMMENT ON COLUMN platform.requests.target IS
    'What it sets on chain, which later requests set anew: a newer one takes an older one back. Null: what happens once';

CREATE FUNCTION intent.latest(wanted text) RETURNS intent.intents
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.* FROM intent.intents i WHERE i.key = wanted ORDER BY i.generation DESC LIMIT 1
$$;
COMMENT ON FUNCTION intent.latest(text) IS 'The latest generation of a key; null: there is none';

CREATE FUNCTION intent.place(kind text, payload jsonb, key text, depends_on text DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    held intent.intents;
    made uuid;
BEGIN
    IF depends_on IS NOT NULL AND NOT EXISTS (SELECT FROM intent.intents i WHERE i.key = depends_on) THEN
        RAISE EXCEPTION 'depends_on names %, and there is no intent with this key', depends_on
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    held := intent.latest(key);
    IF held.id IS NOT NULL AND (held.outcome IS NULL OR held.outcome = 'confirmed') THEN
        IF (held.kind, held.payload) <> (kind, payload) THEN
            RAISE EXCEPTION 'the intent % (%) is %, and wanted something else', held.id, key, intent.status_of(held.id)
                USING ERRCODE = 'unique_violation', HINT = 'Wait for its end, or take it back.';
        END IF;
        RETURN held.id;
    END IF;
    INSERT INTO intent.intents (kind, payload, key, generation, submitted_by, depends_on)
    VALUES (kind, payload, key, coalesce(held.generation, 0) + 1, intent.caller(), depends_on)
    RETURNING id INTO made;
    RETURN made;
END
$$;
COMMENT ON FUNCTION intent.place(text, jsonb, text, text) IS
    'Ask on a row''s behalf: no grant is needed, and what ended badly is asked anew, mended. Its id';

CREATE FUNCTION intent.take_back(wanted uuid, why text, only_unsigned boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held intent.intents := intent.found(wanted);
    begun boolean := EXISTS (SELECT FROM intent.transactions t WHERE t.intent = held.id AND t.foreign_hash IS NULL)
        OR EXISTS (SELECT FROM intent.settlements s WHERE s.intent = held.id);
BEGIN
    IF held.outcome IS NOT NULL OR begun AND only_unsigned THEN
        RETURN held.outcome IS NOT NULL;
    END IF;
    UPDATE intent.intents i SET
        cancel_requested_by = coalesce(i.cancel_requested_by, intent.caller()),
        cancel_requested_at = coalesce(i.cancel_requested_at, clock_timestamp()),
        outcome = CASE WHEN begun THEN NULL ELSE 'cancelled' END,
        error = CASE WHEN begun THEN i.error ELSE why END,
        ended_at = CASE WHEN begun THEN NULL ELSE clock_timestamp() END,
        waiting_reason = CASE WHEN begun THEN i.waiting_reason END,
        waiting_since = CASE WHEN begun THEN i.waiting_since END,
        alert = begun AND i.alert
    WHERE i.id = held.id;
    PERFORM pg_notify('intent_new', '');
    RETURN NOT begun;
END
$$;
COMMENT ON FUNCTION intent.take_back(uuid, text, boolean) IS
    'As intent.cancel, on a row''s behalf; only_unsigned leaves a signed one alone. Whether it has ended';

CREATE FUNCTION platform.units(birr numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT trunc(birr * 100)::text
$$;
COMMENT ON FUNCTION platform.units(numeric) IS 'Token units, as payloads have them: a text of digits';

CREATE FUNCTION platform.parent(of uuid, wanted text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.key FROM platform.requests r
    WHERE r.row_id = of AND r.purpose = wanted AND r.outcome IS DISTINCT FROM 'confirmed'
        AND EXISTS (SELECT FROM intent.intents i WHERE i.key = r.key)
    ORDER BY r.revision DESC LIMIT 1
$$;
COMMENT ON FUNCTION platform.parent(uuid, text) IS 'The key of a row''s latest request for this, if it was not confirmed yet';

CREATE FUNCTION platform.issuer(of uuid, OUT wallet text, OUT parent text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT c.wallet, r.key INTO wallet, parent
    FROM platform.requests r JOIN platform.companies c ON c.id = r.row_id
    WHERE r.row_id = of AND r.purpose = 'replace' AND r.outcome IS NULL;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT l.issuer INTO wallet FROM ledger.issuers l
    WHERE l.company_id = platform.chain_id(of) AND l.registered_block <= (SELECT final_number FROM chain.cursor)
    ORDER BY l.registered_block DESC LIMIT 1;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT c.wallet, platform.parent(of, 'register') INTO wallet, parent FROM platform.companies c WHERE c.id = of;
END
$$;
COMMENT ON FUNCTION platform.issuer(uuid) IS
    'The wallet under which a company is called on chain, and the key of what must be confirmed before; null: nothing';

CREATE FUNCTION platform.had_wallet(of uuid, wallet text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (SELECT FROM platform.users u WHERE u.wallet = had_wallet.wallet AND u.id <> of) AND EXISTS (
        SELECT FROM platform.audit a
        -- of an insert the value itself, of an update those before and after
        WHERE a.row_id = of AND a.table_name = 'users' AND a.changes -> 'wallet' @> to_jsonb(had_wallet.wallet)
    )
$$;
COMMENT ON FUNCTION platform.had_wallet(uuid, text) IS 'Whether a wallet is or was a user''s, and is nobody else''s now';

-- What a row wants of the chain for a purpose, as the row is now.
CREATE FUNCTION platform.wish(
    of uuid, purpose text, OUT kind text, OUT payload jsonb, OUT depends_on text, OUT target text, OUT why_not text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    what text := split_part(purpose, ':', 1);
    detail text := split_part(purpose, ':', 2);
    u platform.users;
    c platform.companies;
    p platform.campaigns;
    i platform.investments;
    place record;
BEGIN
    IF what IN ('verify', 'retire', 'transfer') THEN
        SELECT x.* INTO u FROM platform.users x WHERE x.id = of;
    ELSIF what IN ('register', 'active', 'document', 'replace') THEN
        SELECT x.* INTO c FROM platform.companies x WHERE x.id = of;
    ELSIF what IN ('create', 'cancel') THEN
        SELECT x.* INTO p FROM platform.campaigns x WHERE x.id = of;
        SELECT x.* INTO c FROM platform.companies x WHERE x.id = p.company;
    ELSE
        SELECT x.* INTO i FROM platform.investments x WHERE x.id = of;
    END IF;
    IF what IN ('active', 'document', 'create') THEN
        SELECT * INTO place FROM platform.issuer(c.id);
        depends_on := place.parent;
    END IF;
    CASE what
    WHEN 'verify' THEN
        kind := 'investor.set_verified';
        target := 'investor:' || u.wallet;
        payload := jsonb_build_object('investor', u.wallet, 'verified', platform.may_invest(u));
        why_not := CASE WHEN u.wallet IS NULL THEN 'the user has no wallet' END;
    WHEN 'retire' THEN
        kind := 'investor.set_verified';
        target := 'investor:' || detail;
        payload := jsonb_build_object('investor', detail, 'verified', false);
        why_not := (
            SELECT 'the wallet is that of the user ' || x.id FROM platform.users x
            WHERE x.wallet = detail AND platform.may_invest(x)
        );
    WHEN 'transfer' THEN
        kind := 'certificate.transfer';
        target := 'certificate:' || detail;
        payload := jsonb_build_object('token_id', detail, 'to', u.wallet, 'reason', 'The owner has another wallet');
        why_not := CASE
            WHEN u.wallet IS NULL THEN 'the user has no wallet'
            WHEN EXISTS (
                SELECT FROM ledger.certificates l WHERE l.token_id = detail::numeric AND l.revoked
            ) THEN 'the certificate is revoked'
            -- the registrar could take it from anybody
            ELSE (
                SELECT 'the certificate is in the wallet ' || l.owner || ', which is not the user''s'
                FROM ledger.certificates l
                WHERE l.token_id = detail::numeric AND NOT platform.had_wallet(of, l.owner) LIMIT 1
            )
        END;
    WHEN 'register' THEN
        kind := 'issuer.register';
        payload := jsonb_build_object('company', c.id, 'wallet', c.wallet, 'credential_hash', c.credential_hash,
            'document_uri', c.document_uri, 'name', c.name);
        why_not := CASE
            WHEN NOT c.verified THEN 'the company is not verified'
            WHEN platform.registration(of) IN ('active', 'suspended') THEN 'the company is registered'
        END;
    WHEN 'active' THEN
        kind := 'issuer.set_active';
        target := 'active:' || c.id;
        payload := jsonb_build_object('wallet', place.wallet, 'active', c.verified);
        why_not := CASE platform.registration(of)
            WHEN 'none' THEN 'the company is not registered'
            WHEN 'asked' THEN CASE WHEN c.verified THEN 'the company will be active as soon as it is registered' END
        END;
    WHEN 'document' THEN
        kind := 'issuer.update_document';
        target := 'document:' || c.id;
        payload := jsonb_build_object('wallet', place.wallet, 'document_uri', c.document_uri);
        why_not := CASE
            WHEN platform.registration(of) = 'none' THEN 'the company is not registered'
            WHEN NOT c.verified THEN 'the company is not verified'
        END;
    WHEN 'replace' THEN
        kind := 'issuer.replace';
        target := 'wallet:' || c.id;
        payload := jsonb_build_object('company', c.id, 'wallet', c.wallet);
        why_not := (
            SELECT 'the chain has that wallet already' FROM ledger.issuers l
            WHERE l.company_id = platform.chain_id(of) AND l.issuer = c.wallet
        );
    WHEN 'create' THEN
        kind := 'campaign.create';
        payload := jsonb_build_object(
            'campaign', p.id, 'issuer', place.wallet, 'funding_goal', platform.units(p.goal),
            'min_investment', platform.units(p.min_investment),
            'max_investment', platform.units(coalesce(p.max_investment, 0)),
            'duration_seconds', p.duration_days * 86400, 'grace_seconds', p.grace_days * 86400,
            'success_threshold_bps', p.threshold_bps, 'document_uri', p.document_uri, 'title', p.title
        );
        why_not := CASE
            WHEN p.status <> 'approved' THEN 'the campaign is ' || p.status
            WHEN p.cancelled_at IS NOT NULL THEN 'the campaign is cancelled'
        END;
    WHEN 'cancel' THEN
        kind := 'campaign.cancel';
        depends_on := platform.campaign_parent(p.id);
        payload := jsonb_build_object('campaign', p.id, 'reason', p.cancel_reason);
        why_not := CASE WHEN p.cancelled_at IS NULL THEN 'the campaign is not cancelled' END;
    WHEN 'record' THEN
        kind := 'campaign.record_investment';
        depends_on := platform.campaign_parent(i.campaign);
        payload := jsonb_build_object('campaign', i.campaign, 'investment', i.id, 'investor', i.wallet,
            'amount', platform.units(i.amount), 'payment_reference', i.payment_reference);
        why_not := CASE
            WHEN i.status <> 'paid' THEN 'the investment is ' || i.status
            WHEN i.payment_method = 'token' THEN 'the investor pays by a transaction of his own'
        END;
    END CASE;
END
$$;
COMMENT ON FUNCTION platform.wish(uuid, text) IS 'The intent that a row wants for a purpose, as the row is now; or why it wants none';

CREATE FUNCTION platform.may_invest(u platform.users) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.role = 'investor' AND u.active AND u.kyc_status = 'verified' AND u.wallet IS NOT NULL
$$;
COMMENT ON FUNCTION platform.may_invest(platform.users) IS 'Whether the user''s wallet is to be verified on chain';

CREATE FUNCTION platform.campaign_parent(of uuid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN NOT EXISTS (
            SELECT FROM ledger.campaigns l
            WHERE l.campaign_id = platform.chain_id(of) AND l.created_block <= (SELECT final_number FROM chain.cursor)
        ) THEN platform.parent(of, 'create')
    END
$$;
COMMENT ON FUNCTION platform.campaign_parent(uuid) IS 'The key of the request that creates the campaign; null: it is there, or nobody asked';

-- intents before requests: see above
CREATE FUNCTION platform.supersede(what text, by_key text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    older uuid;
BEGIN
    -- a signed one too: its nonce may be lost, and it would be signed anew, after the newer one
    FOR older IN
        SELECT (intent.latest(r.key)).id FROM platform.requests r
        WHERE r.target = what AND r.key <> by_key AND r.outcome IS NULL
        ORDER BY 1
    LOOP
        PERFORM intent.take_back(older, 'superseded by ' || by_key, false);
    END LOOP;
END
$$;
COMMENT ON FUNCTION platform.supersede(text, text) IS 'Take back what is open for the same target';

CREATE FUNCTION platform.ask(subject text, of uuid, purpose text, revision integer) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    wanted record;
    key text := format('%s:%s:%s:%s', subject, of, purpose, revision);
BEGIN
    SELECT * INTO wanted FROM platform.wish(of, purpose);
    IF wanted.why_not IS NOT NULL THEN
        RAISE EXCEPTION 'nothing to ask for %: %', key, wanted.why_not USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF wanted.target IS NULL THEN
        key := coalesce((SELECT r.key FROM platform.requests r WHERE r.row_id = of AND r.purpose = purpose), key);
    ELSE
        PERFORM platform.supersede(wanted.target, key);
    END IF;
    PERFORM intent.place(wanted.kind, jsonb_strip_nulls(wanted.payload), key, wanted.depends_on);
    INSERT INTO platform.requests (key, subject, row_id, purpose, revision, target)
    VALUES (key, subject, of, purpose, revision, wanted.target)
    ON CONFLICT ON CONSTRAINT requests_pkey DO NOTHING;
    IF purpose IN ('register', 'replace') THEN
        PERFORM platform.renew(of);
    END IF;
    RETURN key;
END
$$;
COMMENT ON FUNCTION platform.ask(text, uuid, text, integer) IS 'Ask for what a row wants for a purpose. The key';

CREATE FUNCTION platform.in_flight(company uuid) RETURNS SETOF platform.requests
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.* FROM platform.requests r WHERE r.row_id = company AND r.outcome IS NULL
    UNION ALL
    SELECT r.* FROM platform.campaigns c JOIN platform.requests r ON r.row_id = c.id
    WHERE c.company = company AND r.purpose = 'create' AND r.outcome IS NULL
$$;
COMMENT ON FUNCTION platform.in_flight(uuid) IS 'Open requests that name a company''s wallet';

CREATE FUNCTION platform.drop_wallet(key text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held uuid := (intent.latest(key)).id;
BEGIN
    IF NOT intent.take_back(held, 'the company has another wallet', true) THEN
        RAISE EXCEPTION '% is under way (%), and names the company''s wallet', key, intent.status_of(held)
            USING ERRCODE = 'object_in_use', HINT = 'Wait for its end, then change the wallet.';
    END IF;
END
$$;
COMMENT ON FUNCTION platform.drop_wallet(text) IS 'Take back what names a company''s former wallet; an error if it is signed';

-- A former wallet may be another company's: nothing must be done in its name.
CREATE FUNCTION platform.renew(company uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r platform.requests;
    wanted record;
    held intent.intents;
BEGIN
    FOR r IN
        SELECT f.* FROM platform.in_flight(company) f WHERE f.purpose NOT IN ('register', 'replace') ORDER BY f.asked_at
    LOOP
        SELECT * INTO wanted FROM platform.wish(r.row_id, r.purpose);
        held := intent.latest(r.key);
        IF (held.payload, held.depends_on) IS DISTINCT FROM (jsonb_strip_nulls(wanted.payload), wanted.depends_on) THEN
            PERFORM platform.drop_wallet(r.key);
            IF wanted.why_not IS NULL THEN
                PERFORM platform.ask(r.subject, r.row_id, r.purpose, r.revision);
            END IF;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION platform.renew(uuid) IS 'Ask anew for what is open under a company''s former wallet';

CREATE FUNCTION platform.ask_for_user() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    had boolean := false;
    has boolean := platform.may_invest(NEW);
    moved boolean := false;
BEGIN
    IF platform.importing() THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        had := platform.may_invest(OLD);
        moved := NEW.wallet IS DISTINCT FROM OLD.wallet;
    END IF;
    IF had AND moved THEN
        PERFORM platform.ask('user', NEW.id, 'retire:' || OLD.wallet, NEW.revision);
    END IF;
    IF has AND (moved OR NOT had) OR had AND NOT has AND NOT moved THEN
        PERFORM platform.ask('user', NEW.id, 'verify', NEW.revision);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION platform.ask_for_user() IS 'Verified investors may invest on chain; others may not';
CREATE TRIGGER workflow AFTER INSERT OR UPDATE ON platform.users
FOR EACH ROW EXECUTE FUNCTION platform.ask_for_user();

CREATE FUNCTION platform.ask_for_company() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    was_verified boolean := TG_OP = 'UPDATE' AND OLD.verified;
    standing text;
BEGIN
    IF platform.importing() OR NOT (NEW.verified OR was_verified) OR TG_OP = 'UPDATE'
        AND (NEW.verified, NEW.document_uri, NEW.document_hash)
            IS NOT DISTINCT FROM (OLD.verified, OLD.document_uri, OLD.document_hash)
    THEN
        RETURN NULL;
    END IF;
    standing := platform.registration(NEW.id);
    IF standing = 'none' THEN
        IF NEW.verified AND NOT was_verified THEN
            PERFORM platform.ask('company', NEW.id, 'register', NEW.revision);
        END IF;
        RETURN NULL;
    END IF;
    IF was_verified AND NEW.document_hash IS DISTINCT FROM OLD.document_hash AND NEW.document_uri = OLD.document_uri THEN
        RAISE EXCEPTION 'document_hash changed, and document_uri is % as before: on chain the document is known by its URI alone',
            NEW.document_uri USING ERRCODE = 'check_violation', SCHEMA = 'platform', TABLE = 'companies',
            COLUMN = 'document_hash', CONSTRAINT = 'companies_document_uri_changes',
            HINT = 'Publish another document under another URI.';
    END IF;
    IF was_verified AND NOT NEW.verified AND standing = 'asked' AND platform.take_back(
        NEW.id, 'register', 'the company''s verification was withdrawn'
    ) THEN
        RETURN NULL;
    END IF;
    IF NEW.verified AND NOT was_verified AND standing = 'asked' THEN
        PERFORM platform.supersede('active:' || NEW.id, 'its registration');
    ELSIF NEW.verified <> was_verified THEN
        PERFORM platform.ask('company', NEW.id, 'active', NEW.revision);
    END IF;
    IF NEW.verified AND NEW.document_uri <> platform.document_of(NEW.id) THEN
        PERFORM platform.ask('company', NEW.id, 'document', NEW.revision);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION platform.ask_for_company() IS
    'Verified companies are registered; their document follows; without verification they are suspended';

CREATE FUNCTION platform.document_of(of uuid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(
        (
            SELECT i.payload ->> 'document_uri' FROM platform.requests r CROSS JOIN LATERAL intent.latest(r.key) i
            WHERE r.row_id = of AND r.purpose IN ('document', 'register') AND r.outcome IS NULL
            ORDER BY i.id DESC LIMIT 1
        ), (
            SELECT l.document_uri FROM ledger.issuers l
            WHERE l.company_id = platform.chain_id(of) ORDER BY l.registered_block DESC LIMIT 1
        )
    )
$$;
COMMENT ON FUNCTION platform.document_of(uuid) IS 'The URI of a company''s document as it is or will be on chain';

CREATE FUNCTION platform.take_back(of uuid, wanted text, why text) RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((
        SELECT intent.take_back((intent.latest(r.key)).id, why, true) FROM platform.requests r
        WHERE r.row_id = of AND r.purpose = wanted AND r.outcome IS NULL
    ), false)
$$;
COMMENT ON FUNCTION platform.take_back(uuid, text, text) IS
    'Take back a row''s request if it is not signed. Whether it ended by that';

CREATE TRIGGER workflow AFTER INSERT OR UPDATE ON platform.companies
FOR EACH ROW EXECUTE FUNCTION platform.ask_for_company();

CREATE FUNCTION platform.ask_for_campaign() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    was_approved boolean := TG_OP = 'UPDATE' AND OLD.status = 'approved';
    created text;
BEGIN
    IF platform.importing() THEN
        RETURN NULL;
    END IF;
    IF NEW.status = 'approved' AND NOT was_approved THEN
        PERFORM platform.ask('campaign', NEW.id, 'create', NEW.revision);
    ELSIF TG_OP = 'UPDATE' AND NEW.cancelled_at IS NOT NULL AND OLD.cancelled_at IS NULL THEN
        IF platform.take_back(NEW.id, 'create', 'the campaign was called off') THEN
            RETURN NULL;
        END IF;
        SELECT coalesce(r.outcome, 'open') INTO created FROM platform.requests r
        WHERE r.row_id = NEW.id AND r.purpose = 'create';
        -- what was refused is not there: nothing is to be called off
        IF created IN ('open', 'confirmed')
            OR EXISTS (SELECT FROM ledger.campaigns l WHERE l.campaign_id = platform.chain_id(NEW.id))
        THEN
            PERFORM platform.ask('campaign', NEW.id, 'cancel', NEW.revision);
        END IF;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION platform.ask_for_campaign() IS 'Approved campaigns are created on chain; what is called off is cancelled there';
CREATE TRIGGER workflow AFTER INSERT OR UPDATE ON platform.campaigns
FOR EACH ROW EXECUTE FUNCTION platform.ask_for_campaign();

CREATE FUNCTION platform.ask_for_investment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.status = 'paid' AND NEW.payment_method <> 'token' AND NOT (TG_OP = 'UPDATE' AND OLD.status = 'paid')
        AND NOT platform.importing()
    THEN
        PERFORM platform.ask('investment', NEW.id, 'record', NEW.revision);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION platform.ask_for_investment() IS 'Money that came by bank is recorded on chain';
CREATE TRIGGER workflow AFTER INSERT OR UPDATE ON platform.investments
FOR EACH ROW EXECUTE FUNCTION platform.ask_for_investment();

-- How it ended. Whoever changes an intent holds it, and with it its request.
CREATE FUNCTION platform.note_outcome() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    child uuid;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.outcome IS NOT DISTINCT FROM NEW.outcome THEN
        -- the reason is found later, and whoever has the request now asks anew
        PERFORM FROM platform.requests r WHERE r.key = NEW.key FOR NO KEY UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    UPDATE platform.requests r SET outcome = NEW.outcome, error = CASE WHEN NEW.outcome IS NOT NULL THEN NEW.error END
    WHERE r.key = NEW.key
        AND NOT EXISTS (SELECT FROM intent.intents l WHERE l.key = NEW.key AND l.generation > NEW.generation);
    IF FOUND AND NEW.outcome <> 'confirmed' AND NEW.kind IN ('issuer.register', 'campaign.create') THEN
        -- what would change a company or campaign that didn't come to be
        FOR child IN
            SELECT i.id FROM intent.intents i
            WHERE i.depends_on = NEW.key AND i.outcome IS NULL
                AND i.kind IN ('issuer.set_active', 'issuer.update_document', 'campaign.cancel')
                AND EXISTS (SELECT FROM platform.requests r WHERE r.key = i.key)
            ORDER BY i.id FOR NO KEY UPDATE SKIP LOCKED
        LOOP
            PERFORM intent.take_back(child, format('needless: %s is %s', NEW.key, NEW.outcome), true);
        END LOOP;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION platform.note_outcome() IS 'Writes the end of an intent to the request that it serves';
CREATE TRIGGER requests_update AFTER UPDATE OF outcome, error ON intent.intents FOR EACH ROW
WHEN (
    (NEW.outcome, NEW.error) IS DISTINCT FROM (OLD.outcome, OLD.error) AND num_nonnulls(OLD.outcome, NEW.outcome) > 0
    AND NOT starts_with(NEW.key, 'rule:')
) EXECUTE FUNCTION platform.note_outcome();
CREATE TRIGGER requests_insert AFTER INSERT ON intent.intents FOR EACH ROW
WHEN (NOT starts_with(NEW.key, 'rule:')) EXECUTE FUNCTION platform.note_outcome();

-- A row's intent that was taken back, or superseded, is not to come to life again by intent.retry.
CREATE FUNCTION platform.guard_retry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r platform.requests;
    wanted record;
    problem text;
BEGIN
    SELECT x.* INTO r FROM platform.requests x WHERE x.key = NEW.key;
    IF r.key IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT * INTO wanted FROM platform.wish(r.row_id, r.purpose);
    problem := CASE
        WHEN EXISTS (SELECT FROM platform.requests n WHERE n.target = r.target AND n.asked_at > r.asked_at)
            THEN 'it was superseded'
        WHEN wanted.why_not IS NOT NULL THEN wanted.why_not
        WHEN (NEW.kind, NEW.payload) IS DISTINCT FROM (wanted.kind, jsonb_strip_nulls(wanted.payload))
            THEN 'the row wants something else now'
    END;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '% is not tried again: %', NEW.key, problem USING ERRCODE = 'invalid_parameter_value',
            HINT = format('Mend the row, then: SELECT platform.ask_again(%L, %L)', r.subject, r.row_id);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION platform.guard_retry() IS 'Refuses to try again for a row what the row does not want any more';
CREATE TRIGGER guard_retry BEFORE INSERT ON intent.intents FOR EACH ROW
WHEN (NEW.generation > 1 AND NOT starts_with(NEW.key, 'rule:'))
EXECUTE FUNCTION platform.guard_retry();

REVOKE ALL ON FUNCTION
    intent.latest(text), intent.place(text, jsonb, text, text), intent.take_back(uuid, text, boolean), platform.units(numeric),
    platform.parent(uuid, text), platform.issuer(uuid), platform.had_wallet(uuid, text), platform.wish(uuid, text),
    platform.may_invest(platform.users),
    platform.campaign_parent(uuid), platform.supersede(text, text), platform.ask(text, uuid, text, integer),
    platform.in_flight(uuid), platform.drop_wallet(text), platform.renew(uuid),
    platform.ask_for_user(), platform.ask_for_company(), platform.document_of(uuid), platform.take_back(uuid, text, text),
    platform.ask_for_campaign(), platform.ask_for_investment(), platform.note_outcome(),
    platform.guard_retry()
FROM PUBLIC;
