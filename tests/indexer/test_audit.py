"""The audit finds what was changed by hand, and nothing where tables and node agree."""

import dataclasses
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from chainfirst.indexer import audit, decode, engine, finality, rewind, router
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.indexer.structs import Header, Log
from chainfirst.ops.errors import ConfigError
from chainfirst.schema import layout

DEPTH = finality.Depth(3)
TABLE = "event.token_transfer"


def setup(chain: Any) -> engine.Setup:
    source = router.Source(decode.compile_event(chain.layout), frozenset([chain.emitter]))
    columns = [name for name, _ in layout.COMMON] + [column.name for column in chain.layout.columns]
    return engine.Setup(router.Router([source]), {chain.layout.table: columns}, (), 0, DEPTH)


def index(database: Any, chain: Any) -> None:
    """Bring the database to the head, and note the source as the daemon does."""
    indexer = database.indexer(policy=DEPTH)
    while indexer.step() is engine.Progress.ADVANCED:
        pass
    database.observer.execute(
        "INSERT INTO chain.sources (table_name, contract, event, filter, fingerprint, complete_to, joined)"
        " VALUES ('token_transfer', 'token', 'Transfer', '{}', 'x', -1, true) ON CONFLICT DO NOTHING"
    )


def compare(
    database: Any,
    chain: Any,
    reader: Any = None,
    choose: Callable[[int], tuple[int, int]] = lambda indexed: (0, indexed),
    limit: int = 100,
) -> audit.Report:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            client = reader or Client(Endpoint(chain.endpoint_url))
            return audit.compare(connection, client, setup(chain), choose, limit=limit, pause=lambda _: None)


def history(chain: Any) -> None:
    """Transfers in blocks far below the final one, at it, and above it."""
    for _ in range(3):
        chain.emit(2)
        chain.mine(40)
    for _ in range(6):
        chain.emit(2)


def test_a_true_database_has_no_difference(database: Any, chain: Any) -> None:
    history(chain)
    index(database, chain)
    report = compare(database, chain)
    assert (report.count, report.differences, report.notes) == (0, [], [])
    assert (report.first, report.last, report.logs) == (0, chain.head(), 18)
    assert report.tables == 2  # the transfers, and what could not be decoded


@pytest.mark.parametrize("above_final", [False, True])
def test_every_kind_of_tampering_is_found(database: Any, chain: Any, above_final: bool) -> None:
    history(chain)
    index(database, chain)
    final = database.cursor().final_number
    blocks = sorted({row[0] for row in database.rows() if (row[0] > final) is above_final})
    changed, gone, added = blocks[:3]
    run = database.observer.execute
    run(f"UPDATE {TABLE} SET value = value + 1 WHERE block_number = %s AND log_index = 0", [changed])
    run(f"DELETE FROM {TABLE} WHERE block_number = %s", [gone])
    run(
        f'INSERT INTO {TABLE} SELECT block_number, tx_index, 99, block_time, tx_hash, address, "from", "to",'
        f" value FROM {TABLE} WHERE block_number = %s AND log_index = 0",
        [added],
    )
    run(
        "INSERT INTO event.undecoded VALUES (%s, 0, 0, now(), '0x01', '0x02', '{}', '', 'made up')",
        [added],
    )
    report = compare(database, chain)
    seen = sorted((each.relation, each.kind, each.row["block_number"]) for each in report.differences)
    assert seen == sorted(
        [
            (TABLE, "changed", changed),
            (TABLE, "missing", gone),
            (TABLE, "missing", gone),
            (TABLE, "extra", added),
            ("event.undecoded", "extra", added),
        ]
    )
    assert report.count == 5
    (change,) = [each for each in report.differences if each.kind == "changed"]
    assert change.node == {"value": change.row["value"] - 1}
    assert report.lowest == changed
    few = compare(database, chain, limit=2)
    assert (few.count, len(few.differences), few.lowest) == (5, 2, changed)


def test_only_the_blocks_asked_for_are_compared(database: Any, chain: Any) -> None:
    history(chain)
    index(database, chain)
    place = database.rows()[0][0]
    database.observer.execute(f"DELETE FROM {TABLE} WHERE block_number = %s", [place])
    beside = compare(database, chain, choose=audit.choice(place + 1, 10_000, 0, 1_000))
    assert (beside.count, beside.first, beside.last) == (0, place + 1, chain.head())
    assert compare(database, chain, choose=audit.choice(place, place, 0, 1_000)).count == 2
    newest = compare(database, chain, choose=audit.choice(None, None, 0, 5))
    assert (newest.count, newest.first) == (0, chain.head() - 4)
    assert compare(database, chain, choose=audit.choice(None, None, 0, None)).first == 0
    with pytest.raises(ConfigError, match="no block from 999 to 1000 is indexed"):
        compare(database, chain, choose=audit.choice(999, 1_000, 0, 1_000))


def test_a_row_above_the_cursor_is_extra(database: Any, chain: Any) -> None:
    history(chain)
    index(database, chain)
    database.observer.execute(
        f"UPDATE {TABLE} SET block_number = 5000 WHERE block_number = %s", [chain.head()]
    )
    kinds = [(each.kind, each.row["block_number"]) for each in compare(database, chain).differences]
    assert sorted(kinds) == [("extra", 5000)] * 2 + [("missing", chain.head())] * 2


def test_a_kept_block_that_is_gone_is_missing(database: Any, chain: Any) -> None:
    history(chain)
    index(database, chain)
    gone = chain.head() - 1
    database.observer.execute("DELETE FROM chain.blocks WHERE number = %s", [gone])
    found = compare(database, chain).differences
    assert audit.Difference("chain.blocks", "missing", {"number": gone}) in found


def test_a_reorganisation_is_no_difference_but_asks_for_a_new_snapshot(database: Any, chain: Any) -> None:
    history(chain)
    index(database, chain)
    chain.call("anvil_reorg", [2, [[chain.transaction(3), 0]]])
    with pytest.raises(audit.Moved, match="the node has"):
        compare(database, chain)
    final = database.cursor().final_number
    assert compare(database, chain, choose=audit.choice(0, final, 0, 1_000)).count == 0
    chain.mine(1)
    index(database, chain)
    assert compare(database, chain).count == 0


def test_a_reorganisation_in_the_midst_of_it(database: Any, chain: Any) -> None:
    history(chain)
    index(database, chain)

    class Reorganising(Client):
        """Reorganises once the headers are read: the logs by hash must not be of other blocks."""

        done = False

        def headers_by_number(self, numbers: Any) -> list[Header]:
            found = super().headers_by_number(numbers)
            if not self.done:
                self.done = True
                chain.call("anvil_reorg", [2, [[chain.transaction(3), 0]]])
            return found

    with pytest.raises(audit.Moved):
        compare(database, chain, Reorganising(Endpoint(chain.endpoint_url)))
    chain.mine(1)
    index(database, chain)
    assert compare(database, chain).count == 0


def test_another_final_block_is_a_difference(database: Any, chain: Any) -> None:
    history(chain)
    index(database, chain)
    final = database.cursor().final_number
    chain.call("anvil_reorg", [6, []])
    report = compare(database, chain)
    assert report.differences[0].relation == "chain.cursor"
    assert report.differences[0].row["final_number"] == final
    assert {each.kind for each in report.differences[1:]} == {"extra"}


def test_a_node_that_allows_few_blocks_is_asked_for_few(database: Any, chain: Any) -> None:
    history(chain)
    index(database, chain)

    class Narrow(Client):
        asked = 0

        def logs_by_range(self, wanted: Any, first: int, last: int) -> tuple[list[Log], int]:
            if last - first >= 10:
                from chainfirst.indexer.rpc import errors

                raise errors.make(errors.Kind.RANGE_TOO_LARGE, "no", text="maximum block range: 10")
            self.asked += 1
            return super().logs_by_range(wanted, first, last)

    reader = Narrow(Endpoint(chain.endpoint_url))
    report = compare(database, chain, reader)
    assert (report.count, report.logs) == (0, 18)
    assert reader.asked >= 12


def test_a_table_is_compared_as_far_as_it_is_complete(database: Any, chain: Any) -> None:
    history(chain)
    index(database, chain)
    second = database.rows()[2][0]
    run = database.observer.execute
    run("UPDATE chain.sources SET joined = false, complete_to = %s", [second - 1])
    run(f"DELETE FROM {TABLE} WHERE block_number >= %s", [second])
    report = compare(database, chain)
    assert (report.count, report.logs) == (0, 2)
    assert report.notes == [f"{TABLE} is complete to block {second - 1} only"]
    run(f"DELETE FROM {TABLE}")
    assert compare(database, chain).count == 2


def test_a_table_that_is_configured_no_more_is_named(database: Any, chain: Any) -> None:
    history(chain)
    index(database, chain)
    database.observer.execute("UPDATE chain.sources SET table_name = 'old_transfer'")
    notes = " ".join(compare(database, chain).notes)
    assert f"{TABLE} is not indexed yet" in notes
    assert "event.old_transfer is not configured any more: not compared" in notes


def test_segments() -> None:
    limits = {"a": 100, "b": 40, "c": 5}
    both = audit.segments(limits, 10, 200)
    assert [(part.first, part.last, set(part.tables)) for part in both] == [
        (10, 40, {"a", "b"}),
        (41, 100, {"a"}),
    ]
    assert audit.segments(limits, 101, 200) == []
    assert [(part.first, part.last) for part in audit.segments(limits, 0, 30)] == [(0, 5), (6, 30)]


def plan(database: Any, chain: Any, number: int, checked: bool = True) -> rewind.Plan:
    with psycopg.connect(database.url, autocommit=True) as connection:
        client = Client(Endpoint(chain.endpoint_url))
        return rewind.plan(connection, client, setup(chain), number, checked=checked, pause=lambda _: None)


def test_a_rewind_is_planned_only_to_what_tables_and_node_have_in_common(database: Any, chain: Any) -> None:
    history(chain)
    index(database, chain)
    head = chain.head()
    assert plan(database, chain, head).rows == {}
    assert plan(database, chain, head - 1).rows == {"token_transfer": 2}
    assert plan(database, chain, -1).block is None
    for wrong in (head + 1, 10_000):
        with pytest.raises(rewind.Refused, match="there is no way back"):
            plan(database, chain, wrong)
    chain.call("anvil_reorg", [5, []])
    chain.mine(1)
    common = head - 5
    for wrong in (head, head - 1, common + 1):
        with pytest.raises(rewind.Refused, match=f"block {common + 1} is not the node's.*--to {common}"):
            plan(database, chain, wrong)
    good = plan(database, chain, common)
    assert good.block is not None
    assert good.block.hash == chain.block_hash(common)
    assert good.rows == {"token_transfer": 10}


def test_a_tampered_row_below_refuses_a_rewind_unless_unchecked(database: Any, chain: Any) -> None:
    history(chain)
    index(database, chain)
    place = database.rows()[2][0]
    database.observer.execute(f"UPDATE {TABLE} SET value = 0 WHERE block_number = %s", [place])
    with pytest.raises(rewind.Refused, match=f"block {place} is not the node's.*--to {place - 1}"):
        plan(database, chain, place + 3)
    assert plan(database, chain, place + 3, checked=False).block is not None
    assert plan(database, chain, place - 1).block is not None


def test_another_genesis_is_refused(database: Any, chain: Any) -> None:
    index(database, chain)
    database.observer.execute("ALTER TABLE chain.cursor DISABLE TRIGGER guard")
    database.observer.execute("UPDATE chain.cursor SET genesis_hash = %s", ["0x" + "ab" * 32])
    with pytest.raises(rewind.Refused, match="--reset-dev"):
        plan(database, chain, 0)


def test_the_report_is_plain_data(database: Any, chain: Any) -> None:
    index(database, chain)
    assert dataclasses.asdict(compare(database, chain))["count"] == 0
