"""docs/intents.md says what is so: its SQL runs as an app, its tables hold what there is."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from chainfirst.tests.daemon.asking import ROOT, Desk
from chainfirst.writers import intents

PAGE = (ROOT / "docs" / "intents.md").read_text(encoding="utf-8")
SUBMIT = "SELECT intent.submit('campaign.finalize', '{}', 'k'"
REFUSED = {
    "42501": "SELECT intent.submit('escrow.refund', '{}', 'k')",
    "23505": f"{SUBMIT}); SELECT intent.submit('campaign.cancel', '{{}}', 'k')",
    "23503": f"{SUBMIT}, depends_on => 'nobody')",
    "23514": f"{SUBMIT}, priority => 2000)",
    "22004": f"{SUBMIT}, priority => NULL)",
    "54000": "SELECT intent.submit('campaign.finalize', jsonb_build_object('a', repeat('x', 70000)), 'k')",
    "P0002": "SELECT intent.cancel('00000000-0000-0000-0000-000000000000')",
    "22023": f"{SUBMIT}); SELECT intent.retry(id) FROM intent.overview",
}


@pytest.fixture(scope="session")
def pg_template(platform_template: str) -> str:
    return platform_template


@pytest.fixture
def app(desk: Desk) -> Iterator["psycopg.Connection[Any]"]:
    """An app's session, with a table of its own."""
    desk.sql.execute("CREATE ROLE page_app LOGIN IN ROLE chainfirst_app")
    try:
        desk.sql.execute(
            "CREATE TABLE investments (id uuid, amount numeric); GRANT INSERT ON investments TO page_app"
        )
        with psycopg.connect(f"{desk.url}&user=page_app", autocommit=True) as connection:
            yield connection
    finally:
        desk.sql.execute("DROP OWNED BY page_app; DROP ROLE page_app")


def test_its_sql_runs(desk: Desk, app: "psycopg.Connection[Any]") -> None:
    asked, looked, changed, granted = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    app.execute(asked.encode())
    cursor = app.execute(looked.encode())
    row = cursor.fetchone()
    assert row is not None
    assert row[:2] == ("pending", "its turn")
    assert cursor.nextset()
    history = cursor.fetchone()
    assert history is not None
    assert history[1:] == ("pending", "submitted by page_app")
    app.execute(changed.encode())
    assert desk.one("SELECT array_agg(status ORDER BY generation) FROM intent.overview") == [
        "cancelled",
        "pending",
    ]
    desk.sql.execute(granted.encode())
    app.execute("SELECT intent.submit('certificate.transfer', '{}', 'x')")


def test_its_statuses_are_all_there_are() -> None:
    assert tuple(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == intents.STATUSES


@pytest.mark.parametrize("code", REFUSED)
def test_its_errors_are_raised(app: "psycopg.Connection[Any]", code: str) -> None:
    with pytest.raises(psycopg.Error) as error:
        app.execute(REFUSED[code].encode())
    assert error.value.sqlstate == code


def test_above_read_committed_a_key_of_another_session_is_a_serialization_failure(
    desk: Desk, app: "psycopg.Connection[Any]"
) -> None:
    app.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
    desk.sql.execute(f"{SUBMIT})".encode())
    with pytest.raises(psycopg.errors.SerializationFailure):
        app.execute(f"{SUBMIT})".encode())
    app.execute("ROLLBACK")


def test_no_code_is_left_out() -> None:
    table = PAGE[PAGE.index("## Errors") :]
    codes = {code for line in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for code in line.split(", ")}
    assert codes - {"SQLSTATE", "---"} == {*REFUSED, "40001"}
