"""The status page in a real browser: of the demonstration while it plays, and of what seldom happens.

Pictures of it are kept in .chainfirst/pictures.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.ops import log, metrics
from chainfirst.ops.dev import node
from chainfirst.ops.page import answers, app, stream, summary
from chainfirst.ops.page.sampler import Look
from chainfirst.ops.page.summary import Endpoint, Notice, Point
from chainfirst.tests.apps import chromium
from chainfirst.tests.apps.programs import Program
from chainfirst.tests.page.asking import serving
from prometheus_client import CollectorRegistry

pytestmark = pytest.mark.apps

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / ".chainfirst" / "pictures"
SIZES = {"light": (1280, 900, False), "dark": (1280, 900, True), "phone": (390, 844, False)}
LIVE = "document.querySelector('#live')?.textContent === 'Live' && document.querySelector('#pipeline .some')"
HOSTILE = (
    '<img src=x onerror="window.hurt = 1"><script>window.hurt = 2</script>\'"&amp;\u202e</b>' + "w" * 400
)


@pytest.fixture(scope="module")
def window() -> Iterator[chromium.Page]:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with chromium.page() as page:
        yield page


@pytest.fixture
def browser(window: chromium.Page) -> chromium.Page:
    """On an empty page, with nothing said yet."""
    window.open("about:blank", 1280, 900)
    window.run("1")
    window.said.clear()
    return window


def picture(browser: chromium.Page, url: str, name: str) -> None:
    """The whole page in each size, wholly readable without scrolling sideways."""
    for size, (width, height, dark) in SIZES.items():
        browser.open(url, width, height, dark)
        browser.until(LIVE)
        browser.screenshot(PICTURES / f"{name}-{size}.png")
        assert browser.run("document.documentElement.scrollWidth <= innerWidth"), size


def text(browser: chromium.Page, selector: str) -> str:
    """What a person reads there."""
    return str(browser.run(f"document.querySelector({selector!r}).innerText"))


# The demonstration


class Demo:
    """`chainfirst demo --keep` in a folder of its own. `with` takes all of it down."""

    def __init__(self, home: Path) -> None:
        self._command = [
            sys.executable, "-m", "chainfirst.daemon", "--config", str(home / "config.toml"), "demo",
        ]  # fmt: skip
        self._home = home
        self._environ = {k: v for k, v in os.environ.items() if not k.startswith("CHAINFIRST_")}
        self._played = Program([*self._command, "--keep"], self._environ, home)

    def __enter__(self) -> "Demo":
        self.url = self._played.says(r"its status page is (\S+)")[1]
        host, port = self.url.removeprefix("http://").rstrip("/").split(":")
        with socket.socket() as probe:
            while probe.connect_ex((host, int(port))) != 0:  # the daemon has just begun to start
                time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._played.__exit__()
        subprocess.run(
            [*self._command, "--stop"], cwd=self._home, env=self._environ, check=True, capture_output=True
        )

    def ends(self) -> str:
        """Wait until it has played; its database's URL."""
        self._played.says("go on running")
        return self._played.says(r"psql '(postgresql://\S+)'")[1]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, server_base: Path) -> Iterator[Demo]:
    node.install(ROOT / ".chainfirst" / "node" / "anvil")
    home = server_base / "page"
    (home / ".chainfirst").mkdir(parents=True)
    (home / ".chainfirst" / "node").symlink_to(ROOT / ".chainfirst" / "node")
    with Demo(home) as demo:
        yield demo


def test_the_demonstrations_page_follows_without_a_reload_and_shows_what_the_database_holds(
    demo: Demo, browser: chromium.Page
) -> None:
    browser.open(demo.url, 1280, 900)
    browser.run("window.never = 'reloaded'")
    browser.until("Number(document.querySelector('#indexed').textContent) > 0")
    seen = int(text(browser, "#indexed"))
    browser.until(f"Number(document.querySelector('#indexed').textContent) > {seen}")
    url = demo.ends()
    with psycopg.connect(url) as connection:
        connection.execute("SET ROLE chainfirst_daemon")

        def ask(statement: str) -> list[Any]:
            return connection.execute(statement.encode()).fetchall()

        ((indexed, final),) = ask("SELECT indexed_number, final_number FROM chain.cursor")
        browser.until(f"document.querySelector('#indexed').textContent === '{indexed}'")
        browser.until("document.querySelector('#verdict').textContent === 'All is well'")
        assert text(browser, "#final") == str(final)
        assert (text(browser, "#head"), text(browser, "#behind")) == (str(indexed), "0")
        assert "chain 31337" in text(browser, "#about")
        assert "leading" in text(browser, "#about")

        ((confirmed,),) = ask("SELECT count(*) FROM intent.intents WHERE outcome = 'confirmed'")
        stages = browser.run("[...document.querySelectorAll('.stage')].map(s => s.innerText.split('\\n')[0])")
        assert stages == ["0", "0", "0", "0", "0", str(confirmed)]

        campaigns = ask(
            "SELECT status, total_raised::bigint, (terms ->> 'fundingGoal')::bigint, investor_count"
            " FROM ledger.campaigns ORDER BY status, total_raised"
        )
        shown = browser.run("[...document.querySelectorAll('.campaign')].map(c => c.innerText)")
        assert len(shown) == len(campaigns) == 4
        for status, raised, goal, investors in campaigns:
            (card,) = (each for each in shown if f"{raised // 100:,}.{raised % 100:02}" in each)
            assert status in card
            assert f"{goal // 100:,}.{goal % 100:02} ETB" in card
            assert f"{investors} investors" in card
            assert f"{1000 * raised // goal / 10:g} %" in card
        bars = browser.run("[...document.querySelectorAll('.campaign .bar i')].map(b => b.style.width)")
        assert sorted(bars) == sorted(f"{1000 * raised // goal / 10:g}%" for _, raised, goal, _ in campaigns)

        blocks = browser.run("[...document.querySelectorAll('#blocks .block')].map(b => b.innerText)")
        hashes = ask("SELECT number, hash FROM chain.blocks ORDER BY number DESC LIMIT 9")
        for line, (number, digest) in zip(blocks, hashes, strict=False):
            assert line.startswith(str(number))
            assert f"{digest[:6]}…{digest[-4:]}" in line
        ((moved,),) = ask("SELECT max(block_number) FROM event.share_certificate_transfer")
        assert str(moved) in text(browser, "#events")
        assert browser.run("document.querySelectorAll('#lanes .line').length") == 3
    assert browser.run("window.never") == "reloaded"
    # the daemon was killed twice meanwhile: that the stream broke off, the browser says itself
    assert [said for said in browser.said if not said.endswith("/events")] == []
    browser.said.clear()
    picture(browser, demo.url, "demo")
    assert browser.said == []


def test_what_an_app_asks_for_appears_at_once_and_is_text(demo: Demo, browser: chromium.Page) -> None:
    url = demo.ends()
    browser.open(demo.url, 1280, 900)
    browser.until(LIVE)
    with psycopg.connect(url, autocommit=True) as connection:
        key = HOSTILE[:150]
        connection.execute("SELECT intent.submit('campaign.finalize', '{}', %s)", [key])
        browser.until(f"document.querySelector('#latest').innerText.includes({json.dumps(key[:60])})")
        connection.execute("INSERT INTO intent.pauses (subject, why) VALUES ('escrow.refund', %s)", [HOSTILE])
        browser.until(f"document.querySelector('#lanes').textContent.includes({json.dumps(HOSTILE[:60])})")
        connection.execute("DELETE FROM intent.pauses")
        browser.until("!document.querySelector('#lanes').textContent.includes('paused')")
    assert browser.run("[window.hurt, document.images.length]") == [None, 0]
    assert browser.said == []


# What seldom happens: looks as a sampler would have made them


def look(**changes: Any) -> summary.Summary:
    """Everything at once, with texts of others wherever there are any."""
    intent = {
        "id": "1", "kind": HOSTILE, "key": HOSTILE, "generation": 2, "status": "waiting", "reason": HOSTILE,
        "alert": True, "submitted_at": "2026-01-01T00:00:00Z", "since": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    campaign = {
        "address": "0x01", "campaign_id": HOSTILE, "status": "active", "paused": False, "investor_count": 3,
        "total_raised": "4550050", "goal": "10000000", "percent": 45.5, "deadline": "1900000000",
        "ended_at": None, "escrow_balance": "4550050", "title": HOSTILE,
    }  # fmt: skip
    block = {
        "number": 12,
        "hash": "0x" + "ab" * 32,
        "time": "2026-01-01T00:00:00Z",
        "final": False,
        "events": 1,
    }
    gone = {"seq": 1, "kind": "rollback", "from_block": 9, "to_block": 11, "removed": {HOSTILE: 4},
            "at": "2026-01-01T00:00:00Z"}  # fmt: skip
    event = {"table": HOSTILE, "block_number": 12, "tx_index": 0, "log_index": 0, "tx_hash": "0x02",
             "contract": HOSTILE, "event": HOSTILE, "parameters": {HOSTILE: HOSTILE}}  # fmt: skip
    lane = {"name": HOSTILE, "signer": "0x" + "cd" * 20, "balance_wei": "1500000000000000000",
            "blocked_reason": HOSTILE, "alert": None, "in_flight": 2}  # fmt: skip
    pause = {"subject": HOSTILE, "why": HOSTILE, "paused_by": HOSTILE}
    parts = {
        "open": {"pending": 1200, "waiting": 1, "signed": 0, "sent": 16, "included": 3},
        "ended": {"confirmed": 1234567, "failed": 2, "rejected": 1, "cancelled": 0, "expired": 0},
        "stuck": [intent], "latest": [intent | {"id": "2", "status": "failed"}],
        "platform": {
            "campaigns": [campaign],
            "totals": {"campaigns": 1, "active": 1, "raised": "4550050", "held": "0", "certificates": 0},
        },
        "recent": {"blocks": [block], "events": [event], "reorganisations": [gone]},
        "lanes": {"lanes": [lane], "pauses": [pause]},
        "tables": [{"name": HOSTILE, "rows": 5}], "size": 123456789,
    }  # fmt: skip
    chain = summary.Chain(
        31337, "0x00", 2_000_000, 1.0, 1_204_000, "0x01", 1.0, 1_200_000, "0x02", 796_000, HOSTILE
    )
    return replace(
        summary.Summary(
            at=2.0, version="0.1.0", verdict="attention", ready=False, reasons=(HOSTILE,),
            notices=(
                Notice("alarm", f"alarm {HOSTILE}", HOSTILE, HOSTILE), Notice("warning", "warning", HOSTILE),
                Notice("note", "note"),
            ),
            leads=True, led=True, database_error=None, chain=chain,
            progress=summary.Progress(None, 0, 1_204_000, 2_000_000, 5300.5, 150),
            syncing=(summary.Progress(HOSTILE, 10, 500, 1_200_000, 0.0, None),), blocks_per_second=5300.5,
            rows_per_second=162_000.0,
            endpoints=(Endpoint(HOSTILE, True, True, 2_000_000, 0.012, 0, ""),
                       Endpoint("http://two", False, False, None, None, 9, HOSTILE)),
            troubles=(log.Trouble("2026-01-01T00:00:00Z", "error", HOSTILE, HOSTILE, HOSTILE),
                      log.Trouble("2026-01-01T00:00:00Z", "info", "jobs", "recovered", "")),
            parts=parts, unreadable={},
        ),
        **changes,
    )  # fmt: skip


class Playing:
    """A page whose looks the test makes."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.hub = stream.Hub(lambda: self.points, lambda: None)
        self.app = app.build(metrics.Metrics(CollectorRegistry()), self.hub)
        self._version = 0

    def show(self, found: summary.Summary) -> None:
        self._version += 1
        point = Point(
            self._version, found.chain.head, found.chain.indexed, 100 * self._version * (self._version % 3)
        )
        self.points.append(point)
        self.hub.publish(Look(found, point, answers.encode(found), self._version, True, 0.0))


@pytest.fixture(scope="module")
def playing() -> Iterator[tuple[Playing, str]]:
    made = Playing()
    with serving(made.app) as port:
        yield made, f"http://127.0.0.1:{port}/"
        made.hub.close()


def test_whatever_a_text_holds_it_is_shown_as_text_and_fits(
    playing: tuple[Playing, str], browser: chromium.Page
) -> None:
    made, url = playing
    for _ in range(20):
        made.show(look())
    picture(browser, url, "hostile")
    assert browser.run("[window.hurt, document.images.length, document.scripts.length]") == [None, 0, 1]
    start = json.dumps(HOSTILE[:40])
    for place in (
        "#notices", "#progress", "#stuck", "#latest", "#campaigns", "#events", "#endpoints", "#lanes",
        "#troubles",
    ):  # fmt: skip
        assert browser.run(f"document.querySelector({place!r}).textContent.includes({start})"), place
    assert text(browser, "#verdict") == "Needs attention"
    shown = text(browser, "#progress")
    assert re.search(r"60\.2 % of 2,000,000, 5,301 blocks/s, 3 min left", shown), shown
    assert "1,234,567" in text(browser, "#pipeline")
    assert "1.5000 ether" in text(browser, "#lanes")
    assert "45,500.50 of 100,000.00 ETB" in text(browser, "#campaigns")
    assert browser.said == []


def test_each_state_is_said(playing: tuple[Playing, str], browser: chromium.Page) -> None:
    made, url = playing
    quiet = look(notices=(), progress=None, syncing=(), troubles=(), reasons=(), ready=True)
    browser.open(url, 1280, 900)
    for changes, said in (
        ({"verdict": "well"}, "All is well"),
        ({"verdict": "behind"}, "Catching up"),
        ({"verdict": "down", "database_error": "away"}, "No database"),
        ({"verdict": "attention", "notices": (Notice("warning", "look"),)}, "Needs attention"),
    ):
        made.show(replace(quiet, **changes))
        browser.until(f"document.querySelector('#verdict').textContent === {json.dumps(said)}")
    made.show(replace(quiet, verdict="well", leads=False))
    browser.until("document.querySelector('#about').textContent.includes('standing by')")
    plain = {name: part for name, part in quiet.parts.items() if name != "platform"} | {"platform": None}
    made.show(replace(quiet, verdict="well", parts=plain))
    browser.until("document.querySelector('#campaigns-card').hidden")
    assert "the database has 123 MB" in text(browser, "#tables-card")
    browser.run("heard -= 20000; tick()")
    assert text(browser, "#verdict").startswith("No news for")
    made.show(replace(quiet, verdict="well"))
    browser.until("document.querySelector('#verdict').textContent === 'All is well'")
    assert browser.said == []
