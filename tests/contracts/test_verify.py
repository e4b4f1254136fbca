"""verify and rewind of the whole platform, with a factory's children and the ledger, through the commands."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from chainfirst import daemon
from chainfirst.contracts import build
from chainfirst.indexer import audit, engine, window, wiring
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops import config
from chainfirst.ops.commands import parts, verdicts
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import folds, layout, migrate, rewind, store
from psycopg import sql
from typer.testing import CliRunner

ARTIFACT = {
    "issuer_registry": "IssuerRegistry",
    "campaign_factory": "CampaignFactory",
    "campaign": "CampaignImplementation",
    "share_certificate": "NFTShareCertificate",
    "token": "BirrToken",
}
FACTORY = '{ contract = "campaign_factory", event = "CampaignCreated", parameter = "campaign" }'


@pytest.fixture(scope="session")
def pg_template(pg_cluster: Cluster) -> str:
    pg_cluster.ensure_database("template_verify")
    migrate.migrate(migrate.engine(pg_cluster.url("template_verify")), platform_enabled=True)
    return "template_verify"


class Indexed:
    """The platform's chain in the database, its settings in a file."""

    def __init__(self, url: str, file: Path, platform: Any, node: Anvil) -> None:
        self.url, self.file, self.node = url, file, node
        text = f'[database]\nurl = "{url}"\n[chain]\nchain_id = 31337\nfinality = 5\n'
        text += f'endpoints = ["{node.url}"]\n'
        for key, name in ARTIFACT.items():
            place = platform.deployment["contracts"].get(key)
            where = f'address = "{place["address"]}"' if place else f"factory = {FACTORY}"
            text += f'[contracts.{key}]\nabi = "{build.ARTIFACTS / f"{name}.json"}"\n{where}\n'
        file.write_text(text)
        self.connection: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)

    def index(self) -> None:
        """Bring the database to the head; nobody leads it afterwards."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            contracts = parts.contracts(config.load(self.file, {}))
            setup, layouts = wiring.build(contracts, wiring.policy(5), platform=True)
            client = Client(Endpoint(self.node.url))
            genesis = client.header_by_number(0)
            assert genesis is not None
            with connection.transaction():
                store.create_event_tables(connection, layouts)
            connection.execute("SET ROLE chainfirst_daemon")
            with connection.transaction():
                cursor = store.open_cursor(connection, 31337, genesis.hash)
                wiring.register(connection, cursor, contracts, layouts)
            epoch = store.acquire_leadership(connection)
            assert epoch is not None
            ranges = window.Window(50, 1000, 1_000_000)
            indexer = engine.Indexer(connection, client, setup, epoch, ranges)
            while indexer.step() is engine.Progress.ADVANCED:
                pass

    def chainfirst(self, *arguments: str) -> Any:
        return CliRunner().invoke(daemon.app, ["--config", str(self.file), *arguments])

    def verify(self, *arguments: str) -> Any:
        return json.loads(self.chainfirst("verify", "--json", *arguments).output)

    def rows(self) -> dict[str, list[Any]]:
        """All rows of event and ledger."""
        tables = [sql.Identifier(layout.SCHEMA, name) for name in rewind.event_tables(self.connection)]
        tables += [fold.table for fold in folds.FOLDS]
        found = {}
        for table in tables:
            statement = sql.SQL("SELECT * FROM {} t ORDER BY t").format(table)
            found[table.as_string()] = self.connection.execute(statement).fetchall()
        return found

    def one(self, statement: str) -> Any:
        row = self.connection.execute(statement).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture
def indexed(pg_url: str, tmp_path: Path, platform: Any, contract_node: Anvil) -> Iterator[Indexed]:
    campaign = platform.campaign()
    platform.invest(campaign, "alice", 400_000)
    platform.invest(campaign, "bob", 300_000)
    found = Indexed(pg_url, tmp_path / "config.toml", platform, contract_node)
    try:
        found.index()
        yield found
    finally:
        found.connection.close()


def test_a_true_database_with_children_has_no_difference(indexed: Indexed) -> None:
    head = indexed.one("SELECT indexed_number FROM chain.cursor")
    logs = indexed.one("SELECT count(*) FROM event.campaign_investment_recorded")
    assert logs == 2
    answer = indexed.verify("--all")
    assert (answer["count"], answer["blocks"], answer["ledger"], answer["notes"]) == (0, [0, head], True, [])
    assert answer["logs"] == sum(
        len(rows) for name, rows in indexed.rows().items() if name.startswith('"event"')
    )
    said = indexed.chainfirst("verify", "--from", "1", "--to", str(head - 1))
    assert said.exit_code == 0
    assert f"compared blocks 1 to {head - 1} with the node" in said.output


@pytest.mark.parametrize("table", ["campaign_investment_recorded", "campaign_factory_campaign_created"])
def test_a_row_of_a_child_or_of_its_factory_that_is_gone_is_found(indexed: Indexed, table: str) -> None:
    name = sql.Identifier("event", table)
    indexed.connection.execute(sql.SQL("DELETE FROM {}").format(name))
    answer = indexed.verify("--all")
    seen = {(each["relation"], each["kind"]) for each in answer["differences"]}
    assert (f"event.{table}", "missing") in seen
    assert ("ledger.campaigns", "extra") in seen or ("ledger.campaigns", "missing") in seen
    # without its announcement above, a child's rows above the final block are nobody's
    children = {("event.campaign_investment_recorded", "extra")}
    assert {each for each in seen if each[0].startswith("event")} - children == {
        (f"event.{table}", "missing")
    }


def test_a_ledger_follows_a_rewind(indexed: Indexed) -> None:
    before = indexed.rows()
    head = indexed.one("SELECT indexed_number FROM chain.cursor")
    last = indexed.one("SELECT max(block_number) FROM event.campaign_factory_campaign_created")
    for number in (head - 1, last - 1, -1):
        done = indexed.chainfirst("rewind", "--to", str(number), "--yes")
        assert done.exit_code == 0, done.exception
        with psycopg.connect(indexed.url) as connection:
            assert folds.verify_ledger(connection) == []
        assert indexed.rows() != before
        if number > 0:
            assert indexed.verify("--all")["count"] == 0
        indexed.index()
        assert indexed.rows() == before


def test_verify_waits_for_a_reorganisation_to_be_indexed(
    indexed: Indexed, platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.rpc("anvil_reorg", 2, [])
    platform.rpc("anvil_mine", "0x1")
    slept: list[float] = []
    monkeypatch.setattr(verdicts, "time", SimpleNamespace(sleep=slept.append))
    given_up = indexed.chainfirst("verify", "--all")
    assert isinstance(given_up.exception, audit.Moved)
    assert len(slept) == verdicts.SNAPSHOTS - 1
    monkeypatch.setattr(verdicts, "time", SimpleNamespace(sleep=lambda _: indexed.index()))
    assert indexed.verify("--all")["count"] == 0
