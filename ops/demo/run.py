"""The demonstration from its first process to its last."""

import contextlib
import fcntl
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import requests
from chainfirst.contracts.deploy import Plan, deploy
from chainfirst.ops import errors
from chainfirst.ops.demo import api, app, cast, checks, intents, ledger, report, view
from chainfirst.ops.demo.chain import Chain
from chainfirst.ops.demo.interrupts import Interrupts
from chainfirst.ops.demo.pace import Pace
from chainfirst.ops.demo.play import KILLS, Play
from chainfirst.ops.demo.servers import ABIS, Servers
from chainfirst.ops.dev import node
from chainfirst.schema import migrate
from rich.console import Console


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
        f"  {chainfirst} --config {servers.config_file} intents list",
        f"  the status page is {servers.page}",
        f"  the node is {servers.node.url}, the daemon's log {servers.daemon_log}",
        "Stop them:",
        f"  {chainfirst} --config {servers.directory.parent.parent / 'config.toml'} demo --stop",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _play(servers: Servers, interrupts: Interrupts, console: Console, install_directory: Path) -> bool:
    lines = view.Plain(console, time.monotonic)
    lines.say("PostgreSQL and a node, from packages, and keys for the daemon, in a folder of their own")
    node.install(install_directory)
    with interrupts.deferred():  # a half-started server would not be known to `stop`
        servers.prepare()
        servers.start()
    lines.say("the database gets its schema")
    migrate.migrate(migrate.engine(servers.database_url), platform_enabled=True)
    lines.say("the platform's contracts are deployed; the daemon's keys get their roles, and ether for gas")
    chain = Chain(servers.node.url)
    who = cast.Cast.of(chain.accounts(), servers.signers)
    plan = _plan(who, f"{servers.page}certificates/")
    deployment = deploy(chain.web3, who["deployer"], plan, servers.deployment)
    contracts = {
        key: chain.contract(ABIS[key], place["address"]) for key, place in deployment["contracts"].items()
    }
    for name in cast.SIGNERS:
        chain.fund(who[name])
    chain.mine_on_demand()
    with ledger.connect(servers.database_url) as connection:
        before = intents.leaders(connection)
    daemon = _Daemon(servers, interrupts)
    lines.say(f"the daemon starts, pid {daemon.start()}; its status page is {servers.page}")

    with (
        ledger.connect(servers.database_url) as connection,
        contextlib.closing(app.App(servers.database_url)) as asking,
    ):
        seen: view.View = lines
        if console.is_terminal:
            seen = view.Picture(console, connection, chain.head, who, time.monotonic)

        def check() -> None:
            servers.check_daemon()
            asking.check()

        try:
            pace = Pace(chain, connection, seen, check, lambda: f"{asking.waits()}See {servers.daemon_log}.")
            pace.to_head()
            play = Play(chain, who, contracts, asking, pace, daemon)
            for step in play.steps():
                seen.say(step)
            seen.say("blocks come until all of it is final")
            pace.to_final()
        finally:
            seen.close()
        final, last = ledger.read(connection), ledger.glance(connection, latest=0)
        wishes, led = intents.read(connection), intents.leaders(connection) - before
        seen_by_apps = api.read(connection)
    report.show(console, final, who)
    report.show_intents(console, wishes)
    report.show_views(console, seen_by_apps, who)
    codes = [_command(servers, console, command) for command in ("verify", "reconcile")]
    found = [
        *checks.of_the_script(final, last, who),
        *checks.of_the_chain(final, who, contracts | play.campaigns),
        *checks.of_the_documents(final, contracts),
        *checks.of_the_intents(wishes, chain.nonce, play.lost),
        checks.Check("times that the daemon was killed", str(daemon.kills), str(KILLS)),
        checks.Check("times that it took the lead after that", str(led - 1), str(KILLS)),
        *codes,
    ]
    return report.verdict(console, found)


def _command(servers: Servers, console: Console, name: str) -> checks.Check:
    """Run a command of the daemon's that compares, and show what it says."""
    done = servers.chainfirst(name)
    report.lines(console, f"chainfirst {name}", [*done.stdout.splitlines(), *done.stderr.splitlines()])
    return checks.Check(f"exit code of chainfirst {name}", str(done.returncode), "0")


def _plan(who: cast.Cast, base_uri: str) -> Plan:
    return Plan(
        owner=who["owner"],
        operators=[who["operator"]],
        registrars=[who["operator"]],
        minters=[who["minter"], who["bank"]],  # of certificates and of the token
        treasury=who["treasury"],
        fee_recipient=who["fees"],
        fee_bps=cast.FEE_BPS,
        base_uri=base_uri,
    )


class _Daemon:
    """The daemon as the play ends and starts it; an interrupt waits until it is known whether it runs."""

    def __init__(self, servers: Servers, interrupts: Interrupts) -> None:
        self._servers, self._interrupts = servers, interrupts
        self.kills = 0

    def start(self) -> int:
        with self._interrupts.deferred():
            return self._servers.start_daemon()

    def kill(self) -> None:
        with self._interrupts.deferred():
            self._servers.kill_daemon()
            self.kills += 1
