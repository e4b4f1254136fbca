"""What is said of the daemon, from plain values."""

from datetime import UTC, datetime
from typing import Any

import pytest
from chainfirst.ops.page import summary
from chainfirst.ops.page.summary import Endpoint, History, Live, Point, Seen
from hypothesis import given
from hypothesis import strategies as st

GOOD = Endpoint("http://one", True, True, 100, 0.01, 0, "")
OUT = Endpoint("http://two", False, False, None, None, 3, "HTTP status 429")
CURSOR: dict[str, Any] = {
    "chain_id": 1, "genesis_hash": "0x00", "indexed_number": 100, "indexed_hash": "0x01", "final_number": 90,
    "final_hash": "0x02", "reorg_suspected": None, "indexed_time": datetime(2026, 1, 1, tzinfo=UTC),
    "epoch": 1, "led": True,
}  # fmt: skip
SOURCES: dict[str, Any] = {"tables": 2, "start_block": 50, "syncing": []}


def look(
    live: Live | None = None, failure: str | None = None, failed: dict[str, str] | None = None, **values: Any
) -> summary.Summary:
    known = {"cursor": CURSOR, "sources": SOURCES} | values
    history = History()
    found = live or Live("1", 100, True, (GOOD,))
    history.add(Point(1000.0, found.head, 100, 0), [])
    return summary.compose(found, Seen(known, failed or {}, failure), history, 5, 1000.0)


def cursor(**changes: Any) -> dict[str, Any]:
    return CURSOR | changes


def test_all_is_well() -> None:
    found = look()
    assert (found.verdict, found.ready, found.reasons, found.notices) == ("well", True, (), ())
    assert (found.chain.behind_blocks, found.progress) == (0, None)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (look(failure="the database went away"), "the database went away"),
        (look(failed={"cursor": "why"}), "the cursor can't be read: why"),
        (look(cursor=cursor(indexed_number=None)), "nothing is indexed yet"),
        (look(cursor=None), "nothing is indexed yet"),
        (look(Live("1", None, True, (GOOD,))), "no head is known"),
        (look(Live("1", 100, True, (OUT,))), "no endpoint answers"),
        (look(Live("1", 106, True, (GOOD,))), "6 blocks behind the head, 5 are allowed"),
        (look(cursor=cursor(reorg_suspected="s")), "the tip may not be canonical any more: s"),
        (
            look(sources=SOURCES | {"syncing": [{"table_name": "t", "start_block": 0, "complete_to": 7}]}),
            "event.t is complete only to block 7",
        ),
    ],
)
def test_why_it_is_not_ready(found: summary.Summary, reason: str) -> None:
    assert (found.ready, found.reasons) == (False, (reason,))
    assert found.verdict != "well"


@pytest.mark.parametrize("head", [100, 105])
def test_so_far_behind_is_caught_up(head: int) -> None:
    assert look(Live("1", head, True, (GOOD,))).ready


def test_an_index_ahead_of_the_head_that_is_known_is_not_behind() -> None:
    assert look(Live("1", 98, True, (GOOD,))).chain.behind_blocks == 0


def test_standing_by_is_as_ready() -> None:
    found = look(Live("1", 100, False, (GOOD,)))
    assert (found.ready, found.verdict, found.leads, found.led) == (True, "well", False, True)


LANE = {"name": "default", "signer": "0x01", "blocked_reason": None, "alert": None}
CONCERNS: dict[str, Any] = {"differences": 0, "undecoded": 0, "alerts": 0, "rules": 0, "lanes": []}


@pytest.mark.parametrize(
    ("found", "level", "what", "verdict"),
    [
        (look(failure="x"), "alarm", "The database can't be read", "down"),
        (look(cursor=None), "alarm", "The database has no schema", "attention"),
        (look(cursor=cursor(led=False)), "alarm", "No daemon leads this database", "attention"),
        (look(cursor=cursor(reorg_suspected="s")), "warning", "The tip may not be canonical any more",
         "attention"),
        (look(Live("1", 100, True, (OUT,))), "alarm", "No endpoint answers", "attention"),
        (look(Live("1", 100, True, (GOOD, OUT))), "warning", "The endpoint http://two is out", "attention"),
        (look(concerns=CONCERNS | {"lanes": [LANE | {"blocked_reason": "b"}]}), "alarm",
         "The lane default signs nothing", "attention"),
        (look(concerns=CONCERNS | {"lanes": [LANE | {"alert": "a"}]}), "warning",
         "The lane default needs somebody", "attention"),
        (look(concerns=CONCERNS | {"differences": 1}), "alarm",
         "A value differs between ledger and contracts", "attention"),
        (look(concerns=CONCERNS | {"differences": 2}), "alarm",
         "2 values differ between ledger and contracts", "attention"),
        (look(concerns=CONCERNS | {"alerts": 3}), "warning", "3 intents need somebody", "attention"),
        (look(concerns=CONCERNS | {"rules": 1}), "warning", "What a rule asked for ended badly", "attention"),
        (look(concerns=CONCERNS | {"undecoded": 7}), "note", "7 logs fit no ABI", "well"),
        (look(failed={"stuck": "too slow"}), "warning", "A part of this page can't be read: stuck",
         "attention"),
    ],
)  # fmt: skip
def test_what_needs_somebody(found: summary.Summary, level: str, what: str, verdict: str) -> None:
    assert [(each.level, each.what) for each in found.notices] == [(level, what)]
    assert found.verdict == verdict


def test_a_backfill_says_when_it_will_be_done() -> None:
    history = History()
    for second in range(11):
        history.add(Point(1000.0 + second, 1_000_000 + second, 1000 + 100 * second, 7 * second), [])
    live = Live("1", 1_000_010, True, (GOOD,))
    seen = Seen({"cursor": cursor(indexed_number=2000), "sources": SOURCES})
    found = summary.compose(live, seen, history, 5, 1010.0)
    assert found.progress == summary.Progress(None, 50, 2000, 1_000_010, 100.0, round(998_010 / 99))
    assert (found.blocks_per_second, found.rows_per_second) == (100.0, 7.0)


def test_one_that_falls_behind_has_no_end() -> None:
    history = History()
    for second in range(5):
        history.add(Point(1000.0 + second, 1000 + 10 * second, 500 + second, 0), [])
    seen = Seen({"cursor": cursor(indexed_number=504), "sources": SOURCES})
    found = summary.compose(Live("1", 1040, True), seen, history, 5, 1004.0)
    assert found.progress is not None
    assert found.progress.eta_seconds is None


def test_a_table_that_catches_up_alone() -> None:
    history = History()
    rows = [{"table_name": "t", "start_block": 10, "complete_to": 10 + 5 * second} for second in range(5)]
    for second, row in enumerate(rows):
        history.add(Point(1000.0 + second, 100, 100, 0), [row])
    seen = Seen({"cursor": CURSOR, "sources": SOURCES | {"syncing": rows[-1:]}})
    (found,) = summary.compose(Live("1", 100, True), seen, history, 5, 1004.0).syncing
    assert found == summary.Progress("t", 10, 30, 90, 5.0, 12)
    history.add(Point(1005.0, 100, 100, 0), [])
    assert history.sync_rate("t") == 0.0


def test_the_head_is_as_old_as_when_it_was_first_seen() -> None:
    history = History()
    for at, head in ((1.0, None), (2.0, 7), (3.0, 7), (4.0, 8), (5.0, 8)):
        history.add(Point(at, head, None, 0), [])
    assert history.head_seen_at == 4.0


@given(st.lists(st.tuples(st.floats(0, 1e9), st.none() | st.integers(0, 2**63), st.integers(0, 2**63))))
def test_rates_are_never_negative_whatever_was_seen(points: list[tuple[float, int | None, int]]) -> None:
    history = History()
    for at, indexed, rows in sorted(points, key=lambda each: each[0]):
        history.add(Point(at, indexed, indexed, rows), [])
    assert history.rate("indexed") >= 0
    assert history.rate("rows") >= 0
    assert len(history.points) <= summary.HISTORY_POINTS
