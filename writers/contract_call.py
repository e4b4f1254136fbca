"""contract.call: any function of any configured contract that the settings' `writer.calls` name."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from chainfirst.ops.settings import Problem
from chainfirst.schema import abi
from chainfirst.writers import arguments
from chainfirst.writers.contract import Contract, Event, Function
from chainfirst.writers.kinds import Book, Kind, Prepared
from chainfirst.writers.payload import (
    AnyAddress,
    Key,
    NamedValues,
    Payload,
    PayloadError,
    Signature,
    Values,
    Wei,
    show,
)

# a node's pool takes transactions of at most 128 KiB (geth's txMaxSize); the payload's own limit is lower
MAX_DATA_BYTES = 120_000
MAX_LISTED = 20  # names in a message


class ContractCall(Payload):
    """A call, and the event of its transaction that settles it.

    `function`: its name, or its signature where there are several of that name. `address`: which one, of a
    contract that has several. `event`: name or signature, of the same contract, or `contract.Event` of
    another one with one address. `parameters`: what that event must say, by the ABI's names.
    """

    contract: Key
    function: Signature
    event: Signature
    arguments: Values = msgspec.field(default_factory=list)
    address: AnyAddress | None = None
    value: Wei | None = None
    parameters: NamedValues = msgspec.field(default_factory=dict)


def kind(calls: Sequence[str]) -> Kind[ContractCall]:
    """The kind, for these calls: "token.transfer", or "token.transfer(address,uint256)" of several so named.

    Its event's table stands in each intent's Expected, not in `tables`.
    """
    allowed = frozenset(call.replace(" ", "") for call in calls)

    def prepare(want: ContractCall, book: Book) -> Prepared:
        return _prepare(want, book, allowed)

    # Nothing is known of the contract's errors: each one rejects in the end.
    return Kind("contract.call", ContractCall, False, (), prepare, counts="the wei that go with it")


def _prepare(want: ContractCall, book: Book, allowed: frozenset[str]) -> Prepared:
    contract = book.contract(want.contract)
    if contract is None:
        raise PayloadError("contract", f"{show(want.contract)}, which is not configured", _listed(allowed))
    function = _function(want, contract, allowed)
    problems: list[Problem] = []
    address = _address(want, contract, problems)
    values = arguments.read(function.inputs, want.arguments, "arguments", problems)
    if want.value and not function.payable:
        problems.append(Problem("value", f'"{want.value}"', f"nothing: {function.signature} takes no money"))
    emitter, event = _event(want, contract, address, book, problems)
    match = _parameters(want, event, problems) if event else {}
    PayloadError.check(problems)
    assert event is not None
    if contract.factory is not None:
        book.check_child(contract, address)
    call = function.call(address, *values, value=want.value or 0)
    if len(call.data) > MAX_DATA_BYTES:
        raise PayloadError("arguments", f"{len(call.data):,} bytes", f"at most {MAX_DATA_BYTES:,}")
    return Prepared(call, event.expected("address", emitter, match=match), want.value)


def _function(want: ContractCall, contract: Contract, allowed: frozenset[str]) -> Function:
    wanted = want.function.replace(" ", "")
    known = [each for each in contract.functions if wanted in (each.name, each.signature)]
    taken = [
        each
        for each in known
        if allowed & {f"{contract.key}.{each.name}", f"{contract.key}.{each.signature}"}
    ]
    if not taken:
        what = f"which {contract.key}'s ABI has not" if not known else "which the settings don't allow"
        raise PayloadError("function", f"{show(want.function)}, {what}", _listed(allowed))
    if len(known) > 1:  # even where one of them is allowed: what a payload means hangs on no setting
        overloads = f"{show(want.function)}, the name of {len(known)}"
        raise PayloadError("function", overloads, _listed(each.signature for each in taken))
    (function,) = taken
    unsupported = next((found for param in function.inputs if (found := param.unsupported)), None)
    if unsupported is not None or function.read_only:
        what = "which writes nothing" if function.read_only else f"whose {unsupported} can't be encoded"
        raise PayloadError("function", f"{show(want.function)}, {what}", "another function")
    return function


def _address(want: ContractCall, contract: Contract, problems: list[Problem]) -> str:
    several = contract.addresses
    if contract.factory is not None:
        several = None
    elif several is not None and len(several) == 1 and want.address is None:
        return next(iter(several))
    if want.address is None:
        found = "any address" if contract.addresses is None else f"{len(several or ())} addresses"
        which = "an address" if several is None else _listed(several)
        problems.append(Problem("address", f"nothing, and {contract.key} has {found}", which))
        return ""
    if several is not None and want.address not in several:
        problems.append(Problem("address", show(want.address), _listed(several)))
    return want.address


def _event(
    want: ContractCall, contract: Contract, address: str, book: Book, problems: list[Problem]
) -> tuple[str, Event | None]:
    """Who emits it, and the event."""
    name, dot, rest = want.event.replace(" ", "").partition("(")
    other, dotted, name = name.rpartition(".")
    source, emitter = contract, address
    if dotted and other != contract.key:
        found = book.contract(other)
        if found is None or found.addresses is None or len(found.addresses) != 1:
            what = "a contract that is configured with one address"
            problems.append(Problem("event", show(want.event), f"an event of {contract.key}, or of {what}"))
            return "", None
        source, emitter = found, next(iter(found.addresses))
    wanted = f"{name}{dot}{rest}"
    known = [each for each in source.events if wanted in (each.layout.event, each.layout.signature)]
    if len(known) != 1:
        what = f"{show(want.event)}, {'the name of several' if known else 'which is not indexed'}"
        signatures = _listed(each.layout.signature for each in known or source.events)
        problems.append(Problem("event", what, f"an event of {source.key}: {signatures}"))
        return "", None
    return emitter, known[0]


def _parameters(want: ContractCall, event: Event, problems: list[Problem]) -> dict[str, Any]:
    """What the event's row must say, by columns."""
    by_name = dict(zip(event.names, event.layout.columns, strict=True))
    match = {}
    for name, value in want.parameters.items():
        column = by_name.get(name)
        if column is None:
            allowed = ", ".join(by_name) or f"nothing: {event.layout.event} has no parameters"
            problems.append(Problem(f"parameters.{show(name)}", "a name that is not known", allowed))
        else:
            # of an indexed array or tuple there is only the hash that is its topic
            hashed = column.hashed and column.abi_type not in ("string", "bytes")
            param = abi.Param("", "bytes32") if hashed else column.param
            match[column.name] = arguments.read_one(param, value, f"parameters.{name}", problems)
    return match


def _listed(words: Iterable[str]) -> str:
    known = sorted(words)
    more = f" and {len(known) - MAX_LISTED} more" if len(known) > MAX_LISTED else ""
    return f"one of {', '.join(known[:MAX_LISTED]) or 'none'}{more}"
