"""What a round costs beside a hundred thousand intents that have ended: next to nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from chainfirst.tests.writers.strangers import verified
from chainfirst.tests.writers.world import World

SQL = Path(__file__).parent.parent / "data" / "ended_intents.sql"
ENDED = 100_000
FEW = 600
"""Rows that may be read in a round: of the intents that are open, and of the tables that are small."""
TABLES = ("intents", "transactions", "attempts", "inclusions", "settlements", "history", "lanes")


@pytest.fixture
def full(world: World) -> World:
    signer = world.platform.at["operator"].lower()
    statements = SQL.read_text().replace(":signer", f"'{signer}'").replace(":ended", str(ENDED))
    with world.app.transaction():
        world.app.execute("SET LOCAL session_replication_role = replica")  # no triggers
        world.app.execute(statements.encode())
    nonce = world.one("SELECT explained_to FROM intent.lanes")
    world.rpc("anvil_setNonce", world.platform.at["operator"], hex(nonce))
    world.round()
    return world


def rows_read(world: World, work: Callable[[], object]) -> dict[str, int]:
    """Rows of the schema intent that the daemon's session reads for that."""

    def counted() -> dict[str, int]:
        for connection in (world.connection, world.app):
            connection.execute("SELECT pg_stat_force_next_flush()")
            connection.execute("SELECT 1")
        world.app.execute("SELECT pg_stat_clear_snapshot()")
        return dict(
            world.all(
                "SELECT relname::text, (seq_tup_read + coalesce(idx_tup_fetch, 0))::int"
                " FROM pg_stat_user_tables WHERE schemaname = 'intent'"
            )
        )

    before = counted()
    work()
    after = counted()
    return {name: after[name] - before[name] for name in TABLES if after[name] != before[name]}


def test_a_round_reads_few_rows(full: World) -> None:
    world = full
    world.app.execute("VACUUM ANALYZE")  # as autovacuum does; before that a round costs some 20 ms

    def rounds() -> None:
        world.mine()
        world.index()
        while world.lane.step(world.node):
            pass

    rounds()
    idle = rows_read(world, rounds)
    assert sum(idle.values()) < FEW, idle
    intents = [world.submit("investor.set_verified", **verified(number)) for number in range(1, 6)]
    signing = rows_read(world, rounds)
    assert sum(signing.values()) < FEW, signing
    settling = rows_read(world, rounds)
    assert sum(settling.values()) < FEW, settling
    world.rpc("anvil_reorg", 1, [])
    unsettling = rows_read(world, rounds)
    assert sum(unsettling.values()) < FEW, unsettling
    for _ in range(5):
        ending = rows_read(world, rounds)
        assert sum(ending.values()) < FEW, ending
    assert {world.status(each) for each in intents} == {"confirmed"}
