"""Limits, pauses, leadership, and the poisoned ones: who waits for what, and whom that doesn't hold up."""

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops import failpoint
from chainfirst.schema.store import LeadershipLost
from chainfirst.tests.indexer.served import Fault, Proxy
from chainfirst.tests.writers import strangers
from chainfirst.tests.writers.strangers import accept, blocked, effects, verified
from chainfirst.tests.writers.test_lane import company
from chainfirst.tests.writers.world import DEPTH, World
from chainfirst.writers import fees
from chainfirst.writers.desk import KindLimits
from chainfirst.writers.node import Node


@pytest.fixture
def proxy(world: World) -> Iterator[Proxy]:
    made = Proxy(world.url)
    world.node = Node(Endpoint(made.url), world.decoder)
    try:
        yield made
    finally:
        made.close()


class Counting(Endpoint):
    """The node's own answers, counted."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.calls: Counter[str] = Counter()

    def _post(self, method: str, body: bytes, largest: int) -> tuple[int, bytes, float | None]:
        asked = json.loads(body)
        self.calls.update(each["method"] for each in (asked if isinstance(asked, list) else [asked]))
        return super()._post(method, body, largest)


def poison(world: World, count: int) -> list[uuid.UUID]:
    """Intents that revert for now, without end: the operator lacks a right."""
    role = world.platform.registry.functions.REGISTRAR_ROLE().call()
    world.platform.registry.functions.revokeRole(role, world.platform.at["operator"]).transact(
        {"from": world.platform.at["owner"]}
    )
    world.mine()
    return [world.submit("investor.set_verified", **verified(number + 1)) for number in range(count)]


def cure(world: World) -> None:
    role = world.platform.registry.functions.REGISTRAR_ROLE().call()
    world.platform.registry.functions.grantRole(role, world.platform.at["operator"]).transact(
        {"from": world.platform.at["owner"]}
    )
    world.mine()


def created(world: World) -> str:
    """A campaign's id."""
    campaign = str(uuid.uuid4())
    world.submit(
        "campaign.create",
        campaign=campaign,
        issuer=world.platform.at["issuer"],
        funding_goal="1000000",
        min_investment="1",
        max_investment="0",
        duration_seconds=30 * 86400,
        grace_seconds=0,
        success_threshold_bps=7500,
        document_uri="ipfs://offer",
    )
    world.finish()
    return campaign


def record(world: World, campaign: str, amount: int, **options: Any) -> uuid.UUID:
    return world.submit(
        "campaign.record_investment",
        campaign=campaign,
        investment=str(uuid.uuid4()),
        investor=world.platform.at["alice"],
        amount=str(amount),
        payment_reference=str(uuid.uuid4()),
        **options,
    )


def pay_off(world: World) -> int:
    """Empty the treasury; what it had."""
    balance = world.platform.balance("treasury")
    world.platform.token.functions.transfer(world.platform.at["eve"], balance).transact(
        {"from": world.platform.at["treasury"]}
    )
    world.mine(3)
    return int(balance)


# -- poisoned ones


def test_two_hundred_poisoned_ones_cost_a_call_a_block_each_and_hold_nobody_up(world: World) -> None:
    line = Counting(world.url)
    world.node = Node(line, world.decoder)
    world.round()
    poisoned = poison(world, 200)
    world.round()
    assert {world.status(each) for each in poisoned} == {"waiting"}
    for _ in range(DEPTH + 2):
        world.mine()
        world.index()
        line.calls.clear()
        other = transfer(world)
        world.lane.step(world.node)
        assert world.status(other) == "sent"  # in the first step, with room for 16
        while world.lane.step(world.node):
            pass
        assert line.calls["eth_call"] <= len(poisoned) + 1
        assert line.calls["eth_estimateGas"] == 1
        assert line.calls.total() < len(poisoned) + 200
        assert world.all("SELECT FROM intent.intents WHERE checked_block < %s", world.head() - 1) == []
    cure(world)
    world.settings = {"in_flight": 300}
    world.start()
    world.finish()
    assert {world.status(each) for each in poisoned} == {"confirmed"}


def transfer(world: World) -> uuid.UUID:
    return world.submit(
        "contract.call",
        contract="token",
        function="transfer",
        arguments=[world.platform.at["eve"], "0"],
        event="Transfer",
    )


def test_with_room_for_one_each_gets_its_turn_however_fast_blocks_come(world: World) -> None:
    """A block comes between any two looks: those in front must not be tried again and again."""
    world.settings = {"in_flight": 1}
    world.start()
    world.round()
    poisoned = poison(world, 5)
    last = transfer(world)
    for _ in range(6):
        world.index()
        world.lane.step(world.node)
        world.mine()
    assert world.status(last) in ("sent", "included", "confirmed")
    assert {world.status(each) for each in poisoned} == {"waiting"}
    tried: list[Any] = []
    for _ in range(10):
        world.index()
        world.lane.step(world.node)
        world.mine()
        tried += world.all(
            "SELECT id FROM intent.intents WHERE waiting_reason IS NOT NULL"
            " ORDER BY checked_block DESC LIMIT 1"
        )
    assert {each for (each,) in tried} == set(poisoned)


def test_one_whose_call_the_node_can_not_make_holds_up_no_other(world: World, proxy: Proxy) -> None:
    world.round()
    bad = world.submit("investor.set_verified", **verified(0xBAD))
    good = world.submit("investor.set_verified", **verified(1))

    def call(params: list[Any], forward: Any) -> Any:
        if "bad" in params[0]["data"]:
            raise Fault(-32000, "execution timeout")
        return forward()

    proxy.rules["eth_call"] = call
    world.round()
    assert world.status(bad) == "waiting"
    assert world.status(good) == "sent"
    del proxy.rules["eth_call"]
    world.mine()
    world.finish()
    assert effects(world, bad) == 1


# -- limits


def test_what_a_day_allows_is_used_up_by_what_is_signed_alone(world: World) -> None:
    """One that can't be signed must not take the day's room from those behind it."""
    world.settings = {"kind_limits": {"campaign.record_investment": KindLimits(max_amount_a_day=1000)}}
    world.start()
    world.round()
    campaign = created(world)
    balance = pay_off(world)
    world.platform.token.functions.transfer(world.platform.at["treasury"], 500).transact(
        {"from": world.platform.at["eve"]}
    )
    world.mine()
    big = record(world, campaign, 900)
    small = [record(world, campaign, 200) for _ in range(2)]
    world.round()
    assert world.status(big) == "waiting"
    assert [world.status(each) for each in small] == ["sent"] * 2
    world.platform.token.functions.transfer(world.platform.at["treasury"], balance - 500).transact(
        {"from": world.platform.at["eve"]}
    )
    world.mine()
    world.round()
    assert "max_amount_a_day" in world.overview(big)["waits_for"]
    world.time_passed = timedelta(hours=25)
    world.finish()
    assert world.status(big) == "confirmed"


def test_above_a_limit_a_second_role_approves_and_not_the_first(world: World) -> None:
    world.settings = {"kind_limits": {"campaign.record_investment": KindLimits(approve_above=1000)}}
    world.start()
    world.round()
    campaign = created(world)
    intent = record(world, campaign, 1001)
    below = record(world, campaign, 1000)
    world.round()
    assert "approval" in world.overview(intent)["waits_for"]
    assert world.status(below) == "sent"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        world.app.execute("SELECT intent.approve(%s)", [intent])
    world.app.execute("INSERT INTO intent.grants VALUES ('*', 'chainfirst_app', true, true)")
    with psycopg.connect(world.database, autocommit=True) as app:
        app.execute("SET ROLE chainfirst_app")
        app.execute("SELECT intent.approve(%s)", [intent])
    world.mine()
    world.finish()
    assert world.status(intent) == "confirmed"


def test_what_waits_for_finality_alone_takes_no_room(world: World) -> None:
    """A final block may be an hour away; nor are there more than so many that no block holds."""
    world.settings = {"in_flight": 2}
    world.start()
    world.round()
    intents = [world.submit("investor.set_verified", **verified(number)) for number in range(1, 7)]
    for block in range(3):
        world.round()
        statuses = [world.status(each) for each in intents]
        assert statuses.count("sent") == 2, block
        world.mine()
    world.finish()
    assert {world.status(each) for each in intents} == {"confirmed"}


def test_a_base_fee_above_the_cap_is_said_once(world: World) -> None:
    world.settings = {"fee_limits": fees.Limits(cap_wei=10**9)}
    world.start()
    world.round()
    intent = world.submit("investor.set_verified", **verified(1))
    for gwei in (5, 6, 7):
        world.rpc("anvil_setNextBlockBaseFeePerGas", hex(gwei * 10**9))
        world.mine()
        world.round()
    assert "fee_cap_wei" in world.overview(intent)["waits_for"]
    assert world.overview(intent)["alert"] is True
    assert sum("fee_cap_wei" in each for each in world.history(intent)) == 1
    world.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**8))
    world.mine()
    world.finish()
    assert world.status(intent) == "confirmed"


def test_a_reason_whose_numbers_change_is_said_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The balance that doesn't suffice is another one in each block."""
    world.depth = 20
    world.start()
    world.round()
    intent = world.submit(
        "contract.call",
        contract="token",
        function="transfer",
        arguments=[world.platform.at["eve"], "1000000"],
        event="Transfer",
    )
    token, treasury = world.platform.token.functions, {"from": world.platform.at["treasury"]}
    texts, since = [], set()
    for _ in range(3):
        token.transfer(world.platform.at["operator"], 7).transact(treasury)
        world.mine()
        world.round()
        texts.append(world.overview(intent)["waits_for"])
        since.add(world.overview(intent)["waiting_since"])
    assert [each.startswith("ERC20InsufficientBalance(") for each in texts] == [True] * 3
    assert "balance=21" in texts[-1]
    assert len(set(texts)) == 3
    assert len(since) == 1
    said = [each for each in world.history(intent) if each.startswith("waits")]
    assert said == [f"waits: {texts[0]}"]
    assert capsys.readouterr().out.count("ERC20InsufficientBalance") == 1
    token.transfer(world.platform.at["operator"], 1000000).transact(treasury)
    world.mine()
    world.finish(25)
    assert world.status(intent) == "confirmed"
    assert world.history(intent)[3] == "waits no more"


# -- lanes and pauses


def test_a_blocked_lane_blocks_no_other(world: World) -> None:
    own = ["investor.set_verified"]
    world.mine()
    world.round()
    first = world.new_lane("operator", own=own, default=True)
    second = world.new_lane("registrar", own=own, default=False)
    world.mine(3)
    world.index()
    for lane in (first, second):
        lane.step(world.node)
    if blocked(world, "registrar") is not None:
        accept(world, "registrar")
    strangers.send(world, world.nonce(), value=1)
    world.mine(4)
    ours = world.submit("issuer.register", **company(world))
    theirs = world.submit("investor.set_verified", **verified(1))
    world.index()
    for lane in (first, second):
        while lane.step(world.node):
            pass
    assert blocked(world) is not None
    assert (world.status(ours), world.status(theirs)) == ("pending", "sent")
    assert world.overview(theirs)["signer"] == world.platform.at["registrar"].lower()
    world.mine(3)
    world.index()
    second.step(world.node)
    assert world.status(theirs) == "confirmed"
    accept(world)
    world.lane = first
    world.finish()
    assert world.status(ours) == "confirmed"


def test_paused_between_simulation_and_signature(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `lanes pause` has answered nothing more is signed."""
    world.round()
    intent = world.submit("investor.set_verified", **verified(1))
    other = world.submit("issuer.register", **company(world))

    def reach(name: str) -> None:
        if name == "sign.before":
            world.app.execute(
                "INSERT INTO intent.pauses (subject) VALUES ('investor.*') ON CONFLICT DO NOTHING"
            )

    monkeypatch.setattr(failpoint, "reach", reach)
    world.round()
    assert (world.status(intent), world.status(other)) == ("pending", "sent")


# -- leadership


@pytest.mark.parametrize("point", ["claim.after", "prepare.committed", "sign.before", "sign.after"])
def test_who_has_lost_the_lead_stores_and_sends_nothing_new(
    world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    world.round()
    world.submit("investor.set_verified", **verified(1))

    def reach(name: str) -> None:
        if name == point:
            world.app.execute("UPDATE chain.leader SET epoch = epoch + 1")

    monkeypatch.setattr(failpoint, "reach", reach)
    with pytest.raises(LeadershipLost):
        world.round()
    assert world.own_nonces() == []
    assert proxy.asked("eth_sendRawTransaction") == []


def test_who_has_lost_the_lead_sends_stored_bytes_at_most(
    world: World, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.round()
    intent = world.submit("investor.set_verified", **verified(1))

    def reach(name: str) -> None:
        if name == "nonces.committed":
            world.app.execute("UPDATE chain.leader SET epoch = epoch + 1")

    with monkeypatch.context() as patch:
        patch.setattr(failpoint, "reach", reach)
        with pytest.raises(LeadershipLost):
            world.round()
    sent = {raw for (raw,) in proxy.asked("eth_sendRawTransaction")}
    assert sent == {f"0x{raw.hex()}" for (raw,) in world.all("SELECT raw FROM intent.attempts")}
    world.start()
    world.finish()
    assert effects(world, intent) == 1
    assert world.overview(intent)["attempts"] == 1


# -- retries and parents


def test_a_child_waits_for_the_latest_generation(world: World) -> None:
    wanted = company(world, "issuer")  # whose wallet is taken
    parent = world.submit("issuer.register", "parent", **wanted)
    child = world.submit("investor.set_verified", "child", depends_on="parent", **verified(1))
    world.round()
    for _ in range(4):
        world.mine()
        world.round()
    assert world.status(parent) == "rejected"
    assert world.overview(child)["waits_for"] == "blocked by parent, which is rejected"
    (again,) = world.app.execute("SELECT intent.retry(%s)", [parent]).fetchone() or (None,)
    world.round()
    assert world.overview(child)["waits_for"] == "the intent parent"
    for _ in range(4):
        world.mine()
        world.round()
    assert world.status(again) == "rejected"
    with pytest.raises(psycopg.errors.UniqueViolation):
        world.app.execute("SELECT intent.retry(%s)", [parent])
    assert world.status(child) == "pending"


def test_cancelled_after_it_was_sent_whatever_is_mined_decides(world: World) -> None:
    """The cancellation lost the race: both were in pools, the call is mined."""
    world.round()
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    raw = world.rpc("eth_getRawTransactionByHash", world.overview(intent)["hash"])
    world.app.execute("SELECT intent.cancel(%s)", [intent])
    world.round()
    assert world.overview(intent)["purpose"] == "cancel"
    world.rpc("anvil_dropAllTransactions")
    world.rpc("eth_sendRawTransaction", raw)
    world.mine(3)
    world.round()
    assert world.status(intent) == "confirmed"
    assert effects(world, intent) == 1
    world.assert_consistent()


def test_cancelled_in_one_branch_and_done_in_the_other(world: World) -> None:
    """Both variants were mined, in blocks of which only one stays."""
    world.mine()
    world.round()
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    raw = world.rpc("eth_getRawTransactionByHash", world.overview(intent)["hash"])
    world.app.execute("SELECT intent.cancel(%s)", [intent])
    world.round()
    world.mine()
    world.round()
    assert world.overview(intent)["purpose"] == "cancel"
    assert world.overview(intent)["status"] == "included"
    world.rpc("anvil_reorg", 1, [[raw, 0]])
    world.mine(3)
    world.round()
    assert world.status(intent) == "confirmed"
    assert effects(world, intent) == 1
    world.assert_consistent()
