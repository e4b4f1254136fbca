"""An app that holds intents, and is slow to commit, holds up neither a lane nor a block."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from chainfirst.ops import failpoint
from chainfirst.tests.writers.strangers import verified
from chainfirst.tests.writers.world import World


@contextmanager
def slow_app(world: World, monkeypatch: pytest.MonkeyPatch, at: str, intent: uuid.UUID) -> Iterator[None]:
    """From that point on an app is about to cancel an intent, uncommitted; nobody waits a second for it."""
    with psycopg.connect(world.database) as app:

        def reach(name: str) -> None:
            if name == at:
                app.execute("SELECT intent.cancel(%s)", [intent])

        world.connection.execute("SET lock_timeout = '1s'")
        with monkeypatch.context() as patched:
            patched.setattr(failpoint, "reach", reach)
            yield
        app.rollback()
    world.connection.execute("RESET lock_timeout")


def bad(world: World) -> uuid.UUID:
    return world.submit("investor.set_verified", investor="0x12", verified=True)


def refused(world: World) -> uuid.UUID:
    return world.submit("campaign.cancel", campaign=str(uuid.uuid4()), reason="x")


def good(world: World) -> uuid.UUID:
    return world.submit("investor.set_verified", **verified(1))


@pytest.mark.parametrize("submit", [good, bad, refused])
@pytest.mark.parametrize("at", ["claim.after", "prepare.committed"])
def test_what_an_app_takes_while_a_lane_looks_at_it_comes_later(
    world: World, monkeypatch: pytest.MonkeyPatch, at: str, submit: Callable[[World], uuid.UUID]
) -> None:
    intent = submit(world)
    world.index()
    other = world.submit("investor.set_verified", **verified(2))
    with slow_app(world, monkeypatch, at, intent):
        world.round()
        assert world.status(other) == "sent"
        assert world.status(intent) in ("pending", "waiting")
        for _ in range(4):
            world.mine()
            world.round()
        assert world.status(other) == "confirmed"
    for _ in range(6):
        world.mine()
        world.round()
    assert world.status(intent) == ("confirmed" if submit is good else "rejected")
    world.assert_consistent()
