COMMENT ON SCHEMA chain IS 'What the indexer knows of the chain: kept blocks, cursor, sources, changes';

CREATE SCHEMA event;
COMMENT ON SCHEMA event IS 'One append-only table for each event of each configured contract';

CREATE SCHEMA ledger;
COMMENT ON SCHEMA ledger IS 'What the events of the platform''s contracts mean';

CREATE TABLE chain.blocks (
    number bigint PRIMARY KEY CONSTRAINT blocks_number_valid CHECK (number >= 0),
    hash text NOT NULL UNIQUE CONSTRAINT blocks_hash_shape CHECK (hash ~ '^0x[0-9a-f]{64}$'),
    parent_hash text NOT NULL CONSTRAINT blocks_parent_hash_shape CHECK (parent_hash ~ '^0x[0-9a-f]{64}$'),
    time timestamptz NOT NULL
);
COMMENT ON TABLE chain.blocks IS 'The last final block and all indexed blocks above it';
COMMENT ON COLUMN chain.blocks.number IS 'Height';
COMMENT ON COLUMN chain.blocks.hash IS 'Lower-case 0x hex';
COMMENT ON COLUMN chain.blocks.parent_hash IS 'Hash of the block before';
COMMENT ON COLUMN chain.blocks.time IS 'The block''s own timestamp';

CREATE TABLE chain.cursor (
    id boolean PRIMARY KEY DEFAULT true CONSTRAINT cursor_one_row CHECK (id),
    chain_id bigint NOT NULL,
    genesis_hash text NOT NULL CONSTRAINT cursor_genesis_hash_shape CHECK (genesis_hash ~ '^0x[0-9a-f]{64}$'),
    indexed_number bigint CONSTRAINT cursor_indexed_number_valid CHECK (indexed_number >= 0),
    indexed_hash text CONSTRAINT cursor_indexed_hash_shape CHECK (indexed_hash ~ '^0x[0-9a-f]{64}$'),
    final_number bigint CONSTRAINT cursor_final_number_valid CHECK (final_number >= 0),
    final_hash text CONSTRAINT cursor_final_hash_shape CHECK (final_hash ~ '^0x[0-9a-f]{64}$'),
    reorg_suspected text,
    updated_at timestamptz,
    CONSTRAINT cursor_indexed_whole CHECK ((indexed_number IS NULL) = (indexed_hash IS NULL)),
    CONSTRAINT cursor_final_whole CHECK ((final_number IS NULL) = (final_hash IS NULL)),
    -- IS TRUE: without it a final block with no indexed one would pass as unknown
    CONSTRAINT cursor_final_indexed CHECK (final_number IS NULL OR (final_number <= indexed_number) IS TRUE),
    CONSTRAINT cursor_one_hash CHECK (final_number <> indexed_number OR final_hash = indexed_hash)
);
COMMENT ON TABLE chain.cursor IS 'One row: how far the database is true to the chain';
COMMENT ON COLUMN chain.cursor.id IS 'Always true: there is one row';
COMMENT ON COLUMN chain.cursor.chain_id IS 'EIP-155 id of the chain that this database follows';
COMMENT ON COLUMN chain.cursor.genesis_hash IS 'Hash of block 0: tells chains of one id apart';
COMMENT ON COLUMN chain.cursor.indexed_number IS 'The last indexed block; null: none yet';
COMMENT ON COLUMN chain.cursor.indexed_hash IS 'Its hash';
COMMENT ON COLUMN chain.cursor.final_number IS 'The last indexed block that is final; never goes back; null: none yet';
COMMENT ON COLUMN chain.cursor.final_hash IS 'Its hash';
COMMENT ON COLUMN chain.cursor.reorg_suspected IS 'Why the indexed tip may not be canonical any more; null: no doubt';
COMMENT ON COLUMN chain.cursor.updated_at IS 'When this row last changed, by the database''s clock';

CREATE FUNCTION chain.guard_cursor() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (NEW.chain_id, NEW.genesis_hash) IS DISTINCT FROM (OLD.chain_id, OLD.genesis_hash) THEN
        RAISE EXCEPTION 'the cursor belongs to chain % with genesis %', OLD.chain_id, OLD.genesis_hash
            USING ERRCODE = 'restrict_violation', HINT = 'Use a database of its own for another chain.';
    END IF;
    IF OLD.final_number IS NOT NULL
        AND coalesce(current_setting('chainfirst.rewind', true), '') <> 'on'
        AND (
            NEW.final_number IS NULL
            OR NEW.final_number < OLD.final_number
            OR (NEW.final_number = OLD.final_number AND NEW.final_hash <> OLD.final_hash)
        )
    THEN
        RAISE EXCEPTION 'the final block % (%) can''t become % (%)',
            OLD.final_number, OLD.final_hash, NEW.final_number, NEW.final_hash
            USING ERRCODE = 'restrict_violation',
            HINT = 'What is final never goes back. Only the operator''s rewind may do it.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION chain.guard_cursor() IS
    'Refuses another chain, and a final block that goes back or changes unless chainfirst.rewind is on';
CREATE TRIGGER guard BEFORE UPDATE ON chain.cursor FOR EACH ROW EXECUTE FUNCTION chain.guard_cursor();

CREATE TABLE chain.leader (
    id boolean PRIMARY KEY DEFAULT true CONSTRAINT leader_one_row CHECK (id),
    epoch bigint NOT NULL
);
COMMENT ON TABLE chain.leader IS 'One row: which daemon may write';
COMMENT ON COLUMN chain.leader.id IS 'Always true: there is one row';
COMMENT ON COLUMN chain.leader.epoch IS 'Grows by one with each leader; every writing transaction asserts its own';
INSERT INTO chain.leader (epoch) VALUES (0);

CREATE TABLE chain.sources (
    table_name text PRIMARY KEY,
    contract text NOT NULL,
    event text NOT NULL,
    filter jsonb NOT NULL,
    fingerprint text NOT NULL,
    complete_to bigint NOT NULL CONSTRAINT sources_complete_to_valid CHECK (complete_to >= -1),
    joined boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE chain.sources IS 'The events that are indexed, one row for each table in the schema event';
COMMENT ON COLUMN chain.sources.table_name IS 'Its table in the schema event';
COMMENT ON COLUMN chain.sources.contract IS 'The contract''s key in the configuration';
COMMENT ON COLUMN chain.sources.event IS 'The event''s signature';
COMMENT ON COLUMN chain.sources.filter IS 'Addresses, factory and start block that are asked for';
COMMENT ON COLUMN chain.sources.fingerprint IS 'Changes when the table or the filter would';
COMMENT ON COLUMN chain.sources.complete_to IS 'The last block up to which nothing is missing; -1: none; once joined, the cursor says it';
COMMENT ON COLUMN chain.sources.joined IS 'Whether it takes part in new blocks, and follows the cursor';
COMMENT ON COLUMN chain.sources.created_at IS 'When it was first configured';

CREATE TABLE chain.changes (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_block bigint NOT NULL,
    to_block bigint NOT NULL,
    kind text NOT NULL CONSTRAINT changes_kind_known CHECK (kind IN ('add', 'rollback', 'join', 'rewind')),
    added jsonb NOT NULL DEFAULT '{}',
    removed jsonb NOT NULL DEFAULT '{}',
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT changes_range CHECK (from_block <= to_block)
);
CREATE INDEX changes_at ON chain.changes (at);
COMMENT ON TABLE chain.changes IS 'What each batch added and removed, in commit order; pruned by age';
COMMENT ON COLUMN chain.changes.seq IS 'Commit order: the indexer alone writes, one batch after the other';
COMMENT ON COLUMN chain.changes.from_block IS 'First block that is affected';
COMMENT ON COLUMN chain.changes.to_block IS 'Last block that is affected';
COMMENT ON COLUMN chain.changes.kind IS 'add, rollback (a reorg), join (a source caught up), rewind (the operator''s)';
COMMENT ON COLUMN chain.changes.added IS 'Rows added, by table';
COMMENT ON COLUMN chain.changes.removed IS 'Rows removed, by table';
COMMENT ON COLUMN chain.changes.at IS 'When, by the database''s clock';

CREATE TABLE event.undecoded (
    block_number bigint NOT NULL,
    tx_index integer NOT NULL,
    log_index integer NOT NULL,
    block_time timestamptz NOT NULL,
    tx_hash text NOT NULL,
    address text NOT NULL,
    topics text[] NOT NULL,
    data bytea NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (block_number, tx_index, log_index)
);
COMMENT ON TABLE event.undecoded IS 'Logs that fit no ABI or lose something in their table, as the chain has them';
COMMENT ON COLUMN event.undecoded.block_number IS 'The block of the log';
COMMENT ON COLUMN event.undecoded.tx_index IS 'Position of its transaction in the block';
COMMENT ON COLUMN event.undecoded.log_index IS 'Position of the log, in the block or (on some chains) the transaction';
COMMENT ON COLUMN event.undecoded.block_time IS 'The block''s own timestamp';
COMMENT ON COLUMN event.undecoded.tx_hash IS 'Hash of its transaction';
COMMENT ON COLUMN event.undecoded.address IS 'The contract that emitted it';
COMMENT ON COLUMN event.undecoded.topics IS 'Raw topics, lower-case 0x hex';
COMMENT ON COLUMN event.undecoded.data IS 'Raw data';
COMMENT ON COLUMN event.undecoded.reason IS 'Why it is here';

-- Rights. Nobody is granted more than stands here; what PUBLIC has by default is taken away.
REVOKE ALL ON FUNCTION chain.guard_cursor() FROM PUBLIC;

GRANT USAGE ON SCHEMA chain TO chainfirst_daemon;
GRANT USAGE ON SCHEMA event, ledger TO chainfirst_daemon, chainfirst_app, chainfirst_reader;

GRANT SELECT, INSERT, DELETE ON chain.blocks TO chainfirst_daemon;
-- no DELETE: the guard on UPDATE could be walked round
GRANT SELECT, INSERT, UPDATE ON chain.cursor TO chainfirst_daemon;
GRANT SELECT, UPDATE ON chain.leader TO chainfirst_daemon;
GRANT SELECT, INSERT, UPDATE, DELETE ON chain.sources TO chainfirst_daemon;
GRANT SELECT, INSERT, DELETE ON chain.changes TO chainfirst_daemon;
GRANT SELECT ON chain.alembic_version TO chainfirst_daemon;

-- Rows of event and ledger are added and removed, never changed: not even by the daemon.
GRANT SELECT, INSERT, DELETE ON event.undecoded TO chainfirst_daemon;
GRANT SELECT ON event.undecoded TO chainfirst_app, chainfirst_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA event GRANT SELECT, INSERT, DELETE ON TABLES TO chainfirst_daemon;
ALTER DEFAULT PRIVILEGES IN SCHEMA event GRANT SELECT ON TABLES TO chainfirst_app, chainfirst_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT SELECT, INSERT, DELETE ON TABLES TO chainfirst_daemon;
ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT SELECT ON TABLES TO chainfirst_app, chainfirst_reader;
