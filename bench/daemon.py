"""The daemon under measurement: a process of its own, as its user runs it."""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench.node import ARTIFACTS, Node
from bench.servers import ROOT

POLL_SECONDS = 0.02
LONGEST_SECONDS = 300.0


@dataclass(frozen=True)
class Contract:
    """A contract of the settings: `address`, or `factory` = (contract, event, parameter)."""

    key: str
    artifact: str
    address: str | None = None
    events: tuple[str, ...] | None = None
    start_block: int = 0
    factory: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Sample:
    """The cursor, seen by another connection at `at` (time.monotonic), and the daemon's CPU time then."""

    at: float
    block: int
    cpu_seconds: float


@dataclass(frozen=True)
class Progress:
    """A backfill as it was seen: from the process's start to the last block wanted."""

    started_at: float
    samples: Sequence[Sample]
    peak_bytes: int

    @property
    def startup_seconds(self) -> float:
        """From the start of the process to its first visible commit."""
        return self.samples[0].at - self.started_at

    def rate(self, first: int, last: int, events: int) -> float:
        """Events a second for the `events` in blocks first to last, from the first commit there (or just
        before) to the last."""
        return self.between(self._reach(first - 1), self._reach(last), first, last, events)

    def cpu_micros(self, first: int, last: int, events: int) -> float:
        """The daemon's own CPU time for an event, over the same commits as `rate`."""
        one, two = self._reach(first - 1), self._reach(last)
        done = (min(two.block, last) - max(one.block, first - 1)) * events / (last - first + 1)
        return (two.cpu_seconds - one.cpu_seconds) / done * 1e6 if done else float("nan")

    def quarter_rates(self, first: int, last: int, events: int) -> tuple[float, float]:
        """Events a second over about the first and the last quarter of the blocks."""
        span = last - first + 1
        marks = [
            self.samples[0],
            *(self._reach(first + span * part // 4) for part in (1, 3)),
            self._reach(last),
        ]
        early = self.between(marks[0], marks[1], first, last, events)
        return early, self.between(marks[2], marks[3], first, last, events)

    def _reach(self, block: int) -> Sample:
        return next(sample for sample in self.samples if sample.block >= block)

    @staticmethod
    def between(one: Sample, two: Sample, first: int, last: int, events: int) -> float:
        """Events a second between two samples, by their blocks; infinite where they are one."""
        done = (min(two.block, last) - max(one.block, first - 1)) * events / (last - first + 1)
        return done / (two.at - one.at) if two.at > one.at else float("inf")


def write_config(
    directory: Path,
    url: str,
    node: Node,
    contracts: Sequence[Contract],
    *,
    platform: bool = False,
    finality: str = '{ tag = "finalized", fallback_depth = 64 }',
) -> Path:
    """A config.toml for this node and database."""
    lines = [f"[platform]\nenabled = {str(platform).lower()}", f'[database]\nurl = "{url}"']
    lines.append(
        f'[chain]\nchain_id = 31337\nendpoints = ["{node.url}", "{node.ws_url}"]\nfinality = {finality}'
    )
    for contract in contracts:
        lines.append(f'[contracts.{contract.key}]\nabi = "{ARTIFACTS / contract.artifact}.json"')
        lines.append(f"start_block = {contract.start_block}")
        if contract.factory is None:
            lines.append(f'address = "{contract.address}"')
        else:
            names = zip(("contract", "event", "parameter"), contract.factory, strict=True)
            lines.append("factory = { " + ", ".join(f'{name} = "{value}"' for name, value in names) + " }")
        if contract.events is not None:
            lines.append(f"events = {list(contract.events)!r}".replace("'", '"'))
    file = Path(tempfile.mkdtemp(prefix="config-", dir=directory)) / "config.toml"
    file.write_text("\n".join(lines) + "\n")
    return file


def chainfirst(file: Path, *arguments: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "chainfirst.daemon", "--config", str(file), *arguments]


class Daemon:
    """A running `chainfirst run`."""

    def __init__(self, file: Path) -> None:
        self.log = file.parent / "daemon.log"
        self.started_at = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                chainfirst(file, "run"), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT
            )

    def check(self) -> None:
        """RuntimeError, with its last words, if it ended."""
        if self.process.poll() is not None:
            raise RuntimeError(
                f"the daemon ended with {self.process.returncode}: {self.log.read_text()[-2000:]}"
            )

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def peak_bytes(self) -> int:
        """The most memory it ever held (VmHWM)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def stop(self) -> None:
        """Ask it to end, and see to it."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def running(file: Path) -> Iterator[Daemon]:
    """The daemon while the block lasts."""
    daemon = Daemon(file)
    try:
        yield daemon
    finally:
        daemon.stop()


def backfill(file: Path, url: str, last: int) -> Progress:
    """Run the daemon until its cursor is at `last`, watched by another connection."""
    samples: list[Sample] = []
    with psycopg.connect(url, autocommit=True) as connection, running(file) as daemon:
        while not samples or samples[-1].block < last:
            time.sleep(POLL_SECONDS)
            block = cursor(connection)
            if block is not None and (not samples or block > samples[-1].block):
                samples.append(Sample(time.monotonic(), block, daemon.cpu_seconds()))
            daemon.check()
            if time.monotonic() - daemon.started_at > LONGEST_SECONDS:
                raise RuntimeError(
                    f"block {last} is not indexed yet: {block}; {daemon.log.read_text()[-2000:]}"
                )
        return Progress(daemon.started_at, samples, daemon.peak_bytes())


def cursor(connection: psycopg.Connection[Any]) -> int | None:
    """The last indexed block; None before there is one."""
    try:
        row = connection.execute("SELECT indexed_number FROM chain.cursor").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return None
    return None if row is None else row[0]
