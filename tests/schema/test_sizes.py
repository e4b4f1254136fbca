"""What a year will need: the tables' sizes once a day, and the time between by the clock or the chain."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from chainfirst.schema import sizes, store
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HASHES = [f"0x{number:064x}" for number in range(3)]
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("before", "now", "elapsed", "year"),
    [
        (0, 1_000, timedelta(days=30), 12_166),
        (1_000, 1_000, timedelta(days=30), 0),
        (2_000, 1_000, timedelta(days=30), 0),  # pruned
        (0, 1_000, timedelta(days=730), 500),
        (0, 1_000, timedelta(minutes=59), None),
        (0, 1_000, None, None),
    ],
)
def test_growth(before: int, now: int, elapsed: timedelta | None, year: int | None) -> None:
    assert sizes.growth(before, now, elapsed) == year


@given(st.integers(0, 10**15), st.integers(1, 20_000))
def test_what_came_in_a_time_comes_in_a_year_as_often_as_it_fits(grown: int, days: int) -> None:
    year = sizes.growth(7, 7 + grown, timedelta(days=days))
    assert year is not None
    assert year * days <= grown * 365 < (year + 1) * days


def index(connection: psycopg.Connection[Any], number: int, time: datetime) -> None:
    connection.execute("DELETE FROM chain.blocks")
    connection.execute(
        "INSERT INTO chain.blocks VALUES (%s, %s, %s, %s)", [number, HASHES[number], HASHES[0], time]
    )
    connection.execute(
        "UPDATE chain.cursor SET indexed_number = %s, indexed_hash = %s", [number, HASHES[number]]
    )


def test_looks_are_taken_once_a_day_and_compared_with_that_of_a_month_ago(
    connection: psycopg.Connection[Any],
) -> None:
    epoch = store.acquire_leadership(connection)
    assert epoch is not None
    assert sizes.read(connection, NOW)[0].year_bytes is None
    store.open_cursor(connection, 1, HASHES[0])
    assert sizes.note(connection, epoch, NOW) == 0  # nothing is indexed: no time of the chain to go by
    index(connection, 1, NOW - 2_000 * DAY)
    tables = sizes.note(connection, epoch, NOW)
    assert tables > 10
    assert sizes.note(connection, epoch, NOW + timedelta(hours=11)) == 0
    assert sizes.note(connection, epoch, NOW + timedelta(hours=12)) == tables
    with pytest.raises(store.LeadershipLost):
        sizes.note(connection, epoch + 1, NOW + 2 * DAY)

    # a backfill of 1,000 days that takes two
    connection.execute("DELETE FROM chain.sizes WHERE relation = 'chain.changes'")  # as if it were new
    index(connection, 2, NOW - 1_000 * DAY)
    changes = {each.relation: each for each in sizes.read(connection, NOW + 2 * DAY)}["chain.changes"]
    assert (changes.bytes_then, changes.elapsed) == (0, 1_000 * DAY)
    assert changes.year_bytes == changes.bytes * 365 // 1_000

    # the chain stands, the clock goes on: the first look is the base, until a newer one is a month old
    for days in range(2, 60):
        sizes.note(connection, epoch, NOW + days * DAY)
    last = NOW + 60 * DAY
    changes = {each.relation: each for each in sizes.read(connection, last)}["chain.changes"]
    assert changes.elapsed == 30 * DAY
    connection.execute("DELETE FROM chain.sizes WHERE day < %s", [(NOW + 40 * DAY).date()])
    changes = {each.relation: each for each in sizes.read(connection, last)}["chain.changes"]
    assert changes.elapsed == 20 * DAY
