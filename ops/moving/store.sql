-- The statements of ops/moving/store.py, by name.

-- name: begin
SELECT set_config('role', 'chainfirst_owner', true), set_config('chainfirst.import', 'on', true);

-- name: count_intents
SELECT count(*) FROM intent.intents;

-- name: verified_wallets
SELECT investor FROM ledger.investors
WHERE verified AND changed_block <= (SELECT final_number FROM chain.cursor);

-- name: add_request
INSERT INTO platform.requests (key, subject, row_id, purpose, revision, outcome, error, target)
VALUES (%(key)s, %(subject)s, %(row_id)s, %(purpose)s, 1, 'rejected', %(error)s, %(target)s)
ON CONFLICT DO NOTHING;
