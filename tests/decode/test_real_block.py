"""Ethereum's block 18,500,000: the logs that thirteen well-known events explain, against eth-abi's values."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import psycopg
import pytest
from chainfirst.indexer import decode
from chainfirst.indexer.structs import Log
from chainfirst.schema import abi, layout
from eth_abi import abi as eth_abi

DATA = Path(__file__).parent.parent / "data"
TIME = "2023-11-04 16:58:07+00"
Key = tuple[str, int]

# first 4 bytes of topic 0 and number of topics, as the contracts' explorers show them, with the number of
# logs that the block's receipts hold: counted by these alone, without an ABI
EXPECTED = {
    "erc20_transfer": ("0xddf252ad", 3, 161),
    "erc20_approval": ("0x8c5be1e5", 3, 24),
    "erc721_transfer": ("0xddf252ad", 4, 17),
    "erc721_approval": ("0x8c5be1e5", 4, 2),
    "weth_deposit": ("0xe1fffcc4", 2, 18),
    "weth_withdrawal": ("0x7fcf532c", 2, 14),
    "uniswap_v2_pair_swap": ("0xd78ad95f", 3, 34),
    "uniswap_v2_pair_sync": ("0x1c411e9a", 1, 33),
    "uniswap_v2_pair_mint": ("0x4c209b5f", 2, 0),
    "uniswap_v2_pair_burn": ("0xdccd412f", 3, 0),
    "uniswap_v3_pool_swap": ("0xc42079f9", 3, 22),
    "uniswap_v3_pool_mint": ("0x7a53080b", 4, 1),
    "uniswap_v3_pool_burn": ("0x0c396cd9", 4, 1),
}


@pytest.fixture(scope="module")
def logs() -> list[Log]:
    receipts = json.loads((DATA / "ethereum-18500000.receipts.json").read_text())
    return [msgspec.convert(log, Log) for receipt in receipts for log in receipt["logs"]]


@pytest.fixture(scope="module")
def decoders() -> dict[Key, decode.Decoder]:
    """By topic 0 and number of topics."""
    layouts = [
        made
        for path in sorted((DATA / "abi").glob("*.json"))
        if any(table.startswith(f"{path.stem}_") for table in EXPECTED)
        for made in layout.event_layouts(path.stem, abi.read(path))
    ]
    layout.check_tables(layouts)
    return {(made.topic0, made.n_topics): decode.compile_event(made) for made in layouts}


def by_eth_abi(made: layout.EventLayout, log: Log) -> dict[str, object]:
    """The log's values as eth-abi reads them; all these types are static and unhashed."""
    indexed = [column for column in made.columns if column.indexed]
    plain = [column for column in made.columns if not column.indexed]
    words = bytes.fromhex("".join(topic[2:] for topic in log.topics[1:]))
    values = eth_abi.decode([column.abi_type for column in indexed], words)
    values += eth_abi.decode([column.abi_type for column in plain], bytes.fromhex(log.data[2:]))
    found = dict(zip([column.name for column in (*indexed, *plain)], values, strict=True))
    return {column.name: found[column.name] for column in made.columns}


def test_the_block_has_its_logs(logs: list[Log], decoders: dict[Key, decode.Decoder]) -> None:
    assert len(logs) == 408
    raw = Counter((log.topics[0][:10], len(log.topics)) for log in logs)
    assert {table: raw[topic, n] for table, (topic, n, _) in EXPECTED.items()} == {
        table: count for table, (_, _, count) in EXPECTED.items()
    }
    assert {
        made.layout.table: (made.layout.topic0[:10], made.layout.n_topics) for made in decoders.values()
    } == {table: (topic, n) for table, (topic, n, _) in EXPECTED.items()}


def test_each_log_is_decoded_as_eth_abi_decodes_it(
    logs: list[Log], decoders: dict[Key, decode.Decoder]
) -> None:
    counts: Counter[str] = Counter()
    for log in logs:
        made = decoders.get((log.topics[0], len(log.topics)))
        if made is None:
            continue
        counts[made.layout.table] += 1
        expected = by_eth_abi(made.layout, log)
        assert made.values(log) == expected
        assert made.encode(log, TIME).rstrip("\n").split("\t") == [
            "18500000",
            str(int(log.transaction_index, 16)),
            str(int(log.log_index, 16)),
            TIME,
            log.transaction_hash,
            log.address,
            *map(str, expected.values()),
        ]
    assert counts == {table: count for table, (_, _, count) in EXPECTED.items() if count}


def test_the_block_in_postgresql(
    logs: list[Log], decoders: dict[Key, decode.Decoder], connection: psycopg.Connection
) -> None:
    """Every log of the block lands in its table, and the rest in event.undecoded, whole."""
    lines: dict[str, list[str]] = {layout.UNDECODED: []}
    for log in logs:
        made = decoders.get((log.topics[0], len(log.topics)))
        table = made.layout.table if made else layout.UNDECODED
        encode: Callable[[Log, str], str] = (
            made.encode if made else lambda log, at: decode.undecoded_line(log, at, "no ABI")
        )
        lines.setdefault(table, []).append(encode(log, TIME))
    tables = [layout.table(made.layout) for made in decoders.values()] + [layout.undecoded_table()]
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        for made_table in tables:
            cursor.execute(layout.create_table(made_table).encode())
            with cursor.copy(f'COPY event."{made_table.name}" FROM STDIN'.encode()) as copy:
                copy.write("".join(lines.get(made_table.name, [])))
        for name, (_, _, count) in EXPECTED.items():
            row = cursor.execute(f'SELECT count(*) FROM event."{name}"'.encode()).fetchone()
            assert row == (count,)
        cursor.execute("SELECT tx_hash, topics, data FROM event.undecoded ORDER BY tx_index, log_index")
        kept = [
            (log.transaction_hash, log.topics, bytes.fromhex(log.data[2:]))
            for log in logs
            if (log.topics[0], len(log.topics)) not in decoders
        ]
        assert cursor.fetchall() == kept
