"""Ledger and intents at the end, as tables that a person can check by hand."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from chainfirst.ops.demo import cast, view
from chainfirst.ops.demo.cast import Cast, birr
from chainfirst.ops.demo.checks import Check
from chainfirst.ops.demo.intents import Intents, summaries
from chainfirst.ops.demo.ledger import Ledger, Row
from rich import box
from rich.console import Console
from rich.table import Table

WIDTH = 124  # characters of the widest table
# left-aligned
TEXTS = {
    "company", "status", "investor", "campaign", "how", "wallet", "owner", "state", "kind",
    "title", "what", "at",
}  # fmt: skip
ACCOUNT = re.compile("0x[0-9a-f]{40}")
GWEI = 10**9  # wei
AMOUNTS = ("goal", "invested", "released_amount", "fee_paid", "refunded", "escrow_balance")


def show(console: Console, ledger: Ledger, who: Cast) -> None:
    """Print the whole ledger."""
    headings = (
        "company",
        "status",
        "investors",
        "goal",
        "raised",
        "released",
        "fee paid",
        "refunded",
        "escrow",
    )
    campaigns = [
        (_company(row, who), row["status"], row["investor_count"], *(birr(row[name]) for name in AMOUNTS))
        for row in ledger.campaigns
    ]
    sums = (birr(sum(row[name] or 0 for row in ledger.campaigns)) for name in AMOUNTS)
    _print(console, "Campaigns, in birr", headings, [*campaigns, ("all", "", "", *sums)])

    investments = [view.investment(row, who) for row in ledger.investments]
    _print(console, "Investments", ("block", "investor", "campaign", "how", "birr"), investments)

    refunds = [
        (row["block_number"], who.name(row["investor"]), _company(row, who), birr(row["amount"]))
        for row in ledger.refunds
    ]
    _print(console, "Refunds", ("block", "investor", "campaign", "birr"), refunds)

    issuers = [
        (
            _company(row, who),
            row["issuer"],
            "active" if row["active"] else "suspended",
            row["registered_block"],
        )
        for row in ledger.issuers
    ]
    _print(console, "Issuers", ("company", "wallet", "state", "since block"), issuers)

    certificates = [
        (row["token_id"], who.name(row["owner"]), _company(row, who), birr(row["amount"]),
         row["voting_weight"], _state(row))
        for row in ledger.certificates
    ]  # fmt: skip
    _print(console, "Certificates", ("number", "owner", "campaign", "birr", "votes", "state"), certificates)

    votes = [(who.name(row["owner"]), row["weight"]) for row in ledger.votes]
    _print(console, "Votes", ("owner", "votes"), votes)


def show_intents(console: Console, found: Intents) -> None:
    """Print what was asked for, what came of it, and what it cost."""
    headings = (
        "kind",
        "status",
        "effects each",
        "signed",
        "gas each",
        "cost in gwei",
        "median seconds",
        "longest",
    )
    rows = [
        (each.kind, each.statuses, each.effects, each.signed, f"{each.gas // each.count:,}",
         f"{each.cost_wei / GWEI:,.0f}", f"{each.median_seconds:.2f}", f"{each.longest_seconds:.2f}")
        for each in summaries(found)
    ]  # fmt: skip
    _print(console, "Intents, from submit to confirmed (with what they depend on)", headings, rows)


def show_views(console: Console, views: Mapping[str, Sequence[Row]], who: Cast) -> None:
    """Print what apps see."""
    for name, rows in views.items():
        headings = list(rows[0]) if rows else ["nothing"]
        _print(console, name, headings, [[_seen(value, who) for value in row.values()] for row in rows])


def verdict(console: Console, checks: Sequence[Check]) -> bool:
    """Print every check, with both sides where it is wrong; whether all are right."""
    lines(
        console,
        "Checks",
        (
            f"right  {check.what}: {check.found}"
            if check.right
            else f"WRONG  {check.what}: {check.found}, expected {check.expected}"
            for check in checks
        ),
    )
    return all(check.right for check in checks)


def lines(console: Console, title: str, texts: Iterable[str]) -> None:
    """Print texts under a title."""
    console.print(f"{title}:", style="bold", markup=False, highlight=False)
    for text in texts:
        console.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)


def _print(console: Console, title: str, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="left" if heading in TEXTS else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(str, row), style="bold" if row[0] == "all" else None)
    # a narrow terminal wraps the lines, nothing is cut
    wide = Console(file=console.file, width=max(console.width, WIDTH), force_terminal=console.is_terminal)
    wide.print(table)


def _seen(value: object, who: Cast) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return ACCOUNT.sub(lambda found: who.name(found[0]), str(value))


def _company(row: Row, who: Cast) -> str:
    """Whose campaign, or which issuer."""
    return cast.company(who.name(row["issuer"])).name


def _state(row: Row) -> str:
    if row["revoked"]:
        return f"revoked: {row['revoke_reason']}"
    return "" if not row["transfer_count"] else f"transferred {row['transfer_count']} time"
