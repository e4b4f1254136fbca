"""A database of an earlier version, as pg_dump wrote it, migrates while its leader works and another waits.

tests/data/core_0002.sql.gz is what a demonstration left behind at core_0002 and platform_0002: 82 intents
that ended well and one that was rejected, and four open ones, of which one is mined and one sent.
"""

import gzip
import secrets
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.ops.dev import postgres
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.ops.errors import ConfigError
from chainfirst.schema import folds, migrate, revisions, roles, store
from psycopg import sql

DUMP = Path(__file__).parents[1] / "data" / "core_0002.sql.gz"
SCHEMAS = ["chain", "event", "ledger", "intent", "platform"]
CHANGED = {"chain.leader", "chain.alembic_version"}
_COLUMNS = """
SELECT format('%%s.%%s', n.nspname, c.relname), array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = ANY (%s) AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1
"""
_WAITS = """
SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.datname = %s
"""


@pytest.fixture
def url(pg_cluster: Cluster, pg_template: str) -> Iterator[str]:
    """The dump, restored as docs/upgrade.md says."""
    name = f"test_{secrets.token_hex(6)}"
    pg_cluster.ensure_database(name)
    command = [str(postgres.programs() / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    try:
        subprocess.run(
            [*command, pg_cluster.url(name)], input=gzip.decompress(DUMP.read_bytes()), check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        yield pg_cluster.url(name)
    finally:
        with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def columns(connection: psycopg.Connection[Any]) -> dict[str, list[str]]:
    return dict(connection.execute(_COLUMNS, [SCHEMAS]).fetchall())


def rows(connection: psycopg.Connection[Any], tables: dict[str, list[str]]) -> dict[str, list[str]]:
    """Every row of these columns, as text."""
    found = {}
    for table, names in tables.items():
        statement = sql.SQL("SELECT row({})::text FROM {} ORDER BY 1").format(
            sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(*table.split("."))
        )
        found[table] = [row for (row,) in connection.execute(statement)]
    return found


def test_nothing_is_lost_and_the_new_version_takes_over_from_the_old(url: str) -> None:
    with (
        psycopg.connect(url, autocommit=True) as looker,
        psycopg.connect(url, autocommit=True) as leader,
        psycopg.connect(url, autocommit=True) as second,
    ):
        for each in (leader, second):
            each.execute("SET ROLE chainfirst_daemon")
        old = store.acquire_leadership(leader)
        assert old is not None
        assert store.acquire_leadership(second) is None  # it stands by
        tables = columns(looker)
        before = rows(looker, tables)
        opened = looker.execute("SELECT id, status FROM intent.overview WHERE ended_at IS NULL ORDER BY id")
        statuses = opened.fetchall()
        assert sorted(status for _, status in statuses) == ["included", "pending", "pending", "sent"]

        failures: list[BaseException] = []

        def upgrade() -> None:
            try:
                migrate.migrate(migrate.engine(url), platform_enabled=True)
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=upgrade)
        with leader.transaction():
            store.assert_epoch(leader, old)
            leader.execute("INSERT INTO chain.changes (from_block, to_block, kind) VALUES (211, 211, 'add')")
            thread.start()
            while looker.execute(_WAITS, [looker.info.dbname]).fetchone() == (0,):
                assert thread.is_alive(), failures  # it waits for what is being written
        thread.join()
        assert failures == []

        with pytest.raises(store.LeadershipLost), leader.transaction():
            store.assert_epoch(leader, old)
        assert store.acquire_leadership(second) is None  # the old one still has its session
        leader.close()
        epoch = None
        while epoch is None:
            epoch = store.acquire_leadership(second)
        assert epoch > old + 1

        assert revisions.distance(second, platform_enabled=True).missing == ()
        after = rows(looker, tables)
        for table in tables.keys() - CHANGED - {"chain.changes"}:
            assert after[table] == before[table], table
        assert len(after["chain.changes"]) == len(before["chain.changes"]) + 1
        assert (
            looker.execute(
                "SELECT id, status FROM intent.overview WHERE ended_at IS NULL ORDER BY id"
            ).fetchall()
            == statuses
        )
        assert folds.verify_ledger(looker) == []
        for fold in folds.FOLDS:  # and it was not compared with nothing
            assert looker.execute(sql.SQL("SELECT count(*) > 0 FROM {}").format(fold.table)).fetchone() == (
                True,
            )


def test_the_way_back(pg_cluster: Cluster, url: str, tmp_path: Path) -> None:
    """As docs/upgrade.md says: the dump, into an empty database with its rights."""

    def run(program: str, *arguments: str, said: bytes | None = None) -> bytes:
        command = [str(postgres.programs() / program), *arguments]
        return subprocess.run(command, check=True, input=said, stdout=subprocess.PIPE).stdout

    with psycopg.connect(url, autocommit=True) as connection:
        name = connection.info.dbname
        tables = columns(connection)
        before = rows(connection, tables)
    dump = tmp_path / "before.dump"
    dump.write_bytes(run("pg_dump", "--format=custom", url))
    migrate.migrate(migrate.engine(url), platform_enabled=True)
    login = f"login_{secrets.token_hex(4)}"
    try:
        with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        made = roles.as_text(roles.Wanted(name, login, [], []))
        run("psql", "--no-psqlrc", "--quiet", pg_cluster.url(), said=made.encode())
        run(
            "pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={url}", said=dump.read_bytes()
        )
        with psycopg.connect(f"{url}&user={login}", autocommit=True) as connection:
            connection.execute("SET ROLE chainfirst_daemon")
            assert store.acquire_leadership(connection) is not None
        with psycopg.connect(url, autocommit=True) as connection:
            assert columns(connection) == tables
            after = rows(connection, tables)
            assert {name for name in tables if after[name] != before[name]} == {"chain.leader"}
            assert folds.verify_ledger(connection) == []
        migrate.migrate(migrate.engine(url), platform_enabled=True)  # and forward again
    finally:
        with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(login)))
            pg_cluster.ensure_database(name)  # for the fixture to drop


def test_what_a_newer_version_migrated_is_refused_with_the_way_back(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE chain.alembic_version SET version_num = 'platform_9999'")
    with pytest.raises(ConfigError, match=r"platform_9999 is not known here.*docs/upgrade\.md"):
        migrate.migrate(migrate.engine(url), platform_enabled=True)
