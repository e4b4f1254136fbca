# ruff: noqa: E501 (the wordings as nodes write them)
"""Every shape of a reverted call gives the error's name and arguments; hostile bytes give something harmless."""

import json
from typing import Any

import pytest
from chainfirst.contracts.build import ARTIFACTS
from chainfirst.indexer.rpc import errors, http, wording
from chainfirst.ops.errors import ConfigError
from chainfirst.writers import reverts
from chainfirst.writers.reverts import Revert
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import example, given
from hypothesis import strategies as st

PLATFORM = [
    json.loads((ARTIFACTS / f"{name}.json").read_text())
    for name in (
        "BirrToken",
        "IssuerRegistry",
        "CampaignFactory",
        "CampaignImplementation",
        "NFTShareCertificate",
    )
]
STRANGE = [
    {"type": "error", "name": "Nested", "inputs": [
        {"name": "who", "type": "address"},
        {"name": "parts", "type": "tuple[]", "components": [
            {"name": "why", "type": "string"}, {"name": "amounts", "type": "int128[2]"}]},
        {"name": "", "type": "bytes"}]},
    {"type": "error", "name": "Nothing", "inputs": []},
    {"type": "error", "name": "Scaled", "inputs": [{"name": "x", "type": "fixed128x18"}]},
    {"type": "function", "name": "Nothing", "inputs": []},
]  # fmt: skip
DECODER = reverts.Decoder([*PLATFORM, STRANGE])


def error_data(signature: str, types: list[str], values: list[Any]) -> str:
    return "0x" + (keccak(text=signature)[:4] + encode(types, values)).hex()


HOLDER = "0x" + "ab" * 20
NO = error_data("Error(string)", ["string"], ["no"])
SHORT = error_data(
    "ERC20InsufficientBalance(address,uint256,uint256)",
    ["address", "uint256", "uint256"],
    [HOLDER, 5, 10**30],
)
OVERFLOW = error_data("Panic(uint256)", ["uint256"], [0x11])
PAUSED = error_data("EnforcedPause()", [], [])
TX = "0x" + "12" * 32
BALANCE = {"sender": HOLDER, "balance": "5", "needed": str(10**30)}


def node_error(message: Any, code: Any = 3, data: Any = None) -> errors.RpcError:
    """As http.Endpoint makes it."""
    text, number = http._said(http.NodeError(code, message, data))
    return errors.make(wording.classify(text, number), text, text=text, code=number, data=data)


# message, code, data, the error's name, its arguments, a part of the text
SHAPES: list[tuple[Any, Any, Any, str, dict[str, Any], str]] = [
    # geth, anvil, erigon, besu, nethermind
    ("execution reverted: no", 3, NO, "Error", {"message": "no"}, "no"),
    ("execution reverted", 3, SHORT, "ERC20InsufficientBalance", BALANCE, f"ERC20InsufficientBalance(sender={HOLDER}, balance=5, needed="),
    ("execution reverted: custom error 0xd93c0665", 3, PAUSED, "EnforcedPause", {}, "EnforcedPause()"),
    ("execution reverted: panic: arithmetic underflow or overflow (0x11)", 3, OVERFLOW, "Panic", {"code": "17"}, "panic 0x11: arithmetic overflow"),
    ("execution reverted", 3, "0x", "", {}, "execution reverted"),
    ("execution reverted", -32000, None, "", {}, "execution reverted"),
    ("execution reverted: no", 3, "0x", "Error", {"message": "no"}, "no"),
    ("Execution reverted", -32000, PAUSED.upper().replace("X", "x"), "EnforcedPause", {}, "EnforcedPause()"),
    ("execution reverted", 3, "0xdeadbeef01", "", {}, "unknown error 0xdeadbeef with 1 bytes"),
    ("execution reverted", 3, "0xdead", "", {}, "reverted with 0xdead"),
    # nethermind before
    ("execution reverted: 0xd93c0665", -32015, None, "EnforcedPause", {}, "EnforcedPause()"),
    ("execution reverted: 0xdeadbeef", -32015, None, "", {}, "unknown error 0xdeadbeef"),
    ("VM execution error.", -32015, f"Reverted {NO}", "Error", {"message": "no"}, "no"),
    # parity, OpenEthereum
    ("VM execution error.", -32015, "Reverted 0x", "", {}, "VM execution error."),
    ("VM execution error.", -32015, "revert", "", {}, "VM execution error. revert"),
    ("VM execution error.", -32015, "Bad instruction fe", "", {}, "Bad instruction fe"),
    ("VM execution error.", -32015, "Out of gas", "", {}, "Out of gas"),
    ("VM execution error.", -32015, "Bad jump", "", {}, "Bad jump"),
    ("VM execution error.", -32015, "Out of stack", "", {}, "Out of stack"),
    # Alchemy
    ("execution reverted", -32000, f"Reverted {SHORT}", "ERC20InsufficientBalance", BALANCE, "needed=1"),
    # ganache 6
    (
        "VM Exception while processing transaction: revert",
        -32000,
        {TX: {"error": "revert", "program_counter": 92, "return": "0x"}, "stack": "c: VM", "name": "c"},
        "",
        {},
        "VM Exception while processing transaction: revert",
    ),
    (
        "VM Exception while processing transaction: revert no",
        -32000,
        {TX: {"error": "revert", "program_counter": 92, "return": NO, "reason": "no"}, "stack": "c: VM", "name": "c"},
        "Error",
        {"message": "no"},
        "no",
    ),
    # ganache 7
    (
        "VM Exception while processing transaction: revert \0\0no",
        -32000,
        {"hash": None, "programCounter": 112, "result": SHORT, "reason": None, "message": "revert"},
        "ERC20InsufficientBalance",
        BALANCE,
        "balance=5",
    ),
    ("VM Exception while processing transaction: revert \0no", -32000, None, "Error", {"message": "no"}, "no"),
    # hardhat
    (
        "Error: VM Exception while processing transaction: reverted with reason string 'it's no'",
        -32603,
        {"message": "Error: VM Exception", "txHash": TX, "data": NO},
        "Error",
        {"message": "no"},
        "no",
    ),
    (
        "Error: VM Exception while processing transaction: reverted with reason string 'it's no'",
        -32603,
        None,
        "Error",
        {"message": "it's no"},
        "it's no",
    ),
    ("VM Exception while processing transaction: reverted with custom error 'EnforcedPause()'", -32603, None, "EnforcedPause", {}, "custom error 'EnforcedPause()'"),
    ("VM Exception while processing transaction: reverted with custom error 'Strange(1)'", -32603, None, "", {}, "custom error 'Strange(1)'"),
    ("VM Exception while processing transaction: reverted with panic code 0x11 (overflow)", -32603, None, "Panic", {"code": "17"}, "panic 0x11"),
    ("VM Exception while processing transaction: reverted with an unrecognized custom error (return data: 0xd93c0665)", -32603, None, "EnforcedPause", {}, "EnforcedPause()"),
    ("Transaction reverted without a reason string", -32603, None, "", {}, "without a reason string"),
    ("Internal error", -32603, {"data": {"message": "x", "txHash": TX, "data": PAUSED}}, "EnforcedPause", {}, "EnforcedPause()"),
    # wrapped by what stands between
    ("processing response error", -32000, {"originalError": {"code": 3, "data": NO, "message": "execution reverted: no"}}, "Error", {"message": "no"}, "no"),
    ("execution reverted", 3, [{"data": PAUSED}], "EnforcedPause", {}, "EnforcedPause()"),
    # Polygon Edge
    ("unable to execute the call: execution was reverted", -32600, PAUSED, "EnforcedPause", {}, "EnforcedPause()"),
    ("nothing known", -32600, SHORT, "ERC20InsufficientBalance", BALANCE, "sender="),
    # no revert, and no fault of the node either
    ("EVM error: InvalidJump", -32603, None, "", {}, "EVM error: InvalidJump"),
    ("EVM error OpcodeNotFound", -32603, None, "", {}, "OpcodeNotFound"),
    ("EVM error OutOfGas", -32603, None, "", {}, "OutOfGas"),
    ("out of gas", -32000, None, "", {}, "out of gas"),
    ("gas required exceeds allowance (30000000)", -32000, None, "", {}, "gas required exceeds allowance"),
    ("invalid opcode: INVALID", -32000, None, "", {}, "invalid opcode"),
    ("invalid jump destination", -32000, None, "", {}, "invalid jump destination"),
    ("stack limit reached 1024", -32000, None, "", {}, "stack limit reached"),
    ("[Request ID: 7] execution reverted: CONTRACT_REVERT_EXECUTED", -32008, None, "Error", {"message": "CONTRACT_REVERT_EXECUTED"}, "CONTRACT"),
    ("words unknown", 3, None, "", {}, "words unknown"),
    ("", -32015, None, "", {}, "reverted without a reason"),
    # a reason that a reader would take for the node's own trouble
    ("execution reverted: request timed out", 3, None, "Error", {"message": "request timed out"}, "request timed out"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "code", "data", "name", "arguments", "text"), SHAPES)
def test_shapes(message: Any, code: Any, data: Any, name: str, arguments: dict[str, Any], text: str) -> None:
    found = DECODER.of_error(node_error(message, code, data))
    assert found is not None
    assert (found.name, found.arguments) == (name, arguments)
    assert text in found.text
    assert len(found.text) <= errors.LONGEST_TEXT
    assert "\0" not in found.text


def test_the_data_of_shapes() -> None:
    for data, expected in (
        (None, None),
        ("0x", b""),
        ("Reverted 0x", b""),
        ("revert", None),
        ({"data": "0x"}, b""),
        ({"data": "0x", "originalError": {"data": "0x01"}}, b"\x01"),
        ({"txHash": TX, "hash": TX}, None),
        ("0x123", b"\x12"),
        (7, None),
        ("the transaction 0xdeadbeef is unknown", None),
    ):
        assert reverts.data_of(data) == expected


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("header not found", -32000),
        ("Unknown block", 3),
        ("missing trie node", -32000),
        ("request timed out", -32002),
        ("too many requests", 429),
        ("insufficient funds for gas * price + value", -32000),
        ("Internal error", -32603),
        ("invalid argument 0: hex string has length 0", -32602),
    ],
)
def test_a_node_in_trouble_is_no_revert(message: str, code: int) -> None:
    assert DECODER.of_error(node_error(message, code)) is None


def test_a_revert_given_as_a_result() -> None:
    for data in (NO, SHORT, OVERFLOW, PAUSED):
        found = DECODER.of_result(bytes.fromhex(data[2:]))
        assert found == DECODER.of_data(bytes.fromhex(data[2:]))
    for plain in (b"", bytes(32), bytes(36), bytes.fromhex(NO[2:10]) + bytes(28), b"\xde\xad\xbe\xef"):
        assert DECODER.of_result(plain) is None


def test_nested_arguments_are_json() -> None:
    types = ["address", "(string,int128[2])[]", "bytes"]
    data = error_data(
        "Nested(address,(string,int128[2])[],bytes)", types, [HOLDER, [("a\0b", [-1, 2**100])], b"\xff"]
    )
    found = DECODER.of_data(bytes.fromhex(data[2:]))
    assert found.name == "Nested"
    expected = {"who": HOLDER, "parts": [{"why": "a\ufffdb", "amounts": ["-1", str(2**100)]}], "arg2": "0xff"}
    assert found.arguments == expected


def test_panics_have_a_meaning() -> None:
    for code, meaning in reverts.PANICS.items():
        assert meaning in DECODER.of_data(reverts.PANIC + code.to_bytes(32)).text
    assert "doesn't have" in DECODER.of_data(reverts.PANIC + (2**256 - 1).to_bytes(32)).text
    assert DECODER.of_data(reverts.PANIC).name == ""


def test_a_long_reason_is_cut() -> None:
    raw = bytes.fromhex(error_data("Error(string)", ["string"], ["x" * 1_000_000])[2:])
    found = DECODER.of_data(raw)
    assert found.name == "Error"
    assert found.text == "x" * errors.LONGEST_TEXT
    assert found.data == raw[: reverts.LARGEST_DATA]
    assert DECODER.of_error(node_error("execution reverted", 3, "0x" + raw.hex())) == found


def test_a_malformed_abi_is_a_mistake_of_the_settings() -> None:
    for wrong in ({"abi": 7}, [{"type": "error", "name": "1x", "inputs": []}]):
        with pytest.raises(ConfigError):
            reverts.Decoder([wrong])
    assert reverts.Decoder().of_data(bytes.fromhex(PAUSED[2:])).name == ""


def test_all_errors_of_the_platform_are_known() -> None:
    for artifact in PLATFORM:
        for entry in artifact["abi"]:
            if entry["type"] == "error":
                signature = f"{entry['name']}({','.join(part['type'] for part in entry['inputs'])})"
                data = keccak(text=signature)[:4] + bytes(32 * len(entry["inputs"]))
                found = DECODER.of_data(data)
                assert (found.name, list(found.arguments)) == (
                    entry["name"],
                    [part["name"] for part in entry["inputs"]],
                )


SELECTORS = [bytes.fromhex(each[2:10]) for each in (NO, OVERFLOW, SHORT, PAUSED)] + [
    keccak(text="Nested(address,(string,int128[2])[],bytes)")[:4]
]
hostile = st.builds(lambda selector, words, rest: selector + b"".join(word.to_bytes(32) for word in words) + rest,
    st.sampled_from(SELECTORS) | st.binary(max_size=4),
    st.lists(st.integers(0, 200) | st.sampled_from([2**256 - 1, 2**255, 2**64, 0x20, 0x40]), max_size=12),
    st.binary(max_size=80))  # fmt: skip
as_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary().map(lambda raw: "0x" + raw.hex()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["data", "result", "return", "error", TX]) | st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def harmless(found: Revert) -> None:
    shown = json.dumps(found.arguments, ensure_ascii=False)
    shown.encode()
    assert "\0" not in shown
    assert "\\u0000" not in shown
    assert len(found.text) <= errors.LONGEST_TEXT
    assert errors.clean(found.text) == found.text
    assert found.text
    assert found.data is None or len(found.data) <= reverts.LARGEST_DATA


@given(hostile)
@example(reverts.ERROR + (32).to_bytes(32) + (2**256 - 1).to_bytes(32))
@example(reverts.ERROR + (32).to_bytes(32) + (4).to_bytes(32) + b"\xff\0\xed\xa0" + bytes(28))
def test_hostile_bytes(data: bytes) -> None:
    harmless(DECODER.of_data(data))
    found = DECODER.of_error(node_error("execution reverted", 3, "0x" + data.hex()))
    assert found is not None
    harmless(found)
    DECODER.of_result(data)


@given(st.text() | st.none() | as_json, st.integers() | st.text(), as_json)
def test_hostile_errors(message: Any, code: Any, data: Any) -> None:
    for said in (message, f"execution reverted: {message}"):
        found = DECODER.of_error(node_error(said, code, data))
        if found is not None:
            harmless(found)


@given(st.text())
def test_an_honest_reason_comes_through(reason: str) -> None:
    data = bytes.fromhex(error_data("Error(string)", ["string"], [reason])[2:])
    found = DECODER.of_data(data)
    assert found.name == "Error"
    assert found.arguments == {"message": reason.replace("\0", "\ufffd")}
