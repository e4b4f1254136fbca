"""The database of `chainfirst doctor`: rights, migrations, NOTIFY, clock, disk, and whoever leads."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from chainfirst.ops import config as settings
from chainfirst.ops import reach, session
from chainfirst.ops.commands.finding import Finding, bad, good, guarded
from chainfirst.schema import queries, revisions, store
from psycopg import sql

APPLICATION = "chainfirst doctor"
NOTIFY_SECONDS = 5.0
CLOCK_TOLERANCE = timedelta(seconds=5)
LEAST_FREE_BYTES = 2 << 30
LEAST_FREE_SHARE = 0.05
_SQL = queries.load("doctor.sql", "chainfirst.ops.commands")


def check(
    found: settings.Config, now: Callable[[], datetime], notify_seconds: float = NOTIFY_SECONDS
) -> Iterator[Finding]:
    """All of the database, as far as it can be reached."""
    version = reach.check_database(found)
    url = reach.database_url(found)
    with session.connect(url, APPLICATION) as connection:
        yield good("database", f"PostgreSQL {version} at {found.database.url}")
        yield from guarded("rights", lambda: _rights(connection))
        yield from guarded("migrations", lambda: _migrations(connection, found.platform.enabled))
        yield from guarded("notify", lambda: _notify(connection, url, notify_seconds))
        yield from guarded("clock", lambda: _clock(connection, now()))
        yield from guarded("leader", lambda: _leader(connection))
        yield from guarded("lanes", lambda: _lanes(connection))
        yield from guarded("disk", lambda: _disk(connection, found.directory))


def cursor(found: settings.Config) -> store.Cursor | None:
    """Where the database is; None: nowhere yet, or it can't be asked."""
    try:
        with session.connect(reach.database_url(found), APPLICATION) as connection:
            return store.read_cursor(connection)
    except (psycopg.Error, reach.DatabaseUnreachable):
        return None


def _rights(connection: session.Connection) -> Iterator[Finding]:
    """The login user works as the owner (migrations) and as the daemon, or may make both."""
    login = connection.info.user
    rows = connection.execute(_SQL["rights"]).fetchall()
    for role, exists, is_member, may_make in rows:
        if exists and not is_member:
            yield bad("rights", f"{login} is no member of {role}", _SQL_ADVICE)
            return
        if not exists and not may_make:
            yield bad("rights", f"the role {role} is missing, and {login} may not make it", _SQL_ADVICE)
            return
    may_create = connection.execute(_SQL["may_create"]).fetchone()
    if may_create != (True,):
        yield bad("rights", "chainfirst_owner may not make schemas in this database", _SQL_ADVICE)
        return
    yield good("rights", f"{login} migrates and writes")


_SQL_ADVICE = "An administrator runs: chainfirst database sql | psql"


def _migrations(connection: session.Connection, platform: bool) -> Iterator[Finding]:
    distance = revisions.distance(connection, platform)
    current = ", ".join(distance.current)
    if distance.unknown:
        yield bad(
            "migrations",
            f"{', '.join(distance.unknown)} is of a newer chainfirst than this one",
            "Install the version that migrated this database.",
        )
    elif distance.missing:
        yield bad(
            "migrations",
            f"{current or 'nothing'} is there; missing: {', '.join(distance.missing)}",
            "Run chainfirst migrate; chainfirst run does it too.",
        )
    else:
        yield good("migrations", current)


def _notify(connection: session.Connection, url: str, seconds: float) -> Iterator[Finding]:
    """A notification from one session to another by this very URL; a pooler of transactions loses it."""
    channel = f"chainfirst_doctor_{secrets.token_hex(4)}"
    connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
    try:
        with session.connect(url, APPLICATION) as other:
            other.execute("SELECT pg_notify(%s, '')", [channel])
        if any(True for _ in connection.notifies(timeout=seconds, stop_after=1)):
            yield good("notify", "arrives through this URL")
        else:
            yield bad(
                "notify",
                f"nothing arrived within {seconds:g} s through this URL",
                "Connect to PostgreSQL itself: a pooler must keep a session for each client.",
            )
    finally:
        connection.execute(sql.SQL("UNLISTEN {}").format(sql.Identifier(channel)))


def _clock(connection: session.Connection, now: datetime) -> Iterator[Finding]:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    apart = abs(row[0] - now)
    if apart > CLOCK_TOLERANCE:
        yield bad(
            "clock",
            f"the database's clock is {apart.total_seconds():.0f} s from this machine's",
            "Keep both by NTP: apt-get install systemd-timesyncd.",
        )
    else:
        yield good("clock", f"the database's, to {apart.total_seconds():.1f} s")


def _leader(connection: session.Connection) -> Iterator[Finding]:
    row = connection.execute(_SQL["leader"], {"key": store.LEADER_LOCK}).fetchone()
    if row is None:
        yield good("leader", "no daemon leads this database now")
    else:
        since = "" if row[1] is None else f" since {row[1]:%F %T %Z}"
        yield good("leader", f"a daemon leads this database{since}, server process {row[0]}")


def _lanes(connection: session.Connection) -> Iterator[Finding]:
    """Whether one waits for somebody's decision."""
    if connection.execute(_SQL["has_lanes"]).fetchone() == (True,):
        for name, why in connection.execute(_SQL["stopped_lanes"]):
            yield bad("lanes", f"{name} signs nothing: {why}", "See chainfirst lanes list.")


def _disk(connection: session.Connection, directory: Path) -> Iterator[Finding]:
    """Free space where the data are, if that is this machine and may be known; and beside the settings."""
    places = {"the settings": directory}
    try:
        row = connection.execute("SHOW data_directory").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        row = None
    data = None if row is None else Path(row[0])
    local = (connection.info.host or "/").startswith("/") or connection.info.host in (
        "localhost",
        "127.0.0.1",
    )
    if local and data is not None and _reachable(data):
        places["the database"] = data
    size = connection.execute("SELECT pg_size_pretty(pg_database_size(current_database()))").fetchone()
    for name, place in places.items():
        yield disk(name, shutil.disk_usage(place).free, shutil.disk_usage(place).total)
    if "the database" not in places:
        held = "?" if size is None else size[0]
        yield good("disk", f"the database holds {held}; its disk can't be seen from here: watch it there")


def disk(name: str, free: int, total: int) -> Finding:
    """Whether so many bytes are enough."""
    said = f"{free / (1 << 30):.1f} GiB are free for {name}"
    if free < max(LEAST_FREE_BYTES, total * LEAST_FREE_SHARE):
        return bad("disk", said, "Make room, before PostgreSQL stops.")
    return good("disk", said)


def _reachable(path: Path) -> bool:
    try:
        os.statvfs(path)
    except OSError:
        return False
    return True


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)
