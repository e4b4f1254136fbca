-- An intent that nothing is signed for may be settled by somebody else's event while an app cancels it, and neither
-- sees the other. When the app commits, and not before (whoever is slow to commit must hold up no block), it waits for
-- the batch that is being written; the batch after that finds the intent ended. An app whose snapshot is older than the
-- last batch gets the server's own serialization failure from the lock.
CREATE FUNCTION intent.guard_cancelled() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Usually the transaction is over now. One that has the constraint checked before its commit (SET CONSTRAINTS ALL
    -- IMMEDIATE) keeps the cursor, and every block waits, until it ends: it must not sit idle.
    IF current_setting('idle_in_transaction_session_timeout')::interval NOT BETWEEN '1 millisecond' AND '5 seconds' THEN
        PERFORM set_config('idle_in_transaction_session_timeout', '5s', true);
    END IF;
    PERFORM FROM chain.cursor FOR SHARE;
    IF EXISTS (SELECT FROM intent.settlements s WHERE s.intent = NEW.id) THEN
        RAISE EXCEPTION 'the intent % can''t be cancelled so: its event came while it was', NEW.id
            USING ERRCODE = 'serialization_failure', HINT = 'Try the transaction again.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION intent.guard_cancelled() IS 'Refuses, at the commit, to cancel what an event has settled meanwhile';
CREATE CONSTRAINT TRIGGER guard_cancelled AFTER UPDATE OF outcome ON intent.intents
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
-- without a call it is expected nowhere, and repeatable ones are settled by what is signed alone
WHEN (OLD.outcome IS NULL AND NEW.outcome = 'cancelled' AND NEW.ended_block IS NULL AND NEW.once)
EXECUTE FUNCTION intent.guard_cancelled();

-- The same reason with other numbers is no news: a revert's arguments may change with each block.
CREATE FUNCTION intent.reason_class(reason text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT regexp_replace(reason, '\(.*|\m([0-9]+|0x[0-9a-f]{9,})\M', '', 'g')
$$;
COMMENT ON FUNCTION intent.reason_class(text) IS
    'A reason without what follows its first parenthesis, its numbers, addresses and hashes: of an error, its name';

CREATE OR REPLACE FUNCTION intent.note_intent() RETURNS trigger
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
    IF intent.reason_class(NEW.waiting_reason) IS DISTINCT FROM intent.reason_class(OLD.waiting_reason)
        AND NEW.outcome IS NULL
    THEN
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

ALTER TABLE intent.intents
    ADD COLUMN waiting_hash text CONSTRAINT intents_waiting_hash_shape CHECK (waiting_hash ~ '^0x[0-9a-f]{64}$');
COMMENT ON COLUMN intent.intents.waiting_block IS
    'The block after which its call was reverted, and each time since: once that is final it is rejected; null: none yet';
COMMENT ON COLUMN intent.intents.waiting_hash IS 'Its hash; null: not known, so that it doesn''t count';

ALTER TABLE intent.lanes
    ADD COLUMN blocked_more jsonb NOT NULL DEFAULT '[]' CONSTRAINT lanes_blocked_more_after_one
        CHECK (jsonb_typeof(blocked_more) = 'array' AND (blocked_hash IS NOT NULL OR blocked_more = '[]'));
COMMENT ON COLUMN intent.lanes.blocked_more IS
    'Further nonces that somebody else used, as far as they were looked for: nonce, hash, block and what it does';

-- Rights.
REVOKE ALL ON FUNCTION intent.guard_cancelled(), intent.reason_class(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION intent.reason_class(text) TO chainfirst_daemon;
GRANT UPDATE (waiting_hash) ON intent.intents TO chainfirst_daemon;
