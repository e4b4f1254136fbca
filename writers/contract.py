"""A contract's functions and events, compiled once from its ABI: calls out, expected rows back. Pure.

Values are what the database spells: int, bool, text, 0x text for addresses and bytes; arrays are lists,
tuples are sequences in the ABI's order.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainfirst.contracts.build import ARTIFACTS
from chainfirst.schema import abi
from chainfirst.schema.layout import Column, EventLayout, event_layouts
from chainfirst.writers.kinds import Call, Expected
from eth_abi.registry import registry
from eth_hash.auto import keccak

if TYPE_CHECKING:
    from chainfirst.indexer import wiring

PLATFORM = {
    "issuer_registry": "IssuerRegistry",
    "campaign_factory": "CampaignFactory",
    "campaign": "CampaignImplementation",
    "share_certificate": "NFTShareCertificate",
}
"""The platform's contracts: their keys in the settings, and their artifacts."""
_READ_ONLY = ("view", "pure")


@dataclass(frozen=True)
class Function:
    """A function. `names`: its parameters' names (arg0 … where the ABI has none), each another."""

    name: str
    inputs: tuple[abi.Param, ...]
    mutability: str = "nonpayable"

    @functools.cached_property
    def signature(self) -> str:
        return f"{self.name}({','.join(param.canonical for param in self.inputs)})"

    @functools.cached_property
    def selector(self) -> bytes:
        return keccak(self.signature.encode())[:4]

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        return names(self.inputs)

    @property
    def payable(self) -> bool:
        return self.mutability == "payable"

    @property
    def read_only(self) -> bool:
        return self.mutability in _READ_ONLY

    @functools.cached_property
    def _encoder(self) -> Any:
        # eth-abi encodes a tuple as it does a function's arguments; it has no empty one
        types = self.signature.removeprefix(self.name)
        return registry.get_encoder(types) if self.inputs else lambda _: b""

    def encode(self, values: Sequence[Any]) -> bytes:
        """Selector and arguments. eth_abi.exceptions.EncodingError: a value that is not of its type."""
        ready = [_ready(param, value) for param, value in zip(self.inputs, values, strict=True)]
        return self.selector + bytes(self._encoder(ready))

    def call(self, to: str, *values: Any, value: int = 0) -> Call:
        """The call of the contract at `to`; `value` in wei."""
        return Call(to, self.encode(values), value)


@dataclass(frozen=True)
class Event:
    """An indexed event and its table. `names`: the ABI's names of its parameters, in the columns' order."""

    layout: EventLayout
    names: tuple[str, ...]

    @property
    def table(self) -> str:
        return self.layout.table

    @functools.cached_property
    def columns(self) -> dict[str, Column]:
        return {column.name: column for column in self.layout.columns}

    def expected(
        self,
        key_column: str,
        key: object,
        *,
        match: Mapping[str, Any],
        equal: Mapping[str, Any] | None = None,
        at_most: Mapping[str, int] | None = None,
    ) -> Expected:
        """The row that settles an intent, by column names; KeyError where the table has no such column."""
        return Expected(
            self.table,
            key_column,
            str(self._as_row({key_column: key})[key_column]),
            self._as_row(match),
            self._as_row(equal or {}),
            self._as_row(at_most or {}),
        )

    def _as_row(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value if name == "address" else as_row(self.columns[name], value)
            for name, value in values.items()
        }


@dataclass(frozen=True)
class Contract:
    """A contract of the settings. `addresses` None: any; `factory`: contract key, event, parameter."""

    key: str
    document: object
    addresses: frozenset[str] | None = frozenset()
    indexed: tuple[str, ...] | None = None
    factory: tuple[str, str, str] | None = None

    @functools.cached_property
    def functions(self) -> tuple[Function, ...]:
        return functions_of(self.document)

    @functools.cached_property
    def events(self) -> tuple[Event, ...]:
        """The events that are indexed."""
        shapes = {event.shape: event for event in reversed(abi.events_of(self.document))}
        found = []
        for each in event_layouts(self.key, self.document, self.indexed):
            indexed = tuple(column.indexed for column in each.columns)
            found.append(Event(each, names(shapes[each.signature, indexed, each.anonymous].params)))
        return tuple(found)

    def function(self, wanted: str) -> Function:
        """The function of that name or signature; ValueError unless there is exactly one."""
        (found,) = (each for each in self.functions if wanted in (each.name, each.signature))
        return found

    def event(self, wanted: str) -> Event:
        """The event of that name or signature; ValueError unless there is exactly one."""
        (found,) = (each for each in self.events if wanted in (each.layout.event, each.layout.signature))
        return found


@functools.cache
def platform(key: str) -> Contract:
    """One of the platform's contracts, from its committed artifact: no addresses."""
    return Contract(key, abi.read(ARTIFACTS / f"{PLATFORM[key]}.json"))


def configured(contracts: "Iterable[wiring.Contract]") -> dict[str, Contract]:
    """The contracts of the settings by their keys."""
    return {
        each.key: Contract(each.key, each.abi, each.addresses, each.events, each.factory)
        for each in contracts
    }


def functions_of(document: object) -> tuple[Function, ...]:
    """The functions of an ABI list, or of an artifact with one."""
    entries = document.get("abi") if isinstance(document, Mapping) else document
    found: dict[str, Function] = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and entry.get("type", "function") == "function":
            # an event's entry has the same form: a name, and inputs
            (same,) = abi.events_of([{**entry, "type": "event"}])
            made = Function(same.name, same.params, str(entry.get("stateMutability", _old_mutability(entry))))
            found.setdefault(made.signature, made)
    return tuple(found.values())


def _old_mutability(entry: Mapping[str, Any]) -> str:
    """Of an ABI from before Solidity 0.4.16."""
    return "view" if entry.get("constant") else "payable" if entry.get("payable") else "nonpayable"


def names(params: Sequence[abi.Param]) -> tuple[str, ...]:
    """The parameters' names as the decoder gives them to a tuple's parts."""
    found: list[str] = []
    for index, param in enumerate(params):
        name = param.name or f"arg{index}"
        while name in found:
            name += "_"
        found.append(name)
    return tuple(found)


def as_row(column: Column, value: Any) -> Any:
    """A value as to_jsonb gives it of that column."""
    if column.hashed:
        if column.abi_type not in ("string", "bytes"):
            return value  # the topic itself
        return (
            f"0x{keccak(value.encode() if column.abi_type == 'string' else bytes.fromhex(value[2:])).hex()}"
        )
    if column.sql_type == "bytea":
        return f"\\x{value[2:]}"
    return _as_json(column.param, value) if column.sql_type == "jsonb" else value


def _as_json(param: abi.Param, value: Any) -> Any:
    """As the decoder writes it into jsonb: tuples by name, integers as text."""
    if (item := param.item) is not None:
        return [_as_json(item[0], each) for each in value]
    if param.type == "tuple":
        parts = zip(names(param.components), param.components, value, strict=True)
        return {name: _as_json(part, each) for name, part, each in parts}
    return str(value) if param.type.startswith(("uint", "int")) else value


def _ready(param: abi.Param, value: Any) -> Any:
    """As eth-abi takes it: bytes instead of 0x text."""
    if (item := param.item) is not None:
        return [_ready(item[0], each) for each in value]
    if param.type == "tuple":
        return tuple(_ready(part, each) for part, each in zip(param.components, value, strict=True))
    return bytes.fromhex(value[2:]) if param.type.startswith(("bytes", "function")) else value
