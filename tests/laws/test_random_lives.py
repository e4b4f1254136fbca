"""Laws 1 to 3 and 6 as random lives: whatever happens on the way, the tables are those of a fresh index.

A seed is the test's parameter: replay one with -k.
"""

import contextlib
import random
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from chainfirst.indexer import engine, finality
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.errors import TransientError
from chainfirst.tests.laws import world
from chainfirst.tests.laws.conftest import Life

POLICY = finality.Depth(16)
New = Callable[[], psycopg.Connection[Any]]


class Play:
    """What happens on the chain: mostly new events, sometimes a reorganisation or a rollback."""

    def __init__(self, life: Life, dice: random.Random) -> None:
        self._life, self._dice = life, dice
        self._number = 0

    def emit(self) -> None:
        """A block with one to four transactions; some may be reverted after a reorganisation."""
        for _ in range(self._dice.randint(1, 4)):
            self._life.send(*self._transaction())
        self._life.mine()

    def happen(self) -> None:
        match self._dice.choices(["emit", "empty", "many", "reorg", "rollback"], [10, 3, 1, 3, 1])[0]:
            case "emit":
                self.emit()
            case "empty":
                self._life.mine(self._dice.randint(1, 3))
            case "many":
                self._life.mine(100)
            case "reorg":
                depth = self._dice.randint(1, 6)
                again = [
                    [self._life.transaction(*self._transaction()), self._dice.randrange(depth)]
                    for _ in range(self._dice.randint(0, 2))
                ]
                self._life.call("anvil_reorg", [depth, again])
            case _:
                self._life.call("anvil_rollback", [self._dice.randint(1, 4)])
                self.emit()

    def _transaction(self) -> tuple[Any, ...]:
        self._number += 1
        some, number = self._dice.randint(1, 4), self._number * 10
        few = self._dice.randint(0, 3)
        return self._dice.choice(
            [
                ("create", some),
                ("verify", number, some),
                ("invest", number, some, few, 1),
                ("invest", number, some, 0, few + 1),
                ("finish", few, 1),
                ("mint", number, some),
                ("move", number, some, number + 1),
                ("foreign", some),
            ]
        )


def play(life: Life, new_database: New, seed: int, steps: int) -> None:
    """Live, index on the way with faults, restarts and sources that come later; then compare."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    life.send("create", 4)
    life.mine(30)
    happenings, reader = Play(life, dice), world.Faulty(life.url, dice)
    connection, stage, late_start = new_database(), 0, dice.randint(0, 60)

    def start(reader: engine.Reader) -> engine.Indexer:
        return world.indexer(
            connection,
            reader,
            world.contracts(life.address, stage, late_start),
            POLICY,
            blocks=dice.randint(1, 60),
            # several threads share the dice: only lives with even seeds are the same each time
            ahead=1 if seed % 2 == 0 else 3,
            platform=stage == len(world.STAGES) - 1,
        )

    running = start(reader)
    for _ in range(steps):
        match dice.choices(["happen", "step", "restart", "stage"], [10, 12, 1, 1])[0]:
            case "happen":
                happenings.happen()
            case "step":
                with contextlib.suppress(TransientError):
                    running.step()
            case "restart":
                running = start(reader)
            case _:
                stage = min(stage + 1, len(world.STAGES) - 1)
                running = start(reader)
    life.mine()
    stage = len(world.STAGES) - 1
    honest = Client(Endpoint(life.url))
    world.drain(start(honest))
    lived = world.contents(connection)
    fresh = new_database()
    world.drain(
        world.indexer(
            fresh, honest, world.contracts(life.address, stage, late_start), POLICY, ahead=3, platform=True
        )
    )
    expected = world.contents(fresh)
    assert lived["cursor"] == [life.head()]
    assert lived.keys() == expected.keys()
    for name, rows in expected.items():
        assert lived[name] == rows, name
    assert connection.execute("SELECT count(*) FROM chain.sources WHERE NOT joined").fetchone() == (0,)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_random_lives(life: Life, new_database: New, seed: int) -> None:
    play(life, new_database, seed, 80)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2000, 2060))
def test_random_lives_for_long(life: Life, new_database: New, seed: int) -> None:
    play(life, new_database, seed, 400)
