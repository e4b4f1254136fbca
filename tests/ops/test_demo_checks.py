"""What the demonstration's checks of intents find wrong, each mistake by the one check that is for it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from chainfirst.ops.demo import cast, checks, intents
from chainfirst.ops.demo.intents import Intent, Intents, Lane

KEY = "0x00000000000000000000000000000000000000aa"


def intent(kind: str, number: int) -> Intent:
    return Intent(
        id=f"{kind} {number}", kind=kind, key=f"{kind} {number}", status="confirmed", attempts=1,
        gas_used=50_000, cost_wei=10**14, seconds=float(number), taken_out=0,
    )  # fmt: skip


def right() -> Intents:
    rows = [intent(kind, number) for kind, count in cast.intents().items() for number in range(count)]
    rows[0] = replace(rows[0], taken_out=1)
    lane = Lane("default", KEY, transactions=len(rows), first=0, last=len(rows) - 1, loose=0)
    return Intents(rows, {each.id: 1 for each in rows}, [lane])


def wrong(found: Intents, sent: int | None = None) -> list[str]:
    count = len(right().rows) if sent is None else sent
    return [check.what for check in checks.of_the_intents(found, lambda _: count, 1) if not check.right]


def test_all_is_right() -> None:
    assert wrong(right()) == []


def first(found: Intents, **changes: object) -> Intents:
    return replace(found, rows=[replace(found.rows[0], **changes), *found.rows[1:]])  # type: ignore[arg-type]


def lane(found: Intents, **changes: object) -> Intents:
    return replace(found, lanes=[replace(found.lanes[0], **changes)])  # type: ignore[arg-type]


EFFECTS = "effects of each intent on the chain"
NONCES = "nonces of each lane, without a gap, as the chain has them"
AGAIN = "transactions of intents that were taken out of their block and mined again"
COUNT = "transactions of the daemon's keys on the chain, one for each intent"
MISTAKES: dict[str, tuple[Callable[[Intents], Intents], list[str]]] = {
    "two effects": (lambda it: replace(it, effects=it.effects | {it.rows[0].id: 2}), [EFFECTS]),
    "no effect": (lambda it: replace(it, effects=it.effects | {it.rows[0].id: 0}), [EFFECTS]),
    "one failed": (lambda it: first(it, status="failed"), ["intents confirmed", AGAIN]),
    "one that nobody asked for": (
        lambda it: replace(it, rows=[*it.rows, intent("escrow.refund", 99)],
                           effects=it.effects | {"escrow.refund 99": 1}),
        ["intents confirmed", COUNT],
    ),
    "a nonce is missing": (lambda it: lane(it, first=1), [NONCES]),
    "a nonce is loose": (lambda it: lane(it, loose=1), [NONCES]),
    "one was not taken out": (lambda it: first(it, taken_out=0), [AGAIN]),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_it_finds(mistake: str) -> None:
    make, found = MISTAKES[mistake]
    assert wrong(make(right())) == found


def test_a_transaction_of_the_key_that_is_no_intents() -> None:
    assert wrong(right(), sent=len(right().rows) + 1) == [COUNT, NONCES]


def test_summaries() -> None:
    *kinds, every = intents.summaries(right())
    assert [each.kind for each in kinds] == list(cast.intents())
    refunds = next(each for each in kinds if each.kind == "escrow.refund")
    count = cast.intents()["escrow.refund"]
    assert (refunds.count, refunds.statuses, refunds.effects) == (count, f"{count} confirmed", "1")
    assert (refunds.median_seconds, refunds.longest_seconds) == ((count - 1) / 2, count - 1)
    assert every.cost_wei == sum(each.cost_wei for each in kinds) == len(right().rows) * 10**14
