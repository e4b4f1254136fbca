"""What the demonstration shows on a terminal while it goes on."""

import io
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from chainfirst.ops.demo import cast, ledger, view
from chainfirst.schema import folds, migrate, store
from rich.console import Console

ZERO = "0x" + "00" * 32


@pytest.fixture
def connection(pg_url: str) -> Iterator[psycopg.Connection[Any]]:
    migrate.migrate(migrate.engine(pg_url), platform_enabled=True)
    with psycopg.connect(pg_url, autocommit=True) as connection:
        yield connection


def test_head_cursor_rates_and_ledger_are_in_the_picture(
    connection: psycopg.Connection[Any], pg_url: str
) -> None:
    before = store.open_cursor(connection, 31337, ZERO)
    at = store.Cursor(31337, ZERO, 41, "0x" + "41" * 32, 39, "0x" + "39" * 32)
    store.advance_cursor(connection, before, at)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, color_system=None, width=160, height=50)
    seconds = iter([0.0, 10.0, 20.0, 21.0])
    with ledger.connect(pg_url) as reader:
        picture = view.Picture(console, reader, lambda: 42, cast.Cast({}), lambda: next(seconds))
        try:
            picture.say("REORGANISATION: blocks are replaced")
            for added in (10, 30):
                store.record_change(connection, "add", 40, 41, {"campaign_paused": added}, {})
                picture.refresh()
            drawn = screen.getvalue()
        finally:
            picture.close()
    seen = " ".join(drawn[drawn.rindex("the demonstration") :].split())  # as it was at last
    for fact in (
        "head 42",
        "indexed 41",
        "final 39",
        "events/s 30",
        *(f"{name} 0" for name in folds.RELATIONS),
    ):
        assert fact in seen
