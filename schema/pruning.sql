-- The statements of schema/pruning.py, by name.

-- name: changes
WITH old AS (
    SELECT seq FROM chain.changes WHERE at < %(before)s AND seq > %(after)s ORDER BY seq LIMIT %(at_most)s
), pruned AS (
    DELETE FROM chain.changes c USING old WHERE c.seq = old.seq
)
SELECT count(*), CASE WHEN count(*) = %(at_most)s THEN max(seq) END FROM old;

-- name: history
SELECT gone, came_to FROM intent.prune_history(%(before)s, %(after)s, %(at_most)s);

-- name: signed
SELECT gone, came_to FROM intent.prune_signed(%(before)s, %(after)s, %(at_most)s);

-- name: without_bytes
SELECT count(*) FROM intent.transactions t
WHERE t.closed_block > %s AND t.foreign_hash IS NULL
    AND EXISTS (SELECT FROM intent.attempts a WHERE a.transaction = t.id AND a.raw IS NULL AND a.gas IS NOT NULL);
