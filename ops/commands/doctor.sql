-- name: rights
SELECT wanted.role, r.oid IS NOT NULL,
    CASE WHEN r.oid IS NOT NULL THEN pg_has_role(r.oid, 'MEMBER') END,
    me.rolsuper OR me.rolcreaterole
FROM (VALUES ('chainfirst_owner'), ('chainfirst_daemon')) AS wanted (role)
LEFT JOIN pg_catalog.pg_roles r ON r.rolname = wanted.role
CROSS JOIN pg_catalog.pg_roles me
WHERE me.rolname = current_user

-- name: may_create
SELECT coalesce((
    SELECT has_database_privilege(r.oid, current_database(), 'CREATE') FROM pg_catalog.pg_roles r
    WHERE r.rolname = 'chainfirst_owner'
), false) OR (
    -- the migration grants it, where the login user owns the database
    SELECT pg_has_role(d.datdba, 'MEMBER') FROM pg_catalog.pg_database d WHERE d.datname = current_database()
)

-- name: leader
-- a bigint key is in two halves there (PostgreSQL 54.12, pg_locks)
SELECT l.pid, a.backend_start
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = current_database()
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND (l.classid::bigint << 32) | l.objid::bigint = %(key)s

-- name: has_lanes
SELECT to_regclass('intent.lanes') IS NOT NULL

-- name: stopped_lanes
SELECT name, blocked_reason FROM intent.lanes WHERE blocked_reason IS NOT NULL ORDER BY name
