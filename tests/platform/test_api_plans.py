"""However much there is, a read of the schema api reads about as much as it gives."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from chainfirst.bench import api_rows
from chainfirst.ops.dev.postgres import Cluster
from psycopg import sql

KEYS = 8  # of each kind
# rows that one step of a plan may look at: a campaign has about a hundred investments, and so has an investor
MOST = 500
LIMIT_MS = 5.0
ROUNDS = 20


@pytest.fixture(scope="module")
def loaded(pg_cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database with as many investments as the parameter says."""
    name = f"test_{secrets.token_hex(6)}"
    pg_cluster.ensure_database(name)
    try:
        api_rows.load(pg_cluster.url(name), request.param)
        yield pg_cluster.url(name)
    finally:
        with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def app(loaded: str) -> Iterator[tuple[psycopg.Connection[Any], dict[str, list[Any]]]]:
    """An app's session, and keys of what there is."""
    with psycopg.connect(loaded, autocommit=True) as connection:
        keys = api_rows.samples(connection)
        connection.execute("SET ROLE chainfirst_app")
        yield connection, keys


def _explain(connection: psycopg.Connection[Any], name: str, key: Any) -> dict[str, Any]:
    statement = b"EXPLAIN (ANALYZE, FORMAT JSON) " + api_rows.READS[name]
    (row,) = connection.execute(statement, {"key": key}, prepare=False).fetchall()
    plan: dict[str, Any] = row[0][0]
    return plan


def _scans(node: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Kind of scan, relation, and how many rows it looked at."""
    if "Relation Name" in node:
        looked_at = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        yield node["Node Type"], node["Relation Name"], looked_at * node["Actual Loops"]
    for child in node.get("Plans", []):
        yield from _scans(child)


def _too_much(connection: psycopg.Connection[Any], keys: dict[str, list[Any]]) -> list[Any]:
    return [
        (name, key, *scan)
        for name, kind in api_rows.names()
        for key in keys[kind][:KEYS]
        for scan in _scans(_explain(connection, f"{name}__{kind}", key)["Plan"])
        if scan[2] > MOST
    ]


@pytest.mark.parametrize("loaded", [20_000], indirect=True)
def test_every_read_has_its_indexes(app: tuple[psycopg.Connection[Any], dict[str, list[Any]]]) -> None:
    """Kept from whole tables, which pay where there is little, it doesn't look at whole indexes either."""
    connection, keys = app
    connection.execute("SET enable_seqscan = off")
    assert _too_much(connection, keys) == []


@pytest.mark.soak
@pytest.mark.parametrize("loaded", [api_rows.INVESTMENTS], indirect=True)
def test_a_million_investments(app: tuple[psycopg.Connection[Any], dict[str, list[Any]]]) -> None:
    """The best of some rounds: what else the machine does is not the read's."""
    connection, keys = app
    assert _too_much(connection, keys) == []
    slow = []
    for name, kind in api_rows.names():
        for key in keys[kind][:KEYS]:
            took = min(_read(connection, f"{name}__{kind}", key) for _ in range(ROUNDS))
            if took > LIMIT_MS:
                slow.append((name, key, took))
    assert slow == []


def _read(connection: psycopg.Connection[Any], name: str, key: Any) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    connection.execute(api_rows.READS[name], {"key": key}, prepare=True).fetchall()
    return (time.perf_counter() - began) * 1000
