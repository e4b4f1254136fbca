"""Every relation and column says what it means; parameters of events are named by their contract."""

import psycopg
import pytest
from chainfirst.schema import layout

RELATIONS = """
SELECT oid, oid::regclass::text AS name FROM pg_class
WHERE relkind IN ('r', 'v', 'm', 'p') AND relnamespace = ANY (%s::regnamespace[])
    AND relname <> 'alembic_version'
"""
RELATIONS_WITHOUT = f"""
SELECT name FROM ({RELATIONS}) c WHERE coalesce(obj_description(oid, 'pg_class'), '') = ''
"""
WITHOUT = f"""
SELECT name, attname::text FROM ({RELATIONS}) c
JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
WHERE coalesce(col_description(c.oid, attnum), '') = ''
"""


@pytest.fixture(scope="session")
def pg_template(platform_template: str) -> str:
    return platform_template


def test_relations(connection: psycopg.Connection) -> None:
    assert (
        connection.execute(
            RELATIONS_WITHOUT.encode(), [["chain", "event", "ledger", "intent", "api"]]
        ).fetchall()
        == []
    )


def test_columns(connection: psycopg.Connection) -> None:
    assert connection.execute(WITHOUT.encode(), [["chain", "ledger", "intent", "api"]]).fetchall() == []


def test_the_columns_of_every_event(connection: psycopg.Connection) -> None:
    common = {name for name, _ in layout.COMMON}
    rows = connection.execute(WITHOUT.encode(), [["event"]]).fetchall()
    assert [row for row in rows if row[1] in common] == []


def test_a_kept_relation_means_what_its_fold_means(connection: psycopg.Connection) -> None:
    columns = (
        "SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum)"
        " FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum"
    )
    folds = connection.execute(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'ledger'::regnamespace"
        " AND relname ~ '_fold$'"
    ).fetchall()
    assert len(folds) == 6
    for (name,) in folds:
        kept = connection.execute(columns, [f"ledger.{name.removesuffix('_fold')}"]).fetchall()
        assert kept == connection.execute(columns, [f"ledger.{name}"]).fetchall()
