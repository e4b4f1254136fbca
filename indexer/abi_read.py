"""Reads ABI-encoded values out of a log's data: lenient where the chain is, bounded where it is hostile.

eth-abi is the oracle of the tests and not used here: it refuses dirty padding inside tuples, and nothing
bounds it when offsets point at each other (an array of arrays that all point at one long array multiplies).
Here every word read is paid from a budget that the data's length sets, so an ABI bomb fails fast.
"""

from collections.abc import Callable
from typing import Any

from chainfirst.schema import abi


class Undecodable(Exception):
    """A true log that does not fit the ABI; `reason` is for event.undecoded."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Source:
    """A log's data while it is read. `budget`: words that may still be read; `lossy`: text was changed."""

    __slots__ = ("budget", "data", "lossy")

    def __init__(self, data: bytes) -> None:
        self.data = data
        # an honest encoding reads each word once; compact ones share tails. 4 times and some for small data.
        self.budget = len(data) // 8 + 64
        self.lossy = False

    def pay(self, words: int) -> None:
        self.budget -= words
        if self.budget < 0:
            raise Undecodable("the data's offsets multiply it (ABI bomb)")

    def uint(self, position: int) -> int:
        """The word at `position`; budget of one word."""
        self.pay(1)
        if position + 32 > len(self.data):
            raise Undecodable(f"the data ends at byte {len(self.data)}, before byte {position + 32}")
        return int.from_bytes(self.data[position : position + 32])

    def tail(self, position: int) -> bytes:
        """Bytes with their length before them; old compilers left out the padding at the data's end."""
        length = self.uint(position)
        end = position + 32 + length
        if end > len(self.data):
            raise Undecodable(f"a length of {length} bytes in data of {len(self.data)} bytes")
        self.pay(length // 32)
        return self.data[position + 32 : end]

    def text(self, position: int) -> str:
        """A string as PostgreSQL can hold it: invalid UTF-8 and NUL become U+FFFD and are noted."""
        raw = self.tail(position)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text, self.lossy = raw.decode(errors="replace"), True
        if "\0" in text:
            text, self.lossy = text.replace("\0", "\ufffd"), True
        return text


# position of the value → the value
Read = Callable[[Source, int], Any]


def hex_of(raw: bytes) -> str:
    """0x hex."""
    return f"0x{raw.hex()}"


def reader(param: abi.Param, *, as_json: bool) -> Read:
    """The reader of a type, compiled once. `as_json`: integers as strings and bytes as 0x hex, for jsonb;
    otherwise int and bytes. Tuples are dicts by the ABI's names, arrays are lists."""
    if (item := param.item) is not None:
        return _array(*item, as_json=as_json)
    kind = param.type
    if kind == "tuple":
        return _tuple(param.components, as_json=as_json)
    if kind == "string":
        return Source.text
    if kind == "bytes":
        return (lambda source, at: hex_of(source.tail(at))) if as_json else Source.tail
    if kind == "bool":
        # as solc cleans a bool: any bit set is true
        return lambda source, at: source.uint(at) != 0
    if kind == "address":
        return lambda source, at: f"0x{source.uint(at) & ((1 << 160) - 1):040x}"
    if kind.startswith(("uint", "int")):
        return _integer(kind, as_json=as_json)
    size = 24 if kind == "function" else int(kind[5:])
    return lambda source, at: hex_of(source.uint(at).to_bytes(32)[:size])


def _integer(kind: str, *, as_json: bool) -> Read:
    bits = int(kind.removeprefix("u")[3:])
    mask, sign = (1 << bits) - 1, 0 if kind.startswith("u") else 1 << (bits - 1)

    def read(source: Source, at: int) -> object:
        # masked to the type's width; xor and minus extend the sign
        value = ((source.uint(at) & mask) ^ sign) - sign
        return str(value) if as_json else value

    return read


def _placed(param: abi.Param, *, as_json: bool) -> Callable[[Source, int, int], Any]:
    """Reads a value where its head is: (source, head, start of the frame that offsets count from)."""
    read = reader(param, as_json=as_json)
    if param.dynamic:
        return lambda source, head, frame: read(source, frame + source.uint(head))
    return lambda source, head, _frame: read(source, head)


def _array(item: abi.Param, length: int | None, *, as_json: bool) -> Read:
    read, size = _placed(item, as_json=as_json), 32 * item.head_words

    def read_array(source: Source, at: int) -> list[Any]:
        count, frame = (source.uint(at), at + 32) if length is None else (length, at)
        if frame + count * size > len(source.data):
            raise Undecodable(f"an array of {count} in data of {len(source.data)} bytes")
        source.pay(0 if size else count)  # elements without a word cost too
        return [read(source, frame + index * size, frame) for index in range(count)]

    return read_array


def _tuple(components: tuple[abi.Param, ...], *, as_json: bool) -> Read:
    parts: list[tuple[str, int, Callable[[Source, int, int], Any]]] = []
    names: set[str] = set()
    head = 0
    for index, part in enumerate(components):
        name = part.name or f"arg{index}"
        while name in names:
            name += "_"
        names.add(name)
        parts.append((name, head, _placed(part, as_json=as_json)))
        head += 32 * part.head_words
    return lambda source, at: {name: read(source, at + offset, at) for name, offset, read in parts}
