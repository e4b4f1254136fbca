"""A database for what only COPY can tell, and the shapes that tests are made from."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from chainfirst.indexer.structs import Log
from chainfirst.ops.dev.postgres import Cluster


@pytest.fixture(scope="session")
def connection(pg_cluster: Cluster) -> Iterator[psycopg.Connection]:
    """A connection to a database with an empty schema `event`; tests roll back what they do."""
    pg_cluster.ensure_database("decode")
    with psycopg.connect(pg_cluster.url("decode"), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS event")
        yield connection


@pytest.fixture(scope="session")
def copy_line(connection: psycopg.Connection) -> Callable[[str, str, str], dict[str, object]]:
    """Creates a table, copies one line into it, reads the row back and drops the table."""

    def copy(name: str, ddl: str, line: str) -> dict[str, object]:
        with connection.transaction(force_rollback=True), connection.cursor() as cursor:
            cursor.execute(ddl)
            with cursor.copy(f'COPY event."{name}" FROM STDIN') as stream:
                stream.write(line)
            row = cursor.execute(f'SELECT * FROM event."{name}"').fetchone()
            assert row is not None
            return {column.name: value for column, value in zip(cursor.description or (), row, strict=True)}

    return copy


@pytest.fixture(scope="session")
def make_log() -> Callable[..., Log]:
    """A log as a node sends it, with the given topics and data."""

    def make(topics: list[str], data: str, **fields: Any) -> Log:
        known: dict[str, Any] = {
            "address": "0x" + "Ab" * 20,
            "block_number": "0x11a49a0",
            "block_hash": "0x" + "bb" * 32,
            "transaction_hash": "0x" + "Cd" * 32,
            "transaction_index": "0x2",
            "log_index": "0x7",
        }
        return Log(topics=topics, data=data, **(known | fields))

    return make
