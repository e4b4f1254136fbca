"""Moving in: read the old tables, match them with the chain, store them; all in one transaction, and nothing
is asked of the chain."""

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

import psycopg
from chainfirst.ops import errors
from chainfirst.ops.moving import mapping, matching, old, records, store

Connection = psycopg.Connection[Any]
What = Literal["left out", "not on chain", "ambiguous", "differs", "on chain", "no row"]
STORED = ("users", "companies", "campaigns", "investments")
NOT_ON_CHAIN = "imported: not on chain"
ELSEWHERE = "imported: on chain in an older contract"  # ask_again knows how it begins
AMBIGUOUS = "imported: perhaps on chain"


@dataclass(frozen=True)
class Line:
    """One thing to look at. `row`: the old row's id; of what has none, where it is on chain."""

    table: str
    row: str
    what: What
    why: str


@dataclass
class Counts:
    """Of one table: old rows read, stored now, there before, left out; those matched, by what; fields that
    had no column, and columns that no field was read from."""

    read: int = 0
    stored: int = 0
    there: int = 0
    left_out: int = 0
    matched: dict[str, int] = field(default_factory=dict)
    without_column: list[str] = field(default_factory=list)
    not_taken: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What was done, and all that somebody should look at."""

    counts: dict[str, Counts]
    lines: list[Line]
    dry_run: bool


def move(old_database: Connection, connection: Connection, wanted: mapping.Mapping, dry_run: bool) -> Report:
    """The whole of it. Both connections' transactions read one snapshot; `connection` is in autocommit, its
    user a member of chainfirst_owner. ConfigError: tables, columns or events are not there."""
    found = old.columns(old_database, wanted)
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    moving = _Moving(connection, wanted, dry_run)
    with connection.transaction():
        intents = store.begin(connection)
        for table, columns in found.items():
            counts = moving.report.counts[table]
            counts.without_column, counts.not_taken = columns.missing, columns.unused
            moving.read(table, old.rows(old_database, wanted, table, columns.chosen))
        moving.match()
        moving.keep()
        if store.count_intents(connection) != intents:
            raise errors.FatalError(
                "moving in made an intent, and was undone", "That is a bug: please report it."
            )
        if dry_run:
            raise psycopg.Rollback
    return moving.report


class _Moving:
    def __init__(self, connection: Connection, wanted: mapping.Mapping, dry_run: bool) -> None:
        self._connection, self._wanted = connection, wanted
        self._final = store.final_block(connection, store.event_tables(wanted))
        self._verified = store.verified_wallets(connection)
        self.report = Report({table: Counts() for table in records.TABLES}, [], dry_run)
        self._rows: dict[str, dict[uuid.UUID, records.Row]] = {table: {} for table in records.TABLES}
        self._matches: dict[str, matching.Matches] = {}

    def read(self, table: str, rows: Iterator[Mapping[str, Any]]) -> None:
        """Old rows become records; what can't is noted."""
        said = self._wanted.of(table)
        for each in rows:
            row = records.convert(table, each, said.values, said.defaults)
            self.report.counts[table].read += 1
            if row.id is None:
                self._leave_out(row, row.problems)
            elif row.id in self._rows[table]:
                self._leave_out(row, {"id": "another row has the same"})
            else:
                self._rows[table][row.id] = row

    def match(self) -> None:
        """Which rows are on chain: those too that can't be stored, or their events would seem nobody's."""
        for row in self._rows["users"].values():
            if _may_invest(row) and row.values["wallet"] not in self._verified:
                why = f"the wallet {row.values['wallet']} is not verified there"
                self._line("users", row.label, "not on chain", why)
        for table in matching.BY:
            wanted = [self._says(row) for row in self._rows[table].values()]
            events = store.events(self._connection, table, self._wanted, self._final)
            if table == "certificates":
                events = self._of_investments(events)
            found = self._matches[table] = matching.match(table, wanted, events)
            self.report.counts[table].matched = dict(Counter(each.by for each in found.found.values()))
            for each in wanted:
                self._compare(table, self._rows[table][each.key], each, found)
            for event in sorted(found.left, key=matching.place_of):
                self._line(table, str(event.id or event.word or event.tx_hash), "no row", str(event))

    def keep(self) -> None:
        """Users first, investments last: each needs those before."""
        for table in STORED:
            rows, counts = self._rows[table], self.report.counts[table]
            there = store.present(self._connection, table, list(rows))
            counts.there = len(there)
            fresh = [row for row in rows.values() if row.id not in there]
            whole = [row for row in fresh if not row.problems]
            for row in fresh:
                if row.problems:
                    self._leave_out(row, row.problems)
            refused = store.insert(self._connection, table, [self._columns(row) for row in whole])
            stored = []
            for row in whole:
                assert row.id is not None
                if row.id in refused:
                    self._leave_out(row, {"": refused[row.id]})
                else:
                    stored.append(row)
            counts.stored = len(stored)
            store.add_requests(self._connection, self._requests(table, stored))
        for row in self._rows["certificates"].values():
            if row.problems:
                self._leave_out(row, row.problems)

    def _columns(self, row: records.Row) -> dict[str, Any]:
        columns = records.kept(row)
        if row.table == "investments":
            match = self._match(row)
            # an investment that was made on chain has an id of its own there
            columns["chain_id"] = match.event.word if match is not None and match.event.own else None
        return columns

    def _requests(self, table: str, rows: Sequence[records.Row]) -> Iterator[store.Request]:
        """What the workflow would have asked for each row, and is not in the ledger."""
        for row in rows:
            assert row.id is not None
            given, match = row.values, self._match(row)
            if match is not None and match.event.own:
                continue
            error = NOT_ON_CHAIN if match is None else f"{ELSEWHERE}, {match.event}"
            unclear = self._matches[table].ambiguous.get(row.id) if table in self._matches else None
            if unclear is not None:  # it may well be there: whoever asks for it must look first
                error = f"{AMBIGUOUS}, {unclear}"
            if table == "users":
                if _may_invest(row) and given["wallet"] not in self._verified:
                    yield store.Request("user", row.id, "verify", error, f"investor:{given['wallet']}")
            elif table == "companies" and given["verified"]:
                yield store.Request("company", row.id, "register", error)
            elif table == "campaigns" and given["status"] == "approved" and given["cancelled_at"] is None:
                yield store.Request("campaign", row.id, "create", error)
            elif table == "investments" and given["status"] == "paid":
                yield store.Request("investment", row.id, "record", error)

    def _says(self, row: records.Row) -> matching.Wanted:
        assert row.id is not None
        given = row.values
        said = matching.Wanted(
            row.id, row.id, given.get("tx_hash"), given.get("wallet"), place=given.get("place")
        )
        if row.table == "investments":
            campaign = self._rows["campaigns"].get(given["campaign"])
            investor = self._rows["users"].get(given["investor"])
            match = None if campaign is None else self._match(campaign)
            place = None if campaign is None else campaign.values.get("place")
            return replace(
                said,
                wallet=said.wallet or (None if investor is None else investor.values.get("wallet")),
                amount=_fraction(given.get("amount")),
                place=place if match is None else match.event.place,
            )
        if row.table == "certificates":
            return replace(
                said,
                id=given.get("investment") or row.id,
                amount=_fraction(given.get("amount")),
                token_id=given.get("token_id"),
            )
        return said

    def _of_investments(self, events: list[matching.Event]) -> list[matching.Event]:
        """A certificate's event names its investment: where not by UUID, by the id that it has on chain."""
        words = {match.event.word: key for key, match in self._matches["investments"].found.items()}
        return [replace(each, id=words.get(each.word)) if each.id is None else each for each in events]

    def _compare(self, table: str, row: records.Row, said: matching.Wanted, found: matching.Matches) -> None:
        match = found.found.get(said.key)
        if match is not None:
            # a certificate may have been given away since
            asked = replace(said, wallet=None) if table == "certificates" else said
            for difference in matching.differences(asked, match.event):
                self._line(table, row.label, "differs", f"{difference}: {match.event}")
            if not _expected(row):
                self._line(
                    table, row.label, "on chain", f"it is {row.was or 'not verified'} here: {match.event}"
                )
        elif said.key in found.ambiguous:
            self._line(table, row.label, "ambiguous", found.ambiguous[said.key])
        elif _expected(row):
            named = "" if said.tx_hash is None else f"; it names the transaction {said.tx_hash}"
            self._line(table, row.label, "not on chain", f"{row.was or 'it should be'}{named}")

    def _match(self, row: records.Row) -> matching.Match | None:
        matches = self._matches.get(row.table)
        return None if matches is None or row.id is None else matches.found.get(row.id)

    def _leave_out(self, row: records.Row, problems: Mapping[str, str]) -> None:
        self.report.counts[row.table].left_out += 1
        why = "; ".join(f"{name}: {text}" if name else text for name, text in problems.items())
        self._line(row.table, row.label, "left out", why)

    def _line(self, table: str, row: str, what: What, why: str) -> None:
        self.report.lines.append(Line(table, row, what, why))


def _expected(row: records.Row) -> bool:
    """Whether the old row says that it is on chain."""
    given = row.values
    if row.table == "companies":
        return bool(given.get("verified"))
    if row.table == "campaigns":
        return given.get("status") == "approved" and (
            given.get("cancelled_at") is None or bool(given.get("tx_hash") or given.get("place"))
        )
    return row.table == "certificates" or given.get("status") == "paid"


def _may_invest(row: records.Row) -> bool:
    given = row.values
    return (given["role"], given["kyc_status"], given["active"]) == ("investor", "verified", True) and bool(
        given["wallet"]
    )


def _fraction(amount: Any) -> Fraction | None:
    return None if amount is None else Fraction(amount)
