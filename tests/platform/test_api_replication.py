"""Another PostgreSQL follows the ledger by logical replication."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import folds, migrate
from chainfirst.tests.platform.chain_rows import Chain, account
from psycopg import sql

DATABASE = "ledger"
SETTINGS = {"wal_level": "logical", "fsync": "off", "max_connections": "20"}
REPLICA = Path(__file__).parents[2] / "docs" / "examples" / "replica.sql"
# a word when a transaction has arrived
TELL = """
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('arrived', TG_OP); RETURN NULL; END $$;
"""
TRIGGER = """
CREATE OR REPLACE TRIGGER tell AFTER INSERT OR DELETE ON {table} EXECUTE FUNCTION tell();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER tell
"""


@pytest.fixture
def publisher(server_dir: Path) -> str:
    cluster = Cluster(server_dir, SETTINGS)
    cluster.start()
    cluster.ensure_database(DATABASE)
    migrate.migrate(migrate.engine(cluster.url(DATABASE)), platform_enabled=True)
    return cluster.url(DATABASE)


@pytest.fixture
def subscriber(publisher: str, pg_cluster: Cluster) -> Iterator[psycopg.Connection]:
    name = f"subscriber_{uuid.uuid4().hex[:8]}"
    pg_cluster.ensure_database(name)
    try:
        with psycopg.connect(pg_cluster.url(name), autocommit=True) as session:
            session.execute(TELL.encode())
            try:
                yield session
            finally:
                with contextlib.suppress(psycopg.errors.UndefinedObject):
                    session.execute("ALTER SUBSCRIPTION ledger DISABLE")
                    session.execute("ALTER SUBSCRIPTION ledger SET (slot_name = NONE)")
                    session.execute("DROP SUBSCRIPTION ledger")
    finally:
        with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _make_tables(publisher: psycopg.Connection, subscriber: psycopg.Connection) -> None:
    """As docs/feed.md says, by psql; with triggers that tell us."""
    schemas = publisher.execute(REPLICA.read_bytes())
    made = [statement for (statement,) in schemas]
    assert schemas.nextset()
    tables = [statement for (statement,) in schemas]
    for statement in (*made, *tables):
        subscriber.execute(statement.encode())
    for statement in tables:
        table = statement.split()[5]
        subscriber.execute(TRIGGER.format(table=table).encode())


def _until(subscriber: psycopg.Connection, query: str, wanted: object) -> None:
    """Look again whenever something arrives."""
    while (row := subscriber.execute(query.encode()).fetchone()) != (wanted,):
        assert list(subscriber.notifies(timeout=60, stop_after=1)), f"{row} instead of {wanted}"


def test_a_second_database_follows_the_ledger(publisher: str, subscriber: psycopg.Connection) -> None:
    with psycopg.connect(publisher, autocommit=True) as source:
        published = source.execute(
            "SELECT schemaname || '.' || tablename FROM pg_publication_tables"
            " WHERE pubname = 'chainfirst_ledger'"
        )
        assert {name for (name,) in published} == {f"ledger.{fold.name}" for fold in folds.FOLDS}
        _make_tables(source, subscriber)
        subscriber.execute("LISTEN arrived")
        chain = Chain(source)
        company = uuid.uuid4()
        chain.register(company, account("before"))
        subscribe = sql.SQL("CREATE SUBSCRIPTION ledger CONNECTION {} PUBLICATION chainfirst_ledger")
        subscriber.execute(subscribe.format(sql.Literal(publisher)))
        _until(subscriber, "SELECT min(issuer) FROM ledger.issuers", account("before"))

        campaign = chain.create(uuid.uuid4(), company, account("before"))
        _until(subscriber, "SELECT min(address) FROM ledger.campaigns", campaign)
        chain.invest(campaign, "0x" + "11" * 32, account("investor"), 4550)
        _until(subscriber, "SELECT max(total_raised)::integer FROM ledger.campaigns", 4550)

        # an event table is added, as docs/feed.md says
        source.execute("SET ROLE chainfirst_owner")
        source.execute("ALTER PUBLICATION chainfirst_ledger ADD TABLE event.campaign_investment_recorded")
        source.execute("RESET ROLE")
        _make_tables(source, subscriber)
        subscriber.execute("ALTER SUBSCRIPTION ledger REFRESH PUBLICATION")
        chain.invest(campaign, "0x" + "22" * 32, account("investor"), 4550)
        _until(subscriber, "SELECT count(*) FROM event.campaign_investment_recorded", 2)

        chain.roll_back(1)
        _until(subscriber, "SELECT count(*) FROM event.campaign_investment_recorded", 0)
        _until(subscriber, "SELECT count(*) FROM ledger.campaigns", 0)
        _until(subscriber, "SELECT count(*) FROM ledger.issuers WHERE active_campaign IS NULL", 1)
