"""Law 4 by killing: SIGKILL of the real daemon at every boundary between SQL and the chain, and at random.

However it dies, another one brings each intent to its end: one effect for what is confirmed, none for
anything else, no nonce left out. A seed is the test's parameter: replay one with -k (the moments are the
machine's).
"""

import ast
import contextlib
import json
import random
import secrets
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest
from chainfirst.ops import failpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate
from chainfirst.tests.contracts.conftest import Platform
from chainfirst.tests.daemon.processes import Running
from chainfirst.tests.laws.dying import FINALITY, OTHER_VARIABLE, Ordeal, Place
from chainfirst.tests.laws.mischief import Mischief
from chainfirst.tests.writers.secrets import KEY, PASSWORD
from eth_account import Account
from psycopg import sql

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def place(server_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The platform on a node of this module's own."""
    from web3 import Web3

    node = Anvil(
        server_base / "dying",
        install_directory=ROOT / ".chainfirst" / "node" / "anvil",
        arguments=("--base-fee", "1000000000"),
    )
    node.start()
    try:
        directory = tmp_path_factory.mktemp("dying")
        platform = Platform(Web3(Web3.HTTPProvider(node.url)), directory)
        yield Place(platform, directory, [node.ws_url, node.url])
    finally:
        node.stop()


@pytest.fixture(scope="module")
def begun(place: Place, pg_cluster: Cluster) -> str:
    """A database whose daemon has indexed all and waits for intents, to be copied."""
    name = f"template_dying_{secrets.token_hex(4)}"
    pg_cluster.ensure_database(name)
    url = pg_cluster.url(name)
    migrate.migrate(migrate.engine(url), platform_enabled=True)
    place.mine(FINALITY + 1)
    ordeal = Ordeal(place, url, place.config(url))

    def is_ready() -> bool:
        cursor = ordeal.all("SELECT indexed_hash FROM chain.cursor")
        lanes = ordeal.all("SELECT first_nonce FROM intent.lanes")
        joining = ordeal.one("SELECT count(*) FROM chain.sources WHERE NOT joined")
        return cursor == [(place.head()[1],)] and lanes == [(0,)] and not joining

    with ordeal.sql, ordeal.running() as daemon:
        while not is_ready():
            assert daemon.process.poll() is None, "".join(daemon.lines)
            ordeal.sql.execute("SELECT pg_sleep(0.02)")
        assert daemon.stops() == 0
    place.start = place.head()[0]
    return name


@pytest.fixture
def ordeal(place: Place, begun: str, pg_cluster: Cluster) -> Iterator[Ordeal]:
    """A database of its own, and the chain as it was."""
    name = sql.Identifier(f"test_{secrets.token_hex(6)}")
    with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(begun)))
        url = pg_cluster.url(name.as_string().strip('"'))
        try:
            with place.rolled_back():
                made = Ordeal(place, url, place.config(url))
                with made.sql:
                    yield made
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def wish(ordeal: Ordeal) -> None:
    """Five at once, one of them refused: they are one batch of the lane."""
    with ordeal.sql.transaction():
        for size in (2, 3, 5):
            ordeal.call(size)
        ordeal.nonsense()
        ordeal.register()


@contextlib.contextmanager
def dying(ordeal: Ordeal, point: str, *, mine: bool = True) -> Iterator[Running]:
    """A daemon that must die at this point, if not in the block, then soon after."""
    with ordeal.running(point) as daemon:
        yield daemon
        ordeal.drive(daemon, lambda: False, mine=mine)
        assert daemon.process.poll() == -signal.SIGKILL, "".join(daemon.lines)
    ordeal.assert_stored_before_sent()


def called(ordeal: Ordeal, points: Sequence[str]) -> None:
    """On the usual way."""
    wish(ordeal)
    for point in points:
        with dying(ordeal, point):
            pass


def wish_and_send(ordeal: Ordeal) -> None:
    wish(ordeal)
    with ordeal.running() as daemon:
        assert ordeal.drive(daemon, lambda: ordeal.all_are("sent", "rejected"), mine=False)


def reorganised(ordeal: Ordeal, points: Sequence[str]) -> None:
    """When the block that held all is replaced by an empty one."""
    wish(ordeal)
    with ordeal.running() as daemon:
        assert ordeal.drive(daemon, lambda: ordeal.all_are("included", "rejected"))
    held = ordeal.one("SELECT min(block_number) FROM intent.inclusions")
    ordeal.place.reorganise(ordeal.place.head()[0] - held + 1)
    for point in points:
        with dying(ordeal, point):
            pass


def outbid(ordeal: Ordeal, points: Sequence[str]) -> None:
    """When the base fee rises above what was bid, and again."""
    wish_and_send(ordeal)
    base_fee_wei = 20 * 10**9
    for point in points:
        base_fee_wei = ordeal.place.base_fee_wei = 3 * base_fee_wei
        with dying(ordeal, point):
            pass


def taken_back(ordeal: Ordeal, points: Sequence[str]) -> None:
    """When two of those that were sent are cancelled, and others follow them."""
    wish_and_send(ordeal)
    for intent in list(ordeal.wishes)[:2]:
        ordeal.cancel(intent)
    for point in points:
        with dying(ordeal, point, mine=False):
            pass


def done_elsewhere(ordeal: Ordeal, points: Sequence[str], known: str = "prepare.committed") -> None:
    """When another one with the key does what is wanted before a nonce is taken here."""
    wish(ordeal)
    with dying(ordeal, known):
        pass
    ordeal.foreign.add(ordeal.place.emit(2, nonce=0))
    ordeal.place.mine(FINALITY + 1)
    for point in points:
        with dying(ordeal, point):
            pass


def done_elsewhere_too(ordeal: Ordeal, points: Sequence[str]) -> None:
    """When its nonce is taken and its bytes are stored, and others than those are mined."""
    done_elsewhere(ordeal, points, "nonces.committed")


LIVES: tuple[tuple[Callable[[Ordeal, Sequence[str]], None], tuple[str, ...]], ...] = (
    (
        called,
        (
            "claim.before", "prepare.written", "verdicts.written", "sign.before*2", "nonces.written",
            "send.before*2", "note.written", "settle.before", "settle.settled", "batch.written",
        ),
    ),
    (
        called,
        (
            "claim.after", "prepare.committed", "verdicts.committed", "sign.after*2", "nonces.committed",
            "send.after*2", "note.committed", "settle.included*2", "batch.committed", "settle.ended",
        ),
    ),
    (reorganised, ("settle.unwound", "send.before*2", "note.committed")),
    (outbid, ("bump.signed", "bump.written", "bump.committed", "send.after*2", "bump.sent")),
    (taken_back, ("take_back.signed", "take_back.written", "take_back.committed", "take_back.sent")),
    (done_elsewhere, ("adopt.written", "adopt.committed")),
    (done_elsewhere_too, ("adopt.written", "adopt.committed")),
)  # fmt: skip
"""Situations, and where their daemons die one after another."""


def check(ordeal: Ordeal, *, may_be_cancelled: bool) -> None:
    """Let it end, undisturbed."""
    ordeal.place.base_fee_wei = None
    ordeal.finish()
    ordeal.assert_exactly_once()
    ends = Counter(ordeal.statuses().values())
    cancelled = ends["cancelled"]
    assert cancelled <= (2 if may_be_cancelled else 0)
    assert ends == Counter(confirmed=4 - cancelled, rejected=1, cancelled=cancelled)
    ordeal.assert_no_secrets()


@pytest.mark.parametrize(
    ("situation", "points"),
    [pytest.param(*life, id=f"{life[0].__name__} {number}") for number, life in enumerate(LIVES)],
)
def test_killed_everywhere_in_turn_every_intent_has_one_effect(
    ordeal: Ordeal, situation: Callable[[Ordeal, Sequence[str]], None], points: Sequence[str]
) -> None:
    situation(ordeal, points)
    check(ordeal, may_be_cancelled=situation is taken_back)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("situation", "point"),
    [
        pytest.param(situation, point, id=f"{situation.__name__} {point}")
        for situation, points in LIVES
        for point in points
    ],
)
def test_killed_there_alone_every_intent_has_one_effect(
    ordeal: Ordeal, situation: Callable[[Ordeal, Sequence[str]], None], point: str
) -> None:
    situation(ordeal, [point])
    check(ordeal, may_be_cancelled=situation is taken_back)


def die_at_random(ordeal: Ordeal, directory: Path, seed: int, kills: int) -> None:
    """Two lanes; the first one's key is in a keystore."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    keystore, password = directory / "key.json", directory / "password"
    keystore.write_text(
        json.dumps(Account.encrypt(bytes.fromhex(KEY[2:]), PASSWORD, kdf="pbkdf2", iterations=2))
    )
    password.write_text(PASSWORD)
    for file in (keystore, password):
        file.chmod(0o600)
    other = f'[writer.lanes.investors]\nsigner = "env:{OTHER_VARIABLE}"\nkinds = ["investor.*"]\n'
    more = f'password_file = "{password}"\n{other}'
    ordeal.file = ordeal.place.config(ordeal.database, f"keystore:{keystore}", more)
    ordeal.place.mine(FINALITY)
    mischief = Mischief(ordeal, dice)
    for _ in range(kills):
        with ordeal.running() as daemon:
            if dice.random() < 0.15:
                mischief.pause(1.5)
                continue
            daemon.hears("leading")
            for _ in range(dice.randint(4, 12)):
                mischief.happen()
            assert daemon.process.poll() is None, "".join(daemon.lines)
        ordeal.assert_stored_before_sent()
    ordeal.finish()
    ordeal.assert_exactly_once()
    ends = Counter(ordeal.statuses().values())
    print(dict(ends))
    assert not ends["failed"]
    assert ends["confirmed"] >= kills
    assert ends["rejected"] <= [*ordeal.wishes.values()].count(None)  # some are cancelled first
    ordeal.assert_no_secrets()


def test_killed_at_random_moments_every_intent_has_one_effect(ordeal: Ordeal, tmp_path: Path) -> None:
    die_at_random(ordeal, tmp_path, seed=3, kills=12)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(200, 205))
def test_killed_often_every_intent_has_one_effect(ordeal: Ordeal, tmp_path: Path, seed: int) -> None:
    die_at_random(ordeal, tmp_path, seed, kills=100)


def test_every_point_has_its_kill() -> None:
    killed = {point.partition("*")[0] for _, points in LIVES for point in points}
    assert killed == set(failpoint.POINTS)


def test_the_table_of_points_is_that_of_the_source() -> None:
    found = Counter(name for folder in ("indexer", "writers", "ops") for name in _reached(ROOT / folder))
    assert found == Counter(failpoint.POINTS.keys())


def _reached(folder: Path) -> Iterator[str]:
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "failpoint.reach":
                for each in ast.walk(node.args[0]):
                    if isinstance(each, ast.Constant):
                        yield str(each.value)
