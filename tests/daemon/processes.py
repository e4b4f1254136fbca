"""The daemon as its user runs it: a process, a config file, and what it says."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from chainfirst.indexer.rpc.http import Endpoint
from eth_hash.auto import keccak

ROOT = Path(__file__).parent.parent.parent
SENDER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
SELECTOR = keccak(b"emitBurst(uint256)")[:4].hex()
ABI = ROOT / "contracts" / "artifacts" / "Burst.json"
STOP_SECONDS = 5.0


def write_config(
    directory: Path,
    database: str,
    endpoints: list[str],
    address: str,
    events: str = '["Transfer"]',
    more: str = "",
) -> Path:
    file = directory / "config.toml"
    file.write_text(
        f'[platform]\nenabled = false\n[database]\nurl = "{database}"\n'
        f"[chain]\nchain_id = 31337\nfinality = 3\nendpoints = {json.dumps(endpoints)}\n"
        f'[contracts.token]\nabi = "{ABI}"\naddress = "{address}"\nevents = {events}\n{more}'
    )
    return file


def chainfirst(
    file: Path, *arguments: str, prefix: Sequence[str] = (), **environ: str
) -> "subprocess.Popen[str]":
    command = [*prefix, sys.executable, "-m", "chainfirst.daemon", "--config", str(file), *arguments]
    return subprocess.Popen(
        command, env=os.environ | environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def emit(node: Endpoint, emitter: str | None, count: int = 0) -> str:
    """Deploy the emitter, or emit `count` transfers; mined when it returns."""
    data = json.loads(ABI.read_text())["bytecode"] if emitter is None else f"0x{SELECTOR}{count:064x}"
    call = {"from": SENDER, "data": data, "gas": hex(5_000_000)} | ({"to": emitter} if emitter else {})
    sent: Any = node.call_optional("eth_sendTransaction", [call], object)
    node.call_optional("anvil_mine", ["0x1"], object)
    receipt: Any = node.call("eth_getTransactionReceipt", [sent], object)
    return str(receipt["contractAddress"]).lower()


class Running:
    """`chainfirst run` with its log; `with` kills it at the end if it still runs."""

    def __init__(self, file: Path, prefix: Sequence[str] = (), **environ: str) -> None:
        self.process = chainfirst(file, "run", prefix=prefix, **environ)
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def events(self) -> list[dict[str, Any]]:
        """Its log so far."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def named(self, event: str) -> list[dict[str, Any]]:
        """The lines of one event."""
        return [line for line in self.events() if line["event"] == event]

    def hears(self, event: str, times: int = 1) -> dict[str, Any]:
        """Wait until it said so that many times; the last such line."""
        with self._news:
            self._news.wait_for(lambda: self._ended or len(self.named(event)) >= times)
            found = self.named(event)
        assert len(found) >= times, "".join(self.lines)
        return found[-1]

    def hears_either(self, this: str, that: str) -> bool:
        """Wait until it said one of both; whether it was the first."""
        with self._news:
            self._news.wait_for(lambda: self._ended or bool(self.named(this) or self.named(that)))
            return bool(self.named(this))

    def has_rows(self, url: str, wanted: int) -> None:
        """Wait until the table holds that many rows; the test's own time-out is the limit."""
        with psycopg.connect(url, autocommit=True) as connection:
            while self.process.poll() is None:
                try:
                    row = connection.execute("SELECT count(*) FROM event.token_transfer").fetchone()
                except psycopg.errors.UndefinedTable:
                    row = None
                if row == (wanted,):
                    return
                connection.execute("SELECT pg_sleep(0.02)")
        self._reader.join()
        raise AssertionError("".join(self.lines))

    def ends(self) -> int:
        """Wait for its end; the exit code. Its whole log has been read then."""
        code = self.process.wait()
        self._reader.join()
        return code

    def stops(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop and wait, no longer than the time that it has for it."""
        asked = time.monotonic()
        self.process.send_signal(number)
        code = self.ends()
        took = time.monotonic() - asked
        assert took < STOP_SECONDS, (took, self.lines)
        return code
