"""The status page's summary as a terminal shows it: what chains and apps wrote is cleaned, and no markup."""

import re
from collections.abc import Mapping
from typing import Any

from chainfirst.ops.commands.asked import line
from chainfirst.ops.page import panels
from chainfirst.ops.page.summary import Progress, Summary
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]
VERDICTS = {
    "well": ("all is well", "green"), "behind": ("catching up", "yellow"),
    "attention": ("needs attention", "yellow"), "down": ("no database", "bold red"),
}  # fmt: skip
LEVELS = {"alarm": "red", "warning": "yellow", "note": "dim"}
STATUSES = {
    "confirmed": "green", "included": "green", "sent": "green", "waiting": "yellow", "failed": "red",
    "rejected": "red", "active": "green", "successful": "green", "paused": "yellow",
}  # fmt: skip
BAR_WIDTH = 20
SHOWN = 5
LONGEST = 60
DECIMALS = 2  # of the birr token


def drawn(found: Summary) -> RenderableType:
    """Everything that fits, the worst on top."""
    said, style = VERDICTS[found.verdict]
    title = Text.assemble("chainfirst", f" chain {found.chain.id or '-'} ", (said, style))
    pieces: list[RenderableType] = [_notices(found), _chain(found)]
    pieces += [_progress(each) for each in ((found.progress,) if found.progress else ()) + found.syncing]
    parts = found.parts
    if "open" in parts:
        pieces += [_heading("intents"), _pipeline(parts["open"] | parts.get("ended", {}))]
    pieces += [_intents(parts[name]) for name in ("stuck", "latest") if parts.get(name)]
    if parts.get("platform"):
        pieces += [_heading("campaigns"), _campaigns(parts["platform"]["campaigns"])]
    if parts.get("recent"):
        pieces += [_heading("events"), _events(parts["recent"]["events"])]
    pieces += [_heading("endpoints"), _endpoints(found)]
    return Panel(Group(*pieces), title=title, title_align="left")


def plain(found: Summary) -> str:
    """The same in one line, for a log."""
    chain, said = found.chain, VERDICTS[found.verdict][0]
    words = [
        f"{said}: block {_number(chain.indexed)} of {_number(chain.head)}",
        f"{_number(chain.final)} final",
        *(f"{count} {name}" for name, count in found.parts.get("open", {}).items() if count),
        *(line(each.what) for each in found.notices),
    ]
    return ", ".join(words)


def birr(units: object) -> str:
    """Token units, such as 4550050, as birr: 45,500.50."""
    if units is None:
        return "-"
    whole, part = divmod(int(str(units)), 10**DECIMALS)
    return f"{whole:,}.{part:0{DECIMALS}}"


def _notices(found: Summary) -> Text:
    every = Text()
    for each in found.notices:
        every.append(f"{line(each.what)}\n", LEVELS[each.level])
        more = ", ".join(line(text) for text in (each.detail, each.advice) if text)
        every.append(f"  {more}\n" if more else "", "dim")
    return every


def _chain(found: Summary) -> RenderableType:
    chain = found.chain
    facts = {
        "indexed": chain.indexed, "head": chain.head, "behind": chain.behind_blocks, "final": chain.final,
    }  # fmt: skip
    words = [Text.assemble(f"{name} ", (_number(value), "bold")) for name, value in facts.items()]
    words.append(Text.assemble((f"{found.rows_per_second:,.1f}", "bold"), " events/s"))
    grid = Table.grid(padding=(0, 3))
    grid.add_row(*words)
    return grid


def _progress(each: Progress) -> RenderableType:
    total = max(1, each.last - each.first)
    left = "" if each.eta_seconds is None else f", {_span(each.eta_seconds)} left"
    share = f"{100 * (each.done - each.first) / total:.1f} % of {each.last:,}"
    table = _table(3)
    table.add_row(
        _text("catching up" if each.what is None else each.what),
        _bar(max(0, min(total, each.done - each.first)), total),
        _text(f"{share}, {each.blocks_per_second:,.0f} blocks/s{left}"),
    )
    return table


def _pipeline(counts: Mapping[str, int]) -> Text:
    stages = Text()
    for name in (*panels.STATUSES, *panels.OUTCOMES):
        count = counts.get(name, 0)
        if name in panels.STATUSES or name == "confirmed" or count:
            stages.append(" > " if stages and name not in panels.OUTCOMES[1:] else "   " if stages else "")
            stages.append(f"{count:,} {name}", STATUSES.get(name, "") if count else "dim")
    return stages


def _intents(rows: list[Row]) -> RenderableType:
    table = _table(4)
    for each in rows[:SHOWN]:
        table.add_row(
            _status(each["status"]),
            _text(each["kind"]),
            _text(each["key"]),
            _text(each["reason"] or "", "dim"),
        )
    return table


def _campaigns(rows: list[Row]) -> RenderableType:
    table = _table(5)
    for each in rows[:SHOWN]:
        table.add_row(
            _status("paused" if each["paused"] else each["status"]),
            _text(each["title"] or each["campaign_id"]),
            _bar(min(100.0, each["percent"] or 0.0), 100),
            _text(f"{each['percent'] or 0:.1f} %"),
            _text(f"{birr(each['total_raised'])} of {birr(each['goal'])} ETB"),
        )
    return table


def _events(rows: list[Row]) -> RenderableType:
    table = _table(3)
    for each in rows[:SHOWN]:
        values = "  ".join(f"{name} {value}" for name, value in (each["parameters"] or {}).items())
        table.add_row(
            _text(_number(each["block_number"])), _text(each["event"].split("(")[0]), _text(values, "dim")
        )
    return table


def _endpoints(found: Summary) -> RenderableType:
    table = _table(4)
    for each in found.endpoints:
        state, style = ("in use" if each.in_use else "ready", "green") if each.usable else ("out", "red")
        table.add_row(
            Text(state, style), _text(each.name), _text(_number(each.head)), _text(each.last_error, "dim")
        )
    return table


def _heading(name: str) -> Text:
    return Text(f"\n{name}", "dim")


def _bar(done: float, total: float) -> ProgressBar:
    return ProgressBar(total, done, BAR_WIDTH, complete_style="green", finished_style="green")


def _text(value: str, style: str = "") -> Text:
    """Hashes and addresses short, as nobody reads them."""
    short = re.sub(r"0x([0-9a-f]{4})[0-9a-f]{8,}([0-9a-f]{4})", r"0x\1…\2", line(value))
    return Text(short if len(short) <= LONGEST or style else f"{short[: LONGEST - 1]}…", style)


def _status(name: str) -> Text:
    return Text(name, STATUSES.get(name, ""))


def _table(columns: int) -> Table:
    """Without a frame; what doesn't fit is cut in the last column."""
    table = Table.grid(padding=(0, 2), expand=True)
    for number in range(columns):
        last = number == columns - 1
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1 if last else None)
    return table


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _span(seconds: int) -> str:
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{round(seconds / unit)} {name}"
    return f"{round(seconds / 86_400)} days"
