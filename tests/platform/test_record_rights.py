"""Every role tries everything on every relation, column and function of the schema platform."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from chainfirst.tests.platform.records import Records, wallet
from psycopg import errors, sql

ROLES = ("chainfirst_daemon", "chainfirst_app", "chainfirst_reader", "nobody")
READ, ADD, CHANGE, REMOVE, EMPTY = "SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"
APP = {
    "users": {READ, ADD, CHANGE},
    "companies": {READ, ADD, CHANGE},
    "issuer_profiles": {READ, ADD, CHANGE},
    "kyc_documents": {READ, ADD, CHANGE},
    "campaigns": {READ, ADD, CHANGE},
    "campaign_documents": {READ, ADD, REMOVE},
    "campaign_updates": {READ, ADD, REMOVE},
    "investments": {READ, ADD, CHANGE},
    "requests": {READ},
    "row_intents": {READ},
    "audit": {READ},
    "kyc_files_to_delete": {READ, REMOVE},
}
# what an app calls itself; then what its statements call, in checks, policies and views
CALLED = {"ask_again", "change_wallet"}
USED = {
    "acting_role", "acting_user", "birr", "chain_id", "chain_time", "checked_wallet", "investment_id",
    "is_line", "is_uri", "keccak256", "may", "place", "reading_user", "reads_all", "uuid_of",
}  # fmt: skip
REFUSED = (errors.InsufficientPrivilege, errors.ObjectNotInPrerequisiteState, errors.WrongObjectType)


@pytest.fixture(params=ROLES)
def role(request: pytest.FixtureRequest, session: psycopg.Connection[Any]) -> Iterator[str]:
    """The session acts as that role; nobody has what PUBLIC has."""
    session.execute("CREATE ROLE nobody")
    session.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(request.param)))
    try:
        yield request.param
    finally:
        session.rollback()


def _relations(session: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """Columns by relation."""
    rows = session.execute(
        "SELECT relname::text, array_agg(attname::text ORDER BY attnum) FROM pg_class c"
        " JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped"
        " WHERE relkind IN ('r', 'v', 'm', 'p') AND relnamespace = 'platform'::regnamespace GROUP BY 1"
    ).fetchall()
    return dict(rows)


def _statements(name: str, columns: list[str]) -> dict[str, sql.Composed]:
    """One for each right that changes nothing if it is allowed."""
    same = {"t": sql.Identifier("platform", name), "c": sql.Identifier(columns[-1])}
    return {
        READ: sql.SQL("SELECT * FROM {t} LIMIT 1").format(**same),
        ADD: sql.SQL("INSERT INTO {t} OVERRIDING SYSTEM VALUE SELECT r.* FROM (SELECT) x JOIN {t} r ON false")
        .format(**same),
        CHANGE: sql.SQL("UPDATE {t} SET {c} = DEFAULT WHERE false").format(**same),
        REMOVE: sql.SQL("DELETE FROM {t} WHERE false").format(**same),
        EMPTY: sql.SQL("TRUNCATE {t}").format(**same),
    }  # fmt: skip


def _may(session: psycopg.Connection[Any], statement: sql.Composed | str) -> bool:
    try:
        with session.transaction():
            session.execute(statement.encode() if isinstance(statement, str) else statement)
    except REFUSED:
        return False
    return True


def test_relations(session: psycopg.Connection[Any], role: str) -> None:
    relations = _relations(session)
    assert set(relations) == set(APP)
    for name, columns in relations.items():
        statements = _statements(name, columns)
        allowed = {right for right, statement in statements.items() if _may(session, statement)}
        assert allowed == (APP[name] if role == "chainfirst_app" else set()), name


def test_columns(session: psycopg.Connection[Any], role: str) -> None:
    """The same of each column: there may be rights on one of them alone."""
    for name, columns in _relations(session).items():
        for column in columns:
            same = {"t": sql.Identifier("platform", name), "c": sql.Identifier(column)}
            reads = _may(session, sql.SQL("SELECT {c} FROM {t} LIMIT 1").format(**same))
            changes = _may(session, sql.SQL("UPDATE {t} SET {c} = DEFAULT WHERE false").format(**same))
            app = role == "chainfirst_app"
            assert reads == app, (name, column)
            assert changes == (app and CHANGE in APP[name]), (name, column)


def test_nobody_else_has_a_right_of_any_kind(session: psycopg.Connection[Any]) -> None:
    """From the catalogue, so that new kinds of right are seen too."""
    rows = session.execute(
        "SELECT DISTINCT coalesce(r.rolname, 'public')::text, a.privilege_type"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace,"
        " aclexplode(coalesce(relacl, acldefault('r', relowner))) a LEFT JOIN pg_roles r ON r.oid = a.grantee"
        " WHERE nspname = 'platform' AND relkind <> 'i' AND a.grantee <> relowner"
    ).fetchall()
    session.rollback()
    assert set(rows) == {("chainfirst_app", right) for right in (READ, ADD, CHANGE, REMOVE)}
    schema = session.execute(
        "SELECT coalesce(r.rolname, 'public')::text, a.privilege_type FROM pg_namespace,"
        " aclexplode(nspacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee"
        " WHERE nspname = 'platform' AND a.grantee <> nspowner"
    ).fetchall()
    session.rollback()
    assert {right for _, right in schema} == {"USAGE"}
    assert "public" not in {name for name, _ in schema}


def test_functions(session: psycopg.Connection[Any]) -> None:
    rows = session.execute(
        "SELECT p.proname::text, r.rolname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace,"
        " (SELECT rolname, oid FROM pg_roles UNION ALL SELECT 'public', 0) r"
        " WHERE nspname = 'platform' AND r.rolname = ANY (%s)"
        " AND EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) a"
        " WHERE a.grantee = r.oid AND a.privilege_type = 'EXECUTE')",
        [[*ROLES, "public"]],
    ).fetchall()
    session.rollback()
    may: dict[str, set[str]] = {role: set() for role in (*ROLES, "public")}
    for name, holder in rows:
        may[holder].add(name)
    assert may["public"] == may["nobody"] == set()
    assert may["chainfirst_app"] == CALLED | USED
    assert not may["chainfirst_reader"] & (CALLED | {"acting_role", "checked_wallet"})
    assert may["chainfirst_daemon"] - USED == {"give_up_kyc_files"}


def test_functions_have_a_path_of_their_own(session: psycopg.Connection[Any]) -> None:
    """All but those whose body was bound to its names when it was made."""
    rows = session.execute(
        "SELECT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace"
        " WHERE nspname = 'platform' AND prosqlbody IS NULL"
        " AND proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp']"
    ).fetchall()
    session.rollback()
    assert rows == []


def test_everything_is_explained(session: psycopg.Connection[Any]) -> None:
    rows = session.execute(
        "SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname = 'platform' AND relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL"
        " UNION ALL SELECT c.oid::regclass || '.' || attname FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_attribute ON attrelid = c.oid"
        " WHERE nspname = 'platform' AND relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped"
        " AND col_description(c.oid, attnum) IS NULL"
        " UNION ALL SELECT oid::regprocedure::text FROM pg_proc"
        " WHERE pronamespace = 'platform'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL"
    ).fetchall()
    session.rollback()
    assert rows == []


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE platform.users DISABLE TRIGGER ALL",
        "ALTER TABLE platform.users DISABLE ROW LEVEL SECURITY",
        "DROP TRIGGER guard ON platform.users",
        "DROP POLICY staff_reads ON platform.users",
        "DROP TABLE platform.audit",
        "CREATE TABLE platform.mine (a int)",
        "CREATE FUNCTION platform.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION platform.may(VARIADIC roles text[]) RETURNS boolean LANGUAGE sql"
        " AS 'SELECT true'",
        "CREATE TRIGGER mine BEFORE UPDATE ON platform.users FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE INDEX ON platform.users (phone)",
        "CREATE RULE mine AS ON INSERT TO platform.audit DO INSTEAD NOTHING",
        "SET LOCAL session_replication_role = replica",
        "SELECT setval('platform.audit_seq_seq', 1)",
        "SELECT nextval('platform.audit_seq_seq')",
        "SELECT platform.refuse('a', 'b', 'c', 'd', 'e')",
        "SELECT platform.check_investor(gen_random_uuid())",
        "SELECT platform.erase(gen_random_uuid())",
        "SELECT intent.place('campaign.cancel', '{}', 'x')",
        "SELECT platform.ask('campaign', gen_random_uuid(), 'create', 1)",
        "LOCK TABLE platform.requests IN ACCESS EXCLUSIVE MODE",
        "SELECT FROM platform.requests FOR UPDATE",
        "COPY platform.audit FROM STDIN",
        "ALTER ROLE chainfirst_app BYPASSRLS",
    ],
)
def test_what_no_role_does(session: psycopg.Connection[Any], role: str, statement: str) -> None:
    assert not _may(session, statement)


def test_no_role_becomes_the_owner(pg_url: str) -> None:
    """By a login that has the role alone: a superuser could always go back."""
    with psycopg.connect(pg_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE mere_app LOGIN IN ROLE chainfirst_app")
        try:
            with psycopg.connect(f"{pg_url}&user=mere_app", autocommit=True) as app:
                assert not _may(app, "SET ROLE chainfirst_owner")
                assert not _may(app, "SET ROLE chainfirst_daemon")
                assert not _may(app, "SET SESSION AUTHORIZATION chainfirst_owner")
                records = Records(app)
                user = records.user()
                for setting in ("chainfirst.import", "chainfirst.erasing", "chainfirst.rewind"):
                    app.execute("SELECT set_config(%s, 'on', false)", [setting])
                with records.refused("users_kyc_status_step"):
                    records.update("users", user, kyc_status="verified")
                for statement in ("UPDATE platform.audit SET changes = '{}'", "DELETE FROM platform.audit"):
                    assert not _may(app, statement)
                line = app.execute("SELECT role, row_id FROM platform.audit").fetchall()
                assert line == [("mere_app", user)]
        finally:
            admin.execute("DROP ROLE mere_app")


def test_who_changed_what(records: Records) -> None:
    admin = records.user("admin")
    records.act_as(admin)
    user = records.user(full_name="Abebe", wallet=wallet())
    with records.as_chain():
        records.connection.execute("SET LOCAL session_replication_role = replica")
        records.update("users", user, updated_at="2026-01-01")
        records.connection.execute("SET LOCAL session_replication_role = origin")
    records.update("users", user, full_name="Abebe Bikila")
    records.update("users", user, full_name="Abebe Bikila")
    records.update("users", user, phone="+251", kyc_status="pending")
    campaign = records.draft(records.verified_company())
    news = records.insert("campaign_updates", campaign=campaign, title="News", body="x")
    records.connection.execute("DELETE FROM platform.campaign_updates")
    lines = records.connection.execute(
        "SELECT role, acting_user, table_name, action, changes FROM platform.audit WHERE row_id IN (%s, %s)"
        " ORDER BY seq",
        [user, news],
    ).fetchall()
    assert {line[:2] for line in lines} == {("chainfirst_app", admin)}
    assert [line[2:4] for line in lines] == [
        ("users", "insert"),
        ("users", "update"),
        ("users", "update"),
        ("campaign_updates", "insert"),
        ("campaign_updates", "delete"),
    ]
    inserted, renamed, submitted, _, deleted = (line[4] for line in lines)
    assert (inserted["full_name"], inserted["id"]) == ("Abebe", str(user))
    assert renamed == {"full_name": ["Abebe", "Abebe Bikila"], "revision": [1, 2]}
    assert submitted == {
        "phone": [None, "+251"],
        "kyc_status": ["unverified", "pending"],
        "revision": [2, 3],
    }
    assert deleted["body"] == "x"


@pytest.mark.parametrize("as_owner", [True, False])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE platform.audit SET changes = '{}'",
        "UPDATE platform.audit SET at = now() - interval '1 day'",
        "DELETE FROM platform.audit",
        "TRUNCATE platform.audit",
    ],
)
def test_the_audit_is_append_only(records: Records, statement: str, as_owner: bool) -> None:
    records.user()
    with records.as_chain():
        if as_owner:
            records.connection.execute("SET ROLE chainfirst_owner")
        with pytest.raises(errors.RestrictViolation, match="append-only"), records.connection.transaction():
            records.connection.execute(statement.encode())


def test_only_values_are_blanked(records: Records) -> None:
    records.user()
    with records.as_chain():
        records.connection.execute("SET LOCAL chainfirst.erasing = 'on'")
        blank = "UPDATE platform.audit SET changes = '{}'"
        for role, statement in (
            ("postgres", blank),
            ("chainfirst_owner", "UPDATE platform.audit SET acting_user = gen_random_uuid()"),
            ("chainfirst_owner", "UPDATE platform.audit SET action = 'delete'"),
            ("chainfirst_owner", "DELETE FROM platform.audit"),
        ):
            records.connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            with pytest.raises(errors.RestrictViolation), records.connection.transaction():
                records.connection.execute(statement.encode())
        records.connection.execute(blank.encode())


def test_rolled_back_leaves_nothing(records: Records) -> None:
    count = "SELECT count(*) FROM platform.audit"
    with records.connection.transaction(force_rollback=True):
        records.user()
        assert records.connection.execute(count).fetchone() == (1,)
    assert records.connection.execute(count).fetchone() == (0,)
