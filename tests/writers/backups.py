"""Copies of a world's database: backups, and databases restored from them."""

import secrets

import psycopg
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.tests.writers.world import World
from psycopg import sql


class Backups:
    """All copies are dropped by `close`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._made: list[str] = []

    def take(self, world: World) -> str:
        """A backup's name. The daemon starts anew: a database that is copied has no sessions."""
        source = str(world.app.info.dbname)
        world.connection.close()
        world.app.close()
        made = self._copy(source)
        _open(world)
        return made

    def restore(self, world: World, backup: str) -> None:
        """The world goes on with the database as it was then; the chain knows nothing of that."""
        world.connection.close()
        world.app.close()
        world.database = self._cluster.url(self._copy(backup))
        _open(world)

    def close(self) -> None:
        """Drop them, whoever is connected."""
        with psycopg.connect(self._cluster.url(), autocommit=True) as admin:
            for name in self._made:
                command = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
                admin.execute(command.format(sql.Identifier(name)))

    def _copy(self, source: str) -> str:
        name = f"copy_{secrets.token_hex(6)}"
        with psycopg.connect(self._cluster.url(), autocommit=True) as admin:
            command = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            admin.execute(command.format(sql.Identifier(name), sql.Identifier(source)))
        self._made.append(name)
        return name


def _open(world: World) -> None:
    world.app = psycopg.connect(world.database, autocommit=True)
    world.start()
