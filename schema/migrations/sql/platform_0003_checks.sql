-- PostgreSQL's own error of a check names neither column nor remedy, and like that of a null its DETAIL shows the whole
-- row, personal data too, to whoever reads a log. So each table's checks and nulls are asked before, by a trigger made
-- from them; what a value must be stands in the check's comment.
DO $$
DECLARE
    said record;
BEGIN
    FOR said IN SELECT * FROM (VALUES
        ('users_email_shape', 'be an address such as abebe@example.org, of at most 254 characters'),
        ('users_full_name_length', 'have 1 to 200 characters'),
        ('users_phone_length', 'have at most 32 characters'),
        ('users_role_known', 'be admin, compliance_officer, custodian, regulator, issuer or investor'),
        ('users_wallet_shape', 'be 0x and 40 hexadecimal digits'),
        ('users_kyc_level_range', 'be from 0 to 3'),
        ('users_kyc_status_known', 'be unverified, pending, verified, rejected or expired'),
        ('users_aml_score_range', 'be from 0 to 100'),
        ('companies_name_length', 'have 1 to 200 characters'),
        ('companies_name_line', 'be one line, without white space at its ends'),
        ('companies_tin_shape', 'have 4 to 32 digits, letters, hyphens and slashes'),
        ('companies_sector_length', 'have 1 to 100 characters'),
        ('companies_description_length', 'have at most 20,000 characters'),
        ('companies_wallet_shape', 'be 0x and 40 hexadecimal digits'),
        ('companies_document_uri_length', 'have 1 to 512 characters'),
        ('companies_document_uri_shape', 'be a URI such as https://example.org/profile, without white space, in ASCII'),
        ('companies_document_hash_shape', 'be 0x and 64 hexadecimal digits, in small letters'),
        ('companies_credential_hash_shape', 'be 0x and 64 hexadecimal digits, in small letters, not all zeros'),
        ('companies_verified_whole', 'be false unless there are wallet, document_uri and credential_hash'),
        ('issuer_profiles_contact_name_length', 'have at most 200 characters'),
        ('issuer_profiles_contact_email_length', 'have at most 254 characters'),
        ('issuer_profiles_contact_phone_length', 'have at most 32 characters'),
        ('issuer_profiles_website_length', 'have at most 512 characters'),
        ('issuer_profiles_registered_address_length', 'have at most 500 characters'),
        ('issuer_profiles_employees_valid', 'be 0 or more'),
        ('kyc_documents_type_known', 'be national_id, passport, driving_licence, proof_of_address, business_licence, tin_certificate or other'),
        ('kyc_documents_status_known', 'be pending, verified, rejected or expired'),
        ('kyc_documents_file_reference_length', 'have 1 to 512 characters'),
        ('kyc_documents_sha256_shape', 'be 0x and 64 hexadecimal digits, in small letters'),
        ('kyc_documents_rejection_reason_length', 'have at most 1,000 characters'),
        ('kyc_documents_judged_whole', 'come with who judged it, and when'),
        ('campaigns_title_length', 'have 1 to 200 characters'),
        ('campaigns_title_line', 'be one line, without white space at its ends'),
        ('campaigns_description_length', 'have at most 50,000 characters'),
        ('campaigns_goal_positive', 'be more than 0 birr'),
        ('campaigns_min_investment_valid', 'be 0 birr or more'),
        ('campaigns_min_investment_in_goal', 'not be more than the goal'),
        ('campaigns_max_investment_range', 'not be less than min_investment; null: no limit'),
        ('campaigns_duration_range', 'be from 30 to 180 days'),
        ('campaigns_grace_range', 'be from 0 to 14 days'),
        ('campaigns_threshold_range', 'be from 1 to 10,000 basis points (1/10 000)'),
        ('campaigns_document_uri_length', 'have 1 to 512 characters'),
        ('campaigns_document_uri_shape', 'be a URI such as https://example.org/terms, without white space, in ASCII'),
        ('campaigns_status_known', 'be draft, pending, approved or rejected'),
        ('campaigns_rejection_reason_length', 'have at most 1,000 characters'),
        ('campaigns_cancel_reason_length', 'have 1 to 1,024 bytes in UTF-8'),
        ('campaigns_cancel_reason_text', 'not be blank, nor have control characters but new lines and tabs'),
        ('campaigns_approved_whole', 'be approved if, and only if, there is a time of approval'),
        ('campaigns_cancelled_whole', 'come with a reason, and a reason with it'),
        ('campaign_documents_title_length', 'have 1 to 200 characters'),
        ('campaign_documents_type_known', 'be business_plan, financial_statement, pitch_deck, legal or other'),
        ('campaign_documents_file_reference_length', 'have 1 to 512 characters'),
        ('campaign_documents_sha256_shape', 'be 0x and 64 hexadecimal digits, in small letters'),
        ('campaign_updates_title_length', 'have 1 to 200 characters'),
        ('campaign_updates_body_length', 'have at most 50,000 characters'),
        ('investments_amount_positive', 'be more than 0 birr'),
        ('investments_payment_method_known', 'be token, telebirr, cbe, awash, dashen, abyssinia or other'),
        ('investments_payment_reference_shape',
         'be one line of 1 to 64 characters, without white space at its ends; or a hash: 0x and 64 hexadecimal digits, in small letters'),
        ('investments_status_known', 'be pending, paid or failed'),
        ('investments_wallet_shape', 'be 0x and 40 hexadecimal digits'),
        ('investments_chain_id_shape', 'be 0x and 64 hexadecimal digits'),
        ('investments_failure_reason_length', 'have at most 1,000 characters'),
        ('investments_paid_whole', 'be paid if, and only if, there is a time of payment'),
        ('investments_payment_reference_given', 'be there before it is paid')
    ) c (name, must)
    LOOP
        EXECUTE (
            SELECT format('COMMENT ON CONSTRAINT %I ON %s IS %L', said.name, conrelid::regclass, said.must)
            FROM pg_catalog.pg_constraint WHERE conname = said.name AND connamespace = 'platform'::regnamespace
        );
    END LOOP;
END
$$;

CREATE FUNCTION platform.refuse_value(relation regclass, rule text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held record;
BEGIN
    -- of several columns the one that the check is named after
    SELECT t.relname, a.attname, obj_description(c.oid, 'pg_constraint') AS must INTO STRICT held
    FROM pg_constraint c
    JOIN pg_class t ON t.oid = c.conrelid
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
    WHERE c.conrelid = relation AND c.conname = rule
    ORDER BY starts_with(rule, t.relname || '_' || a.attname || '_') DESC, array_position(c.conkey, a.attnum)
    LIMIT 1;
    RAISE EXCEPTION '%: must %', held.attname, held.must USING ERRCODE = 'check_violation', SCHEMA = 'platform',
        TABLE = held.relname, COLUMN = held.attname, CONSTRAINT = rule, HINT = 'Nothing was written: correct it.';
END
$$;
COMMENT ON FUNCTION platform.refuse_value(regclass, text) IS
    'Raises what a check would, but says which column, and what it must be';

DO $$
DECLARE
    held record;
BEGIN
    FOR held IN
        SELECT t.relname, (
            SELECT string_agg(format('WHEN %1$I IS NULL THEN %1$L', a.attname), E'\n            ' ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.oid AND a.attnotnull AND a.attnum > 0
        ) AS nulls, string_agg(
            format('WHEN (%s) IS FALSE THEN %L', pg_get_expr(c.conbin, c.conrelid), c.conname), E'\n            '
            ORDER BY c.conname
        ) AS cases
        FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
        WHERE c.contype = 'c' AND c.connamespace = 'platform'::regnamespace AND t.relname NOT IN ('requests', 'audit')
        GROUP BY t.oid, t.relname
    LOOP
        EXECUTE format($f$
CREATE FUNCTION platform.%1$I() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $b$
DECLARE
    missing text;
    broken text;
BEGIN
    SELECT CASE
            %5$s
        END, CASE
            %3$s
        END INTO missing, broken FROM (SELECT NEW.*) x;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '%%: must be given', missing USING ERRCODE = 'not_null_violation', SCHEMA = 'platform',
            TABLE = TG_TABLE_NAME, COLUMN = missing, HINT = 'Nothing was written: add it.';
    END IF;
    IF broken IS NOT NULL THEN
        PERFORM platform.refuse_value(TG_RELID, broken);
    END IF;
    RETURN NEW;
END
$b$;
COMMENT ON FUNCTION platform.%1$I() IS %4$L;
CREATE TRIGGER inspect BEFORE INSERT OR UPDATE ON platform.%2$I FOR EACH ROW EXECUTE FUNCTION platform.%1$I();
$f$, 'inspect_' || held.relname, held.relname, held.cases,
            format('Asks the checks of platform.%s, after the guards (by its name) have set what they set',
                held.relname), held.nulls);
    END LOOP;
END
$$;
