"""Names, types and DDL of event tables."""

import json
from pathlib import Path

import pytest
from chainfirst.ops.errors import ConfigError
from chainfirst.schema import abi, layout


def event(name: str, *params: str, anonymous: bool = False) -> dict[str, object]:
    """An ABI entry from "type [indexed] [name]" texts."""
    inputs = []
    for param in params:
        kind, *rest = param.split()
        indexed = rest[:1] == ["indexed"]
        rest = rest[indexed:]
        inputs.append({"type": kind, "indexed": indexed, "name": rest[0] if rest else ""})
    return {"type": "event", "name": name, "inputs": inputs, "anonymous": anonymous}


TRANSFER = event("Transfer", "address indexed from", "address indexed to", "uint256 value")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Transfer", "transfer"),
        ("TransferSingle", "transfer_single"),
        ("sqrtPriceX96", "sqrt_price_x96"),
        ("amount0In", "amount0_in"),
        ("tokenURI", "token_uri"),
        ("ERC20Paused", "erc20_paused"),
        ("_from", "_from"),
        ("already_snake", "already_snake"),
    ],
)
def test_snake_case(name: str, expected: str) -> None:
    assert layout.snake_case(name) == expected


def test_an_erc20_transfer() -> None:
    (transfer,) = layout.event_layouts("token", [TRANSFER], ["Transfer"])
    assert transfer.topic0 == "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    assert (transfer.signature, transfer.n_topics) == ("Transfer(address,address,uint256)", 3)
    assert transfer.table == "token_transfer"
    assert [(column.name, column.sql_type) for column in transfer.columns] == [
        ("from", "text"),
        ("to", "text"),
        ("value", "numeric(78,0)"),
    ]
    ddl = layout.create_table(layout.table(transfer), if_not_exists=True)
    assert ddl.startswith('CREATE TABLE IF NOT EXISTS event."token_transfer"')
    assert '"from" TEXT NOT NULL' in ddl
    assert 'PRIMARY KEY ("block_number", "tx_index", "log_index")' in ddl


@pytest.mark.parametrize(
    ("kind", "indexed", "sql_type"),
    [
        ("uint8", False, "smallint"),
        ("int16", False, "smallint"),
        ("uint16", False, "integer"),
        ("int32", True, "integer"),
        ("uint32", False, "bigint"),
        ("int64", False, "bigint"),
        ("uint64", False, "numeric(78,0)"),
        ("uint", True, "numeric(78,0)"),
        ("bool", False, "boolean"),
        ("address", True, "text"),
        ("bytes32", False, "text"),
        ("function", False, "text"),
        ("string", False, "text"),
        ("bytes", False, "bytea"),
        ("bytes", True, "text"),
        ("uint256[2]", True, "text"),
        ("uint8[]", False, "jsonb"),
    ],
)
def test_sql_types(kind: str, indexed: bool, sql_type: str) -> None:
    (made,) = layout.event_layouts("c", [event("E", f"{kind}{' indexed' * indexed} v")])
    assert made.columns[0].sql_type == sql_type


def test_tuples_are_spelled_out_in_the_signature() -> None:
    part = {
        "name": "p",
        "type": "tuple[2][]",
        "components": [{"name": "a", "type": "uint"}, {"type": "string"}],
    }
    (made,) = layout.event_layouts("c", [{"type": "event", "name": "E", "inputs": [part]}])
    assert made.signature == "E((uint256,string)[2][])"
    assert made.columns[0].sql_type == "jsonb"
    assert [component.name for component in made.columns[0].components] == ["a", ""]


def test_a_taken_name_gets_underscores_and_a_missing_one_a_number() -> None:
    kinds = (
        "address address",
        "uint256 blockNumber",
        "uint256 a",
        "uint256 a",
        "uint256 A",
        "uint256",
        "bool arg5",
    )
    (made,) = layout.event_layouts("c", [event("E", *kinds)])
    expected = ["address_", "block_number_", "a", "a_", "a__", "arg5", "arg5_"]
    assert [column.name for column in made.columns] == expected


def test_long_names_are_cut_and_stay_distinct() -> None:
    long = "x" * 80
    first, second = layout.event_layouts(
        "c", [event(f"{long}a", f"bool {long}", f"bool {long}"), event(f"{long}b")]
    )
    names = {first.table, second.table, *(column.name for column in first.columns)}
    assert len(names) == 4
    assert {len(name) for name in names} == {63}


def test_overloads_are_named_by_their_topic_and_picking_renames_nothing() -> None:
    document = {"abi": [event("E", "bool a"), event("E", "uint256 a"), event("E", "bool a")]}
    plain, overload = layout.event_layouts("c", document)
    assert (plain.table, overload.table) == ("c_e", f"c_e_{overload.topic0[2:10]}")
    assert layout.event_layouts("c", document, ["E(uint256)"]) == (overload,)


def test_one_signature_with_other_indexed_flags_is_another_table() -> None:
    first, second = layout.event_layouts("c", [event("E", "bool a"), event("E", "bool indexed a")])
    assert first.topic0 == second.topic0
    assert (first.n_topics, second.n_topics) == (1, 2)
    assert second.table == f"c_e_{first.topic0[2:10]}"


def test_events_that_differ_in_names_alone_are_one() -> None:
    (made,) = layout.event_layouts("c", [event("E", "bool a"), event("E", "bool _a")])
    assert made.columns[0].name == "a"


@pytest.mark.parametrize("key", ["", "1a", "A", "a-b", 'a"b', "é"])
def test_keys_that_begin_no_table_name(key: str) -> None:
    with pytest.raises(ConfigError, match="contract key"):
        layout.event_layouts(key, [event("E")])


def test_depth_counts_through_tuples() -> None:
    kind: dict[str, object] = {"type": "bool", "name": ""}
    for _ in range(6):
        kind = {"type": "tuple[][]", "name": "", "components": [kind]}
    with pytest.raises(ConfigError, match="deeper"):
        layout.event_layouts("c", [{"type": "event", "name": "E", "inputs": [kind]}])


def test_collisions_are_config_errors() -> None:
    with pytest.raises(ConfigError, match="c_foo_bar"):
        layout.event_layouts("c", [event("FooBar"), event("fooBar")])
    both = (*layout.event_layouts("a_b", [event("C")]), *layout.event_layouts("a", [event("bC")]))
    with pytest.raises(ConfigError, match="a_b_c"):
        layout.check_tables(both)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "no ABI"),
        ("[", "no ABI"),
        ([event('E"; DROP TABLE x; --')], "an event named"),
        ([event("E", 'bool a"b')], "a parameter named"),
        ([event("E", "fixed128x18 a")], "not supported"),
        ([event("E", "uint7 a")], "not supported"),
        ([event("E", "bytes33 a")], "not supported"),
        ([event("E", "uint8[x] a")], "not supported"),
        ([event("E", "bool" + "[]" * 17 + " a")], "deeper"),
        ([event("E", *["bool indexed a"] * 4)], "4 indexed"),
    ],
)
def test_bad_abis(document: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        layout.event_layouts("c", document)


def test_a_type_that_cannot_be_decoded_matters_where_its_event_is_picked() -> None:
    inner = {"name": "p", "type": "tuple", "components": [{"name": "rate", "type": "fixed"}]}
    document = [event("E", "fixed a"), TRANSFER, {"type": "event", "name": "F", "inputs": [inner]}]
    document.append(event("E", "uint256 a"))
    (transfer,) = layout.event_layouts("c", document, ["Transfer"])
    assert transfer.table == "c_transfer"
    (overload,) = layout.event_layouts("c", document, ["E(uint256)"])
    assert overload.table == f"c_e_{overload.topic0[2:10]}"  # named over the whole ABI
    for picked in (None, ["E(fixed128x18)"], ["F"]):
        with pytest.raises(ConfigError, match="'fixed128x18', which is not supported"):
            layout.event_layouts("c", document, picked)


def test_an_unknown_event_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no event Nope.*Transfer\(address,address,uint256\)"):
        layout.event_layouts("token", [TRANSFER], ["Nope"])


def test_the_fingerprint_follows_flags_and_names() -> None:
    variants = ["uint256 a", "uint256 b", "uint256 indexed a", "uint128 a"]
    prints = {layout.event_layouts("c", [event("E", variant)])[0].fingerprint for variant in variants}
    assert len(prints) == 4
    assert layout.event_layouts("c", [event("E", "uint256 a")]) == layout.event_layouts(
        "c", [event("E", "uint a")]
    )


def test_abi_files(tmp_path: Path) -> None:
    path = tmp_path / "abi.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"abi": json.dumps([TRANSFER])}).encode())
    assert abi.events_of(abi.read(path))[0].name == "Transfer"
    path.write_text("<html>")
    with pytest.raises(ConfigError, match="not JSON"):
        abi.read(path)
    with pytest.raises(ConfigError, match="can't be read"):
        abi.read(tmp_path / "none.json")
