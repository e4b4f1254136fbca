"""The adaptive range: grows, shrinks, remembers limits, and covers every block once."""

from chainfirst.indexer.window import Window, next_range
from hypothesis import given
from hypothesis import strategies as st

START = Window(blocks=100, ceiling=10_000, target_bytes=1_000_000)


def test_an_empty_answer_doubles() -> None:
    assert START.after_answer(100, 0).blocks == 200


def test_a_heavy_answer_shrinks_by_half_at_most() -> None:
    assert START.after_answer(100, 10_000_000).blocks == 50


def test_a_light_answer_grows_towards_the_target() -> None:
    assert START.after_answer(100, 800_000).blocks == 125


def test_a_short_last_range_does_not_grow_the_window() -> None:
    assert START.after_answer(3, 10) is START


def test_a_range_limit_is_a_ceiling_for_good() -> None:
    window = START.after_range_refused(100, 30)
    assert (window.blocks, window.ceiling) == (30, 30)
    assert window.after_answer(30, 0).blocks == 30


def test_a_limit_that_the_range_already_keeps_is_not_believed() -> None:
    assert START.after_range_refused(100, 500).blocks == 50


def test_a_result_limit_is_forgotten_after_success() -> None:
    window = START.after_result_refused(100, 10)
    assert (window.blocks, window.ceiling) == (10, 10_000)
    assert window.after_answer(10, 100).blocks == 20


def test_never_below_one_block() -> None:
    assert START.after_range_refused(1, None).blocks == 1
    assert START.after_result_refused(1, 0).blocks == 1


@given(
    st.integers(-1, 100),
    st.integers(-1, 500),
    st.lists(st.tuples(st.sampled_from("arl"), st.integers(0, 5_000_000)), max_size=30),
)
def test_ranges_cover_every_block_exactly_once(
    cursor: int, final: int, answers: list[tuple[str, int]]
) -> None:
    covered: list[int] = []
    window, position = START, cursor
    while (span := next_range(position, final, window)) is not None:
        asked = span[1] - span[0] + 1
        kind, value = answers.pop() if answers else ("a", 1_000_000)
        if kind == "a":
            covered.extend(range(span[0], span[1] + 1))
            position = span[1]
            window = window.after_answer(asked, value)
        elif kind == "r":
            window = window.after_range_refused(asked, value or None)
        else:
            window = window.after_result_refused(asked, value or None)
        assert 1 <= window.blocks <= window.ceiling
    assert covered == list(range(cursor + 1, final + 1))
