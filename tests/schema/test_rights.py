"""Every role tries everything on every relation, by a login that has that role alone."""

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors, sql

SCHEMAS = ("chain", "event", "ledger", "intent", "api")
ROLES = ("chainfirst_daemon", "chainfirst_app", "chainfirst_reader", None)  # None: what PUBLIC has
READ, ADD, CHANGE, REMOVE, EMPTY = "SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"
# what the daemon may do with the relations of chain; the others may nothing there
CHAIN: dict[str, set[str]] = {
    "alembic_version": {READ},
    "blocks": {READ, ADD, REMOVE},
    "cursor": {READ, ADD, CHANGE},
    "leader": {READ, CHANGE},
    "sources": {READ, ADD, CHANGE, REMOVE},
    "changes": {READ, ADD, REMOVE},
    "pruned": set(),
    "sizes": {READ, ADD, REMOVE},
}
# and with those of intent, of which it may change some columns (the last is one); apps may read them
INTENT = {
    "intents": {READ, CHANGE},
    "overview": {READ},
    "history": {READ},
    "grants": {READ},
    "transactions": {READ, ADD, CHANGE},
    "attempts": {READ, ADD, CHANGE},
    "inclusions": {READ, ADD, REMOVE},
    "settlements": {READ, ADD, REMOVE},
    "lanes": {READ, ADD, CHANGE},
    "pauses": {READ, ADD, REMOVE},
    "documents": {READ, ADD},
    "rules": {READ, CHANGE},
    "differences": {READ, ADD, CHANGE},
    "stuck": {READ},
}
PERSONAL = ("chainfirst_reader", "users")  # what the reader has no right to in the schema api
REFUSED = (
    errors.InsufficientPrivilege,
    errors.ObjectNotInPrerequisiteState,  # a view that can't be written to
    errors.FeatureNotSupported,  # nor its columns
    errors.WrongObjectType,  # nor emptied
)


@pytest.fixture(scope="session")
def pg_template(platform_template: str) -> str:
    return platform_template


@pytest.fixture(params=ROLES, ids=lambda role: role or "nobody")
def login(request: pytest.FixtureRequest, pg_url: str) -> Iterator[tuple[str | None, psycopg.Connection]]:
    """A role, and a session that has this role alone: SET ROLE from a superuser could be set back."""
    name = sql.Identifier(f"login_{secrets.token_hex(4)}")
    with psycopg.connect(pg_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        if request.param:
            admin.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(request.param), name))
        try:
            url = f"{pg_url}&user={name.as_string(admin).strip(chr(34))}"
            with psycopg.connect(url, autocommit=True) as session:
                yield request.param, session
        finally:
            admin.execute(sql.SQL("DROP ROLE {}").format(name))


def _relations(pg_url: str) -> list[tuple[str, str, str, str]]:
    """Schema, name, kind and last column of each."""
    with psycopg.connect(pg_url) as admin:
        return admin.execute(
            "SELECT nspname::text, relname::text, relkind::text, attname::text FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = relnamespace"
            " JOIN pg_attribute ON attrelid = c.oid AND attnum = relnatts"
            " WHERE relkind IN ('r', 'v', 'm', 'p') AND nspname = ANY (%s)",
            [list(SCHEMAS)],
        ).fetchall()


def _expected(role: str | None, schema: str, name: str) -> set[str]:
    if schema == "api":
        return (
            {READ} if role in ("chainfirst_app", "chainfirst_reader") and (role, name) != PERSONAL else set()
        )
    if schema == "intent":
        if role == "chainfirst_daemon":
            return INTENT[name]
        return {READ} if role == "chainfirst_app" else set()
    if role == "chainfirst_daemon":
        # rows of event and ledger are added and removed, never changed
        return CHAIN[name] if schema == "chain" else {READ, ADD, REMOVE}
    return {READ} if role and schema != "chain" else set()


def _statements(relation: sql.Identifier, column: sql.Identifier) -> dict[str, sql.Composed]:
    """One for each right that does nothing if it is allowed."""
    same = {"relation": relation, "column": column}
    return {
        READ: sql.SQL("SELECT FROM {relation} LIMIT 1").format(**same),
        ADD: sql.SQL(
            "INSERT INTO {relation} OVERRIDING SYSTEM VALUE SELECT * FROM {relation} WHERE false"
        ).format(**same),
        CHANGE: sql.SQL("UPDATE {relation} SET {column} = {column} WHERE false").format(**same),
        REMOVE: sql.SQL("DELETE FROM {relation} WHERE false").format(**same),
        EMPTY: sql.SQL("TRUNCATE {relation}").format(**same),
    }


def _may(session: psycopg.Connection, statement: sql.Composed | str) -> bool:
    try:
        session.execute(statement.encode() if isinstance(statement, str) else statement)
    except REFUSED:
        return False
    return True


def test_relations(login: tuple[str | None, psycopg.Connection], pg_url: str) -> None:
    role, session = login
    relations = _relations(pg_url)
    assert {name for schema, name, _, _ in relations if schema == "chain"} == set(CHAIN)
    for schema, name, kind, column in relations:
        wanted = _expected(role, schema, name)
        statements = _statements(sql.Identifier(schema, name), sql.Identifier(column))
        allowed = {right for right, statement in statements.items() if _may(session, statement)}
        if kind == "v":  # a view on top of event tables gives no more than these do
            assert {READ} & wanted <= allowed <= wanted, f"{schema}.{name}"
        else:
            assert allowed == wanted, f"{schema}.{name}"


def test_nobody_makes_or_drops_anything(login: tuple[str | None, psycopg.Connection]) -> None:
    _, session = login
    for schema in SCHEMAS:
        assert not _may(session, sql.SQL("CREATE TABLE {} (a int)").format(sql.Identifier(schema, "mine")))
    for statement in (
        "DROP TABLE ledger.campaigns",
        "ALTER TABLE event.campaign_swept ADD mine int",
        "CREATE INDEX ON ledger.campaigns (token)",
        "CREATE TRIGGER mine BEFORE UPDATE ON ledger.votes FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE OR REPLACE VIEW ledger.refunds AS SELECT 1",
        "SELECT nextval('chain.changes_seq_seq')",
        "SELECT chain.guard_cursor()",
        "SET ROLE chainfirst_owner",
    ):
        assert not _may(session, statement), statement


def test_public_may_call_no_function(connection: psycopg.Connection) -> None:
    functions = connection.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p"
        " WHERE pronamespace = ANY (%s::regnamespace[])"
        " AND EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0)",
        [list(SCHEMAS)],
    ).fetchall()
    assert functions == []
