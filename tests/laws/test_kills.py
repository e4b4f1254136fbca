"""Law 1 by killing: SIGKILL in backfill, while sources join, while following, in reorganisations.

The settings grow between kills, in the end to the whole platform. Then every table is that of a daemon
that nobody disturbed. A seed is the test's parameter: replay one with -k (the moments are the machine's).
"""

import collections
import random
import secrets
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.tests.daemon.processes import Running, chainfirst
from chainfirst.tests.laws import world
from chainfirst.tests.laws.conftest import Life
from chainfirst.tests.laws.test_random_lives import Play
from psycopg import sql

PHASES = ("start", "backfill", "joining", "following", "reorganisation")
FACTORY = '{ contract = "campaign_factory", event = "CampaignCreated", parameter = "campaign" }'


@pytest.fixture
def urls(pg_cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Two empty databases: for the daemon that is killed, and for the one that isn't."""
    names = [f"test_{secrets.token_hex(6)}" for _ in range(2)]
    for name in names:
        pg_cluster.ensure_database(name)
    try:
        yield pg_cluster.url(names[0]), pg_cluster.url(names[1])
    finally:
        with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
            for name in names:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


class Killed:
    """A daemon's life between kills."""

    def __init__(self, life: Life, node: Anvil, url: str, directory: Path, dice: random.Random) -> None:
        self.life, self.dice = life, dice
        self.happenings = Play(life, dice)
        self._node, self._url, self._directory = node, url, directory
        self._database = psycopg.connect(url, autocommit=True)
        self.stage, self.extras = 0, 0
        self.kills: collections.Counter[str] = collections.Counter()

    def config(self, url: str) -> Path:
        """The settings of this moment, for any database."""
        file = self._directory / "config.toml"
        last = self.stage == len(world.STAGES) - 1
        lines = [
            f"[platform]\nenabled = {str(last).lower()}",
            f'[database]\nurl = "{url}"\n[chain]\nchain_id = 31337',
            f'finality = 8\nendpoints = ["{self._node.ws_url}", "{self._node.url}"]',
        ]
        names = dict.fromkeys(world.STAGES[self.stage])
        extras = {f"extra{number}": "IssuerRegistry" for number in range(self.extras)}
        for key in (*names, *extras):
            if key == "odd":
                continue
            artifact = extras.get(key) or world.FILES[key]
            where = f"factory = {FACTORY}" if key == "campaign" else f'address = "{self.life.address}"'
            lines.append(f'[contracts.{key}]\nabi = "{world.ARTIFACTS / artifact}.json"\n{where}')
            if key in extras:
                lines.append('events = ["InvestorStatusChanged"]')
        file.write_text("\n".join(lines) + "\n")
        return file

    def kill(self, phase: str) -> None:
        """Start the daemon, wait until it is in this phase, and kill it at a random moment of it."""
        if phase == "backfill":
            for _ in range(20):
                self.happenings.emit()
            self.life.mine(300)
        elif phase == "joining":
            self.extras += 1
        with Running(self.config(self._url)) as daemon:
            if phase == "start":
                self.pause(0.9)
            else:
                daemon.hears("leading")
                self.reach(daemon, self.is_joining if phase == "joining" else self.is_behind, wait=False)
                if phase in ("following", "reorganisation"):
                    self.reach(daemon, self.is_at_head)
                    self.happenings.emit()
                    if phase == "reorganisation":
                        again = [[self.life.transaction("verify", self.dice.randint(0, 10**6), 3), 0]]
                        self.life.call("anvil_reorg", [self.dice.randint(1, 4), again])
                self.pause(0.03)
            phase = self.seen(phase)
            daemon.process.kill()
            assert daemon.ends() == -signal.SIGKILL, daemon.lines
        self.kills[phase] += 1

    def seen(self, phase: str) -> str:
        """The phase that it truly is in just before the kill."""
        if phase == "joining" and not self.is_joining():
            return "following"
        return "following" if phase == "backfill" and not self.is_behind() else phase

    def reach(self, daemon: Running, condition: Callable[[], bool], *, wait: bool = True) -> None:
        """Until the condition holds; without `wait`, or until the head is reached and it can hold no more."""
        while not condition():
            assert daemon.process.poll() is None, daemon.lines
            if not wait and self.is_at_head() and not self.is_joining():
                return
            self._database.execute("SELECT pg_sleep(0.002)")

    def pause(self, longest_seconds: float) -> None:
        self._database.execute("SELECT pg_sleep(%s)", [self.dice.uniform(0, longest_seconds)])

    def is_behind(self) -> bool:
        """It has begun, and has far to go."""
        number = self._ask("SELECT indexed_number FROM chain.cursor")
        return number is not None and number < self.life.head()[0] - 100

    def is_joining(self) -> bool:
        return bool(self._ask("SELECT count(*) FROM chain.sources WHERE NOT joined"))

    def is_at_head(self) -> bool:
        return bool(self._ask("SELECT indexed_hash FROM chain.cursor") == self.life.head()[1])

    def _ask(self, statement: str) -> Any:
        try:
            row = self._database.execute(statement.encode()).fetchone()
        except psycopg.errors.UndefinedTable:
            return None
        return None if row is None else row[0]

    def close(self) -> None:
        self._database.close()


def finish(killed: Killed, url: str) -> dict[str, list[Any]]:
    """Let a daemon come to the head and stop it; all that the database says then."""
    with psycopg.connect(url, autocommit=True) as connection, Running(killed.config(url)) as daemon:
        daemon.hears("started")
        arrived = (
            "SELECT indexed_hash FROM chain.cursor"
            " WHERE NOT EXISTS (SELECT FROM chain.sources WHERE NOT joined)"
        )
        while True:
            assert daemon.process.poll() is None, daemon.lines
            try:
                if connection.execute(arrived.encode()).fetchone() == (killed.life.head()[1],):
                    break
            except psycopg.errors.UndefinedTable:
                pass
            connection.execute("SELECT pg_sleep(0.01)")
        assert daemon.stops() == 0
        return world.contents(connection)


def live_and_die(killed: Killed, urls: tuple[str, str], kills: int) -> None:
    """So many kills, each phase in turn; the platform is enabled when two thirds are done."""
    killed.life.send("create", 4)
    for number in range(kills):
        killed.kill(PHASES[number % len(PHASES)])
        for done, stage in ((kills // 3, 1), (2 * kills // 3, 2)):
            if number + 1 == done:
                killed.stage = stage
    print(dict(killed.kills))
    assert min(killed.kills[phase] for phase in PHASES) >= kills // 10
    lived = finish(killed, urls[0])
    expected = finish(killed, urls[1])
    assert lived.keys() == expected.keys()
    for name, rows in expected.items():
        assert lived[name] == rows, name
    verified = chainfirst(killed.config(urls[0]), "verify", "--all")
    said = verified.communicate()
    assert verified.returncode == 0, said


def die(life: Life, node: Anvil, urls: tuple[str, str], directory: Path, seed: int, kills: int) -> None:
    print(f"seed {seed}")
    killed = Killed(life, node, urls[0], directory, random.Random(seed))
    try:
        live_and_die(killed, urls, kills)
    finally:
        killed.close()


def test_killed_at_random_moments_it_loses_and_repeats_nothing(
    life: Life, fresh_anvil: Anvil, urls: tuple[str, str], tmp_path: Path
) -> None:
    die(life, fresh_anvil, urls, tmp_path, seed=7, kills=20)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 105))
def test_killed_often(
    life: Life, fresh_anvil: Anvil, urls: tuple[str, str], tmp_path: Path, seed: int
) -> None:
    die(life, fresh_anvil, urls, tmp_path, seed, kills=40)
