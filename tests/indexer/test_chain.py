"""The reorg decision: its cases as a table, and against random forks."""

import pytest
from chainfirst.indexer import chain
from chainfirst.indexer.structs import BlockRef
from chainfirst.ops.errors import TransientError
from hypothesis import assume, given
from hypothesis import strategies as st


def blocks(names: str, start: int, parent: str) -> list[BlockRef]:
    """One block a letter, linked; the letter is the hash."""
    out = []
    for offset, name in enumerate(names):
        out.append(BlockRef(start + offset, name, parent, 1_700_000_000 + start + offset))
        parent = name
    return out


HELD = blocks("abcde", 10, "z")


def test_next_block_extends() -> None:
    news = blocks("f", 15, "e")
    assert chain.reconcile(HELD, news, 10) == chain.Extends(tuple(news))


def test_held_blocks_before_the_news_are_no_news() -> None:
    claim = [*HELD[3:], *blocks("fg", 15, "e")]
    assert chain.reconcile(HELD, claim, 10) == chain.Extends(tuple(claim[2:]))


def test_an_old_head_is_a_lagging_node() -> None:
    assert chain.reconcile(HELD, [HELD[2]], 10) == chain.Known(behind=2)


@pytest.mark.parametrize("names", ["E", "EF", "EFG"])
def test_replacement_of_the_tip(names: str) -> None:
    news = blocks(names, 14, "d")
    assert chain.reconcile(HELD, news, 10) == chain.Replaces((HELD[4],), tuple(news))


def test_a_shorter_chain_replaces_too() -> None:
    news = blocks("C", 12, "b")
    assert chain.reconcile(HELD, news, 10) == chain.Replaces(tuple(HELD[2:]), tuple(news))


def test_a_gap_asks_for_the_parent() -> None:
    assert chain.reconcile(HELD, blocks("Z", 18, "Y"), 10) == chain.NeedsParent("Y", 17)


def test_a_fork_above_the_final_block_asks_for_the_parent() -> None:
    assert chain.reconcile(HELD, blocks("D", 13, "C"), 10) == chain.NeedsParent("C", 12)


@pytest.mark.parametrize(("start", "final"), [(11, 10), (13, 12), (10, 10), (9, 10)])
def test_a_fork_at_or_below_the_final_block_is_fatal(start: int, final: int) -> None:
    with pytest.raises(chain.FinalityViolated, match="finality violated"):
        chain.reconcile(HELD, blocks("X", start, "Y"), final)


def test_a_replaced_final_block_is_fatal() -> None:
    with pytest.raises(chain.FinalityViolated):
        chain.reconcile(HELD, blocks("C", 12, "b"), 12)


@pytest.mark.parametrize("names", ["X", "XY", "XYZUVW"])
def test_while_nothing_is_final_all_may_be_replaced(names: str) -> None:
    news = blocks(names, 10, "y")
    assert chain.reconcile(HELD, news, None) == chain.Replaces(tuple(HELD), tuple(news))
    assert chain.reconcile(HELD, blocks("Y", 11, "X"), None) == chain.NeedsParent("X", 10)


def test_block_0_is_final() -> None:
    with pytest.raises(chain.FinalityViolated):
        chain.reconcile(blocks("abc", 0, "z"), blocks("XY", 0, "z"), None)
    with pytest.raises(chain.FinalityViolated):
        chain.reconcile(blocks("abc", 0, "z"), blocks("Y", 1, "X"), None)


def test_a_number_that_contradicts_the_parent_is_refused() -> None:
    with pytest.raises(TransientError, match="says number 17"):
        chain.reconcile(HELD, blocks("X", 17, "c"), 10)


def test_answers_that_do_not_link_are_refused() -> None:
    with pytest.raises(TransientError, match="names parent"):
        chain.reconcile(HELD, [*blocks("f", 15, "e"), *blocks("h", 16, "g")], 10)


@given(
    length=st.integers(1, 30),
    fork=st.integers(0, 29),
    fresh=st.integers(1, 30),
    final=st.integers(0, 29),
    none_final=st.booleans(),
)
def test_walking_back_ends_in_the_true_chain_or_refuses(
    length: int, fork: int, fresh: int, final: int, none_final: bool
) -> None:
    """Whatever the fork, asking for parents one by one gives the new chain, or finality is violated; with
    `none_final`, the first held block is the first one indexed."""
    old = [BlockRef(n, f"o{n}", f"o{n - 1}" if n else "root", n) for n in range(length)]
    fork, final = min(fork, length - 1), min(final, length - 1)
    held = old[final:]
    new = old[: fork + 1] + [
        BlockRef(n, f"n{n}", f"o{fork}" if n == fork + 1 else f"n{n - 1}", n)
        for n in range(fork + 1, fork + 1 + fresh)
    ]
    assume(not none_final or len(new) > final)  # a head below all that is held decides nothing
    by_hash = {block.hash: block for block in new}
    claim = [new[-1]]
    known = None if none_final else final
    try:
        while isinstance(outcome := chain.reconcile(held, claim, known), chain.NeedsParent):
            claim.insert(0, by_hash[outcome.parent_hash])
    except chain.FinalityViolated:
        assert fork < final
        assert not none_final
        return
    assert none_final or fork >= final
    if isinstance(outcome, chain.Extends):
        result = [*held, *outcome.blocks]
    else:
        assert isinstance(outcome, chain.Replaces)
        assert list(outcome.removed) == held[-len(outcome.removed) :]
        result = [*held[: len(held) - len(outcome.removed)], *outcome.blocks]
    assert result == new[final:]
    chain.check_linked(result)
