"""The demonstration as its user runs it: it ends well, and whatever happens, it leaves nothing running."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from chainfirst.ops.demo import cast
from chainfirst.ops.dev import node
from eth_account import Account

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).parent / "chainfirst"


@pytest.fixture
def home(server_dir: Path) -> Iterator[Path]:
    """A folder whose .chainfirst has the node program already."""
    node.install(ROOT / ".chainfirst" / "node" / "anvil")
    (server_dir / ".chainfirst").mkdir()
    (server_dir / ".chainfirst" / "node").symlink_to(ROOT / ".chainfirst" / "node")
    yield server_dir
    for process in running(server_dir):
        process.kill()


def demo(home: Path, *arguments: str, **environ: str) -> "subprocess.Popen[str]":
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CHAINFIRST_")}
    return subprocess.Popen(
        [str(SCRIPT), "--config", str(home / "config.toml"), "demo", *arguments],
        cwd=home, env=plain | environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def running(home: Path) -> list[psutil.Process]:
    """Processes that work in the folder or name it."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        facts = process.info
        named = str(home) in " ".join(facts["cmdline"] or []) or str(home) in (facts["cwd"] or "")
        if named and facts["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def nothing_is_left(home: Path) -> None:
    assert running(home) == []
    state = home / ".chainfirst" / "demo" / ".chainfirst"
    assert not (state / "pg" / "postmaster.pid").exists()
    port = json.loads((state / "dev.json").read_text())["anvil"]["port"]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.apps
def test_it_plays_checks_and_takes_everything_down(home: Path) -> None:
    # the user's own settings must not lead it to another database
    played = demo(home, CHAINFIRST_DATABASE__URL="postgresql://127.0.0.1:1/none")
    said, complaints = played.communicate()
    assert played.returncode == 0, said + complaints
    lines = [" ".join(line.split()) for line in said.splitlines()]
    for check in (
        "issuers, the suspended one reinstated: 4 agree",
        "outcomes of the campaigns: 4 agree",
        "investors: 12",
        "investments: 40",
        "certificates transferred: 3",
        "reorganisations that the daemon followed: 1",
        "exit code of chainfirst verify: 0",
    ):
        assert f"right {check}" in lines
    assert not [line for line in lines if line.startswith("WRONG")]

    def amounts(name: str) -> list[float]:
        """goal, raised, released, fee paid, refunded, escrow left."""
        (row,) = [line for line in lines if line.startswith(name) and line.count(".") == 6]
        return [float(amount.replace(",", "")) for amount in row.split()[-6:]]

    companies = [
        amounts(name) for name in ("Sheger Coffee", "Abay Solar", "Lalibela Textiles", "Awash Dairy")
    ]
    assert [sum(column) for column in zip(*companies, strict=True)] == pytest.approx(amounts("all"))
    for _, raised, *parts in companies:
        assert sum(parts) == pytest.approx(raised)
    invested = [line.split() for line in lines if line.split()[-2:-1] in (["token"], ["bank"])]
    assert len(invested) == 40
    assert sum(float(words[-1].replace(",", "")) for words in invested) == pytest.approx(amounts("all")[1])
    # kind, how many are confirmed, effects of each, how often signed, …
    rows = {words[0]: words[1:] for words in map(str.split, lines) if words[2:3] == ["confirmed"]}
    assert {kind: int(row[0]) for kind, row in rows.items()} == {**cast.intents(), "all": 85}
    assert {row[2] for row in rows.values()} == {"1"}
    no_key_is_said(home, said + complaints)
    nothing_is_left(home)


def no_key_is_said(home: Path, said: str) -> None:
    """Nor is one, or the keystores' password, anywhere in the demonstration's files but where it must be."""
    folder = home / ".chainfirst" / "demo"
    holder = folder / "keys" / "password"
    password = holder.read_text()
    stores = [(folder / "keys" / f"{name}.json").read_text() for name in cast.SIGNERS]
    keys = [bytes(Account.decrypt(store, password)) for store in stores]
    secrets = [password.encode(), *keys, *(key.hex().encode() for key in keys)]
    files = [path for path in folder.rglob("*") if path.is_file() and path != holder]
    assert folder / "daemon.log" in files
    for content in (said.encode(), *(path.read_bytes() for path in files)):
        assert not [secret for secret in secrets if secret in content or secret in content.lower()]
    assert holder.stat().st_mode & 0o077 == 0


@pytest.mark.apps
def test_interrupted_it_takes_everything_down(home: Path) -> None:
    playing = demo(home)
    assert playing.stdout is not None
    for line in playing.stdout:
        if "the daemon starts" in line:
            second = demo(home)
            assert "a demonstration is playing" in second.communicate()[1]
            assert second.returncode == 75
        if "Abebe invests" in line:
            assert len(running(home)) > 3
            playing.send_signal(signal.SIGTERM)
            break
    playing.communicate()
    assert playing.returncode == 130
    nothing_is_left(home)


@pytest.mark.soak
def test_kept_it_can_be_looked_at_and_stopped(home: Path) -> None:
    kept = demo(home, CHAINFIRST_DEMO_KEEP="1")
    said, complaints = kept.communicate()
    assert kept.returncode == 0, said + complaints
    url = said.split("/psql '")[1].split("'")[0]
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM ledger.investments").fetchone() == (40,)
        assert connection.execute("SELECT DISTINCT status FROM intent.overview").fetchall() == [
            ("confirmed",)
        ]
    stopped = demo(home, "--stop")
    stopped.communicate()
    assert stopped.returncode == 0
    nothing_is_left(home)
