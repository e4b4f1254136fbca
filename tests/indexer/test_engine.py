"""The engine on a real node and a real database: what the tables hold is what the chain says."""

import contextlib
import random
from typing import Any

import msgspec
import pytest
from chainfirst.indexer import chain as chains
from chainfirst.indexer import engine, finality
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.indexer.structs import Header
from chainfirst.ops.errors import FatalError, ResetError, TransientError
from chainfirst.tests.laws.world import Faulty

DEPTH = finality.Depth(5)


def drain(indexer: engine.Indexer) -> int:
    """Step until there is nothing to do; how many steps advanced."""
    for steps in range(10_000):
        if indexer.step() is engine.Progress.IDLE:
            return steps
    raise AssertionError("the indexer never rests")


def assert_true(database: Any, chain: Any, start: int = 0) -> None:
    """Rows, cursor and kept blocks are those of the canonical chain."""
    assert database.rows() == [row for row in chain.truth() if row[0] >= start]
    cursor = database.cursor()
    assert (cursor.indexed_number, cursor.indexed_hash) == (chain.head(), chain.block_hash(chain.head()))
    kept = database.observer.execute("SELECT number, hash FROM chain.blocks ORDER BY 1").fetchall()
    assert kept == [(number, chain.block_hash(number)) for number in range(kept[0][0], chain.head() + 1)]
    assert cursor.final_number in (None, kept[0][0])


def test_history_and_head_go_through_one_cursor(database: Any, chain: Any) -> None:
    for _ in range(5):
        chain.emit(3)
        chain.mine(40)
    indexer = database.indexer(blocks=30)
    assert drain(indexer) > 3
    assert_true(database, chain)
    chain.emit(2)
    drain(indexer)
    assert_true(database, chain)
    assert len(database.rows()) == 17


def test_blocks_that_arrive_during_the_last_range_are_not_lost(database: Any, chain: Any) -> None:
    chain.emit(1)
    chain.mine(100)
    indexer = database.indexer(blocks=1000)
    while indexer.step() is engine.Progress.ADVANCED:
        if chain.head() < 110:
            chain.emit(1)
    assert_true(database, chain)


@pytest.mark.parametrize("depth", [1, 3])
def test_a_reorg_is_replaced_in_one_transaction(database: Any, chain: Any, depth: int) -> None:
    chain.mine(10)
    for _ in range(4):
        chain.emit(2)
    indexer = database.indexer(policy=DEPTH)
    drain(indexer)
    before = database.rows()
    chain.call("anvil_reorg", [depth, []])
    chain.emit(1)
    assert indexer.step() is engine.Progress.ADVANCED
    assert_true(database, chain)
    assert database.rows() != before
    kinds = database.observer.execute("SELECT kind FROM chain.changes ORDER BY seq DESC LIMIT 1").fetchone()
    assert kinds == ("rollback",)


def test_a_rollback_that_announces_nothing_is_seen_when_the_chain_grows(database: Any, chain: Any) -> None:
    chain.mine(10)
    chain.emit(2)
    chain.emit(2)
    indexer = database.indexer(policy=DEPTH)
    drain(indexer)
    chain.call("anvil_rollback", [2])
    assert indexer.step() is engine.Progress.IDLE  # it may be a node that lags: nothing is thrown away
    assert len(database.rows()) == 4
    chain.emit(7)
    drain(indexer)
    assert_true(database, chain)
    assert len(database.rows()) == 7


def test_a_change_spans_what_a_shorter_chain_takes_away(database: Any, chain: Any) -> None:
    chain.mine(10)
    for _ in range(4):
        chain.emit(1)
    indexer = database.indexer(policy=finality.Depth(8))
    drain(indexer)
    before = chain.head()
    chain.call("anvil_rollback", [4])
    chain.emit(3)
    drain(indexer)
    assert_true(database, chain)
    change = database.observer.execute(
        "SELECT kind, from_block, to_block, removed FROM chain.changes ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    assert change == ("rollback", before - 3, before, {"token_transfer": 4})


def test_a_restart_goes_on_even_if_the_tip_was_replaced_meanwhile(database: Any, chain: Any) -> None:
    chain.mine(10)
    chain.emit(2)
    drain(database.indexer(policy=DEPTH))
    chain.call("anvil_reorg", [1, []])
    chain.emit(1)
    chain.mine(200)  # final is far above now: ranges must not build on the orphaned tip
    drain(database.indexer(policy=DEPTH))
    assert_true(database, chain)


def test_the_start_block_is_replaced_before_anything_is_final(database: Any, chain: Any) -> None:
    chain.mine(5)
    chain.emit(1)
    start = chain.head()
    chain.emit(1)
    indexer = database.indexer(policy=finality.Depth(20), start=start)
    drain(indexer)
    assert database.cursor().final_number is None
    chain.call("anvil_reorg", [3, []])
    chain.emit(2)
    drain(indexer)
    assert_true(database, chain, start)


def test_another_chain_does_not_replace_what_is_not_final_yet(database: Any, chain: Any) -> None:
    chain.mine(5)
    chain.emit(1)
    indexer = database.indexer(policy=finality.Depth(20), start=chain.head())
    drain(indexer)
    before = database.rows(), database.cursor()
    chain.call("anvil_reset", [])
    chain.mine(10)
    with pytest.raises(chains.FinalityViolated, match="genesis"):
        drain(indexer)
    assert (database.rows(), database.cursor()) == before


def test_a_reorg_below_the_final_block_is_fatal_and_changes_nothing(database: Any, chain: Any) -> None:
    chain.mine(10)
    chain.emit(2)
    chain.mine(6)
    indexer = database.indexer(policy=DEPTH)
    drain(indexer)
    before = database.rows(), database.cursor()
    chain.call("anvil_reorg", [8, []])
    chain.mine(1)
    with pytest.raises(chains.FinalityViolated):
        drain(indexer)
    assert (database.rows(), database.cursor()) == before


def test_final_follows_the_tag_and_prunes_what_is_kept(database: Any, chain: Any) -> None:
    chain.mine(10)
    drain(database.indexer())
    cursor = database.cursor()
    assert cursor.final_number == int(chain.call("eth_getBlockByNumber", ["finalized", False])["number"], 16)


def test_a_leader_that_lost_its_epoch_writes_nothing(database: Any, chain: Any) -> None:
    chain.emit(1)
    indexer = database.indexer()
    drain(indexer)
    before = database.rows(), database.cursor()
    chain.emit(1)
    database.observer.execute("UPDATE chain.leader SET epoch = epoch + 1")
    with pytest.raises(FatalError, match="another daemon leads"):
        indexer.step()
    assert (database.rows(), database.cursor()) == before


def test_a_cursor_that_somebody_moved_resets_the_indexer(database: Any, chain: Any) -> None:
    chain.emit(1)
    stale, other = database.indexer(policy=DEPTH), database.indexer(policy=DEPTH)
    drain(stale)
    chain.emit(1)
    drain(other)
    chain.emit(1)
    with pytest.raises(ResetError):
        stale.step()
    drain(stale)
    assert_true(database, chain)


def play(database: Any, chain: Any, seed: int, steps: int) -> None:
    """Mine, reorg, roll back, restart, lag, lose answers; then the tables are the chain's."""
    print(f"seed {seed}")  # a failing run shows it: play it again
    dice = random.Random(seed)
    reader = Faulty(chain.endpoint_url, dice)
    policy = finality.Depth(20)
    start = dice.choice([0, dice.randint(25, 40)])  # one that is not final yet
    chain.mine(30)
    indexer = database.indexer(reader, policy, blocks=dice.randint(1, 50), start=start)
    for _ in range(steps):
        match dice.choices(["emit", "mine", "reorg", "rollback", "step", "restart"], [6, 2, 2, 1, 8, 1])[0]:
            case "emit":
                chain.emit(dice.randint(1, 5))
            case "mine":
                chain.mine(dice.choice([1, 2, 100]) if dice.random() < 0.2 else 1)
            case "reorg":
                depth = dice.randint(1, 6)
                chain.call("anvil_reorg", [depth, [[chain.transaction(3), 0]]])
            case "rollback":
                chain.call("anvil_rollback", [dice.randint(1, 4)])
                chain.emit(1)
            case "restart":
                indexer = database.indexer(reader, policy, blocks=dice.randint(1, 50), start=start)
            case _:
                with contextlib.suppress(TransientError):
                    indexer.step()
    chain.mine(max(1, start - chain.head()))
    drain(database.indexer(policy=policy, start=start))
    assert_true(database, chain, start)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_lives(database: Any, chain: Any, seed: int) -> None:
    play(database, chain, seed, 60)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1050))
def test_random_lives_for_long(database: Any, chain: Any, seed: int) -> None:
    play(database, chain, seed, 400)


def test_a_node_on_another_chain_is_refused(database: Any, chain: Any) -> None:
    class Other(Client):
        def header_by_number(self, block: int | str) -> Header | None:
            header = super().header_by_number(block)
            return header and msgspec.structs.replace(header, hash="0x" + "ab" * 32)

    with pytest.raises(chains.FinalityViolated, match="genesis"):
        database.indexer(Other(Endpoint(chain.endpoint_url))).step()
