"""The ledger as of a block is what it was when that block was the last one; its files are always the same."""

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst import daemon
from chainfirst.ops import reach
from chainfirst.ops.commands import export
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.errors import ChainfirstError, ConfigError, FatalError
from chainfirst.schema import as_of, folds
from chainfirst.tests.contracts.test_indexed_ledger import DAY, drain, indexer
from psycopg import sql
from typer.testing import CliRunner

Connection = psycopg.Connection[Any]
KEPT = ("campaigns", "escrows", "certificates", "votes", "issuers", "investors")
ROWS = ("investments", "refunds", "certificate_transfers")


@pytest.fixture(scope="session")
def pg_template(pg_cluster: Any) -> str:
    from chainfirst.schema import migrate

    pg_cluster.ensure_database("template_ledger")
    migrate.migrate(migrate.engine(pg_cluster.url("template_ledger")), platform_enabled=True)
    return "template_ledger"


@pytest.fixture
def connection(pg_url: str) -> Iterator[Connection]:
    with psycopg.connect(pg_url, autocommit=True) as connection:
        yield connection


class Auditor:
    """Runs the command; the folder and what it said."""

    def __init__(self, url: str, node: str, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "config.toml"
        self.configure(url, node)

    def configure(self, url: str, node: str) -> None:
        self.file.write_text(
            f'[database]\nurl = "{url}"\n[chain]\nchain_id = 31337\nendpoints = ["{node}"]\n'
        )

    def run(self, block: int, name: str) -> tuple[int, dict[str, Any]]:
        out = str(self.directory / name)
        done = CliRunner().invoke(
            daemon.app, ["--config", str(self.file), "export", "--as-of", str(block), "--out", out, "--json"]
        )
        if isinstance(done.exception, ChainfirstError):
            raise done.exception
        return done.exit_code, json.loads(done.stdout)

    def rows(self, name: str, file: str) -> list[dict[str, str]]:
        with (self.directory / name / f"{file}.csv").open(encoding="utf-8", newline="") as opened:
            assert opened.readline().startswith("# chain_id=31337 block=")
            return list(csv.DictReader(opened))


def ledger(connection: Connection, number: int | None) -> dict[str, list[Any]]:
    """Everything now, or as of a block."""
    found = {}
    for name in (*KEPT, *ROWS):
        if number is None:
            statement = f"SELECT to_jsonb(x) FROM ledger.{name} x ORDER BY 1"
            found[name] = connection.execute(statement.encode()).fetchall()
        else:
            with connection.transaction():
                table = as_of.select(connection, f"SELECT to_jsonb(x) FROM {name} x ORDER BY 1", number)
                found[name] = list(table.rows)
    return found


def life(platform: Any) -> Iterator[None]:
    """A sale and a failure in which every relation changes; a step each time."""
    certificate, registry = platform.certificate.functions, platform.registry.functions
    sold = platform.campaign(documentURI='=HYPERLINK("http://x")')
    first = platform.invest(sold, "alice", 400_000)
    yield
    platform.invest(sold, "bob", 350_000)
    platform.send("operator", platform.record(sold, "eve", 10_050))
    yield
    platform.pass_time(36 * DAY)
    platform.send("eve", sold.functions.finalize())
    yield
    platform.send("eve", sold.functions.releaseFunds())
    mint = certificate.mint(platform.at["alice"], first, sold.address, b"\x22" * 32)
    platform.send("minter", mint)
    yield
    platform.send("eve", sold.functions.withdrawFee())
    platform.send("alice", certificate.transferFrom(platform.at["alice"], platform.at["bob"], 1))
    yield
    lost = platform.campaign()
    platform.invest(lost, "alice", 5_000)
    platform.invest(lost, "bob", 6_000)
    platform.send("registrar", registry.updateDocument(platform.at["issuer"], "ipfs://new"))
    yield
    platform.send("owner", lost.functions.cancel("@no more,\r\nsorry"))
    platform.send("eve", lost.functions.refund(platform.at["bob"]))
    yield


def test_the_ledger_as_of_every_block(
    connection: Connection, platform: Any, contract_node: Anvil, pg_url: str, tmp_path: Path
) -> None:
    running = indexer(connection, platform, contract_node, depth=2)
    seen: list[tuple[int, dict[str, Any]]] = []
    for _ in life(platform):
        platform.rpc("anvil_mine", "0x2")
        drain(running)
        seen.append((platform.web3.eth.block_number - 2, ledger(connection, None)))
    head = platform.web3.eth.block_number
    assert folds.verify_ledger(connection) == []
    for number, before in seen:
        assert ledger(connection, number) == before
    assert ledger(connection, 0) == {name: [] for name in (*KEPT, *ROWS)}

    auditor = Auditor(pg_url, contract_node.url, tmp_path)
    last = seen[-1][0]
    code, facts = auditor.run(last, "last")
    assert (code, facts["disagreements"]) == (0, [])
    assert facts["hash"] == platform.web3.eth.get_block(last)["hash"].to_0x_hex()
    assert facts["rows"]["totals"] == 3
    totals = {row["campaign"]: list(row.values())[3:] for row in auditor.rows("last", "totals")}
    assert totals.pop("all") == ["7710.50", "7710.50", "50.00", "7410.49", "190.01", "60.00", "0.00"]
    sold, lost = totals.values()
    assert sold == ["7600.50", "7600.50", "0.00", "7410.49", "190.01", "0.00", "0.00"]
    assert lost == ["110.00", "110.00", "50.00", "0.00", "0.00", "60.00", "0.00"]
    campaigns = auditor.rows("last", "campaigns")
    assert [row["document_uri"] for row in campaigns] == ['\'=HYPERLINK("http://x")', "ipfs://offer"]
    assert campaigns[1]["cancel_reason"] == "'@no more,\r\nsorry"
    assert campaigns[0]["goal_birr"] == "10000.00"

    # the same block, the same bytes; whatever has happened since, and in whatever time zone
    auditor.run(seen[2][0], "third")
    connection.execute("RESET ROLE")
    database = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("ALTER DATABASE {} SET timezone = 'Africa/Addis_Ababa'").format(database))
    auditor.run(seen[2][0], "again")
    files = sorted(path.name for path in (tmp_path / "third").iterdir())
    assert files == sorted([*(f"{name}.csv" for name in as_of.FILES), "SHA256SUMS"])
    for name in files:
        assert (tmp_path / "third" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    for line in (tmp_path / "third" / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / "third" / name).read_bytes()).hexdigest() == digest
    assert [row["status"] for row in auditor.rows("third", "campaigns")] == ["successful"]
    assert auditor.rows("third", "certificates") == []

    with pytest.raises(ConfigError, match="exists already"):
        auditor.run(last, "last")
    with pytest.raises(ConfigError, match=f"block {head + 1} is not final yet: the last final one is {last}"):
        auditor.run(head + 1, "early")
    assert not (tmp_path / "early").exists()

    # what the chain never said: a refund of 1 birr that no total knows
    connection.execute(
        "INSERT INTO event.campaign_investor_refunded"
        " SELECT block_number, 999, 999, block_time, tx_hash, address, investor, 100, escrow_balance, 0"
        " FROM event.campaign_investor_refunded"
    )
    code, facts = auditor.run(last, "wrong")
    (line,) = facts["disagreements"]
    assert (code, line.split(": ")[1]) == (
        1, "raised 110.00, but held, released, withdrawn and refunded are 111.00",
    )  # fmt: skip
    assert auditor.rows("wrong", "totals")[-1]["difference_birr"] == "-1.00"

    # a block that the database keeps needs no node; an older one does, and one of this chain
    auditor.configure(pg_url, "http://127.0.0.1:1")
    auditor.run(last, "kept")
    with pytest.raises(reach.EndpointUnreachable):
        auditor.run(last - 1, "older")
    auditor.configure(pg_url, contract_node.url)
    platform.rpc("anvil_reorg", 3, [])
    with pytest.raises(FatalError, match="on another chain, or finality was violated"):
        auditor.run(last - 1, "older")
    connection.execute(
        "UPDATE chain.sources SET joined = false, complete_to = 1 WHERE table_name ~ '_paused'"
    )
    with pytest.raises(ConfigError, match=r"event.campaign_paused is complete to block 1 only"):
        auditor.run(last, "older")
    connection.execute("DELETE FROM chain.sources WHERE table_name ~ '_paused'")
    with pytest.raises(ConfigError, match=r"event.campaign_paused is not indexed"):
        auditor.run(last, "older")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        ({"held_birr": 41}, ["raised 1.00, but held, released, withdrawn and refunded are 1.01"]),
        ({"invested_birr": 99}, ["raised 1.00, but the investments are 0.99"]),
        ({"raised_birr": 0}, ["raised 0.00, but held, released, withdrawn and refunded are 1.00",
                              "raised 0.00, but the investments are 1.00"]),
    ],
)  # fmt: skip
def test_totals_that_disagree(changed: dict[str, int], said: list[str]) -> None:
    row: dict[str, Any] = {
        "campaign": "c", "address": "a", "raised_birr": 100, "invested_birr": 100, "held_birr": 40,
        "released_birr": 30, "fee_withdrawn_birr": 20, "refunded_birr": 10,
    }  # fmt: skip
    assert export.disagreements([row | changed]) == [f"c a: {line}" for line in said]
