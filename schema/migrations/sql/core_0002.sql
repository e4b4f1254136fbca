CREATE SCHEMA intent;
COMMENT ON SCHEMA intent IS 'What somebody wants of the chain, what was signed for it, and what the chain made of it';

-- A UUID of version 7 (RFC 9562, method 3): its order is that of time, to a quarter of a microsecond.
CREATE FUNCTION intent.new_id() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT encode(
        overlay(
            overlay(
                uuid_send(gen_random_uuid())
                PLACING substring(int8send((microseconds / 1000)::bigint) FROM 3) FROM 1 FOR 6
            )
            PLACING substring(int8send((28672 + (microseconds % 1000) * 4096 / 1000)::bigint) FROM 7) FROM 7 FOR 2
        ), 'hex'
    )::uuid
    FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS microseconds) t
$$;
COMMENT ON FUNCTION intent.new_id() IS 'A new UUID of version 7: ids sort by the time they were made';

CREATE TABLE intent.intents (
    id uuid PRIMARY KEY DEFAULT intent.new_id(),
    kind text NOT NULL CONSTRAINT intents_kind_shape CHECK (kind ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$' AND length(kind) <= 100),
    payload jsonb NOT NULL CONSTRAINT intents_payload_object CHECK (jsonb_typeof(payload) = 'object'),
    key text NOT NULL CONSTRAINT intents_key_length CHECK (length(key) BETWEEN 1 AND 200),
    generation integer NOT NULL DEFAULT 1 CONSTRAINT intents_generation_valid CHECK (generation >= 1),
    submitted_by text NOT NULL,
    submitted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    depends_on text,
    not_before timestamptz,
    expires_at timestamptz,
    priority integer NOT NULL DEFAULT 0 CONSTRAINT intents_priority_range CHECK (priority BETWEEN -1000 AND 1000),
    approved_by text,
    approved_at timestamptz,
    cancel_requested_by text,
    cancel_requested_at timestamptz,
    signer text CONSTRAINT intents_signer_shape CHECK (signer ~ '^0x[0-9a-f]{40}$'),
    call_to text,
    call_data bytea,
    call_value numeric(78, 0),
    amount numeric(78, 0),
    once boolean,
    event_table text,
    key_column text,
    key_value text,
    event_match jsonb,
    event_equal jsonb,
    event_at_most jsonb,
    waiting_reason text,
    waiting_since timestamptz,
    waiting_block bigint,
    checked_block bigint,
    alert boolean NOT NULL DEFAULT false,
    outcome text CONSTRAINT intents_outcome_known
        CHECK (outcome IN ('confirmed', 'failed', 'rejected', 'cancelled', 'expired')),
    error text,
    ended_at timestamptz,
    ended_block bigint,
    UNIQUE (key, generation),
    CONSTRAINT intents_own_parent CHECK (depends_on <> key),
    CONSTRAINT intents_time_window CHECK (expires_at > not_before),
    CONSTRAINT intents_approved_whole CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CONSTRAINT intents_approved_by_another CHECK (approved_by <> submitted_by),
    CONSTRAINT intents_cancel_whole CHECK ((cancel_requested_by IS NULL) = (cancel_requested_at IS NULL)),
    CONSTRAINT intents_prepared_whole CHECK (
        num_nulls(signer, call_to, call_data, call_value, once, event_table, key_column, key_value, event_match,
            event_equal, event_at_most) IN (0, 11)
    ),
    CONSTRAINT intents_waiting_whole CHECK ((waiting_reason IS NULL) = (waiting_since IS NULL)),
    CONSTRAINT intents_ended_whole CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    CONSTRAINT intents_ends_in_a_block CHECK (outcome NOT IN ('confirmed', 'failed') OR ended_block IS NOT NULL),
    CONSTRAINT intents_cancelled_on_request CHECK (outcome <> 'cancelled' OR cancel_requested_at IS NOT NULL),
    CONSTRAINT intents_bad_end_has_a_reason CHECK (outcome NOT IN ('failed', 'rejected') OR error IS NOT NULL)
);
CREATE INDEX intents_open ON intent.intents (priority DESC, id) WHERE outcome IS NULL;
CREATE INDEX intents_expected ON intent.intents (event_table, key_value) WHERE outcome IS NULL;
CREATE INDEX intents_children ON intent.intents (depends_on) WHERE outcome IS NULL;
CREATE INDEX intents_alert ON intent.intents (id) WHERE alert;
CREATE INDEX intents_ended ON intent.intents (ended_block) WHERE ended_block IS NOT NULL;
CREATE INDEX intents_reverted ON intent.intents (signer, ended_at) WHERE error = 'reverted';
CREATE INDEX intents_ended_badly ON intent.intents (key) WHERE outcome <> 'confirmed';
COMMENT ON TABLE intent.intents IS 'What somebody wants: one effect on the chain, at most once. Written by the functions and the daemon';
COMMENT ON COLUMN intent.intents.id IS 'UUID of version 7: ids sort by time';
COMMENT ON COLUMN intent.intents.kind IS 'What is wanted, such as campaign.finalize; docs/kinds.md has them all';
COMMENT ON COLUMN intent.intents.payload IS 'Its parameters; amounts are decimal strings of token units';
COMMENT ON COLUMN intent.intents.key IS 'Names what is wanted: the same key is the same intent';
COMMENT ON COLUMN intent.intents.generation IS 'Grows by one with each retry; the latest one is meant by the key';
COMMENT ON COLUMN intent.intents.submitted_by IS 'The role that asked';
COMMENT ON COLUMN intent.intents.submitted_at IS 'When it was asked';
COMMENT ON COLUMN intent.intents.depends_on IS 'The key of an intent that must be confirmed first, in its latest generation';
COMMENT ON COLUMN intent.intents.not_before IS 'Nothing is signed before';
COMMENT ON COLUMN intent.intents.expires_at IS 'From then on it is taken back, as if it were cancelled';
COMMENT ON COLUMN intent.intents.priority IS 'Higher ones are signed first; among equals the older';
COMMENT ON COLUMN intent.intents.approved_by IS 'The second role that approved it; null: not (yet)';
COMMENT ON COLUMN intent.intents.approved_at IS 'When';
COMMENT ON COLUMN intent.intents.cancel_requested_by IS 'The role that wants it taken back; null: nobody';
COMMENT ON COLUMN intent.intents.cancel_requested_at IS 'When; what is mined decides whether it still could be';
COMMENT ON COLUMN intent.intents.signer IS 'The lane that signs it; null like all that follows up to event_at_most: not validated yet';
COMMENT ON COLUMN intent.intents.call_to IS 'The contract that is called';
COMMENT ON COLUMN intent.intents.call_data IS 'Selector and arguments';
COMMENT ON COLUMN intent.intents.call_value IS 'Wei that go with it';
COMMENT ON COLUMN intent.intents.amount IS 'What it moves, in token units, for limits; null: nothing';
COMMENT ON COLUMN intent.intents.once IS 'True: any event with its id settles it, whoever sent it; false: only one of its own transaction';
COMMENT ON COLUMN intent.intents.event_table IS 'The table in the schema event whose row settles it';
COMMENT ON COLUMN intent.intents.key_column IS 'The column of that table that finds the row';
COMMENT ON COLUMN intent.intents.key_value IS 'Its value, as text';
COMMENT ON COLUMN intent.intents.event_match IS 'Further columns that make the row this intent''s';
COMMENT ON COLUMN intent.intents.event_equal IS 'Columns that must have these values: others are a conflict';
COMMENT ON COLUMN intent.intents.event_at_most IS 'Columns that must not have more than these values: more is a conflict';
COMMENT ON COLUMN intent.intents.waiting_reason IS 'Why it isn''t signed yet; null: it wasn''t tried, or nothing is in its way';
COMMENT ON COLUMN intent.intents.waiting_since IS 'Since when';
COMMENT ON COLUMN intent.intents.waiting_block IS 'The head when its call reverted first';
COMMENT ON COLUMN intent.intents.checked_block IS 'The head when it was last tried: once a block is enough';
COMMENT ON COLUMN intent.intents.alert IS 'Somebody must look: it waits for what doesn''t come by itself, or ended against all expectation';
COMMENT ON COLUMN intent.intents.outcome IS 'How it ended: confirmed, failed, rejected, cancelled or expired; null: it goes on';
COMMENT ON COLUMN intent.intents.error IS 'Why it ended so';
COMMENT ON COLUMN intent.intents.ended_at IS 'When it ended, by the database''s clock';
COMMENT ON COLUMN intent.intents.ended_block IS 'The final block that ended it; null: it ended without one';

CREATE TABLE intent.transactions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    signer text NOT NULL CONSTRAINT transactions_signer_shape CHECK (signer ~ '^0x[0-9a-f]{40}$'),
    nonce bigint NOT NULL CONSTRAINT transactions_nonce_valid CHECK (nonce >= 0),
    intent uuid REFERENCES intent.intents,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    foreign_hash text CONSTRAINT transactions_foreign_hash_shape CHECK (foreign_hash ~ '^0x[0-9a-f]{64}$'),
    accepted_by text,
    closed_block bigint,
    CONSTRAINT transactions_of_somebody CHECK (intent IS NOT NULL OR foreign_hash IS NOT NULL),
    CONSTRAINT transactions_foreign_accepted CHECK (intent IS NOT NULL OR accepted_by IS NOT NULL)
);
-- One serves. Another that had the nonce, and lost it to somebody else's transaction, may stand beside the intent
-- whose call that was.
CREATE UNIQUE INDEX transactions_one_for_each_nonce ON intent.transactions (signer, nonce) WHERE foreign_hash IS NULL;
CREATE INDEX transactions_nonce ON intent.transactions (signer, nonce);
CREATE UNIQUE INDEX transactions_one_for_each_intent ON intent.transactions (intent) WHERE foreign_hash IS NULL;
CREATE INDEX transactions_intent ON intent.transactions (intent);
CREATE INDEX transactions_open ON intent.transactions (signer, nonce) WHERE closed_block IS NULL;
CREATE INDEX transactions_created ON intent.transactions (signer, created_at);
CREATE INDEX transactions_closed ON intent.transactions (closed_block) WHERE closed_block IS NOT NULL;
COMMENT ON TABLE intent.transactions IS 'Which nonce serves which intent: a nonce never serves two';
COMMENT ON COLUMN intent.transactions.id IS 'Its number here';
COMMENT ON COLUMN intent.transactions.signer IS 'The account whose nonce it is';
COMMENT ON COLUMN intent.transactions.nonce IS 'The nonce';
COMMENT ON COLUMN intent.transactions.intent IS 'The intent; null: a nonce that somebody else used before this database knew of it';
COMMENT ON COLUMN intent.transactions.created_at IS 'When the nonce was taken';
COMMENT ON COLUMN intent.transactions.foreign_hash IS 'Somebody else''s transaction that has used this nonce: ours can''t be mined any more';
COMMENT ON COLUMN intent.transactions.accepted_by IS 'Who accepted that';
COMMENT ON COLUMN intent.transactions.closed_block IS 'The final block in which the nonce was used; null: not yet';

CREATE TABLE intent.attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction bigint NOT NULL REFERENCES intent.transactions,
    purpose text NOT NULL CONSTRAINT attempts_purpose_known CHECK (purpose IN ('call', 'cancel')),
    hash text NOT NULL UNIQUE CONSTRAINT attempts_hash_shape CHECK (hash ~ '^0x[0-9a-f]{64}$'),
    raw bytea,
    gas bigint CONSTRAINT attempts_gas_valid CHECK (gas > 0),
    max_fee_wei numeric(78, 0) NOT NULL,
    priority_fee_wei numeric(78, 0),
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    signed_block bigint NOT NULL,
    sent_at timestamptz,
    last_sent_at timestamptz,
    last_sent_block bigint,
    answer text,
    answer_text text,
    CONSTRAINT attempts_fees_ordered CHECK (priority_fee_wei <= max_fee_wei),
    CONSTRAINT attempts_sent_whole CHECK (num_nulls(sent_at, last_sent_at, last_sent_block) IN (0, 3)),
    CONSTRAINT attempts_adopted_was_sent CHECK (raw IS NOT NULL OR sent_at IS NOT NULL),
    CONSTRAINT attempts_own_gas_known CHECK (raw IS NULL OR gas IS NOT NULL)
);
CREATE INDEX attempts_transaction ON intent.attempts (transaction);
COMMENT ON TABLE intent.attempts IS 'Which bytes were signed for a nonce; stored before they are sent';
COMMENT ON COLUMN intent.attempts.id IS 'Its number here; the highest of a transaction is the newest';
COMMENT ON COLUMN intent.attempts.transaction IS 'Whose nonce it has';
COMMENT ON COLUMN intent.attempts.purpose IS 'call: what the intent wants; cancel: nothing, to the signer itself, in its place';
COMMENT ON COLUMN intent.attempts.hash IS 'The transaction''s hash';
COMMENT ON COLUMN intent.attempts.raw IS 'The signed bytes; null: found on the chain, signed by this key elsewhere';
COMMENT ON COLUMN intent.attempts.gas IS 'The gas limit; null: found on the chain';
COMMENT ON COLUMN intent.attempts.max_fee_wei IS 'The most that a unit of gas may cost; of a legacy transaction, what it costs';
COMMENT ON COLUMN intent.attempts.priority_fee_wei IS 'Of which to the miner at most; null: a legacy transaction';
COMMENT ON COLUMN intent.attempts.signed_at IS 'When it was signed';
COMMENT ON COLUMN intent.attempts.signed_block IS 'The head then';
COMMENT ON COLUMN intent.attempts.sent_at IS 'When a node first may have got it; null: not sent yet';
COMMENT ON COLUMN intent.attempts.last_sent_at IS 'When it was last sent';
COMMENT ON COLUMN intent.attempts.last_sent_block IS 'The head then';
COMMENT ON COLUMN intent.attempts.answer IS 'The class of the node''s last answer';
COMMENT ON COLUMN intent.attempts.answer_text IS 'The node''s last words';

CREATE TABLE intent.inclusions (
    attempt bigint PRIMARY KEY REFERENCES intent.attempts,
    block_number bigint NOT NULL,
    block_hash text NOT NULL CONSTRAINT inclusions_block_hash_shape CHECK (block_hash ~ '^0x[0-9a-f]{64}$'),
    ok boolean NOT NULL,
    gas_used bigint NOT NULL,
    gas_price_wei numeric(78, 0) NOT NULL
);
CREATE INDEX inclusions_block ON intent.inclusions (block_number);
COMMENT ON TABLE intent.inclusions IS 'Which indexed block holds an attempt; goes with its block in a reorganisation';
COMMENT ON COLUMN intent.inclusions.attempt IS 'What was mined';
COMMENT ON COLUMN intent.inclusions.block_number IS 'The block';
COMMENT ON COLUMN intent.inclusions.block_hash IS 'Its hash';
COMMENT ON COLUMN intent.inclusions.ok IS 'False: it was reverted';
COMMENT ON COLUMN intent.inclusions.gas_used IS 'The gas that it used';
COMMENT ON COLUMN intent.inclusions.gas_price_wei IS 'What a unit of it cost';

CREATE TABLE intent.settlements (
    intent uuid PRIMARY KEY REFERENCES intent.intents,
    block_number bigint NOT NULL,
    tx_index integer NOT NULL,
    log_index integer NOT NULL,
    tx_hash text NOT NULL,
    parameters jsonb NOT NULL,
    outside boolean NOT NULL,
    conflict text
);
CREATE INDEX settlements_block ON intent.settlements (block_number);
COMMENT ON TABLE intent.settlements IS 'Which event settles an intent; goes with its block in a reorganisation';
COMMENT ON COLUMN intent.settlements.intent IS 'The intent';
COMMENT ON COLUMN intent.settlements.block_number IS 'The event''s block';
COMMENT ON COLUMN intent.settlements.tx_index IS 'The position of its transaction there';
COMMENT ON COLUMN intent.settlements.log_index IS 'The position of the event';
COMMENT ON COLUMN intent.settlements.tx_hash IS 'Its transaction';
COMMENT ON COLUMN intent.settlements.parameters IS 'The event''s row';
COMMENT ON COLUMN intent.settlements.outside IS 'It was already true, or somebody else did it: not by an attempt of this intent';
COMMENT ON COLUMN intent.settlements.conflict IS 'What differs from what was wanted; null: nothing';

CREATE TABLE intent.lanes (
    signer text PRIMARY KEY CONSTRAINT lanes_signer_shape CHECK (signer ~ '^0x[0-9a-f]{40}$'),
    name text NOT NULL,
    first_nonce bigint,
    explained_to bigint,
    blocked_reason text,
    blocked_nonce bigint,
    blocked_hash text,
    blocked_block bigint,
    accepted_by text,
    accepted_at timestamptz,
    alert text,
    balance_wei numeric(78, 0),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT lanes_explained_whole CHECK ((first_nonce IS NULL) = (explained_to IS NULL)),
    CONSTRAINT lanes_explained_valid CHECK (explained_to >= first_nonce),
    CONSTRAINT lanes_blocked_whole CHECK (
        (blocked_hash IS NULL) = (blocked_block IS NULL) AND (blocked_nonce IS NOT NULL OR blocked_hash IS NULL)
        AND (blocked_reason IS NOT NULL OR blocked_nonce IS NULL)
    ),
    CONSTRAINT lanes_accepted_whole CHECK ((accepted_by IS NULL) = (accepted_at IS NULL))
);
COMMENT ON TABLE intent.lanes IS 'The keys that sign, one lane each';
COMMENT ON COLUMN intent.lanes.signer IS 'The key''s address';
COMMENT ON COLUMN intent.lanes.name IS 'The lane''s name in the settings';
COMMENT ON COLUMN intent.lanes.first_nonce IS 'The first nonce that is this database''s; null: not known yet';
COMMENT ON COLUMN intent.lanes.explained_to IS 'All nonces below this one are used up by final blocks, and it is known by what';
COMMENT ON COLUMN intent.lanes.blocked_reason IS 'Why it signs nothing until somebody decides (chainfirst lanes accept); null: it isn''t blocked';
COMMENT ON COLUMN intent.lanes.blocked_nonce IS 'The nonce that somebody else used; without a hash: the one that the lane would begin at';
COMMENT ON COLUMN intent.lanes.blocked_hash IS 'The transaction that used it';
COMMENT ON COLUMN intent.lanes.blocked_block IS 'The final block that holds it';
COMMENT ON COLUMN intent.lanes.accepted_by IS 'Who last decided that it goes on; null: nobody had to';
COMMENT ON COLUMN intent.lanes.accepted_at IS 'When';
COMMENT ON COLUMN intent.lanes.alert IS 'What somebody must see to while it goes on: no funds, fees at their cap; null: nothing';
COMMENT ON COLUMN intent.lanes.balance_wei IS 'The key''s balance when it was last asked';
COMMENT ON COLUMN intent.lanes.updated_at IS 'When this row last changed';

CREATE TABLE intent.pauses (
    subject text PRIMARY KEY CONSTRAINT pauses_subject_shape CHECK (subject ~ '^(0x[0-9a-f]{40}|[a-z*][a-z0-9_.*]*)$'),
    why text NOT NULL DEFAULT '',
    paused_by text NOT NULL DEFAULT session_user,
    paused_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE intent.pauses IS 'What signs nothing for now: signers and kinds; indexing goes on';
COMMENT ON COLUMN intent.pauses.subject IS 'A signer''s address, or a kind, such as escrow.refund or escrow.*';
COMMENT ON COLUMN intent.pauses.why IS 'Why';
COMMENT ON COLUMN intent.pauses.paused_by IS 'Who';
COMMENT ON COLUMN intent.pauses.paused_at IS 'Since when';

CREATE TABLE intent.grants (
    kind text NOT NULL,
    role text NOT NULL,
    may_submit boolean NOT NULL DEFAULT true,
    may_approve boolean NOT NULL DEFAULT false,
    PRIMARY KEY (kind, role)
);
COMMENT ON TABLE intent.grants IS 'Which role may submit and approve which kind';
COMMENT ON COLUMN intent.grants.kind IS 'The kind; * is every kind';
COMMENT ON COLUMN intent.grants.role IS 'The role; whoever is a member of it may too';
COMMENT ON COLUMN intent.grants.may_submit IS 'Whether it may ask, cancel and retry';
COMMENT ON COLUMN intent.grants.may_approve IS 'Whether it may approve what another role asked';
INSERT INTO intent.grants (kind, role) VALUES ('*', 'chainfirst_daemon');

CREATE TABLE intent.history (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    intent uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status text NOT NULL,
    cause text NOT NULL,
    block_number bigint
);
CREATE INDEX history_intent ON intent.history (intent, seq);
COMMENT ON TABLE intent.history IS 'Every change of an intent''s facts, in order';
COMMENT ON COLUMN intent.history.seq IS 'The order';
COMMENT ON COLUMN intent.history.intent IS 'The intent';
COMMENT ON COLUMN intent.history.at IS 'When, by the database''s clock';
COMMENT ON COLUMN intent.history.status IS 'Its status afterwards';
COMMENT ON COLUMN intent.history.cause IS 'What happened';
COMMENT ON COLUMN intent.history.block_number IS 'The block that it happened in or by; null: in none';

CREATE TABLE intent.documents (
    hash text PRIMARY KEY CONSTRAINT documents_hash_of_body CHECK (hash = '0x' || encode(sha256(body), 'hex')),
    media_type text NOT NULL,
    body bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE intent.documents IS 'Documents whose hash goes on the chain: the metadata of certificates; never changed';
COMMENT ON COLUMN intent.documents.hash IS 'SHA-256 of the body: a certificate''s metadata_hash';
COMMENT ON COLUMN intent.documents.media_type IS 'What the body is, such as application/json (RFC 6838)';
COMMENT ON COLUMN intent.documents.body IS 'The document, byte for byte';
COMMENT ON COLUMN intent.documents.made_at IS 'When it was made first';

CREATE TABLE intent.rules (
    id boolean PRIMARY KEY DEFAULT true CONSTRAINT rules_one_row CHECK (id),
    done_to bigint NOT NULL DEFAULT -1
);
COMMENT ON TABLE intent.rules IS 'One row: how far the rules have made the intents that follow from final blocks';
COMMENT ON COLUMN intent.rules.id IS 'Always true: there is one row';
COMMENT ON COLUMN intent.rules.done_to IS 'All campaigns that ended up to this final block have been seen to; -1: none';
INSERT INTO intent.rules DEFAULT VALUES;

CREATE TABLE intent.differences (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL,
    what text NOT NULL,
    ledger_value text NOT NULL,
    chain_value text NOT NULL,
    block_number bigint NOT NULL,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cleared_at timestamptz
);
CREATE UNIQUE INDEX differences_open ON intent.differences (subject, what) WHERE cleared_at IS NULL;
COMMENT ON TABLE intent.differences IS 'Where ledger and contracts were found to differ, by chainfirst reconcile; nothing mends it but its cause';
COMMENT ON COLUMN intent.differences.id IS 'Its number here';
COMMENT ON COLUMN intent.differences.subject IS 'What was compared: relation of the ledger, contract, and key';
COMMENT ON COLUMN intent.differences.what IS 'Which of its values; solvency: whether a campaign holds what it owes';
COMMENT ON COLUMN intent.differences.ledger_value IS 'What the ledger says; of solvency: what is owed';
COMMENT ON COLUMN intent.differences.chain_value IS 'What the contract answers; of solvency: what is held';
COMMENT ON COLUMN intent.differences.block_number IS 'The final block whose state was asked for';
COMMENT ON COLUMN intent.differences.found_at IS 'When it was found first';
COMMENT ON COLUMN intent.differences.cleared_at IS 'When it was first found no more; null: it is there still';
