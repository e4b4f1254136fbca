"""A platform of a million investments, made in SQL; the reads that are measured and explained there."""

from pathlib import Path
from typing import Any

import psycopg
from chainfirst.schema import migrate, queries

Connection = psycopg.Connection[Any]
LOAD = Path(__file__).with_name("api_load.sql")
CAMPAIGNS, INVESTMENTS = 10_000, 1_000_000
READS = queries.load("api_reads.sql", "chainfirst.bench")
STATUSES = {
    "campaign_status": "draft pending rejected approved active successful failed cancelled",
    "investment_status": "pending confirmed failed refunded",
    "escrow_status": "escrowed released refunded",
}


def load(url: str, investments: int = INVESTMENTS) -> None:
    """Make that many, with a hundredth as many campaigns, in an empty database; with statistics."""
    migrate.migrate(migrate.engine(url), platform_enabled=True)
    settings = "SELECT set_config('load.campaigns', %s, true), set_config('load.investments', %s, true)"
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.transaction():
            campaigns = investments * CAMPAIGNS // INVESTMENTS
            connection.execute(settings, [str(campaigns), str(investments)])
            connection.execute(LOAD.read_bytes())
        connection.execute("VACUUM ANALYZE")


def names() -> list[tuple[str, str]]:
    """The reads: name, and what kind of key each takes."""
    split = (name.split("__") for name in READS if "__" in name)
    return [(name, kind) for name, kind in split if kind != "bare"]


def samples(connection: Connection) -> dict[str, list[Any]]:
    """Keys by their kind, in no order."""
    (row,) = connection.execute(READS["samples"]).fetchall()
    keys: dict[str, list[Any]] = dict(row[0])
    return keys | {kind: words.split() for kind, words in STATUSES.items()} | {"none": [None]}
