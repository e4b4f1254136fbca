-- Who changed what, and who may.
CREATE FUNCTION platform.note() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before jsonb := to_jsonb(OLD);
    after jsonb := to_jsonb(NEW);
    changed jsonb := coalesce(after, before);
BEGIN
    IF TG_OP = 'UPDATE' THEN
        SELECT jsonb_object_agg(a.key, jsonb_build_array(before -> a.key, a.value)) INTO changed
        FROM jsonb_each(after) a WHERE a.value <> before -> a.key AND a.key <> 'updated_at';
        IF changed IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO platform.audit (role, acting_user, table_name, row_id, action, changes)
    VALUES (intent.caller(), platform.acting_user(), TG_TABLE_NAME, (coalesce(after, before) ->> 'id')::uuid,
        lower(TG_OP), changed);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION platform.note() IS 'Writes platform.audit';

CREATE FUNCTION platform.guard_audit() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- not SECURITY DEFINER: current_user is the owner inside its own functions, of which one erases
    IF TG_OP = 'UPDATE' AND current_user = 'chainfirst_owner' AND current_setting('chainfirst.erasing', true) = 'on' THEN
        IF (NEW.seq, NEW.at, NEW.role, NEW.table_name, NEW.row_id, NEW.action)
            = (OLD.seq, OLD.at, OLD.role, OLD.table_name, OLD.row_id, OLD.action)
            AND NEW.acting_user IS NOT DISTINCT FROM OLD.acting_user
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'platform.audit is append-only: % is refused', TG_OP USING ERRCODE = 'restrict_violation',
        SCHEMA = 'platform', TABLE = 'audit',
        HINT = 'Only chainfirst erase-person changes it: it blanks personal values.';
END
$$;
COMMENT ON FUNCTION platform.guard_audit() IS
    'Refuses every change of platform.audit but that of the changes column, by the owner''s functions with chainfirst.erasing on';
CREATE TRIGGER guard BEFORE UPDATE OR DELETE ON platform.audit FOR EACH ROW EXECUTE FUNCTION platform.guard_audit();
CREATE TRIGGER guard_all BEFORE TRUNCATE ON platform.audit FOR EACH STATEMENT EXECUTE FUNCTION platform.guard_audit();

CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON platform.users FOR EACH ROW EXECUTE FUNCTION platform.note();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON platform.companies FOR EACH ROW EXECUTE FUNCTION platform.note();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON platform.issuer_profiles FOR EACH ROW EXECUTE FUNCTION platform.note();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON platform.kyc_documents FOR EACH ROW EXECUTE FUNCTION platform.note();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON platform.campaigns FOR EACH ROW EXECUTE FUNCTION platform.note();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON platform.campaign_documents FOR EACH ROW EXECUTE FUNCTION platform.note();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON platform.campaign_updates FOR EACH ROW EXECUTE FUNCTION platform.note();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON platform.investments FOR EACH ROW EXECUTE FUNCTION platform.note();

-- By which rules and policies find a company on chain.
CREATE INDEX ON ledger.issuers (company_id);
CREATE INDEX ON event.issuer_registry_issuer_campaign_changed (company_id);

-- Rights. An app writes records, and never what the triggers keep. The reader has the views of the schema api, and
-- nothing here.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA platform FROM PUBLIC;
GRANT USAGE ON SCHEMA platform TO chainfirst_app;
GRANT SELECT, INSERT, UPDATE ON platform.users, platform.companies, platform.issuer_profiles, platform.kyc_documents,
    platform.campaigns, platform.investments TO chainfirst_app;
-- what investors have read stays as it was
GRANT SELECT, INSERT, DELETE ON platform.campaign_documents, platform.campaign_updates TO chainfirst_app;
GRANT SELECT ON platform.requests, platform.audit TO chainfirst_app;
-- in checks and policies, which run as who asks
GRANT EXECUTE ON FUNCTION platform.is_line(text), platform.is_uri(text), platform.acting_user(), platform.acting_role(),
    platform.may(text[]) TO chainfirst_app;
-- in views, whose functions run as who asks too
GRANT EXECUTE ON FUNCTION platform.chain_id(uuid) TO chainfirst_app, chainfirst_reader;
GRANT EXECUTE ON FUNCTION platform.keccak256(bytea), platform.checked_wallet(text, text, text),
    platform.investment_id(text, text, text), platform.birr(numeric), platform.chain_time() TO chainfirst_app;

-- Rows. Without an acting user the app sees and writes all: it is the backend. With one, staff sees all, the others
-- what is theirs and what is on chain; the regulator writes nothing.
ALTER TABLE platform.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.companies ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.issuer_profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.kyc_documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.campaigns ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.campaign_documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.campaign_updates ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.investments ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.audit ENABLE ROW LEVEL SECURITY;

CREATE POLICY staff_reads ON platform.users FOR SELECT TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer', 'custodian', 'regulator')));
CREATE POLICY staff_adds ON platform.users FOR INSERT TO chainfirst_app
WITH CHECK ((SELECT platform.may('admin', 'compliance_officer')));
CREATE POLICY staff_changes ON platform.users FOR UPDATE TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer')));
CREATE POLICY own_reads ON platform.users FOR SELECT TO chainfirst_app
USING (id = (SELECT platform.acting_user()) AND (SELECT platform.may('issuer', 'investor')));
CREATE POLICY own_changes ON platform.users FOR UPDATE TO chainfirst_app
USING (id = (SELECT platform.acting_user()) AND (SELECT platform.may('issuer', 'investor', 'custodian')));

CREATE POLICY staff_reads ON platform.kyc_documents FOR SELECT TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer', 'custodian', 'regulator')));
CREATE POLICY staff_adds ON platform.kyc_documents FOR INSERT TO chainfirst_app
WITH CHECK ((SELECT platform.may('admin', 'compliance_officer')));
CREATE POLICY staff_changes ON platform.kyc_documents FOR UPDATE TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer')));
CREATE POLICY own ON platform.kyc_documents TO chainfirst_app
USING ("user" = (SELECT platform.acting_user()) AND (SELECT platform.may('issuer', 'investor')));

CREATE POLICY staff_reads ON platform.companies FOR SELECT TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer', 'custodian', 'regulator')));
CREATE POLICY staff_adds ON platform.companies FOR INSERT TO chainfirst_app
WITH CHECK ((SELECT platform.may('admin', 'compliance_officer')));
CREATE POLICY staff_changes ON platform.companies FOR UPDATE TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer')));
CREATE POLICY own ON platform.companies TO chainfirst_app
USING (owner = (SELECT platform.acting_user()) AND (SELECT platform.may('issuer')));
CREATE POLICY on_chain ON platform.companies FOR SELECT TO chainfirst_app
USING (EXISTS (SELECT FROM ledger.issuers i WHERE i.company_id = platform.chain_id(companies.id)));

CREATE POLICY staff_reads ON platform.issuer_profiles FOR SELECT TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer', 'custodian', 'regulator')));
CREATE POLICY staff_adds ON platform.issuer_profiles FOR INSERT TO chainfirst_app
WITH CHECK ((SELECT platform.may('admin', 'compliance_officer')));
CREATE POLICY staff_changes ON platform.issuer_profiles FOR UPDATE TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer')));
CREATE POLICY own ON platform.issuer_profiles TO chainfirst_app
USING ((SELECT platform.may('issuer')) AND EXISTS (
    SELECT FROM platform.companies c WHERE c.id = issuer_profiles.company AND c.owner = (SELECT platform.acting_user())
));

CREATE POLICY staff_reads ON platform.campaigns FOR SELECT TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer', 'custodian', 'regulator')));
CREATE POLICY staff_adds ON platform.campaigns FOR INSERT TO chainfirst_app
WITH CHECK ((SELECT platform.may('admin', 'compliance_officer')));
CREATE POLICY staff_changes ON platform.campaigns FOR UPDATE TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer')));
CREATE POLICY own ON platform.campaigns TO chainfirst_app
USING ((SELECT platform.may('issuer')) AND EXISTS (
    SELECT FROM platform.companies c WHERE c.id = campaigns.company AND c.owner = (SELECT platform.acting_user())
));
CREATE POLICY on_chain ON platform.campaigns FOR SELECT TO chainfirst_app
USING (EXISTS (SELECT FROM ledger.campaigns l WHERE l.campaign_id = platform.chain_id(campaigns.id)));

-- documents and news are seen by whoever sees their campaign
CREATE POLICY seen ON platform.campaign_documents FOR SELECT TO chainfirst_app
USING (EXISTS (SELECT FROM platform.campaigns c WHERE c.id = campaign_documents.campaign));
CREATE POLICY written ON platform.campaign_documents TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer')) OR ((SELECT platform.may('issuer')) AND EXISTS (
    SELECT FROM platform.campaigns c JOIN platform.companies o ON o.id = c.company
    WHERE c.id = campaign_documents.campaign AND o.owner = (SELECT platform.acting_user())
)));
CREATE POLICY seen ON platform.campaign_updates FOR SELECT TO chainfirst_app
USING (EXISTS (SELECT FROM platform.campaigns c WHERE c.id = campaign_updates.campaign));
CREATE POLICY written ON platform.campaign_updates TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer')) OR ((SELECT platform.may('issuer')) AND EXISTS (
    SELECT FROM platform.campaigns c JOIN platform.companies o ON o.id = c.company
    WHERE c.id = campaign_updates.campaign AND o.owner = (SELECT platform.acting_user())
)));

CREATE POLICY staff_reads ON platform.investments FOR SELECT TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer', 'custodian', 'regulator')));
CREATE POLICY staff_adds ON platform.investments FOR INSERT TO chainfirst_app
WITH CHECK ((SELECT platform.may('admin', 'compliance_officer', 'custodian')));
CREATE POLICY staff_changes ON platform.investments FOR UPDATE TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer', 'custodian')));
CREATE POLICY own ON platform.investments TO chainfirst_app
USING (investor = (SELECT platform.acting_user()) AND (SELECT platform.may('investor')));

CREATE POLICY staff_reads ON platform.audit FOR SELECT TO chainfirst_app
USING ((SELECT platform.may('admin', 'compliance_officer', 'regulator')));
