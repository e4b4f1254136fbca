"""The settings engine: types, every mistake at once, the environment."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from chainfirst.ops import settings


@dataclass(frozen=True)
class Inner:
    size: Annotated[int, settings.Rule(lambda n: n > 0, "a whole number above 0")]
    ratio: float = 1.0


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    mode: int | Literal["instant"] | Inner = 5
    tags: tuple[str, ...] = ()
    parts: dict[str, Inner] = field(default_factory=dict)
    file: Path | None = None
    on: bool = False


def mistakes(data: dict[str, Any]) -> list[str]:
    with pytest.raises(settings.SettingsError) as raised:
        settings.read(Outer, data, "file")
    assert raised.value.exit_code == 78
    return [str(problem) for problem in raised.value.problems]


def test_typed_values() -> None:
    data = {
        "name": "n", "inner": {"size": 2, "ratio": 3}, "mode": "instant", "tags": ["a"],
        "parts": {"x": {"size": 1}}, "file": "a/b", "on": True,
    }  # fmt: skip
    outer = settings.read(Outer, data, "file")
    assert outer == Outer("n", Inner(2, 3.0), "instant", ("a",), {"x": Inner(1)}, Path("a/b"), True)
    assert type(outer.inner.ratio) is float


def test_every_mistake_at_once() -> None:
    data = {"nam": "n", "inner": {"size": 0}, "mode": "instnt", "tags": ["a", 1], "on": 1, "parts": {"x": {}}}
    assert mistakes(data) == [
        "nam: found a key that is not known; allowed: name (did you mean that?)",
        "name: found nothing; allowed: a text",
        "inner.size: found 0; allowed: a whole number above 0",
        'mode: found "instnt"; allowed: a whole number, "instant" or a table of size, ratio',
        "tags[1]: found 1; allowed: a text",
        "parts.x.size: found nothing; allowed: a whole number above 0",
        "on: found 1; allowed: true or false",
    ]


def test_a_union_complains_about_the_member_of_that_shape() -> None:
    data = {"name": "n", "inner": {"size": 1}, "mode": {"size": "big"}}
    assert mistakes(data) == ['mode.size: found "big"; allowed: a whole number above 0']
    assert mistakes(data | {"mode": True}) == [
        'mode: found true; allowed: a whole number, "instant" or a table of size, ratio'
    ]
    assert mistakes(data | {"mode": 5, "inner": 3}) == ["inner: found 3; allowed: a table of size, ratio"]


@pytest.mark.parametrize(
    ("variable", "text", "attribute", "value"),
    [
        ("T_NAME", "5", "name", "5"),
        ("T_INNER__SIZE", "7", "inner", Inner(7)),
        ("T_INNER", "{ size = 8 }", "inner", Inner(8)),
        ("T_MODE", "instant", "mode", "instant"),
        ("T_MODE", "9", "mode", 9),
        ("T_MODE", "{ size = 3 }", "mode", Inner(3)),
        ("T_TAGS", "a, b", "tags", ("a", "b")),
        ("T_TAGS", '["c"]', "tags", ("c",)),
        ("T_PARTS__Y__SIZE", "2", "parts", {"y": Inner(2)}),
        ("T_FILE", "x/y", "file", Path("x/y")),
        ("T_ON", "true", "on", True),
    ],
)
def test_environment_overrides_and_is_typed(variable: str, text: str, attribute: str, value: object) -> None:
    data = {"name": "n", "inner": {"size": 1}}
    laid_over = settings.overridden(data, {variable: text, "OTHER": "x"}, "T_")
    assert getattr(settings.read(Outer, laid_over, "file"), attribute) == value
    assert data == {"name": "n", "inner": {"size": 1}}


def test_a_misspelt_variable_is_an_unknown_key() -> None:
    environ = {"T_INNER__SIZ": "1", "T_IGNORED": "1", "T_ON": "yes"}
    data = settings.overridden({"name": "n", "inner": {"size": 1}}, environ, "T_", ["T_IGNORED"])
    assert mistakes(data) == [
        "inner.siz: found a key that is not known in T_INNER__SIZ; allowed: size (did you mean that?)",
        'on: found "yes" in T_ON; allowed: true or false',
    ]


def test_a_table_and_a_value_in_it_may_both_be_overridden() -> None:
    environ = {"T_INNER": "{ size = 2, ratio = 2.5 }", "T_INNER__SIZE": "3"}
    laid_over = settings.overridden({"name": "n"}, environ, "T_")
    assert settings.read(Outer, laid_over, "file").inner == Inner(3, 2.5)
