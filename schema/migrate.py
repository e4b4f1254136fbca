"""Brings a database to this version's schema: Alembic's revisions, whose DDL is in migrations/sql/.

One transaction, under an advisory lock: two daemons that start together migrate once, and a failed
migration leaves nothing behind. Works as the role chainfirst_owner, which bootstrap.sql makes.
"""

from importlib import resources
from typing import Any

import alembic.command
import alembic.config
import psycopg
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from chainfirst.ops.errors import ConfigError

LOCK = 0x636861696E01  # "chain", 1: of this database alone, as all advisory locks
MINIMUM_VERSION = 15
CORE, PLATFORM = "core", "platform"


def engine(url: str) -> sa.Engine:
    """An engine without a pool; the URL is libpq's, as psycopg takes it."""
    return sa.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=sa.pool.NullPool
    )


def migrate(engine: sa.Engine, platform_enabled: bool) -> None:
    """Bring the database to the newest revision; with `platform_enabled`, the platform's branch too. When
    that changes a database that is in use, whoever leads it leads no longer: it is of an older version.

    ConfigError: PostgreSQL is too old, the login user may not do it, a newer version migrated this database,
    or it has the platform's ledger and nobody would keep it true.
    """
    with engine.begin() as connection:
        version = int(str(connection.exec_driver_sql("SHOW server_version_num").scalar_one()))
        if version < MINIMUM_VERSION * 10_000:
            raise ConfigError(
                f"the database is PostgreSQL {version // 10_000}, needed is {MINIMUM_VERSION} or newer",
                "Give another server in database.url",
            )
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        try:
            run_file(connection, "bootstrap.sql")
            _depose(connection, platform_enabled)
            _upgrade(connection, platform_enabled)
            ledger = connection.execute(sa.select(sa.func.to_regclass("ledger.issuers"))).scalar_one()
            if ledger is not None and not platform_enabled:
                raise ConfigError(
                    "platform.enabled is false, but this database has the platform's ledger, which would go "
                    "stale",
                    "Set platform.enabled = true, or give this configuration a database of its own.",
                )
        except psycopg.errors.UndefinedColumn as error:
            raise ConfigError(
                f"an event table that the platform needs has other columns: {error.diag.message_primary}",
                "It is of another contract under the same key: give that one another key, and its table up "
                "(chainfirst sources drop).",
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigError(
                f"the database refuses the migration: {error.diag.message_primary}",
                "Migrate as the database's owner with CREATEROLE, or as a member of chainfirst_owner",
            ) from error


def _depose(connection: sa.Connection, platform_enabled: bool) -> None:
    """If there is something to migrate in a database that is in use: nobody leads it any more. Before all
    else: who writes began by asserting its epoch, so this waits for it, and holds up those that come after.
    """
    from chainfirst.schema import revisions

    if connection.execute(sa.select(sa.func.to_regclass("chain.alembic_version"))).scalar_one() is None:
        return
    distance = revisions.distance(_driver(connection), platform_enabled)
    if distance.unknown:
        raise ConfigError(
            f"a newer chainfirst migrated this database: {', '.join(distance.unknown)} is not known here",
            "Install that version again; or restore the dump from before the upgrade (docs/upgrade.md).",
        )
    if distance.current and distance.missing:
        connection.exec_driver_sql("UPDATE chain.leader SET epoch = epoch + 1")


def _driver(connection: sa.Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def run_file(connection: sa.Connection, name: str, folder: str = "migrations/sql") -> None:
    """Execute one of this package's .sql files as a whole."""
    statements = resources.files("chainfirst.schema").joinpath(*folder.split("/"), name).read_bytes()
    # psycopg's own connection: SQLAlchemy would take a colon or a percent sign for a parameter
    _driver(connection).execute(statements)


def _upgrade(connection: sa.Connection, platform_enabled: bool) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", "chainfirst.schema:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    wanted = {CORE, PLATFORM} if platform_enabled else {CORE}
    script = ScriptDirectory.from_config(config)
    for label in (CORE, PLATFORM):
        if label in wanted and any(label in r.branch_labels for r in script.walk_revisions()):
            alembic.command.upgrade(config, f"{label}@head")
