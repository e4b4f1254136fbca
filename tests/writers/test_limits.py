"""The limits of a kind, case by case."""

import pytest
from chainfirst.writers.limits import Decision, check

ALLOWED, WAITS, REJECTED = Decision.ALLOWED, Decision.WAITS, Decision.REJECTED


@pytest.mark.parametrize(
    ("amount", "limits", "decision", "said"),
    [
        (None, {"max_amount": 0, "max_amount_a_day": 0, "approve_above": 0}, ALLOWED, ""),
        (10**30, {}, ALLOWED, ""),
        (5, {"max_amount": 5}, ALLOWED, ""),
        (6, {"max_amount": 5}, REJECTED, "its amount of 6 is above max_amount, 5"),
        (6, {"max_amount": 5, "approved": True}, REJECTED, "max_amount"),
        (0, {"max_amount": 0, "max_amount_a_day": 0, "approve_above": 0}, ALLOWED, ""),
        (6, {"max_amount_a_day": 5}, REJECTED, "above max_amount_a_day, 5"),
        (5, {"max_amount_a_day": 5}, ALLOWED, ""),
        (3, {"max_amount_a_day": 5, "spent_today": 2}, ALLOWED, ""),
        (4, {"max_amount_a_day": 5, "spent_today": 2}, WAITS, "the next day: 2 of max_amount_a_day, 5"),
        (6, {"approve_above": 5}, WAITS, "the approval of a second role: its amount of 6"),
        (6, {"approve_above": 5, "approved": True}, ALLOWED, ""),
        (5, {"approve_above": 5}, ALLOWED, ""),
        (4, {"max_amount_a_day": 5, "spent_today": 2, "approve_above": 3}, WAITS, "a second role"),
        (
            4,
            {"max_amount_a_day": 5, "spent_today": 2, "approve_above": 3, "approved": True},
            WAITS,
            "the next day",
        ),
    ],
)
def test_a_limit(amount: int | None, limits: dict[str, int], decision: Decision, said: str) -> None:
    verdict = check(amount, **limits)  # type: ignore[arg-type]
    assert verdict.decision is decision
    assert said in verdict.reason
    assert bool(verdict.reason) == (decision is not ALLOWED)
