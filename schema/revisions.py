"""How far a database's schema is from this version's: the revisions that are missing, or not known here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import alembic.config
import psycopg
from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple
from chainfirst.schema import migrate

_CURRENT = "SELECT version_num FROM chain.alembic_version ORDER BY 1"


@dataclass(frozen=True)
class Distance:
    """`current`: what the database has; `missing`: what a migration would run, in order; `unknown`: what only
    a newer version of this program has."""

    current: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


def distance(connection: psycopg.Connection[Any], platform_enabled: bool) -> Distance:
    """Between this database and this version; changes nothing. `connection`: autocommit."""
    try:
        current = tuple(version for (version,) in connection.execute(_CURRENT))
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        current = ()
    script = scripts()
    known = {each.revision: each for each in script.walk_revisions()}
    unknown = tuple(each for each in current if each not in known)
    if unknown:
        return Distance(current, (), unknown)
    done = _with_ancestors(known, current)
    labels = (migrate.CORE, migrate.PLATFORM) if platform_enabled else (migrate.CORE,)
    wanted = [
        each.revision
        for each in reversed(list(script.walk_revisions()))  # a revision comes after those that it needs
        if each.branch_labels & set(labels)
    ]
    return Distance(current, tuple(each for each in wanted if each not in done), ())


def _with_ancestors(known: Mapping[str, Script], current: Iterable[str]) -> set[str]:
    """These revisions and all that they came after or depend on."""
    found: set[str] = set()
    left = list(current)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [*to_tuple(known[name].down_revision, ()), *to_tuple(known[name].dependencies, ())]
    return found


def scripts() -> ScriptDirectory:
    """This version's revisions."""
    config = alembic.config.Config()
    config.set_main_option("script_location", "chainfirst.schema:migrations")
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)
