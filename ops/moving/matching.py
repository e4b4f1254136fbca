"""Which old row is which event. Pure: rows and events are plain values.

By id first, since nothing else says it for certain; then by the transaction that the old row names, by the
campaign's contract or the certificate's number, and last by wallet and amount. An event is one row's at most,
and where two could be meant none is taken: a wrong match would be worse than none.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

T = TypeVar("T")
Place = tuple[str, int, int, int]


@dataclass(frozen=True)
class Event:
    """That something is on chain. `amount`: birr; `word`: its id there, as the event has it; `own`: of the
    platform's contracts, so that the ledger has it."""

    table: str
    block: int
    tx_index: int
    log_index: int
    tx_hash: str
    id: uuid.UUID | None = None
    word: str | None = None
    wallet: str | None = None
    amount: Fraction | None = None
    place: str | None = None
    token_id: int | None = None
    own: bool = True

    def __str__(self) -> str:
        return f"event.{self.table}, block {self.block}, transaction {self.tx_hash}"


def place_of(event: Event) -> Place:
    """Where it is: no other is there."""
    return event.table, event.block, event.tx_index, event.log_index


@dataclass(frozen=True)
class Wanted:
    """What an old row says of itself. `id`: the one on chain; `place`: the campaign's contract, if known."""

    key: uuid.UUID
    id: uuid.UUID
    tx_hash: str | None = None
    wallet: str | None = None
    amount: Fraction | None = None
    place: str | None = None
    token_id: int | None = None


@dataclass(frozen=True)
class Match:
    """The event that a row is, and how that was found."""

    event: Event
    by: str


@dataclass(frozen=True)
class Matches:
    """`found` by row; `ambiguous`: rows for which there are several events, or the other way round, and why;
    `left`: events that are no row's."""

    found: dict[uuid.UUID, Match]
    ambiguous: dict[uuid.UUID, str]
    left: list[Event]


Trait = Callable[[Any], Hashable | None]


def _wallet_and_amount(of: Any) -> Hashable | None:
    return None if of.wallet is None or of.amount is None else (of.wallet, of.amount)


_TRAITS: dict[str, Trait] = {
    "id": lambda of: of.id,
    "transaction": lambda of: of.tx_hash,
    "contract": lambda of: of.place,
    "token": lambda of: of.token_id,
    "wallet": lambda of: of.wallet,
    "wallet and amount": _wallet_and_amount,
}
CERTAIN = ("id", "transaction")
"""By these alone a row is its event, even if they differ in something: that is reported."""
BY = {
    "companies": ("id", "transaction", "wallet"),
    "campaigns": ("id", "transaction", "contract"),
    "investments": ("id", "transaction", "wallet and amount"),
    "certificates": ("id", "transaction", "token", "wallet and amount"),
}
"""By what rows and events are compared, the surest first."""


def match(table: str, rows: Sequence[Wanted], events: Iterable[Event]) -> Matches:
    """Each row's event. The outcome doesn't depend on the order of either."""
    left = {place_of(each): each for each in events}
    open_rows = {row.key: row for row in rows}
    found: dict[uuid.UUID, Match] = {}
    ambiguous: dict[uuid.UUID, str] = {}
    for by in BY[table]:
        candidates = _grouped(left.values(), _TRAITS[by])
        for value, claimants in _grouped(open_rows.values(), _TRAITS[by]).items():
            if value in candidates:
                _decide(by, claimants, candidates[value], found, ambiguous)
        for key in found.keys() & open_rows.keys():
            del open_rows[key], left[place_of(found[key].event)]
    unclear = {key: why for key, why in ambiguous.items() if key in open_rows}
    return Matches(found, unclear, list(left.values()))


def _grouped(things: Iterable[T], trait: Trait) -> dict[Hashable, list[T]]:
    groups: dict[Hashable, list[T]] = {}
    for each in things:
        if (value := trait(each)) is not None:
            groups.setdefault(value, []).append(each)
    return groups


def _decide(
    by: str,
    rows: list[Wanted],
    events: list[Event],
    found: dict[uuid.UUID, Match],
    ambiguous: dict[uuid.UUID, str],
) -> None:
    """Of rows and events that agree in one thing: a row's event is the only one that it may be, if that may
    be no other row's. Several are told apart by everything else that both sides say."""
    alone = len(rows) == len(events) == 1 and by in CERTAIN
    possible = {row.key: [each for each in events if _may_be(row, each, only_id=alone)] for row in rows}
    claims = Counter(event for those in possible.values() for event in those)
    for key, those in possible.items():
        if len(those) == 1 and claims[those[0]] == 1:
            found[key] = Match(those[0], by)
        elif those:
            rows_too = max(claims[event] for event in those)
            ambiguous[key] = f"by {by} it may be {len(those)} events, and they {rows_too} rows"


def _may_be(row: Wanted, event: Event, only_id: bool) -> bool:
    pairs: list[tuple[object, object]] = [(row.id, event.id)]
    if not only_id:
        pairs += [
            (row.wallet, event.wallet),
            (row.amount, event.amount),
            (row.place, event.place),
            (row.token_id, event.token_id),
        ]
    return all(mine is None or its is None or mine == its for mine, its in pairs)


def differences(row: Wanted, event: Event) -> list[str]:
    """Where a row and its event say different things."""
    pairs = (("wallet", row.wallet, event.wallet), ("amount", row.amount, event.amount),
             ("contract", row.place, event.place), ("token", row.token_id, event.token_id))  # fmt: skip
    return [
        f"{name} {_shown(mine)} here, {_shown(its)} on chain"
        for name, mine, its in pairs
        if mine is not None and its is not None and mine != its
    ]


def _shown(value: object) -> str:
    if isinstance(value, Fraction):
        return format(Decimal(value.numerator) / Decimal(value.denominator), "f")
    return str(value)


def id_of(value: object) -> uuid.UUID | None:
    """The UUID in an event's value: in a bytes32 before zeros or behind them, a number, or a text."""
    if isinstance(value, Decimal | int):
        return uuid.UUID(int=int(value)) if 0 < value < 2**128 else None
    if not isinstance(value, str):
        return None
    digits = value.removeprefix("0x")
    if len(digits) == 64:
        digits = (
            digits[:32] if digits.endswith("0" * 32) else digits[32:] if digits.startswith("0" * 32) else ""
        )
    try:
        return uuid.UUID(digits)
    except ValueError:
        return None
