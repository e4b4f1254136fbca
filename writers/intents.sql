-- The statements of writers/intents.py, by name.

-- name: submit
SELECT intent.submit(
    %(kind)s, %(payload)s::jsonb, %(key)s, %(depends_on)s, %(not_before)s, %(expires_at)s, %(priority)s
);

-- name: cancel
SELECT intent.cancel(%s);

-- name: retry
SELECT intent.retry(%s, %s);

-- name: approve
SELECT intent.approve(%s);

-- name: by_id
SELECT id FROM intent.intents WHERE id = %s;

-- name: by_key
SELECT id FROM intent.intents WHERE key = %s ORDER BY generation DESC LIMIT 1;

-- name: listed
SELECT o.id, o.kind, o.key, o.generation, o.status, o.waits_for, o.alert, o.error, o.submitted_by, o.submitted_at,
    o.signer, o.nonce, o.hash, o.block_number, o.cost_wei, o.ended_at
FROM intent.overview o
WHERE (%(statuses)s::text[] IS NULL OR o.status = ANY (%(statuses)s))
    AND (%(kind)s::text IS NULL OR o.kind = %(kind)s OR (right(%(kind)s, 1) = '*' AND starts_with(o.kind, left(%(kind)s, -1))))
    AND (%(key)s::text IS NULL OR o.key = %(key)s OR (right(%(key)s, 1) = '*' AND starts_with(o.key, left(%(key)s, -1))))
    AND (o.alert OR NOT %(alert)s)
ORDER BY o.id DESC
LIMIT %(limit)s;

-- name: overview
SELECT * FROM intent.overview WHERE id = %s;

-- name: generations
SELECT g.id, g.generation, intent.status_of(g.id) AS status
FROM intent.intents i JOIN intent.intents g ON g.key = i.key
WHERE i.id = %s
ORDER BY g.generation;

-- name: attempts
SELECT t.signer, t.nonce, t.foreign_hash, t.accepted_by, a.purpose, a.hash, a.gas, a.max_fee_wei, a.priority_fee_wei,
    a.signed_at, a.signed_block, a.sent_at, a.last_sent_at, a.last_sent_block, a.answer, a.answer_text,
    n.block_number, n.ok, n.gas_used, n.gas_price_wei
FROM intent.transactions t
LEFT JOIN intent.attempts a ON a.transaction = t.id
LEFT JOIN intent.inclusions n ON n.attempt = a.id
WHERE t.intent = %s
ORDER BY t.id, a.id;

-- name: history
SELECT at, status, cause, block_number FROM intent.history WHERE intent = %s ORDER BY seq;

-- name: listen
LISTEN intent_changed;
