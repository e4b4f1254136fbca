"""Reconcile: the ledger against what the contracts say; differences are kept, and mended by nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst import daemon
from chainfirst.indexer.rpc import errors as rpc_errors
from chainfirst.ops.errors import ChainfirstError, TransientError
from chainfirst.schema import folds, store
from chainfirst.tests.writers.world import DEPTH, World
from chainfirst.writers import facts, reconcile
from chainfirst.writers.facts import Difference
from chainfirst.writers.kinds import Call
from chainfirst.writers.node import Node
from chainfirst.writers.reconcile import Held, Report
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

DAY = 86_400
HASH = b"\x22" * 32


class Stage:
    """A platform with something of everything, all of it indexed and final."""

    def __init__(self, world: World) -> None:
        self.world, self.platform = world, world.platform
        platform = self.platform
        world.rpc("evm_setAutomine", True)
        self.successful = platform.campaign()
        sold = [platform.invest(self.successful, who, 500_000) for who in ("alice", "bob")]
        platform.send("eve", self.successful.functions.finalize())
        platform.send("eve", self.successful.functions.releaseFunds())
        certificate = platform.certificate.functions
        for who, each in zip(("alice", "bob"), sold, strict=True):
            platform.send("minter", certificate.mint(platform.at[who], each, self.successful.address, HASH))
        platform.send("alice", certificate.transferFrom(platform.at["alice"], platform.at["eve"], 1))
        platform.send("registrar", certificate.revoke(2, "lost"))
        self.failed = platform.campaign()
        for who in ("alice", "bob"):
            platform.invest(self.failed, who, 2_000)
        platform.send("owner", self.failed.functions.cancel("no"))
        platform.send("eve", self.failed.functions.refund(platform.at["alice"]))
        self.active = platform.campaign()
        platform.invest(self.active, "alice", 3_000)
        registry = platform.registry.functions
        platform.send("registrar", registry.setInvestor(platform.at["bob"], False))
        suspended = platform.at["owner"]
        other = platform.register(platform.at["minter"])
        platform.send("registrar", registry.replaceIssuer(other, suspended))
        platform.send("registrar", registry.setActive(suspended, False))
        self.final()

    def final(self) -> None:
        self.world.mine(self.world.depth)
        self.world.index()

    def reconcile(self) -> Report:
        return reconcile.reconcile(self.world.connection, self.world.node, self.world.epoch)

    def owner(self, statement: str, *values: Any) -> None:
        """What nobody but the database's owner can do."""
        self.world.app.execute(statement.encode(), values)

    def kept(self) -> list[tuple[str, str, str, str]]:
        return self.world.all(
            "SELECT subject, what, ledger_value, chain_value FROM intent.differences"
            " WHERE cleared_at IS NULL ORDER BY id"
        )

    def set_balance(self, holder: str, amount: int) -> None:
        """Of the token, by its storage: OpenZeppelin's ERC20 has the balances in slot 0."""
        slot = keccak(bytes(12) + bytes.fromhex(holder[2:]) + bytes(32))
        self.world.rpc(
            "anvil_setStorageAt", self.platform.token.address, f"0x{slot.hex()}", f"0x{amount:064x}"
        )


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    yield Stage(world)
    world.rpc("evm_setAutomine", False)


def address(contract: Any) -> str:
    return str(contract.address.lower())


def values(report: Report) -> list[tuple[str, str, str, str]]:
    return [(each.subject, each.what, each.ledger, each.chain) for each in report.differences]


def test_a_true_ledger_differs_in_nothing(stage: Stage) -> None:
    report = stage.reconcile()
    assert report.differences == ()
    assert (report.changed, report.unanswered, report.syncing) == (frozenset(), {}, ())
    assert report.block == stage.platform.web3.eth.block_number - stage.world.depth
    # 2 issuers, 2 wallets, 3 campaigns and escrows, 2 certificates, votes of 3, the certificates' number
    assert report.compared == 2 * 3 + 2 + 3 * 3 + 3 * 2 + 2 * 7 + 3 + 1
    assert stage.kept() == []
    assert reconcile.counts(stage.world.connection) == {}


TAMPERED = (
    # relation, row, column, value; what the contract says
    ("campaigns", "status = 'successful'", "total_raised", "7", "1000000"),
    ("campaigns", "status = 'cancelled'", "status", "failed", "cancelled"),
    ("campaigns", "status = 'active'", "investor_count", "3", "1"),
    ("escrows", "escrow_balance = 2000", "escrow_balance", "2001", "2000"),
    ("certificates", "token_id = 1", "amount", "1", "500000"),
    ("certificates", "token_id = 1", "transfer_count", "0", "1"),
    ("certificates", "token_id = 2", "voting_weight", "5", "0"),
    ("certificates", "token_id = 2", "revoked", "false", "true"),
    ("votes", "weight = 5", "weight", "6", "5"),
    ("issuers", "NOT active", "active", "true", "false"),
    ("issuers", "active_campaign IS NOT NULL", "active_campaign", "0x" + "0" * 40, ""),
    ("investors", "NOT verified", "verified", "true", "false"),
)


def test_a_ledger_that_was_tampered_with(stage: Stage) -> None:
    kept = []
    for relation, row, column, value, chain in TAMPERED:
        stage.owner(f"UPDATE ledger.{relation} SET {column} = '{value}' WHERE {row}")
        for _ in range(2):  # the same again is the same difference
            (found,) = stage.reconcile().differences
            assert found.subject.startswith(f"{relation} 0x")
            assert (found.what, found.ledger, found.chain) == (column, value, chain or address(stage.active))
            assert reconcile.counts(stage.world.connection) == {column: 1}
        with stage.world.connection.transaction():
            folds.rebuild(stage.world.connection)
        assert stage.reconcile().differences == ()
        assert stage.kept() == []
        kept.append((column, True))
    assert stage.world.all("SELECT what, cleared_at > found_at FROM intent.differences ORDER BY id") == kept
    blocks = stage.world.all("SELECT DISTINCT block_number FROM intent.differences")
    assert blocks == stage.world.all("SELECT final_number FROM chain.cursor")


def test_an_owner_and_a_document_that_are_others(stage: Stage) -> None:
    stage.owner("UPDATE ledger.certificates SET owner = '0x1', metadata_hash = '0x2' WHERE token_id = 1")
    subject = f"certificates {address(stage.platform.certificate)} 1"
    eve = stage.platform.at["eve"].lower()
    assert values(stage.reconcile()) == [
        (subject, "owner", "0x1", eve),
        (subject, "metadata_hash", "0x2", f"0x{HASH.hex()}"),
    ]


def test_rows_that_lack_or_are_made_up(stage: Stage) -> None:
    certificates = address(stage.platform.certificate)
    stage.owner("DELETE FROM ledger.certificates WHERE token_id = 2")
    made_up = "0x" + "77" * 20
    stage.owner("UPDATE ledger.campaigns SET address = %s WHERE status = 'active'", made_up)
    stage.owner("UPDATE ledger.votes SET owner = 'nobody' WHERE weight = 5")
    assert values(stage.reconcile()) == [
        (f"votes {certificates} nobody", "row", f"('{certificates}', 'nobody', '5')", stage.kept()[0][3]),
        (f"campaigns {made_up}", "status", "active", "nothing"),
        (f"campaigns {made_up}", "total_raised", "3000", "nothing"),
        (f"campaigns {made_up}", "investor_count", "1", "nothing"),
        (f"certificates {certificates}", "count", "1", "2"),
    ]
    assert "can't be asked for" in stage.kept()[0][3]


def test_what_has_changed_above_the_final_block_is_left_for_the_next_time(stage: Stage) -> None:
    stage.owner("UPDATE ledger.campaigns SET total_raised = 7 WHERE status <> 'active'")
    campaigns = {f"campaigns {address(each)}" for each in (stage.successful, stage.failed)}
    assert {each.subject for each in stage.reconcile().differences} == campaigns
    stage.platform.invest(stage.active, "alice", 4_000)
    stage.platform.send("eve", stage.failed.functions.refund(stage.platform.at["bob"]))
    stage.world.index()
    report = stage.reconcile()
    assert {each.subject for each in report.differences} == campaigns
    active, failed = address(stage.active), address(stage.failed)
    assert report.changed == {f"campaigns {active}", f"escrows {active}", f"escrows {failed}"}
    stage.final()
    assert stage.reconcile().changed == frozenset()
    assert len(stage.kept()) == 2


def test_a_difference_stays_while_nothing_is_known_of_it(stage: Stage) -> None:
    stage.owner("UPDATE ledger.campaigns SET total_raised = 7 WHERE status = 'active'")
    stage.reconcile()
    stage.platform.invest(stage.active, "alice", 4_000)  # which refreshes the row, too
    stage.world.index()
    assert stage.reconcile().differences == ()
    assert len(stage.kept()) == 1
    stage.final()
    stage.reconcile()
    assert stage.kept() == []


def test_an_escrow_that_lacks_tokens(stage: Stage) -> None:
    stage.set_balance(address(stage.active), 2_999)
    stage.set_balance(address(stage.failed), 10**30)  # more than it owes is no difference
    stage.world.mine()
    stage.final()
    subject = f"escrows {address(stage.active)}"
    assert values(stage.reconcile()) == [(subject, "solvency", "3000", "2999")]
    # also while its row changes
    stage.platform.invest(stage.active, "alice", 4_000)
    stage.world.index()
    report = stage.reconcile()
    assert subject in report.changed
    assert values(report) == [(subject, "solvency", "3000", "2999")]
    assert len(stage.kept()) == 1
    stage.set_balance(address(stage.active), 7_000)
    stage.world.mine()
    stage.final()
    assert stage.reconcile().differences == ()
    assert stage.kept() == []


REVERTS, LOOPS, ANSWERS_NOTHING = "0x60006000fd", "0x5b600056", "0x00"
ANSWERS_ZERO, ANSWERS_A_BYTE, ANSWERS_MUCH = "0x60206000f3", "0x60016000f3", "0x6201000080f3"


def test_a_token_that_tells_of_no_balance(stage: Stage) -> None:
    """It spoils the answers about itself, and no others."""
    stage.owner("UPDATE ledger.votes SET weight = 6 WHERE weight = 5")
    for code in (REVERTS, LOOPS, ANSWERS_NOTHING, ANSWERS_ZERO, ANSWERS_A_BYTE, ANSWERS_MUCH):
        stage.world.rpc("anvil_setCode", stage.platform.token.address, code)
        stage.world.mine()
        stage.final()
        found = stage.reconcile()
        whats = ["weight", "solvency", "solvency", "solvency"]
        assert sorted(each.what for each in found.differences) == sorted(whats)
        short = [each for each in found.differences if each.what == "solvency"]
        assert {each.chain for each in short} == {"0" if code == ANSWERS_ZERO else "no number"}
        assert {each.ledger for each in short} == {"25000", "2000", "3000"}


def test_a_campaign_that_is_none_any_more(stage: Stage) -> None:
    for code in ("0x", REVERTS, ANSWERS_A_BYTE, ANSWERS_MUCH):
        stage.world.rpc("anvil_setCode", stage.active.address, code)
        stage.world.mine()
        stage.final()
        whats = [each.what for each in stage.reconcile().differences]
        assert whats == ["status", "total_raised", "investor_count", "escrow_balance", "solvency"]
        assert all(len(chain) < 600 for _, _, _, chain in stage.kept())


def test_a_node_of_another_branch_is_not_believed(stage: Stage) -> None:
    stage.owner("UPDATE ledger.campaigns SET total_raised = 7")
    stage.world.rpc("anvil_reorg", stage.world.depth + 1, [])
    with pytest.raises(TransientError, match="follows another chain"):
        stage.reconcile()
    assert stage.kept() == []


class Reorganised(Node):
    """The node's chain is another one from the moment on that it is asked."""

    def calls(self, wanted: Any, block: int | str = "latest") -> Any:
        self.endpoint.call_optional("anvil_reorg", [DEPTH + 1, []], object)
        return super().calls(wanted, block)


def test_what_another_branch_answered_is_not_believed(stage: Stage) -> None:
    stage.owner("UPDATE ledger.campaigns SET total_raised = 7")
    with pytest.raises(TransientError, match="follows another chain"):
        reconcile.reconcile(stage.world.connection, Reorganised(stage.world.node.endpoint))
    assert stage.kept() == []


def test_relations_whose_sources_are_not_complete_are_not_compared(stage: Stage) -> None:
    stage.owner("UPDATE ledger.campaigns SET total_raised = 7")
    assert len(stage.reconcile().differences) == 3
    stage.owner("UPDATE chain.sources SET joined = false WHERE table_name = 'campaign_paused'")
    report = stage.reconcile()
    assert (report.syncing, report.differences) == (("campaigns",), ())
    assert len(stage.kept()) == 3


def test_who_does_not_lead_keeps_nothing(stage: Stage) -> None:
    stage.owner("UPDATE ledger.campaigns SET total_raised = 7")
    with pytest.raises(store.LeadershipLost):
        reconcile.reconcile(stage.world.connection, stage.world.node, stage.world.epoch - 1)
    assert stage.kept() == []


def test_while_nothing_is_final_there_is_nothing_to_compare(world: World) -> None:
    with psycopg.connect(world.database, autocommit=True) as connection:
        assert reconcile.reconcile(connection, world.node) == Report(None)


def test_what_a_node_leaves_unanswered_is_not_decided() -> None:
    call, other = Call("0x1", b"1"), Call("0x1", b"2")
    asked = [
        facts.Fact("escrows a", facts.OWED, call, facts.number, "1"),
        facts.Fact("escrows a", facts.HELD, other, facts.number, None),
    ]
    found = reconcile.Snapshot(1, "0x", asked, [], frozenset(), ())
    silent = rpc_errors.make(rpc_errors.Kind.RATE_LIMIT, "no", text="slow down")
    report = reconcile.judge(found, {call: bytes(32), other: silent})
    assert report.unanswered == {"escrows a": "slow down"}
    assert [each.what for each in report.differences] == [facts.OWED]
    assert report.is_silent_about("escrows a", facts.SOLVENCY)


def test_what_becomes_of_differences_that_are_held() -> None:
    held = [
        Held(1, "votes a", "weight", "1", "2"),  # the same again
        Held(2, "votes b", "weight", "1", "2"),  # with another value
        Held(3, "votes c", "weight", "1", "2"),  # no more
        Held(4, "votes d", "weight", "1", "2"),  # changed since
        Held(5, "escrows d", "solvency", "1", "0"),  # changed since, but asked for
        Held(6, "votes e", "weight", "1", "2"),  # not answered
        Held(7, "issuers f", "active", "true", "false"),  # syncing
    ]
    same, other, new = (Difference(f"votes {key}", "weight", "1", chain) for key, chain in ("a2", "b3", "g4"))
    report = Report(
        9,
        differences=(same, other, new),
        changed=frozenset({"votes d", "escrows d"}),
        unanswered={"votes e": "slow down"},
        syncing=("issuers",),
    )
    assert reconcile.changes(held, report) == ([2, 3, 5], [other, new])


@given(st.binary(max_size=300))
def test_whatever_a_contract_answers_is_read_or_refused(data: bytes) -> None:
    for read in (facts.number, facts.flag, facts.address, facts.status):
        try:
            shown = read(data)
        except ValueError:
            assert len(data) != 32 or read is not facts.number
        else:
            assert len(data) == 32
            assert shown


@pytest.mark.parametrize(
    ("owed", "held", "solvent"),
    [("0", "0", True), ("5", "5", True), ("5", "6", True), ("9", "10", True), ("5", "4", False),
     (None, "4", False), ("0", None, False), (str(2**256 - 1), str(2**256 - 2), False)],
)  # fmt: skip
def test_solvency(owed: str | None, held: str | None, solvent: bool) -> None:
    assert (facts.solvency("escrows a", owed, held) is None) is solvent


def test_the_command(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        f'[database]\nurl = "{stage.world.database}"\n'
        f'[chain]\nchain_id = 31337\nendpoints = ["{stage.world.url}"]\n'
    )

    def command(*arguments: str) -> Any:
        return CliRunner().invoke(daemon.app, ["--config", str(file), "reconcile", *arguments])

    well = command()
    assert well.exit_code == 0, well.output
    block = stage.world.one("SELECT final_number FROM chain.cursor")
    assert well.output == f"compared 41 values with the contracts at block {block}\n0 differences\n"
    stage.owner("UPDATE ledger.campaigns SET total_raised = 7 WHERE status = 'active'")
    found = command("--json")
    assert found.exit_code == 1
    subject = f"campaigns {address(stage.active)}"
    assert json.loads(found.output) == {
        "block": block,
        "compared": 41,
        "changed": 0,
        "unanswered": 0,
        "syncing": [],
        "differences": [{"subject": subject, "what": "total_raised", "ledger": "7", "chain": "3000"}],
    }
    assert command().output.splitlines()[0] == f"{subject}: total_raised, ledger 7, chain 3000"
    assert len(stage.kept()) == 1
    file.write_text(f"[platform]\nenabled = false\n{file.read_text()}")
    assert isinstance(command().exception, ChainfirstError)
