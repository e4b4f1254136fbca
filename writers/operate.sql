-- The statements of writers/operate.py, by name.

-- name: lanes
SELECT l.signer, l.name, l.first_nonce, l.explained_to,
    greatest(l.explained_to, (SELECT max(t.nonce) + 1 FROM intent.transactions t WHERE t.signer = l.signer)) AS next_nonce,
    (
        SELECT count(*) FROM intent.transactions t
        WHERE t.signer = l.signer AND t.closed_block IS NULL AND t.foreign_hash IS NULL
    ) AS in_flight,
    EXISTS (SELECT FROM intent.pauses p WHERE p.subject IN (l.signer, '*')) AS paused,
    l.blocked_reason, l.blocked_nonce, l.blocked_hash, l.blocked_block, l.blocked_more, l.alert, l.balance_wei,
    l.accepted_by, l.accepted_at, l.updated_at
FROM intent.lanes l
ORDER BY l.name, l.signer;

-- name: pauses
SELECT subject, why, paused_by, paused_at FROM intent.pauses ORDER BY subject;

-- name: signers
SELECT signer FROM intent.lanes WHERE name = %s ORDER BY signer;

-- name: pause
INSERT INTO intent.pauses (subject, why, paused_by) VALUES (%s, %s, %s) ON CONFLICT (subject) DO NOTHING;

-- name: resume
DELETE FROM intent.pauses WHERE subject = %s;

-- name: state
SELECT signer, name, first_nonce, blocked_reason AS reason, blocked_nonce AS nonce, blocked_hash AS hash,
    blocked_block AS block, blocked_more AS more
FROM intent.lanes WHERE signer = %s;

-- name: lock_state
SELECT signer, name, first_nonce, blocked_reason AS reason, blocked_nonce AS nonce, blocked_hash AS hash,
    blocked_block AS block, blocked_more AS more
FROM intent.lanes WHERE signer = %s FOR UPDATE;

-- name: open_intents
SELECT count(*) FROM intent.intents WHERE outcome IS NULL;

-- name: nonce
SELECT intent, closed_block IS NOT NULL FROM intent.transactions
WHERE signer = %s AND nonce = %s
ORDER BY closed_block IS NULL
FOR UPDATE;

-- name: unblock
UPDATE intent.lanes SET
    blocked_reason = NULL, blocked_nonce = NULL, blocked_hash = NULL, blocked_block = NULL,
    blocked_more = '[]', accepted_by = %(who)s, accepted_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE signer = %(signer)s;

-- name: wake
SELECT pg_notify('intent_new', '');

-- name: session_user
SELECT session_user::text;
