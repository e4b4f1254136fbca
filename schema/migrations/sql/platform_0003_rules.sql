-- Rules of the platform's records: how ids and wallets are spelled, which steps there are, what must hold.
-- An app sees an error's text, its COLUMN, its CONSTRAINT and, as HINT, what to do.
CREATE FUNCTION platform.refuse(table_name text, column_name text, rule text, problem text, remedy text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%: %', column_name, problem USING ERRCODE = 'check_violation', SCHEMA = 'platform',
        TABLE = coalesce(table_name, ''), COLUMN = column_name, HINT = remedy,
        CONSTRAINT = concat_ws('_', table_name, column_name, rule);
END
$$;
COMMENT ON FUNCTION platform.refuse(text, text, text, text, text) IS
    'Raises check_violation: which table, column and rule, what was found, what to do';

CREATE FUNCTION platform.chain_id(id uuid) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN '0x' || replace(id::text, '-', '') || repeat('0', 32);
COMMENT ON FUNCTION platform.chain_id(uuid) IS 'A row''s id on chain: the UUID''s 16 bytes, then zeros';

CREATE FUNCTION platform.keccak256(message bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- FIPS 202, 3.2: iota's constants; rho's distances along the path that pi takes; that path, lanes from 1 to 25
    constants CONSTANT bit(64)[] := '{
        x0000000000000001, x0000000000008082, x800000000000808a, x8000000080008000, x000000000000808b, x0000000080000001,
        x8000000080008081, x8000000000008009, x000000000000008a, x0000000000000088, x0000000080008009, x000000008000000a,
        x000000008000808b, x800000000000008b, x8000000000008089, x8000000000008003, x8000000000008002, x8000000000000080,
        x000000000000800a, x800000008000000a, x8000000080008081, x8000000000008080, x0000000080000001,
        x8000000080008008}';
    distances CONSTANT integer[] := '{1,3,6,10,15,21,28,36,45,55,2,14,27,41,56,8,25,43,62,18,39,61,20,44}';
    path CONSTANT integer[] := '{11,8,12,18,19,4,6,17,9,22,25,5,16,24,20,14,13,3,21,15,23,10,7,2}';
    rate CONSTANT integer := 136;
    -- Keccak's own padding, 01 and not SHA-3's 06; its last byte gets 80 besides
    padded bytea := message || '\x01' || decode(repeat('00', rate - 1 - length(message) % rate), 'hex');
    a bigint[] := array_fill(0::bigint, ARRAY[25]);
    c bigint[] := array_fill(0::bigint, ARRAY[5]);
    moved bigint;
    held bigint;
    n integer;
    digest bytea := decode(repeat('00', 32), 'hex');
BEGIN
    padded := set_byte(padded, length(padded) - 1, get_byte(padded, length(padded) - 1) | 128);
    FOR block IN 0 .. length(padded) / rate - 1 LOOP
        FOR lane IN 0 .. rate / 8 - 1 LOOP
            held := 0;
            FOR byte IN REVERSE 7 .. 0 LOOP
                held := held << 8 | get_byte(padded, block * rate + lane * 8 + byte);
            END LOOP;
            a[lane + 1] := a[lane + 1] # held;
        END LOOP;
        FOR round IN 1 .. 24 LOOP
            -- theta; rotating right shifts the sign in, which the mask takes out
            FOR x IN 1 .. 5 LOOP
                c[x] := a[x] # a[x + 5] # a[x + 10] # a[x + 15] # a[x + 20];
            END LOOP;
            FOR x IN 0 .. 4 LOOP
                held := c[(x + 1) % 5 + 1];
                held := c[(x + 4) % 5 + 1] # (held << 1 | (held >> 63 & 1));
                a[x + 1] := a[x + 1] # held;
                a[x + 6] := a[x + 6] # held;
                a[x + 11] := a[x + 11] # held;
                a[x + 16] := a[x + 16] # held;
                a[x + 21] := a[x + 21] # held;
            END LOOP;
            -- rho and pi
            moved := a[2];
            FOR step IN 1 .. 24 LOOP
                held := a[path[step]];
                n := distances[step];
                a[path[step]] := moved << n | (moved >> 64 - n & ~(-1::bigint << n));
                moved := held;
            END LOOP;
            -- chi
            FOR y IN 0 .. 4 LOOP
                n := y * 5;
                c := a[n + 1 : n + 5];
                FOR x IN 0 .. 4 LOOP
                    a[n + x + 1] := c[x + 1] # (~c[(x + 1) % 5 + 1] & c[(x + 2) % 5 + 1]);
                END LOOP;
            END LOOP;
            -- iota
            a[1] := a[1] # constants[round]::bigint;
        END LOOP;
    END LOOP;
    FOR byte IN 0 .. 31 LOOP
        digest := set_byte(digest, byte, (a[byte / 8 + 1] >> 8 * (byte % 8) & 255)::integer);
    END LOOP;
    RETURN digest;
END
$$;
COMMENT ON FUNCTION platform.keccak256(bytea) IS
    'Keccak-256 as Ethereum has it (Yellow Paper, appendix; FIPS 202 but for the padding)';

CREATE FUNCTION platform.checked_wallet(wallet text, column_name text DEFAULT 'wallet', table_name text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    digits text := substr(wallet, 3);
    hash text;
    spelled text;
BEGIN
    IF wallet !~ '^0x[0-9a-fA-F]{40}$' THEN
        PERFORM platform.refuse(table_name, column_name, 'shape', format('%L is no account', left(wallet, 80)),
            'An account is 0x and 40 hexadecimal digits, with no space around.');
    END IF;
    IF wallet ~ '^0x0{40}$' THEN
        PERFORM platform.refuse(table_name, column_name, 'zero', 'the zero address is nobody''s account',
            'Leave it out (null) as long as there is none.');
    END IF;
    IF digits ~ '[a-f]' AND digits ~ '[A-F]' THEN
        hash := encode(platform.keccak256(convert_to(lower(digits), 'UTF8')), 'hex');
        SELECT string_agg(CASE WHEN substr(hash, i, 1) ~ '[89a-f]' THEN upper(substr(digits, i, 1))
            ELSE lower(substr(digits, i, 1)) END, '' ORDER BY i)
        INTO spelled FROM generate_series(1, 40) i;
        IF spelled <> digits THEN
            PERFORM platform.refuse(table_name, column_name, 'checksum',
                format('%s has a wrong checksum (EIP-55): a digit may be mistyped', wallet),
                'Copy it again from the wallet. Capitals and small letters are the checksum; all small: none.');
        END IF;
    END IF;
    RETURN lower(wallet);
END
$$;
COMMENT ON FUNCTION platform.checked_wallet(text, text, text) IS
    'The account in lower case; an error that names the column if it is none, zero, or its checksum (EIP-55) is wrong';

-- Who acts. The setting is the app's own word, an aid against its mistakes: it could set another one.
CREATE FUNCTION platform.acting_user() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said text := nullif(current_setting('chainfirst.user', true), '');
BEGIN
    IF said !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
        RAISE EXCEPTION 'the setting chainfirst.user is %, no user''s id', quote_literal(left(said, 80))
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Set it to the UUID of the acting user, or to nothing.';
    END IF;
    RETURN said::uuid;
END
$$;
COMMENT ON FUNCTION platform.acting_user() IS
    'The user on whose behalf the app acts: the setting chainfirst.user; null: the app itself';

CREATE FUNCTION platform.acting_role() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN me.id IS NOT NULL THEN
        coalesce((SELECT u.role FROM platform.users u WHERE u.id = me.id AND u.active), 'nobody')
    END
    FROM (SELECT platform.acting_user() AS id) me
$$;
COMMENT ON FUNCTION platform.acting_role() IS
    'The acting user''s role; nobody: unknown or not active; null: the app itself, which may all';

CREATE FUNCTION platform.may(VARIADIC roles text[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(r.role = ANY (roles), true) FROM (SELECT platform.acting_role() AS role) r
$$;
COMMENT ON FUNCTION platform.may(text[]) IS 'Whether the acting user has one of these roles; the app itself may';

CREATE FUNCTION platform.check_may(table_name text, column_name text, VARIADIC roles text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT platform.may(VARIADIC roles) THEN
        RAISE EXCEPTION '%: the acting user''s role is %, and this takes %', column_name, platform.acting_role(),
            array_to_string(roles, ' or ')
            USING ERRCODE = 'insufficient_privilege', SCHEMA = 'platform', TABLE = table_name, COLUMN = column_name,
            HINT = 'Somebody else has to do it.';
    END IF;
END
$$;
COMMENT ON FUNCTION platform.check_may(text, text, text[]) IS 'An error if the acting user has none of these roles';

CREATE FUNCTION platform.importing() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT current_setting('chainfirst.import', true) = 'on' AND intent.caller() = 'chainfirst_owner'
$$;
COMMENT ON FUNCTION platform.importing() IS
    'Whether old records are moving in: the session acts as chainfirst_owner and chainfirst.import is on. Steps and rules are not asked for then';

CREATE FUNCTION platform.chain_time() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT b.time FROM chain.cursor c JOIN chain.blocks b ON b.number = c.indexed_number
$$;
COMMENT ON FUNCTION platform.chain_time() IS 'The time of the last indexed block; null: none';

-- Steps.
CREATE FUNCTION platform.check_step(table_name text, column_name text, was text, becomes text, steps jsonb)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    onward text := (SELECT string_agg(s, ' or ') FROM jsonb_array_elements_text(steps -> was) s);
BEGIN
    IF was IS DISTINCT FROM becomes AND NOT coalesce(steps -> was ? becomes, false) THEN
        PERFORM platform.refuse(table_name, column_name, 'step',
            format('what is %s can''t become %s', was, coalesce(left(becomes, 80), 'null')),
            CASE WHEN onward IS NULL THEN format('%s is an end: it stays so.', was)
                ELSE format('From %s it becomes %s.', was, onward) END);
    END IF;
END
$$;
COMMENT ON FUNCTION platform.check_step(text, text, text, text, jsonb) IS
    'An error unless a status may become another; steps: of each status, those that may follow';

CREATE FUNCTION platform.check_start(table_name text, column_name text, begins text, VARIADIC allowed text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF begins <> ALL (allowed) THEN
        PERFORM platform.refuse(table_name, column_name, 'start', format('a new row can''t be %s', left(begins, 80)),
            format('Insert it as %s, then update it.', array_to_string(allowed, ' or ')));
    END IF;
END
$$;
COMMENT ON FUNCTION platform.check_start(text, text, text, text[]) IS
    'An error unless a new row may begin with that status';

CREATE FUNCTION platform.keep() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.revision := 1;
        RETURN NEW;
    END IF;
    IF NEW.id IS DISTINCT FROM OLD.id THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'id', 'fixed', 'a row''s id never changes', 'Insert another row.');
    END IF;
    IF NEW.created_at IS DISTINCT FROM OLD.created_at THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'created_at', 'fixed', 'the time of an entry never changes', 'Leave it.');
    END IF;
    NEW.revision := OLD.revision;
    NEW.updated_at := OLD.updated_at;
    IF NEW IS DISTINCT FROM OLD THEN
        NEW.revision := OLD.revision + 1;
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION platform.keep() IS
    'Keeps id and created_at, counts revisions whatever a statement says of them; runs after the guards, by its name';

-- A trigger whose WHEN has found what is wrong: current_user there is who acts, and the owner inside its functions.
CREATE FUNCTION platform.refuse_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM platform.refuse(TG_TABLE_NAME, TG_ARGV[0], TG_ARGV[1], TG_ARGV[2], TG_ARGV[3]);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION platform.refuse_change() IS 'Refuses: its arguments are column, rule, what was found, what to do';

CREATE FUNCTION platform.guard_user() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    was platform.users := CASE TG_OP WHEN 'UPDATE' THEN OLD END;
BEGIN
    NEW.wallet := platform.checked_wallet(NEW.wallet, 'wallet', TG_TABLE_NAME);
    IF platform.importing() THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'INSERT' THEN
        PERFORM platform.check_start(TG_TABLE_NAME, 'kyc_status', NEW.kyc_status, 'unverified', 'pending');
    ELSE
        PERFORM platform.check_step(TG_TABLE_NAME, 'kyc_status', OLD.kyc_status, NEW.kyc_status, '{
            "unverified": ["pending"], "pending": ["verified", "rejected", "unverified"],
            "verified": ["expired", "rejected", "unverified"], "rejected": ["pending"], "expired": ["pending"]}');
        IF NEW.kyc_status IS DISTINCT FROM OLD.kyc_status AND NEW.kyc_status <> 'pending' THEN
            PERFORM platform.check_may(TG_TABLE_NAME, 'kyc_status', 'admin', 'compliance_officer');
        END IF;
        IF (NEW.kyc_level, NEW.aml_score) IS DISTINCT FROM (OLD.kyc_level, OLD.aml_score) THEN
            PERFORM platform.check_may(TG_TABLE_NAME, 'kyc_level', 'admin', 'compliance_officer');
        END IF;
        IF (NEW.role, NEW.active) IS DISTINCT FROM (OLD.role, OLD.active) THEN
            PERFORM platform.check_may(TG_TABLE_NAME, 'role', 'admin');
        END IF;
    END IF;
    IF NEW.role = 'admin' AND was.role IS DISTINCT FROM 'admin' THEN
        PERFORM platform.check_may(TG_TABLE_NAME, 'role', 'admin');
    END IF;
    -- the index's own error has the address in its DETAIL, and so in the server's log
    IF lower(NEW.email) IS DISTINCT FROM lower(was.email) AND EXISTS (
        SELECT FROM platform.users u WHERE lower(u.email) = lower(NEW.email) AND u.id <> NEW.id
    ) THEN
        RAISE EXCEPTION 'email: another user has it' USING ERRCODE = 'unique_violation', SCHEMA = 'platform',
            TABLE = TG_TABLE_NAME, COLUMN = 'email', CONSTRAINT = 'users_email', HINT = 'Give another one.';
    END IF;
    IF NEW.wallet IS DISTINCT FROM was.wallet AND EXISTS (
        SELECT FROM platform.investments i
        WHERE i.wallet = NEW.wallet AND i.investor <> NEW.id AND i.status <> 'failed'
    ) THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'wallet', 'left', format('another user has invested with %s', NEW.wallet),
            'Refunds and certificates of these investments go there: give another wallet.');
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION platform.guard_user() IS 'Which steps a user takes, and who takes them';

CREATE FUNCTION platform.guard_user_wallet() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- the first one replaces none
    IF OLD.wallet IS NOT NULL AND (
        OLD.kyc_status = 'verified'
        OR EXISTS (SELECT FROM platform.investments i WHERE i.investor = OLD.id AND i.status <> 'failed')
    ) THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'wallet', 'fixed', format('%s is verified, or has invested', OLD.wallet),
            'Call platform.change_wallet(''user'', id, new wallet): the chain has to learn of it.');
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION platform.guard_user_wallet() IS
    'A wallet that the chain knows changes by platform.change_wallet alone';

CREATE FUNCTION platform.registration(company uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(
        (SELECT CASE WHEN bool_or(i.active) THEN 'active' ELSE 'suspended' END
        FROM ledger.issuers i WHERE i.company_id = platform.chain_id(company) HAVING count(*) > 0),
        (SELECT 'asked' FROM platform.requests r WHERE r.row_id = company AND r.purpose = 'register'
            AND (r.outcome IS NULL OR r.outcome = 'confirmed') LIMIT 1),
        'none'
    )
$$;
COMMENT ON FUNCTION platform.registration(uuid) IS
    'How a company stands on chain: active, suspended, asked (for the first time), none';

CREATE FUNCTION platform.guard_company() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lacking text;
BEGIN
    NEW.wallet := platform.checked_wallet(NEW.wallet, 'wallet', TG_TABLE_NAME);
    IF (TG_OP = 'INSERT' OR NEW.time_zone <> OLD.time_zone) AND NEW.time_zone <> 'Africa/Addis_Ababa' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_timezone_names z WHERE z.name = NEW.time_zone
    ) THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'time_zone', 'known',
            format('%L is no time zone', left(NEW.time_zone, 80)),
            'Give a name of the IANA database, such as Africa/Addis_Ababa.');
    END IF;
    IF platform.importing() THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'INSERT' THEN
        PERFORM platform.check_start(TG_TABLE_NAME, 'verified', NEW.verified::text, 'false');
        RETURN NEW;
    END IF;
    IF NEW.credential_hash IS DISTINCT FROM OLD.credential_hash AND platform.registration(OLD.id) <> 'none' THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'credential_hash', 'fixed',
            'the company is registered with it, and the chain keeps it for good', 'Leave it.');
    END IF;
    IF NEW.verified = OLD.verified THEN
        NEW.verified_by := OLD.verified_by;
        NEW.verified_at := OLD.verified_at;
        RETURN NEW;
    END IF;
    PERFORM platform.check_may(TG_TABLE_NAME, 'verified', 'admin', 'compliance_officer');
    NEW.verified_by := CASE WHEN NEW.verified THEN coalesce(platform.acting_user(), NEW.verified_by) END;
    NEW.verified_at := CASE WHEN NEW.verified THEN now() END;
    lacking := concat_ws(' and ', CASE WHEN NEW.wallet IS NULL THEN 'wallet' END,
        CASE WHEN NEW.document_uri IS NULL THEN 'document_uri' END,
        CASE WHEN NEW.credential_hash IS NULL THEN 'credential_hash' END);
    IF NEW.verified AND lacking <> '' THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'verified', 'whole', 'the company lacks ' || lacking,
            'Registration puts them on chain: fill them in first.');
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION platform.guard_company() IS 'What a company must have to be verified, and who verifies it';

CREATE FUNCTION platform.guard_company_wallet() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF platform.registration(OLD.id) <> 'none' THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'wallet', 'fixed',
            format('the company is registered with %s, or that was asked for', OLD.wallet),
            'Call platform.change_wallet(''company'', id, new wallet): the chain has to learn of it.');
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION platform.guard_company_wallet() IS 'A registered wallet changes by platform.change_wallet alone';

CREATE FUNCTION platform.guard_kyc_document() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF platform.importing() THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'INSERT' THEN
        PERFORM platform.check_start(TG_TABLE_NAME, 'status', NEW.status, 'pending');
        RETURN NEW;
    END IF;
    PERFORM platform.check_step(TG_TABLE_NAME, 'status', OLD.status, NEW.status,
        '{"pending": ["verified", "rejected"], "verified": ["expired"]}');
    IF NEW.status = OLD.status THEN
        NEW.verified_by := OLD.verified_by;
        NEW.verified_at := OLD.verified_at;
        RETURN NEW;
    END IF;
    PERFORM platform.check_may(TG_TABLE_NAME, 'status', 'admin', 'compliance_officer');
    IF NEW.status <> 'expired' THEN
        NEW.verified_by := coalesce(platform.acting_user(), NEW.verified_by);
        NEW.verified_at := now();
        IF NEW.verified_by IS NULL THEN
            PERFORM platform.refuse(TG_TABLE_NAME, 'verified_by', 'known', 'nobody is said to have judged it',
                'Give the user who did, or act as that user (the setting chainfirst.user).');
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION platform.guard_kyc_document() IS 'Which steps a proof of identity takes, and who judges it';

CREATE FUNCTION platform.guard_draft() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (SELECT c.status <> 'draft' FROM platform.campaigns c WHERE c.id = OLD.campaign) THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'campaign', 'draft', 'what belongs to a submitted campaign stays',
            'Delete it while the campaign is a draft; or add another one.');
    END IF;
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION platform.guard_draft() IS 'Documents and news go only as long as their campaign is a draft';

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON platform.users FOR EACH ROW EXECUTE FUNCTION platform.guard_user();
CREATE TRIGGER guard_wallet BEFORE UPDATE ON platform.users FOR EACH ROW
WHEN (NEW.wallet IS DISTINCT FROM OLD.wallet AND current_user <> 'chainfirst_owner')
EXECUTE FUNCTION platform.guard_user_wallet();
CREATE TRIGGER guard_erased_insert BEFORE INSERT ON platform.users FOR EACH ROW
WHEN (NEW.erased_at IS NOT NULL AND current_user <> 'chainfirst_owner')
EXECUTE FUNCTION platform.refuse_change('erased_at', 'fixed', 'only erasing a person sets it',
    'Run chainfirst erase-person.');
CREATE TRIGGER guard_erased BEFORE UPDATE ON platform.users FOR EACH ROW
WHEN (NEW.erased_at IS DISTINCT FROM OLD.erased_at AND current_user <> 'chainfirst_owner')
EXECUTE FUNCTION platform.refuse_change('erased_at', 'fixed', 'only erasing a person sets it',
    'Run chainfirst erase-person.');
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON platform.companies FOR EACH ROW EXECUTE FUNCTION platform.guard_company();
CREATE TRIGGER guard_wallet BEFORE UPDATE ON platform.companies FOR EACH ROW
WHEN (NEW.wallet IS DISTINCT FROM OLD.wallet AND current_user <> 'chainfirst_owner')
EXECUTE FUNCTION platform.guard_company_wallet();
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON platform.kyc_documents FOR EACH ROW
EXECUTE FUNCTION platform.guard_kyc_document();
CREATE TRIGGER guard_content BEFORE UPDATE ON platform.kyc_documents FOR EACH ROW
WHEN (
    (OLD.status <> 'pending' OR NEW."user" <> OLD."user") AND current_user <> 'chainfirst_owner'
    AND (NEW."user", NEW.type, NEW.file_reference, NEW.sha256, NEW.expires_on)
        IS DISTINCT FROM (OLD."user", OLD.type, OLD.file_reference, OLD.sha256, OLD.expires_on)
) EXECUTE FUNCTION platform.refuse_change(
    'sha256', 'fixed', 'a document that was judged, and whose it is, doesn''t change', 'Insert another document.'
);
CREATE TRIGGER guard_draft BEFORE DELETE ON platform.campaign_documents FOR EACH ROW EXECUTE FUNCTION platform.guard_draft();
CREATE TRIGGER guard_draft BEFORE DELETE ON platform.campaign_updates FOR EACH ROW EXECUTE FUNCTION platform.guard_draft();
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON platform.users FOR EACH ROW EXECUTE FUNCTION platform.keep();
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON platform.companies FOR EACH ROW EXECUTE FUNCTION platform.keep();
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON platform.issuer_profiles FOR EACH ROW EXECUTE FUNCTION platform.keep();
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON platform.kyc_documents FOR EACH ROW EXECUTE FUNCTION platform.keep();
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON platform.campaigns FOR EACH ROW EXECUTE FUNCTION platform.keep();
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON platform.investments FOR EACH ROW EXECUTE FUNCTION platform.keep();
