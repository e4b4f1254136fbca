"""Chains with a base fee, with a gas price alone, and with neither, where accounts have no ether."""

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from chainfirst.ops.dev.node import Anvil
from chainfirst.tests.writers.conftest import deploy
from chainfirst.tests.writers.faulty import Fault, FaultyWorld, FrontDoor
from chainfirst.writers.answers import Class

ROOT = Path(__file__).parents[2]
ETHER = 10**18
Start = Callable[..., FaultyWorld]

LONDON = ("--hardfork", "london")
FREE_LONDON = (*LONDON, "--base-fee", "0", "--gas-price", "0")
BERLIN = ("--hardfork", "berlin", "--gas-price", "0")
CHAINS: dict[str, tuple[tuple[str, ...], int, bool]] = {
    # anvil's arguments, what the operator has, and whether transactions have a gas price alone
    "base fee": (LONDON, ETHER, False),
    "base fee of 0": (FREE_LONDON, ETHER, False),
    "base fee of 0, no ether": (FREE_LONDON, 0, False),
    "gas price": (BERLIN, ETHER, True),
    "gas price of 0": (BERLIN, ETHER, True),
    "gas price of 0, no ether": (BERLIN, 0, True),
}


@pytest.fixture
def start(server_dir: Path, pg_url: str, tmp_path: Path) -> Iterator[Start]:
    worlds: list[FaultyWorld] = []

    def make(chain: str) -> FaultyWorld:
        arguments, ether_wei, _ = CHAINS[chain]
        install = ROOT / ".chainfirst" / "node" / "anvil"
        node = Anvil(server_dir, install_directory=install, arguments=arguments)
        node.start()
        platform = deploy(node, tmp_path, *([0] if arguments == BERLIN else []))
        platform.rpc("anvil_setBalance", platform.at["operator"], hex(ether_wei))
        platform.rpc("anvil_mine", hex(11))  # tips that others paid are forgotten
        if chain == "gas price":
            platform.rpc("anvil_setMinGasPrice", hex(2 * 10**9))
        worlds.append(FaultyWorld(pg_url, platform, FrontDoor(node.url), calm=False))
        return worlds[0]

    try:
        yield make
    finally:
        for world in worlds:
            world.close()
            world.door.close()


def prices(world: FaultyWorld) -> list[tuple[int, int | None]]:
    return world.all("SELECT max_fee_wei::bigint, priority_fee_wei::bigint FROM intent.attempts ORDER BY id")


@pytest.mark.parametrize("chain", CHAINS)
def test_intents_are_confirmed(start: Start, chain: str) -> None:
    world = start(chain)
    intents = world.verify(3)
    world.finish()
    world.assert_whole(*intents)
    assert {world.status(each) for each in intents} == {"confirmed"}
    legacy = CHAINS[chain][2]
    mined = world.rpc("eth_getTransactionByHash", world.overview(intents[0])["hash"])
    assert (mined.get("type", "0x0") == "0x0") is legacy
    assert {tip is None for _, tip in prices(world)} == {legacy}
    free = "of 0" in chain
    assert {max_fee == 0 for max_fee, _ in prices(world)} == {free}
    assert all((world.overview(each)["cost_wei"] == 0) is free for each in intents)


def lose(world: FaultyWorld) -> None:
    """The node says that it takes them, and doesn't."""
    world.door.on_send = lambda _: Fault(0, "hash")


@pytest.mark.parametrize("chain", [name for name in CHAINS if "no ether" not in name])
def test_what_is_stuck_is_raised(start: Start, chain: str) -> None:
    world = start(chain)
    lose(world)
    (intent,) = world.verify()
    world.bear(12)
    found = prices(world)
    assert len(found) >= 3
    for (max_fee, tip), (next_max_fee, next_tip) in itertools.pairwise(found):
        assert next_max_fee >= max(1, max_fee * 9 / 8)
        if tip is not None:
            assert next_tip is not None
            assert next_tip >= tip * 9 / 8
    if "of 0" in chain:
        assert [max_fee for max_fee, _ in found][:3] == [0, 1, 2]
    world.door.be_well()
    world.finish(20)
    world.assert_whole(intent)


def test_on_a_chain_that_stands_still_nothing_is_raised(faulty: FaultyWorld) -> None:
    """However long: only a block that doesn't take it says that it bids too little."""
    (intent,) = faulty.verify()
    faulty.bear(mine=False)
    for _ in range(5):
        faulty.time_passed += timedelta(minutes=10)
        faulty.bear(mine=False)
    assert len(prices(faulty)) == 1
    assert "no block takes it" in faulty.lane_row()["alert"]
    faulty.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**10))
    faulty.mine()
    for _ in range(5):
        faulty.time_passed += timedelta(minutes=10)
        faulty.bear(mine=False)
    assert len(prices(faulty)) == 2
    faulty.finish()
    faulty.assert_whole(intent)


@pytest.mark.parametrize("chain", ["base fee of 0, no ether", "gas price of 0, no ether"])
def test_where_nobody_has_ether_nothing_is_raised(start: Start, chain: str) -> None:
    """One wei more would be more than the account has, and the node would take neither."""
    world = start(chain)
    lose(world)
    first, second = world.verify(2)
    world.bear(8)
    assert {max_fee for max_fee, _ in prices(world)} == {0}
    assert len(prices(world)) == 2
    assert "0 wei don't pay more than 0 wei a gas" in world.lane_row()["alert"]
    sent = len(world.door.sent)
    world.bear()
    assert len(world.door.sent) > sent, "the same bytes again"
    (third,) = world.verify()
    world.bear()
    assert world.status(third) == "sent", "the lane goes on"
    world.door.be_well()
    world.finish(20)
    world.assert_whole(first, second, third)
    assert Class.INSUFFICIENT_FUNDS not in world.answers
    world.bear()
    assert world.lane_row()["alert"] is None


@pytest.mark.parametrize("chain", ["base fee of 0, no ether", "gas price of 0, no ether"])
def test_a_signed_intent_is_taken_back_for_nothing(start: Start, chain: str) -> None:
    world = start(chain)
    lose(world)
    first, second = world.verify(2)
    world.bear(mine=False)
    world.app.execute("SELECT intent.cancel(%s)", [first])
    world.door.be_well()
    world.finish(20)
    assert (world.status(first), world.status(second)) == ("cancelled", "confirmed")
    world.assert_whole(first, second)


def test_an_account_that_can_t_pay_more(start: Start) -> None:
    """It paid the first attempt, and can't pay a dearer one: the first goes again."""
    world = start("gas price")
    (intent,) = world.verify()
    lose(world)
    world.bear(mine=False)
    (attempt,) = world.attempts(intent)
    balance: Any = hex(attempt["gas"] * attempt["max_fee_wei"])
    world.rpc("anvil_setBalance", world.platform.at["operator"], balance)
    world.bear(6)
    assert len(world.attempts(intent)) == 1
    assert "don't pay more than" in world.lane_row()["alert"]
    world.door.be_well()
    world.finish(20)
    world.assert_whole(intent)


def test_a_stranger_s_tip_is_not_paid_by_who_has_nothing(start: Start) -> None:
    """On a chain without fees somebody pays one all the same: it seems to be wanted, and isn't."""
    world = start("base fee of 0, no ether")
    eve = world.platform.at["eve"]
    tip = {"maxFeePerGas": 10**9, "maxPriorityFeePerGas": 10**9}
    for _ in range(3):
        world.platform.web3.eth.send_transaction({"from": eve, "to": eve, "gas": 21_000} | tip)
        world.mine()
    assert world.node.market(50).tips_wei[-1] == 10**9
    intents = world.verify(2)
    world.finish()
    world.assert_whole(*intents)
    assert {max_fee for max_fee, _ in prices(world)} == {0}
    world.rpc("anvil_setBalance", world.platform.at["operator"], hex(ETHER))
    richer = world.verify()
    world.finish()
    world.assert_whole(*intents, *richer)
    assert prices(world)[-1][0] > 0, "who can pay it pays it"
