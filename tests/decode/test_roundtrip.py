"""Random events and values: encoded by eth-abi, decoded, copied into PostgreSQL, read back equal."""

from collections.abc import Callable
from typing import Any

from chainfirst.indexer import decode
from chainfirst.indexer.structs import Log
from chainfirst.schema import layout
from eth_abi import abi as eth_abi
from eth_hash.auto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TIME = "2023-11-04 16:58:07+00"
# what PostgreSQL can hold; NUL and lone surrogates have their cases in test_corner_cases
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)

# a type and one value of it
Typed = tuple[dict[str, Any], object]


def _integer(bits: int, signed: bool) -> st.SearchStrategy[Typed]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    kind = {"type": f"{'' if signed else 'u'}int{bits}"}
    return st.integers(low, high).map(lambda value: (kind, value))


def _sized(kind: str, length: int) -> st.SearchStrategy[Typed]:
    return st.binary(min_size=length, max_size=length).map(lambda value: ({"type": kind}, value))


LEAVES: st.SearchStrategy[Typed] = st.one_of(
    st.builds(_integer, st.integers(1, 32).map(lambda size: 8 * size), st.booleans()).flatmap(lambda x: x),
    st.integers(1, 32).flatmap(lambda size: _sized(f"bytes{size}", size)),
    _sized("address", 20),
    st.booleans().map(lambda value: ({"type": "bool"}, value)),
    TEXT.map(lambda value: ({"type": "string"}, value)),
    st.binary(max_size=70).map(lambda value: ({"type": "bytes"}, value)),
)


def _repeat(typed: Typed, count: int, fixed: bool) -> Typed:
    kind, value = typed
    # an array of no elements of a fixed length has no encoding in Solidity
    count = max(count, 1) if fixed else count
    return kind | {"type": f"{kind['type']}[{count if fixed else ''}]"}, [value] * count


def _tuple(parts: list[Typed]) -> Typed:
    components = [kind | {"name": f"f{index}"} for index, (kind, _) in enumerate(parts)]
    return {"type": "tuple", "components": components}, tuple(value for _, value in parts)


TYPED = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(_repeat, inner, st.integers(0, 3), st.booleans()),
        st.lists(inner, min_size=1, max_size=3).map(_tuple),
    ),
    max_leaves=6,
)


def _plain(kind: dict[str, Any], value: Any, *, top: bool = True) -> Any:
    """The value as PostgreSQL should give it back: at the top in its type, deeper as JSON."""
    name = kind["type"]
    if name.endswith("]"):
        item = kind | {"type": name[: name.rindex("[")]}
        return [_plain(item, part, top=False) for part in value]
    if name == "tuple":
        pairs = zip(kind["components"], value, strict=True)
        return {part["name"]: _plain(part, inner, top=False) for part, inner in pairs}
    if isinstance(value, bytes):
        return value if top and name == "bytes" else f"0x{value.hex()}"
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and not top else value


def _hashed(kind: dict[str, Any]) -> bool:
    return kind["type"] in ("string", "bytes", "tuple") or kind["type"].endswith("]")


def _topic(kind: dict[str, Any], value: object) -> str:
    if _hashed(kind):
        return f"0x{keccak(repr(value).encode()).hex()}"
    return f"0x{eth_abi.encode([kind['type']], [value]).hex()}"


def _canonical(kind: dict[str, Any]) -> str:
    name: str = kind["type"]
    if not name.startswith("tuple"):
        return name
    return f"({','.join(_canonical(part) for part in kind['components'])}){name[5:]}"


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(params=st.lists(st.tuples(TYPED, st.booleans()), max_size=6))
def test_what_eth_abi_encodes_comes_back(
    params: list[tuple[Typed, bool]],
    make_log: Callable[..., Log],
    copy_line: Callable[[str, str, str], dict[str, object]],
) -> None:
    inputs: list[dict[str, Any]] = []
    topics: list[str] = []
    body: list[Typed] = []
    expected: list[object] = []
    for index, ((kind, value), wanted) in enumerate(params):
        indexed = wanted and len(topics) < 3
        inputs.append(kind | {"name": f"p{index}", "indexed": indexed})
        if indexed:
            topics.append(_topic(kind, value))
        else:
            body.append((kind, value))
        expected.append(topics[-1] if indexed and _hashed(kind) else _plain(kind, value))
    (made,) = layout.event_layouts("c", [{"type": "event", "name": "E", "inputs": inputs}])
    data = eth_abi.encode([_canonical(kind) for kind, _ in body], [value for _, value in body])
    log = make_log([made.topic0, *topics], f"0x{data.hex()}")
    decoder = decode.compile_event(made)

    row = copy_line(made.table, layout.create_table(layout.table(made)), decoder.encode(log, TIME))

    assert [row.pop(name) for name in ("block_number", "tx_index", "log_index")] == [18500000, 2, 7]
    assert str(row.pop("block_time")) == "2023-11-04 16:58:07+00:00"
    assert (row.pop("tx_hash"), row.pop("address")) == ("0x" + "cd" * 32, "0x" + "ab" * 20)
    assert list(row.values()) == expected
    # the slow path says the same in Python's types
    for column, value in decoder.values(log).items():
        assert column in row
        if not isinstance(value, list | dict):
            assert value == row[column]


@settings(max_examples=500, deadline=None)
@given(typed=TYPED, data=st.binary(max_size=400))
def test_any_data_gives_a_row_or_a_reason(typed: Typed, data: bytes, make_log: Callable[..., Log]) -> None:
    entry = {"type": "event", "name": "E", "inputs": [typed[0]]}
    (made,) = layout.event_layouts("c", [entry])
    try:
        line = decode.compile_event(made).encode(make_log([made.topic0], f"0x{data.hex()}"), TIME)
    except decode.LossyText as lossy:
        line = lossy.line
    except decode.Undecodable as reason:
        assert reason.reason
        return
    assert line.count("\n") == 1
    assert line.count("\t") == 6
