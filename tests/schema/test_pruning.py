"""What is over goes by age, in small transactions; what may still matter stays, however old it is."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from chainfirst.schema import pruning, store

SIGNER = f"0x{1:040x}"
HASH = f"0x{1:064x}"
NOW = datetime.now(UTC)
KEEP = pruning.Keep(changes=7, history=90, signed=90)
FINAL, ABOVE = 10, 12
_INTENT = """
INSERT INTO intent.intents (kind, payload, key, submitted_by, submitted_at, signer, call_to, call_data,
    call_value, once, event_table, key_column, key_value, event_match, event_equal, event_at_most)
VALUES ('contract.call', '{}', %(key)s, 'test', %(began)s, %(signer)s, %(signer)s, '', 0, false, 'a', 'b',
    'c', '{}', '{}', '{}')
RETURNING id
"""
_SIGNED = """
WITH t AS (
    INSERT INTO intent.transactions (signer, nonce, intent) VALUES (%(signer)s, %(nonce)s, %(id)s)
    RETURNING id
)
INSERT INTO intent.attempts (transaction, purpose, hash, raw, gas, max_fee_wei, signed_at, signed_block,
    sent_at, last_sent_at, last_sent_block)
SELECT t.id, 'call', %(hash)s, 'bytes', 21000, 1, %(began)s, 1, %(sent)s, %(sent)s, %(sent_block)s FROM t
"""
_END = """
UPDATE intent.intents SET outcome = %(outcome)s, error = 'why', ended_at = %(ended)s, ended_block = %(block)s,
    cancel_requested_by = 'test', cancel_requested_at = %(began)s
WHERE id = %(id)s
"""
_CLOSE = "UPDATE intent.transactions SET closed_block = %(closed)s WHERE intent = %(id)s"
_AGE = "UPDATE intent.history SET at = %(began)s WHERE intent = %(id)s"


class Intents:
    """Intents as they would be after so many days; written by the superuser."""

    def __init__(self, admin: psycopg.Connection[Any]) -> None:
        self.admin = admin
        self._nonce = 0

    def add(
        self,
        key: str,
        *,
        outcome: str | None = "confirmed",
        days: int = 100,
        block: int | None = 5,
        closed: int | None = 5,
        signed: bool = True,
        sent: bool = True,
    ) -> None:
        began, ended = NOW - timedelta(days=200), NOW - timedelta(days=days)
        values: dict[str, Any] = {
            "key": key, "began": began, "ended": ended, "signer": SIGNER, "nonce": self._nonce,
            "hash": f"0x{self._nonce:064x}", "outcome": outcome, "block": block, "closed": closed,
            "sent": began if sent else None, "sent_block": 1 if sent else None,
        }  # fmt: skip
        self._nonce += 1
        row = self.admin.execute(_INTENT, values).fetchone()
        assert row is not None
        values["id"] = row[0]
        if signed:
            self.admin.execute(_SIGNED, values)
        if outcome is not None:
            self.admin.execute(_END.encode(), values)
        if closed is not None:
            self.admin.execute(_CLOSE.encode(), values)
        self.admin.execute(_AGE, values)

    def with_history(self) -> set[str]:
        found = self.admin.execute(
            "SELECT DISTINCT i.key FROM intent.history h JOIN intent.intents i ON i.id = h.intent"
        )
        return {key for (key,) in found}

    def with_bytes(self) -> set[str]:
        found = self.admin.execute(
            "SELECT i.key FROM intent.attempts a JOIN intent.transactions t ON t.id = a.transaction"
            " JOIN intent.intents i ON i.id = t.intent WHERE a.raw IS NOT NULL"
        )
        return {key for (key,) in found}


@pytest.fixture
def intents(pg_url: str) -> Iterator[Intents]:
    with psycopg.connect(pg_url, autocommit=True) as admin:
        admin.execute(
            "INSERT INTO chain.cursor VALUES (true, 1, %(hash)s, %(above)s, %(hash)s, %(final)s, %(hash)s)",
            {"hash": HASH, "above": ABOVE, "final": FINAL},
        )
        yield Intents(admin)


@pytest.fixture
def daemon(pg_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(pg_url, autocommit=True) as connection:
        connection.execute("SET ROLE chainfirst_daemon")
        yield connection


def test_what_is_over_goes_and_what_may_matter_stays(
    intents: Intents, daemon: psycopg.Connection[Any]
) -> None:
    epoch = store.acquire_leadership(daemon)
    assert epoch is not None
    intents.add("open", outcome=None, closed=None)  # the oldest: it is in the way of every batch
    intents.add("over")
    intents.add("over, never sent", sent=False)
    intents.add("over, unsigned", outcome="cancelled", block=None, closed=None, signed=False)
    intents.add("over in the final block", block=FINAL, closed=FINAL)
    stays = {
        "open",
        "ended lately",
        "ended above the final block",
        "its nonce was used above it",
        "its nonce is open",
    }
    intents.add("ended lately", days=89)
    intents.add("ended above the final block", block=ABOVE, closed=FINAL)
    intents.add("its nonce was used above it", closed=ABOVE)
    intents.add("its nonce is open", closed=None)  # settled by somebody else's transaction

    with pytest.raises(store.LeadershipLost):
        pruning.prune(daemon, epoch + 1, NOW, KEEP, lambda: True, {})
    asked: list[bool] = []

    def go_on() -> bool:
        asked.append(True)
        return True

    gone = pruning.prune(daemon, epoch, NOW, KEEP, go_on, {}, batch_rows=2)
    assert gone["signed"] == 3
    assert intents.with_history() == stays
    assert intents.with_bytes() == stays
    assert len(asked) > 10  # two rows at a time
    hashes = intents.admin.execute("SELECT count(DISTINCT hash) FROM intent.attempts").fetchone()
    assert hashes == (8,)  # what used a nonce stays known
    assert pruning.prune(daemon, epoch, NOW, KEEP, lambda: True, {}) == {}
    assert pruning.without_bytes(daemon, 4) == 3
    assert pruning.without_bytes(daemon, FINAL) == 0


def test_a_batch_takes_no_more_than_it_may_and_a_run_ends_when_it_must(
    intents: Intents, daemon: psycopg.Connection[Any]
) -> None:
    epoch = store.acquire_leadership(daemon)
    assert epoch is not None
    for number in range(5):
        intents.add(f"over {number}")
    intents.admin.execute(
        "INSERT INTO chain.changes (from_block, to_block, kind, at)"
        " SELECT n, n, 'add', %s FROM generate_series(1, 9) n",
        [NOW - timedelta(days=8)],
    )
    turns = iter([True, True, False, True, False, True, False])
    places: dict[str, int] = {}
    gone = pruning.prune(daemon, epoch, NOW, KEEP, lambda: next(turns), places, batch_rows=3)
    assert gone == {"changes": 6, "history": 3, "signed": 3}
    kept = intents.admin.execute("SELECT from_block FROM chain.changes ORDER BY 1").fetchall()
    assert kept == [(7,), (8,), (9,)]  # the oldest went first


def test_what_must_stay_keeps_nothing_behind_it_from_its_turn(
    intents: Intents, daemon: psycopg.Connection[Any]
) -> None:
    epoch = store.acquire_leadership(daemon)
    assert epoch is not None
    for number in range(9):
        intents.add(f"open {number}", outcome=None, closed=None)
    intents.add("over")
    places: dict[str, int] = {}
    for _ in range(40):  # runs that have time for a batch of each
        turns = iter([True, True, False, True, False])
        pruning.prune(daemon, epoch, NOW, KEEP, lambda turns=turns: next(turns), places, batch_rows=2)  # type: ignore[misc]
    assert "over" not in intents.with_history() | intents.with_bytes()
    assert len(intents.with_bytes()) == 9


def test_the_daemon_can_delete_no_history_and_change_no_bytes_by_itself(
    intents: Intents, daemon: psycopg.Connection[Any]
) -> None:
    intents.add("over")
    for statement in ("DELETE FROM intent.history", "UPDATE intent.attempts SET raw = NULL"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            daemon.execute(statement.encode())
