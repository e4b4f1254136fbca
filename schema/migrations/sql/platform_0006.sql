-- Erasing persons, giving up files that were kept long enough, moving in.
CREATE TABLE platform.kyc_files_to_delete (
    document uuid NOT NULL REFERENCES platform.kyc_documents,
    file_reference text NOT NULL,
    reason text NOT NULL CONSTRAINT kyc_files_to_delete_reason_known CHECK (reason IN ('erased', 'kept long enough')),
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (document, file_reference)
);
COMMENT ON TABLE platform.kyc_files_to_delete IS
    'Files whose reference was blanked: whoever keeps the files deletes the file, then the row here';
COMMENT ON COLUMN platform.kyc_files_to_delete.document IS 'Whose file it was';
COMMENT ON COLUMN platform.kyc_files_to_delete.file_reference IS 'Personal: where the file is';
COMMENT ON COLUMN platform.kyc_files_to_delete.reason IS 'erased: the person was; kept long enough: platform.keep_kyc_days';
COMMENT ON COLUMN platform.kyc_files_to_delete.since IS 'When the reference was blanked';
ALTER TABLE platform.kyc_files_to_delete ENABLE ROW LEVEL SECURITY;
CREATE POLICY staff ON platform.kyc_files_to_delete TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer')));
GRANT SELECT, DELETE ON platform.kyc_files_to_delete TO chainfirst_app;

CREATE FUNCTION platform.note_deleted_file() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO platform.audit (role, acting_user, table_name, row_id, action, changes)
    VALUES (intent.caller(), platform.acting_user(), 'kyc_files_to_delete', OLD.document, 'delete',
        jsonb_build_object('file_reference', 'erased', 'reason', OLD.reason, 'since', OLD.since));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION platform.note_deleted_file() IS 'Notes in the audit that a file is said to be deleted, not where it was';
CREATE TRIGGER note AFTER DELETE ON platform.kyc_files_to_delete
FOR EACH ROW EXECUTE FUNCTION platform.note_deleted_file();

CREATE FUNCTION platform.blanked(changes jsonb, personal text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_object_agg(key, CASE
        WHEN key <> ALL (personal) OR jsonb_typeof(value) = 'null' THEN value
        WHEN jsonb_typeof(value) = 'array' THEN (
            SELECT jsonb_agg(CASE WHEN jsonb_typeof(e) = 'null' THEN e ELSE '"erased"' END ORDER BY n)
            FROM jsonb_array_elements(value) WITH ORDINALITY x (e, n)
        )
        ELSE '"erased"'
    END), '{}')
    FROM jsonb_each(changes)
$$;
COMMENT ON FUNCTION platform.blanked(jsonb, text[]) IS
    'A line of the audit with the word erased in place of what these columns held; null stays null';

-- The audit is append-only but for this.
CREATE FUNCTION platform.blank_audit(of text, rows uuid[], personal text[]) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed integer;
BEGIN
    PERFORM set_config('chainfirst.erasing', 'on', true);
    UPDATE platform.audit a SET changes = platform.blanked(a.changes, personal)
    WHERE a.row_id = ANY (rows) AND a.table_name = of AND a.changes <> platform.blanked(a.changes, personal);
    GET DIAGNOSTICS changed = ROW_COUNT;
    PERFORM set_config('chainfirst.erasing', '', true);
    RETURN changed;
END
$$;
COMMENT ON FUNCTION platform.blank_audit(text, uuid[], text[]) IS
    'Blank what columns of rows of a table held, in all lines of the audit. How many lines it changed';

CREATE FUNCTION platform.give_up_files(documents uuid[], why text) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed integer;
BEGIN
    INSERT INTO platform.kyc_files_to_delete (document, file_reference, reason)
    SELECT d.id, d.file_reference, why FROM platform.kyc_documents d
    WHERE d.id = ANY (documents) AND d.file_reference IS NOT NULL
    ON CONFLICT DO NOTHING;
    UPDATE platform.kyc_documents d SET file_reference = NULL
    WHERE d.id = ANY (documents) AND d.file_reference IS NOT NULL;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION platform.give_up_files(uuid[], text) IS
    'Blank documents'' file references, and note the files as to be deleted. How many there were';

CREATE FUNCTION platform.erase_warnings(person uuid) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%s investments are pending: nobody can be asked for their payment any more', count(*))
    FROM platform.investments i WHERE i.investor = person AND i.status = 'pending' HAVING count(*) > 0
    UNION ALL
    SELECT format('the campaign %s of the company %s is running: whom investors can ask is blanked. Give the company '
        'another owner and another contact', p.id, c.id)
    FROM platform.companies c
    JOIN platform.campaigns p ON p.company = c.id
    LEFT JOIN ledger.campaigns l ON l.campaign_id = platform.chain_id(p.id)
    WHERE c.owner = person AND p.cancelled_at IS NULL
        AND (p.status = 'pending' OR p.status = 'approved' AND coalesce(l.status, 'active') = 'active')
    UNION ALL
    SELECT 'this is the only active admin'
    FROM platform.users u WHERE u.id = person AND u.role = 'admin' AND u.active
        AND NOT EXISTS (SELECT FROM platform.users o WHERE o.role = 'admin' AND o.active AND o.id <> u.id)
$$;
COMMENT ON FUNCTION platform.erase_warnings(uuid) IS 'What is better settled before a person is erased';

CREATE FUNCTION platform.erase(person uuid) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    u platform.users;
    profiles uuid[];
    documents uuid[];
    warning text;
    done jsonb;
    lines integer;
    files integer;
BEGIN
    SELECT x.* INTO u FROM platform.users x WHERE x.id = person FOR UPDATE;
    IF u.id IS NULL THEN
        RAISE EXCEPTION 'there is no user %', person USING ERRCODE = 'no_data_found';
    END IF;
    FOR warning IN SELECT platform.erase_warnings(person) LOOP
        RAISE WARNING '%', warning;
    END LOOP;
    profiles := array(
        SELECT i.id FROM platform.issuer_profiles i JOIN platform.companies c ON c.id = i.company WHERE c.owner = person
    );
    documents := array(SELECT d.id FROM platform.kyc_documents d WHERE d."user" = person);
    UPDATE platform.users x
    SET email = format('erased-%s@erased.invalid', person), full_name = 'erased', phone = NULL, active = false,
        erased_at = coalesce(x.erased_at, now())
    WHERE x.id = person;
    UPDATE platform.issuer_profiles i SET contact_name = NULL, contact_email = NULL, contact_phone = NULL
    WHERE i.id = ANY (profiles);
    files := platform.give_up_files(documents, 'erased');
    UPDATE platform.kyc_documents d SET rejection_reason = NULL
    WHERE d.id = ANY (documents) AND d.rejection_reason IS NOT NULL;
    UPDATE platform.investments i SET failure_reason = NULL WHERE i.investor = person AND i.failure_reason IS NOT NULL;
    -- last: these updates themselves have left the former values there
    lines := platform.blank_audit('users', ARRAY[person], ARRAY['email', 'full_name', 'phone'])
        + platform.blank_audit('issuer_profiles', profiles, ARRAY['contact_name', 'contact_email', 'contact_phone'])
        + platform.blank_audit('kyc_documents', documents, ARRAY['file_reference', 'rejection_reason'])
        + platform.blank_audit('investments', array(SELECT i.id FROM platform.investments i WHERE i.investor = person),
            ARRAY['failure_reason']);
    done := jsonb_build_object('issuer_profiles', cardinality(profiles), 'kyc_documents', cardinality(documents),
        'files_to_delete', files, 'audit_lines', lines);
    INSERT INTO platform.audit (role, acting_user, table_name, row_id, action, changes)
    VALUES (intent.caller(), platform.acting_user(), 'users', person, 'erase', done);
    RETURN done;
END
$$;
COMMENT ON FUNCTION platform.erase(uuid) IS
    'Blank what is personal of a user, here and in the audit; ids, wallet, hashes and amounts stay. What was done';

CREATE TRIGGER guard_erased_person BEFORE UPDATE ON platform.users FOR EACH ROW
WHEN (
    OLD.erased_at IS NOT NULL AND current_user <> 'chainfirst_owner'
    AND (NEW.email, NEW.full_name, NEW.phone, NEW.active) IS DISTINCT FROM (OLD.email, OLD.full_name, OLD.phone, OLD.active)
) EXECUTE FUNCTION platform.refuse_change('erased_at', 'end', 'this person was erased', 'Make another user.');

CREATE FUNCTION platform.give_up_kyc_files(before timestamptz) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    documents uuid[] := array(
        SELECT d.id FROM platform.kyc_documents d
        WHERE d.file_reference IS NOT NULL AND d.status IN ('rejected', 'expired')
            AND CASE d.status
                WHEN 'rejected' THEN d.verified_at
                -- in UTC: a document is valid on its whole last day
                ELSE greatest(d.verified_at, coalesce((d.expires_on + 1)::timestamp AT TIME ZONE 'UTC', d.updated_at))
            END < before
        ORDER BY d.id FOR UPDATE
    );
    files integer := platform.give_up_files(documents, 'kept long enough');
BEGIN
    PERFORM platform.blank_audit('kyc_documents', documents, ARRAY['file_reference']);
    RETURN files;
END
$$;
COMMENT ON FUNCTION platform.give_up_kyc_files(timestamptz) IS
    'Give up the files of documents that were rejected, or expired, before then. How many';

REVOKE ALL ON FUNCTION
    platform.note_deleted_file(), platform.blanked(jsonb, text[]), platform.blank_audit(text, uuid[], text[]),
    platform.give_up_files(uuid[], text), platform.erase_warnings(uuid), platform.erase(uuid),
    platform.give_up_kyc_files(timestamptz)
FROM PUBLIC;
GRANT USAGE ON SCHEMA platform TO chainfirst_daemon;
GRANT EXECUTE ON FUNCTION platform.give_up_kyc_files(timestamptz) TO chainfirst_daemon;
