"""Intents that follow from final blocks: a campaign that is over is ended, and its money and shares go out.

Everything is decided by rows of events at or below the final block, and by that block's own time:

- finalize: active, and recording is over or the goal reached, and nobody asks to record an investment. A
  campaign that is active by its row in the ledger, which no end is folded into, was active at the final block
  too, because an end is never undone; what it had raised there is the total of its last event up to there.
- successful: release the funds; mint a certificate for each investment.
- failed or cancelled: refund each investor.

A campaign takes no investment after its end, so with the end all its investments are final: each end is
seen to once, and `intent.rules` says up to which block they are. A rewind lowers that number. Keys are
made of what is wanted, so whoever runs the rules, and however often, the same wish is one intent; one that
ended badly is not asked for again, but stands in the view intent.stuck until somebody retries it.

What is done on the chain already by a final block is not asked for; what comes about while it is asked for
settles it. By the time a campaign is due no investment could be recorded any more (TooLate, GoalReached):
waiting for those that are asked for lets each of them end first, by its own reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from chainfirst.schema import queries
from chainfirst.schema import store as chain_store
from chainfirst.writers import catalogue, metadata
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]
RULES = ("finalize", "release", "refund", "mint")
MOST = 2_000  # of each rule in one transaction: well below a second
MINT_PRIORITY = -10  # certificates may wait; a payment that must be recorded in time may not
_SQL = queries.load("rules.sql", "chainfirst.writers")
_KINDS = ("campaign.finalize", "escrow.release", "escrow.refund", "certificate.mint")
TABLES = frozenset(
    {
        "issuer_registry_issuer_campaign_changed",
        *(table for kind in catalogue.PLATFORM if kind.name in _KINDS for table in kind.tables),
    }
)
"""The event tables that must be complete."""


@dataclass(frozen=True)
class _Investment:
    """One without a certificate. `campaign`: its contract; `issuer`: the wallet that created the campaign, of
    `company_id`, None: another registry than the configured one knows that."""

    campaign: str
    campaign_id: str
    issuer: str
    company_id: str | None
    investment_id: str
    investor: str
    amount: Decimal


class Rules:
    """The rules as a part runs them, as the leader. `held`: campaigns that are due but for investments that
    somebody asks to record, when it last ran."""

    def __init__(self, voting_unit: Callable[[], int], image: str = metadata.IMAGE) -> None:
        """`voting_unit`: token units for a vote, as the certificates' contract says; asked once."""
        self._ask_voting_unit, self._voting_unit = voting_unit, 0
        self._image = image
        self.held = 0

    def run(self, conn: Connection, epoch: int) -> dict[str, int]:
        """Make what is due; how many intents of each rule. `conn` acts as chainfirst_daemon, in autocommit.

        LeadershipLost: another daemon leads. Raises what `voting_unit` raises, before anything is made.
        """
        self._voting_unit = self._voting_unit or self._ask_voting_unit()
        total = dict.fromkeys(RULES, 0)
        more = True
        while more:
            with conn.transaction():
                chain_store.assert_epoch(conn, epoch)
                made, self.held = run(conn, self._voting_unit, self._image)
            total = {rule: total[rule] + made[rule] for rule in RULES}
            more = MOST in made.values()
        return total


def run(
    conn: Connection, voting_unit: int, image: str = metadata.IMAGE, most: int = MOST
) -> tuple[dict[str, int], int]:
    """In the caller's transaction, make at most so many intents of each rule; how many of each, and how many
    campaigns wait for investments to be recorded. Another one who runs the rules waits for its end.

    Nothing is made until the sources are complete. The locks, in order: the leader's (the caller's), then
    the rules' row, then new keys of intents.
    """
    made = dict.fromkeys(RULES, 0)
    (done_to,) = _row(conn.execute(_SQL["hold"]))
    final = conn.execute(_SQL["final"]).fetchone()
    if final is None or _row(conn.execute(_SQL["incomplete"], [sorted(TABLES)]))[0]:
        return made, 0
    values = {"done_to": done_to, "final": final[0], "time": final[1], "most": most}
    made["finalize"], held = _row(conn.execute(_SQL["finalize"], values))
    (made["release"],) = _row(conn.execute(_SQL["release"], values))
    (made["refund"],) = _row(conn.execute(_SQL["refund"], values))
    made["mint"] = _mint(conn, values, voting_unit, image)
    if max(made["release"], made["refund"], made["mint"]) < most:
        conn.execute(_SQL["advance"], values)
    return made, held


def stuck(conn: Connection) -> dict[str, int]:
    """How many wishes of rules ended badly and are still not done, by kind; none where there are none."""
    return dict(conn.execute(_SQL["stuck"]).fetchall())


def _mint(conn: Connection, values: dict[str, Any], voting_unit: int, image: str) -> int:
    with conn.cursor(row_factory=class_row(_Investment)) as cursor:
        rows = cursor.execute(_SQL["uncertified"], values).fetchall()
    if not rows:
        return 0
    names = metadata.Names(conn)

    def document(row: _Investment) -> bytes:
        company = names.company(row.company_id) if row.company_id else row.issuer
        amount = int(row.amount)
        certificate = metadata.Certificate(
            company, names.campaign(row.campaign_id), amount, amount // voting_unit
        )
        return metadata.document(certificate, image)

    columns = {
        "campaigns": [row.campaign for row in rows],
        "campaign_ids": [row.campaign_id for row in rows],
        "investments": [row.investment_id for row in rows],
        "owners": [row.investor for row in rows],
        "hashes": metadata.keep(conn, [document(row) for row in rows]),
        "priority": MINT_PRIORITY,
    }
    (made,) = _row(conn.execute(_SQL["mint"], columns))
    return int(made)


def _row(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = cursor.fetchone()
    assert row is not None
    return row
