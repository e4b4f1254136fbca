"""What a lane does next with one nonce: each case of `decide`, and what holds in all of them."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chainfirst.writers import fees, plan
from chainfirst.writers.answers import REACTIONS, Class, Reaction
from chainfirst.writers.plan import Do, Patience, Sight, decide
from chainfirst.writers.store import Open
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
GWEI = 10**9
PATIENCE = Patience(stuck_blocks=3, stuck_seconds=60.0, again_seconds=2.0)
TX = Open(
    id=1,
    nonce=7,
    intent=uuid.UUID(int=1),
    call_to="0x" + "ab" * 20,
    call_data=b"",
    call_value=0,
    kind="investor.set_verified",
    take_back=False,
    attempt=1,
    purpose="call",
    raw=b"\x02",
    hash="0x" + "cd" * 32,
    gas=100_000,
    max_fee_wei=2 * GWEI,
    priority_fee_wei=0,
    signed_block=100,
    signed_at=NOON,
    last_sent_block=100,
    last_sent_at=NOON,
    answer="accepted",
    answer_text=None,
    included=False,
    refused=0,
)
NEVER_SENT: dict[str, Any] = {"last_sent_block": None, "last_sent_at": None, "answer": None}


def sight(blocks: int = 0, seconds: float = 0, **changes: Any) -> Sight:
    """What is seen so many blocks and seconds after TX was signed and sent."""
    seen = Sight(
        head=100 + blocks,
        now=NOON + timedelta(seconds=seconds),
        base_fee_wei=GWEI,
        used=7,
        moved_block=90,
        moved_at=NOON - timedelta(hours=1),
        missing=False,
    )
    return replace(seen, **changes)


def later(**changes: Any) -> Sight:
    """A block later."""
    return sight(1, 1, **changes)


MINED = {"moved_block": 102, "moved_at": NOON + timedelta(seconds=20)}
CASES: list[tuple[str, dict[str, Any], bool, Sight, Do]] = [
    # 1: a block holds it
    ("it is in an indexed block", {"included": True}, False, later(), Do.NOTHING),
    ("it is in a block that isn't indexed yet", {}, True, later(used=8), Do.NOTHING),
    ("cancelled too late", {"take_back": True, "included": True}, True, later(), Do.NOTHING),
    ("never sent, as far as is known, and mined", NEVER_SENT, True, later(used=8), Do.NOTHING),
    # 2: to be taken back
    ("cancelled", {"take_back": True}, True, sight(), Do.TAKE_BACK),
    ("cancelled before it was sent", NEVER_SENT | {"take_back": True}, True, sight(), Do.TAKE_BACK),
    ("cancelled and refused", {"take_back": True, "answer": "gas"}, True, sight(), Do.TAKE_BACK),
    ("taken back", {"take_back": True, "purpose": "cancel"}, True, sight(), Do.NOTHING),
    # 3: never sent
    ("never sent", NEVER_SENT, True, sight(), Do.SEND),
    ("never sent, and not the lowest", NEVER_SENT, False, sight(), Do.SEND),
    ("taken back, not sent", NEVER_SENT | {"take_back": True, "purpose": "cancel"}, True, sight(), Do.SEND),
    # 5: the node lost it
    ("lost", {}, True, later(missing=True), Do.SEND),
    ("lost this second", {}, True, sight(0, 1, missing=True), Do.NOTHING),
    ("lost, and two seconds passed", {}, True, sight(0, 2, missing=True), Do.SEND),
    ("the lowest is lost", {}, False, later(missing=True), Do.SEND),
    ("lost long ago", {}, True, sight(5, 50, missing=True), Do.SEND),
    ("lost again and again", {"last_sent_block": 104}, True, sight(5, 50, missing=True), Do.BUMP),
    ("another is lost again and again", {"last_sent_block": 104}, False, sight(5, 50, missing=True), Do.SEND),
    # 6: it lies too long
    ("it lies two blocks", {}, True, sight(2, 24), Do.NOTHING),
    ("it lies three blocks", {}, True, sight(3, 36), Do.BUMP),
    ("it lies an hour without a block", {}, True, sight(0, 3600), Do.NOTHING),
    ("it lies a minute, and one block came", {}, True, sight(1, 60), Do.BUMP),
    (
        "lost again and again, and no block",
        {"last_sent_at": NOON + timedelta(seconds=80)},
        True,
        sight(0, 90, missing=True),
        Do.SEND,
    ),
    ("not the lowest", {}, False, sight(30, 360), Do.NOTHING),
    ("the one before it was mined just now", {}, True, sight(4, 48, **MINED), Do.NOTHING),
    ("the one before it was mined long ago", {}, True, sight(5, 60, **MINED), Do.BUMP),
    (
        "signed again a block ago",
        {"signed_block": 104, "last_sent_block": 104},
        True,
        sight(5, 50),
        Do.NOTHING,
    ),
    ("just sent again", {"last_sent_block": 105, "last_sent_at": NOON}, True, sight(5, 1), Do.NOTHING),
    ("left behind", {}, False, sight(3, 36, base_fee_wei=3 * GWEI), Do.BUMP),
    ("left behind, and one was just mined", {}, False, sight(3, 36, base_fee_wei=3 * GWEI, **MINED), Do.BUMP),
    ("left behind two blocks ago", {}, False, sight(2, 24, base_fee_wei=3 * GWEI), Do.NOTHING),
    ("there is no base fee", {"priority_fee_wei": None}, False, sight(3, 36, base_fee_wei=None), Do.NOTHING),
]


@pytest.mark.parametrize(
    ("changes", "lowest", "seen", "do"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_each_case(changes: dict[str, Any], lowest: bool, seen: Sight, do: Do) -> None:
    assert decide(replace(TX, **changes), lowest, seen, PATIENCE) is do


# case 4: what each answer asks for: of a call at its first and second refusal, of a transfer of nothing
ASKS: dict[Class, tuple[Do, Do, Do]] = {
    Class.ACCEPTED: (Do.NOTHING, Do.NOTHING, Do.NOTHING),
    Class.ALREADY_KNOWN: (Do.NOTHING, Do.NOTHING, Do.NOTHING),
    Class.NONCE_TOO_LOW: (Do.SEND, Do.SEND, Do.SEND),
    Class.NONCE_TOO_HIGH: (Do.SEND, Do.SEND, Do.SEND),
    Class.REPLACEMENT_UNDERPRICED: (Do.BUMP, Do.BUMP, Do.BUMP),
    Class.UNDERPRICED: (Do.BUMP, Do.BUMP, Do.BUMP),
    Class.POOL_FULL: (Do.SEND, Do.SEND, Do.SEND),
    Class.INSUFFICIENT_FUNDS: (Do.SEND, Do.SEND, Do.SEND),
    Class.GAS: (Do.NEW_GAS, Do.TAKE_BACK, Do.NEW_GAS),
    Class.FEE_CAP: (Do.LOWER, Do.LOWER, Do.LOWER),
    Class.WRONG_CHAIN: (Do.SEND, Do.SEND, Do.SEND),
    Class.NOT_PERMITTED: (Do.SEND, Do.SEND, Do.SEND),
    Class.REVERTED: (Do.TAKE_BACK, Do.TAKE_BACK, Do.NEW_GAS),
    Class.UNKNOWN: (Do.SEND, Do.SEND, Do.SEND),
}


@pytest.mark.parametrize("answer", list(Class))
def test_what_each_answer_asks_for(answer: Class) -> None:
    first, second, transfer = ASKS[answer]
    tx = replace(TX, answer=answer.value, refused=1)
    assert decide(tx, True, later(), PATIENCE) is first
    assert decide(replace(tx, refused=2), True, later(), PATIENCE) is second
    assert decide(replace(tx, purpose="cancel"), True, later(), PATIENCE) is transfer
    assert decide(tx, True, sight(0, 1), PATIENCE) is Do.NOTHING, "too soon"
    again = first if first in (Do.SEND, Do.NOTHING) else Do.NOTHING
    assert decide(tx, True, sight(0, 2), PATIENCE) is again, "the same bytes alone"
    if first is not Do.NOTHING:
        assert decide(tx, True, sight(0, 60), PATIENCE) is first, "no block comes"


LIMITS = fees.Limits(cap_wei=2 * GWEI)
WISE = fees.Limits()
ALERTS: list[tuple[str, dict[str, Any], Sight, fees.Limits, str | None]] = [
    ("all is well", {}, later(), WISE, None),
    ("never sent", NEVER_SENT, sight(9, 90), WISE, None),
    ("no funds", {"answer": "insufficient_funds"}, sight(), WISE, "waits for funds"),
    ("no funds, and mined", {"answer": "insufficient_funds"}, sight(used=8), WISE, None),
    ("no funds, and in a block", {"answer": "insufficient_funds", "included": True}, sight(), WISE, None),
    ("stuck, and it can be raised", {}, sight(3, 36), WISE, None),
    ("stuck at the cap", {}, sight(3, 36), LIMITS, "raise writer.fees.fee_cap_wei"),
    ("at the cap, not stuck", {}, sight(1, 12), LIMITS, None),
    ("underpriced at the cap", {"answer": "underpriced"}, sight(), LIMITS, "raise writer.fees.fee_cap_wei"),
    ("the node's cap, and room below", {"answer": "fee_cap"}, sight(), WISE, None),
    ("the node's cap, and no room", {"answer": "fee_cap", "max_fee_wei": GWEI}, sight(), WISE, "own cap"),
    ("pool full", {"answer": "pool_full"}, later(), WISE, None),
    (
        "pool full for long",
        {"answer": "pool_full", "answer_text": "txpool is full"},
        sight(3, 36),
        WISE,
        "txpool is",
    ),
    ("unknown for long", {"answer": "unknown"}, sight(0, 60), WISE, "doesn't go on; the node says unknown"),
    ("no block for ages", {}, sight(1, 1, moved_block=50), WISE, "lies since block 50"),
]


@pytest.mark.parametrize(
    ("changes", "seen", "limits", "words"), [case[1:] for case in ALERTS], ids=[case[0] for case in ALERTS]
)
def test_what_somebody_must_see_to(
    changes: dict[str, Any], seen: Sight, limits: fees.Limits, words: str | None
) -> None:
    if seen.moved_block == 90:
        seen = replace(seen, moved_at=NOON)
    found = plan.alert(replace(TX, **changes), True, seen, PATIENCE, limits)
    assert found is None if words is None else words in (found or ""), found


def test_what_an_account_can_pay() -> None:
    """A stuck transaction that the account can't pay more for: it is said, and not raised."""
    stuck, cost = sight(3, 36, moved_at=NOON), TX.gas * TX.max_fee_wei
    assert plan.alert(TX, True, stuck, PATIENCE, WISE, 2 * cost) is None
    found = plan.alert(TX, True, stuck, PATIENCE, WISE, cost)
    assert found is not None
    assert f"{cost} wei don't pay more than {TX.max_fee_wei} wei a gas" in found
    assert plan.alert(TX, True, later(moved_at=NOON), PATIENCE, WISE, cost) is None, "not stuck"


moments = st.integers(0, 300).map(lambda seconds: NOON + timedelta(seconds=seconds))
blocks = st.integers(95, 115)


@st.composite
def opens(draw: st.DrawFn) -> Open:
    signed_block, signed_at = draw(blocks), draw(moments)
    changes: dict[str, Any] = dict(NEVER_SENT)
    if draw(st.booleans()):
        changes = {
            "last_sent_block": max(signed_block, draw(blocks)),
            "last_sent_at": max(signed_at, draw(moments)),
            "answer": draw(st.sampled_from(Class)).value,
        }
    return replace(
        TX,
        nonce=draw(st.integers(5, 9)),
        take_back=draw(st.booleans()),
        purpose=draw(st.sampled_from(["call", "cancel"])),
        max_fee_wei=draw(st.integers(0, 4)) * GWEI,
        signed_block=signed_block,
        signed_at=signed_at,
        included=draw(st.booleans()),
        refused=draw(st.integers(0, 3)),
        **changes,
    )


sights = st.builds(
    Sight,
    head=blocks,
    now=moments,
    base_fee_wei=st.one_of(st.none(), st.integers(0, 4).map(lambda fee: fee * GWEI)),
    used=st.integers(5, 9),
    moved_block=blocks,
    moved_at=moments,
    missing=st.booleans(),
)


@given(tx=opens(), lowest=st.booleans(), seen=sights)
def test_what_always_holds(tx: Open, lowest: bool, seen: Sight) -> None:
    do = decide(tx, lowest, seen, PATIENCE)
    if tx.included or tx.nonce < seen.used:
        assert do is Do.NOTHING
        assert plan.alert(tx, lowest, seen, PATIENCE, WISE) is None
        return
    if tx.last_sent_at is None:
        assert do in (Do.SEND, Do.TAKE_BACK), "what was never sent can't wait for anything"
    if tx.take_back and tx.purpose == "call":
        assert do is Do.TAKE_BACK, "a call that is to be taken back is never sent again"
        return
    if tx.purpose == "cancel":
        assert do is not Do.TAKE_BACK, "it is taken back already"
    no_block = (seen.now - tx.signed_at).total_seconds() >= PATIENCE.stuck_seconds
    if do not in (Do.NOTHING, Do.SEND):
        assert seen.head > tx.signed_block or no_block, "two attempts in one block"
    if tx.answer is not None and REACTIONS[Class(tx.answer)] is Reaction.SAME_BYTES_AGAIN:
        assert do in (Do.SEND, Do.NOTHING), "nothing new is signed on an unknown outcome"
    if do is Do.NOTHING and tx.answer is not None and REACTIONS[Class(tx.answer)] is not Reaction.SENT:
        patient = replace(seen, head=max(seen.head, tx.last_sent_block or 0) + 1)
        assert decide(tx, lowest, patient, PATIENCE) is not Do.NOTHING, "it never goes on"


@given(tx=opens(), seen=sights)
def test_the_lowest_is_never_left_for_good(tx: Open, seen: Sight) -> None:
    """Whatever was answered: if nothing is mined, it is sent again or signed again in the end."""
    if tx.included or tx.nonce < seen.used:
        return
    patient = replace(seen, head=seen.head + 50, now=seen.now + timedelta(seconds=600))
    assert decide(tx, True, patient, PATIENCE) is not Do.NOTHING
