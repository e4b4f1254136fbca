"""Laws 4 and 5 as random lives: whatever happens, each wish has at most one effect, and it is known which.

A seed is the test's parameter: replay one with -k.
"""

import random
from collections.abc import Callable, Iterator

import pytest
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.tests.contracts.conftest import Platform
from chainfirst.tests.writers.life import Life
from chainfirst.tests.writers.verdict import Verdict

STEPS = 50
New = Callable[[int], Life]


@pytest.fixture
def new_life(
    pg_cluster: Cluster, pg_url: str, writer_node: Anvil, writer_platform: Platform
) -> Iterator[New]:
    """A life of this seed on the platform's node, which is rolled back after it."""
    snapshot = writer_platform.rpc("evm_snapshot")
    lives: list[Life] = []

    def make(seed: int) -> Life:
        lives.append(Life(pg_cluster, pg_url, writer_platform, writer_node.url, random.Random(seed)))
        return lives[0]

    try:
        yield make
    finally:
        for life in lives:
            life.close()
        assert writer_platform.rpc("evm_revert", snapshot)


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
