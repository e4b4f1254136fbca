-- What somebody does besides: ask again for what ended badly, and change wallets.

-- An update that changes nothing, not only a lock: see platform_0003_campaigns.sql.
CREATE FUNCTION platform.hold(subject text, row_id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CASE subject
    WHEN 'user' THEN UPDATE platform.users x SET updated_at = x.updated_at WHERE x.id = row_id;
    WHEN 'company' THEN UPDATE platform.companies x SET updated_at = x.updated_at WHERE x.id = row_id;
    WHEN 'campaign' THEN UPDATE platform.campaigns x SET updated_at = x.updated_at WHERE x.id = row_id;
    WHEN 'investment' THEN UPDATE platform.investments x SET updated_at = x.updated_at WHERE x.id = row_id;
    ELSE
        RAISE EXCEPTION 'subject is %; allowed: user, company, campaign or investment', subject
            USING ERRCODE = 'invalid_parameter_value';
    END CASE;
END
$$;
COMMENT ON FUNCTION platform.hold(text, uuid) IS
    'Lock a row: what is asked for it as it is now must not come after what somebody who changes it meanwhile asks';

CREATE FUNCTION platform.ask_again(subject text, row_id uuid) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    r platform.requests;
    wanted record;
    reasons text[] := '{}';
    asked boolean := false;
BEGIN
    PERFORM platform.check_may('requests', 'outcome', 'admin', 'compliance_officer');
    PERFORM platform.hold(subject, row_id);
    FOR r IN
        SELECT x.* FROM platform.requests x
        WHERE x.subject = subject AND x.row_id = row_id AND x.outcome IS DISTINCT FROM 'confirmed'
        ORDER BY x.asked_at
    LOOP
        IF r.outcome IS NULL THEN
            reasons := reasons || format('%s goes on', r.key);
        ELSIF EXISTS (SELECT FROM platform.requests n WHERE n.target = r.target AND n.asked_at > r.asked_at) THEN
            CONTINUE;  -- superseded
        ELSE
            SELECT * INTO wanted FROM platform.wish(r.row_id, r.purpose);
            IF r.purpose = 'verify' AND coalesce(wanted.target, '') <> r.target THEN
                -- the user left that wallet while it said so
                r.purpose := 'retire:' || split_part(r.target, ':', 2);
                SELECT * INTO wanted FROM platform.wish(r.row_id, r.purpose);
            END IF;
            IF r.purpose = 'record' AND starts_with(r.error, 'imported: on chain') THEN
                wanted.why_not := r.error;  -- the money would be there twice
            END IF;
            IF wanted.why_not IS NOT NULL THEN
                reasons := reasons || format('%s is %s, and %s', r.key, r.outcome, wanted.why_not);
            ELSE
                -- a year may have begun with another campaign
                PERFORM platform.check_launch(c) FROM platform.campaigns c WHERE c.id = r.row_id AND r.purpose = 'create';
                RETURN NEXT platform.ask(r.subject, r.row_id, r.purpose, r.revision);
                asked := true;
            END IF;
        END IF;
    END LOOP;
    IF NOT asked THEN
        RAISE EXCEPTION 'nothing of the % % is to be asked again: %', subject, row_id,
            coalesce(nullif(array_to_string(reasons, '; '), ''), 'nothing of it ended badly')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;
COMMENT ON FUNCTION platform.ask_again(text, uuid) IS
    'Ask again for what failed, or was rejected, cancelled or expired, as the row is now. The keys that were asked';

CREATE FUNCTION platform.change_wallet(subject text, row_id uuid, wallet text) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM platform.check_may(CASE subject WHEN 'company' THEN 'companies' ELSE 'users' END, 'wallet', 'admin',
        'compliance_officer');
    IF subject = 'user' THEN
        RETURN QUERY SELECT platform.change_user_wallet(row_id, wallet);
    ELSIF subject = 'company' THEN
        RETURN QUERY SELECT platform.change_company_wallet(row_id, wallet);
    ELSE
        RAISE EXCEPTION 'subject is %; allowed: user or company', subject USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;
COMMENT ON FUNCTION platform.change_wallet(text, uuid, text) IS
    'Give a user or a company another wallet, here and on chain; a user''s certificates go with it. The keys of what is under way';

CREATE FUNCTION platform.change_company_wallet(of uuid, new_wallet text) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c platform.companies;
    r platform.requests;
    registering boolean := false;
BEGIN
    UPDATE platform.companies x SET wallet = new_wallet WHERE x.id = of RETURNING * INTO c;
    IF c.id IS NULL THEN
        RAISE EXCEPTION 'there is no company %', of USING ERRCODE = 'no_data_found';
    END IF;
    FOR r IN SELECT f.* FROM platform.in_flight(of) f WHERE f.purpose IN ('register', 'replace') LOOP
        PERFORM platform.drop_wallet(r.key);
        registering := registering OR r.purpose = 'register';
    END LOOP;
    IF registering THEN
        PERFORM platform.ask('company', of, 'register', c.revision);
    ELSIF c.wallet <> (SELECT l.issuer FROM ledger.issuers l WHERE l.company_id = platform.chain_id(of)
        ORDER BY l.registered_block DESC LIMIT 1)
    THEN
        PERFORM platform.ask('company', of, 'replace', c.revision);
    ELSE
        PERFORM platform.renew(of);
    END IF;
    RETURN QUERY SELECT f.key FROM platform.in_flight(of) f ORDER BY f.asked_at;
END
$$;
COMMENT ON FUNCTION platform.change_company_wallet(uuid, text) IS 'As change_wallet, of a company';

CREATE FUNCTION platform.change_user_wallet(of uuid, new_wallet text) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_wallet text;
    u platform.users;
    token numeric;
    left_behind integer;
BEGIN
    SELECT x.wallet INTO old_wallet FROM platform.users x WHERE x.id = of FOR NO KEY UPDATE;
    UPDATE platform.users x SET wallet = new_wallet WHERE x.id = of RETURNING * INTO u;
    IF u.id IS NULL THEN
        RAISE EXCEPTION 'there is no user %', of USING ERRCODE = 'no_data_found';
    END IF;
    -- what isn't paid yet goes along; the guard says where to
    -- one that came by a transaction of the investor's own stays pending, and stays with the wallet that sent it
    UPDATE platform.investments i SET wallet = u.wallet WHERE i.investor = of AND i.status = 'pending'
        AND NOT EXISTS (SELECT FROM ledger.investments l WHERE l.investment_id = i.chain_id);
    FOR token IN
        -- what the former wallet has, what is on its way there, and what was minted since for investments made with it
        SELECT l.token_id FROM ledger.certificates l WHERE l.owner = old_wallet AND l.owner <> u.wallet AND NOT l.revoked
        UNION
        SELECT split_part(r.purpose, ':', 2)::numeric FROM platform.requests r
        CROSS JOIN LATERAL intent.latest(r.key) i
        WHERE r.row_id = of AND r.purpose LIKE 'transfer:%' AND r.outcome IS NULL AND i.payload ->> 'to' <> u.wallet
        UNION
        SELECT l.token_id
        FROM platform.investments i
        JOIN event.share_certificate_certificate_minted m ON m.investment_id = i.chain_id
        JOIN ledger.certificates l ON (l.address, l.token_id) = (m.address, m.token_id)
        WHERE i.investor = of AND l.owner = i.wallet AND l.owner <> u.wallet AND NOT l.revoked
        ORDER BY 1
    LOOP
        IF (SELECT w.why_not FROM platform.wish(of, 'transfer:' || token) w) IS NULL THEN
            PERFORM platform.ask('user', of, 'transfer:' || token, u.revision);
        ELSE
            PERFORM platform.supersede('certificate:' || token, 'its sale');
        END IF;
    END LOOP;
    SELECT count(*) INTO left_behind
    FROM platform.investments i JOIN ledger.campaigns l ON l.campaign_id = platform.chain_id(i.campaign)
    WHERE i.investor = of AND i.status = 'paid' AND i.wallet <> u.wallet AND l.status = 'active';
    IF left_behind > 0 THEN
        RAISE NOTICE '% investments in running campaigns stay with the wallet that made them: refunds go there', left_behind
            USING HINT = 'Certificates minted for them later are moved by calling platform.change_wallet again.';
    END IF;
    RETURN QUERY SELECT r.key FROM platform.requests r WHERE r.row_id = of AND r.outcome IS NULL ORDER BY r.asked_at;
END
$$;
COMMENT ON FUNCTION platform.change_user_wallet(uuid, text) IS 'As change_wallet, of a user';

REVOKE ALL ON FUNCTION
    platform.hold(text, uuid), platform.ask_again(text, uuid), platform.change_wallet(text, uuid, text),
    platform.change_company_wallet(uuid, text), platform.change_user_wallet(uuid, text)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION platform.ask_again(text, uuid), platform.change_wallet(text, uuid, text) TO chainfirst_app;
