"""What `verify` finds, as lines and as JSON; and finding it in one snapshot of the database."""

import dataclasses
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from chainfirst.ops import config as settings
from chainfirst.ops.commands import parts

if TYPE_CHECKING:
    from chainfirst.indexer.audit import Report

NEWEST_BLOCKS = 1_000
SNAPSHOTS = 5
"""So often a comparison that a reorganisation spoilt begins again."""
PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Verdict:
    """`ledger`: the differences between kept rows and folds (None: this database has no ledger);
    `report`: those between event tables and node (None: no node was asked)."""

    ledger: list[dict[str, Any]] | None
    report: "Report | None" = None
    found: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        events = [] if self.report is None else [dataclasses.asdict(each) for each in self.report.differences]
        object.__setattr__(self, "found", [*(self.ledger or ()), *events])

    @property
    def count(self) -> int:
        """All differences, also those that are not in `found`."""
        return len(self.ledger or ()) + (0 if self.report is None else self.report.count)

    def lines(self, limit: int) -> Iterable[str]:
        """The first differences, then what was compared and how many there are."""
        for each in self.found[:limit]:
            node = f" node: {json.dumps(each['node'])}" if each.get("node") is not None else ""
            yield f"{each['relation']}: {each['kind']} {json.dumps(each['row'])}{node}"
        if self.count > limit:
            yield f"… and {self.count - limit} more"
        if self.ledger is not None:
            yield "compared the ledger with its events"
        if self.report is not None:
            yield from self.report.notes
            if self.report.first is not None:
                yield (
                    f"compared blocks {self.report.first} to {self.report.last} with the node: "
                    f"{self.report.tables} tables, {self.report.logs} logs"
                )
        yield f"{self.count} differences"

    def json(self) -> str:
        """All of it in one object."""
        answer: dict[str, Any] = {"count": self.count, "differences": self.found}
        answer["ledger"] = self.ledger is not None
        if self.report is not None:
            answer["blocks"] = None if self.report.first is None else [self.report.first, self.report.last]
            answer |= {name: getattr(self.report, name) for name in ("tables", "logs", "notes")}
        return json.dumps(answer)


def ledger(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """The differences between the ledger's kept rows and what their folds say."""
    from chainfirst.schema import folds

    found = folds.verify_ledger(connection)
    return [dataclasses.asdict(each) | {"relation": f"ledger.{each.relation}"} for each in found]


def of_all(
    found: settings.Config,
    connection: psycopg.Connection[Any],
    first: int | None,
    last: int | None,
    newest: int | None,
    limit: int,
) -> Verdict:
    """Ledger and event tables in one snapshot, taken anew while reorganisations spoil it; raises the last
    one's Moved. `newest` None: from the first start block. `connection` is in autocommit."""
    from chainfirst.indexer import audit

    setup = parts.setup(found)
    choose = audit.choice(first, last, setup.start_block, newest)
    for attempt in range(SNAPSHOTS):
        try:
            with parts.node(found) as client, connection.transaction():
                kept = ledger(connection) if found.platform.enabled else None
                report = audit.compare(connection, client, setup, choose, limit=limit, pause=time.sleep)
                return Verdict(kept, report)
        except audit.Moved:
            if attempt + 1 == SNAPSHOTS:
                raise
            time.sleep(PAUSE_SECONDS)
    raise AssertionError
