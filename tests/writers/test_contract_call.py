"""contract.call: what it takes, what it refuses, how values are encoded and compared."""

from collections.abc import Callable
from typing import Any

import eth_abi.abi
import pytest
from chainfirst.indexer import decode
from chainfirst.indexer.structs import Log
from chainfirst.ops.errors import ConfigError
from chainfirst.ops.settings import Problem
from chainfirst.schema import abi, layout
from chainfirst.tests.decode.conftest import connection, copy_line, make_log  # noqa: F401
from chainfirst.tests.decode.test_roundtrip import TYPED, Typed
from chainfirst.tests.writers.samples import WALLET, MemoryBook, address
from chainfirst.writers import arguments, catalogue, contract, contract_call, kinds, payload
from eth_hash.auto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def function(name: str, *inputs: tuple[str, str], mutability: str = "nonpayable") -> dict[str, Any]:
    params = [{"name": name, "type": kind} for kind, name in inputs]
    return {"type": "function", "name": name, "inputs": params, "stateMutability": mutability}


def event(name: str, *inputs: tuple[str, str, bool]) -> dict[str, Any]:
    params = [{"name": name, "type": kind, "indexed": indexed} for kind, name, indexed in inputs]
    return {"type": "event", "name": name, "inputs": params}


ORDER = {
    "name": "order",
    "type": "tuple[]",
    "components": [
        {"name": "buyer", "type": "address"},
        {"name": "prices", "type": "uint256[2]"},
        {"name": "note", "type": "string"},
    ],
}
ABI = [
    function("transfer", ("address", "to"), ("uint256", "value")),
    function("transfer", ("address", "to"), ("uint256", "value"), ("bytes", "data")),
    function("pay", ("address", ""), mutability="payable"),
    function("ping"),
    function("look", mutability="view"),
    function("odd", ("fixed128x18", "rate")),
    function("mark", ("bytes4", "tag"), ("bytes", "rest")),
    {"type": "function", "name": "place", "inputs": [ORDER, {"name": "when", "type": "uint48"}]},
    event("Transfer", ("address", "from", True), ("address", "to", True), ("uint256", "value", False)),
    event("Note", ("string", "text", True), ("uint8[]", "list", True), ("string", "body", False)),
    event("Note", ("string", "text", True)),
    event("Pinged"),
]  # fmt: skip
BOOK = MemoryBook(
    {
        "one": contract.Contract("one", ABI, frozenset([address(1)])),
        "two": contract.Contract("two", ABI, frozenset([address(1), address(2)])),
        "any": contract.Contract("any", ABI, None),
        "child": contract.Contract("child", ABI, frozenset(), factory=("one", "Transfer", "to")),
        "bare": contract.Contract("bare", ABI, frozenset([address(3)]), indexed=("Pinged",)),
        "none": contract.Contract("none", ABI, frozenset()),
    }
)
CALLS = [
    "one.transfer(address, uint256)", "one.pay", "one.ping", "one.mark", "one.place", "one.odd", "one.look",
    "two.transfer", "two.ping", "any.ping", "child.ping", "bare.ping", "none.ping",
]  # fmt: skip
BASE: dict[str, Any] = {
    "contract": "one", "function": "transfer(address,uint256)", "arguments": [WALLET, "5"],
    "event": "Transfer",
}  # fmt: skip
PING = {"function": "ping", "event": "Pinged", "arguments": []}


def prepare(**changes: Any) -> kinds.Prepared:
    return contract_call.kind(CALLS).read(BASE | changes, BOOK)


def test_a_call_is_encoded_and_its_event_expected() -> None:
    prepared = prepare(parameters={"to": WALLET, "value": "5"})
    data = keccak(b"transfer(address,uint256)")[:4] + eth_abi.abi.encode(["address", "uint256"], [WALLET, 5])
    assert prepared.call == kinds.Call(address(1), data)
    assert prepared.expected == kinds.Expected(
        "one_transfer", "address", address(1), match={"to": WALLET, "value": 5}
    )
    assert prepared.amount is None


def test_arguments_may_have_names() -> None:
    assert prepare(arguments={"value": "5", "to": WALLET}).call == prepare().call
    assert prepare(function="pay", arguments={"arg0": WALLET}).call.data[4:] == bytes(12) + bytes.fromhex(
        WALLET[2:]
    )


def test_a_signature_tells_overloads_apart() -> None:
    call = prepare(
        contract="two",
        address=address(2),
        function="transfer(address, uint256, bytes)",
        arguments=[WALLET, "5", "0x00FF"],
    ).call
    assert call.to == address(2)
    assert call.data[:4] == keccak(b"transfer(address,uint256,bytes)")[:4]
    assert call.data.endswith(bytes(31) + b"\x02" + b"\x00\xff" + bytes(30))


def test_money_goes_with_a_payable_function_and_counts() -> None:
    prepared = prepare(function="pay", arguments=[WALLET], value="1000")
    assert (prepared.call.value, prepared.amount) == (1000, 1000)


def test_tuples_and_arrays_nest() -> None:
    order = {"buyer": WALLET, "prices": ["1", "2"], "note": "ሰላም"}
    given = prepare(function="place", arguments={"order": [order, [WALLET, ["3", "4"], ""]], "when": 7})
    types = ["(address,uint256[2],string)[]", "uint48"]
    wanted = eth_abi.abi.encode(types, [[(WALLET, [1, 2], "ሰላም"), (WALLET, [3, 4], "")], 7])
    assert given.call.data == keccak(b"place((address,uint256[2],string)[],uint48)")[:4] + wanted


def test_an_event_of_another_contract_may_settle_it() -> None:
    assert prepare(event="bare.Pinged").expected == kinds.Expected(
        "bare_pinged", "address", address(3), match={}
    )
    assert prepare(event="one.Transfer").expected == prepare().expected


def test_an_indexed_text_is_compared_by_its_hash() -> None:
    digest = f"0x{keccak('ሰላም'.encode()).hex()}"
    expected = prepare(
        event="Note(string, uint8[], string)", parameters={"text": "ሰላም", "list": digest, "body": "x"}
    ).expected
    assert expected.match == {"text": digest, "list": digest, "body": "x"}


BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"contract": "other"}, ['contract: found "other", which is not configured; allowed: one of any.ping, ']),
    ({"function": "fly"}, ['function: found "fly", which one\'s ABI has not; allowed: one of ']),
    ({"function": "transfer(address,uint256,bytes)"}, ["which the settings don't allow"]),
    ({"function": "transfer"}, ["the name of 2; allowed: one of transfer(address,uint256)"]),
    ({"contract": "two", "function": "transfer"}, ["one of transfer(address,uint256), transfer(address"]),
    ({"function": "look"}, ["which writes nothing"]),
    ({"function": "odd"}, ["whose fixed128x18 can't be encoded"]),
    ({"arguments": [WALLET]}, ["arguments: found a list of 1; allowed: 2 values, as a list or by"]),
    ({"arguments": [WALLET, 5]}, ["arguments[1]: found the number 5, which is a JSON number; allowed: uint"]),
    ({"arguments": [WALLET, True]}, ["arguments[1]: found true"]),
    ({"arguments": [WALLET, str(2**256)]}, ["arguments[1]: found"]),
    ({"arguments": [WALLET, "-1"]}, ['arguments[1]: found "-1"']),
    ({"arguments": {"to": WALLET, "amount": "5"}},
     ["arguments.amount: found a name that is not known; allowed: to, value", "arguments.value: found not"]),
    ({"arguments": [WALLET[:-1], "x"]}, ["2 mistakes", "arguments[0]: found", "arguments[1]: found"]),
    ({"function": "place", "arguments": [[[WALLET, ["1", "2", "3"], "\0"]], 2**48]},
     ["arguments[0][0][1]: found a list of 3; allowed: a list of 2, of which each is uint256",
      "arguments[0][0][2]: found", "U+0000", "arguments[1]: found the number 281474976710656"]),
    ({"function": "place", "arguments": {"order": [{"buyer": WALLET}], "when": "1"}},
     ["arguments.order[0].prices: found nothing; allowed: uint256[2]", "arguments.order[0].note: found"]),
    ({"function": "mark", "arguments": ["0x010203", "0x1"]},
     ['arguments[0]: found "0x010203"; allowed: bytes4: 0x and 8 hex digits', 'arguments[1]: found "0x1"']),
    ({"function": "mark", "arguments": ["0x0102030405", "00"]}, ["2 mistakes", "arguments[0]: found"]),
    ({"function": "place", "arguments": {"order": "x", "when": "1"}},
     ["arguments.order: found \"x\"; allowed: a list, of which each is (address,uint256[2],string)"]),
    ({"value": "1"}, ['value: found "1"; allowed: nothing: transfer(address,uint256) takes no money']),
    ({"address": address(2)}, ["address: found", f"allowed: one of {address(1)}"]),
    (PING | {"contract": "two"}, ["address: found nothing, and two has 2 addresses; allowed: one of"]),
    (PING | {"contract": "none"}, ["address: found nothing, and none has 0 addresses; allowed: one of none"]),
    (PING | {"contract": "any"}, ["address: found nothing, and any has any address"]),
    (PING | {"contract": "child"}, ["address: found nothing"]),
    (PING | {"contract": "child", "address": address(5)}, ["address: found"]),
    ({"event": "Gone"}, ['event: found "Gone", which is not indexed; allowed: an event of one: one of N']),
    ({"event": "Note"}, ["the name of several", "Note(string)", "Note(string,uint8[],string)"]),
    ({"event": "two.Transfer"}, ["or of a contract that is configured with one address"]),
    ({"event": "gone.Transfer"}, ["event: found"]),
    (PING | {"contract": "bare", "event": "Transfer"}, ["which is not indexed; allowed: an event of bare"]),
    ({"parameters": {"whom": WALLET}}, ["a name that is not known; allowed: from, to, value"]),
    ({"parameters": {"to": "x", "value": 5}}, ["2 mistakes", "parameters.to:", "parameters.value:"]),
    ({"arguments": [WALLET, "x"], "event": "Gone", "value": "1", "address": WALLET}, ["4 mistakes"]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), BAD)
def test_what_is_wrong_is_named_by_its_path(changes: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(payload.PayloadError) as caught:
        prepare(**changes)
    for part in said:
        assert part in str(caught.value)


def test_a_contract_with_several_addresses_takes_one_of_them() -> None:
    assert prepare(**PING, contract="two", address=address(2)).call.to == address(2)
    assert prepare(**PING, contract="any", address=WALLET).expected.key == WALLET
    assert prepare(**PING, contract="child", address=WALLET).call.to == WALLET


def test_too_much_data_is_refused() -> None:
    many = [[WALLET, ["1", "2"], ""]] * 700
    with pytest.raises(payload.PayloadError, match=r"arguments: found .* bytes; allowed: at most 120,000"):
        prepare(function="place", arguments=[many, 1])


def test_the_platforms_kinds_need_its_contracts() -> None:
    assert list(catalogue.build(MemoryBook().contracts, [], platform=True)) == [
        *(kind.name for kind in catalogue.PLATFORM), "contract.call",
    ]  # fmt: skip
    assert list(catalogue.build(BOOK.contracts, CALLS, platform=False)) == ["contract.call"]
    with pytest.raises(ConfigError, match=r"contracts\.issuer_registry has 0 addresses"):
        catalogue.build(BOOK.contracts, [], platform=True)


def as_payload(kind: dict[str, Any], value: Any, *, by_name: bool) -> Any:
    """A value of Python's as a payload spells it."""
    name = kind["type"]
    if name.endswith("]"):
        item = kind | {"type": name[: name.rindex("[")]}
        return [as_payload(item, part, by_name=by_name) for part in value]
    if name == "tuple":
        parts = [as_payload(*pair, by_name=by_name) for pair in zip(kind["components"], value, strict=True)]
        names = [part["name"] for part in kind["components"]]
        return dict(zip(names, parts, strict=True)) if by_name else parts
    if isinstance(value, bytes):
        return f"0x{value.hex().upper() if name != 'address' else value.hex()}"
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def canonical(kind: dict[str, Any]) -> str:
    (param,) = abi.events_of([{"type": "event", "name": "E", "inputs": [kind | {"name": "p"}]}])[0].params
    return param.canonical


def controlled(value: Any) -> bool:
    if isinstance(value, str):
        return any(ord(char) < 32 or 127 <= ord(char) < 160 for char in value)
    return isinstance(value, list | tuple) and any(map(controlled, value))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    typed=st.lists(TYPED.filter(lambda typed: not controlled(typed[1])), max_size=4), by_name=st.booleans()
)
def test_any_value_of_any_type_is_encoded_as_eth_abi_does_and_expected_as_it_is_indexed(
    typed: list[Typed],
    by_name: bool,
    make_log: Callable[..., Log],  # noqa: F811
    connection: Any,  # noqa: F811
) -> None:
    inputs = [kind | {"name": f"p{index}"} for index, (kind, _) in enumerate(typed)]
    types, found = [canonical(kind) for kind, _ in typed], [value for _, value in typed]
    document = [
        {"type": "function", "name": "f", "inputs": inputs},
        {"type": "event", "name": "E", "inputs": inputs},
    ]
    book = MemoryBook({"c": contract.Contract("c", document, frozenset(["0x" + "ab" * 20]))})
    given = {
        each["name"]: as_payload(each, value, by_name=by_name)
        for each, value in zip(inputs, found, strict=True)
    }
    prepared = contract_call.kind(["c.f"]).read(
        {
            "contract": "c", "function": "f", "event": "E",
            "arguments": given if by_name else list(given.values()), "parameters": given,
        },
        book,
    )  # fmt: skip
    data = eth_abi.abi.encode(types, found)
    assert prepared.call.data == keccak(f"f({','.join(types)})".encode())[:4] + data

    (made,) = layout.event_layouts("c", document)
    line = decode.compile_event(made).encode(
        make_log([made.topic0], f"0x{data.hex()}"), "2023-11-04 16:58:07+00"
    )
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        cursor.execute(layout.create_table(layout.table(made)))
        with cursor.copy(f'COPY event."{made.table}" FROM STDIN') as stream:
            stream.write(line)
        ((row,),) = cursor.execute(f'SELECT to_jsonb(t) FROM event."{made.table}" t').fetchall()
    assert prepared.expected.match == {name: row[name] for name in given}
    assert prepared.expected.key == row["address"]


@settings(max_examples=300, deadline=None)
@given(
    typed=TYPED,
    value=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(st.characters(), max_size=9)
        | st.from_regex("0x[0-9a-f]{0,66}", fullmatch=True)
        | st.from_regex("-?[0-9]{1,80}", fullmatch=True),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["f0", "f1", "f2"]), inner)
        ),
    ),
)
def test_any_json_for_any_type_is_encoded_or_refused(typed: Typed, value: Any) -> None:  # fmt: skip
    (entry,) = contract.functions_of([{"name": "f", "inputs": [typed[0] | {"name": "p"}]}])
    problems: list[Problem] = []
    values = arguments.read(entry.inputs, [value], "arguments", problems)
    if not problems:
        entry.encode(values)
