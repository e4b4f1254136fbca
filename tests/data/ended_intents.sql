-- As if so many had been asked: one in ten failed, one in ten was cancelled unsigned, the others were confirmed.

INSERT INTO intent.intents (kind, payload, key, submitted_by, signer, call_to, call_data, call_value, once, event_table,
    key_column, key_value, event_match, event_equal, event_at_most, outcome, error, ended_at, ended_block,
    cancel_requested_at, cancel_requested_by)
SELECT
    'investor.set_verified', '{}', 'old ' || n, 'app', :signer, :signer, int8send(n), 0, false,
    'issuer_registry_investor_status_changed', 'investor', n::text, '{}', '{}', '{}',
    CASE n % 10 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' ELSE 'confirmed' END,
    CASE n % 10 WHEN 0 THEN 'reverted' END, now() - interval '2 hours',
    CASE n % 10 WHEN 1 THEN NULL ELSE 1 END, CASE n % 10 WHEN 1 THEN now() END, CASE n % 10 WHEN 1 THEN 'app' END
FROM generate_series(1::bigint, :ended) n;

INSERT INTO intent.transactions (signer, nonce, intent, closed_block)
SELECT :signer, -1 + row_number() OVER (ORDER BY id), id, 1 FROM intent.intents WHERE outcome <> 'cancelled';

INSERT INTO intent.attempts (transaction, purpose, hash, raw, gas, max_fee_wei, signed_block, sent_at, last_sent_at,
    last_sent_block, answer)
SELECT id, 'call', '0x' || lpad(to_hex(id), 64, '0'), '\x', 21000, 1, 1, now(), now(), 1, 'accepted'
FROM intent.transactions;

INSERT INTO intent.inclusions SELECT id, 1, '0x' || repeat('0', 64), true, 21000, 1 FROM intent.attempts;

INSERT INTO intent.settlements
SELECT i.id, 1, 0, 0, a.hash, '{}', false, NULL
FROM intent.intents i JOIN intent.transactions t ON t.intent = i.id JOIN intent.attempts a ON a.transaction = t.id
WHERE i.outcome = 'confirmed';

INSERT INTO intent.history (intent, status, cause) SELECT id, outcome, outcome FROM intent.intents;

INSERT INTO intent.lanes (signer, name, first_nonce, explained_to)
SELECT :signer, 'operator', 0, count(*) FROM intent.transactions;
