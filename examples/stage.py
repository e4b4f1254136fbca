"""A stage for the apps of these examples: a development chain with the platform's contracts, its database and
its daemon, in a folder of its own. An app that plays on it knows a database's URL, and nothing else.

    python examples/stage.py run -- COMMAND …         bring it up, run the command, take it down
    python examples/stage.py database -- COMMAND …    the same with a database alone, for an app's own tests
    python examples/stage.py pass-days FOLDER DAYS    let time pass, as only a development chain can

The command finds DATABASE_URL (the login platform_web) and READER_DATABASE_URL (platform_reader) in its
environment, and PLATFORM_PASS_DAYS, a command that takes a number of days.
"""

import argparse
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import psycopg
from chainfirst.contracts.deploy import Plan, deploy
from chainfirst.ops import errors
from chainfirst.ops.demo.chain import Chain
from chainfirst.ops.demo.servers import ABIS, FAST, Servers
from chainfirst.ops.dev import node, postgres
from chainfirst.schema import migrate

EXAMPLES = Path(__file__).resolve().parent
ROOT = EXAMPLES.parent
INSTALLED_NODE = ROOT / ".chainfirst" / "node" / "anvil"
WEB, READER, TESTER = "platform_web", "platform_reader", "platform_test"
TEST_LOGIN = """
CREATE ROLE platform_test LOGIN IN ROLE chainfirst_app, chainfirst_daemon;
GRANT ALL ON SCHEMA django TO platform_test
"""
SUPERUSER = "postgresql://postgres@"
FEE_BPS = 250
TREASURY_FUNDS = 100_000_000_00  # santim: what banks and mobile money have taken is paid out of this
BLOCK_SECONDS = 0.1
BEHIND_BLOCKS = 1
DAY = 86_400
INDEXED = "SELECT indexed_number FROM chain.cursor"


class Stage:
    """`with` brings it all up and takes it down; blocks come in between, as fast as the daemon follows."""

    def __init__(self, directory: Path) -> None:
        self.servers = Servers(directory, INSTALLED_NODE)
        self.chain: Chain | None = None
        self._over = threading.Event()
        self._blocks = threading.Thread(target=self._make_blocks, name="blocks")

    def __enter__(self) -> "Stage":
        try:
            self._bring_up()
        except BaseException:
            self.servers.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._blocks.ident is not None:
            self._blocks.join()
        self.servers.stop()
        self.servers.detach()

    def url(self, login: str) -> str:
        """The database, for that login."""
        return self.servers.database_url.replace(SUPERUSER, f"postgresql://{login}@")

    @property
    def environment(self) -> dict[str, str]:
        """What an app is told, beside what it has from us."""
        pass_days = [sys.executable, __file__, "pass-days", str(self.servers.directory)]
        return {
            "DATABASE_URL": self.url(WEB),
            "READER_DATABASE_URL": self.url(READER),
            "PLATFORM_PASS_DAYS": shlex.join(pass_days),
        }

    def run(self, command: Sequence[str], directory: Path | None = None) -> int:
        """Run an app's command to its end; its exit code. FatalError: the daemon ended before it."""
        with subprocess.Popen(command, env=os.environ | self.environment, cwd=directory) as app:
            try:
                while app.poll() is None:
                    self.servers.check_daemon()
                    try:
                        app.wait(BLOCK_SECONDS)
                    except subprocess.TimeoutExpired:
                        continue
            except BaseException:
                app.terminate()
                raise
            return app.returncode

    def _bring_up(self) -> None:
        node.install(INSTALLED_NODE)
        self.servers.prepare()
        self.servers.start()
        prepare(self.servers.database_url)
        self.chain = chain = Chain(self.servers.node.url)
        deployer, bank, treasury, fees = chain.accounts()[:4]
        signers = self.servers.signers
        plan = Plan(
            owner=signers["owner"], operators=[signers["operator"]], registrars=[signers["operator"]],
            minters=[signers["minter"], bank], treasury=treasury, fee_recipient=fees, fee_bps=FEE_BPS,
        )  # fmt: skip
        contracts = {
            key: chain.contract(ABIS[key], place["address"])
            for key, place in deploy(chain.web3, deployer, plan, self.servers.deployment)["contracts"].items()
        }
        for address in signers.values():
            chain.fund(address)
        chain.mine_on_demand()
        token, factory = contracts["token"], contracts["campaign_factory"]
        chain.block(
            chain.call(bank, token, "mint", treasury, TREASURY_FUNDS),
            chain.call(treasury, token, "approve", factory.address, 2**256 - 1),
        )
        self.servers.start_daemon()
        self._blocks.start()

    def _make_blocks(self) -> None:
        assert self.chain is not None
        with psycopg.connect(self.servers.database_url, autocommit=True) as connection:
            while not self._over.wait(BLOCK_SECONDS):
                row = connection.execute(INDEXED).fetchone()
                if row is not None and self.chain.head() - (row[0] or 0) <= BEHIND_BLOCKS:
                    self.chain.mine(1)


def prepare(url: str) -> None:
    """The platform's schema, and the logins of the examples' apps."""
    migrate.migrate(migrate.engine(url), platform_enabled=True)
    with psycopg.connect(url) as connection:
        connection.execute((EXAMPLES / "roles.sql").read_bytes())


def with_database(directory: Path, command: Sequence[str]) -> int:
    """Run an app's tests on a database without a chain, and take it down; their exit code.

    Their login is a member of chainfirst_daemon too: they write what a chain would say.
    """
    cluster = postgres.Cluster(directory, FAST)
    cluster.start()
    try:
        name = f"test_{secrets.token_hex(6)}"
        cluster.ensure_database(name)
        prepare(cluster.url(name))
        with psycopg.connect(cluster.url(name)) as connection:
            connection.execute(TEST_LOGIN)
        url = cluster.url(name).replace(SUPERUSER, f"postgresql://{TESTER}@")
        return subprocess.run(command, env=os.environ | {"DATABASE_URL": url}, check=False).returncode
    finally:
        cluster.stop()
        shutil.rmtree(directory)


def pass_days(directory: Path, days: int) -> None:
    """The next block of the stage in `directory` is so much later than the one before."""
    note = json.loads((directory / ".chainfirst" / "dev.json").read_text())["anvil"]
    chain = Chain(f"http://127.0.0.1:{note['port']}")
    chain.pass_time(int(chain.header()["timestamp"], 16) + days * DAY)


def _interrupt(_number: int, _frame: object) -> None:
    """Take everything down, whatever is under way."""
    raise KeyboardInterrupt


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="A chain, a database and a daemon for an app to play on")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("run", "it all"), ("database", "a database alone")):
        running = commands.add_parser(name, help=f"bring {what} up, run a command on it, take it down")
        running.add_argument("--directory", type=Path, default=ROOT / ".chainfirst" / f"stage-{name}")
        running.add_argument("app", nargs="+")
    passing = commands.add_parser("pass-days", help="let time pass on the chain")
    passing.add_argument("directory", type=Path)
    passing.add_argument("days", type=int)
    asked = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        if asked.command == "pass-days":
            pass_days(asked.directory, asked.days)
            return 0
        if asked.command == "database":
            return with_database(asked.directory, asked.app)
        with Stage(asked.directory) as stage:
            return stage.run(asked.app)
    except errors.ChainfirstError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
