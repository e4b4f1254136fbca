"""The demonstration from its first process to its last."""

import contextlib
import fcntl
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import requests
from chainfirst.contracts.deploy import Plan, deploy
from chainfirst.ops import errors
from chainfirst.ops.demo import cast, checks, ledger, report, view
from chainfirst.ops.demo.chain import Chain
from chainfirst.ops.demo.interrupts import Interrupts
from chainfirst.ops.demo.play import Play
from chainfirst.ops.demo.servers import ABIS, FINALITY_DEPTH, Servers
from chainfirst.ops.dev import node
from chainfirst.schema import migrate
from rich.console import Console

POLL_SECONDS = 0.02
PATIENCE_SECONDS = 60.0


def demonstrate(directory: Path, install_directory: Path, console: Console, keep: bool) -> bool:
    """Play everything and take everything down, whatever happens; whether all was right.

    `directory` is the demonstration's own and emptied first. With `keep`, a play that came to its end is
    left running. FatalError: it could not be played; TransientError: another one is running there.
    """
    servers = Servers(directory, install_directory)
    with _only_one(directory), Interrupts() as interrupts:
        ended = False
        try:
            right = _play(servers, interrupts, console, install_directory)
            ended = True
        except (requests.RequestException, psycopg.OperationalError) as error:
            said = " ".join(str(error).split())
            raise errors.FatalError(f"a server went away: {said}", f"See the logs in {directory}.") from None
        finally:
            with interrupts.deferred():
                if ended and keep:
                    servers.detach()
                else:
                    servers.stop()
    if keep:
        _say_how_to_look(servers, console)
    return right


def stop(directory: Path, install_directory: Path) -> None:
    """Take down what a demonstration left running. TransientError: one is playing."""
    with _only_one(directory):
        Servers(directory, install_directory).stop()


@contextlib.contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / "demo.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise errors.TransientError(
                f"a demonstration is playing in {directory}", "Wait for its end, or press Ctrl-C there."
            ) from None
        yield


def _say_how_to_look(servers: Servers, console: Console) -> None:
    """What runs now, and how to stop it."""
    chainfirst = Path(sys.executable).with_name("chainfirst")
    for line in (
        "The servers and the daemon go on running. Look at them:",
        f"  {servers.psql} '{servers.database_url}'",
        f"  {chainfirst} --config {servers.config_file} status",
        f"  the node is {servers.node.url}, the daemon's log {servers.daemon_log}",
        "Stop them:",
        f"  {chainfirst} --config {servers.directory.parent.parent / 'config.toml'} demo --stop",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _play(servers: Servers, interrupts: Interrupts, console: Console, install_directory: Path) -> bool:
    lines = view.Plain(console, time.monotonic)
    lines.say("PostgreSQL and a node, from packages, in a folder of their own")
    node.install(install_directory)
    with interrupts.deferred():  # a half-started server would not be known to `stop`
        servers.prepare()
        servers.start()
    lines.say("the database gets its schema")
    migrate.migrate(migrate.engine(servers.database_url), platform_enabled=True)
    lines.say("the platform's contracts are deployed")
    chain = Chain(servers.node.url)
    who = cast.Cast.of(chain.accounts())
    deployment = deploy(chain.web3, who["deployer"], _plan(who), servers.deployment)
    contracts = {
        key: chain.contract(ABIS[key], place["address"]) for key, place in deployment["contracts"].items()
    }
    chain.mine_on_demand()
    with interrupts.deferred():
        lines.say(f"the daemon starts, pid {servers.start_daemon()}")

    with ledger.connect(servers.database_url) as connection:
        seen: view.View = lines
        if console.is_terminal:
            seen = view.Picture(console, connection, chain.head, who, time.monotonic)
        try:
            follow = _Follower(servers, connection, chain, seen)
            follow.to_head()
            play = Play(chain, who, contracts, follow.to_head)
            for step in play.steps():
                seen.say(step)
                servers.check_daemon()
            seen.say("blocks are mined until all of it is final")
            chain.mine(FINALITY_DEPTH)
            follow.to_head()
            follow.to_final(chain.head() - FINALITY_DEPTH)
        finally:
            seen.close()
        final, last = ledger.read(connection), ledger.glance(connection, latest=0)
    report.show(console, final, who)
    verified = servers.chainfirst("verify")
    report.lines(console, "chainfirst verify", [*verified.stdout.splitlines(), *verified.stderr.splitlines()])
    found = [
        *checks.of_the_script(final, last, who),
        *checks.of_the_chain(final, who, contracts | play.campaigns),
        checks.Check("exit code of chainfirst verify", str(verified.returncode), "0"),
    ]
    return report.verdict(console, found)


def _plan(who: cast.Cast) -> Plan:
    return Plan(
        owner=who["owner"],
        operators=[who["operator"]],
        registrars=[who["registrar"]],
        minters=[who["minter"]],
        treasury=who["treasury"],
        fee_recipient=who["fees"],
        fee_bps=cast.FEE_BPS,
    )


class _Follower:
    """Waits until the daemon, in the database, has come as far as the chain."""

    def __init__(
        self, servers: Servers, connection: psycopg.Connection[Any], chain: Chain, seen: view.View
    ) -> None:
        self._servers, self._connection, self._chain, self._seen = servers, connection, chain, seen

    def to_head(self) -> None:
        """Until the newest block is indexed: that one, not another of its height."""
        wanted = self._chain.header()["hash"]

        def indexed() -> bool:
            cursor = ledger.cursor(self._connection)
            return cursor is not None and cursor.indexed_hash == wanted

        self._wait(indexed, "index the head")

    def to_final(self, number: int) -> None:
        """Until block `number` is final."""

        def final() -> bool:
            cursor = ledger.cursor(self._connection)
            return cursor is not None and (cursor.final_number or 0) >= number

        self._wait(final, f"make block {number} final")

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        limit = time.monotonic() + PATIENCE_SECONDS
        while not done():
            self._servers.check_daemon()
            if time.monotonic() > limit:
                raise errors.FatalError(
                    f"the daemon did not {what} within {PATIENCE_SECONDS:g} s",
                    f"See {self._servers.daemon_log}.",
                )
            self._seen.refresh()
            time.sleep(POLL_SECONDS)
