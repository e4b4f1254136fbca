"""Laws 4 and 5 as random lives: whatever happens, each wish has at most one effect, and it is known which.

A seed is the test's parameter: replay one with -k.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.tests.contracts.conftest import Platform
from chainfirst.tests.writers.conftest import deploy, start_node
from chainfirst.tests.writers.life import Life
from chainfirst.tests.writers.verdict import Verdict

STEPS = 50
LIVES_OF_A_NODE = 5
"""anvil keeps the states of its newest 500 blocks at hand; rolled back after more, it may lack one."""
New = Callable[[int], Life]


class Stages:
    """Nodes with the platform, each for some lives."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._used = 0
        self._node: Anvil | None = None
        self._platform: Platform | None = None

    def next(self) -> tuple[str, Platform]:
        """A node's URL, and the platform on it as it was deployed."""
        if self._node is None or self._platform is None or self._used % LIVES_OF_A_NODE == 0:
            self.close()
            place = self._directory / str(self._used)
            self._node = start_node(place)
            self._platform = deploy(self._node, place)
        self._used += 1
        return self._node.url, self._platform

    def close(self) -> None:
        if self._node is not None:
            self._node.stop()


@pytest.fixture(scope="session")
def stages(server_base: Path) -> Iterator[Stages]:
    made = Stages(server_base / "lives")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def new_life(pg_cluster: Cluster, pg_url: str, stages: Stages) -> Iterator[New]:
    """A life of this seed, whose node is rolled back after it."""
    url, platform = stages.next()
    snapshot = platform.rpc("evm_snapshot")
    lives: list[Life] = []

    def make(seed: int) -> Life:
        lives.append(Life(pg_cluster, pg_url, platform, url, random.Random(seed)))
        return lives[0]

    try:
        yield make
    finally:
        for life in lives:
            life.close()
        assert platform.rpc("evm_revert", snapshot)


def play(new_life: New, seed: int, steps: int = STEPS) -> None:
    print(f"seed {seed}")
    life = new_life(seed)
    try:
        life.live(steps)
        life.settle()
        verdict = Verdict(life)
        verdict.assert_all()
        print(verdict.summary())
    finally:
        print("\n".join(life.trace))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_random_lives(new_life: New, seed: int) -> None:
    play(new_life, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3000, 3300))
def test_random_lives_for_long(new_life: New, seed: int) -> None:
    play(new_life, seed)
