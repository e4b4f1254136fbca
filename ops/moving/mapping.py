"""Where the old records are, and which events say what: the mapping file (docs/moving-in.md)."""

import difflib
import tomllib
from collections import abc
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from chainfirst.ops import errors, settings
from chainfirst.ops.moving import records
from chainfirst.ops.settings import Problem, Rule

Decimals = Annotated[int, Rule(lambda n: 0 <= n <= 36, "a number of decimals, 0 to 36")]


@dataclass(frozen=True)
class Table:
    """One of the old tables. What is not said is as in a typical app (records.TABLES)."""

    table: str | None = None
    columns: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Events that say that something is on chain: a table of the schema event, and its columns.

    `place`: the campaign's contract, where it is not the one that emitted the event. `decimals`: of the
    token that `amount` counts.
    """

    table: str
    id: str | None = None
    wallet: str | None = None
    amount: str | None = None
    place: str | None = None
    token_id: str | None = None
    decimals: Decimals = 2


@dataclass(frozen=True)
class Events:
    """The events of older contracts; the platform's own are known."""

    companies: tuple[Source, ...] = ()
    campaigns: tuple[Source, ...] = ()
    investments: tuple[Source, ...] = ()
    certificates: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Mapping:
    """The whole file."""

    users: Table = Table()
    companies: Table = Table()
    campaigns: Table = Table()
    investments: Table = Table()
    certificates: Table = Table()
    events: Events = Events()

    def of(self, name: str) -> Table:
        """What is said of one of the tables."""
        found: Table = getattr(self, name)
        return found


OWN = Events(
    companies=(Source("issuer_registry_issuer_registered", id="company_id", wallet="issuer"),),
    campaigns=(
        Source("campaign_factory_campaign_created", id="campaign_id", wallet="issuer", place="campaign"),
    ),
    investments=(
        Source("campaign_investment_recorded", id="investment_id", wallet="investor", amount="amount"),
    ),
    certificates=(
        Source(
            "share_certificate_certificate_minted",
            id="investment_id",
            wallet="owner",
            amount="amount",
            token_id="token_id",  # noqa: S106
        ),
    ),
)
"""The platform's own events."""


def load(path: Path | None) -> Mapping:
    """The checked mapping; without a file, that of a typical app. SettingsError: all its mistakes."""
    if path is None:
        return Mapping()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise errors.ConfigError(f"{path} can't be read: {error}", "Name the mapping's file.") from None
    found = settings.read(Mapping, data, str(path))
    problems = list(_mistakes(found))
    if problems:
        raise settings.SettingsError(str(path), problems)
    return found


def _mistakes(found: Mapping) -> abc.Iterator[Problem]:
    for name, shape in records.TABLES.items():
        table, fields = found.of(name), {each.name: each for each in shape.fields}
        for part in ("columns", "values", "defaults"):
            given: abc.Mapping[str, object] = getattr(table, part)
            for key in given:
                if key not in fields:
                    near = difflib.get_close_matches(key, fields, 1, 0.6)
                    allowed = f"{near[0]} (did you mean that?)" if near else ", ".join(fields)
                    yield Problem(f"{name}.{part}.{key}", "a column that is not known", allowed)
        for key, words in table.values.items():
            choices = fields[key].choices if key in fields else ()
            for old, new in words.items():
                if choices and new not in choices:
                    yield Problem(f"{name}.values.{key}.{old}", f'"{new}"', ", ".join(choices))
