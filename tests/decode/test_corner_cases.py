"""What real chains and hostile contracts put into logs, one case a row."""

import json
import time
from collections.abc import Callable

import psycopg
import pytest
from chainfirst.indexer import decode, router, times
from chainfirst.indexer.decode import LossyText, MalformedLog, Undecodable
from chainfirst.indexer.structs import Log
from chainfirst.ops.errors import FatalError
from chainfirst.schema import layout
from eth_abi import abi as eth_abi

TIME = "2023-11-04 16:58:07+00"
MAX = 2**256 - 1
MakeLog = Callable[..., Log]
CopyLine = Callable[[str, str, str], dict[str, object]]


def decoder(*params: str, anonymous: bool = False) -> decode.Decoder:
    """The decoder of event E; a parameter is its type, "!" before it for indexed."""
    inputs = [{"name": "", "type": kind.lstrip("!"), "indexed": kind[0] == "!"} for kind in params]
    entry = {"type": "event", "name": "E", "inputs": inputs, "anonymous": anonymous}
    return decode.compile_event(layout.event_layouts("c", [entry])[0])


def fields(line: str) -> list[str]:
    """A line's parameter fields, as COPY writes them."""
    assert line.endswith("\n")
    assert line.count("\n") == 1
    return line[:-1].split("\t")[6:]


def word(value: int) -> str:
    return f"{value % 2**256:064x}"


def encoded(kinds: list[str], values: list[object]) -> str:
    return eth_abi.encode(kinds, values).hex()


TEXT = encoded(["string"], ["ok"])
# (case, parameters, indexed words, data without 0x, fields)
GOOD: list[tuple[str, list[str], list[str], str, list[str]]] = [
    ("largest uint256", ["uint256"], [], word(MAX), [str(MAX)]),
    ("smallest int256", ["int256"], [], word(-(2**255)), [str(-(2**255))]),
    ("negative narrow int", ["int8", "!int24"], [word(-5)], word(-128), ["-128", "-5"]),
    ("dirty address", ["!address"], ["01" + "06" * 31], "", ["0x" + "06" * 20]),
    ("dirty uint8", ["uint8"], [], "ff" * 31 + "07", ["7"]),
    ("dirty int8", ["int8"], [], "00" * 31 + "ff", ["-1"]),
    ("dirty bytes4", ["bytes4"], [], "AB" * 32, ["0xabababab"]),
    ("dirty bool", ["bool", "bool"], [], word(2) + word(0), ["t", "f"]),
    ("dirty inside an array", ["uint8[1]", "address[1]"], [], "ff" * 64, ['["255"]', f'["0x{"ff" * 20}"]']),
    ("bytes32 as text", ["bytes32"], [], b"MKR".hex().ljust(64, "0"), ["0x" + b"MKR".hex().ljust(64, "0")]),
    ("function", ["function"], [], "AA" * 24 + "00" * 8, ["0x" + "aa" * 24]),
    ("indexed string is a hash", ["!string"], ["CC" * 32], "", ["0x" + "cc" * 32]),
    ("indexed bytes is a hash", ["!bytes"], ["CC" * 32], "", ["0x" + "cc" * 32]),
    ("indexed array is a hash", ["!uint256[]"], ["cc" * 32], "", ["0x" + "cc" * 32]),
    ("indexed tuple is a hash", ["!tuple"], ["cc" * 32], "", ["0x" + "cc" * 32]),
    ("indexed static array is a hash", ["!uint8[2]"], ["cc" * 32], "", ["0x" + "cc" * 32]),
    ("zero address", ["!address", "address"], [word(0)], word(0), ["0x" + "00" * 20] * 2),
    ("array of length none", ["uint8[0]", "bool"], [], word(1), ["[]", "t"]),
    ("no parameters, no data", [], [], "", []),
    ("extra data", ["uint256"], [], word(1) + "abcd", ["1"]),
    ("no padding at the end", ["string"], [], TEXT[: 2 * 66], ["ok"]),
    ("offset elsewhere", ["string"], [], word(64) + word(9) + word(2) + "6f6b", ["ok"]),
    ("empty array", ["uint256[]"], [], encoded(["uint256[]"], [[]]), ["[]"]),
    (
        "large numbers in jsonb",
        ["uint256[]"],
        [],
        encoded(["uint256[]"], [[2**53 + 1]]),
        [f'["{2**53 + 1}"]'],
    ),
    ("nested arrays", ["int8[][2]"], [], encoded(["int8[][2]"], [[[-1], []]]), ['[["-1"],[]]']),
    ("bytes", ["bytes"], [], encoded(["bytes"], [b"\0\\"]), [r"\\x005c"]),
    ("empty bytes", ["bytes"], [], encoded(["bytes"], [b""]), [r"\\x"]),
    ("what COPY escapes", ["string"], [], encoded(["string"], ["a\tb\nc\rd\\N"]), [r"a\tb\nc\rd\\N"]),
    ("a field that looks like null", ["string"], [], encoded(["string"], ["\\N"]), [r"\\N"]),
    ("quotes in jsonb", ["string[]"], [], encoded(["string[]"], [['"\n\\']]), [r'["\\"\\n\\\\"]']),
]


@pytest.mark.parametrize(("case", "params", "topics", "data", "expected"), GOOD, ids=[row[0] for row in GOOD])
def test_decoded(
    case: str, params: list[str], topics: list[str], data: str, expected: list[str], make_log: MakeLog
) -> None:
    made = decoder(*params)
    log = make_log([made.layout.topic0, *("0x" + topic for topic in topics)], "0x" + data)
    assert fields(made.encode(log, TIME)) == expected
    assert list(made.values(log)) == [column.name for column in made.layout.columns]


NESTED = "uint256" + "[]" * 12
SHARED = word(3000) + "61" * 3000
# each level: ten offsets, all to the next level
BOMB = word(32) + (word(10) + word(320) * 10) * 12
# (case, parameters, topics after topic0, data without 0x, reason)
BAD: list[tuple[str, list[str], int, str, str]] = [
    ("a topic too few", ["!address"], 0, "", "1 topics, expected 2"),
    ("ERC-721 under an ERC-20 ABI", ["!address", "!address", "uint256"], 3, "", "4 topics, expected 3"),
    ("empty data", ["uint256"], 0, "", "data of 0 bytes, expected at least 32"),
    ("short data is not padded into a number", ["uint256"], 0, "01" * 31, "data of 31 bytes"),
    ("short inside a static array", ["uint8[2]"], 0, word(1), "expected at least 64"),
    ("offset beyond the data", ["string"], 0, word(2**255), "data ends"),
    ("length beyond the data", ["bytes"], 0, word(32) + word(2**64), "a length of"),
    ("huge array", ["uint256[]"], 0, word(32) + word(2**40), "an array of"),
    ("huge array of empty tuples", ["tuple[]"], 0, word(32) + word(2**40), "ABI bomb"),
    ("huge fixed array", [f"uint8[{2**40}]"], 0, word(1), "expected at least"),
    ("offsets that multiply", [NESTED], 0, BOMB, "ABI bomb"),
    ("one long text many times", ["string[]"], 0, word(32) + word(99) + word(3168) * 99 + SHARED, "ABI bomb"),
]


@pytest.mark.parametrize(("case", "params", "topics", "data", "reason"), BAD, ids=[row[0] for row in BAD])
def test_undecodable(
    case: str, params: list[str], topics: int, data: str, reason: str, make_log: MakeLog, copy_line: CopyLine
) -> None:
    made = decoder(*params)
    log = make_log([made.layout.topic0, *["0x" + "00" * 32] * topics], "0x" + data)
    started = time.perf_counter()
    with pytest.raises(Undecodable, match=reason) as caught:
        made.encode(log, TIME)
    assert time.perf_counter() - started < 1
    ddl = layout.create_table(layout.undecoded_table())
    row = copy_line("undecoded", ddl, decode.undecoded_line(log, TIME, caught.value.reason))
    assert (row["topics"], row["data"], row["reason"]) == (
        log.topics,
        bytes.fromhex(data),
        caught.value.reason,
    )


def test_the_widest_numbers_in_postgresql(
    make_log: MakeLog, copy_line: CopyLine, connection: psycopg.Connection
) -> None:
    made = decoder("uint256", "int256", "uint64", "int64")
    values = [MAX, -(2**255), 2**64 - 1, -(2**63)]
    log = make_log([made.layout.topic0], "0x" + "".join(map(word, values)))
    row = copy_line("c_e", layout.create_table(layout.table(made.layout)), made.encode(log, TIME))
    assert [row[f"arg{index}"] for index in range(4)] == values
    # a sum of them has no bound
    total = connection.execute("SELECT sum(v) FROM unnest(%s::numeric(78,0)[]) v", [[MAX, MAX]]).fetchone()
    assert total == (2 * MAX,)


def test_texts_of_megabytes(make_log: MakeLog, copy_line: CopyLine) -> None:
    """No index holds a parameter: a btree row is 2,704 bytes at most."""
    made = decoder("string", "bytes", "string[]")
    text, raw = "é" * 2_000_000, b"\xff\0" * 1_000_000
    log = make_log([made.layout.topic0], "0x" + encoded(["string", "bytes", "string[]"], [text, raw, [text]]))
    row = copy_line("c_e", layout.create_table(layout.table(made.layout)), made.encode(log, TIME))
    assert (row["arg0"], row["arg1"], row["arg2"]) == (text, raw, [text])


def test_names_that_are_sql_words_or_odd(make_log: MakeLog, copy_line: CopyLine) -> None:
    names = ["select", "user", "order", "table", "null", "$", "_", "a$B", "default"]
    inputs = [{"name": name, "type": "bool"} for name in names]
    (wanted,) = layout.event_layouts("select", [{"type": "event", "name": "From$", "inputs": inputs}])
    log = make_log([wanted.topic0], "0x" + word(1) * len(names))
    line = decode.compile_event(wanted).encode(log, TIME)
    row = copy_line(wanted.table, layout.create_table(layout.table(wanted)), line)
    assert wanted.table == "select_from$"
    assert [row[name.lower()] for name in names] == [True] * len(names)


def test_enums_contracts_and_types_of_users_are_what_they_are_made_of(make_log: MakeLog) -> None:
    """The compiler puts the underlying type into `type`, the source's name into `internalType`."""
    made_of = {"enum Game.Status": "uint8", "contract IERC20": "address", "Price": "uint128"}
    inputs = [{"name": "", "type": kind, "internalType": name} for name, kind in made_of.items()]
    (wanted,) = layout.event_layouts("c", [{"type": "event", "name": "E", "inputs": inputs}])
    assert wanted.signature == "E(uint8,address,uint128)"
    log = make_log([wanted.topic0], "0x" + word(2) + word(255) + word(9))
    assert fields(decode.compile_event(wanted).encode(log, TIME)) == ["2", f"0x{'00' * 19}ff", "9"]


def test_a_transaction_hash_of_zeros(make_log: MakeLog) -> None:
    """ZKsync's system logs."""
    made = decoder()
    line = made.encode(make_log([made.layout.topic0], "0x", transaction_hash="0x" + "00" * 32), TIME)
    assert line.split("\t")[4] == "0x" + "00" * 32


def test_two_versions_of_an_event_that_differ_in_what_is_indexed(make_log: MakeLog) -> None:
    """After an upgrade: each log is a row of the version that it fits, none is undecoded."""
    versions = [
        {"type": "event", "name": "E", "inputs": [{"name": "a", "type": "string", "indexed": indexed}]}
        for indexed in (False, True)
    ]
    sources = [
        router.Source(decode.compile_event(made), frozenset(["0x" + "ab" * 20]))
        for made in layout.event_layouts("c", versions)
    ]
    topic0 = sources[0].decoder.layout.topic0
    address = {"address": "0x" + "ab" * 20}
    logs = [
        make_log([topic0], "0x" + TEXT, **address, log_index="0x1"),
        make_log([topic0, "0x" + "cc" * 32], "0x", **address, log_index="0x2"),
    ]
    rows = router.Router(sources).rows(logs, {"0x11a49a0": TIME})
    assert {table: len(lines) for table, lines in rows.lines.items()} == {"c_e": 1, f"c_e_{topic0[2:10]}": 1}
    assert (rows.undecoded, rows.not_ours) == ([], 0)


def test_a_log_without_topics_is_routed(make_log: MakeLog) -> None:
    log = make_log([], "0x", address="0x" + "ab" * 20)
    here = frozenset([log.address])
    for made, addresses, outcome in (
        (decoder("bool"), None, "not ours"),
        (decoder("bool"), here, "not ours"),  # of no configured topic
        (decoder("bool", anonymous=True), here, "undecoded"),
        (decoder(anonymous=True), here, "row"),
    ):
        rows = router.Router([router.Source(made, addresses)]).rows([log], {log.block_number: TIME})
        found = "row" if rows.lines else "undecoded" if rows.undecoded else "not ours"
        assert found == outcome


def test_times_of_blocks(make_log: MakeLog) -> None:
    """The same second in several blocks (Arbitrum), hex, numbers; another unit is refused."""
    logs = [
        make_log([], "0x", block_number=hex(n), block_timestamp=t) for n, t in enumerate(["0x5", 5, "0x05"])
    ]
    assert set(times.of_logs(logs, lambda _: []).values()) == {"1970-01-01 00:00:05+00:00"}
    with pytest.raises(FatalError, match="another unit"):
        times.of_logs([make_log([], "0x", block_timestamp=hex(1_700_000_000_000))], lambda _: [])


def test_another_event(make_log: MakeLog) -> None:
    made, log = decoder("bool"), make_log(["0x" + "ee" * 32], "0x" + word(1))
    for call in (lambda: made.encode(log, TIME), lambda: made.values(log)):
        with pytest.raises(Undecodable, match="topic 0xee"):
            call()


def test_no_topics(make_log: MakeLog, copy_line: CopyLine) -> None:
    log = make_log([], "0x")
    with pytest.raises(Undecodable, match="0 topics"):
        decoder().encode(log, TIME)
    ddl = layout.create_table(layout.undecoded_table())
    row = copy_line("undecoded", ddl, decode.undecoded_line(log, TIME, "no\0 topic\ud800\t\\\n"))
    assert (row["topics"], row["reason"]) == ([], "no\ufffd topic\ufffd\t\\\n")


def test_anonymous(make_log: MakeLog) -> None:
    made = decoder("!uint8", "!uint8", "!uint8", "!uint8", anonymous=True)
    log = make_log(["0x" + word(value) for value in range(4)], "0x")
    assert fields(made.encode(log, TIME)) == ["0", "1", "2", "3"]
    assert list(made.values(log).values()) == [0, 1, 2, 3]


def test_one_signature_three_shapes(make_log: MakeLog) -> None:
    """ERC-20, ERC-721 and CryptoKitties share Transfer's topic; the number of topics tells them apart."""
    shapes = [decoder(*["!address"] * n, *["address"] * (2 - n), "uint256") for n in (0, 2)]
    shapes.append(decoder("!address", "!address", "!uint256"))
    assert len({shape.layout.topic0 for shape in shapes}) == 1
    assert [shape.layout.n_topics for shape in shapes] == [1, 3, 4]


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        (b"a\0b", "a\ufffdb"),
        (b"\xff", "\ufffd"),
        (b"\xed\xa0\x80", "\ufffd" * 3),  # a lone surrogate
    ],
)
def test_text_that_postgresql_cannot_hold(
    raw: bytes, stored: str, make_log: MakeLog, copy_line: CopyLine
) -> None:
    made = decoder("string", "string[]")
    log = make_log([made.layout.topic0], "0x" + encoded(["bytes", "bytes[]"], [raw, [raw]]))
    with pytest.raises(LossyText) as caught:
        made.encode(log, TIME)
    row = copy_line("c_e", layout.create_table(layout.table(made.layout)), caught.value.line)
    assert (row["arg0"], row["arg1"]) == (stored, [stored])
    assert made.values(log) == {"arg0": stored, "arg1": [stored]}


@pytest.mark.parametrize(
    "fields",
    [
        {"transaction_hash": "0x" + "ab" * 31},
        {"transaction_hash": "0x" + "ab" * 30 + "\n\\.\n"},
        {"address": "0x" + "ab" * 19 + "\t1"},
        {"address": "0x" + "zz" * 20},
        {"log_index": "0xfffffff7"},
        {"log_index": "-0x1"},
        {"transaction_index": ""},
        {"block_number": "latest"},
        {"data": "0x" + "0" * 63},
        {"data": "0x" + "0" * 62 + " \n"},
        {"data": "0" * 66},
        {"data": ""},
        {"topics": ["0x" + "ab" * 31 + "\n\n"]},
    ],
)
def test_not_a_log(fields: dict[str, object], make_log: MakeLog) -> None:
    made = decoder("uint256")
    log = make_log(**{"topics": [made.layout.topic0], "data": "0x" + word(1)} | fields)
    for call in (
        made.encode,
        lambda log, _: made.values(log),
        lambda log, _: decode.undecoded_line(log, TIME, ""),
    ):
        with pytest.raises((MalformedLog, Undecodable)):
            call(log, TIME)
    with pytest.raises(MalformedLog):
        decode.undecoded_line(log, TIME, "")


def test_tuples_keep_their_names(make_log: MakeLog, copy_line: CopyLine) -> None:
    components = [
        {"name": "tokenId", "type": "uint256"},
        {"name": "", "type": "string"},
        {"name": "tokenId", "type": "bool"},
        {"name": "raw", "type": "bytes"},
    ]
    entry = {
        "type": "event",
        "name": "E",
        "inputs": [{"name": "p", "type": "tuple[]", "components": components}],
    }
    made = decode.compile_event(layout.event_layouts("c", [entry])[0])
    data = encoded(["(uint256,string,bool,bytes)[]"], [[(MAX, "é", True, b"\1")]])
    log = make_log([made.layout.topic0.upper().replace("X", "x")], "0x" + data)
    expected = {"tokenId": str(MAX), "arg1": "é", "tokenId_": True, "raw": "0x01"}
    row = copy_line("c_e", layout.create_table(layout.table(made.layout)), made.encode(log, TIME))
    assert row["p"] == [expected]
    assert json.loads(fields(made.encode(log, TIME))[0]) == [expected]
    assert made.values(log)["p"] == [expected | {"tokenId": MAX, "raw": b"\1"}]
