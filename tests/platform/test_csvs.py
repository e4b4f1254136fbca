"""What a cell of an export says, whoever wrote the text and whatever program opens it."""

import csv
import io
import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from chainfirst.ops.commands import csvs
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (True, "true"),
        (-5, "-5"),
        (Decimal("1E+20"), "100000000000000000000"),
        (datetime(2026, 1, 1, 3, tzinfo=timezone(timedelta(hours=3))), "2026-01-01T00:00:00Z"),
        (datetime(2026, 1, 1, 0, 0, 0, 5, UTC), "2026-01-01T00:00:00.000005Z"),
        ("=1+1", "'=1+1"),
        ("+251 911", "'+251 911"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1", "'＝1"),
        ("'quoted", "''quoted"),
        ("ብር 5", "ብር 5"),
    ],
)
def test_cells(value: object, written: str) -> None:
    assert csvs.cell(value) == written


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_text_comes_back(text: str) -> None:
    written = io.StringIO()
    csv.writer(written).writerow([csvs.cell(text), ""])
    ((found, _),) = csv.reader(io.StringIO(written.getvalue(), newline=""))
    assert not found.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert found.removeprefix("'") == text if found.startswith("'") else found == text


@given(st.integers(-(2**256), 2**256))
def test_birr_is_exact(units: int) -> None:
    written = csvs.birr(Decimal(units))
    sign, digits = (-1, written[1:]) if written.startswith("-") else (1, written)
    whole, cents = digits.split(".")
    assert (len(cents), sign * int(whole + cents)) == (2, units)


def test_ids() -> None:
    made = uuid.uuid4()
    assert csvs.identifier(f"0x{made.hex}{'0' * 32}") == str(made)
    assert csvs.identifier("0x" + "ab" * 32) == "0x" + "ab" * 32


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    csvs.write(file, "", ["a"], [["1"], ['"\n']])
    assert file.read_bytes() == b'a\r\n1\r\n"""\n"\r\n'
    with pytest.raises(FileExistsError):
        csvs.write(file, "", ["a"], [])
