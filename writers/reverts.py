"""Why a call was reverted: from whatever shape a node gives it in, to an error's name and arguments.

The bytes count where a node gives them, its words only where it doesn't: anvil, geth and Besu put 0x text
into the error's data, others "Reverted 0x…", an object around it, or one keyed by a transaction's hash. What
a contract says is hostile: nothing here raises for it, and its length is bounded.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chainfirst.indexer import abi_read
from chainfirst.indexer.rpc import errors
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.schema import abi

LARGEST_DATA = 8192  # bytes; a custom error has a few words
DEEPEST = 6
ERROR = bytes.fromhex("08c379a0")  # Error(string): require and revert with a text
PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)
PANICS = {
    0x00: "a check that the compiler inserted",
    0x01: "an assertion failed",
    0x11: "arithmetic overflow or underflow",
    0x12: "division or modulo by zero",
    0x21: "a number that is no value of its enum",
    0x22: "a storage byte array that is encoded wrongly",
    0x31: "pop of an empty array",
    0x32: "an index out of bounds",
    0x41: "too much memory, or too large an array",
    0x51: "a call of an internal function that was never set",
}
"""The codes of Panic(uint256) (Solidity documentation, "Panic via assert and Error via require")."""

# An execution that failed, in words; "the gas doesn't suffice" is one: asked again, the answer is the same.
_FAILED = re.compile(
    r"revert|vm exception|vm execution error|evm error|(invalid|undefined) opcode|bad (instruction|jump)"
    r"|invalid jump|opcodenotfound|stack ?(limit|overflow|underflow)|out of (gas|stack)"
    r"|gas required exceeds|write protection|max(imum)? call depth"
)
_REVERTED = -32015  # Parity, OpenEthereum, Nethermind: "VM execution error"
_BYTES = re.compile(r"\s*(?:reverted:?\s*)?\"?(0x[0-9a-f]*)\"?\s*", re.IGNORECASE)
_SAID_BYTES = re.compile(r"(?:reverted|custom error|return data)[:\s(]+(0x[0-9a-f]{8,})", re.IGNORECASE)
_SAID_PANIC = re.compile(r"panic code (0x[0-9a-f]{1,64})\b", re.IGNORECASE)
_SAID_NAME = re.compile(r"(?:custom error|reverted)[:\s]+'?([A-Za-z_$][\w$]*)\(")
_SAID_REASON = re.compile(r"(?:reason string '(.*)'|(?:reverted:|revert) (.+))", re.IGNORECASE | re.DOTALL)
_KEYED_BY_HASH = re.compile(r"0x[0-9a-f]{64}", re.IGNORECASE)
# keys whose value is, or holds, the bytes; never "hash" or "txHash"
_INSIDE = ("data", "result", "return", "output", "originalError", "error", "cause")


@dataclass(frozen=True)
class Revert:
    """Why a call failed in the EVM.

    `data`: what it returned (its first 8192 bytes), b"" where that is nothing, None where the node doesn't
    say. `name`: "Error", "Panic", or the custom error's; "" unknown. `arguments`: by name, as JSON values,
    integers and Panic's code as strings. `text`: for people, one clean line of at most 500 characters.
    """

    data: bytes | None
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""


class Decoder:
    """Knows the custom errors of some ABIs."""

    def __init__(self, abis: Iterable[object] = ()) -> None:
        """ABI lists or artifacts. ConfigError: one of their errors is malformed."""
        self._errors: dict[bytes, list[tuple[str, abi_read.Read]]] = {}
        self._names: set[str] = set()
        seen: set[tuple[str, tuple[str, ...]]] = set()
        for document in abis:
            for error in _errors_of(document):
                key = error.signature, tuple(param.name for param in error.params)
                if key in seen or any(param.unsupported for param in error.params):
                    continue
                seen.add(key)
                arguments = abi.Param("", "tuple", components=error.params)
                read = abi_read.reader(arguments, as_json=True)
                selector = bytes.fromhex(error.topic0[2:10])
                self._errors.setdefault(selector, []).append((error.name, read))
                self._names.add(error.name)

    def of_error(self, error: errors.RpcError) -> Revert | None:
        """What a node's error says of a call; None: it isn't the call that failed, but the node."""
        data = data_of(error.data)
        failed = _FAILED.search(error.text.lower()) or error.code == _REVERTED
        # code 3 alone is other things too, "unknown block" for one
        if failed or (error.code == 3 and error.kind is Kind.UNKNOWN):
            return self._with_words(data, _words(error))
        if data and self.knows(data):
            return self.of_data(data)
        return None

    def of_result(self, data: bytes) -> Revert | None:
        """Of what eth_call returned: ganache may give a revert's bytes as if they were a result."""
        return self.of_data(data) if len(data) % 32 == 4 and self.knows(data) else None

    def of_data(self, data: bytes) -> Revert:
        """Of the bytes alone."""
        data = data[:LARGEST_DATA]
        selector = data[:4]
        if len(data) < 4:
            text = f"reverted with 0x{data.hex()}" if data else "reverted without a reason"
            return Revert(data, "", {}, text)
        if selector == ERROR:
            return _error(data)
        if selector == PANIC and len(data) >= 36:
            return _panic(data, int.from_bytes(data[4:36]))
        for name, read in self._errors.get(selector, ()):
            try:
                arguments = read(abi_read.Source(data[4:]), 0)
            except abi_read.Undecodable:
                continue
            shown = ", ".join(f"{key}={value}" for key, value in arguments.items())
            return Revert(data, name, arguments, errors.clean(f"{name}({shown})"))
        return Revert(data, "", {}, f"unknown error 0x{selector.hex()} with {len(data) - 4} bytes")

    def knows(self, data: bytes) -> bool:
        """Whether the bytes begin as a known error's do."""
        return data[:4] in self._errors or data[:4] in (ERROR, PANIC)

    def _with_words(self, data: bytes | None, said: str) -> Revert:
        """Of the bytes, and of the node's words as far as the bytes say less."""
        if not data and (found := _SAID_BYTES.search(said)):
            data = _bytes(found[1])
        known = self.of_data(data) if data else Revert(data, "")
        if known.name:
            return known
        if found := _SAID_PANIC.search(said):
            return _panic(data, int(found[1], 16))
        if found := _SAID_NAME.search(said):
            return Revert(data, found[1] if found[1] in self._names else "", {}, said)
        if not data and (found := _SAID_REASON.search(said)):
            reason = errors.clean(found[1] or found[2])
            return Revert(data, "Error", {"message": reason}, reason)
        return Revert(data, "", {}, known.text if data else said or "reverted without a reason")


def data_of(found: object, depth: int = DEEPEST) -> bytes | None:
    """The bytes that a call returned, from the `data` of an error object; None: there are none."""
    if isinstance(found, str):
        match = _BYTES.fullmatch(found[: 2 * LARGEST_DATA + 40])
        return None if match is None else _bytes(match[1])
    empty: bytes | None = None
    if depth:
        for inner in _inside(found):
            data = data_of(inner, depth - 1)
            if data:
                return data
            empty = empty if data is None else data
    return empty


def _inside(found: object) -> Sequence[object]:
    if isinstance(found, Mapping):
        known = [found[key] for key in _INSIDE if key in found]
        keyed = [value for key, value in found.items() if _KEYED_BY_HASH.fullmatch(str(key))]
        return known + [value for value in keyed if isinstance(value, Mapping)]
    return found[:10] if isinstance(found, list) else ()


def _words(error: errors.RpcError) -> str:
    """The error's message without the data that is joined to its text, unless that is words as well."""
    if not error.data or (isinstance(error.data, str) and not _BYTES.fullmatch(error.data[:99_999])):
        return error.text
    joined = error.data if isinstance(error.data, str) else json.dumps(error.data)
    begin = error.text.rfind(errors.clean(joined)[:40])
    return error.text[:begin].strip() if begin > 0 else error.text


def _bytes(text: str) -> bytes:
    digits = text[2 : 2 + 2 * LARGEST_DATA]
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _error(data: bytes) -> Revert:
    source = abi_read.Source(data[4:])
    try:
        message = source.text(source.uint(0))
    except abi_read.Undecodable:  # cut off, or made up: as much of it as can be read
        message = data[68:].decode(errors="replace").replace("\0", "")
    return Revert(data, "Error", {"message": message}, errors.clean(message) or "reverted with an empty text")


def _panic(data: bytes | None, code: int) -> Revert:
    meaning = PANICS.get(code, "a code that Solidity doesn't have")
    return Revert(data, "Panic", {"code": str(code)}, f"panic 0x{code:02x}: {meaning}")


def _errors_of(document: object) -> Sequence[abi.Event]:
    """An error's ABI entry is that of an event with nothing indexed, and its selector begins such a topic."""
    entries = document.get("abi") if isinstance(document, Mapping) else document
    if not isinstance(entries, list):
        return abi.events_of(document)  # it says what is wrong
    named = [each for each in entries if isinstance(each, Mapping) and each.get("type") == "error"]
    return abi.events_of([{**each, "type": "event", "anonymous": False} for each in named])
