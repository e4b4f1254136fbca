-- Runs before every migration, as the login user: the roles, which belong to the whole cluster, and the
-- owner's right to make schemas here. Changes nothing that is there already.
DO $$
DECLARE
    role_name text;
    set_right text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['chainfirst_owner', 'chainfirst_daemon', 'chainfirst_app', 'chainfirst_reader']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION
                -- another database of this cluster migrates at the same moment
                WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
    END LOOP;

    IF NOT pg_has_role(current_user, 'chainfirst_owner', set_right) THEN
        EXECUTE format('GRANT chainfirst_owner TO %I', current_user);
    END IF;

    IF NOT has_database_privilege('chainfirst_owner', current_database(), 'CREATE') THEN
        EXECUTE format('GRANT CREATE ON DATABASE %I TO chainfirst_owner', current_database());
    END IF;
END
$$;

SET LOCAL ROLE chainfirst_owner;

-- Alembic keeps its version table here
CREATE SCHEMA IF NOT EXISTS chain;
