"""The platform's app: it asks in the database, in the role of apps, and reads there what came of it."""

from dataclasses import dataclass
from typing import Any

import psycopg
from chainfirst.ops import errors
from psycopg.types.json import Jsonb

ROLE = "chainfirst_app"
_SUBMIT = "SELECT intent.submit(%s, %s, %s, depends_on => %s)"
_UNSENT = "SELECT count(*) FROM intent.overview WHERE status IN ('pending', 'waiting', 'signed')"
_OPEN = "SELECT count(*) FROM intent.intents WHERE outcome IS NULL"
_CONFIRMED = "SELECT count(*) FROM intent.intents WHERE kind = %s AND outcome = 'confirmed'"
_STATUSES = "SELECT status FROM intent.overview WHERE key = ANY (%s)"
_ENDED_BADLY = """
SELECT key, outcome, error FROM intent.intents WHERE outcome <> 'confirmed' LIMIT 1
"""
_WAITING = "SELECT key, status, waits_for FROM intent.overview WHERE ended_at IS NULL ORDER BY id LIMIT 1"
_CAMPAIGN = "SELECT address FROM ledger.campaigns WHERE campaign_id = %s"
_CERTIFICATE = """
SELECT t.token_id
FROM ledger.certificates t JOIN ledger.investments i USING (investment_id)
WHERE i.address = %s AND i.investor = %s
ORDER BY i.block_number, i.tx_index, i.log_index LIMIT 1
"""


@dataclass(frozen=True)
class Wish:
    """What `intent.submit` is given."""

    kind: str
    payload: dict[str, Any]
    key: str
    depends_on: str | None = None


class App:
    """Its connection acts as `chainfirst_app`: it can't write a table of intents, let alone of the ledger."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("SET ROLE chainfirst_app")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(self, *wishes: Wish) -> None:
        """Submit them all, in one transaction."""
        with self._connection.transaction():
            for each in wishes:
                values = [each.kind, Jsonb(each.payload), each.key, each.depends_on]
                self._connection.execute(_SUBMIT, values)

    def all_sent(self) -> bool:
        """Whether a node has got everything that was asked."""
        return bool(self._value(_UNSENT) == 0)

    def all_ended(self) -> bool:
        """Whether a final block has decided everything that was asked."""
        return bool(self._value(_OPEN) == 0)

    def confirmed(self, kind: str) -> int:
        """How many intents of that kind are."""
        return int(self._value(_CONFIRMED, kind))

    def statuses(self, keys: list[str]) -> list[str]:
        """Of the intents with these keys."""
        return [status for (status,) in self._connection.execute(_STATUSES, [keys])]

    def check(self) -> None:
        """FatalError if an intent ended badly: none should, here."""
        row = self._connection.execute(_ENDED_BADLY).fetchone()
        if row is not None:
            key, status, error = row
            raise errors.FatalError(f"the intent {key!r} is {status}: {error}")

    def waits(self) -> str:
        """What the oldest open intent waits for, as a sentence; empty if none is open."""
        row = self._connection.execute(_WAITING).fetchone()
        return "" if row is None else f"The intent {row[0]!r} is {row[1]}, and waits for {row[2]}. "

    def campaign(self, campaign_id: bytes) -> str | None:
        """The address of a campaign; None: it is not in the ledger yet."""
        row = self._connection.execute(_CAMPAIGN, [f"0x{campaign_id.hex()}"]).fetchone()
        return None if row is None else str(row[0])

    def certificate(self, campaign: str, investor: str) -> int:
        """The certificate of that investor's first investment there."""
        return int(self._value(_CERTIFICATE, campaign.lower(), investor.lower()))

    def _value(self, statement: str, *values: object) -> Any:
        row = self._connection.execute(statement.encode(), values).fetchone()
        if row is None:
            raise errors.FatalError(f"the database has no row for {values}")
        return row[0]


def may(url: str, kind: str) -> None:
    """Grant a kind to the app, as the database's owner: what isn't granted it may not ask."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO intent.grants (kind, role) VALUES (%s, %s)", [kind, ROLE])
