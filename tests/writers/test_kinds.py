"""Every kind against the platform's real contracts: its call emits the row that it expects."""

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.contracts import build
from chainfirst.indexer import engine, finality, window, wiring
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate, store
from chainfirst.tests.contracts.conftest import Platform
from chainfirst.tests.writers.samples import FACTORY_EVENT, VALID, MemoryBook
from chainfirst.writers import book, catalogue, contract, kinds, payload
from psycopg import sql

ROOT = Path(__file__).parents[2]
DAY = 86_400
CALLS = [
    "token.transfer",
    "share_certificate.safeTransferFrom",
    "campaign.withdrawFee",
    "campaign_factory.setFee",
]
ARTIFACTS = {**contract.PLATFORM, "token": "BirrToken"}


class Stage:
    """The deployed platform, its indexed ledger, and the kinds between them."""

    def __init__(self, connection: psycopg.Connection[Any], node: Anvil, platform: Platform) -> None:
        self.connection, self.platform = connection, platform
        contracts = []
        for key, name in ARTIFACTS.items():
            document = json.loads((build.ARTIFACTS / f"{name}.json").read_text())
            place = platform.deployment["contracts"].get(key)
            addresses = frozenset([place["address"].lower()] if place else [])
            factory = FACTORY_EVENT if place is None else None
            contracts.append(wiring.Contract(key, document, addresses, 0, None, factory))
        setup, layouts = wiring.build(contracts, finality.Instant(), platform=True)
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
        self.tables = {layout.table for layout in layouts}
        self._indexer = engine.Indexer(connection, client, setup, epoch, window.Window(100, 1000, 1_000_000))
        self.contracts = contract.configured(contracts)
        self.kinds = catalogue.build(self.contracts, CALLS, platform=True)
        self.index()

    def index(self) -> None:
        while self._indexer.step() is engine.Progress.ADVANCED:
            pass

    def prepare(self, kind: str, **given: Any) -> kinds.Prepared:
        """As from a payload that PostgreSQL stored."""
        ((text,),) = self.connection.execute("SELECT %s::jsonb::text", [json.dumps(given)])
        return self.kinds[kind].read(payload.loads(text), book.SqlBook(self.connection, self.contracts))

    def reverts(self, actor: str, call: kinds.Call) -> str | None:
        """The name of the error that the call would revert with now."""
        answer = self.platform.web3.provider.make_request("eth_call", [self._request(actor, call), "latest"])
        if "error" not in answer:
            return None
        return self.platform.errors[answer["error"]["data"].removeprefix("0x")[:8]]

    def settle(self, actor: str, kind: str, **given: Any) -> dict[str, Any]:
        """Send what a kind makes of a payload, and see that the row which it expects is there, once."""
        prepared = self.prepare(kind, **given)
        expected = prepared.expected
        assert self.rows(expected) == [] or not self.kinds[kind].once
        sent = self.platform.rpc("eth_sendTransaction", self._request(actor, prepared.call))
        receipt = self.platform.mined(sent)
        assert receipt["status"] == 1, self.reverts(actor, prepared.call)
        self.index()
        rows = [row for row in self.rows(expected) if row["tx_hash"] == sent]
        assert len(rows) == 1, (expected, rows)
        (row,) = rows
        assert dict(expected.equal) == {name: row[name] for name in expected.equal}
        assert all(row[name] <= most for name, most in expected.at_most.items())
        if self.kinds[kind].once:
            assert self.rows(expected) == [row]
            assert self.prepare(kind, **given).expected == expected
            assert self.reverts(actor, prepared.call) is not None
            assert self.reverts(actor, prepared.call) not in self.kinds[kind].waits_for
        else:
            assert not expected.equal
            assert not expected.at_most
        return row

    def rows(self, expected: kinds.Expected) -> list[dict[str, Any]]:
        """The rows with the key that match."""
        statement = sql.SQL("SELECT to_jsonb(t) FROM {} t WHERE {}::text = %s").format(
            sql.Identifier("event", expected.table), sql.Identifier(expected.key_column)
        )
        rows = [row for (row,) in self.connection.execute(statement, [expected.key])]
        return [row for row in rows if all(row[name] == value for name, value in expected.match.items())]

    def company(self, wallet: str) -> str:
        """A registered company's wallet."""
        company = str(uuid.uuid4())
        row = self.settle(
            "registrar", "issuer.register", company=company, wallet=wallet, credential_hash="0x" + "1c" * 32,
            document_uri="ipfs://profile", name="Sheger Coffee",
        )  # fmt: skip
        assert row["company_id"] == f"0x{company.replace('-', '')}{'0' * 32}"
        return wallet

    def campaign(self, **changes: Any) -> tuple[str, Any]:
        """The id of a new campaign, and its contract."""
        terms = {
            "campaign": str(uuid.uuid4()), "issuer": self.company(new_wallet()), "funding_goal": "1000000",
            "min_investment": "1000", "max_investment": "0", "duration_seconds": 30 * DAY,
            "grace_seconds": 5 * DAY, "success_threshold_bps": 7_500, "document_uri": "ipfs://offer?a=1",
        }  # fmt: skip
        row = self.settle("operator", "campaign.create", **terms | changes)
        checksummed = self.platform.web3.to_checksum_address(row["campaign"])
        return str(terms["campaign"]), self.platform.contract("CampaignImplementation", checksummed)

    def record(self, campaign: str, amount: int, **changes: Any) -> dict[str, Any]:
        return {
            "campaign": campaign, "investment": str(uuid.uuid4()), "investor": self.platform.at["alice"],
            "amount": str(amount), "payment_reference": f"FT{uuid.uuid4()}", **changes,
        }  # fmt: skip

    def _request(self, actor: str, call: kinds.Call) -> Mapping[str, str]:
        return {
            "from": self.platform.at[actor], "to": call.to, "data": f"0x{call.data.hex()}",
            "value": hex(call.value), "gas": hex(8_000_000),
        }  # fmt: skip


def new_wallet() -> str:
    return f"0x{uuid.uuid4().hex}{'0' * 8}"


@pytest.fixture(scope="module")
def stage(
    pg_cluster: Cluster, server_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """One chain and one database for all tests here, each with companies and campaigns of its own."""
    from web3 import Web3

    node = Anvil(
        server_base / "kinds",
        install_directory=ROOT / ".chainfirst" / "node" / "anvil",
        arguments=("--hardfork", "london"),
    )
    node.start()
    pg_cluster.ensure_database("kinds")
    url = pg_cluster.url("kinds")
    try:
        migrate.migrate(migrate.engine(url), platform_enabled=True)
        platform = Platform(Web3(Web3.HTTPProvider(node.url)), tmp_path_factory.mktemp("kinds"))
        with psycopg.connect(url, autocommit=True) as connection:
            yield Stage(connection, node, platform)
    finally:
        node.stop()


def test_issuers_and_investors(stage: Stage) -> None:
    wallet = stage.company(new_wallet())
    stage.settle("registrar", "issuer.update_document", wallet=wallet, document_uri="https://a.test/1")
    stage.settle("registrar", "issuer.update_document", wallet=wallet, document_uri="https://a.test/2")
    # back to a former value: another row, of another transaction
    stage.settle("registrar", "issuer.update_document", wallet=wallet, document_uri="https://a.test/1")
    stage.settle("registrar", "issuer.set_active", wallet=wallet, active=False)
    stage.settle("registrar", "issuer.set_active", wallet=wallet, active=True)
    investor = new_wallet()
    stage.settle("registrar", "investor.set_verified", investor=investor, verified=True)
    stage.settle("registrar", "investor.set_verified", investor=investor, verified=False)
    # each event matches its own wish alone
    for kind, given, count in (
        ("issuer.update_document", {"wallet": wallet, "document_uri": "https://a.test/1"}, 2),
        ("issuer.update_document", {"wallet": wallet, "document_uri": "https://a.test/2"}, 1),
        ("issuer.update_document", {"wallet": wallet, "document_uri": "https://a.test/3"}, 0),
        ("issuer.set_active", {"wallet": wallet, "active": True}, 1),
        ("issuer.set_active", {"wallet": wallet, "active": False}, 1),
        ("investor.set_verified", {"investor": investor, "verified": True}, 1),
        ("investor.set_verified", {"investor": investor, "verified": False}, 1),
    ):
        assert len(stage.rows(stage.prepare(kind, **given).expected)) == count, (kind, given)


def test_a_company_changes_its_wallet_and_may_change_it_back(stage: Stage) -> None:
    company, first, second = str(uuid.uuid4()), new_wallet(), new_wallet()
    other = stage.company(new_wallet())
    stage.settle(
        "registrar", "issuer.register", company=company, wallet=first, credential_hash="0x" + "1c" * 32,
        document_uri="ipfs://profile",
    )  # fmt: skip
    for old, new in ((first, second), (second, first), (first, second)):
        moved = stage.settle("registrar", "issuer.replace", company=company, wallet=new)
        assert (moved["old_issuer"], moved["new_issuer"]) == (old, new)
    for wallet, count in ((first, 1), (second, 2), (other, 0)):
        expected = stage.prepare("issuer.replace", company=company, wallet=wallet).expected
        assert len(stage.rows(expected)) == count
    # a wallet that has a company, this one even, and a company that is not there: neither mends by itself
    for changes, error in (
        ({"wallet": second}, "WalletTaken"),
        ({"wallet": other}, "WalletTaken"),
        ({"company": str(uuid.uuid4())}, "UnknownCompany"),
    ):
        wanted = {"company": company, "wallet": new_wallet()} | changes
        assert stage.reverts("registrar", stage.prepare("issuer.replace", **wanted).call) == error
        assert error not in stage.kinds["issuer.replace"].waits_for


def test_the_terms_of_a_campaign_are_compared_as_they_are_indexed(stage: Stage) -> None:
    campaign, _ = stage.campaign(max_investment="5000", grace_seconds=0)
    other = {
        "campaign": campaign, "issuer": stage.company(new_wallet()), "funding_goal": "1000001",
        "min_investment": "1000", "max_investment": "5000", "duration_seconds": 30 * DAY,
        "grace_seconds": 0, "success_threshold_bps": 7_500, "document_uri": "ipfs://offer?a=1",
    }  # fmt: skip
    expected = stage.prepare("campaign.create", **other).expected
    (row,) = stage.rows(expected)
    assert row["terms"] != expected.equal["terms"]
    assert {**row["terms"], "fundingGoal": "1000001", "issuer": other["issuer"]} == expected.equal["terms"]


def test_investments_until_the_goal_then_release_and_certificates(stage: Stage) -> None:
    campaign, _ = stage.campaign()
    first = stage.record(campaign, 400_000)
    last = stage.record(campaign, 700_000)
    assert stage.settle("operator", "campaign.record_investment", **first)["amount"] == 400_000
    ((reference,),) = stage.connection.execute(
        "SELECT '0x' || encode(sha256(convert_to(%s, 'UTF8')), 'hex')", [first["payment_reference"]]
    )
    (recorded,) = stage.rows(stage.prepare("campaign.record_investment", **first).expected)
    assert recorded["payment_reference"] == reference
    # the last one is cut to the goal
    assert stage.settle("operator", "campaign.record_investment", **last)["amount"] == 600_000
    assert stage.prepare("campaign.record_investment", **last).amount == 700_000

    # the id was used for something else, in another campaign even: the row is found, and is a conflict
    other, _ = stage.campaign()
    for changes in ({"investor": stage.platform.at["bob"]}, {"payment_reference": "x"}, {"campaign": other}):
        prepared = stage.prepare("campaign.record_investment", **first | changes)
        (row,) = stage.rows(prepared.expected)
        assert dict(prepared.expected.equal) != {name: row[name] for name in prepared.expected.equal}
        assert stage.reverts("operator", prepared.call) in (
            "GoalReached", "InvestmentExists", "InvestmentRecordedBefore", "WrongStatus",
        )  # fmt: skip
    less = stage.prepare("campaign.record_investment", **first | {"amount": "399999"}).expected
    (row,) = stage.rows(less)
    assert row["amount"] > less.at_most["amount"]

    stage.settle("eve", "campaign.finalize", campaign=campaign)
    assert stage.prepare("escrow.release", campaign=campaign).amount == 1_000_000
    assert stage.settle("eve", "escrow.release", campaign=campaign)["amount"] == 975_000
    mint = {
        "campaign": campaign, "investment": first["investment"], "owner": first["investor"],
        "metadata_hash": "0x" + "ab" * 32,
    }  # fmt: skip
    minted = stage.settle("minter", "certificate.mint", **mint)
    token = str(minted["token_id"])
    for name in ("bob", "alice", "bob"):
        to = stage.platform.at[name]
        moved = stage.settle("registrar", "certificate.transfer", token_id=token, to=to, reason="በፍርድ ቤት")
        assert moved["to"] == to.lower()
    for name, count in (("alice", 1), ("bob", 2), ("eve", 0)):
        wanted = {"token_id": token, "to": stage.platform.at[name], "reason": "x"}
        assert len(stage.rows(stage.prepare("certificate.transfer", **wanted).expected)) == count
    stage.settle("registrar", "certificate.revoke", token_id=token, reason="በፍርድ ቤት ትእዛዝ")
    for kind, given in (
        ("certificate.mint", mint | {"metadata_hash": "0x" + "ac" * 32}),
        ("certificate.revoke", {"token_id": token, "reason": "another"}),
    ):
        expected = stage.prepare(kind, **given).expected
        (row,) = stage.rows(expected)
        assert dict(expected.equal) != {name: row[name] for name in expected.equal}


def test_an_investment_made_on_chain_has_its_certificate_too(stage: Stage) -> None:
    campaign, deployed = stage.campaign()
    stage.platform.send("alice", stage.platform.token.functions.approve(deployed.address, 2**255))
    investment = stage.platform.invest(deployed, "alice", 1_000_000)
    stage.platform.send("eve", deployed.functions.finalize())
    stage.index()
    stage.settle(
        "minter", "certificate.mint", campaign=campaign, investment=f"0x{investment.hex()}",
        owner=stage.platform.at["alice"], metadata_hash="0x" + "ab" * 32,
    )  # fmt: skip


def test_a_cancelled_campaign_refunds(stage: Stage) -> None:
    campaign, _ = stage.campaign()
    for name in ("alice", "bob", "alice"):
        investor = stage.platform.at[name]
        stage.settle(
            "operator", "campaign.record_investment", **stage.record(campaign, 5_000, investor=investor)
        )
    finalize = stage.prepare("campaign.finalize", campaign=campaign)
    assert stage.reverts("eve", finalize.call) == "NotOver"
    stage.settle("owner", "campaign.cancel", campaign=campaign, reason="asked for")
    # what can never be any more is not waited for
    for kind, call in (("campaign.finalize", finalize.call), ("escrow.release", None)):
        call = call or stage.prepare(kind, campaign=campaign).call
        assert stage.reverts("eve", call) == "WrongStatus"
        assert "WrongStatus" not in stage.kinds[kind].waits_for
    other = stage.prepare("campaign.cancel", campaign=campaign, reason="another").expected
    assert [row["reason"] for row in stage.rows(other)] == ["asked for"]

    for name, amount in (("alice", 10_000), ("bob", 5_000)):
        wanted = {"campaign": campaign, "investor": stage.platform.at[name]}
        assert stage.prepare("escrow.refund", **wanted).amount == amount
        assert stage.settle("eve", "escrow.refund", **wanted)["amount"] == amount

    # another campaign's refund of the same investor is another one
    second, _ = stage.campaign()
    alice = {"campaign": second, "investor": stage.platform.at["alice"]}
    stage.settle("operator", "campaign.record_investment", **stage.record(second, 7_000))
    stage.settle("owner", "campaign.cancel", campaign=second, reason="asked for")
    assert stage.rows(stage.prepare("escrow.refund", **alice).expected) == []
    assert stage.settle("eve", "escrow.refund", **alice)["amount"] == 7_000


def test_what_each_kind_waits_for_is_what_the_contracts_say(stage: Stage) -> None:
    platform = stage.platform
    wallet = stage.company(new_wallet())
    campaign, deployed = stage.campaign()
    record = stage.record(campaign, 10_000)
    stage.settle("operator", "campaign.record_investment", **stage.record(campaign, 5_000))
    create = {
        "campaign": str(uuid.uuid4()), "issuer": wallet, "funding_goal": "5", "min_investment": "0",
        "max_investment": "0", "duration_seconds": DAY, "grace_seconds": 0, "success_threshold_bps": 1,
        "document_uri": "ipfs://x",
    }  # fmt: skip
    done, sold = stage.campaign()
    own = stage.record(done, 1_000_000)
    stage.settle("operator", "campaign.record_investment", **own)
    stage.settle("eve", "campaign.finalize", campaign=done)
    mint = {
        "campaign": done, "investment": own["investment"], "owner": own["investor"],
        "metadata_hash": "0x" + "ab" * 32,
    }  # fmt: skip
    token = str(stage.settle("minter", "certificate.mint", **mint)["token_id"])

    seen: dict[str, set[str]] = {}

    def check(actor: str, kind: str, **given: Any) -> None:
        error = stage.reverts(actor, stage.prepare(kind, **given).call)
        assert error in stage.kinds[kind].waits_for, (kind, error)
        seen.setdefault(kind, set()).add(str(error))

    register = {
        "company": str(uuid.uuid4()), "wallet": new_wallet(), "credential_hash": "0x" + "1c" * 32,
        "document_uri": "ipfs://x",
    }  # fmt: skip
    # the signer lacks the role
    check("eve", "issuer.register", **register)
    check("eve", "issuer.replace", company=str(uuid.uuid4()), wallet=new_wallet())
    check("eve", "issuer.update_document", wallet=wallet, document_uri="ipfs://y")
    check("eve", "issuer.set_active", wallet=wallet, active=False)
    check("eve", "investor.set_verified", investor=wallet, verified=True)
    check("eve", "campaign.create", **create)
    check("eve", "campaign.record_investment", **record)
    check("eve", "campaign.cancel", campaign=campaign, reason="x")
    check("eve", "certificate.mint", **mint)
    check("eve", "certificate.transfer", token_id=token, to=wallet, reason="x")
    check("eve", "certificate.revoke", token_id=token, reason="x")
    check("eve", "campaign.finalize", campaign=campaign)
    with rolled_back(stage):
        platform.send("owner", deployed.functions.pause())
        check("operator", "campaign.record_investment", **record)
    with rolled_back(stage):
        everything = platform.balance("treasury")
        platform.send("treasury", platform.token.functions.transfer(platform.at["eve"], everything))
        check("operator", "campaign.record_investment", **record)
    with rolled_back(stage):
        platform.send("treasury", platform.token.functions.approve(platform.factory.address, 0))
        check("operator", "campaign.record_investment", **record)
    with rolled_back(stage):  # an escrow that lost its tokens: can't happen, and would be waited for
        platform.rpc("anvil_impersonateAccount", sold.address)
        platform.rpc("anvil_setBalance", sold.address, hex(10**18))
        transfer = platform.token.functions.transfer(platform.at["eve"], 1_000_000)
        platform.mined(transfer.transact({"from": sold.address}))
        check("eve", "escrow.release", campaign=done)
    with rolled_back(stage):
        platform.send("owner", platform.registry.functions.setFactory(platform.at["eve"]))
        check("operator", "campaign.create", **create)
    with rolled_back(stage):
        platform.send("owner", deployed.functions.cancel("x"))
        platform.rpc("anvil_impersonateAccount", deployed.address)
        platform.rpc("anvil_setBalance", deployed.address, hex(10**18))
        transfer = platform.token.functions.transfer(platform.at["eve"], 5_000)
        platform.mined(transfer.transact({"from": deployed.address}))
        check("eve", "escrow.refund", campaign=campaign, investor=platform.at["alice"])

    # what stands in the declarations and was not seen here: of other tokens, of half a deployment
    unseen = {kind: stage.kinds[kind].waits_for - errors for kind, errors in seen.items()}
    others = {"ERC20InsufficientAllowance", "EnforcedPause"}
    old = {error for error in kinds.TOKEN_LACKS if ":" in error} | {"SafeERC20FailedOperation"}
    assert {kind: errors for kind, errors in unseen.items() if errors} == {
        "campaign.create": {"InvalidImplementation"},
        "campaign.record_investment": old,
        "escrow.release": old | others,
        "escrow.refund": old | others,
    }
    assert seen.keys() == {kind.name for kind in catalogue.PLATFORM}
    known = set(platform.errors.values())
    assert all(kind.waits_for - old <= known | {"SafeERC20FailedOperation"} for kind in catalogue.PLATFORM)


def test_an_older_tokens_words_are_waited_for_too(stage: Stage) -> None:
    kind = stage.kinds["campaign.record_investment"]
    assert kind.waits("Error", {"message": "ERC20: insufficient allowance"})
    assert not kind.waits("Error", {"message": "no"})
    assert not kind.waits("Other", {"message": "ERC20: insufficient allowance"})
    assert kind.waits("EnforcedPause", {})
    assert not stage.kinds["campaign.finalize"].waits("EnforcedPause", {})


def test_any_function_of_a_configured_contract(stage: Stage) -> None:
    campaign, deployed = stage.campaign()
    investment = stage.record(campaign, 1_000_000)
    stage.settle("operator", "campaign.record_investment", **investment)
    stage.settle("eve", "campaign.finalize", campaign=campaign)
    stage.settle("eve", "escrow.release", campaign=campaign)
    alice, bob = stage.platform.at["alice"], stage.platform.at["bob"]
    minted = stage.settle(
        "minter", "certificate.mint", campaign=campaign, investment=investment["investment"], owner=alice,
        metadata_hash="0x" + "ab" * 32,
    )  # fmt: skip
    stage.settle(
        "alice", "contract.call", contract="token", function="transfer", arguments=[bob, "5"],
        event="Transfer", parameters={"from": alice, "to": bob, "value": "5"},
    )  # fmt: skip
    stage.settle(
        "alice", "contract.call", contract="share_certificate",
        event="share_certificate.CertificateTransferred",
        function="safeTransferFrom(address,address,uint256,bytes)",
        arguments={"from": alice, "to": bob, "tokenId": str(minted["token_id"]), "data": "0xCAFE"},
        parameters={"to": bob, "transferCount": 1},
    )  # fmt: skip
    stage.settle(
        "eve", "contract.call", contract="campaign", address=deployed.address, function="withdrawFee",
        event="FeeWithdrawn", parameters={"amount": "25000"},
    )  # fmt: skip
    stage.settle(
        "owner", "contract.call", contract="campaign_factory", function="setFee", arguments=[250],
        event="FeeChanged", parameters={"feeBps": 250},
    )  # fmt: skip
    with pytest.raises(
        payload.UnknownId, match=r"address: found .*, and no CampaignCreated of campaign_factory"
    ):
        stage.prepare(
            "contract.call", contract="campaign", address=alice, function="withdrawFee", event="FeeWithdrawn"
        )


def test_ids_that_are_not_indexed_are_named(stage: Stage) -> None:
    campaign, _ = stage.campaign()
    nobody = new_wallet()
    for kind, given, said in (
        (
            "campaign.finalize",
            {"campaign": str(uuid.uuid4())},
            "campaign: found .* and no campaign of that id",
        ),
        (
            "escrow.refund",
            {"campaign": campaign, "investor": nobody},
            "investor: found .*no investment of that",
        ),
        (
            "issuer.set_active",
            {"wallet": nobody, "active": True},
            "wallet: found .* no issuer with that wallet",
        ),
        (
            "certificate.revoke",
            {"token_id": "999999", "reason": "x"},
            "token_id: found .* no certificate of that",
        ),
    ):
        with pytest.raises(payload.UnknownId, match=said):
            stage.prepare(kind, **given)


class Counting(psycopg.Connection[Any]):
    """A connection that counts."""

    executed = 0

    def execute(self, *args: Any, **kwargs: Any) -> psycopg.Cursor[Any]:
        self.executed += 1
        return super().execute(*args, **kwargs)


def test_a_thousand_intents_of_a_campaign_look_it_up_once(stage: Stage) -> None:
    campaign, _ = stage.campaign()
    with Counting.connect(stage.connection.info.dsn) as connection:
        one = book.SqlBook(connection, stage.contracts)
        for _ in range(1_000):
            stage.kinds["campaign.record_investment"].read(stage.record(campaign, 1_000), one)
        assert isinstance(connection, Counting)
        assert connection.executed == 2  # the final block, and the campaign


def test_every_kind_names_tables_that_are_indexed(stage: Stage) -> None:
    for kind in catalogue.PLATFORM:
        assert set(kind.tables) <= stage.tables
        assert len(set(kind.tables)) == len(kind.tables)


def test_a_once_kinds_event_is_found_by_an_index(stage: Stage) -> None:
    leading = set(
        stage.connection.execute(
            "SELECT i.indrelid::regclass::text, a.attname FROM pg_index i JOIN pg_attribute a"
            " ON (a.attrelid, a.attnum) = (i.indrelid, i.indkey[0]) WHERE i.indpred IS NULL"
        )
    )
    for kind in catalogue.PLATFORM:
        expected = kind.read(VALID[kind.name], MemoryBook()).expected
        assert (f"event.{expected.table}", expected.key_column) in leading or not kind.once, kind.name


class rolled_back:  # noqa: N801
    """What happens inside is undone on the chain, and was never indexed."""

    def __init__(self, stage: Stage) -> None:
        self._platform = stage.platform

    def __enter__(self) -> None:
        self._snapshot = self._platform.rpc("evm_snapshot")

    def __exit__(self, *_: object) -> None:
        assert self._platform.rpc("evm_revert", self._snapshot)
