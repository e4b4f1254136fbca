"""What a payload may say: structs of typed fields, and all mistakes of a payload in one text. Pure.

A payload is a JSON object; the fields of its kind's struct are the only keys allowed. Values are read into
what the database spells: amounts are int, addresses, ids and hashes lower-case 0x text. Whatever JSON comes,
the only thing raised is PayloadError.
"""

import difflib
import functools
import hashlib
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec
from chainfirst.ops import values
from chainfirst.ops.settings import Problem

MAX_UINT256 = 2**256 - 1
# the factory takes no greater goal (CampaignFactory.InvalidGoal), and no investment exceeds its goal
MAX_AMOUNT = 2**128 - 1
# The contract keeps it in storage, 22,100 gas for 32 bytes (EIP-2929): 512 bytes cost some 375,000 gas.
MAX_URI_BYTES = 512
# In calldata and log only, 24 gas a byte: 25,000 gas. Ethiopic letters take 3 bytes: 340 of them.
MAX_REASON_BYTES = 1024
MAX_LABEL_CHARS = 200  # never on chain: enough for the longest company name, and fits a line of a certificate
MAX_REFERENCE_CHARS = 64  # SWIFT's longest are 35; hashed before it goes on chain
MAX_SIGNATURE_CHARS = 2_000  # tuples are spelled out in it
MAX_DEPTH = 32
MAX_SHOWN = 20  # mistakes in one text
MAX_SHOWN_CHARS = 100  # of one found value
ZERO_ADDRESS = "0x" + "0" * 40

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WORD = re.compile("0x[0-9a-fA-F]{64}")
_DIGITS = re.compile("0|[1-9][0-9]{0,77}")
_URI = re.compile("[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")  # RFC 3986: ASCII, no white space
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_JSON_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(r"[\[\]{}]")
_NAME = re.compile("[a-z][a-z0-9_]{0,62}")


class PayloadError(Exception):
    """A payload is wrong, in one place or more; its text names them all and rejects the intent."""

    def __init__(self, field: str, found: str, allowed: str, *more: Problem) -> None:
        self.problems = (Problem(field, found, allowed), *more)
        lines = [str(problem) for problem in self.problems[:MAX_SHOWN]]
        if len(self.problems) > MAX_SHOWN:
            lines.append(f"and {len(self.problems) - MAX_SHOWN} more")
        text = lines[0] if len(lines) == 1 else f"{len(self.problems)} mistakes" + "".join(
            f"\n  {line}" for line in lines
        )  # fmt: skip
        super().__init__(text)

    @classmethod
    def check(cls, problems: Iterable[Problem]) -> None:
        """Raises it if there are any."""
        found = list(problems)
        if found:
            raise cls(found[0].key, found[0].found, found[0].allowed, *found[1:])


class UnknownId(PayloadError):
    """An id that the payload names is well-formed, but nothing of that id is indexed."""


class NotFinal(UnknownId):
    """An id is indexed, but in a block that may still go: in its replacement the same number or address may
    be another's. It is a reason to wait, none to reject."""


class Wrong(Exception):
    """A value that a Type doesn't take; the text says what was found."""


@dataclass(frozen=True)
class Type:
    """How a field is read: `read` gives the value, or raises Wrong; `allowed` says in words what it takes."""

    read: Callable[[Any], Any]
    allowed: str


@dataclass(frozen=True)
class Number:
    """A JSON number that is no whole number of a reasonable length, as it was spelt."""

    text: str


class Payload(msgspec.Struct, forbid_unknown_fields=True):
    """A kind's payload. Each field is Annotated with its Type; `X | None = None` makes one optional."""

    def contradictions(self) -> Iterable[Problem]:
        """What is wrong between fields that are each right by themselves."""
        return ()


P = TypeVar("P", bound=Payload)


def loads(text: str) -> object:
    """A payload's JSON as PostgreSQL spells it (payload::text), numbers kept exactly. PayloadError: it can't
    be read, or nests deeper than any ABI's type."""
    if _depth(text) > MAX_DEPTH:
        raise PayloadError("payload", show(text), f"JSON of at most {MAX_DEPTH} levels")
    try:
        # Python's limits, such as 4,300 digits for an int, are not PostgreSQL's
        return json.loads(
            text,
            parse_int=lambda digits: int(digits) if len(digits) <= MAX_SHOWN_CHARS else Number(digits),
            parse_float=Number,
            parse_constant=Number,
        )
    except ValueError:
        raise PayloadError("payload", show(text), "JSON") from None


def _depth(text: str) -> int:
    """How deeply it nests. Python's parser would find out too late: packages that we use raise its recursion
    limit to where the stack overflows, and the process dies."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0
    deepest = depth = 0
    for bracket in _BRACKETS.findall(_JSON_TEXT.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def read(cls: type[P], data: object) -> P:
    """The payload as its struct. PayloadError: every field that is wrong, what was found, what is allowed."""
    fields = _fields(cls)
    if not isinstance(data, Mapping):
        raise PayloadError("payload", show(data), f"an object of {', '.join(fields)}")
    problems = []
    typed = {}
    for name, (kind, required) in fields.items():
        value = data.get(name)
        if value is None and (name not in data or not required):
            if required:
                problems.append(Problem(name, "nothing", kind.allowed))
            continue
        try:
            typed[name] = kind.read(value)
        except Wrong as wrong:
            problems.append(Problem(name, str(wrong), kind.allowed))
    unknown = sorted(str(name) for name in data if name not in fields)
    for index, name in enumerate(unknown):
        near = difflib.get_close_matches(name[:MAX_SHOWN_CHARS], fields, 1, 0.6) if index < MAX_SHOWN else []
        allowed = f"{near[0]} (did you mean that?)" if near else ", ".join(fields)
        problems.append(Problem(label(name), "a field that is not known", allowed))
    PayloadError.check(problems)
    made = cls(**typed)
    PayloadError.check(made.contradictions())
    return made


@functools.cache
def _fields(cls: type[Payload]) -> dict[str, tuple[Type, bool]]:
    """Each field's type, and whether it must be there."""
    hints = typing.get_type_hints(cls, include_extras=True)
    found = {}
    for field in msgspec.structs.fields(cls):
        hint = hints[field.name]
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            (hint,) = (part for part in typing.get_args(hint) if part is not types.NoneType)
        (kind,) = (note for note in typing.get_args(hint) if isinstance(note, Type))
        found[field.name] = (kind, field.required)
    return found


def show(value: object) -> str:
    """A found value, short, and in characters that PostgreSQL can store."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        more = f"… ({len(value):,} characters)" if len(value) > MAX_SHOWN_CHARS else ""
        return _storable(json.dumps(value[:MAX_SHOWN_CHARS], ensure_ascii=False)) + more
    if isinstance(value, int):
        small = value.bit_length() < 4 * MAX_SHOWN_CHARS
        return f"the number {value}" if small else f"a number of {value.bit_length():,} bits"
    if isinstance(value, Number | float):
        return f"the number {value.text[:MAX_SHOWN_CHARS] if isinstance(value, Number) else value}"
    return "a list" if isinstance(value, list | tuple) else "an object"


def label(name: str) -> str:
    return name if name.isascii() and name.isidentifier() and len(name) <= MAX_SHOWN_CHARS else show(name)


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Wrong(show(value))
    return value


def _uuid(value: object) -> str:
    text = _text(value)
    if _UUID.fullmatch(text):
        text = f"0x{text.replace('-', '')}{'0' * 32}"
    word = _word(text)
    if word[34:].strip("0"):
        raise Wrong(f"{show(value)}, whose last 16 bytes are not zero")
    return word


def any_id(value: object) -> str:
    return _uuid(value) if _UUID.fullmatch(_text(value)) else _word(value)


def _word(value: object) -> str:
    text = _text(value)
    if not _WORD.fullmatch(text):
        raise Wrong(show(text))
    if not text[2:].strip("0"):
        raise Wrong(f"{show(value)}, which is zero")
    return text.lower()


def any_address(value: object) -> str:
    text = _text(value)
    try:
        return values.Address(text).lower
    except ValueError as error:
        raise Wrong(f"{show(text)}{', whose checksum is wrong' * ('checksum' in str(error))}") from None


def _address(value: object) -> str:
    address = any_address(value)
    if address == ZERO_ADDRESS:
        raise Wrong("the zero address")
    return address


def _digits(least: int, most: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if isinstance(value, int | float | Number) and not isinstance(value, bool):
            raise Wrong(f"{show(value)}, which is a JSON number")
        text = _text(value)
        if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
            raise Wrong(show(text))
        return int(text)

    return parse


def _amount(least: int) -> Type:
    return Type(
        _digits(least, MAX_AMOUNT),
        f'token units as a text of decimal digits, such as "150000", from {least} to 2^128 - 1'
        " (a JSON number loses digits in many languages)",
    )


def whole(least: int, most: int, unit: str) -> Type:
    """A small whole number, as a JSON number."""

    def parse(value: object) -> int:
        if type(value) is not int or not least <= value <= most:
            raise Wrong(show(value))
        return value

    return Type(parse, f"a whole number of {unit}, from {least} to {most}")


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise Wrong(show(value))
    return value


def check_text(text: str) -> str:
    """The text. Wrong: PostgreSQL or a terminal could not hold it: NUL, lone surrogates, control characters
    but new lines and tabs."""
    if found := _CONTROL.search(text):
        raise Wrong(f"{show(text)}, with the character U+{ord(found[0]):04X}")
    return text


def _prose(value: object, max_bytes: int) -> str:
    text = check_text(_text(value))
    size = len(text.encode())
    if not text.strip() or size > max_bytes:
        raise Wrong(f"{show(text)}, {size:,} bytes" if text.strip() else show(text))
    return text


def _line(value: object, max_chars: int) -> str:
    text = check_text(_text(value))
    if not text.strip() or len(text) > max_chars or text != text.strip() or len(text.splitlines()) > 1:
        raise Wrong(show(text))
    return text


def _uri(value: object) -> str:
    text = _text(value)
    if not _URI.fullmatch(text) or len(text) > MAX_URI_BYTES:
        raise Wrong(show(text))
    return text


def _reference(value: object) -> str:
    text = _text(value)
    if text[:2].lower() == "0x":
        return _word(text)
    return f"0x{hashlib.sha256(_line(text, MAX_REFERENCE_CHARS).encode()).hexdigest()}"


def _name(value: object) -> str:
    if not _NAME.fullmatch(_text(value)):
        raise Wrong(show(value))
    return str(value)


def _as_it_is(*kinds: type) -> Callable[[Any], Any]:
    def parse(value: object) -> object:
        if not isinstance(value, kinds):
            raise Wrong(show(value))
        return value

    return parse


Uuid = Annotated[str, Type(_uuid, "a UUID, or 0x and its 32 hex digits and 32 zeros; not nil")]
"""A company, campaign or investment of the platform; on chain the UUID's 16 bytes, then zeros."""
AnyId = Annotated[str, Type(any_id, "a UUID, or 0x and 64 hex digits; not zero")]
"""As `Uuid`, or the id of an investment that was made on chain, a hash."""
Address = Annotated[str, Type(_address, f"{values.Address.allowed}; not zero")]
AnyAddress = Annotated[str, Type(any_address, values.Address.allowed)]
Hash = Annotated[str, Type(_word, "a hash: 0x and 64 hex digits, not all zeros")]
Amount = Annotated[int, _amount(1)]
AmountOrZero = Annotated[int, _amount(0)]
Wei = Annotated[int, Type(_digits(0, MAX_UINT256), "wei as a text of decimal digits, up to 2^256 - 1")]
TokenId = Annotated[
    int, Type(_digits(0, MAX_UINT256), 'a token\'s number as a text of decimal digits, such as "17"')
]
Flag = Annotated[bool, Type(_bool, "true or false")]
DocumentUri = Annotated[
    str,
    Type(
        _uri,
        f"a URI such as ipfs://… (RFC 3986: a scheme, ASCII, no spaces) of at most {MAX_URI_BYTES} bytes",
    ),
]
Reason = Annotated[
    str,
    Type(
        lambda value: _prose(value, MAX_REASON_BYTES),
        f"a text, not blank, without control characters, of at most {MAX_REASON_BYTES:,} bytes in UTF-8",
    ),
]
Label = Annotated[
    str,
    Type(
        lambda value: _line(value, MAX_LABEL_CHARS),
        f"one line of text, at most {MAX_LABEL_CHARS} characters, with no space at its ends",
    ),
]
Signature = Annotated[
    str,
    Type(
        lambda value: _line(value, MAX_SIGNATURE_CHARS), "a name, or a signature such as f(address,uint256)"
    ),
]
PaymentReference = Annotated[
    str,
    Type(
        _reference,
        f"the bank's reference, one line of at most {MAX_REFERENCE_CHARS} characters, no space at its ends"
        " (its SHA-256 goes on chain); or 0x and 64 hex digits, not all zeros, which go as they are",
    ),
]
Key = Annotated[str, Type(_name, "the key of a contract in the settings")]
Values = Annotated[
    Any, Type(_as_it_is(list, dict), "a list of values, or an object of values by their names")
]
NamedValues = Annotated[dict[str, Any], Type(_as_it_is(dict), "an object of values by their names")]
