-- The statements of schema/store.py, by name.

-- name: try_lead
SELECT pg_try_advisory_lock(%s);

-- name: next_epoch
UPDATE chain.leader SET epoch = epoch + 1 RETURNING epoch;

-- name: epoch
SELECT epoch FROM chain.leader FOR SHARE;

-- name: open_cursor
INSERT INTO chain.cursor (chain_id, genesis_hash, updated_at) VALUES (%s, %s, now()) ON CONFLICT DO NOTHING;

-- name: read_cursor
SELECT chain_id, genesis_hash, indexed_number, indexed_hash, final_number, final_hash, reorg_suspected
FROM chain.cursor;

-- name: advance_cursor
UPDATE chain.cursor
SET indexed_number = %(new_indexed_number)s, indexed_hash = %(new_indexed_hash)s,
    final_number = %(new_final_number)s, final_hash = %(new_final_hash)s,
    reorg_suspected = %(new_reorg_suspected)s, updated_at = now()
WHERE chain_id = %(chain_id)s AND genesis_hash = %(genesis_hash)s
    AND indexed_number IS NOT DISTINCT FROM %(indexed_number)s
    AND indexed_hash IS NOT DISTINCT FROM %(indexed_hash)s
    AND final_number IS NOT DISTINCT FROM %(final_number)s
    AND final_hash IS NOT DISTINCT FROM %(final_hash)s;

-- name: lead_cursor
WITH leader AS (
    SELECT epoch FROM chain.leader FOR SHARE
), moved AS (
    UPDATE chain.cursor
    SET indexed_number = %(new_indexed_number)s, indexed_hash = %(new_indexed_hash)s,
        final_number = %(new_final_number)s, final_hash = %(new_final_hash)s,
        reorg_suspected = %(new_reorg_suspected)s, updated_at = now()
    WHERE (SELECT epoch FROM leader) = %(epoch)s
        AND chain_id = %(chain_id)s AND genesis_hash = %(genesis_hash)s
        AND indexed_number IS NOT DISTINCT FROM %(indexed_number)s
        AND indexed_hash IS NOT DISTINCT FROM %(indexed_hash)s
        AND final_number IS NOT DISTINCT FROM %(final_number)s
        AND final_hash IS NOT DISTINCT FROM %(final_hash)s
    RETURNING 1
)
SELECT (SELECT epoch FROM leader), (SELECT count(*) FROM moved),
    CASE WHEN %(lazily)s THEN set_config('synchronous_commit', 'off', true) END;

-- name: end_batch
WITH pruned AS (
    DELETE FROM chain.blocks WHERE number < %(final)s
), kept AS (
    INSERT INTO chain.blocks (number, hash, parent_hash, time)
    SELECT * FROM unnest(%(numbers)s::bigint[], %(hashes)s::text[], %(parents)s::text[], %(times)s::timestamptz[])
)
INSERT INTO chain.changes (from_block, to_block, kind, added, removed)
VALUES (%(from_block)s, %(to_block)s, %(kind)s, %(added)s, %(removed)s);

-- name: insert_block
INSERT INTO chain.blocks (number, hash, parent_hash, time) VALUES (%s, %s, %s, %s);

-- name: read_blocks
SELECT number, hash, parent_hash, time FROM chain.blocks ORDER BY number;

-- name: prune_blocks
DELETE FROM chain.blocks WHERE number < %s;

-- name: delete_blocks_above
DELETE FROM chain.blocks WHERE number > %s;

-- name: add_source
INSERT INTO chain.sources (table_name, contract, event, filter, fingerprint, complete_to, joined)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING;

-- name: read_sources
SELECT table_name, contract, event, filter, fingerprint, complete_to, joined
FROM chain.sources ORDER BY table_name;

-- name: advance_source
UPDATE chain.sources SET complete_to = %(new_complete_to)s, joined = %(new_joined)s
WHERE table_name = %(table_name)s AND complete_to = %(complete_to)s AND joined = %(joined)s;

-- name: remove_source
DELETE FROM chain.sources WHERE table_name = %s;

-- name: undecoded_places
SELECT block_number, tx_index, log_index FROM event.undecoded WHERE block_number BETWEEN %s AND %s;

-- name: delete_undecoded
DELETE FROM event.undecoded u USING unnest(%s::bigint[], %s::integer[], %s::integer[]) AS p (block, tx, log)
WHERE u.block_number = p.block AND u.tx_index = p.tx AND u.log_index = p.log;

-- name: record_change
INSERT INTO chain.changes (from_block, to_block, kind, added, removed) VALUES (%s, %s, %s, %s, %s)
RETURNING seq;

-- name: prune_changes
DELETE FROM chain.changes c USING (SELECT seq FROM chain.changes WHERE at < %s ORDER BY seq LIMIT %s) old
WHERE c.seq = old.seq;

-- name: as_owner
SELECT current_setting('role'), set_config('role', 'chainfirst_owner', true);

-- name: back_to_role
SELECT set_config('role', %s, true);
