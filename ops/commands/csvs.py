"""CSV files (RFC 4180, UTF-8, lines end in CR LF) that say the same whoever writes and whoever opens them.

A spreadsheet takes a cell that begins with = + - or @ for a formula (OWASP, CSV Injection), and what a user
wrote may begin so: before such a text, and before one that begins with a tab, a line's end or an apostrophe,
stands an apostrophe. So a text that begins with one is that text without it.
"""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

DECIMALS = 2  # of the token: a birr is 100 units
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")
_UUID_HEX = slice(2, 34)


def safe(text: str) -> str:
    """The text as a spreadsheet leaves it alone."""
    return f"'{text}" if text.startswith(_FORMULAS) else text


def birr(units: Decimal | int) -> str:
    """Token units as a decimal number of birr, exact however large."""
    whole, rest = divmod(abs(int(units)), 10**DECIMALS)
    return f"{'-' if units < 0 else ''}{whole}.{rest:0{DECIMALS}}"


def moment(value: datetime) -> str:
    """In UTC, whatever the session's time zone."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def identifier(word: str) -> str:
    """The UUID in an id on chain; an id that is none, as it is."""
    if len(word) != 66 or word[34:] != "0" * 32:
        return word
    digits = word[_UUID_HEX]
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def cell(value: Any) -> str:
    """A plain value: numbers are never formulas, null is nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return safe(value) if isinstance(value, str) else str(value)


def write(path: Path, comment: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A comment line (none if empty), the columns' names, the rows; the file's SHA-256, in hex."""
    with path.open("x", encoding="utf-8", newline="") as file:
        if comment:
            file.write(f"# {comment}\r\n")
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    with path.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()
