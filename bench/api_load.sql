-- A platform in the middle of its life, made without triggers: load.campaigns campaigns (70 of 100 successful, 10 failed,
-- 5 cancelled, 5 active, 9 not on the chain, 1 of another operator) and about load.investments investments, of which
-- 5 of 100 aren't on the chain, and of the others 5 of 100 aren't the platform's, 10 paid by the investor's own tokens.
SET LOCAL session_replication_role = replica;
SET LOCAL synchronous_commit = off;
SET LOCAL work_mem = '256MB';

CREATE FUNCTION pg_temp.word(name text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN '0x' || md5(name) || md5(name || '.');
CREATE FUNCTION pg_temp.account(name text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN left('0x' || md5(name) || md5(name || '.'), 42);

-- ids sort by time, as those of version 7 do
CREATE FUNCTION pg_temp.later(name text, n integer, j integer) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN ('019' || lpad(to_hex(n * 1000 + j), 9, '0') || '7' || left(md5(name || n || '.' || j), 19))::uuid;

CREATE TEMPORARY TABLE n ON COMMIT DROP AS
SELECT
    n, md5('campaign' || n)::uuid AS id, md5('company' || n / 2)::uuid AS company, pg_temp.account('campaign' || n) AS address,
    pg_temp.account('company' || n / 2) AS issuer, n % 100 BETWEEN 0 AND 89 OR n % 100 = 99 AS on_chain, n % 100 = 99 AS elsewhere,
    CASE WHEN n % 100 < 70 OR n % 100 = 99 THEN 'successful' WHEN n % 100 < 80 THEN 'failed' WHEN n % 100 < 85 THEN 'cancelled'
        WHEN n % 100 < 90 THEN 'active' WHEN n % 100 < 92 THEN 'approved' WHEN n % 100 < 96 THEN 'draft'
        WHEN n % 100 < 98 THEN 'pending' ELSE 'rejected' END AS status,
    '2024-01-01'::timestamptz + n * interval '1 hour' AS at
FROM generate_series(1, current_setting('load.campaigns')::integer) n;

CREATE TEMPORARY TABLE i ON COMMIT DROP AS
SELECT
    n.*, j, n * 1000 + j AS i, pg_temp.later('investment', n, j) AS investment,
    md5('user' || (n * 7 + j * 13) % 10000)::uuid AS investor, pg_temp.account('user' || (n * 7 + j * 13) % 10000) AS wallet,
    j % 20 = 0 OR elsewhere AS unknown, j % 10 = 1 AS token,
    CASE WHEN j % 10 = 1 THEN pg_temp.word('token' || n || '.' || j)
        ELSE platform.chain_id(pg_temp.later('investment', n, j)) END AS chain_id
FROM n CROSS JOIN generate_series(
    1, (current_setting('load.investments')::bigint * 0.95 / (current_setting('load.campaigns')::bigint * 0.91))::integer
) j
WHERE on_chain;

-- records
INSERT INTO platform.users (id, email, full_name, role, wallet, kyc_level, kyc_status)
SELECT md5('user' || u)::uuid, 'user' || u || '@example.com', 'User ' || u, CASE WHEN u % 10 = 0 THEN 'issuer' ELSE 'investor' END,
    pg_temp.account('user' || u), 3, 'verified'
FROM generate_series(0, 9999) u;
INSERT INTO platform.companies (id, owner, name, tin, sector, wallet, document_uri, credential_hash, verified, verified_at)
SELECT DISTINCT ON (company) company, md5('user' || n % 1000 * 10)::uuid, 'Company ' || n / 2, 'TIN' || n / 2 || 'X', 'coffee', issuer,
    'https://example.com/' || n / 2, pg_temp.word('credential' || n / 2), true, at
FROM n;
INSERT INTO platform.campaigns (id, company, title, goal, min_investment, duration_days, document_uri, status, approved_at, created_at)
SELECT id, company, 'Campaign ' || n, 100000, 100, 90, 'https://example.com/campaign/' || n,
    CASE WHEN on_chain THEN 'approved' ELSE status END, CASE WHEN on_chain OR status = 'approved' THEN at END, at
FROM n WHERE NOT elsewhere;
INSERT INTO platform.investments (id, campaign, investor, wallet, chain_id, amount, payment_method, payment_reference, status, paid_at, created_at)
SELECT investment, id, investor, wallet, chain_id, 1000, CASE WHEN token THEN 'token' ELSE 'cbe' END,
    CASE WHEN NOT token THEN 'FT' || n || '.' || j END, 'paid', at, at
FROM i WHERE NOT unknown;
-- not on the chain: half unpaid, a quarter failed, a quarter paid and on their way
INSERT INTO platform.investments (id, campaign, investor, wallet, chain_id, amount, payment_method, payment_reference, status, paid_at, created_at)
SELECT pg_temp.later('open', n, j), id, md5('user' || (n + j) % 10000)::uuid, pg_temp.account('user' || (n + j) % 10000),
    platform.chain_id(pg_temp.later('open', n, j)), 1000, 'cbe', 'OPEN' || n || '.' || j,
    CASE j % 4 WHEN 0 THEN 'paid' WHEN 1 THEN 'failed' ELSE 'pending' END, CASE j % 4 WHEN 0 THEN at END, at
FROM n CROSS JOIN generate_series(
    1, (current_setting('load.investments')::bigint * 0.05 / (current_setting('load.campaigns')::bigint * 0.05))::integer
) j
WHERE status = 'active';
INSERT INTO platform.requests (key, subject, row_id, purpose, revision, outcome, error)
SELECT 'campaign:' || id || ':create:3', 'campaign', id, 'create', 3,
    CASE WHEN on_chain THEN 'confirmed' WHEN n % 100 = 91 THEN 'rejected' END, CASE WHEN n % 100 = 91 THEN 'the issuer is suspended' END
FROM n WHERE NOT elsewhere AND (on_chain OR status = 'approved')
UNION ALL
SELECT 'investment:' || investment || ':record:2', 'investment', investment, 'record', 2, 'confirmed', NULL
FROM i WHERE NOT unknown AND NOT token
UNION ALL
SELECT 'investment:' || p.id || ':record:2', 'investment', p.id, 'record', 2,
    CASE WHEN p.payment_reference LIKE '%00' THEN 'rejected' END, CASE WHEN p.payment_reference LIKE '%00' THEN 'not active' END
FROM platform.investments p WHERE p.status = 'paid' AND p.payment_reference LIKE 'OPEN%';

-- the chain
INSERT INTO event.issuer_registry_issuer_registered
SELECT DISTINCT ON (company) n * 10, 0, 0, at, pg_temp.word('register' || n), pg_temp.account('registry'), platform.chain_id(company),
    issuer, pg_temp.word('credential' || n / 2), 'https://example.com/' || n / 2
FROM n;
INSERT INTO event.campaign_factory_campaign_created
SELECT n * 10 + 1, 0, 0, at, pg_temp.word('create' || n), pg_temp.account('factory'), platform.chain_id(id), address, issuer,
    '{"fundingGoal": "10000000", "minInvestment": "10000", "maxInvestment": "0", "duration": "7776000", "grace": "604800",
      "successThresholdBps": "7500", "documentURI": "https://example.com/terms"}',
    pg_temp.account('token'), 250, extract(epoch FROM at)::bigint + 7776000, extract(epoch FROM at)::bigint + 8380800
FROM n WHERE on_chain;
INSERT INTO event.issuer_registry_issuer_campaign_changed
SELECT n * 10 + 1, 0, 1, at, pg_temp.word('create' || n), pg_temp.account('registry'), platform.chain_id(company), issuer, address
FROM n WHERE on_chain;
INSERT INTO event.campaign_investment_recorded
SELECT n * 10 + 1 + j % 8, 1, j, at, pg_temp.word('invest' || i), address, chain_id, wallet, pg_temp.account('treasury'), 100000,
    CASE WHEN token THEN '0x' || repeat('0', 64) ELSE pg_temp.word('FT' || i) END, 100000, j * 100000, j * 100000, j
FROM i;
INSERT INTO event.campaign_campaign_finalized
SELECT n * 10 + 9, 2, 0, at, pg_temp.word('finalize' || n), address, CASE status WHEN 'successful' THEN 1 ELSE 2 END, 10000000, 100
FROM n WHERE on_chain AND status IN ('successful', 'failed');
INSERT INTO event.campaign_campaign_cancelled
SELECT n * 10 + 9, 2, 0, at, pg_temp.word('cancel' || n), address, 'no permit', 10000000, 100 FROM n WHERE status = 'cancelled';
INSERT INTO event.campaign_funds_released
SELECT n * 10 + 9, 3, 0, at, pg_temp.word('release' || n), address, issuer, 9750000, 250000, pg_temp.account('fees'), 250000
FROM n WHERE status = 'successful';
INSERT INTO event.campaign_investor_refunded
SELECT n * 10 + 9, 3, j, at, pg_temp.word('refund' || i), address, wallet, 100000, 0, CASE status WHEN 'failed' THEN greatest(0, 90 - j) ELSE 5 END
FROM i WHERE status = 'failed' OR status = 'cancelled' AND j % 2 = 0;
INSERT INTO event.share_certificate_base_uri_changed
VALUES (1, 0, 0, '2024-01-01', pg_temp.word('base'), pg_temp.account('certificates'), 'https://example.com/certificates/');
INSERT INTO event.share_certificate_certificate_minted
SELECT n * 10 + 9, 4, j, at, pg_temp.word('mint' || n), pg_temp.account('certificates'), i, chain_id, platform.chain_id(id), wallet,
    100000, 1, pg_temp.word('metadata' || i)
FROM i WHERE status = 'successful' AND j <= 30;
INSERT INTO event.share_certificate_certificate_transferred
SELECT n * 10 + 9, 5, j, at, pg_temp.word('move' || n), pg_temp.account('certificates'), i, wallet, pg_temp.account('heir'), 1
FROM i WHERE status = 'successful' AND j = 7;
INSERT INTO ledger.issuers SELECT * FROM ledger.issuers_fold;
INSERT INTO ledger.campaigns SELECT * FROM ledger.campaigns_fold;
INSERT INTO ledger.escrows SELECT * FROM ledger.escrows_fold;
INSERT INTO ledger.certificates SELECT * FROM ledger.certificates_fold;
INSERT INTO chain.cursor (chain_id, genesis_hash, indexed_number, indexed_hash, final_number, final_hash)
SELECT 1, pg_temp.word('0'), max(n) * 10 + 9, pg_temp.word('head'), max(n) * 10 - 20, pg_temp.word('final') FROM n;
