"""Rules: what follows from final blocks becomes an intent, once, and is done by the lane."""

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from chainfirst.schema import folds, rewind, store
from chainfirst.tests.writers.world import World
from chainfirst.writers import rules
from psycopg import errors

DAY = 86_400
UNIT = 100_000
NOTHING = {"finalize": 0, "release": 0, "refund": 0, "mint": 0}


class Stage:
    """A world that mines at once, and the rules in it."""

    def __init__(self, world: World) -> None:
        self.world, self.platform = world, world.platform
        world.rpc("evm_setAutomine", True)
        # a key of the lane's own: the operator's is what the tests send with
        for each, role in ((self.platform.factory, "OPERATOR"), (self.platform.certificate, "MINTER")):
            right = getattr(each.functions, f"{role}_ROLE")().call()
            self.platform.send("owner", each.functions.grantRole(right, self.platform.at["fees"]))
        world.lane = world.new_lane("fees")
        self.rules = rules.Rules(lambda: UNIT)

    def run(self) -> dict[str, int]:
        """What the rules make of all that is indexed; and then there is nothing more."""
        self.world.index()
        made = self.rules.run(self.world.connection, self.world.epoch)
        assert self.rules.run(self.world.connection, self.world.epoch) == NOTHING
        return made

    def final(self) -> None:
        """Mine until what there is now is final."""
        self.world.mine(self.world.depth)

    def over(self) -> None:
        """Let any campaign's time pass, up to a final block."""
        self.platform.pass_time(40 * DAY)
        self.final()

    def asked(self) -> list[str]:
        return [key for (key,) in self.world.all("SELECT key FROM intent.intents ORDER BY id")]

    def payload(self, key: str) -> Any:
        return self.world.one("SELECT payload FROM intent.intents WHERE key = %s", key)

    def statuses(self) -> dict[str, str]:
        return dict(self.world.all("SELECT key, status FROM intent.overview"))

    def cursor(self) -> store.Cursor:
        found = store.read_cursor(self.world.connection)
        assert found is not None
        return found


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    yield Stage(world)
    world.rpc("evm_setAutomine", False)


def made(**counts: int) -> dict[str, int]:
    return NOTHING | counts


def name(campaign: Any) -> str:
    return str(campaign.address.lower())


def word(value: bytes) -> str:
    return f"0x{value.hex()}"


def test_a_campaign_that_succeeds_from_its_end_to_its_certificates(stage: Stage) -> None:
    world, platform = stage.world, stage.platform
    campaign = platform.campaign()
    address, campaign_id = name(campaign), word(campaign.functions.campaignId().call())
    investments = [platform.invest(campaign, who, 400_000) for who in ("alice", "bob")]
    stage.final()
    assert stage.run() == NOTHING
    stage.over()
    assert stage.run() == made(finalize=1)
    assert stage.asked() == [f"rule:finalize:{address}"]
    assert stage.payload(f"rule:finalize:{address}") == {"campaign": campaign_id}

    world.rpc("evm_setAutomine", False)
    world.finish()
    assert campaign.functions.status().call() == 1
    assert stage.run() == made(release=1, mint=2)
    mints = [f"rule:mint:{address}:{word(each)}" for each in investments]
    assert stage.asked() == [f"rule:finalize:{address}", f"rule:release:{address}", *mints]
    world.finish()
    assert set(stage.statuses().values()) == {"confirmed"}
    for investment, who in zip(investments, ("alice", "bob"), strict=True):
        token = platform.certificate.functions.tokenOfInvestment(investment).call()
        assert platform.certificate.functions.ownerOf(token).call() == platform.at[who]
    assert campaign.functions.released().call()
    assert stage.run() == NOTHING
    assert rules.stuck(world.connection) == {}
    world.assert_consistent()


def test_the_goal_ends_a_campaign_once_it_is_reached_by_a_final_block(stage: Stage) -> None:
    campaign = stage.platform.campaign()
    stage.platform.invest(campaign, "alice", 900_000)
    stage.platform.invest(campaign, "bob", 100_000)
    stage.world.mine(stage.world.depth - 1)
    assert stage.run() == NOTHING
    stage.world.mine()
    assert stage.run() == made(finalize=1)


def test_time_is_that_of_the_final_block(stage: Stage) -> None:
    stage.platform.campaign()
    stage.platform.pass_time(40 * DAY)
    stage.world.mine(stage.world.depth - 1)
    assert stage.run() == NOTHING
    stage.world.mine()
    assert stage.run() == made(finalize=1)


def test_the_last_second_of_recording_still_is_one(stage: Stage) -> None:
    until = stage.platform.campaign().functions.setup().call()[5]
    for seconds in (until, until + 1):
        stage.platform.rpc("evm_setNextBlockTimestamp", seconds)
        stage.world.mine()
    stage.world.mine(stage.world.depth - 1)
    assert stage.run() == NOTHING
    stage.world.mine()
    assert stage.run() == made(finalize=1)


@pytest.mark.parametrize(
    "spell", [str, lambda each: str(each).upper(), lambda each: f"0X{each.hex}{'0' * 32}"]
)
def test_finalize_waits_for_an_investment_that_is_to_be_recorded(stage: Stage, spell: Any) -> None:
    campaign = stage.platform.campaign()
    asked = spell(uuid.UUID(bytes=campaign.functions.campaignId().call()[:16]))
    payload = {
        "campaign": asked,
        "investment": str(uuid.uuid4()),
        "investor": stage.platform.at["alice"],
        "amount": "5000",
        "payment_reference": "FT1",
    }
    other = stage.world.submit("campaign.record_investment", **payload | {"campaign": str(uuid.uuid4())})
    intent = stage.world.submit("campaign.record_investment", **payload)
    stage.over()
    assert stage.run() == NOTHING
    assert stage.rules.held == 1
    stage.world.app.execute("SELECT intent.cancel(%s)", [intent])
    assert stage.run() == made(finalize=1)
    assert stage.rules.held == 0
    assert stage.world.status(other) == "pending"


def test_a_payment_asked_for_in_time_is_recorded_before_the_end(stage: Stage) -> None:
    """The last block before the end takes it; finalize comes when its event is final."""
    world = stage.world
    world.rpc("evm_setAutomine", False)
    campaign_id = uuid.uuid4()
    world.submit(
        "campaign.create", campaign=str(campaign_id), issuer=stage.platform.at["issuer"],
        funding_goal="10000", min_investment="1000", max_investment="0", duration_seconds=DAY,
        grace_seconds=0, success_threshold_bps=7_500, document_uri="ipfs://offer", title="Coffee",
    )  # fmt: skip
    world.finish()
    world.submit(
        "campaign.record_investment", campaign=str(campaign_id), investment=str(uuid.uuid4()),
        investor=stage.platform.at["alice"], amount="12000", payment_reference="FT2",
    )  # fmt: skip
    world.round()
    world.mine()
    world.round()
    world.mine(world.depth - 1)
    assert stage.run() == NOTHING
    world.finish()
    assert stage.run() == made(finalize=1)
    world.finish()
    assert stage.run() == made(release=1, mint=1)
    world.finish()
    assert set(stage.statuses().values()) == {"confirmed"}


def test_every_investor_of_a_failed_campaign_is_refunded_once(stage: Stage) -> None:
    campaign = stage.platform.campaign()
    for who in ("alice", "bob", "alice"):
        stage.platform.invest(campaign, who, 2_000)
    stage.over()
    stage.platform.send("eve", campaign.functions.finalize())
    stage.final()
    assert stage.run() == made(refund=2)
    investors = sorted(stage.platform.at[who].lower() for who in ("alice", "bob"))
    assert stage.asked() == [f"rule:refund:{name(campaign)}:{each}" for each in investors]
    campaign_id = word(campaign.functions.campaignId().call())
    assert [stage.payload(key) for key in stage.asked()] == [
        {"campaign": campaign_id, "investor": each} for each in investors
    ]
    stage.world.rpc("evm_setAutomine", False)
    stage.world.finish()
    assert campaign.functions.escrowBalance().call() == 0
    assert set(stage.statuses().values()) == {"confirmed"}


def test_what_somebody_did_is_not_asked_for(stage: Stage) -> None:
    failed = stage.platform.campaign()
    for who in ("alice", "bob"):
        stage.platform.invest(failed, who, 2_000)
    stage.platform.send("owner", failed.functions.cancel("no"))
    stage.platform.send("eve", failed.functions.refund(stage.platform.at["alice"]))
    successful = stage.platform.campaign()
    investments = [stage.platform.invest(successful, "alice", 500_000) for _ in range(2)]
    stage.platform.send("eve", successful.functions.finalize())
    stage.platform.send("eve", successful.functions.releaseFunds())
    mint = stage.platform.certificate.functions.mint(
        stage.platform.at["alice"], investments[0], successful.address, b"\x22" * 32
    )
    stage.platform.send("minter", mint)
    stage.final()
    # not final yet: it is asked for, and already true
    stage.platform.send("eve", failed.functions.refund(stage.platform.at["bob"]))
    assert stage.run() == made(refund=1, mint=1)
    bob = stage.platform.at["bob"].lower()
    refund = f"rule:refund:{name(failed)}:{bob}"
    assert stage.asked() == [refund, f"rule:mint:{name(successful)}:{word(investments[1])}"]
    stage.world.rpc("evm_setAutomine", False)
    stage.world.finish()
    assert stage.statuses()[refund] == "confirmed"
    assert stage.world.one("SELECT already_true FROM intent.overview WHERE key = %s", refund)


def test_a_campaign_that_has_ended_in_a_block_that_is_not_final(stage: Stage) -> None:
    """It needs no finalize any more, and nothing follows; taken back by a reorganisation, it needs one."""
    campaign = stage.platform.campaign()
    stage.platform.invest(campaign, "alice", 1_000_000)
    stage.final()
    stage.platform.send("eve", campaign.functions.finalize())
    assert stage.run() == NOTHING
    stage.world.rpc("anvil_reorg", 1, [])
    stage.world.mine()
    assert stage.run() == made(finalize=1)


def test_nothing_follows_from_what_a_reorganisation_takes(stage: Stage) -> None:
    campaign = stage.platform.campaign()
    stage.platform.invest(campaign, "alice", 900_000)
    stage.final()
    stage.world.index()
    stage.platform.invest(campaign, "bob", 100_000)
    stage.world.index()
    assert (
        stage.world.one("SELECT total_raised FROM ledger.campaigns WHERE address = %s", name(campaign))
        == 10**6
    )
    stage.world.rpc("anvil_reorg", 1, [])
    stage.final()
    assert stage.run() == NOTHING


def test_two_at_once_make_each_intent_once(stage: Stage) -> None:
    campaign = stage.platform.campaign()
    for who in ("alice", "bob", "alice", "bob"):
        stage.platform.invest(campaign, who, 250_000)
    stage.platform.send("eve", campaign.functions.finalize())
    stage.final()
    stage.world.index()
    begin, results = threading.Barrier(2), []

    def work() -> None:
        with psycopg.connect(stage.world.database, autocommit=True) as connection:
            connection.execute("SET ROLE chainfirst_daemon")
            begin.wait(10)
            with connection.transaction():
                results.append(rules.run(connection, UNIT)[0])

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results, key=lambda each: each["mint"]) == [NOTHING, made(release=1, mint=4)]
    assert len(stage.asked()) == 5


def test_rebuilding_or_rewinding_asks_for_nothing_again(stage: Stage) -> None:
    connection, epoch = stage.world.connection, stage.world.epoch
    campaign = stage.platform.campaign()
    start = stage.platform.web3.eth.block_number
    stage.platform.invest(campaign, "alice", 1_000_000)
    stage.final()
    assert stage.run() == made(finalize=1)
    stage.platform.send("eve", campaign.functions.finalize())
    stage.final()
    assert stage.run() == made(release=1, mint=1)
    held = stage.world.all("SELECT * FROM intent.intents WHERE key LIKE 'rule:mint%%'")
    documents = stage.world.all("SELECT * FROM intent.documents")
    with connection.transaction():
        folds.rebuild(connection)
    assert stage.run() == NOTHING

    header = stage.world.node.endpoint.call("eth_getBlockByNumber", [hex(start), False], dict)
    block = store.Block(
        start,
        header["hash"],
        header["parentHash"],
        stage.world.one("SELECT to_timestamp(%s)", int(header["timestamp"], 16)),
    )
    rewind.to_block(connection, epoch, stage.cursor(), start, block)
    assert stage.world.one("SELECT done_to FROM intent.rules") == start
    assert stage.rules.run(connection, epoch) == NOTHING
    stage.world.start()
    assert stage.run() == NOTHING
    assert stage.world.one("SELECT done_to FROM intent.rules") == stage.cursor().final_number
    assert stage.world.all("SELECT * FROM intent.intents WHERE key LIKE 'rule:mint%%'") == held
    assert stage.world.all("SELECT * FROM intent.documents") == documents


def test_what_a_rewound_chain_has_anew_is_asked_for(stage: Stage) -> None:
    """Finality was violated: the other branch's end has another investment."""
    connection = stage.world.connection
    campaign = stage.platform.campaign()
    stage.platform.invest(campaign, "alice", 900_000)
    stage.world.index()
    kept = stage.world.one("SELECT max(number) FROM chain.blocks")
    block = next(each for each in store.read_blocks(connection) if each.number == kept)
    stage.platform.invest(campaign, "alice", 100_000)
    stage.platform.send("eve", campaign.functions.finalize())
    stage.final()
    assert stage.run() == made(release=1, mint=2)
    stage.world.rpc("anvil_reorg", stage.platform.web3.eth.block_number - kept, [])
    stage.platform.invest(campaign, "bob", 100_000)
    stage.platform.send("eve", campaign.functions.finalize())
    stage.final()
    rewind.to_block(connection, stage.world.epoch, stage.cursor(), kept, block)
    stage.world.start()
    assert stage.run() == made(mint=1)


def test_many_are_made_in_transactions_of_a_few(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = stage.platform.campaign()
    for _ in range(5):
        stage.platform.invest(campaign, "alice", 200_000)
    stage.platform.send("eve", campaign.functions.finalize())
    stage.final()
    stage.world.index()
    connection = stage.world.connection
    for expected in (2, 2, 1, 0):
        before = stage.world.one("SELECT done_to FROM intent.rules")
        with connection.transaction():
            found, _ = rules.run(connection, UNIT, most=2)
        assert found["mint"] == expected
        done = stage.world.one("SELECT done_to FROM intent.rules")
        assert (done == before) is (expected == 2) or expected == 0
    assert done == stage.cursor().final_number


def test_what_was_seen_to_costs_nothing(stage: Stage) -> None:
    """A run with nothing new, after 10,000 investments, against the time of one block."""
    campaign = stage.platform.campaign()
    stage.platform.invest(campaign, "alice", 1_000_000)
    stage.platform.send("eve", campaign.functions.finalize())
    stage.final()
    stage.world.index()
    stage.world.app.execute(
        "INSERT INTO event.campaign_investment_recorded"
        " SELECT block_number, i, 0, block_time, tx_hash, address, '0x' || md5(i::text) || md5('b' || i),"
        " investor, payer, amount, payment_reference, investor_total, total_raised, escrow_balance,"
        " investor_count"
        " FROM event.campaign_investment_recorded, generate_series(1, 9999) AS i WHERE address = %s",
        [name(campaign)],
    )
    assert stage.rules.run(stage.world.connection, stage.world.epoch) == made(release=1, mint=10_000)
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        assert stage.rules.run(stage.world.connection, stage.world.epoch) == NOTHING
        times.append(time.perf_counter() - begin)
    assert min(times) < 0.05


def test_nothing_is_made_before_the_sources_are_complete(stage: Stage) -> None:
    stage.platform.campaign()
    stage.over()
    stage.world.index()
    joined = b"UPDATE chain.sources SET joined = %s WHERE table_name = 'campaign_paused'"
    stage.world.connection.execute(joined, [False])
    assert stage.rules.run(stage.world.connection, stage.world.epoch) == NOTHING
    stage.world.connection.execute(joined, [True])
    assert stage.run() == made(finalize=1)


def test_who_does_not_lead_makes_nothing(stage: Stage) -> None:
    stage.platform.campaign()
    stage.over()
    stage.world.index()
    with pytest.raises(store.LeadershipLost):
        stage.rules.run(stage.world.connection, stage.world.epoch - 1)
    assert stage.asked() == []


def test_what_ended_badly_is_shown_until_it_is_tried_again_or_done(stage: Stage) -> None:
    world = stage.world
    failed = stage.platform.campaign()
    for who in ("alice", "bob"):
        stage.platform.invest(failed, who, 2_000)
    stage.platform.send("owner", failed.functions.cancel("no"))
    stage.platform.campaign()
    stage.over()
    assert stage.run() == made(finalize=1, refund=2)
    ids = dict(world.all("SELECT key, id FROM intent.intents"))
    assert rules.stuck(world.connection) == {}
    for intent in ids.values():
        world.app.execute("SELECT intent.cancel(%s)", [intent])
    assert rules.stuck(world.connection) == {"campaign.finalize": 1, "escrow.refund": 2}
    assert stage.run() == NOTHING
    alice, bob = (f"rule:refund:{name(failed)}:{stage.platform.at[who].lower()}" for who in ("alice", "bob"))
    world.app.execute("SELECT intent.retry(%s)", [ids[alice]])
    stage.platform.send("eve", failed.functions.refund(stage.platform.at["bob"]))
    world.index()
    assert world.all("SELECT kind, outcome FROM intent.stuck") == [("campaign.finalize", "cancelled")]
    assert stage.run() == NOTHING
    assert bob in stage.asked()


def test_keys_of_rules_are_the_daemons(stage: Stage) -> None:
    campaign = stage.platform.campaign()
    stage.world.app.execute("SET ROLE chainfirst_app")
    with pytest.raises(errors.InsufficientPrivilege, match="one of the daemon's rules"):
        stage.world.submit("campaign.finalize", f"rule:finalize:{name(campaign)}", campaign=str(uuid.uuid4()))
    stage.world.app.execute("RESET ROLE")
    stage.over()
    assert stage.run() == made(finalize=1)
