-- The status of an intent, from its facts alone.
CREATE FUNCTION intent.status_of(wanted uuid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN i.outcome IS NOT NULL THEN i.outcome
        WHEN EXISTS (SELECT FROM intent.settlements s WHERE s.intent = i.id) THEN 'included'
        WHEN t.id IS NULL THEN CASE WHEN i.waiting_reason IS NULL THEN 'pending' ELSE 'waiting' END
        WHEN EXISTS (
            SELECT FROM intent.attempts a JOIN intent.inclusions n ON n.attempt = a.id WHERE a.transaction = t.id
        ) THEN 'included'
        WHEN EXISTS (SELECT FROM intent.attempts a WHERE a.transaction = t.id AND a.sent_at IS NOT NULL) THEN 'sent'
        ELSE 'signed'
    END
    FROM intent.intents i
    LEFT JOIN intent.transactions t ON t.intent = i.id AND t.foreign_hash IS NULL
    WHERE i.id = wanted
$$;
COMMENT ON FUNCTION intent.status_of(uuid) IS
    'pending, waiting, signed, sent, included, confirmed; or failed, rejected, cancelled, expired';

CREATE VIEW intent.overview AS
SELECT
    i.id, i.kind, i.key, i.generation, i.payload, i.submitted_by, i.submitted_at, i.priority,
    CASE
        WHEN i.outcome IS NOT NULL THEN i.outcome
        WHEN s.intent IS NOT NULL OR a.block_number IS NOT NULL THEN 'included'
        WHEN t.id IS NULL THEN CASE WHEN i.waiting_reason IS NULL THEN 'pending' ELSE 'waiting' END
        WHEN a.any_sent THEN 'sent'
        ELSE 'signed'
    END AS status,
    CASE
        WHEN i.outcome IS NOT NULL THEN NULL
        WHEN s.intent IS NOT NULL OR a.block_number IS NOT NULL THEN 'its block to be final'
        WHEN t.id IS NOT NULL THEN 'a block that holds it'
        WHEN i.depends_on IS NOT NULL AND p.outcome IS DISTINCT FROM 'confirmed' THEN
            CASE
                WHEN p.outcome IS NULL THEN 'the intent ' || i.depends_on
                ELSE 'blocked by ' || i.depends_on || ', which is ' || p.outcome
            END
        WHEN i.waiting_reason IS NOT NULL THEN i.waiting_reason
        WHEN i.not_before IS NOT NULL AND i.not_before > clock_timestamp() THEN 'the time ' || i.not_before
        ELSE 'its turn'
    END AS waits_for,
    i.waiting_since, i.alert, i.depends_on, i.not_before, i.expires_at, i.approved_by, i.approved_at,
    i.cancel_requested_at, coalesce(t.signer, i.signer) AS signer, t.nonce, a.purpose, a.hash, a.attempts,
    a.signed_at, a.sent_at, coalesce(s.block_number, a.block_number) AS block_number, a.ok,
    a.gas_used * a.gas_price_wei AS cost_wei, i.amount, coalesce(s.outside, false) AS already_true,
    s.tx_hash AS settled_by, s.parameters AS result, i.error, i.ended_at, i.ended_block
FROM intent.intents i
LEFT JOIN intent.settlements s ON s.intent = i.id
LEFT JOIN intent.transactions t ON t.intent = i.id AND t.foreign_hash IS NULL
LEFT JOIN LATERAL (
    SELECT e.outcome FROM intent.intents e WHERE e.key = i.depends_on ORDER BY e.generation DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT
        e.purpose, e.hash, n.block_number, n.ok, n.gas_used, n.gas_price_wei,
        min(e.signed_at) OVER every AS signed_at, min(e.sent_at) OVER every AS sent_at,
        count(*) OVER every AS attempts, count(e.sent_at) OVER every > 0 AS any_sent
    FROM intent.attempts e
    LEFT JOIN intent.inclusions n ON n.attempt = e.id
    WHERE e.transaction = t.id
    WINDOW every AS (PARTITION BY e.transaction)
    ORDER BY n.block_number IS NULL, e.id DESC
    LIMIT 1
) a ON true;
COMMENT ON VIEW intent.overview IS 'One row an intent: what became of it';
COMMENT ON COLUMN intent.overview.id IS 'The intent';
COMMENT ON COLUMN intent.overview.kind IS 'What is wanted';
COMMENT ON COLUMN intent.overview.key IS 'Names what is wanted';
COMMENT ON COLUMN intent.overview.generation IS 'Grows by one with each retry';
COMMENT ON COLUMN intent.overview.payload IS 'Its parameters';
COMMENT ON COLUMN intent.overview.submitted_by IS 'The role that asked';
COMMENT ON COLUMN intent.overview.submitted_at IS 'When it was asked';
COMMENT ON COLUMN intent.overview.priority IS 'Higher ones are signed first';
COMMENT ON COLUMN intent.overview.status IS
    'pending, waiting, signed, sent, included, confirmed; or failed, rejected, cancelled, expired';
COMMENT ON COLUMN intent.overview.waits_for IS 'What it waits for now; null: it ended';
COMMENT ON COLUMN intent.overview.waiting_since IS 'Since when its reason stands in the way; null: nothing does';
COMMENT ON COLUMN intent.overview.alert IS 'Somebody must look';
COMMENT ON COLUMN intent.overview.depends_on IS 'The key of an intent that must be confirmed first';
COMMENT ON COLUMN intent.overview.not_before IS 'Nothing is signed before';
COMMENT ON COLUMN intent.overview.expires_at IS 'From then on it is taken back';
COMMENT ON COLUMN intent.overview.approved_by IS 'The second role that approved it';
COMMENT ON COLUMN intent.overview.approved_at IS 'When';
COMMENT ON COLUMN intent.overview.cancel_requested_at IS 'Since when it is to be taken back';
COMMENT ON COLUMN intent.overview.signer IS 'The account that signs';
COMMENT ON COLUMN intent.overview.nonce IS 'Its nonce; null: not signed';
COMMENT ON COLUMN intent.overview.purpose IS 'call, or cancel: of the attempt that was mined, or else is the newest';
COMMENT ON COLUMN intent.overview.hash IS 'That attempt''s hash';
COMMENT ON COLUMN intent.overview.attempts IS 'How many were signed at its nonce';
COMMENT ON COLUMN intent.overview.signed_at IS 'When the first was signed';
COMMENT ON COLUMN intent.overview.sent_at IS 'When the first was sent';
COMMENT ON COLUMN intent.overview.block_number IS 'The block of its event, or else of its transaction';
COMMENT ON COLUMN intent.overview.ok IS 'False: its transaction was reverted';
COMMENT ON COLUMN intent.overview.cost_wei IS 'Gas used times its price; null: no transaction of it was mined';
COMMENT ON COLUMN intent.overview.amount IS 'What it moves, in token units';
COMMENT ON COLUMN intent.overview.already_true IS 'Its effect came from somebody else';
COMMENT ON COLUMN intent.overview.settled_by IS 'The transaction of the event that settles it';
COMMENT ON COLUMN intent.overview.result IS 'That event''s row';
COMMENT ON COLUMN intent.overview.error IS 'Why it ended badly';
COMMENT ON COLUMN intent.overview.ended_at IS 'When it ended';
COMMENT ON COLUMN intent.overview.ended_block IS 'The final block that ended it';

-- Who calls: inside a SECURITY DEFINER function current_user is its owner.
CREATE FUNCTION intent.caller() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE current_setting('role') WHEN 'none' THEN session_user::text ELSE current_setting('role') END
$$;
COMMENT ON FUNCTION intent.caller() IS 'The role that the session acts as';

CREATE FUNCTION intent.check_granted(asked_kind text, approving boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    who text := intent.caller();
BEGIN
    IF NOT EXISTS (
        SELECT FROM intent.grants g JOIN pg_roles r ON r.rolname = g.role
        WHERE g.kind IN (asked_kind, '*') AND pg_has_role(who, r.oid, 'USAGE')
            AND CASE WHEN approving THEN g.may_approve ELSE g.may_submit END
    ) THEN
        RAISE EXCEPTION 'the role % may not % intents of the kind %', who,
            CASE WHEN approving THEN 'approve' ELSE 'submit' END, asked_kind
            USING ERRCODE = 'insufficient_privilege', HINT = 'The table intent.grants says who may.';
    END IF;
    RETURN who;
END
$$;
COMMENT ON FUNCTION intent.check_granted(text, boolean) IS 'The calling role, if it may submit (or approve) this kind; else an error';

CREATE FUNCTION intent.submit(
    kind text, payload jsonb, key text, depends_on text DEFAULT NULL, not_before timestamptz DEFAULT NULL,
    expires_at timestamptz DEFAULT NULL, priority integer DEFAULT 0
) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    who text;
    made uuid;
    held intent.intents;
BEGIN
    IF num_nulls(kind, payload, key, priority) > 0 THEN
        RAISE EXCEPTION 'kind, payload, key and priority of an intent can''t be null' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    IF pg_column_size(payload) > 65536 THEN
        RAISE EXCEPTION 'the payload has % bytes; at most 65536 are taken', pg_column_size(payload)
            USING ERRCODE = 'program_limit_exceeded';
    END IF;
    who := intent.check_granted(kind, false);
    -- else an app could take a rule's key, and the rule would take that for its own intent
    IF starts_with(key, 'rule:') AND NOT pg_has_role(who, 'chainfirst_daemon', 'USAGE') THEN
        RAISE EXCEPTION 'the key % is one of the daemon''s rules', key
            USING ERRCODE = 'insufficient_privilege', HINT = 'Begin it otherwise.';
    END IF;
    -- a parent is there before its children: so no circle can come about
    IF depends_on IS NOT NULL AND NOT EXISTS (SELECT FROM intent.intents i WHERE i.key = depends_on) THEN
        RAISE EXCEPTION 'depends_on names %, and there is no intent with this key', depends_on
            USING ERRCODE = 'foreign_key_violation', HINT = 'Submit the parent first.';
    END IF;
    INSERT INTO intent.intents (kind, payload, key, submitted_by, depends_on, not_before, expires_at, priority)
    VALUES (kind, payload, key, who, depends_on, not_before, expires_at, priority)
    ON CONFLICT ON CONSTRAINT intents_key_generation_key DO NOTHING
    RETURNING id INTO made;
    IF made IS NOT NULL THEN
        RETURN made;
    END IF;
    SELECT i.* INTO held FROM intent.intents i WHERE i.key = key ORDER BY i.generation DESC LIMIT 1;
    IF (held.kind, held.payload) <> (kind, payload) OR held.depends_on IS DISTINCT FROM depends_on THEN
        RAISE EXCEPTION 'the key % is taken by the intent % of the kind %, which wants something else', key, held.id, held.kind
            USING ERRCODE = 'unique_violation', HINT = 'Another wish needs another key.';
    END IF;
    RETURN held.id;
END
$$;
COMMENT ON FUNCTION intent.submit(text, jsonb, text, text, timestamptz, timestamptz, integer) IS
    'Ask for something on the chain, in the caller''s transaction; the same key is the same intent. Its id';

CREATE FUNCTION intent.found(wanted uuid) RETURNS intent.intents
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held intent.intents;
BEGIN
    -- no stronger: what settles it refers to it, and an app that is slow to commit must hold up no block
    SELECT * INTO held FROM intent.intents i WHERE i.id = wanted FOR NO KEY UPDATE;
    IF held.id IS NULL THEN
        RAISE EXCEPTION 'there is no intent %', wanted USING ERRCODE = 'no_data_found';
    END IF;
    RETURN held;
END
$$;
COMMENT ON FUNCTION intent.found(uuid) IS 'The intent, locked; an error if there is none';

CREATE FUNCTION intent.cancel(id uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    held intent.intents := intent.found(id);
    who text := intent.check_granted(held.kind, false);
BEGIN
    IF held.outcome IS NOT NULL THEN
        IF held.outcome = 'cancelled' THEN
            RETURN held.outcome;
        END IF;
        RAISE EXCEPTION 'the intent % is % already', id, held.outcome USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- once it is signed, or its event is there, a final block decides
    UPDATE intent.intents i SET
        cancel_requested_by = coalesce(i.cancel_requested_by, who),
        cancel_requested_at = coalesce(i.cancel_requested_at, clock_timestamp()),
        outcome = CASE WHEN begun.yes THEN NULL ELSE 'cancelled' END,
        ended_at = CASE WHEN begun.yes THEN NULL ELSE clock_timestamp() END
    FROM (
        SELECT EXISTS (SELECT FROM intent.transactions t WHERE t.intent = held.id AND t.foreign_hash IS NULL)
            OR EXISTS (SELECT FROM intent.settlements s WHERE s.intent = held.id) AS yes
    ) begun
    WHERE i.id = held.id;
    PERFORM pg_notify('intent_new', '');
    RETURN intent.status_of(id);
END
$$;
COMMENT ON FUNCTION intent.cancel(uuid) IS
    'Take an intent back: at once if nothing was signed, else a transaction in its place is tried. Its status now';

CREATE FUNCTION intent.retry(id uuid, expires_at timestamptz DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    held intent.intents := intent.found(id);
    who text := intent.check_granted(held.kind, false);
    made uuid;
BEGIN
    IF held.outcome IS NULL OR held.outcome = 'confirmed' THEN
        RAISE EXCEPTION 'the intent % is %: only one that failed, or was rejected, cancelled or expired, is tried again',
            id, intent.status_of(id) USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO intent.intents (kind, payload, key, generation, submitted_by, depends_on, expires_at, priority)
    VALUES (held.kind, held.payload, held.key, held.generation + 1, who, held.depends_on, expires_at, held.priority)
    ON CONFLICT ON CONSTRAINT intents_key_generation_key DO NOTHING
    RETURNING intents.id INTO made;
    IF made IS NULL THEN
        RAISE EXCEPTION 'the intent % was tried again already: see the later generations of its key', id
            USING ERRCODE = 'unique_violation';
    END IF;
    RETURN made;
END
$$;
COMMENT ON FUNCTION intent.retry(uuid, timestamptz) IS 'Ask again for what ended badly: the next generation of its key. Its id';

CREATE FUNCTION intent.approve(id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    held intent.intents := intent.found(id);
    who text := intent.check_granted(held.kind, true);
BEGIN
    IF held.outcome IS NOT NULL THEN
        RAISE EXCEPTION 'the intent % is % already', id, held.outcome USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF held.submitted_by = who THEN
        RAISE EXCEPTION 'the role % asked for the intent % itself: another one must approve it', who, id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE intent.intents i SET approved_by = who, approved_at = clock_timestamp()
    WHERE i.id = held.id AND i.approved_by IS NULL;
    PERFORM pg_notify('intent_new', '');
END
$$;
COMMENT ON FUNCTION intent.approve(uuid) IS 'Approve what another role asked for, where the settings want that';

-- What can't be undone isn't.
CREATE FUNCTION intent.guard_intent() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rewinding boolean := coalesce(current_setting('chainfirst.rewind', true), '') = 'on';
    signed boolean := EXISTS (SELECT FROM intent.transactions t WHERE t.intent = OLD.id AND t.foreign_hash IS NULL);
BEGIN
    IF (NEW.id, NEW.kind, NEW.payload, NEW.key, NEW.generation, NEW.submitted_by, NEW.submitted_at, NEW.priority)
        <> (OLD.id, OLD.kind, OLD.payload, OLD.key, OLD.generation, OLD.submitted_by, OLD.submitted_at, OLD.priority)
        OR (NEW.depends_on, NEW.not_before, NEW.expires_at) IS DISTINCT FROM (OLD.depends_on, OLD.not_before, OLD.expires_at)
    THEN
        RAISE EXCEPTION 'what the intent % wants can''t change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.outcome IS NOT NULL AND NEW.outcome IS DISTINCT FROM OLD.outcome AND NOT rewinding THEN
        RAISE EXCEPTION 'the intent % ended: % can''t become %', OLD.id, OLD.outcome, NEW.outcome
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.outcome IS NULL AND NEW.outcome IS NOT NULL AND NEW.ended_block IS NULL AND signed THEN
        RAISE EXCEPTION 'the intent % is signed: only a final block can end it, not %', OLD.id, NEW.outcome
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF signed AND (NEW.signer, NEW.call_to, NEW.call_data, NEW.call_value, NEW.once, NEW.event_table, NEW.key_column,
            NEW.key_value, NEW.event_match, NEW.event_equal, NEW.event_at_most)
        <> (OLD.signer, OLD.call_to, OLD.call_data, OLD.call_value, OLD.once, OLD.event_table, OLD.key_column,
            OLD.key_value, OLD.event_match, OLD.event_equal, OLD.event_at_most)
    THEN
        RAISE EXCEPTION 'the intent % is signed: its call can''t change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION intent.guard_intent() IS 'Refuses every step of an intent that is none';
CREATE TRIGGER guard BEFORE UPDATE ON intent.intents FOR EACH ROW EXECUTE FUNCTION intent.guard_intent();

CREATE FUNCTION intent.guard_transaction() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- An update, not only a lock: whoever cancels it in a transaction that began before (REPEATABLE READ) would
    -- see neither nonce nor end, and now gets a serialization failure.
    UPDATE intent.intents i SET checked_block = i.checked_block WHERE i.id = NEW.intent AND i.outcome IS NULL;
    IF NOT FOUND AND NEW.intent IS NOT NULL THEN
        RAISE EXCEPTION 'the intent % has ended: no nonce is taken for it', NEW.intent USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION intent.guard_transaction() IS 'Refuses a nonce for an intent that has ended';
CREATE TRIGGER guard BEFORE INSERT ON intent.transactions FOR EACH ROW EXECUTE FUNCTION intent.guard_transaction();

-- The history, and the signals: written by triggers, so that nobody can forget them.
CREATE FUNCTION intent.note(of uuid, cause text, in_block bigint DEFAULT NULL) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO intent.history (intent, status, cause, block_number) VALUES (of, intent.status_of(of), cause, in_block)
$$;
COMMENT ON FUNCTION intent.note(uuid, text, bigint) IS 'Add a line to an intent''s history';

CREATE FUNCTION intent.note_intent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM intent.note(NEW.id, 'submitted by ' || NEW.submitted_by);
        RETURN NULL;
    END IF;
    IF NEW.event_table IS NOT NULL AND OLD.event_table IS NULL THEN
        PERFORM intent.note(NEW.id, 'validated');
    END IF;
    IF NEW.approved_by IS DISTINCT FROM OLD.approved_by THEN
        PERFORM intent.note(NEW.id, 'approved by ' || NEW.approved_by);
    END IF;
    IF NEW.cancel_requested_by IS DISTINCT FROM OLD.cancel_requested_by THEN
        PERFORM intent.note(NEW.id, 'cancel requested by ' || NEW.cancel_requested_by);
    END IF;
    IF NEW.waiting_reason IS DISTINCT FROM OLD.waiting_reason AND NEW.outcome IS NULL THEN
        PERFORM intent.note(NEW.id, coalesce('waits: ' || NEW.waiting_reason, 'waits no more'));
    END IF;
    IF NEW.outcome IS DISTINCT FROM OLD.outcome THEN
        PERFORM intent.note(
            NEW.id, coalesce(NEW.outcome || coalesce(': ' || NEW.error, ''), 'the end is taken back'), NEW.ended_block
        );
        PERFORM pg_notify('intent_changed', '');
        -- children wait for it
        PERFORM pg_notify('intent_new', '');
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION intent.note_intent() IS 'Writes the history of intent.intents';
CREATE TRIGGER note_insert AFTER INSERT ON intent.intents FOR EACH ROW EXECUTE FUNCTION intent.note_intent();
CREATE TRIGGER note_update AFTER UPDATE ON intent.intents FOR EACH ROW WHEN (
    (NEW.event_table, NEW.approved_by, NEW.cancel_requested_by, NEW.waiting_reason, NEW.outcome) IS DISTINCT FROM
    (OLD.event_table, OLD.approved_by, OLD.cancel_requested_by, OLD.waiting_reason, OLD.outcome)
) EXECUTE FUNCTION intent.note_intent();

CREATE FUNCTION intent.tell_new() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('intent_new', '');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION intent.tell_new() IS 'Wakes those who wait on the channel intent_new';
CREATE TRIGGER tell AFTER INSERT ON intent.intents FOR EACH STATEMENT EXECUTE FUNCTION intent.tell_new();

CREATE FUNCTION intent.note_attempt() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t intent.transactions;
    what text := CASE NEW.purpose WHEN 'call' THEN '' ELSE ' to cancel it' END;
BEGIN
    SELECT * INTO t FROM intent.transactions x WHERE x.id = NEW.transaction;
    IF t.intent IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        PERFORM intent.note(
            t.intent,
            CASE WHEN NEW.raw IS NULL THEN 'found on the chain' ELSE 'signed' END || what || ': nonce ' || t.nonce || ', '
                || NEW.hash, NEW.signed_block
        );
    ELSIF OLD.sent_at IS NULL AND NEW.sent_at IS NOT NULL THEN
        PERFORM intent.note(t.intent, 'sent' || what || ': ' || NEW.hash, NEW.last_sent_block);
    ELSIF NEW.answer IS DISTINCT FROM OLD.answer THEN
        PERFORM intent.note(t.intent, 'the node says ' || NEW.answer || ': ' || NEW.hash, NEW.last_sent_block);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION intent.note_attempt() IS 'Writes the history of intent.attempts';
CREATE TRIGGER note AFTER INSERT OR UPDATE OF sent_at, answer ON intent.attempts
FOR EACH ROW EXECUTE FUNCTION intent.note_attempt();

CREATE FUNCTION intent.note_transaction() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.foreign_hash IS DISTINCT FROM OLD.foreign_hash AND NEW.intent IS NOT NULL THEN
        PERFORM intent.note(
            NEW.intent, 'its nonce ' || NEW.nonce || ' was used by ' || NEW.foreign_hash, NEW.closed_block
        );
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION intent.note_transaction() IS 'Writes the history of intent.transactions';
CREATE TRIGGER note AFTER UPDATE OF foreign_hash ON intent.transactions
FOR EACH ROW EXECUTE FUNCTION intent.note_transaction();

CREATE FUNCTION intent.note_inclusion() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held intent.inclusions := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    of uuid;
BEGIN
    SELECT t.intent INTO of FROM intent.attempts a JOIN intent.transactions t ON t.id = a.transaction
    WHERE a.id = held.attempt;
    IF of IS NOT NULL THEN
        PERFORM intent.note(
            of,
            CASE
                WHEN TG_OP = 'DELETE' THEN 'its block is not canonical any more'
                WHEN held.ok THEN 'mined'
                ELSE 'mined and reverted'
            END, held.block_number
        );
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION intent.note_inclusion() IS 'Writes the history of intent.inclusions';
CREATE TRIGGER note AFTER INSERT OR DELETE ON intent.inclusions FOR EACH ROW EXECUTE FUNCTION intent.note_inclusion();

CREATE FUNCTION intent.note_settlement() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held intent.settlements := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM intent.note(
        held.intent,
        CASE
            WHEN TG_OP = 'DELETE' THEN 'its event is gone with its block'
            WHEN held.conflict IS NOT NULL THEN 'an event contradicts it: ' || held.conflict
            WHEN held.outside THEN 'its event is there, by somebody else: ' || held.tx_hash
            ELSE 'its event is there'
        END, held.block_number
    );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION intent.note_settlement() IS 'Writes the history of intent.settlements';
CREATE TRIGGER note AFTER INSERT OR DELETE ON intent.settlements FOR EACH ROW EXECUTE FUNCTION intent.note_settlement();

-- Rights. Apps ask by the functions and read; the daemon changes nothing but facts; the reader sees nothing here.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA intent FROM PUBLIC;
GRANT USAGE ON SCHEMA intent TO chainfirst_daemon, chainfirst_app;
GRANT EXECUTE ON FUNCTION
    intent.submit(text, jsonb, text, text, timestamptz, timestamptz, integer), intent.cancel(uuid),
    intent.retry(uuid, timestamptz), intent.approve(uuid), intent.status_of(uuid),
    intent.new_id()
TO chainfirst_daemon, chainfirst_app;
GRANT SELECT ON intent.intents, intent.overview, intent.history, intent.grants, intent.transactions, intent.inclusions,
    intent.settlements, intent.lanes, intent.pauses, intent.documents, intent.rules, intent.differences
TO chainfirst_daemon, chainfirst_app;
GRANT SELECT ON intent.attempts TO chainfirst_daemon;
-- not the signed bytes: whoever has them may send them
GRANT SELECT (id, transaction, purpose, hash, gas, max_fee_wei, priority_fee_wei, signed_at, signed_block, sent_at,
    last_sent_at, last_sent_block, answer, answer_text) ON intent.attempts TO chainfirst_app;
GRANT UPDATE (signer, call_to, call_data, call_value, amount, once, event_table, key_column, key_value, event_match,
    event_equal, event_at_most, waiting_reason, waiting_since, waiting_block, checked_block, alert, outcome, error,
    ended_at, ended_block) ON intent.intents TO chainfirst_daemon;
GRANT INSERT, UPDATE (foreign_hash, accepted_by, closed_block) ON intent.transactions TO chainfirst_daemon;
GRANT INSERT, UPDATE (sent_at, last_sent_at, last_sent_block, answer, answer_text) ON intent.attempts TO chainfirst_daemon;
GRANT INSERT, DELETE ON intent.inclusions, intent.settlements TO chainfirst_daemon;
GRANT INSERT, UPDATE ON intent.lanes TO chainfirst_daemon;
GRANT INSERT, DELETE ON intent.pauses TO chainfirst_daemon;
GRANT INSERT ON intent.documents TO chainfirst_daemon;
GRANT UPDATE ON intent.rules TO chainfirst_daemon;
GRANT INSERT, UPDATE ON intent.differences TO chainfirst_daemon;
