"""Whether the ledger is what the contracts say at the final block, and whether campaigns hold what they owe.

What differs is kept and shown, and never mended: whatever made it differ must be.

A row of the ledger may know of blocks above the final one. It is compared where none of its events lie
there: then it is what it was at the final block. Those that changed since are counted, and had better be
compared next time; solvency asks both of its values of the node, so it is seen of every campaign.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from chainfirst.indexer.rpc import errors as rpc_errors
from chainfirst.ops.errors import TransientError
from chainfirst.schema import folds, queries
from chainfirst.schema import store as chain_store
from chainfirst.writers import facts, infos, payload
from chainfirst.writers.facts import Difference, Fact
from chainfirst.writers.kinds import Call
from chainfirst.writers.node import Node
from chainfirst.writers.reverts import Revert
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]
Answer = bytes | Revert | rpc_errors.RpcError
_SQL = queries.load("reconcile.sql", "chainfirst.writers")


@dataclass(frozen=True)
class Report:
    """What was found at a final block (None: nothing is final yet).

    `compared`: how many values were; `changed`: subjects with events above the block, whose solvency alone
    was; `unanswered`: those that the node didn't give, and what it said; `syncing`: relations whose sources
    aren't complete, not compared.
    """

    block: int | None
    compared: int = 0
    changed: frozenset[str] = frozenset()
    unanswered: Mapping[str, str] = field(default_factory=dict)
    syncing: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()

    def is_silent_about(self, subject: str, what: str) -> bool:
        """Whether it says nothing of a value."""
        relation, _, _ = subject.partition(" ")
        return (
            subject in self.unanswered
            or relation in self.syncing
            or (subject in self.changed and what != facts.SOLVENCY)
        )


@dataclass(frozen=True)
class Held:
    """A row of intent.differences that isn't cleared."""

    id: int
    subject: str
    what: str
    ledger: str
    chain: str


@dataclass(frozen=True)
class Snapshot:
    """What is to be asked at the final block: facts, rows that can't be asked for, and as in Report."""

    block: int
    hash: str
    facts: list[Fact]
    differences: list[Difference]
    changed: frozenset[str]
    syncing: tuple[str, ...]


def reconcile(conn: Connection, node: Node, epoch: int | None = None) -> Report:
    """Compare, and keep what differs. `conn` acts as chainfirst_daemon, in autocommit; `epoch`: the leader's,
    None: a person's command.

    TransientError: the node's final block is another one, or it doesn't answer; nothing is kept then.
    LeadershipLost: another daemon leads.
    """
    report = compare(conn, node)
    if report.block is not None:
        keep(conn, report, epoch)
    return report


def compare(conn: Connection, node: Node) -> Report:
    """As `reconcile`, keeping nothing."""
    found = _read(conn)
    if found is None:
        return Report(None)
    _check_block(node, found)
    calls = list(dict.fromkeys(fact.call for fact in found.facts))
    asked = node.calls([(call, payload.ZERO_ADDRESS) for call in calls], found.block)
    _check_block(node, found)
    return judge(found, dict(zip(calls, asked, strict=True)))


def judge(found: Snapshot, answers: Mapping[Call, Answer]) -> Report:
    """What the answers make of the snapshot. Pure."""
    differences, compared = list(found.differences), 0
    unanswered: dict[str, str] = {}
    numbers: dict[str, dict[str, str | None]] = {}
    for fact in found.facts:
        answer = answers[fact.call]
        if isinstance(answer, rpc_errors.RpcError):
            unanswered.setdefault(fact.subject, answer.text or str(answer))
            continue
        value, readable = _value(fact, answer)
        if fact.what in (facts.OWED, facts.HELD):
            numbers.setdefault(fact.subject, {})[fact.what] = value if readable else None
        if fact.ledger is not None:
            compared += 1
            if value != fact.ledger:
                differences.append(Difference(fact.subject, fact.what, fact.ledger, value))
    for subject, known in numbers.items():
        if subject not in unanswered:
            compared += 1
            short = facts.solvency(subject, known.get(facts.OWED), known.get(facts.HELD))
            differences += [] if short is None else [short]
    return Report(
        block=found.block,
        compared=compared,
        changed=found.changed,
        unanswered=unanswered,
        syncing=found.syncing,
        differences=tuple(differences),
    )


def keep(conn: Connection, report: Report, epoch: int | None = None) -> None:
    """Note new differences and clear those that are no more. LeadershipLost as `reconcile`."""
    with conn.transaction():
        if epoch is not None:
            chain_store.assert_epoch(conn, epoch)
        conn.execute(_SQL["hold"])
        with conn.cursor(row_factory=class_row(Held)) as rows:
            held = rows.execute(_SQL["held"]).fetchall()
        cleared, new = changes(held, report)
        if cleared:
            conn.execute(_SQL["clear"], {"ids": cleared})
        if new:
            columns = {
                "subjects": [each.subject for each in new],
                "whats": [each.what for each in new],
                "ledgers": [each.ledger for each in new],
                "chains": [each.chain for each in new],
                "block": report.block,
            }
            conn.execute(_SQL["add"], columns)


def changes(held: Iterable[Held], report: Report) -> tuple[list[int], list[Difference]]:
    """Which of those held are cleared, and which are new. Pure. One whose values have changed is both; one
    of which the report says nothing stays."""
    found = {(each.subject, each.what): each for each in report.differences}
    cleared = []
    for each in held:
        now = found.get((each.subject, each.what))
        if now is None:
            if not report.is_silent_about(each.subject, each.what):
                cleared.append(each.id)
        elif (now.ledger, now.chain) == (each.ledger, each.chain):
            del found[each.subject, each.what]
        else:
            cleared.append(each.id)
    return cleared, list(found.values())


def counts(conn: Connection) -> dict[str, int]:
    """The differences that there are now, by what differs."""
    return dict(conn.execute(_SQL["counts"]).fetchall())


def _read(conn: Connection) -> Snapshot | None:
    """All facts of one snapshot of the database; None: nothing is final yet."""
    asked: list[Fact] = []
    differences: list[Difference] = []
    changed: set[str] = set()
    syncing = []
    with conn.transaction():
        conn.execute(_SQL["snapshot"])
        cursor = chain_store.read_cursor(conn)
        if cursor is None or cursor.final_number is None or cursor.final_hash is None:
            return None
        final = {"final": cursor.final_number}
        for fold in folds.FOLDS:
            if not _is_complete(conn, fold):
                syncing.append(fold.name)
                continue
            touched = folds.touched(conn, fold, cursor.final_number + 1)
            for row in conn.execute(_SQL[fold.name], final):
                key = row[: len(fold.key)]
                is_changed = key in touched
                if is_changed:
                    changed.add(facts.subject_of(fold.name, key))
                for each in facts.of_row(fold.name, row, changed=is_changed):
                    differences.append(each) if isinstance(each, Difference) else asked.append(each)
        if "certificates" not in syncing:
            asked += [facts.of_count(*row) for row in conn.execute(_SQL["minted"], final)]
    return Snapshot(
        cursor.final_number, cursor.final_hash, asked, differences, frozenset(changed), tuple(syncing)
    )


def _is_complete(conn: Connection, fold: folds.Fold) -> bool:
    row = conn.execute(_SQL["syncing"], [sorted({table for table, _ in fold.sources})]).fetchone()
    return row is not None and row[0] == 0


def _check_block(node: Node, found: Snapshot) -> None:
    """What a node answers at a number counts only while that is the block that is indexed there."""
    raw = node.endpoint.call_optional("eth_getBlockByNumber", [hex(found.block), False], infos.RawHead)
    has = None if raw is None else infos.to_hash(raw.hash)
    if has != found.hash:
        raise TransientError(
            f"{node.name} has the block {found.block} as {has or 'none'}, indexed is {found.hash}",
            "It lags, or follows another chain.",
        )


def _value(fact: Fact, answer: bytes | Revert) -> tuple[str, bool]:
    """The answer as a text, and whether it could be read."""
    if isinstance(answer, Revert):
        return f"reverted: {answer.text}", False
    try:
        return fact.read(answer), True
    except ValueError:
        shown = f"0x{answer[:64].hex()}" if answer else "nothing"
        return f"{shown}… ({len(answer)} bytes)" if len(answer) > 64 else shown, False
