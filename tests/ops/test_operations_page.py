"""docs/operations.md explains every setting with its default, and every exit code."""

import dataclasses
import importlib
import pkgutil
import re
import tomllib
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Union

import chainfirst
import pytest
from chainfirst.ops import config, errors
from chainfirst.ops.commands import dev, waiting

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
SHIPPED = (ROOT / "config.toml").read_text()


def keys(hint: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key that a dataclass of the settings takes, and the field; NAME for what the user chooses."""
    hints = typing.get_type_hints(hint, include_extras=True)
    for field in dataclasses.fields(hint):
        if not field.init:
            continue
        place = f"{prefix}{field.name}"
        inner = list(tables(hints[field.name]))
        if not inner or "finality" in place or "factory" in place:
            yield place, field
        for table, named in inner:
            yield from keys(table, f"{place}.NAME." if named else f"{place}.")


def tables(hint: Any) -> Iterator[tuple[Any, bool]]:
    """The dataclasses in a hint, and whether they are the values of a table of names."""
    if typing.get_origin(hint) is Annotated:
        yield from tables(typing.get_args(hint)[0])
    elif typing.get_origin(hint) is dict:
        yield typing.get_args(hint)[1], True
    elif typing.get_origin(hint) in (Union, types.UnionType):
        for each in typing.get_args(hint):
            yield from tables(each)
    elif dataclasses.is_dataclass(hint):
        yield hint, False


KEYS = dict(keys(config.Config))
EXPLAINED = dict(re.findall(r"^\| `([A-Za-z_.]+)` \| (.*?) \| .+ \|$", PAGE, re.MULTILINE))


def test_every_key_is_explained_and_no_other() -> None:
    assert EXPLAINED.keys() == KEYS.keys()


@pytest.mark.parametrize("key", KEYS)
def test_the_default_is_the_true_one(key: str) -> None:
    field, said = KEYS[key], EXPLAINED[key].strip("`")
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        assert said == "must be set"
    elif field.default is not dataclasses.MISSING and field.default not in (None, ()):
        if key != "chain.finality":
            assert tomllib.loads(f"value = {said}")["value"] == field.default
    elif key != "database.url":
        assert said != "must be set"


def test_the_file_that_ships_names_every_key() -> None:
    """But for those that stand for a table: they are inside one."""
    for key in KEYS:
        name = key.rpartition(".")[2]
        assert re.search(rf"\b{name} = ", SHIPPED), key


def codes() -> dict[str, int]:
    """The exit code of every error that there is."""
    for module in pkgutil.walk_packages(chainfirst.__path__, "chainfirst."):
        if not re.match(r"chainfirst\.(tests|bench|examples|docs|schema\.migrations)\b", module.name):
            importlib.import_module(module.name)
    found: dict[str, int] = {}
    left: list[type[errors.ChainfirstError]] = [errors.ChainfirstError]
    while left:
        each = left.pop()
        found[each.__name__] = each.exit_code
        left += each.__subclasses__()
    return found


def test_every_exit_code_is_explained_and_no_other() -> None:
    listed = re.findall(r"^\| ([0-9, ]+) \| ", PAGE, re.MULTILINE)
    explained = {int(code) for line in listed for code in line.split(", ")}
    usage = 2  # of the library of the command line
    waited = {*waiting.EXIT_CODES.values(), waiting.TIMED_OUT, waiting.USAGE}
    assert explained == {0, usage, dev.NOT_RUNNING} | waited | set(codes().values())
