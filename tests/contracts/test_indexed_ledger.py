"""The platform's life on a real chain, indexed into the ledger: the rows are what the contracts say."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from chainfirst.contracts import build
from chainfirst.indexer import engine, finality, window, wiring
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import folds, migrate, store

DAY = 86_400
ARTIFACT = {
    "issuer_registry": "IssuerRegistry",
    "campaign_factory": "CampaignFactory",
    "campaign": "CampaignImplementation",
    "share_certificate": "NFTShareCertificate",
    "token": "BirrToken",
}


@pytest.fixture(scope="session")
def pg_template(pg_cluster: Cluster) -> str:
    pg_cluster.ensure_database("template_ledger")
    migrate.migrate(migrate.engine(pg_cluster.url("template_ledger")), platform_enabled=True)
    return "template_ledger"


@pytest.fixture
def connection(pg_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(pg_url, autocommit=True) as connection:
        yield connection


def indexer(
    connection: psycopg.Connection[Any], platform: Any, node: Anvil, depth: int = 5
) -> engine.Indexer:
    """An indexer of the deployed platform, wired as the daemon does it."""
    contracts = []
    for key, name in ARTIFACT.items():
        place = platform.deployment["contracts"].get(key, {})
        factory = ("campaign_factory", "CampaignCreated", "campaign") if key == "campaign" else None
        contracts.append(
            wiring.Contract(
                key=key,
                abi=json.loads((build.ARTIFACTS / f"{name}.json").read_text()),
                addresses=frozenset([place["address"].lower()] if place else []),
                start_block=0,
                events=None,
                factory=factory,
            )
        )
    setup, layouts = wiring.build(contracts, finality.Depth(depth), platform=True)
    with connection.transaction():
        store.create_event_tables(connection, layouts)
    client = Client(Endpoint(node.url))
    genesis = client.header_by_number(0)
    assert genesis is not None
    connection.execute("SET ROLE chainfirst_daemon")
    with connection.transaction():
        cursor = store.open_cursor(connection, 31337, genesis.hash)
        wiring.register(connection, cursor, contracts, layouts)
    epoch = store.acquire_leadership(connection)
    assert epoch is not None
    return engine.Indexer(connection, client, setup, epoch, window.Window(7, 1000, 1_000_000))


def drain(indexer: engine.Indexer) -> None:
    while indexer.step() is engine.Progress.ADVANCED:
        pass


def ledger(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    return {fold.name: connection.execute(f"SELECT * FROM ledger.{fold.name} ORDER BY 1, 2").fetchall()
            for fold in folds.FOLDS}  # fmt: skip


def test_the_ledger_holds_what_the_contracts_say(
    connection: psycopg.Connection[Any], platform: Any, contract_node: Anvil
) -> None:
    running = indexer(connection, platform, contract_node)
    drain(running)
    campaign = platform.campaign()
    investment = platform.invest(campaign, "alice", 400_000)
    platform.invest(campaign, "bob", 300_000)
    drain(running)
    address = campaign.address.lower()
    raised = "SELECT status, total_raised, investor_count FROM ledger.campaigns WHERE address = %s"
    assert connection.execute(raised, [address]).fetchone() == ("active", 700_000, 2)

    platform.rpc("anvil_reorg", 1, [])
    platform.invest(campaign, "bob", 350_000)
    drain(running)
    assert connection.execute(raised, [address]).fetchone() == ("active", 750_000, 2)
    assert campaign.functions.raised().call() == 750_000
    assert folds.verify_ledger(connection) == []

    platform.pass_time(40 * DAY)
    platform.send("eve", campaign.functions.finalize())
    platform.send("eve", campaign.functions.releaseFunds())
    platform.send(
        "minter",
        platform.certificate.functions.mint(platform.at["alice"], investment, campaign.address, b"\x22" * 32),
    )
    drain(running)
    assert connection.execute(raised, [address]).fetchone() == ("successful", 750_000, 2)
    escrow = connection.execute(
        "SELECT escrow_balance, released_amount, released_fee FROM ledger.escrows WHERE address = %s",
        [address],
    ).fetchone()
    assert escrow == (18_750, 731_250, 18_750)
    assert campaign.functions.escrowBalance().call() == 18_750
    owner = connection.execute("SELECT owner, amount FROM ledger.certificates").fetchall()
    assert owner == [(platform.at["alice"].lower(), 400_000)]
    assert folds.verify_ledger(connection) == []
    kept = ledger(connection)
    with connection.transaction():
        folds.rebuild(connection)
    assert ledger(connection) == kept
    assert connection.execute("SELECT count(*) FROM event.undecoded").fetchone() == (0,)


def test_what_a_reorg_takes_and_nothing_replaces_leaves_the_ledger(
    connection: psycopg.Connection[Any], platform: Any, contract_node: Anvil
) -> None:
    running = indexer(connection, platform, contract_node, depth=20)
    sold = platform.campaign()
    bought = platform.invest(sold, "alice", 1_000_000)
    platform.send("eve", sold.functions.finalize())
    drain(running)
    before, start = ledger(connection), platform.web3.eth.block_number

    certificate, registry = platform.certificate.functions, platform.registry.functions
    platform.send("eve", sold.functions.releaseFunds())
    mint = certificate.mint(platform.at["alice"], bought, sold.address, b"\x22" * 32)
    platform.send("minter", mint)
    platform.send("alice", certificate.transferFrom(platform.at["alice"], platform.at["bob"], 1))
    platform.campaign(investors=False)
    platform.send("registrar", registry.setInvestor(platform.at["eve"], True))
    platform.send("registrar", registry.setActive(platform.at["issuer"], False))
    drain(running)
    after = ledger(connection)
    assert [name for name in before if before[name] == after[name]] == []

    taken = platform.web3.eth.block_number - start
    platform.rpc("anvil_reorg", taken, [])
    drain(running)
    assert platform.web3.eth.block_number == start + taken
    assert ledger(connection) == before
    assert folds.verify_ledger(connection) == []
