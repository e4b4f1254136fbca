"""JSON values as arguments of a Solidity type; what is wrong is named by its path. Pure.

Integers are decimal texts; those of at most 48 bits may be JSON numbers too (every language keeps them
exactly). Bytes are 0x hex. Arrays are lists; tuples are lists, or objects by their parts' names. The result
is what contract.Function takes: int, bool, text, lower-case 0x text, lists.
"""

import re
from collections.abc import Sequence
from typing import Any

from chainfirst.ops import values
from chainfirst.ops.settings import Problem
from chainfirst.schema import abi
from chainfirst.writers import contract, payload
from chainfirst.writers.payload import Wrong, show

NUMBER_BITS = 48
_HEX = re.compile("0x([0-9a-fA-F]{2})*")
_INTEGER = re.compile("0|-?[1-9][0-9]{0,77}")
_NOTHING = object()


def read(params: Sequence[abi.Param], value: object, path: str, problems: list[Problem]) -> list[Any]:
    """The values of these parameters, from a list or an object by name; what is wrong is added to `problems`,
    and its value is None."""
    return _parts(params, value, path, problems)


def read_one(param: abi.Param, value: object, path: str, problems: list[Problem]) -> Any:
    """The value of one parameter; None, and a problem more, where it is wrong."""
    if value is _NOTHING:
        problems.append(Problem(path, "nothing", _allowed(param)))
        return None
    if (item := param.item) is not None:
        return _array(*item, value, path, problems)
    if param.type == "tuple":
        return _parts(param.components, value, path, problems)
    try:
        return _plain(param.type, value)
    except Wrong as wrong:
        problems.append(Problem(path, str(wrong), _allowed(param)))
        return None


def _parts(params: Sequence[abi.Param], value: object, path: str, problems: list[Problem]) -> list[Any]:
    names = contract.names(params)
    if isinstance(value, dict):
        unknown = sorted(value.keys() - set(names))
        allowed = ", ".join(names) or "nothing"
        problems += [
            Problem(f"{path}.{payload.label(name)}", "a name that is not known", allowed) for name in unknown
        ]
        found = [(f"{path}.{name}", value.get(name, _NOTHING)) for name in names]
    elif isinstance(value, list) and len(value) == len(params):
        found = [(f"{path}[{index}]", each) for index, each in enumerate(value)]
    else:
        shown = f"a list of {len(value)}" if isinstance(value, list) else show(value)
        wanted = ", ".join(f"{param.canonical} {name}" for param, name in zip(params, names, strict=True))
        problems.append(
            Problem(path, shown, f"{len(params)} values, as a list or by name: {wanted or 'none'}")
        )
        return []
    pairs = zip(params, found, strict=True)
    return [read_one(param, each, place, problems) for param, (place, each) in pairs]


def _array(
    item: abi.Param, length: int | None, value: object, path: str, problems: list[Problem]
) -> list[Any]:
    if not isinstance(value, list) or length not in (None, len(value)):
        shown = f"a list of {len(value)}" if isinstance(value, list) else show(value)
        wanted = "a list" if length is None else f"a list of {length}"
        problems.append(Problem(path, shown, f"{wanted}, of which each is {item.canonical}"))
        return []
    return [read_one(item, each, f"{path}[{index}]", problems) for index, each in enumerate(value)]


def _plain(kind: str, value: object) -> object:
    if kind == "bool":
        if not isinstance(value, bool):
            raise Wrong(show(value))
        return value
    if kind.startswith(("uint", "int")):
        return _integer(kind, value)
    if not isinstance(value, str):
        raise Wrong(show(value))
    if kind == "address":
        return payload.any_address(value)
    if kind == "string":
        return payload.check_text(value)
    size = _size(kind)
    if not _HEX.fullmatch(value) or size not in (None, len(value) // 2 - 1):
        raise Wrong(show(value))
    return value.lower()


def _integer(kind: str, value: object) -> int:
    bits = int(kind.removeprefix("u").removeprefix("int"))
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        number = int(value)
    elif type(value) is int and bits <= NUMBER_BITS:
        number = value
    elif isinstance(value, int | float | payload.Number) and not isinstance(value, bool):
        raise Wrong(f"{show(value)}, which is a JSON number")
    else:
        raise Wrong(show(value))
    least, most = _range(kind, bits)
    if not least <= number <= most:
        raise Wrong(show(value))
    return number


def _range(kind: str, bits: int) -> tuple[int, int]:
    return (0, 2**bits - 1) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _size(kind: str) -> int | None:
    """How many bytes; None: any number."""
    return 24 if kind == "function" else int(kind[5:]) if kind != "bytes" else None


def _allowed(param: abi.Param) -> str:
    kind = param.type
    if param.item is not None or kind == "tuple":
        return param.canonical
    if kind.startswith(("uint", "int")):
        bits = int(kind.removeprefix("u").removeprefix("int"))
        number = " or a JSON number" if bits <= NUMBER_BITS else ""
        return f"{kind} as a text of decimal digits{number}"
    if kind in ("bool", "string", "address"):
        words = {"bool": "true or false", "string": "a text without control characters"}
        return words.get(kind, values.Address.allowed)
    size = _size(kind)
    return f"{kind}: 0x and {'two hex digits for each byte' if size is None else f'{2 * size} hex digits'}"
