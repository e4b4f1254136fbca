"""`chainfirst status --watch`: the page's summary in a terminal."""

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.ops.commands import drawing
from chainfirst.ops.page import panels, summary
from chainfirst.ops.page.summary import Endpoint, Live, Point, Seen
from chainfirst.schema import store
from rich.console import Console

HASH = "0x" + "ab" * 32
HOSTILE = "[bold red]x[/]\x1b]0;title\x07\x1b[2J\u202e:bomb: " + "y" * 5000
INTENT = {
    "id": "1", "kind": HOSTILE, "key": HOSTILE, "status": "waiting", "reason": HOSTILE, "alert": True,
}  # fmt: skip
CAMPAIGN = {
    "title": HOSTILE, "campaign_id": HASH, "status": "active", "paused": False, "percent": 45.5,
    "total_raised": "4550050", "goal": "10000000",
}  # fmt: skip
EVENT = {"block_number": 20, "event": "Transfer(address)", "parameters": {"memo": HOSTILE}}


def whole(**changes: Any) -> summary.Summary:
    cursor = {"chain_id": 31337, "indexed_number": 900, "final_number": 800, "led": True}
    values = {
        "cursor": cursor,
        "sources": {"start_block": 0, "syncing": []},
        "open": dict.fromkeys(panels.STATUSES, 0) | {"waiting": 1},
        "ended": dict.fromkeys(panels.OUTCOMES, 0) | {"confirmed": 1234, "failed": 2},
        "stuck": [INTENT],
        "platform": {"campaigns": [CAMPAIGN]},
        "recent": {"events": [EVENT]},
    }
    endpoints = (Endpoint("http://one", True, False, 1000, 0.1, 1, HOSTILE),)
    history = summary.History()
    for second in range(3):
        history.add(Point(second, 1000, 890 + 5 * second, 0), [])
    live = Live("0.1.0", 1000, None, endpoints)
    return summary.compose(live, Seen(values | changes), history, 5, 3.0)


def seen(found: summary.Summary, width: int = 160) -> str:
    file = io.StringIO()
    Console(file=file, force_terminal=True, width=width, height=60).print(drawing.drawn(found))
    colours = re.compile(r"\x1b\[[0-9;]*m")
    return colours.sub("", file.getvalue())


def test_what_it_shows() -> None:
    text = seen(whole())
    for words in (
        "needs attention", "No endpoint answers", "indexed 900", "head 1,000", "behind 100", "final 800",
        "90.0 % of 1,000, 5 blocks/s, 20 s left", "1 waiting", "1,234 confirmed", "2 failed",
        "45.5 %", "45,500.50 of 100,000.00 ETB", "Transfer", "out",
    ):  # fmt: skip
        assert words in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_texts_of_others_are_text(width: int) -> None:
    text = seen(whole(), width)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert max(map(len, text.splitlines())) <= width
    if width == 200:
        assert "[bold red]x[/]" in text
        assert ":bomb:" in text


def test_without_a_database() -> None:
    found = summary.compose(Live("0.1.0"), Seen({}, {}, "the database went away"), summary.History(), 5, 1.0)
    assert "the database went away" in seen(found)
    assert drawing.plain(found).startswith("no database: block - of -")


@pytest.mark.parametrize(
    ("units", "shown"),
    [("0", "0.00"), ("4550050", "45,500.50"), (None, "-"), (10**30, f"{10**28:,}.00"), ("7", "0.07")],
)
def test_birr(units: object, shown: str) -> None:
    assert drawing.birr(units) == shown


@pytest.fixture
def config(quiet_url: str, tmp_path: Path) -> Path:
    with psycopg.connect(quiet_url, autocommit=True) as connection:
        store.open_cursor(connection, 31337, HASH)
    file = tmp_path / "config.toml"
    file.write_text(
        f'[database]\nurl = "{quiet_url}"\n[platform]\nenabled = false\n'
        '[chain]\nchain_id = 31337\nendpoints = ["http://127.0.0.1:1"]\n'
    )
    return file


def watching(config: Path, *arguments: str, stdout: int = subprocess.PIPE) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "chainfirst.daemon", "--config", str(config), "status", "--watch"]
    return subprocess.Popen([*command, *arguments], stdin=subprocess.DEVNULL, stdout=stdout)


@pytest.mark.parametrize(
    ("arguments", "first"), [([], b"needs attention: block - of -, - final"), (["--json"], b'{"at":')]
)
def test_a_line_for_each_look_until_it_is_interrupted(
    config: Path, arguments: list[str], first: bytes
) -> None:
    with watching(config, *arguments) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert all(line.startswith(first) for line in lines)
    if arguments:
        assert json.loads(lines[0])["chain"]["id"] == 31337


def test_a_picture_on_a_terminal(config: Path) -> None:
    ours, theirs = pty.openpty()
    with watching(config, stdout=theirs) as process:
        os.close(theirs)
        shown = b""
        while b"chain 31337" not in shown:
            shown += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        while True:  # until the picture is gone and the terminal is as it was
            try:
                shown += os.read(ours, 65536)
            except OSError:
                break
        assert process.wait(20) == 0
    os.close(ours)
    assert shown.index(b"\x1b[?1049h") < shown.index(b"\x1b[?1049l")
