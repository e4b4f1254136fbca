-- What a campaign and an investment must fulfil. Whoever is asked about first is locked by an update that changes
-- nothing, not only locked: of two at once the second sees the first, and in REPEATABLE READ gets a serialization
-- failure, where a lock alone would let it go on with its old snapshot.
CREATE FUNCTION platform.birr(units numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN round(units / 100, 2);
COMMENT ON FUNCTION platform.birr(numeric) IS 'Token units as birr: the token has two decimals';

CREATE FUNCTION platform.check_verified(company uuid) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held platform.companies;
BEGIN
    SELECT * INTO held FROM platform.companies c WHERE c.id = company;
    IF held.id IS NULL THEN
        PERFORM platform.refuse('campaigns', 'company', 'known', format('there is no company %s', company),
            'Give the id of a company.');
    END IF;
    IF NOT held.verified THEN
        PERFORM platform.refuse('campaigns', 'company', 'verified', format('%s is not verified', held.name),
            'Have the company verified first (companies.verified).');
    END IF;
END
$$;
COMMENT ON FUNCTION platform.check_verified(uuid) IS 'An error unless the company is verified';

CREATE FUNCTION platform.check_launch(campaign platform.campaigns) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held platform.companies;
    own text := platform.chain_id(campaign.id);
    registration text;
    other text;
    calendar_year numeric;
BEGIN
    UPDATE platform.companies c SET updated_at = c.updated_at WHERE c.id = campaign.company RETURNING * INTO held;
    PERFORM platform.check_verified(campaign.company);
    registration := platform.registration(held.id);
    IF registration NOT IN ('active', 'asked') THEN
        PERFORM platform.refuse('campaigns', 'company', 'registered',
            CASE registration WHEN 'none' THEN format('%s is not registered on the chain', held.name)
                ELSE format('%s is suspended on the chain', held.name) END,
            'See api.companies for what became of its registration, mend that, and approve again.');
    END IF;

    SELECT coalesce(p.title, l.address) INTO other
    FROM ledger.issuers i
    LEFT JOIN ledger.campaigns l ON l.address = i.active_campaign
    LEFT JOIN platform.campaigns p ON platform.chain_id(p.id) = l.campaign_id AND p.company = held.id
    WHERE i.company_id = platform.chain_id(held.id) AND i.active_campaign IS NOT NULL
        AND l.campaign_id IS DISTINCT FROM own
    LIMIT 1;
    IF FOUND THEN
        PERFORM platform.refuse('campaigns', 'company', 'one_running',
            format('another campaign of %s is running: %s', held.name, coalesce(other, 'on the chain')),
            'Wait until it has ended on the chain, or call it off.');
    END IF;

    -- approved, and not on the chain yet: it will run, unless it was called off in time or its creation ended badly
    SELECT p.title INTO other
    FROM platform.campaigns p
    WHERE p.company = held.id AND p.id <> campaign.id AND p.status = 'approved'
        AND NOT EXISTS (SELECT FROM ledger.campaigns l WHERE l.campaign_id = platform.chain_id(p.id))
        AND CASE WHEN p.cancelled_at IS NULL
            THEN NOT EXISTS (SELECT FROM platform.requests r WHERE r.row_id = p.id AND r.purpose = 'create'
                AND r.outcome <> 'confirmed')
            ELSE EXISTS (SELECT FROM platform.requests r WHERE r.row_id = p.id AND r.purpose = 'create'
                AND (r.outcome IS NULL OR r.outcome = 'confirmed'))
            END
    LIMIT 1;
    IF FOUND THEN
        PERFORM platform.refuse('campaigns', 'company', 'one_running',
            format('another campaign of %s is approved and on its way to the chain: %s', held.name, other),
            'Wait until it has ended on the chain, or call it off (campaigns.cancelled_at) and wait for that.');
    END IF;

    calendar_year := extract(year FROM platform.chain_time() AT TIME ZONE held.time_zone);
    SELECT coalesce(p.title, l.address) INTO other
    FROM event.issuer_registry_issuer_campaign_changed e
    JOIN ledger.campaigns l ON l.address = e.campaign
    LEFT JOIN platform.campaigns p ON platform.chain_id(p.id) = l.campaign_id AND p.company = held.id
    WHERE e.company_id = platform.chain_id(held.id) AND l.campaign_id <> own
        AND extract(year FROM l.created_at AT TIME ZONE held.time_zone) = calendar_year
    UNION ALL
    SELECT p.title
    FROM platform.campaigns p
    WHERE p.company = held.id AND p.id <> campaign.id AND p.status = 'approved' AND p.cancelled_at IS NULL
        AND extract(year FROM p.approved_at AT TIME ZONE held.time_zone) = calendar_year
        AND NOT EXISTS (SELECT FROM ledger.campaigns l WHERE l.campaign_id = platform.chain_id(p.id))
    LIMIT 1;
    IF FOUND THEN
        PERFORM platform.refuse('campaigns', 'company', 'one_a_year',
            format('%s had a campaign in %s already: %s', held.name, calendar_year, other),
            format('A company has one a year: approve it when a block of %s is there (time zone %s).', calendar_year + 1,
                held.time_zone));
    END IF;
END
$$;
COMMENT ON FUNCTION platform.check_launch(platform.campaigns) IS
    'An error unless the campaign may begin: company verified and registered, no other running, none this year. Locks the company';

CREATE FUNCTION platform.guard_campaign() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ended text;
BEGIN
    IF platform.importing() THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'INSERT' THEN
        PERFORM platform.check_start(TG_TABLE_NAME, 'status', NEW.status, 'draft');
        PERFORM platform.check_verified(NEW.company);
        IF NEW.cancelled_at IS NOT NULL OR NEW.cancel_reason IS NOT NULL THEN
            PERFORM platform.refuse(TG_TABLE_NAME, 'cancelled_at', 'approved', 'a draft can''t be called off',
                'Leave it out.');
        END IF;
        NEW.submitted_at := NULL;
        RETURN NEW;
    END IF;

    PERFORM platform.check_step(TG_TABLE_NAME, 'status', OLD.status, NEW.status,
        '{"draft": ["pending"], "pending": ["approved", "rejected", "draft"], "rejected": ["draft"]}');
    IF NEW.company <> OLD.company THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'company', 'fixed', 'a campaign stays with its company',
            'Draft another one.');
    END IF;
    IF OLD.status <> 'draft' AND NEW.status <> 'draft'
        AND (NEW.title, NEW.description, NEW.goal, NEW.min_investment, NEW.max_investment, NEW.duration_days,
            NEW.grace_days, NEW.threshold_bps, NEW.document_uri)
        IS DISTINCT FROM (OLD.title, OLD.description, OLD.goal, OLD.min_investment, OLD.max_investment, OLD.duration_days,
            OLD.grace_days, OLD.threshold_bps, OLD.document_uri)
    THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'status', 'draft',
            format('what a campaign promises is fixed once it is %s', OLD.status),
            CASE OLD.status WHEN 'approved' THEN 'News of it go into platform.campaign_updates.'
                ELSE 'Make it a draft again, change it, and submit it.' END);
    END IF;

    IF NEW.status = OLD.status THEN
        NEW.submitted_at := OLD.submitted_at;
        NEW.approved_by := OLD.approved_by;
        NEW.approved_at := OLD.approved_at;
    ELSIF NEW.status = 'pending' THEN
        PERFORM platform.check_verified(NEW.company);
        NEW.submitted_at := now();
    ELSIF NEW.status = 'approved' THEN
        PERFORM platform.check_may(TG_TABLE_NAME, 'status', 'admin', 'compliance_officer');
        PERFORM platform.check_launch(NEW);
        NEW.approved_at := now();
        NEW.approved_by := coalesce(platform.acting_user(), NEW.approved_by);
    ELSIF NEW.status = 'rejected' THEN
        PERFORM platform.check_may(TG_TABLE_NAME, 'status', 'admin', 'compliance_officer');
    END IF;

    IF (NEW.cancelled_at, NEW.cancel_reason) IS NOT DISTINCT FROM (OLD.cancelled_at, OLD.cancel_reason) THEN
        NEW.cancelled_by := OLD.cancelled_by;
        RETURN NEW;
    END IF;
    IF OLD.cancelled_at IS NOT NULL THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'cancelled_at', 'fixed',
            'the campaign was called off, and that is said to the chain',
            'Draft another campaign.');
    END IF;
    IF OLD.status <> 'approved' THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'cancelled_at', 'approved',
            format('a campaign that is %s can''t be called off', OLD.status),
            'Only one that is approved is: leave others as they are, or reject them.');
    END IF;
    IF NEW.cancel_reason IS NULL THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'cancel_reason', 'given', 'nobody says why',
            'Investors read it on the chain: give one.');
    END IF;
    -- whose other wallet has its creation asked anew: that must not be missed when it is taken back
    UPDATE platform.companies c SET updated_at = c.updated_at WHERE c.id = NEW.company;
    SELECT l.status INTO ended FROM ledger.campaigns l
    WHERE l.campaign_id = platform.chain_id(NEW.id) AND l.status <> 'active' LIMIT 1;
    IF FOUND THEN
        PERFORM platform.refuse(TG_TABLE_NAME, 'cancelled_at', 'running',
            format('the campaign has ended on the chain: %s', ended),
            'There is nothing left to call off.');
    END IF;
    PERFORM platform.check_may(TG_TABLE_NAME, 'cancelled_at', 'admin', 'compliance_officer');
    NEW.cancelled_at := now();
    NEW.cancelled_by := coalesce(platform.acting_user(), NEW.cancelled_by);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION platform.guard_campaign() IS 'Which steps a campaign takes, who takes them, and what must hold then';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON platform.campaigns FOR EACH ROW EXECUTE FUNCTION platform.guard_campaign();

CREATE FUNCTION platform.check_investor(investor uuid) RETURNS platform.users
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held platform.users;
BEGIN
    UPDATE platform.users u SET updated_at = u.updated_at WHERE u.id = investor RETURNING * INTO held;
    IF held.id IS NULL THEN
        PERFORM platform.refuse('investments', 'investor', 'known', format('there is no user %s', investor),
            'Give the id of a user.');
    ELSIF held.role <> 'investor' THEN
        PERFORM platform.refuse('investments', 'investor', 'role', format('the user''s role is %s', held.role),
            'Only an investor invests.');
    ELSIF NOT held.active THEN
        PERFORM platform.refuse('investments', 'investor', 'active', 'the user is not active',
            'Activate the user first (users.active).');
    ELSIF held.kyc_status <> 'verified' THEN
        PERFORM platform.refuse('investments', 'investor', 'verified',
            format('the investor''s KYC is %s', held.kyc_status),
            'Have the investor''s identity verified first (users.kyc_status). Money that came meanwhile must go back.');
    ELSIF held.wallet IS NULL THEN
        PERFORM platform.refuse('investments', 'investor', 'wallet', 'the investor has no wallet',
            'Enter one first (users.wallet).');
    END IF;
    RETURN held;
END
$$;
COMMENT ON FUNCTION platform.check_investor(uuid) IS
    'The user, locked; an error unless it is an active investor with verified KYC and a wallet';

CREATE FUNCTION platform.check_open(campaign uuid, paying boolean) RETURNS ledger.campaigns
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run ledger.campaigns;
    until timestamptz;
BEGIN
    SELECT * INTO run FROM ledger.campaigns l WHERE l.campaign_id = platform.chain_id(campaign)
    ORDER BY l.created_block DESC LIMIT 1;
    IF run.address IS NULL THEN
        PERFORM platform.refuse('investments', 'campaign', 'on_chain', 'the campaign is not on the chain (yet)',
            'It takes investments as soon as api.campaigns shows it as active.');
    ELSIF run.status <> 'active' THEN
        PERFORM platform.refuse('investments', 'campaign', 'active', format('the campaign has ended: %s', run.status),
            'It takes nothing more. Money that came nevertheless must go back: make the investment failed.');
    ELSIF EXISTS (SELECT FROM platform.campaigns c WHERE c.id = campaign AND c.cancelled_at IS NOT NULL) THEN
        -- the chain learns of it in a moment, and would refuse what is recorded after that
        PERFORM platform.refuse('investments', 'campaign', 'active', 'the campaign was called off',
            'It takes nothing more. Money that came nevertheless must go back: make the investment failed.');
    ELSIF run.paused AND NOT paying THEN
        PERFORM platform.refuse('investments', 'campaign', 'paused', 'the campaign is paused',
            'Try again when it goes on.');
    END IF;
    until := to_timestamp(CASE WHEN paying THEN run.record_until ELSE run.deadline END::double precision);
    IF platform.chain_time() > until THEN
        PERFORM platform.refuse('investments', 'campaign', 'in_time', format('the campaign took %s until %s',
                CASE WHEN paying THEN 'payments' ELSE 'investments' END,
                to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')),
            'It takes nothing more. Money that came nevertheless must go back: make the investment failed.');
    END IF;
    IF run.total_raised >= (run.terms ->> 'fundingGoal')::numeric THEN
        PERFORM platform.refuse('investments', 'campaign', 'goal', 'the campaign has reached its goal',
            'It takes nothing more. Money that came nevertheless must go back: make the investment failed.');
    END IF;
    RETURN run;
END
$$;
COMMENT ON FUNCTION platform.check_open(uuid, boolean) IS
    'The campaign as the ledger has it; an error unless it takes investments now, or (paying) payments of those that are there';

CREATE FUNCTION platform.check_limits(investment platform.investments, run ledger.campaigns) RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    least numeric := (run.terms ->> 'minInvestment')::numeric;
    most numeric := nullif((run.terms ->> 'maxInvestment')::numeric, 0);
    missing numeric := (run.terms ->> 'fundingGoal')::numeric - run.total_raised;
    before numeric;
BEGIN
    -- the one that reaches the goal may be smaller
    IF investment.amount * 100 < least(least, missing) THEN
        PERFORM platform.refuse('investments', 'amount', 'minimum',
            format('%s birr is less than the campaign''s minimum of %s birr', investment.amount, platform.birr(least)),
            format('Invest at least %s birr.', platform.birr(least(least, missing))));
    END IF;
    IF most IS NULL THEN
        RETURN;
    END IF;
    -- what the chain has of this investor's wallets, those of rows that went by another one too; then what it has not
    SELECT coalesce(sum(l.amount), 0) INTO before FROM ledger.investments l
    WHERE l.address = run.address AND l.investor = ANY (
        SELECT i.wallet FROM platform.investments i
        WHERE i.campaign = investment.campaign AND i.investor = investment.investor
        UNION SELECT investment.wallet
    );
    SELECT before + coalesce(sum(i.amount) * 100, 0) INTO before FROM platform.investments i
    WHERE i.investor = investment.investor AND i.campaign = investment.campaign AND i.status <> 'failed'
        AND i.id <> investment.id
        AND NOT EXISTS (SELECT FROM ledger.investments l WHERE l.investment_id = i.chain_id);
    IF before + investment.amount * 100 > most THEN
        PERFORM platform.refuse('investments', 'amount', 'maximum',
            format('%s birr, and %s birr that the investor has in this campaign, are more than its maximum of %s birr',
                investment.amount, platform.birr(before), platform.birr(most)),
            CASE WHEN before < most THEN format('At most %s birr more.', platform.birr(most - before))
                ELSE 'This investor can''t invest more.' END);
    END IF;
END
$$;
COMMENT ON FUNCTION platform.check_limits(platform.investments, ledger.campaigns) IS
    'An error unless the amount is within the campaign''s limits, together with what the investor has there';

CREATE FUNCTION platform.investment_id(campaign text, wallet text, nonce text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    -- abi.encode(address, address, bytes32)
    SELECT '0x' || encode(platform.keccak256(decode(
        lpad(substr(campaign, 3), 64, '0') || lpad(substr(wallet, 3), 64, '0') || substr(nonce, 3), 'hex'
    )), 'hex')
$$;
COMMENT ON FUNCTION platform.investment_id(text, text, text) IS
    'The id of an investment that a wallet makes by invest(nonce, amount): CampaignImplementation.investmentIdOf';

CREATE FUNCTION platform.investment_chain_id(investment platform.investments) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(
        CASE investment.payment_method WHEN 'token' THEN (
            SELECT platform.investment_id(l.address, investment.wallet, platform.chain_id(investment.id))
            FROM ledger.campaigns l WHERE l.campaign_id = platform.chain_id(investment.campaign)
            ORDER BY l.created_block DESC LIMIT 1
        ) END,
        platform.chain_id(investment.id)
    )
$$;
COMMENT ON FUNCTION platform.investment_chain_id(platform.investments) IS
    'The id that an investment has on chain: its own, or of method token the one of invest with its own as nonce';

CREATE FUNCTION platform.guard_investment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    starting boolean := TG_OP = 'INSERT';
    paying boolean := false;
    on_chain boolean := false;
    held platform.users;
BEGIN
    IF platform.importing() THEN
        SELECT * INTO held FROM platform.users u WHERE u.id = NEW.investor;
        NEW.wallet := coalesce(platform.checked_wallet(NEW.wallet, 'wallet', TG_TABLE_NAME), held.wallet);
        NEW.chain_id := coalesce(NEW.chain_id, platform.investment_chain_id(NEW));
        RETURN NEW;
    END IF;

    IF TG_OP = 'INSERT' THEN
        PERFORM platform.check_start(TG_TABLE_NAME, 'status', NEW.status, 'pending');
    ELSE
        PERFORM platform.check_step(TG_TABLE_NAME, 'status', OLD.status, NEW.status,
            '{"pending": ["paid", "failed"], "failed": ["pending"]}');
        IF (NEW.campaign, NEW.investor) <> (OLD.campaign, OLD.investor) THEN
            PERFORM platform.refuse(TG_TABLE_NAME, 'investor', 'fixed',
                'an investment stays with its campaign and investor',
                'Make this one failed, and insert another.');
        END IF;
        starting := NEW.status = 'pending' AND (OLD.status, OLD.amount, OLD.payment_method)
            IS DISTINCT FROM (NEW.status, NEW.amount, NEW.payment_method);
        paying := NEW.status = 'paid' AND OLD.status = 'pending';
        on_chain := EXISTS (SELECT FROM ledger.investments l WHERE l.investment_id = OLD.chain_id);
        IF (OLD.status = 'paid' OR on_chain) AND (NEW.status = 'failed'
            OR (NEW.amount, NEW.payment_method, NEW.payment_reference)
                IS DISTINCT FROM (OLD.amount, OLD.payment_method, OLD.payment_reference)
            OR OLD.paid_at <> NEW.paid_at)
        THEN
            PERFORM platform.refuse(TG_TABLE_NAME, 'status', 'paid',
                'an investment that is paid does not change any more',
                'What the chain made of it is in api.investments. Another payment is another investment.');
        END IF;
        NEW.chain_id := OLD.chain_id;
    END IF;

    IF paying THEN
        PERFORM platform.check_may(TG_TABLE_NAME, 'status', 'admin', 'compliance_officer', 'custodian');
        -- in a final block: paid is for good, and nothing else would record it
        IF NEW.payment_method = 'token' AND NOT EXISTS (
            SELECT FROM ledger.investments l WHERE l.investment_id = OLD.chain_id
                AND l.block_number <= (SELECT k.final_number FROM chain.cursor k)
        ) THEN
            PERFORM platform.refuse(TG_TABLE_NAME, 'status', 'on_chain',
                'the investor''s own transaction is not in a final block of the chain (yet)',
                'Nothing is to be done: api.investments shows it as soon as it is there.');
        ELSIF NEW.payment_method <> 'token' AND NEW.payment_reference IS NULL THEN
            PERFORM platform.refuse(TG_TABLE_NAME, 'payment_reference', 'given', 'the payment has none',
                'Give the bank''s reference: the chain takes each one once.');
        END IF;
    END IF;
    IF (starting OR paying) AND NOT on_chain THEN
        held := platform.check_investor(NEW.investor);
        NEW.wallet := held.wallet;
        PERFORM platform.check_limits(NEW, platform.check_open(NEW.campaign, paying));
    ELSIF NEW.status = 'pending' AND NOT on_chain THEN
        -- what was not paid yet goes with its investor to another wallet
        NEW.wallet := coalesce((SELECT u.wallet FROM platform.users u WHERE u.id = NEW.investor), OLD.wallet);
    ELSE
        NEW.wallet := OLD.wallet;
    END IF;
    IF NEW.status <> 'failed' AND NOT on_chain AND (starting OR NEW.wallet <> OLD.wallet) THEN
        NEW.chain_id := platform.investment_chain_id(NEW);
    END IF;
    NEW.paid_at := CASE NEW.status WHEN 'paid' THEN coalesce(NEW.paid_at, OLD.paid_at, now()) END;
    NEW.failure_reason := CASE NEW.status WHEN 'failed' THEN NEW.failure_reason END;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION platform.guard_investment() IS
    'Which steps an investment takes, who takes them, and what must hold then; sets wallet and chain_id';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON platform.investments FOR EACH ROW EXECUTE FUNCTION platform.guard_investment();
