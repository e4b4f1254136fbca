-- What grows without end and is needed by nothing any more can be taken away by age: the story of intents that ended, and
-- the bytes that were signed for them. Rights to delete and change those tables are granted to nobody: these functions know
-- what may go.

-- An adopted attempt was never signed here, so its gas is unknown; one of ours whose bytes were given up keeps it.
ALTER TABLE intent.attempts DROP CONSTRAINT attempts_adopted_was_sent;
ALTER TABLE intent.attempts
    ADD CONSTRAINT attempts_adopted_was_sent CHECK (num_nonnulls(raw, gas, sent_at) > 0);
COMMENT ON COLUMN intent.attempts.raw IS
    'The signed bytes; null: found on the chain, signed by this key elsewhere; or, where gas is known, given up by age';
CREATE INDEX attempts_with_bytes ON intent.attempts (id) WHERE raw IS NOT NULL;

CREATE FUNCTION intent.is_over(wanted uuid, before timestamptz) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(i.ended_at < before, false)
        AND (i.ended_block IS NULL OR coalesce(i.ended_block <= (SELECT c.final_number FROM chain.cursor c), false))
        -- a nonce that is open may still be mined, whatever became of the intent
        AND NOT EXISTS (
            SELECT FROM intent.transactions t
            WHERE t.intent = i.id
                AND (t.closed_block <= (SELECT c.final_number FROM chain.cursor c)) IS NOT TRUE
        )
    FROM intent.intents i WHERE i.id = wanted
$$;
COMMENT ON FUNCTION intent.is_over(uuid, timestamptz) IS
    'Whether an intent ended before then, and all its nonces are used up by final blocks: nothing can become of it any more';

-- Both look at so many rows after one, in order, and say where they came to; null: there is nothing older behind it. So a
-- run is as long as its caller wants, and what must stay is passed by once a run, not once a batch.
CREATE FUNCTION intent.prune_history(before timestamptz, after bigint, at_most integer, OUT gone bigint, OUT came_to bigint)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH looked AS MATERIALIZED (
        SELECT h.seq, h.intent, h.at FROM intent.history h WHERE h.seq > after ORDER BY h.seq LIMIT at_most
    ), over AS MATERIALIZED (
        SELECT l.intent FROM (SELECT DISTINCT w.intent FROM looked w WHERE w.at < before) l
        WHERE coalesce(intent.is_over(l.intent, before), true)
    ), pruned AS (
        DELETE FROM intent.history h USING looked l
        WHERE h.seq = l.seq AND l.at < before AND l.intent IN (SELECT o.intent FROM over o)
        RETURNING 1
    )
    SELECT
        (SELECT count(*) FROM pruned),
        (SELECT CASE WHEN count(*) = at_most AND bool_or(l.at < before) THEN max(l.seq) END FROM looked l)
$$;
COMMENT ON FUNCTION intent.prune_history(timestamptz, bigint, integer) IS
    'Delete the history of intents that were over before then; how many lines, and the last one that was looked at';

CREATE FUNCTION intent.prune_signed(before timestamptz, after bigint, at_most integer, OUT gone bigint, OUT came_to bigint)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH looked AS MATERIALIZED (
        SELECT a.id, a.transaction, a.signed_at FROM intent.attempts a
        WHERE a.raw IS NOT NULL AND a.id > after ORDER BY a.id LIMIT at_most
    ), pruned AS (
        UPDATE intent.attempts a SET raw = NULL
        FROM looked l JOIN intent.transactions t ON t.id = l.transaction
        WHERE a.id = l.id AND l.signed_at < before AND intent.is_over(t.intent, before)
        RETURNING 1
    )
    SELECT
        (SELECT count(*) FROM pruned),
        (SELECT CASE WHEN count(*) = at_most AND bool_or(l.signed_at < before) THEN max(l.id) END FROM looked l)
$$;
COMMENT ON FUNCTION intent.prune_signed(timestamptz, bigint, integer) IS
    'Give up the signed bytes of intents that were over before then, never their hashes; how many, and the last one looked at';

-- How large things were: what a year will need is known by comparing.
CREATE TABLE chain.sizes (
    day date,
    relation text,
    bytes bigint NOT NULL CONSTRAINT sizes_bytes_valid CHECK (bytes >= 0),
    at timestamptz NOT NULL,
    block_time timestamptz NOT NULL,
    PRIMARY KEY (day, relation)
);
COMMENT ON TABLE chain.sizes IS 'How large each table was, once a day';
COMMENT ON COLUMN chain.sizes.day IS 'The day, in UTC';
COMMENT ON COLUMN chain.sizes.relation IS 'Schema and table';
COMMENT ON COLUMN chain.sizes.bytes IS 'On disk, with indexes and TOAST';
COMMENT ON COLUMN chain.sizes.at IS 'When it was looked';
COMMENT ON COLUMN chain.sizes.block_time IS 'The time of the last indexed block then: a backfill does years in a day';

-- Rights.
REVOKE ALL ON FUNCTION intent.is_over(uuid, timestamptz), intent.prune_history(timestamptz, bigint, integer),
    intent.prune_signed(timestamptz, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION intent.prune_history(timestamptz, bigint, integer),
    intent.prune_signed(timestamptz, bigint, integer) TO chainfirst_daemon;
GRANT SELECT, INSERT, DELETE ON chain.sizes TO chainfirst_daemon;
