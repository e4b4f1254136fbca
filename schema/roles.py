"""Database, login roles and rights: what an administrator makes before the daemon's first start.

The four group roles are those of migrations/sql/bootstrap.sql, which makes them itself where the login user
may (PostgreSQL 22.1, Database Roles). With these statements it need not.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from chainfirst.ops.errors import ConfigError
from chainfirst.schema import queries
from psycopg import sql

OWNER, DAEMON, APP, READER = GROUPS = (
    "chainfirst_owner",
    "chainfirst_daemon",
    "chainfirst_app",
    "chainfirst_reader",
)
_SQL = queries.load("roles.sql")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class Wanted:
    """A database, the daemon's login, and those of apps and of readers. ConfigError: a name is none."""

    database: str
    login: str
    apps: Sequence[str] = ()
    readers: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in (self.database, self.login, *self.apps, *self.readers):
            if not _NAME.fullmatch(name) or name in GROUPS:
                raise ConfigError(
                    f"{name!r} is no name for this",
                    "Lower-case letters, digits and _; at most 63; and none of the groups.",
                )

    @property
    def members(self) -> dict[str, tuple[str, ...]]:
        """Each login role with the groups that it is in."""
        found: dict[str, tuple[str, ...]] = {self.login: (OWNER, DAEMON)}
        for names, group in ((self.apps, APP), (self.readers, READER)):
            for name in names:
                found[name] = (*found.get(name, ()), group)
        return found


def as_text(wanted: Wanted) -> str:
    """For psql: all of it, to be run as a superuser, as often as one likes."""
    database = sql.Literal(wanted.database)
    create = _of("database", database=sql.Identifier(wanted.database)).as_string(None)
    absent = _of("is_database", name=database).as_string(None)
    # the names hold no $: they are checked
    made = f"SELECT $sql${create}$sql$ WHERE NOT ({absent})\\gexec"
    roles = [f"{each.as_string(None)};" for each in _roles(wanted)]
    rights = [f"{each.as_string(None)};" for each in _rights(wanted)]
    quiet = "SET client_min_messages = warning;"  # GRANT tells of each right that is there already
    return "\n".join([r"\set ON_ERROR_STOP on", quiet, *roles, made, *rights, ""])


def create(connection: psycopg.Connection[Any], wanted: Wanted) -> Iterator[str]:
    """Make what is missing; says what. `connection`: autocommit, a superuser's."""
    known = {name for (name,) in connection.execute("SELECT rolname FROM pg_catalog.pg_roles")}
    for statement in _roles(wanted):
        connection.execute(statement)
    yield from (f"role {name}" for name in (*GROUPS, *wanted.members) if name not in known)
    row = connection.execute(_of("is_database", name=sql.Literal(wanted.database))).fetchone()
    if row is None or not row[0]:
        connection.execute(_of("database", database=sql.Identifier(wanted.database)))
        yield f"database {wanted.database}"
    for statement in _rights(wanted):
        connection.execute(statement)


def set_password(connection: psycopg.Connection[Any], role: str, password: bytes) -> None:
    """Give a role its password; the server and its log see the SCRAM verifier alone (PostgreSQL 21.5)."""
    verifier = connection.pgconn.encrypt_password(password, role.encode(), b"scram-sha-256")
    connection.execute(
        _of("password", role=sql.Identifier(role), verifier=sql.Literal(verifier.decode("ascii")))
    )


def _roles(wanted: Wanted) -> Iterable[sql.Composed]:
    for group in GROUPS:
        yield _of("group_role", name=sql.Literal(group), role=sql.Identifier(group))
    for name, groups in wanted.members.items():
        yield _of("login_role", name=sql.Literal(name), role=sql.Identifier(name))
        listed = sql.SQL(", ").join(map(sql.Identifier, groups))
        yield _of("membership", groups=listed, role=sql.Identifier(name))


def _rights(wanted: Wanted) -> Iterable[sql.Composed]:
    for name in ("nobody", "connect", "work", "own"):
        yield _of(name, database=sql.Identifier(wanted.database))


def _of(statement: str, /, **values: sql.Composable) -> sql.Composed:
    return sql.SQL(_SQL[statement].decode()).format(**values)
