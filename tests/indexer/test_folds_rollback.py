"""The ledger's kept rows over reorganisations, case by case, and a death at each statement of one."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from chainfirst.indexer import engine, finality
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import folds, migrate
from chainfirst.tests.laws import world
from chainfirst.tests.laws.conftest import Life

POLICY = finality.Depth(10)
ALL = len(world.STAGES) - 1
Connection = psycopg.Connection[Any]


@pytest.fixture(scope="session")
def pg_template(pg_cluster: Cluster) -> str:
    pg_cluster.ensure_database("template_platform")
    migrate.migrate(migrate.engine(pg_cluster.url("template_platform")), platform_enabled=True)
    return "template_platform"


@pytest.fixture
def life(fresh_anvil: Anvil) -> Life:
    life = Life(fresh_anvil)
    life.mine(12)
    return life


class Followed:
    """A life and the ledger that follows it."""

    def __init__(self, life: Life, connection: Any) -> None:
        self.life, self.connection = life, connection
        self.running = start(life, connection)

    def does(self, *transactions: tuple[Any, ...]) -> None:
        """A block with these, indexed."""
        for each in transactions:
            self.life.send(*each)
        self.life.mine()
        self.index()

    def reorganise(self, depth: int, *transactions: tuple[Any, ...]) -> None:
        """Replace `depth` blocks by as many, the first of them with these transactions; indexed."""
        self.life.call("anvil_reorg", [depth, [[self.life.transaction(*each), 0] for each in transactions]])
        self.index()

    def index(self) -> None:
        world.drain(self.running)
        assert folds.verify_ledger(self.connection) == []

    def count(self, relation: str, where: str = "true") -> int:
        row = self.connection.execute(f"SELECT count(*) FROM ledger.{relation} WHERE {where}").fetchone()
        assert row is not None
        return int(row[0])


def start(life: Life, connection: Any) -> engine.Indexer:
    client = Client(Endpoint(life.url))
    return world.indexer(connection, client, world.contracts(life.address, ALL), POLICY, platform=True)


@pytest.fixture
def connection(pg_url: str) -> Iterator[Connection]:
    with psycopg.connect(pg_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def followed(life: Life, connection: Connection) -> Followed:
    return Followed(life, connection)


def test_a_row_goes_with_its_only_event(followed: Followed) -> None:
    followed.does(("create", 2))
    followed.does(("create", 1), ("verify", 1, 2), ("mint", 5, 2))
    assert (followed.count("campaigns"), followed.count("escrows"), followed.count("issuers")) == (3, 3, 3)
    assert (followed.count("investors"), followed.count("certificates")) == (2, 2)
    followed.reorganise(1)
    assert (followed.count("campaigns"), followed.count("escrows"), followed.count("issuers")) == (2, 2, 2)
    assert (followed.count("investors"), followed.count("certificates"), followed.count("votes")) == (0, 0, 0)


def test_a_row_goes_back_to_what_it_was(followed: Followed) -> None:
    followed.does(("create", 1))
    followed.does(("invest", 1, 2, 0, 1))
    raised = followed.connection.execute("SELECT total_raised FROM ledger.campaigns").fetchone()
    followed.does(("invest", 10, 3, 0, 1))
    followed.does(("finish", 0, 1))
    assert followed.count("campaigns", "status = 'successful' AND investor_count = 5") == 1
    assert followed.count("escrows", "released_amount IS NOT NULL") == 1
    followed.reorganise(1)
    assert followed.count("campaigns", "status = 'active' AND investor_count = 5") == 1
    assert followed.count("escrows", "released_amount IS NULL AND escrow_balance > 0") == 1
    followed.reorganise(2)
    assert followed.connection.execute("SELECT total_raised FROM ledger.campaigns").fetchone() == raised
    assert (followed.count("investments"), followed.count("campaigns", "investor_count = 2")) == (2, 1)


def test_one_key_removed_and_added_in_one_batch(followed: Followed) -> None:
    followed.does(("create", 1))
    followed.does(("invest", 1, 3, 0, 1))
    followed.reorganise(1, ("invest", 50, 1, 0, 1))  # the same campaign, another investment
    assert followed.count("campaigns", "investor_count = 1") == 1
    assert followed.count("investments") == 1
    followed.reorganise(1, ("finish", 0, 1))  # no investment, but the end
    assert followed.count("campaigns", "status = 'successful' AND total_raised = 0") == 1
    followed.reorganise(1, ("invest", 70, 2, 0, 1), ("finish", 0, 1))
    assert followed.count("campaigns", "status = 'successful' AND investor_count = 2") == 1


def test_a_campaign_announced_in_another_block_and_its_events_with_it(followed: Followed) -> None:
    followed.does(("create", 1))
    followed.does(("create", 1))
    followed.does(("invest", 1, 2, 1, 1))
    assert followed.count("investments") == 2
    followed.reorganise(3, ("create", 1), ("invest", 30, 1, 0, 1))  # the second campaign never was
    assert (followed.count("campaigns"), followed.count("investments")) == (1, 1)
    followed.does(("create", 1), ("invest", 40, 4, 1, 1))  # now at the same address again
    assert (followed.count("campaigns"), followed.count("investments")) == (2, 5)


def test_a_shorter_chain_leaves_nothing_behind(followed: Followed) -> None:
    followed.does(("create", 1))
    followed.does(("verify", 1, 3))
    followed.does(("mint", 1, 3))
    followed.does(("move", 1, 3, 4))
    followed.life.call("anvil_rollback", [3])
    followed.does(("verify", 7, 1))
    assert (followed.count("investors"), followed.count("certificates"), followed.count("votes")) == (1, 0, 0)


class Died(BaseException):
    """The process ends here."""


class Mortal:
    """A connection that dies before its `left`-th statement."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.left: int | None = None

    def execute(self, *arguments: Any, **options: Any) -> Any:
        self._live()
        return self.connection.execute(*arguments, **options)

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        self._live()
        return self.connection.cursor(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def _live(self) -> None:
        if self.left is not None:
            if self.left == 0:
                raise Died
            self.left -= 1


def test_a_death_at_any_statement_of_a_reorganisation_changes_nothing(
    life: Life, connection: Connection
) -> None:
    mortal: Any = Mortal(connection)
    followed = Followed(life, mortal)
    followed.does(("create", 3))
    followed.does(("invest", 1, 6, 0, 3), ("verify", 1, 2))
    followed.does(("finish", 0, 2), ("mint", 1, 4))
    before = world.contents(connection)
    again = [[life.transaction("invest", 90, 2, 0, 3), 0], [life.transaction("move", 3, 2, 4), 1]]
    life.call("anvil_reorg", [2, again])
    life.send("finish", 2, 1)
    life.mine()
    deaths = 0
    while True:
        mortal.left = deaths
        try:
            progress = followed.running.step()  # after a failure it begins with the database
        except Died:
            mortal.left = None
            deaths += 1
            assert world.contents(connection) == before
            continue
        mortal.left = None
        assert progress is engine.Progress.ADVANCED
        break
    print(f"{deaths} deaths")
    assert deaths > 40
    after = world.contents(connection)
    assert after != before
    assert folds.verify_ledger(connection) == []
    assert after["cursor"] == [life.head()]
