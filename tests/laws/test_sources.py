"""Contracts and events that are configured later, otherwise, or no more."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from chainfirst.indexer import finality, wiring
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.errors import ConfigError
from chainfirst.schema import migrate, store
from chainfirst.tests.laws import world
from chainfirst.tests.laws.conftest import Life

Connection = psycopg.Connection[Any]
New = Callable[[], Connection]
POLICY = finality.Depth(5)


def index(life: Life, connection: Connection, configured: list[wiring.Contract]) -> None:
    world.drain(world.indexer(connection, Client(Endpoint(life.url)), configured, POLICY, platform=False))


def lived(life: Life) -> None:
    """Some issuers and campaigns, in history and near the head."""
    life.send("create", 3)
    life.mine()
    life.send("verify", 0, 4)
    life.mine(100)
    life.send("create", 2)
    life.send("verify", 10, 4)
    life.mine(3)


def count(connection: Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM event.{table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def changes(connection: Connection) -> list[tuple[str, list[str]]]:
    rows = connection.execute("SELECT kind, added FROM chain.changes ORDER BY seq").fetchall()
    return [(kind, sorted(added)) for kind, added in rows]


def test_an_added_contract_catches_up_alone_and_joins(life: Life, new_database: New) -> None:
    lived(life)
    connection, first = new_database(), world.contracts(life.address, 0)
    index(life, connection, first)
    before = changes(connection)
    (registry,) = [each for each in world.contracts(life.address, 2) if each.key == "issuer_registry"]
    index(life, connection, [*first, registry])
    new = changes(connection)[len(before) :]
    assert new[-1][0] == "join"
    assert {table for _, added in new for table in added} == {
        "issuer_registry_issuer_registered",
        "issuer_registry_issuer_campaign_changed",
        "issuer_registry_investor_status_changed",
    }  # and nothing of the contracts of before
    assert count(connection, "issuer_registry_investor_status_changed") == 8
    life.send("verify", 20, 2)
    life.mine()
    index(life, connection, [*first, registry])
    assert count(connection, "issuer_registry_investor_status_changed") == 10
    assert all(source.joined for source in store.read_sources(connection).values())


def test_an_added_event_of_a_known_contract_joins(life: Life, new_database: New) -> None:
    lived(life)
    connection = new_database()
    (registry,) = [each for each in world.contracts(life.address, 2) if each.key == "issuer_registry"]
    index(life, connection, [replace(registry, events=("IssuerRegistered",))])
    index(life, connection, [replace(registry, events=("IssuerRegistered", "InvestorStatusChanged"))])
    assert count(connection, "issuer_registry_issuer_registered") == 5
    assert count(connection, "issuer_registry_investor_status_changed") == 8


@pytest.mark.parametrize("start", [50, 10_000])
def test_its_start_block_is_its_own(life: Life, new_database: New, start: int) -> None:
    lived(life)
    connection, first = new_database(), world.contracts(life.address, 0)
    index(life, connection, first)
    (registry,) = [each for each in world.contracts(life.address, 2) if each.key == "issuer_registry"]
    index(life, connection, [*first, replace(registry, start_block=start)])
    assert count(connection, "issuer_registry_investor_status_changed") == (4 if start == 50 else 0)
    fresh = new_database()
    index(life, fresh, [*first, replace(registry, start_block=start)])
    assert count(fresh, "issuer_registry_investor_status_changed") == (4 if start == 50 else 0)


def test_what_is_refused_says_what_to_do(life: Life, new_database: New) -> None:
    lived(life)
    connection, all_of_them = new_database(), world.contracts(life.address, 2)
    index(life, connection, all_of_them)
    moved = [
        replace(each, addresses=each.addresses and frozenset(["0x" + "ab" * 20])) for each in all_of_them
    ]
    with pytest.raises(ConfigError, match=r"other settings or another ABI.*by a new key"):
        index(life, connection, moved)
    odd = [
        replace(each, abi=[world.ODD_EVENT]) if each.key == "issuer_registry" else each
        for each in all_of_them
    ]
    with pytest.raises(ConfigError, match=r"configured no more|another ABI"):
        index(life, connection, odd)
    with pytest.raises(ConfigError, match=r"configured no more: odd_investor.*chainfirst sources drop"):
        index(life, connection, [each for each in all_of_them if each.key != "odd"])


def test_children_are_not_left_behind_by_their_list(life: Life, new_database: New) -> None:
    lived(life)
    connection, all_of_them = new_database(), world.contracts(life.address, 1)
    index(life, connection, all_of_them)
    connection.execute("RESET ROLE")
    with connection.transaction():
        store.drop_source(connection, "campaign_factory_campaign_created")
    with pytest.raises(ConfigError, match=r"lists the children of contracts.campaign.*sources drop"):
        index(life, connection, all_of_them)
    connection.execute("RESET ROLE")
    with connection.transaction():
        for table in store.read_sources(connection):
            if table.startswith("campaign_") and not table.startswith("campaign_factory"):
                store.drop_source(connection, table)
    index(life, connection, all_of_them)
    assert count(connection, "campaign_factory_campaign_created") == 5


def test_an_indexer_without_the_ledger_leaves_one_that_is_there_alone(life: Life, new_database: New) -> None:
    connection, configured = new_database(), world.contracts(life.address, 2)
    client = Client(Endpoint(life.url))
    world.drain(world.indexer(connection, client, configured, POLICY, platform=True))
    before = world.contents(connection)
    lived(life)
    with pytest.raises(ConfigError, match=r"has the platform's ledger.*Set platform.enabled = true"):
        index(life, connection, configured)
    assert world.contents(connection) == before
    world.drain(world.indexer(connection, client, configured, POLICY, platform=True))
    assert len(world.contents(connection)["ledger.issuers"]) == 5


def test_enabling_the_platform_ends_a_leader_that_keeps_no_ledger(life: Life, new_database: New) -> None:
    """As an operator does it: the settings, `migrate`, and only then a restart of the daemon."""
    connection, configured = new_database(), world.contracts(life.address, 2)
    client = Client(Endpoint(life.url))
    running = world.indexer(connection, client, configured, POLICY, platform=False)
    lived(life)
    world.drain(running)
    migrate.migrate(migrate.engine(connection.info.dsn), platform_enabled=True)
    before = world.contents(connection)
    life.send("create", 3)
    life.mine()
    with pytest.raises(store.LeadershipLost):
        world.drain(running)
    assert world.contents(connection) == before
    world.drain(world.indexer(connection, client, configured, POLICY, platform=True))
    assert len(world.contents(connection)["ledger.issuers"]) == 8
