"""Writes the Python of one event's encoder.

Why generated code: an indexer spends its time here. A loop over columns with a call for each costs
several times what the work itself does; unrolled, with the offsets as constants and one f-string,
an ERC-20 Transfer takes a microsecond or two. An event of static types, in lower case as nodes send it, is
cut out of the node's own text; everything else goes through bytes. Only numbers and the names below enter
the source, never an ABI's text.
"""

import json
from collections.abc import Callable
from typing import Any, NoReturn

from chainfirst.indexer import abi_read
from chainfirst.indexer.abi_read import Undecodable
from chainfirst.indexer.structs import Log
from chainfirst.ops.errors import TransientError
from chainfirst.schema.layout import Column, EventLayout

TOPICS_AT = 52  # bytes before the topics: transaction hash and address


class MalformedLog(TransientError):
    """The node's answer is not a log: a field isn't hex or has the wrong length. Ask again."""


class LossyText(Exception):
    """The row is `line`, but a text of it held NUL or invalid UTF-8, now U+FFFD: keep the raw log too."""

    def __init__(self, line: str) -> None:
        super().__init__("text that PostgreSQL can't hold")
        self.line = line


def escape(text: str) -> str:
    """Text for COPY's text format: backslash, and what would end the field or the line."""
    if text.isalnum():
        return text
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace("\r", "\\r").replace("\t", "\\t")


def copy_json(value: object) -> str:
    """A value of abi_read (as_json) for a jsonb field."""
    return escape(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def check_log(log: Log) -> None:
    """MalformedLog if a field isn't what every log has; says which."""
    hashes = (("transactionHash", log.transaction_hash, 66), ("address", log.address, 42))
    topics = tuple((f"topic {index}", topic, 66) for index, topic in enumerate(log.topics))
    for name, text, length in (*hashes, *topics, ("data", log.data, len(log.data))):
        if len(text) != length or text[:2] != "0x" or not _is_hex(text[2:]):
            raise MalformedLog(f"a log's {name} is {text[:80]!r}", "The endpoint's answer is not usable")
    keys = (("blockNumber", log.block_number, 63), ("transactionIndex", log.transaction_index, 31))
    for name, text, bits in (*keys, ("logIndex", log.log_index, 31)):
        try:
            number = int(text, 16)
        except (TypeError, ValueError):
            number = -1
        # some nodes count below zero: 0xfffffff7
        if number >> bits:
            raise MalformedLog(f"a log's {name} is {str(text)[:80]!r}", "The endpoint's answer is not usable")


def _is_hex(text: str) -> bool:
    # fromhex skips white space, which isalnum refuses
    try:
        return not text or (text.isalnum() and len(bytes.fromhex(text)) >= 0)
    except ValueError:
        return False


def fail(log: Log, layout: EventLayout, head_bytes: int) -> NoReturn:
    """Raises what is wrong with a log that the encoder's checks refused."""
    check_log(log)
    if len(log.topics) != layout.n_topics:
        raise Undecodable(f"{len(log.topics)} topics, expected {layout.n_topics}")
    if not layout.anonymous and log.topics[0].lower() != layout.topic0:
        raise Undecodable(f"topic {log.topics[0]}, expected {layout.topic0}")
    size = len(log.data) // 2 - 1
    if size < head_bytes:
        raise Undecodable(f"data of {size} bytes, expected at least {head_bytes}")
    raise MalformedLog("a log's fields are not hex", "The endpoint's answer is not usable")


def encoder(layout: EventLayout) -> Callable[[Log, str], str]:
    """The function that `Decoder.encode` is."""
    names: dict[str, Any] = {"fail": fail, "layout": layout, "topic0": layout.topic0}
    names |= {"Source": abi_read.Source, "LossyText": LossyText, "escape": escape, "copy_json": copy_json}
    names |= {"fromhex": bytes.fromhex, "uint": int.from_bytes}
    names |= {"digits": b"0123456789abcdef"}
    topic, position, fields, reads = 0 if layout.anonymous else 1, TOPICS_AT, [], False
    topics = [f"t{index}" for index in range(topic, layout.n_topics)]
    data_at = TOPICS_AT + 32 * len(topics)
    head = data_at
    for index, column in enumerate(layout.columns):
        if column.indexed:
            fields.append(_word(column, position))
            position += 32
            continue
        if column.sql_type in ("jsonb", "bytea") or column.abi_type == "string":
            reads = True
            names[f"read{index}"] = abi_read.reader(column.param, as_json=True)
            fields.append(_read(column, index, head - data_at))
        else:
            fields.append(_word(column, head))
        head += 32 * column.param.head_words
    quick = [] if reads else _quick(layout, topics)
    source = _source(layout, fields, topics, data_at, head, quick, reads=reads)
    exec(compile(source, f"<encoder of {layout.table}>", "exec"), names)  # noqa: S102
    encode: Callable[[Log, str], str] = names["encode"]
    return encode


def _source(
    layout: EventLayout,
    fields: list[str],
    topics: list[str],
    data_at: int,
    end: int,
    quick: list[str],
    *,
    reads: bool,
) -> str:
    """The encoder's text: checks of length, the `quick` way if there is one, and the way that fits all.

    Hash, address, topics and data are joined into one run of bytes `g`, whose first `end` bytes have fixed
    places; `h` is their hex, lower-case. A log that a check refuses goes to `fail`, which finds the words.
    """
    refuse = f"fail(log, layout, {end - data_at})"
    lengths = [f"len(d) < {2 + 2 * (end - data_at)}", "d[1] != 'x'", "len(x) != 66", "len(a) != 42"]
    lengths += [f"len({name}) != 66" for name in topics]
    first = "" if layout.anonymous else " or (topics[0] != topic0 and topics[0].lower() != topic0)"
    joined = "".join(f"{{{name}[2:]}}" for name in ("x", "a", *topics, "d"))
    row = "\\t".join(["{b}", "{i}", "{j}", "{block_time}", "0x{h[:64]}", "0x{h[64:104]}", *fields])
    lines = [
        "topics, x, a, d = log.topics, log.transaction_hash, log.address, log.data",
        f"if len(topics) != {layout.n_topics}{first}: {refuse}",
        *(f"{name} = topics[{name[1:]}]" for name in topics),
        f"if {' or '.join(lengths)}: {refuse}",
        *quick,
        "try:",
        f"    g = fromhex(f'{joined}')",
        "    b, i, j = int(log.block_number, 16), int(log.transaction_index, 16), int(log.log_index, 16)",
        f"except (TypeError, ValueError): {refuse}",
        # fromhex skips white space: then the bytes are too few
        f"if len(g) != {data_at} + len(d) // 2 - 1 or (i | j) >> 31 or b >> 63: {refuse}",
        f"h = g[:{end}].hex()",
        *([f"s = Source(g[{data_at}:])"] if reads else []),
        f'line = f"{row}\\n"',
        *(["if s.lossy: raise LossyText(line)"] if reads else []),
        "return line",
    ]
    return "def encode(log, block_time):\n" + "\n".join(f"    {line}" for line in lines)


def _quick(layout: EventLayout, topics: list[str]) -> list[str]:
    """The way for static types in lower-case hex: one pass over the fields, joined to `g`, leaves nothing
    but the x of each prefix; these must be where the prefixes are. Anything else is left to the slow way."""
    count = len(topics) + 2  # with the hash and the address: `g` has their prefixes each 66 characters
    joined = "".join(f"{{{name}}}" for name in ("x", *topics, "a", "d"))
    position, head, fields = 0, 2, []
    for column in layout.columns:
        if column.indexed:
            fields.append(_cut(column, topics[position], 2))
            position += 1
        else:
            fields.append(_cut(column, "d", head))
            head += 64 * column.param.head_words
    row = "\\t".join(["{b}", "{i}", "{j}", "{block_time}", "{x}", "{a}", *fields])
    return [
        f"g = f'{joined}'",
        f"if g.encode('ascii', 'replace').translate(None, digits) == b'{'x' * (count + 1)}'"
        f" and g[1:{66 * count}:66] == '{'x' * count}':",
        "    try:",
        "        b, i, j = int(log.block_number, 16), int(log.transaction_index, 16), int(log.log_index, 16)",
        "    except (TypeError, ValueError): b = -1",
        "    if b >= 0 and not ((i | j) >> 31 or b >> 63):",
        f'        return f"{row}\\n"',
    ]


def _read(column: Column, index: int, at: int) -> str:
    """The f-string field of a value that abi_read reads; `at`: its head in the data, in bytes."""
    position = f"s.uint({at})" if column.param.dynamic else str(at)
    value = f"read{index}(s, {position})"
    if column.sql_type == "bytea":
        return f"\\\\\\\\x{{{value}[2:]}}"
    return f"{{escape({value})}}" if column.abi_type == "string" else f"{{copy_json({value})}}"


def _word(column: Column, at: int) -> str:
    """The f-string field of a one-word value at byte `at` of `g`, masked to the type's width."""
    kind, end = column.abi_type, at + 32
    if column.hashed:
        return f"0x{{h[{2 * at}:{2 * end}]}}"
    if kind == "address":
        return f"0x{{h[{2 * at + 24}:{2 * end}]}}"
    if kind == "bool":
        # as solc cleans a bool: any bit set is true
        return f"{{'t' if any(g[{at}:{end}]) else 'f'}}"
    if kind.startswith(("uint", "int")):
        bits = int(kind.removeprefix("u")[3:])
        number = f"uint(g[{end - bits // 8}:{end}], 'big')"
        if kind.startswith("u"):
            return f"{{{number}}}"
        sign = 1 << (bits - 1)  # xor and minus extend it
        return f"{{({number} ^ {sign}) - {sign}}}"
    size = 24 if kind == "function" else int(kind[5:])
    return f"0x{{h[{2 * at}:{2 * at + 2 * size}]}}"


def _cut(column: Column, name: str, at: int) -> str:
    """The f-string field of a one-word value at character `at` of the text `name`, as `_word`."""
    kind, end = column.abi_type, at + 64
    if column.hashed:
        return f"0x{{{name}[{at}:{end}]}}"
    if kind == "address":
        return f"0x{{{name}[{at + 24}:{end}]}}"
    if kind == "bool":
        return f"{{'f' if {name}[{at}:{end}] == '{'0' * 64}' else 't'}}"
    if kind.startswith(("uint", "int")):
        bits = int(kind.removeprefix("u")[3:])
        number = f"int({name}[{end - bits // 4}:{end}], 16)"
        sign = 1 << (bits - 1)
        return f"{{{number}}}" if kind.startswith("u") else f"{{({number} ^ {sign}) - {sign}}}"
    size = 24 if kind == "function" else int(kind[5:])
    return f"0x{{{name}[{at}:{at + 2 * size}]}}"
