"""The ledger against its own definition: after batches, rollbacks, rebuilds; and one campaign in full."""

import json
import os
import random
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.ops.errors import ConfigError
from chainfirst.schema import folds, layout, migrate, store
from psycopg import sql

ARTIFACTS = Path(__file__).parents[2] / "contracts" / "artifacts"
CONTRACTS = {
    "issuer_registry": "IssuerRegistry",
    "campaign_factory": "CampaignFactory",
    "campaign": "CampaignImplementation",
    "share_certificate": "NFTShareCertificate",
    "token": "BirrToken",
}
LAYOUTS = {
    event.table: event
    for key, name in CONTRACTS.items()
    for event in layout.event_layouts(key, json.loads((ARTIFACTS / f"{name}.json").read_text()))
}
SOURCES = sorted({table for fold in folds.FOLDS for table, _ in fold.sources})
# few enough that keys meet each other
VALUES: dict[str, list[Any]] = {
    "text": ["a", "b"],
    "jsonb": ['{"x": "1"}'],
    "boolean": [True, False],
    "smallint": [1, 2],
}


@pytest.fixture(scope="session")
def pg_template(platform_template: str) -> str:
    return platform_template


def _insert(
    connection: store.Connection, table: str, at: tuple[int, int, int], address: str, **values: Any
) -> None:
    columns = [column.name for column in LAYOUTS[table].columns]
    row = (*at, "2026-01-01T00:00:00Z", "0x", address, *(values[column] for column in columns))
    statement = sql.SQL("INSERT INTO {} VALUES ({})").format(
        sql.Identifier("event", table), sql.SQL(", ").join([sql.Placeholder()] * len(row))
    )
    connection.execute(statement, row)


def _refresh(connection: store.Connection, from_block: int, to_block: int) -> None:
    for fold in folds.FOLDS:
        folds.refresh(connection, fold, folds.touched(connection, fold, from_block, to_block))


def _ledger(connection: store.Connection) -> dict[str, list[Any]]:
    return {
        fold.name: connection.execute(sql.SQL("SELECT * FROM {} ORDER BY 1, 2").format(fold.table)).fetchall()
        for fold in folds.FOLDS
    }


def _random_block(connection: store.Connection, rng: random.Random, number: int, created: set[Any]) -> None:
    for index in range(rng.randrange(12)):
        table = rng.choice(SOURCES)
        values: dict[str, Any] = {
            column.name: rng.choice(VALUES.get(column.sql_type, [0, 1, 2]))
            for column in LAYOUTS[table].columns
        }
        address = rng.choice(["a", "b"])
        # what the contracts make once, comes once
        if table.endswith(("_registered", "_created", "_minted")):
            once = (
                table,
                values.get("campaign") or (address, values.get("company_id", values.get("token_id"))),
            )
            if once in {key for key, _ in created}:
                continue
            created.add((once, number))
        _insert(connection, table, (number, index, 0), address, **values)


def test_batches_and_rollbacks_equal_a_rebuild(connection: store.Connection) -> None:
    seed = int(os.environ.get("SEED") or random.randrange(2**32))
    print(f"SEED={seed}")
    rng = random.Random(seed)
    created: set[Any] = set()
    tip = 0
    for _ in range(40):
        first = tip + 1
        if tip and rng.random() < 0.4:
            first = rng.randrange(1, tip + 1)
            keys = {fold: folds.touched(connection, fold, first) for fold in folds.FOLDS}
            store.delete_above(connection, SOURCES, first - 1)
            created = {(key, number) for key, number in created if number < first}
            for fold in folds.FOLDS:
                folds.refresh(connection, fold, keys[fold])
            assert folds.verify_ledger(connection) == []
        tip = first + rng.randrange(4)
        for number in range(first, tip + 1):
            _random_block(connection, rng, number, created)
        _refresh(connection, first, tip)
        assert folds.verify_ledger(connection) == []
    before = _ledger(connection)
    folds.rebuild(connection)
    assert _ledger(connection) == before


OLD: dict[str, Any] = {"text": "old", "jsonb": '{"x": "1"}', "boolean": True}  # numbers: 1
NEW: dict[str, Any] = {"text": "new", "jsonb": '{"x": "2"}', "boolean": False}  # numbers: 2
# an event of the other kind before this one, or it would change nothing
OPPOSITE = {"campaign_paused": "campaign_unpaused", "campaign_unpaused": "campaign_paused"}


def _event(
    connection: store.Connection,
    fold: folds.Fold,
    table: str,
    at: tuple[int, int, int],
    values: dict[str, Any],
    number: int,
    key: dict[str, Any],
) -> None:
    """One event of this key."""
    columns = dict(fold.sources)[table]
    named = {column: key[name] for column, (name, _) in zip(columns, fold.key, strict=True)}
    row = {column.name: values.get(column.sql_type, number) for column in LAYOUTS[table].columns} | named
    _insert(connection, table, at, **({"address": "factory"} | row))


@pytest.mark.parametrize("fold", folds.FOLDS, ids=lambda fold: fold.name)
def test_a_rolled_back_event_that_nothing_replaces_leaves_the_row_as_it_was(
    connection: store.Connection, fold: folds.Fold
) -> None:
    for table, _ in fold.sources:
        for former in (False, True):
            _come_and_go(connection, fold, table, former)
            connection.rollback()


def _come_and_go(connection: store.Connection, fold: folds.Fold, table: str, former: bool) -> None:
    """An event changes a row, and is rolled back; then all of it is. `former`: it was not the first."""
    key = {name: "key" if kind == "text" else 7 for name, kind in fold.key}
    maker = fold.sources[0][0]  # the event that makes a row
    if table != maker:
        _event(connection, fold, maker, (1, 0, 0), OLD, 1, key)
    if former and (table != maker or len(fold.sources) == 1):
        _event(connection, fold, OPPOSITE.get(table, table), (1, 1, 0), OLD, 1, key)
    if table == "campaign_unpaused":
        _event(connection, fold, "campaign_paused", (1, 2, 0), OLD, 1, key)
    _refresh(connection, 1, 1)
    before = _ledger(connection)
    _event(connection, fold, table, (2, 0, 0), NEW, 2, key)
    _refresh(connection, 2, 2)
    assert _ledger(connection)[fold.name] != before[fold.name]

    for last in (1, 0):
        keys = {fold: folds.touched(connection, fold, last + 1) for fold in folds.FOLDS}
        store.delete_above(connection, SOURCES, last)
        for every in folds.FOLDS:
            folds.refresh(connection, every, keys[every])
        assert folds.verify_ledger(connection) == []
        assert _ledger(connection) == (before if last else {every.name: [] for every in folds.FOLDS})


def test_verify_sees_both_kinds_of_difference(connection: store.Connection) -> None:
    _insert(connection, "share_certificate_voting_weight_changed", (1, 0, 0), "c", owner="o", weight=5)
    assert [(d.relation, d.kind) for d in folds.verify_ledger(connection)] == [("votes", "missing")]
    _refresh(connection, 1, 1)
    assert folds.verify_ledger(connection) == []
    connection.execute("DELETE FROM event.share_certificate_voting_weight_changed")
    assert [(d.relation, d.kind) for d in folds.verify_ledger(connection)] == [("votes", "extra")]


def test_a_campaign(connection: store.Connection) -> None:
    zero = "0x0000000000000000000000000000000000000000"
    created = {"campaign_id": "id", "campaign": "camp", "issuer": "iss", "terms": "{}", "token": "etb"}
    _insert(
        connection,
        "campaign_factory_campaign_created",
        (1, 0, 0),
        "fac",
        **created,
        fee_bps=250,
        deadline=9,
        record_until=9,
    )
    registered = {"company_id": "co", "issuer": "iss", "credential_hash": "h", "document_uri": "u"}
    _insert(connection, "issuer_registry_issuer_registered", (1, 0, 1), "reg", **registered)
    _insert(
        connection,
        "issuer_registry_issuer_campaign_changed",
        (1, 0, 2),
        "reg",
        company_id="co",
        issuer="iss",
        campaign=zero,
    )
    invested = {"investor": "inv", "payer": "p", "amount": 50, "payment_reference": "r", "investor_count": 1}
    for log, total in ((0, 50), (1, 100)):
        _insert(
            connection,
            "campaign_investment_recorded",
            (2, 0, log),
            "camp",
            **invested,
            investment_id=f"i{log}",
            investor_total=total,
            total_raised=total,
            escrow_balance=total,
        )
    _refresh(connection, 1, 2)
    campaign = "SELECT status, total_raised, investor_count, paused FROM ledger.campaigns"
    escrow = "SELECT escrow_balance, released_amount FROM ledger.escrows"
    assert connection.execute(campaign).fetchall() == [("active", 100, 1, False)]
    assert connection.execute(escrow).fetchall() == [(100, None)]
    assert connection.execute("SELECT active, active_campaign FROM ledger.issuers").fetchall() == [
        (True, None)
    ]
    _insert(
        connection,
        "campaign_campaign_finalized",
        (3, 0, 0),
        "camp",
        status=1,
        total_raised=100,
        investor_count=1,
    )
    released = {"issuer": "iss", "amount": 97, "fee": 3, "fee_recipient": "f", "escrow_balance": 3}
    _insert(connection, "campaign_funds_released", (3, 1, 0), "camp", **released)
    _refresh(connection, 3, 3)
    assert connection.execute(campaign).fetchall() == [("successful", 100, 1, False)]
    assert connection.execute(escrow).fetchall() == [(3, 97)]
    assert connection.execute("SELECT sum(amount) FROM ledger.investments").fetchone() == (100,)


def test_a_fold_lists_every_event_table_that_its_view_reads(connection: store.Connection) -> None:
    reads = (
        "SELECT DISTINCT c.relname::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid"
        " JOIN pg_class c ON c.oid = d.refobjid"
        " WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass"
        " AND r.ev_class = %s::regclass AND c.relnamespace = 'event'::regnamespace"
    )
    for fold in folds.FOLDS:
        tables = {table for (table,) in connection.execute(reads, [f"ledger.{fold.name}_fold"])}
        assert tables == {table for table, _ in fold.sources}, fold.name


def test_the_migrations_tables_are_the_artifacts(connection: store.Connection) -> None:
    for table, event in LAYOUTS.items():
        rows = connection.execute(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
            [f"event.{table}"],
        ).fetchall()
        wanted = [*layout.COMMON, *((column.name, column.sql_type) for column in event.columns)]
        spelled = [(name, kind.replace("timestamptz", "timestamp with time zone")) for name, kind in wanted]
        assert rows == spelled


def test_the_platform_can_be_enabled_later(pg_cluster: Cluster, server_base: Path) -> None:
    pg_cluster.ensure_database("test_later")
    for enabled in (False, True, True):
        migrate.migrate(migrate.engine(pg_cluster.url("test_later")), platform_enabled=enabled)
    with pytest.raises(ConfigError, match="would go stale"):
        migrate.migrate(migrate.engine(pg_cluster.url("test_later")), platform_enabled=False)
    with psycopg.connect(pg_cluster.url("test_later")) as connection:
        assert connection.execute("SELECT count(*) FROM ledger.campaigns").fetchone() == (0,)
