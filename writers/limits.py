"""The limits that the settings set a kind: whether an intent may be signed now. Pure.

Amounts are in the unit of the kind (Kind.counts): token units, or wei.
"""

from dataclasses import dataclass
from enum import Enum, auto


class Decision(Enum):
    """ALLOWED: it may be signed. WAITS: it may later. REJECTED: it never may."""

    ALLOWED = auto()
    WAITS = auto()
    REJECTED = auto()


@dataclass(frozen=True)
class Verdict:
    """The decision, and why, for the intent's reason or error; empty where it is allowed."""

    decision: Decision
    reason: str = ""


ALLOWED = Verdict(Decision.ALLOWED)


def check(
    amount: int | None,
    *,
    max_amount: int | None = None,
    max_amount_a_day: int | None = None,
    approve_above: int | None = None,
    spent_today: int = 0,
    approved: bool = False,
) -> Verdict:
    """Whether an intent of `amount` keeps the limits; None, an amount or a limit, limits nothing.

    `spent_today`: what this signer has signed today of the kind, this intent excluded. Cases, in order:
    - more than one intent, or one day, may ever have: rejected; approval changes nothing of it
    - more than may pass without a second role's approval, and not approved: waits for that
    - more than is left of the day: waits for the next day
    """
    if amount is None:
        return ALLOWED
    for limit, name in ((max_amount, "max_amount"), (max_amount_a_day, "max_amount_a_day")):
        if limit is not None and amount > limit:
            return Verdict(Decision.REJECTED, f"its amount of {amount} is above {name}, {limit}")
    if approve_above is not None and amount > approve_above and not approved:
        return Verdict(
            Decision.WAITS,
            f"the approval of a second role: its amount of {amount} is above approve_above, {approve_above}",
        )
    if max_amount_a_day is not None and spent_today + amount > max_amount_a_day:
        return Verdict(
            Decision.WAITS,
            f"the next day: {spent_today} of max_amount_a_day, {max_amount_a_day}, are signed today,"
            f" and it needs {amount}",
        )
    return ALLOWED
