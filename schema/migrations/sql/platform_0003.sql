-- The platform's own records: what no chain knows. What they mean is checked by platform_0003_rules.sql.
CREATE SCHEMA platform;
COMMENT ON SCHEMA platform IS
    'The platform''s records off the chain; its triggers turn steps of the workflow into intents';

-- What goes on chain, or into certificates, is what the kinds' payloads take (writers/payload.py). The characters
-- are spelled out: what a class holds depends on the database's collation.
CREATE FUNCTION platform.is_line(line text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN line !~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]'
    AND line !~ '^[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]|[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]$';
COMMENT ON FUNCTION platform.is_line(text) IS 'One line of text, without control characters or white space at its ends';

CREATE FUNCTION platform.is_uri(uri text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN uri ~ '^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$';
COMMENT ON FUNCTION platform.is_uri(text) IS 'A URI (RFC 3986): a scheme, ASCII, no white space';

CREATE TABLE platform.users (
    id uuid PRIMARY KEY DEFAULT intent.new_id(),
    email text NOT NULL CONSTRAINT users_email_shape CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'
        AND length(email) <= 254),
    full_name text NOT NULL CONSTRAINT users_full_name_length CHECK (length(full_name) BETWEEN 1 AND 200),
    phone text CONSTRAINT users_phone_length CHECK (length(phone) <= 32),
    role text NOT NULL CONSTRAINT users_role_known
        CHECK (role IN ('admin', 'compliance_officer', 'custodian', 'regulator', 'issuer', 'investor')),
    wallet text CONSTRAINT users_wallet_shape CHECK (wallet ~ '^0x[0-9a-f]{40}$'),
    kyc_level smallint NOT NULL DEFAULT 0 CONSTRAINT users_kyc_level_range CHECK (kyc_level BETWEEN 0 AND 3),
    kyc_status text NOT NULL DEFAULT 'unverified' CONSTRAINT users_kyc_status_known
        CHECK (kyc_status IN ('unverified', 'pending', 'verified', 'rejected', 'expired')),
    aml_score numeric(5, 2) CONSTRAINT users_aml_score_range CHECK (aml_score BETWEEN 0 AND 100),
    active boolean NOT NULL DEFAULT true,
    erased_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    revision integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX users_email ON platform.users (lower(email));
CREATE UNIQUE INDEX users_wallet ON platform.users (wallet);
CREATE INDEX users_role ON platform.users (role, id);
COMMENT ON TABLE platform.users IS 'People who use the platform';
COMMENT ON COLUMN platform.users.id IS 'UUID';
COMMENT ON COLUMN platform.users.email IS 'Personal; unique whatever its case';
COMMENT ON COLUMN platform.users.full_name IS 'Personal';
COMMENT ON COLUMN platform.users.phone IS 'Personal';
COMMENT ON COLUMN platform.users.role IS 'admin, compliance_officer, custodian, regulator, issuer or investor';
COMMENT ON COLUMN platform.users.wallet IS
    'The account that invests, lower-case; null: none yet. A verified one changes by platform.change_wallet alone';
COMMENT ON COLUMN platform.users.kyc_level IS 'How far identity was checked: 0 not, 3 wholly';
COMMENT ON COLUMN platform.users.kyc_status IS 'unverified, pending, verified, rejected or expired';
COMMENT ON COLUMN platform.users.aml_score IS 'Risk of money laundering, 0 to 100; null: not assessed';
COMMENT ON COLUMN platform.users.active IS 'False: may not log in';
COMMENT ON COLUMN platform.users.erased_at IS 'When the personal data was blanked; null: it is there';
COMMENT ON COLUMN platform.users.created_at IS 'When';
COMMENT ON COLUMN platform.users.updated_at IS 'When it last changed';
COMMENT ON COLUMN platform.users.revision IS 'Grows by one with each change';

CREATE TABLE platform.companies (
    id uuid PRIMARY KEY DEFAULT intent.new_id(),
    owner uuid NOT NULL REFERENCES platform.users,
    name text NOT NULL CONSTRAINT companies_name_length CHECK (length(name) BETWEEN 1 AND 200)
        CONSTRAINT companies_name_line CHECK (platform.is_line(name)),
    tin text NOT NULL UNIQUE CONSTRAINT companies_tin_shape CHECK (tin ~ '^[0-9A-Za-z/-]{4,32}$'),
    sector text NOT NULL CONSTRAINT companies_sector_length CHECK (length(sector) BETWEEN 1 AND 100),
    description text NOT NULL DEFAULT '' CONSTRAINT companies_description_length CHECK (length(description) <= 20000),
    wallet text UNIQUE CONSTRAINT companies_wallet_shape CHECK (wallet ~ '^0x[0-9a-f]{40}$'),
    document_uri text CONSTRAINT companies_document_uri_length CHECK (length(document_uri) BETWEEN 1 AND 512)
        CONSTRAINT companies_document_uri_shape CHECK (platform.is_uri(document_uri)),
    document_hash text CONSTRAINT companies_document_hash_shape CHECK (document_hash ~ '^0x[0-9a-f]{64}$'),
    credential_hash text CONSTRAINT companies_credential_hash_shape
        CHECK (credential_hash ~ '^0x[0-9a-f]{64}$' AND credential_hash !~ '^0x0{64}$'),
    time_zone text NOT NULL DEFAULT 'Africa/Addis_Ababa',
    verified boolean NOT NULL DEFAULT false,
    verified_by uuid REFERENCES platform.users,
    verified_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    revision integer NOT NULL DEFAULT 1,
    CONSTRAINT companies_verified_whole
        CHECK (NOT verified OR num_nulls(wallet, document_uri, credential_hash, verified_at) = 0)
);
CREATE INDEX companies_owner ON platform.companies (owner);
COMMENT ON TABLE platform.companies IS 'Issuers of shares';
COMMENT ON COLUMN platform.companies.id IS 'UUID; on chain, with zeros behind, the company id';
COMMENT ON COLUMN platform.companies.owner IS 'The user who acts for it';
COMMENT ON COLUMN platform.companies.name IS 'Its name';
COMMENT ON COLUMN platform.companies.tin IS 'Taxpayer identification number';
COMMENT ON COLUMN platform.companies.sector IS 'What it does';
COMMENT ON COLUMN platform.companies.description IS 'In its own words';
COMMENT ON COLUMN platform.companies.wallet IS
    'The account that is paid, lower-case; once registered it changes by platform.change_wallet alone';
COMMENT ON COLUMN platform.companies.document_uri IS 'Where its public profile is: goes on chain';
COMMENT ON COLUMN platform.companies.document_hash IS 'SHA-256 of that profile';
COMMENT ON COLUMN platform.companies.credential_hash IS 'SHA-256 of its proof of identity: goes on chain';
COMMENT ON COLUMN platform.companies.time_zone IS 'Whose calendar says what a year is';
COMMENT ON COLUMN platform.companies.verified IS 'Checked by compliance: registers it on chain; withdrawn, suspends it';
COMMENT ON COLUMN platform.companies.verified_by IS 'Who checked it';
COMMENT ON COLUMN platform.companies.verified_at IS 'When';
COMMENT ON COLUMN platform.companies.created_at IS 'When';
COMMENT ON COLUMN platform.companies.updated_at IS 'When it last changed';
COMMENT ON COLUMN platform.companies.revision IS 'Grows by one with each change';

CREATE TABLE platform.issuer_profiles (
    id uuid PRIMARY KEY DEFAULT intent.new_id(),
    company uuid NOT NULL UNIQUE REFERENCES platform.companies,
    contact_name text CONSTRAINT issuer_profiles_contact_name_length CHECK (length(contact_name) <= 200),
    contact_email text CONSTRAINT issuer_profiles_contact_email_length CHECK (length(contact_email) <= 254),
    contact_phone text CONSTRAINT issuer_profiles_contact_phone_length CHECK (length(contact_phone) <= 32),
    website text CONSTRAINT issuer_profiles_website_length CHECK (length(website) <= 512),
    registered_address text CONSTRAINT issuer_profiles_registered_address_length
        CHECK (length(registered_address) <= 500),
    founded_on date,
    employees integer CONSTRAINT issuer_profiles_employees_valid CHECK (employees >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    revision integer NOT NULL DEFAULT 1
);
COMMENT ON TABLE platform.issuer_profiles IS 'What else is known of a company, and whom to call';
COMMENT ON COLUMN platform.issuer_profiles.id IS 'UUID';
COMMENT ON COLUMN platform.issuer_profiles.company IS 'The company';
COMMENT ON COLUMN platform.issuer_profiles.contact_name IS 'Personal';
COMMENT ON COLUMN platform.issuer_profiles.contact_email IS 'Personal';
COMMENT ON COLUMN platform.issuer_profiles.contact_phone IS 'Personal';
COMMENT ON COLUMN platform.issuer_profiles.website IS 'Its site';
COMMENT ON COLUMN platform.issuer_profiles.registered_address IS 'Where it is registered';
COMMENT ON COLUMN platform.issuer_profiles.founded_on IS 'Since when it is there';
COMMENT ON COLUMN platform.issuer_profiles.employees IS 'How many work there';
COMMENT ON COLUMN platform.issuer_profiles.created_at IS 'When';
COMMENT ON COLUMN platform.issuer_profiles.updated_at IS 'When it last changed';
COMMENT ON COLUMN platform.issuer_profiles.revision IS 'Grows by one with each change';

CREATE TABLE platform.kyc_documents (
    id uuid PRIMARY KEY DEFAULT intent.new_id(),
    "user" uuid NOT NULL REFERENCES platform.users,
    type text NOT NULL CONSTRAINT kyc_documents_type_known CHECK (
        type IN ('national_id', 'passport', 'driving_licence', 'proof_of_address', 'business_licence',
            'tin_certificate', 'other')
    ),
    status text NOT NULL DEFAULT 'pending' CONSTRAINT kyc_documents_status_known
        CHECK (status IN ('pending', 'verified', 'rejected', 'expired')),
    file_reference text CONSTRAINT kyc_documents_file_reference_length CHECK (length(file_reference) BETWEEN 1 AND 512),
    sha256 text NOT NULL CONSTRAINT kyc_documents_sha256_shape CHECK (sha256 ~ '^0x[0-9a-f]{64}$'),
    verified_by uuid REFERENCES platform.users,
    verified_at timestamptz,
    rejection_reason text CONSTRAINT kyc_documents_rejection_reason_length CHECK (length(rejection_reason) <= 1000),
    expires_on date,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    revision integer NOT NULL DEFAULT 1,
    CONSTRAINT kyc_documents_judged_whole
        CHECK (status NOT IN ('verified', 'rejected') OR num_nulls(verified_by, verified_at) = 0)
);
CREATE INDEX kyc_documents_user ON platform.kyc_documents ("user", created_at);
CREATE INDEX kyc_documents_status ON platform.kyc_documents (status, created_at);
COMMENT ON TABLE platform.kyc_documents IS 'Proofs of identity: where the files are, and their hashes';
COMMENT ON COLUMN platform.kyc_documents.id IS 'UUID';
COMMENT ON COLUMN platform.kyc_documents."user" IS 'Whose it is';
COMMENT ON COLUMN platform.kyc_documents.type IS 'What kind of document';
COMMENT ON COLUMN platform.kyc_documents.status IS 'pending, verified, rejected or expired';
COMMENT ON COLUMN platform.kyc_documents.file_reference IS 'Personal: where the file is; null: erased';
COMMENT ON COLUMN platform.kyc_documents.sha256 IS 'The file''s SHA-256';
COMMENT ON COLUMN platform.kyc_documents.verified_by IS 'Who judged it';
COMMENT ON COLUMN platform.kyc_documents.verified_at IS 'When';
COMMENT ON COLUMN platform.kyc_documents.rejection_reason IS 'Why it was rejected';
COMMENT ON COLUMN platform.kyc_documents.expires_on IS 'The last day that it is valid; null: always';
COMMENT ON COLUMN platform.kyc_documents.created_at IS 'When';
COMMENT ON COLUMN platform.kyc_documents.updated_at IS 'When it last changed';
COMMENT ON COLUMN platform.kyc_documents.revision IS 'Grows by one with each change';

CREATE TABLE platform.campaigns (
    id uuid PRIMARY KEY DEFAULT intent.new_id(),
    company uuid NOT NULL REFERENCES platform.companies,
    title text NOT NULL CONSTRAINT campaigns_title_length CHECK (length(title) BETWEEN 1 AND 200)
        CONSTRAINT campaigns_title_line CHECK (platform.is_line(title)),
    description text NOT NULL DEFAULT '' CONSTRAINT campaigns_description_length CHECK (length(description) <= 50000),
    goal numeric(15, 2) NOT NULL CONSTRAINT campaigns_goal_positive CHECK (goal > 0 AND goal <> 'NaN'),
    min_investment numeric(15, 2) NOT NULL DEFAULT 0 CONSTRAINT campaigns_min_investment_valid
        CHECK (min_investment >= 0),
    max_investment numeric(15, 2),
    duration_days integer NOT NULL CONSTRAINT campaigns_duration_range CHECK (duration_days BETWEEN 30 AND 180),
    grace_days integer NOT NULL DEFAULT 7 CONSTRAINT campaigns_grace_range CHECK (grace_days BETWEEN 0 AND 14),
    threshold_bps integer NOT NULL DEFAULT 7500 CONSTRAINT campaigns_threshold_range
        CHECK (threshold_bps BETWEEN 1 AND 10000),
    document_uri text NOT NULL CONSTRAINT campaigns_document_uri_length CHECK (length(document_uri) BETWEEN 1 AND 512)
        CONSTRAINT campaigns_document_uri_shape CHECK (platform.is_uri(document_uri)),
    status text NOT NULL DEFAULT 'draft' CONSTRAINT campaigns_status_known
        CHECK (status IN ('draft', 'pending', 'approved', 'rejected')),
    submitted_at timestamptz,
    approved_by uuid REFERENCES platform.users,
    approved_at timestamptz,
    rejection_reason text CONSTRAINT campaigns_rejection_reason_length CHECK (length(rejection_reason) <= 1000),
    cancelled_by uuid REFERENCES platform.users,
    cancelled_at timestamptz,
    cancel_reason text CONSTRAINT campaigns_cancel_reason_length CHECK (octet_length(cancel_reason) BETWEEN 1 AND 1024)
        CONSTRAINT campaigns_cancel_reason_text
        CHECK (cancel_reason ~ '[^\t\n \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]'
            AND cancel_reason !~ '[\u0001-\u0008\u000b-\u001f\u007f-\u009f]'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    revision integer NOT NULL DEFAULT 1,
    CONSTRAINT campaigns_min_investment_in_goal CHECK (min_investment <= goal),
    CONSTRAINT campaigns_max_investment_range CHECK (max_investment >= greatest(min_investment, 0.01)
        AND max_investment <> 'NaN'),
    CONSTRAINT campaigns_approved_whole CHECK ((status = 'approved') = (approved_at IS NOT NULL)
        AND (approved_by IS NULL OR approved_at IS NOT NULL)),
    CONSTRAINT campaigns_cancelled_whole CHECK ((cancelled_at IS NULL) = (cancel_reason IS NULL))
);
CREATE INDEX campaigns_company ON platform.campaigns (company, id);
CREATE INDEX campaigns_status ON platform.campaigns (status, id);
COMMENT ON TABLE platform.campaigns IS
    'Campaigns, from draft to approval; what happens then is the chain''s (api.campaigns)';
COMMENT ON COLUMN platform.campaigns.id IS 'UUID; on chain, with zeros behind, the campaign id';
COMMENT ON COLUMN platform.campaigns.company IS 'Who raises money';
COMMENT ON COLUMN platform.campaigns.title IS 'Its title';
COMMENT ON COLUMN platform.campaigns.description IS 'What the money is for';
COMMENT ON COLUMN platform.campaigns.goal IS 'What it wants to raise, in birr';
COMMENT ON COLUMN platform.campaigns.min_investment IS 'The least that is taken at once, in birr';
COMMENT ON COLUMN platform.campaigns.max_investment IS 'The most from one investor in all, in birr; null: no limit';
COMMENT ON COLUMN platform.campaigns.duration_days IS 'How long it runs from its creation on chain';
COMMENT ON COLUMN platform.campaigns.grace_days IS 'How long after that bank money may still be recorded';
COMMENT ON COLUMN platform.campaigns.threshold_bps IS 'The part of the goal that makes it a success, in 1/10 000';
COMMENT ON COLUMN platform.campaigns.document_uri IS 'Where its public terms are: goes on chain';
COMMENT ON COLUMN platform.campaigns.status IS 'draft, pending, approved or rejected';
COMMENT ON COLUMN platform.campaigns.submitted_at IS 'When it was last submitted for approval';
COMMENT ON COLUMN platform.campaigns.approved_by IS 'Who approved it';
COMMENT ON COLUMN platform.campaigns.approved_at IS 'When';
COMMENT ON COLUMN platform.campaigns.rejection_reason IS 'Why it was rejected';
COMMENT ON COLUMN platform.campaigns.cancelled_by IS 'Who called it off';
COMMENT ON COLUMN platform.campaigns.cancelled_at IS 'When; null: nobody did';
COMMENT ON COLUMN platform.campaigns.cancel_reason IS 'Why: goes on chain if the campaign is there';
COMMENT ON COLUMN platform.campaigns.created_at IS 'When';
COMMENT ON COLUMN platform.campaigns.updated_at IS 'When it last changed';
COMMENT ON COLUMN platform.campaigns.revision IS 'Grows by one with each change';

CREATE TABLE platform.campaign_documents (
    id uuid PRIMARY KEY DEFAULT intent.new_id(),
    campaign uuid NOT NULL REFERENCES platform.campaigns,
    title text NOT NULL CONSTRAINT campaign_documents_title_length CHECK (length(title) BETWEEN 1 AND 200),
    type text NOT NULL CONSTRAINT campaign_documents_type_known
        CHECK (type IN ('business_plan', 'financial_statement', 'pitch_deck', 'legal', 'other')),
    file_reference text NOT NULL CONSTRAINT campaign_documents_file_reference_length
        CHECK (length(file_reference) BETWEEN 1 AND 512),
    sha256 text NOT NULL CONSTRAINT campaign_documents_sha256_shape CHECK (sha256 ~ '^0x[0-9a-f]{64}$'),
    uploaded_by uuid REFERENCES platform.users,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX campaign_documents_campaign ON platform.campaign_documents (campaign, created_at);
COMMENT ON TABLE platform.campaign_documents IS 'What a campaign shows to investors';
COMMENT ON COLUMN platform.campaign_documents.id IS 'UUID';
COMMENT ON COLUMN platform.campaign_documents.campaign IS 'The campaign';
COMMENT ON COLUMN platform.campaign_documents.title IS 'Its title';
COMMENT ON COLUMN platform.campaign_documents.type IS 'What kind of document';
COMMENT ON COLUMN platform.campaign_documents.file_reference IS 'Where the file is';
COMMENT ON COLUMN platform.campaign_documents.sha256 IS 'The file''s SHA-256';
COMMENT ON COLUMN platform.campaign_documents.uploaded_by IS 'Who brought it';
COMMENT ON COLUMN platform.campaign_documents.created_at IS 'When';

CREATE TABLE platform.campaign_updates (
    id uuid PRIMARY KEY DEFAULT intent.new_id(),
    campaign uuid NOT NULL REFERENCES platform.campaigns,
    author uuid REFERENCES platform.users,
    title text NOT NULL CONSTRAINT campaign_updates_title_length CHECK (length(title) BETWEEN 1 AND 200),
    body text NOT NULL CONSTRAINT campaign_updates_body_length CHECK (length(body) <= 50000),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX campaign_updates_campaign ON platform.campaign_updates (campaign, created_at);
COMMENT ON TABLE platform.campaign_updates IS 'News of a campaign';
COMMENT ON COLUMN platform.campaign_updates.id IS 'UUID';
COMMENT ON COLUMN platform.campaign_updates.campaign IS 'The campaign';
COMMENT ON COLUMN platform.campaign_updates.author IS 'Who wrote it';
COMMENT ON COLUMN platform.campaign_updates.title IS 'Its title';
COMMENT ON COLUMN platform.campaign_updates.body IS 'Its text';
COMMENT ON COLUMN platform.campaign_updates.created_at IS 'When';

CREATE TABLE platform.investments (
    id uuid PRIMARY KEY DEFAULT intent.new_id(),
    campaign uuid NOT NULL REFERENCES platform.campaigns,
    investor uuid NOT NULL REFERENCES platform.users,
    amount numeric(15, 2) NOT NULL CONSTRAINT investments_amount_positive CHECK (amount > 0 AND amount <> 'NaN'),
    payment_method text NOT NULL CONSTRAINT investments_payment_method_known
        CHECK (payment_method IN ('token', 'telebirr', 'cbe', 'awash', 'dashen', 'abyssinia', 'other')),
    payment_reference text UNIQUE CONSTRAINT investments_payment_reference_shape
        CHECK (payment_reference ~ '^0x[0-9a-f]{64}$' AND payment_reference !~ '^0x0{64}$'
            OR length(payment_reference) BETWEEN 1 AND 64 AND payment_reference !~* '^0x' AND platform.is_line(payment_reference)),
    status text NOT NULL DEFAULT 'pending' CONSTRAINT investments_status_known
        CHECK (status IN ('pending', 'paid', 'failed')),
    wallet text NOT NULL CONSTRAINT investments_wallet_shape CHECK (wallet ~ '^0x[0-9a-f]{40}$'),
    chain_id text NOT NULL UNIQUE CONSTRAINT investments_chain_id_shape CHECK (chain_id ~ '^0x[0-9a-f]{64}$'),
    paid_at timestamptz,
    failure_reason text CONSTRAINT investments_failure_reason_length CHECK (length(failure_reason) <= 1000),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    revision integer NOT NULL DEFAULT 1,
    CONSTRAINT investments_paid_whole CHECK ((status = 'paid') = (paid_at IS NOT NULL)),
    CONSTRAINT investments_payment_reference_given
        CHECK (status <> 'paid' OR payment_method = 'token' OR payment_reference IS NOT NULL)
);
CREATE INDEX investments_campaign ON platform.investments (campaign, id);
CREATE INDEX investments_investor ON platform.investments (investor, id);
CREATE INDEX investments_unpaid ON platform.investments (status, id) WHERE status <> 'paid';
COMMENT ON TABLE platform.investments IS
    'Investments and how they are paid; what the chain made of them is in api.investments';
COMMENT ON COLUMN platform.investments.id IS 'UUID';
COMMENT ON COLUMN platform.investments.campaign IS 'The campaign';
COMMENT ON COLUMN platform.investments.investor IS 'The user who invests';
COMMENT ON COLUMN platform.investments.amount IS 'Birr';
COMMENT ON COLUMN platform.investments.payment_method IS
    'token: the investor''s own transaction on chain; else the bank or the service that took the money';
COMMENT ON COLUMN platform.investments.payment_reference IS
    'The bank''s reference of the payment; its hash goes on chain, where it counts once';
COMMENT ON COLUMN platform.investments.status IS 'pending, paid (recorded on chain then) or failed';
COMMENT ON COLUMN platform.investments.wallet IS
    'The investor''s account when it was made, to which certificate or refund go; set by a trigger';
COMMENT ON COLUMN platform.investments.chain_id IS
    'Its id on chain: the UUID and zeros; of method token the hash of campaign, wallet and that; set by a trigger';
COMMENT ON COLUMN platform.investments.paid_at IS 'When it was paid';
COMMENT ON COLUMN platform.investments.failure_reason IS 'Why it failed';
COMMENT ON COLUMN platform.investments.created_at IS 'When';
COMMENT ON COLUMN platform.investments.updated_at IS 'When it last changed';
COMMENT ON COLUMN platform.investments.revision IS 'Grows by one with each change';

-- Which intents follow from which row. Apps can neither write nor lock it: the indexer notes ends in it, and
-- must not wait for an app that is slow to commit.
CREATE TABLE platform.requests (
    key text PRIMARY KEY,
    subject text NOT NULL CONSTRAINT requests_subject_known
        CHECK (subject IN ('user', 'company', 'campaign', 'investment')),
    row_id uuid NOT NULL,
    purpose text NOT NULL,
    revision integer NOT NULL,
    outcome text,
    error text,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (row_id, purpose, revision)
);
CREATE INDEX requests_unconfirmed ON platform.requests (subject, row_id) WHERE outcome IS DISTINCT FROM 'confirmed';
COMMENT ON TABLE platform.requests IS
    'What was asked of the chain for which row: written by triggers, when it is asked and when it ends';
COMMENT ON COLUMN platform.requests.key IS 'The intent''s key: subject, row, purpose, revision';
COMMENT ON COLUMN platform.requests.subject IS 'user, company, campaign or investment';
COMMENT ON COLUMN platform.requests.row_id IS 'The row';
COMMENT ON COLUMN platform.requests.purpose IS
    'What is wanted: verify, register, document, active, replace, create, cancel, record or transfer';
COMMENT ON COLUMN platform.requests.revision IS 'The row''s revision that wanted it';
COMMENT ON COLUMN platform.requests.outcome IS 'How the latest intent of that key ended; null: it goes on';
COMMENT ON COLUMN platform.requests.error IS 'Why it ended so; or, without an intent, why there is none';
COMMENT ON COLUMN platform.requests.asked_at IS 'When it was first asked';

CREATE TABLE platform.audit (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    role text NOT NULL,
    acting_user uuid,
    table_name text NOT NULL,
    row_id uuid NOT NULL,
    action text NOT NULL CONSTRAINT audit_action_known CHECK (action IN ('insert', 'update', 'delete', 'erase')),
    changes jsonb NOT NULL
);
CREATE INDEX audit_row ON platform.audit (row_id, seq);
COMMENT ON TABLE platform.audit IS 'Who changed what, when: append-only';
COMMENT ON COLUMN platform.audit.seq IS 'The order';
COMMENT ON COLUMN platform.audit.at IS 'When, by the database''s clock';
COMMENT ON COLUMN platform.audit.role IS 'The database role that did it';
COMMENT ON COLUMN platform.audit.acting_user IS
    'The user on whose behalf: the setting chainfirst.user; null: the app itself';
COMMENT ON COLUMN platform.audit.table_name IS 'The table in the schema platform';
COMMENT ON COLUMN platform.audit.row_id IS 'The row''s id';
COMMENT ON COLUMN platform.audit.action IS 'insert, update, delete, or erase: personal data was blanked, here too';
COMMENT ON COLUMN platform.audit.changes IS 'By column: the value before and after; of an insert all values after';
