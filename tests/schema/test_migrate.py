"""Migrations: twice, two at once, all or nothing; the roles' rights; the cursor's guards."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.ops.errors import ConfigError
from chainfirst.schema import migrate
from psycopg import errors, sql

HASHES = [f"0x{number:064x}" for number in range(10)]
ROLES = ("chainfirst_owner", "chainfirst_daemon", "chainfirst_app", "chainfirst_reader")


@pytest.fixture
def empty_url(pg_cluster: Cluster) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    pg_cluster.ensure_database(name)
    yield pg_cluster.url(name)
    with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _run(url: str) -> None:
    migrate.migrate(migrate.engine(url), platform_enabled=False)


def _rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()


def _try(url: str, role: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        connection.execute(statement.encode())


def test_twice_is_once(empty_url: str) -> None:
    _run(empty_url)
    before = _rows(empty_url, "SELECT oid, relname FROM pg_class ORDER BY oid")
    _run(empty_url)
    assert _rows(empty_url, "SELECT oid, relname FROM pg_class ORDER BY oid") == before
    assert _rows(empty_url, "SELECT epoch FROM chain.leader") == [(0,)]
    assert _rows(empty_url, "SELECT version_num FROM chain.alembic_version") == [("core_0004",)]


def test_two_at_once(empty_url: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(_run, [empty_url] * 2))
    assert _rows(empty_url, "SELECT epoch FROM chain.leader") == [(0,)]


def test_a_failed_migration_leaves_nothing(empty_url: str) -> None:
    with psycopg.connect(empty_url) as connection:
        connection.execute("CREATE SCHEMA event")
    with pytest.raises(psycopg.errors.DuplicateSchema):
        _run(empty_url)
    assert _rows(empty_url, "SELECT FROM pg_namespace WHERE nspname IN ('chain', 'ledger')") == []


def test_a_user_without_the_right_is_told_what_to_do(pg_cluster: Cluster, empty_url: str) -> None:
    user = f"weak_{secrets.token_hex(4)}"
    with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(user)))
        try:
            with pytest.raises(ConfigError, match="Migrate as the database's owner"):
                _run(f"{empty_url}&user={user}")
        finally:
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(user)))


def test_a_plain_database_owner_can_migrate(pg_cluster: Cluster, empty_url: str) -> None:
    _run(pg_cluster.url("postgres"))  # the roles exist, made by another
    user = f"plain_{secrets.token_hex(4)}"
    name = sql.Identifier(user)
    with psycopg.connect(empty_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        admin.execute(sql.SQL("GRANT chainfirst_owner TO {}").format(name))
        database = sql.Identifier(admin.info.dbname)
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, name))
    _run(f"{empty_url}&user={user}")
    owners = _rows(
        empty_url,
        "SELECT DISTINCT relowner::regrole::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname IN ('chain', 'event', 'ledger')",
    )
    assert owners == [("chainfirst_owner",)]


def test_nobody_can_log_in_by_these_roles(pg_url: str) -> None:
    assert _rows(pg_url, "SELECT FROM pg_roles WHERE rolname ~ '^chainfirst_' AND rolcanlogin") == []


UNDECODED = (
    "INSERT INTO event.undecoded VALUES (1, 0, 0, now(), '0x', '0x', '{}', '', 'test')",
    "DELETE FROM event.undecoded",
)
FORBIDDEN = {
    "chainfirst_daemon": (
        "UPDATE event.undecoded SET reason = ''",
        "TRUNCATE event.undecoded",
        "DROP TABLE event.undecoded",
        "CREATE TABLE event.mine (a int)",
        "CREATE TABLE ledger.mine (a int)",
        "UPDATE event.later SET a = 1",
        "DELETE FROM chain.cursor",
        "DELETE FROM chain.leader",
        "INSERT INTO chain.leader (epoch) VALUES (1)",
        "UPDATE chain.blocks SET number = 1",
        "UPDATE chain.changes SET kind = 'add'",
        "DELETE FROM chain.alembic_version",
        "ALTER TABLE chain.cursor DISABLE TRIGGER guard",
        "SET session_replication_role = replica",
        "SET ROLE chainfirst_owner; SELECT 1",
    ),
    "chainfirst_app": (
        *UNDECODED,
        "UPDATE event.undecoded SET reason = ''",
        "INSERT INTO event.later VALUES (1)",
        "DELETE FROM ledger.later",
        "SELECT FROM chain.cursor",
        "SELECT FROM chain.sources",
        "CREATE TABLE ledger.mine (a int)",
    ),
}
FORBIDDEN["chainfirst_reader"] = FORBIDDEN["chainfirst_app"]
ALLOWED = {
    "chainfirst_daemon": (
        *UNDECODED,
        "INSERT INTO event.later VALUES (1); DELETE FROM event.later",
        "INSERT INTO ledger.later VALUES (1); DELETE FROM ledger.later",
        "INSERT INTO chain.changes (from_block, to_block, kind) VALUES (1, 1, 'add')",
        "SELECT FROM chain.leader FOR SHARE",
    ),
    "chainfirst_app": ("SELECT FROM event.undecoded, event.later, ledger.later",),
    "chainfirst_reader": ("SELECT FROM event.undecoded, event.later, ledger.later",),
}


def test_rights(pg_url: str) -> None:
    later = "CREATE TABLE event.later (a int); CREATE TABLE ledger.later (a int)"
    _try(pg_url, "chainfirst_owner", later)
    for role, statements in ALLOWED.items():
        for statement in statements:
            _try(pg_url, role, statement)
    for role, statements in FORBIDDEN.items():
        # a session of that role alone: SET ROLE from a superuser could be set back
        login = f"login_{secrets.token_hex(4)}"
        with psycopg.connect(pg_url, autocommit=True) as admin:
            grant = "CREATE ROLE {} LOGIN IN ROLE {}"
            admin.execute(sql.SQL(grant).format(sql.Identifier(login), sql.Identifier(role)))
            try:
                for statement in statements:
                    with (
                        pytest.raises(errors.InsufficientPrivilege),
                        psycopg.connect(f"{pg_url}&user={login}") as connection,
                    ):
                        connection.execute(statement.encode())
                        pytest.fail(f"{role} may {statement}")
            finally:
                admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


def _cursor(connection: psycopg.Connection, indexed: int | None, final: int | None) -> None:
    connection.execute(
        "INSERT INTO chain.cursor VALUES (true, 31337, %s, %s, %s, %s, %s)",
        [
            HASHES[0],
            indexed,
            None if indexed is None else HASHES[indexed],
            final,
            None if final is None else HASHES[final],
        ],
    )


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("final_number = 6, final_hash = '{6}'", "cursor_final_indexed"),
        ("indexed_number = NULL, indexed_hash = NULL", "cursor_final_indexed"),
        ("indexed_hash = NULL", "cursor_indexed_whole"),
        ("indexed_number = NULL", "cursor_"),
        ("final_hash = NULL, final_number = 4", "cursor_final_whole"),
        ("indexed_hash = '0xABC'", "cursor_indexed_hash_shape"),
        ("final_number = 5, final_hash = '{6}'", "cursor_one_hash"),
        ("final_number = -1", ""),
        ("id = false", "cursor_one_row"),
    ],
)
def test_a_broken_cursor_is_refused(connection: psycopg.Connection, change: str, constraint: str) -> None:
    _cursor(connection, 5, 3)
    statement = f"UPDATE chain.cursor SET {change.format(*HASHES)}".encode()
    with pytest.raises((errors.CheckViolation, errors.RestrictViolation)) as caught:
        connection.execute(statement)
    assert (caught.value.diag.constraint_name or "").startswith(constraint)


@pytest.mark.parametrize(
    "change",
    [
        "final_number = 2, final_hash = '{2}'",
        "final_number = NULL, final_hash = NULL",
        "final_hash = '{4}'",
        "chain_id = 1",
        "genesis_hash = '{1}'",
    ],
)
def test_what_is_final_never_goes_back(connection: psycopg.Connection, change: str) -> None:
    _cursor(connection, 5, 3)
    connection.commit()
    statement = f"UPDATE chain.cursor SET {change.format(*HASHES)}".encode()
    with pytest.raises(errors.RestrictViolation):
        connection.execute(statement)
    connection.rollback()
    connection.execute("SET LOCAL chainfirst.rewind = 'on'")
    if "final" in change:
        connection.execute(statement)
        connection.rollback()  # the setting ends with its transaction
        with pytest.raises(errors.RestrictViolation):
            connection.execute(statement)
    else:
        with pytest.raises(errors.RestrictViolation):
            connection.execute(statement)


def test_there_is_one_cursor(connection: psycopg.Connection) -> None:
    _cursor(connection, None, None)
    with pytest.raises(errors.UniqueViolation):
        _cursor(connection, None, None)
