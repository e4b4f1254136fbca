-- The statements of schema/pruning.py, by name.

-- name: history
SELECT gone, came_to FROM intent.prune_history(%(before)s, %(after)s, %(at_most)s);

-- name: signed
SELECT gone, came_to FROM intent.prune_signed(%(before)s, %(after)s, %(at_most)s);

-- name: without_bytes
SELECT count(*) FROM intent.transactions t
WHERE t.closed_block > %s AND t.foreign_hash IS NULL
    AND EXISTS (SELECT FROM intent.attempts a WHERE a.transaction = t.id AND a.raw IS NULL AND a.gas IS NOT NULL);
