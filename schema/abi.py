"""Contract ABIs as plain values: events, their parameters and canonical types.

The form is the Solidity ABI JSON. Only `type` decides (an enum, a contract or a user-defined type is its
underlying `type` there; `internalType` is a comment). Pure apart from `read`, which opens a file.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from chainfirst.ops.errors import ConfigError
from eth_hash.auto import keccak

# Solidity's and Vyper's identifiers: what a compiler can emit, and nothing that needs escaping
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_ARRAY = re.compile(r"(.*)\[([0-9]*)\]")
_SIZED = re.compile(r"(uint|int|bytes)([1-9][0-9]*)")
_ALIASES = {
    "uint": "uint256",
    "int": "int256",
    "byte": "bytes1",
    "fixed": "fixed128x18",
    "ufixed": "ufixed128x18",
}
MAX_TYPE_DEPTH = 16  # nested tuples and arrays of a type; solc's own events stay under 5


@dataclass(frozen=True)
class Param:
    """One parameter, or one component of a tuple. `type` is as in the ABI: `tuple[2][]` with components."""

    name: str
    type: str
    indexed: bool = False
    components: tuple["Param", ...] = ()

    @property
    def item(self) -> "tuple[Param, int | None] | None":
        """For an array: its element, and its fixed length (None: any length). Else None."""
        match = _ARRAY.fullmatch(self.type)
        if match is None:
            return None
        return Param("", match[1], components=self.components), int(match[2]) if match[2] else None

    @property
    def canonical(self) -> str:
        """The type as it stands in a signature: tuples spelled out."""
        if not self.type.startswith("tuple"):
            return self.type
        return f"({','.join(part.canonical for part in self.components)}){self.type[5:]}"

    @property
    def described(self) -> str:
        """Everything that a table's shape depends on, names included, in a form that stays as it is."""
        parts = f"({','.join(part.described for part in self.components)})" if self.components else ""
        return f"{self.type}{parts}{' indexed' if self.indexed else ''} {self.name}"

    @property
    def unsupported(self) -> str | None:
        """The type, of it or of a component, that can't be decoded; None: all can.

        fixedMxN is one: Solidity can't emit it, and a guess at its scale would be a wrong number.
        """
        base, bracket, dimensions = self.type.partition("[")
        if not re.fullmatch(r"(\[[0-9]*\])*", bracket + dimensions) or not _known(base):
            return self.type
        return next((found for part in self.components if (found := part.unsupported)), None)

    @property
    def dynamic(self) -> bool:
        """Whether the ABI encodes it by an offset into the tail."""
        if (item := self.item) is not None:
            return item[1] is None or item[0].dynamic
        if self.type == "tuple":
            return any(part.dynamic for part in self.components)
        return self.type in ("bytes", "string")

    @property
    def head_words(self) -> int:
        """32-byte words that it takes in the head."""
        if self.dynamic:
            return 1
        if (item := self.item) is not None:
            return item[0].head_words * (item[1] or 0)
        return sum(part.head_words for part in self.components) if self.type == "tuple" else 1


@dataclass(frozen=True)
class Event:
    """One event of an ABI."""

    name: str
    params: tuple[Param, ...]
    anonymous: bool = False

    @property
    def signature(self) -> str:
        return f"{self.name}({','.join(param.canonical for param in self.params)})"

    @property
    def shape(self) -> tuple[str, tuple[bool, ...], bool]:
        """What tells its logs from others': events of one shape differ in names alone."""
        return self.signature, tuple(param.indexed for param in self.params), self.anonymous

    @property
    def topic0(self) -> str:
        """keccak of the signature, lower-case 0x hex; an anonymous event's logs do not carry it."""
        return f"0x{keccak(self.signature.encode()).hex()}"


def check_supported(event: Event) -> None:
    """ConfigError for a parameter whose type can't be decoded; it matters for events that are indexed."""
    for param in event.params:
        if param.unsupported is not None:
            raise ConfigError(
                f"{event.name}.{param.name} has the type {param.unsupported!r}, which is not supported",
                "Name the other events in `events`, or correct the ABI",
            )


def read(path: Path) -> object:
    """The document of an ABI file. ConfigError: missing, or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"the ABI {path} can't be read: {error.strerror}", "Check the path") from error
    except ValueError as error:
        raise ConfigError(f"the ABI {path} is not JSON: {error}", "Give an ABI or an artifact") from error


def events_of(document: object) -> tuple[Event, ...]:
    """The events of an ABI list, or of a solc, Hardhat or Foundry artifact (its "abi"); those of
    unsupported types too (`check_supported`)."""
    entries = document.get("abi") if isinstance(document, Mapping) else document
    if isinstance(entries, str):  # solc --combined-json before 0.8 holds the ABI as text
        try:
            entries = json.loads(entries)
        except ValueError:
            entries = None
    if not isinstance(entries, list):
        raise ConfigError('no ABI: neither a list nor an object with "abi"', "Give an ABI or an artifact")
    return tuple(_events(entries))


def _events(entries: list[object]) -> Iterator[Event]:
    for entry in entries:
        if not isinstance(entry, Mapping) or entry.get("type") != "event":
            continue
        name = entry.get("name")
        if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
            raise ConfigError(f"the ABI has an event named {name!r}", "Expected an identifier")
        anonymous = entry.get("anonymous", False) is True
        event = Event(name, _params(entry.get("inputs", []), name), anonymous)
        indexed = sum(param.indexed for param in event.params)
        if indexed > 3 + anonymous:
            raise ConfigError(
                f"event {name} has {indexed} indexed parameters, more than the EVM's topics hold"
            )
        yield event


def _params(entries: object, where: str, depth: int = 0) -> tuple[Param, ...]:
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ConfigError(
            f"the parameters of {where} are not a list of objects", "Give an ABI or an artifact"
        )
    return tuple(_param(entry, where, depth) for entry in entries)


def _param(entry: Mapping[str, object], where: str, depth: int) -> Param:
    name, kind = entry.get("name") or "", entry.get("type")
    if not isinstance(name, str) or (name and not _IDENTIFIER.fullmatch(name)):
        raise ConfigError(f"{where} has a parameter named {name!r}", "Expected an identifier")
    if not isinstance(kind, str):
        raise ConfigError(f"{where}.{name} has no type", "Give an ABI or an artifact")
    base, bracket, dimensions = kind.partition("[")
    base = _ALIASES.get(base, base)
    if depth + dimensions.count("]") > MAX_TYPE_DEPTH:
        raise ConfigError(f"{where}.{name} nests deeper than {MAX_TYPE_DEPTH} levels")
    inner = depth + dimensions.count("]") + 1
    components = _params(entry.get("components", []), f"{where}.{name}", inner) if base == "tuple" else ()
    return Param(name, base + bracket + dimensions, entry.get("indexed") is True, components)


def _known(base: str) -> bool:
    if base in ("address", "bool", "string", "bytes", "tuple", "function"):
        return True
    match = _SIZED.fullmatch(base)
    if match is None:
        return False
    size = int(match[2])
    return size <= 32 if match[1] == "bytes" else size <= 256 and size % 8 == 0
