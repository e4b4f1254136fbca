"""A bad line to the real node, at random, and then one effect for each intent.

Answers are lost after the node has got the bytes, or don't come in time, bytes come twice, connections break,
there are 5xx, and words that are true or not.

A seed is the test's parameter: replay one with -k.
"""

import random
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.tests.contracts.conftest import Platform
from chainfirst.tests.writers.faulty import NONE, Fault, FaultyWorld, FrontDoor, says
from chainfirst.tests.writers.test_lane_answers import SAME_BYTES, TOO_CHEAP
from chainfirst.writers.answers import Class
from chainfirst.writers.transaction import Signed
from psycopg import sql

INTENTS = 30
ROUNDS = 20
LINE = [
    Fault(1, "close"),
    Fault(0, "close"),
    Fault(1, "hang"),
    Fault(0, "hang"),
    Fault(2, "own"),
    Fault(2, "close"),
    Fault(1, "status", status=504),
    Fault(0, "status", status=503),
    Fault(1, "status", status=429),
]
WORDS = [
    says(text, code, forward=forward)
    for _, text, code in (*SAME_BYTES, *TOO_CHEAP)
    for forward in (True, False)
]


@pytest.fixture
def faulty(
    pg_cluster: Cluster, platform_database: str, pg_url: str, writer_node: Anvil, writer_platform: Platform
) -> Iterator[FaultyWorld]:
    """As conftest's, with little patience: an answer that doesn't come takes no long time."""
    snapshot = writer_platform.rpc("evm_snapshot")
    door = FrontDoor(writer_node.url)
    made = FaultyWorld(pg_url, writer_platform, door, seconds=0.25)
    try:
        yield made
    finally:
        made.close()
        door.close()
        assert writer_platform.rpc("evm_revert", snapshot)


class Line:
    """What the dice make of each request; `played` counts it."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.played: Counter[str] = Counter()

    def on_send(self, _: Signed) -> Fault:
        chance = self._dice.random()
        if chance < 0.35:
            return self._play(self._dice.choice(LINE))
        if chance < 0.6:
            return self._play(self._dice.choice(WORDS))
        return NONE

    def on_call(self, _: str) -> Fault:
        return self._play(self._dice.choice(LINE)) if self._dice.random() < 0.02 else NONE

    def _play(self, fault: Fault) -> Fault:
        self.played[f"{fault.reply} {'passed on' if fault.times else 'kept'}"] += 1
        return fault


def address(dice: random.Random) -> str:
    return f"0x{dice.getrandbits(160):040x}"


def wish(world: FaultyWorld, dice: random.Random, campaigns: list[str]) -> list[uuid.UUID]:
    """Intents of any kind that can succeed, whatever came before."""
    match dice.choice(["verify", "register", "document", "mint", "campaign", "invest", "invest"]):
        case "verify":
            verified = dice.random() < 0.5
            return [world.submit("investor.set_verified", investor=address(dice), verified=verified)]
        case "register":
            return [register(world, str(uuid.uuid4()), address(dice))]
        case "document":
            issuer, uri = world.platform.at["issuer"], f"ipfs://{uuid.uuid4()}"
            return [world.submit("issuer.update_document", wallet=issuer, document_uri=uri)]
        case "mint":
            to = address(dice)
            return [
                world.submit(
                    "contract.call",
                    contract="token",
                    function="mint",
                    arguments=[to, "100"],
                    event="Transfer",
                    parameters={"to": to},
                )
            ]
        case "campaign":
            campaigns.append(str(uuid.uuid4()))
            return create(world, campaigns[-1], address(dice))
    if not campaigns:
        return wish(world, dice, campaigns)
    return [invest(world, dice.choice(campaigns), address(dice))]


def register(world: FaultyWorld, key: str, wallet: str) -> uuid.UUID:
    return world.submit(
        "issuer.register",
        key,
        company=str(uuid.uuid4()),
        wallet=wallet,
        credential_hash="0x" + "11" * 32,
        document_uri="ipfs://company",
    )


def create(world: FaultyWorld, campaign: str, issuer: str) -> list[uuid.UUID]:
    """An issuer has one campaign at a time: so each has an issuer of its own."""
    parent = register(world, f"issuer of {campaign}", issuer)
    child = world.submit(
        "campaign.create",
        campaign,
        campaign=campaign,
        issuer=issuer,
        funding_goal="1000000",
        min_investment="1",
        max_investment="0",
        duration_seconds=30 * 86_400,
        grace_seconds=0,
        success_threshold_bps=7500,
        document_uri="ipfs://offer",
        depends_on=f"issuer of {campaign}",
    )
    return [parent, child]


def invest(world: FaultyWorld, campaign: str, investor: str) -> uuid.UUID:
    return world.submit(
        "campaign.record_investment",
        campaign=campaign,
        investment=str(uuid.uuid4()),
        investor=investor,
        amount="1000",
        payment_reference=str(uuid.uuid4()),
        depends_on=campaign,
    )


def assert_one_effect_each(world: FaultyWorld, intents: list[uuid.UUID], began: int) -> None:
    """On the chain and in the events: of an intent's attempts one is mined, with one event of its kind."""
    rows = world.all(
        "SELECT i.id, i.outcome, i.event_table, array_agg(DISTINCT t.nonce), array_agg(a.hash)"
        " FROM intent.intents i JOIN intent.transactions t ON t.intent = i.id"
        " JOIN intent.attempts a ON a.transaction = t.id GROUP BY i.id"
    )
    unended = world.all("SELECT key, kind, outcome, error FROM intent.intents WHERE outcome <> 'confirmed'")
    assert unended == []
    assert {row[0] for row in rows} == set(intents)
    per_table: Counter[str] = Counter()
    for intent, outcome, table, nonces, hashes in rows:
        assert (outcome, len(nonces)) == ("confirmed", 1), world.overview(intent)
        receipts = [world.rpc("eth_getTransactionReceipt", each) for each in hashes]
        mined = [each for each in receipts if each is not None]
        assert [each["status"] for each in mined] == ["0x1"], world.history(intent)
        count = sql.SQL("SELECT count(*) FROM {} WHERE tx_hash = ANY (%s)").format(
            sql.Identifier("event", table)
        )
        assert world.app.execute(count, [hashes]).fetchone() == (1,), world.history(intent)
        per_table[table] += 1
    for table, expected in per_table.items():  # and none by a transaction that the database doesn't know
        count = sql.SQL("SELECT count(*) FROM {} WHERE block_number > %s").format(
            sql.Identifier("event", table)
        )
        found = world.app.execute(count, [began]).fetchone()
        extra = per_table["campaign_investment_recorded"] if table == "token_transfer" else 0
        assert found is not None
        assert found[0] == expected + extra, table


@pytest.mark.parametrize("seed", range(10))
def test_whatever_the_line_does_each_intent_has_one_effect(faulty: FaultyWorld, seed: int) -> None:
    play(faulty, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1100))
def test_a_bad_line_for_long(faulty: FaultyWorld, seed: int) -> None:
    play(faulty, seed)


def play(world: FaultyWorld, seed: int) -> None:
    print(f"seed {seed}")
    dice = random.Random(seed)
    line = Line(dice)
    campaigns: list[str] = []
    intents: list[uuid.UUID] = []
    world.bear(2)
    began = int(world.rpc("eth_blockNumber"), 16)
    world.door.on_send, world.door.on_call = line.on_send, line.on_call
    for _ in range(ROUNDS):
        while len(intents) < INTENTS and dice.random() < 0.8:
            intents += wish(world, dice, campaigns)
        world.time_passed += timedelta(seconds=dice.choice([0, 1, 3, 20]))
        if dice.random() < 0.1:
            world.door.on_call = lambda _: NONE  # a daemon that doesn't come up is started again
            world.start()
            world.door.on_call = line.on_call
        world.bear(mine=dice.random() < 0.7)
    print(dict(line.played))
    world.door.be_well()
    world.finish(60)
    assert_one_effect_each(world, intents, began)
    world.assert_consistent()
    assert world.own_nonces() == list(range(world.first, world.nonce()))
    assert sum(line.played.values()) >= 10, "the line was too good"
    assert Class.UNKNOWN in world.answers
