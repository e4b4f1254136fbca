"""Reads plain data into frozen dataclasses by their type hints, and reports every mistake at once.

Understood hints: str, int, float, bool, Path, Literal, unions, tuple[X, ...], dict[str, X],
dataclasses, `Text` subclasses, and Annotated[X, Rule(…)]. A dataclass is a table: its fields are
the only keys allowed. Environment variables override: CHAINFIRST_CHAIN__CHAIN_ID=5.
"""

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union

from chainfirst.ops import errors

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Problem:
    """One mistake: where, what was found there, and what is allowed instead."""

    key: str
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.key}: found {self.found}; allowed: {self.allowed}"


class SettingsError(errors.ConfigError):
    """The settings are wrong in one or more places, each of them named in `problems`."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems]
        if len(lines) == 1:
            super().__init__(f"{source}: {lines[0]}", "Correct it.")
        else:
            super().__init__(f"{source} has {len(lines)} mistakes" + "".join(f"\n  {line}" for line in lines))


@dataclasses.dataclass(frozen=True)
class Rule:
    """A further condition on a value; `allowed` says it in words."""

    holds: Callable[[Any], bool]
    allowed: str


class Text:
    """A string with a meaning of its own: `full` is all of it, printing shows only what is no secret."""

    allowed: ClassVar[str]

    def __init__(self, full: str) -> None:
        """Raises ValueError (its text says what was found) unless the text is one of these."""
        self.full = full

    @staticmethod
    def masked(text: str) -> str:
        """The text as it may be printed."""
        return text

    def __str__(self) -> str:
        return self.masked(self.full)

    def __repr__(self) -> str:
        return repr(str(self))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.full == self.full

    def __hash__(self) -> int:
        return hash(self.full)


@dataclasses.dataclass(frozen=True)
class FromEnvironment:
    """A value whose text came from an environment variable and has no type yet."""

    variable: str
    text: str


class _Reader:
    """Walks data and hints together, collecting problems instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def read(self, hint: Any, value: Any, key: str) -> Any:
        """The typed value; None, and a problem noted, where it is wrong."""
        origin = typing.get_origin(hint)
        if origin is Annotated:
            base, *rules = typing.get_args(hint)
            return self._ruled(base, rules, value, key)
        if origin in (Union, types.UnionType):
            return self._one_of(typing.get_args(hint), value, key)
        if dataclasses.is_dataclass(hint):
            return self._table(typing.cast(type, hint), value, key)
        given = value
        if isinstance(value, FromEnvironment):
            value = _typed_text(hint, value.text)
        if origin is dict and isinstance(value, dict):
            inner = typing.get_args(hint)[1]
            return {name: self.read(inner, item, f"{key}.{name}") for name, item in value.items()}
        if origin is tuple and isinstance(value, list):
            inner = typing.get_args(hint)[0]
            return tuple(self.read(inner, item, f"{key}[{index}]") for index, item in enumerate(value))
        if origin is Literal and type(value) is str and value in typing.get_args(hint):
            return value
        if hint is float and type(value) is int:
            return float(value)
        if hint in (str, int, float, bool) and type(value) is hint:
            return value
        if hint is Path and isinstance(value, str) and value:
            return Path(value)
        if isinstance(hint, type) and issubclass(hint, Text) and isinstance(value, str):
            try:
                return hint(value)
            except ValueError as error:
                return self._wrong(key, f"{error}{_origin(given)}", hint.allowed)
        return self._wrong(key, show(given, hint), allowed(hint))

    def _wrong(self, key: str, found: str, what: str) -> None:
        self.problems.append(Problem(key, found, what))

    def _ruled(self, base: Any, rules: list[Rule], value: Any, key: str) -> Any:
        before = len(self.problems)
        typed = self.read(base, value, key)
        if len(self.problems) > before:
            last = self.problems[-1]
            if last.key == key:  # of the wrong type: the rule's words say more than the type's
                self.problems[-1] = dataclasses.replace(last, allowed=rules[0].allowed)
            return None
        broken = [rule for rule in rules if not rule.holds(typed)]
        return self._wrong(key, show(value, base), broken[0].allowed) if broken else typed

    def _one_of(self, hints: tuple[Any, ...], value: Any, key: str) -> Any:
        """The first member that takes the value; else the complaints of the member of its shape."""
        best: list[Problem] = []
        for hint in hints:
            attempt = _Reader()
            typed = attempt.read(hint, value, key)
            if not attempt.problems:
                return typed
            if _same_shape(hint, value):
                best = attempt.problems
        shown = next((show(value, hint) for hint in hints if _is_text(hint)), show(value, str))
        meant = [allowed(hint) for hint in hints if hint is not types.NoneType]
        self.problems += best or [Problem(key, shown, _or(meant))]
        return None

    def _table(self, cls: type, value: Any, key: str) -> Any:
        if isinstance(value, FromEnvironment):
            value = _toml(value.text)
        if not isinstance(value, dict):
            return self._wrong(key or "the whole", show(value, dict), allowed(cls))
        hints = typing.get_type_hints(cls, include_extras=True)
        fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
        prefix = f"{key}." if key else ""
        before = len(self.problems)
        for name in sorted(value.keys() - fields.keys()):
            near = difflib.get_close_matches(name, fields, 1, 0.6)
            what = f"{near[0]} (did you mean that?)" if near else ", ".join(fields)
            self._wrong(prefix + name, f"a key that is not known{_origin(value[name])}", what)
        typed = {}
        for name, field in fields.items():
            if name in value:
                typed[name] = self.read(hints[name], value[name], prefix + name)
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                self._wrong(prefix + name, "nothing", allowed(hints[name]))
        return cls(**typed) if len(self.problems) == before else None


def read(cls: type[T], data: Mapping[str, Any], source: str) -> T:
    """`data` as an instance of the dataclass `cls`; SettingsError with every mistake otherwise."""
    reader = _Reader()
    typed: T = reader.read(cls, dict(data), "")
    if reader.problems:
        raise SettingsError(source, reader.problems)
    return typed


def overridden(
    data: Mapping[str, Any], environ: Mapping[str, str], prefix: str, ignored: Iterable[str] = ()
) -> dict[str, Any]:
    """`data` with PREFIX_TABLE__KEY variables laid over it; a misspelt one becomes an unknown key."""
    result: dict[str, Any] = _copy(data)
    for variable in sorted(environ):
        if not variable.startswith(prefix) or variable in ignored:
            continue
        *tables, last = variable.removeprefix(prefix).lower().split("__")
        place = result
        for table in tables:
            inner = place.get(table)
            if isinstance(inner, FromEnvironment):  # the whole table is overridden, and a value in it
                inner = place[table] = _toml(inner.text)
            if not isinstance(inner, dict):
                inner = place[table] = {}
            place = inner
        place[last] = FromEnvironment(variable, environ[variable])
    return result


def allowed(hint: Any) -> str:
    """What a hint takes, in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return str(arguments[1].allowed)
    if origin is Literal:
        return _or([f'"{value}"' for value in arguments])
    if origin in (Union, types.UnionType):
        return _or([allowed(argument) for argument in arguments if argument is not types.NoneType])
    if origin is tuple:
        return f"a list of which each is {allowed(arguments[0])}"
    if dataclasses.is_dataclass(hint):
        return f"a table of {', '.join(field.name for field in dataclasses.fields(hint))}"
    if isinstance(hint, type) and issubclass(hint, Text):
        return hint.allowed
    words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}
    return words.get(hint, "a table")


def show(value: Any, hint: Any) -> str:
    """A found value, short, in TOML's spelling, and without secrets."""
    if isinstance(value, FromEnvironment):
        return show(value.text, hint) + _origin(value)
    if _is_text(hint):
        masked = hint.masked(str(value))
        if type(value) in (int, float):
            return str(masked[:100])  # without quotes: it is no text, and that may be the mistake
        value = masked
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list | tuple):
        return "a table" if isinstance(value, dict) else "a list"
    return f'"{value[:100]}"' if isinstance(value, str) else str(value)


def _origin(value: Any) -> str:
    return f" in {value.variable}" if isinstance(value, FromEnvironment) else ""


def _is_text(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Text)


def _same_shape(hint: Any, value: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return _same_shape(typing.get_args(hint)[0], value)
    if isinstance(value, FromEnvironment):
        value = _toml(value.text)
    if isinstance(value, dict):
        return dataclasses.is_dataclass(hint) or origin is dict
    if isinstance(value, list):
        return origin is tuple
    return type(value) is hint or (isinstance(value, str) and _is_text(hint))


def _typed_text(hint: Any, text: str) -> Any:
    """An environment variable's text as the plain value that TOML would have given."""
    if hint in (str, Path) or _is_text(hint) or typing.get_origin(hint) is Literal:
        return text
    value = _toml(text)
    if typing.get_origin(hint) is tuple and not isinstance(value, list):
        return [part.strip() for part in text.split(",")]
    return value


def _toml(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _copy(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in data.items()}


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
