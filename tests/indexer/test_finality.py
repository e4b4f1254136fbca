"""Which block is final, by policy."""

import pytest
from chainfirst.indexer.finality import Depth, Instant, Policy, Tag, final_block, final_number
from chainfirst.indexer.structs import BlockRef
from hypothesis import given
from hypothesis import strategies as st

CASES = [
    # policy, head, tagged, tag known, stored, expected
    (Instant(), 7, None, True, None, 7),
    (Instant(), 5, None, True, 7, 7),
    (Depth(3), 10, None, True, None, 7),
    (Depth(3), 3, None, True, None, 0),
    (Depth(3), 2, None, True, None, None),
    (Depth(3), 8, None, True, 7, 7),
    (Tag("finalized"), 100, 36, True, None, 36),
    (Tag("finalized"), 100, None, True, None, None),
    (Tag("finalized", 64), 100, None, True, None, None),
    (Tag("finalized", 64), 100, None, False, None, 36),
    (Tag("finalized", 64), 10, None, False, None, None),
    (Tag("finalized"), 100, 30, True, 36, 36),
    (Tag("finalized"), 100, None, True, 36, 36),
    (Tag("finalized"), 100, 100, True, 36, 100),
    (Tag("finalized"), 100, 101, True, 36, 36),
    (Tag("finalized"), 100, 101, True, None, None),
]


@pytest.mark.parametrize(("policy", "head", "tagged", "known", "stored", "expected"), CASES)
def test_cases(
    policy: Policy, head: int, tagged: int | None, known: bool, stored: int | None, expected: int | None
) -> None:
    assert final_number(policy, head, tagged, known, stored) == expected


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(0, 50))
def test_final_never_goes_back(heads: list[int], depth: int) -> None:
    stored: int | None = None
    for head in heads:
        result = final_number(Depth(depth), head, None, True, stored)
        assert stored is None or (result is not None and result >= stored)
        stored = result


KEPT = [BlockRef(number, f"h{number}", f"h{number - 1}", number) for number in range(10, 15)]


@pytest.mark.parametrize(
    ("number", "tagged", "stored", "expected"),
    [
        (None, None, None, None),
        (9, None, None, None),
        (12, None, None, 12),
        (20, None, 10, 14),
        (12, "h12", None, 12),
        (12, "h12", 10, 12),
        (12, "other", None, None),
        (12, "other", 10, 10),
        (20, "h20", None, None),  # not held yet
        (20, "h20", 10, 10),
        (10, "h5", 10, 10),  # of a node that lags
    ],
)
def test_which_kept_block_is_final(
    number: int | None, tagged: str | None, stored: int | None, expected: int | None
) -> None:
    of_tag = None if tagged is None else BlockRef(number or 0, tagged, "", 0)
    found = final_block(KEPT, number, of_tag, stored)
    assert (None if found is None else found.number) == expected
