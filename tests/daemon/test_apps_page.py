"""docs/apps.md says what is so: its walk runs as it stands, and its tables hold what the database has."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.ops.dev import node
from chainfirst.tests.daemon.asking import ROOT, Desk
from chainfirst.writers import intents
from psycopg import sql

PAGE = (ROOT / "docs" / "apps.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", SECTIONS["A walk"], re.MULTILINE | re.DOTALL)
PSQL = 'psql -X "$SHOP_URL"'
ALWAYS_FILLED = {"id", "created_at", "updated_at", "revision"}
USER, COMPANY = "0190b1c2-3d4e-7f80-9a0b-0000000000a1", "0190b1c2-3d4e-7f80-9a0b-0000000000a2"
ENTERED = f"""
INSERT INTO platform.users (id, email, full_name, role, wallet, kyc_status)
VALUES ('{USER}', 'a@b', 'A', 'investor', '0x{"ab" * 20}', 'pending');
"""
ACTING = f"SELECT set_config('chainfirst.user', '{USER}', false); "
REFUSED = {
    "23514": "UPDATE platform.users SET kyc_status = 'expired'",
    "23502": "INSERT INTO platform.users (full_name, role) VALUES ('B', 'investor')",
    "23505": "INSERT INTO platform.users (email, full_name, role) VALUES ('A@B', 'B', 'investor')",
    "23503": f"INSERT INTO platform.issuer_profiles (company) VALUES ('{COMPANY}')",
    "42501": f"{ACTING} UPDATE platform.users SET kyc_status = 'verified'",
    "22P02": "UPDATE platform.users SET kyc_level = 'x'",
    "22003": "UPDATE platform.users SET aml_score = 1e9",
    "22021": r"UPDATE platform.users SET full_name = E'a\000b'",
    "22023": f"SELECT platform.ask_again('user', '{USER}')",
    "P0002": f"SELECT platform.change_wallet('user', '{COMPANY}', '0x{'cd' * 20}')",
    "2D000": f"UPDATE platform.users SET kyc_status = 'verified'; CALL api.wait('{USER}')",
}
WRITABLE = """
SELECT array_agg(c.relname::text) FROM pg_class c WHERE c.relnamespace = 'platform'::regnamespace
AND c.relkind = 'r' AND has_table_privilege('chainfirst_app', c.oid, 'INSERT')
"""
STATUS_COMMENT = """
SELECT coalesce(max(col_description(attrelid, attnum)), '') FROM pg_attribute
WHERE attrelid = %s::regclass AND attname = 'status'
"""
DEFINITIONS = """
SELECT pg_get_viewdef(%s::regclass) || pg_get_viewdef('ledger.campaigns_fold'::regclass)
    || string_agg(pg_get_constraintdef(oid), '') FROM pg_constraint WHERE conname = 'campaigns_status_known'
"""
BY_CHANCE = {"55006", "40001", "40P01"}  # tests/platform


@pytest.fixture(scope="session")
def pg_template(platform_template: str) -> str:
    return platform_template


@pytest.fixture
def shop(desk: Desk) -> Iterator["psycopg.Connection[Any]"]:
    """An app's session, with a user entered."""
    desk.sql.execute("CREATE ROLE page_shop LOGIN IN ROLE chainfirst_app")
    try:
        with psycopg.connect(f"{desk.url}&user=page_shop", autocommit=True) as connection:
            connection.execute(ENTERED.encode())
            yield connection
    finally:
        desk.sql.execute("DROP OWNED BY page_shop; DROP ROLE page_shop")


def rows(section: str, header: str) -> list[list[str]]:
    """The cells of the table that begins with this header."""
    table = SECTIONS[section].split(f"| {header} |", 1)[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]


def names(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def script() -> tuple[str, list[str]]:
    """The walk as one shell would see it, each block of SQL a session, and what they must say."""
    lines, said = ["set -e"], list[str]()
    for (language, text), (_, following) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
        if language == "sh":
            lines.append(text.removesuffix(f"{PSQL}\n"))
        elif language == "sql":
            end = " || test $? = 3" if following.startswith("ERROR") else ""
            lines.append(f"{PSQL} -v ON_ERROR_STOP=1 <<'END'{end}\n{text}END")
        else:
            said.append(text)
    return "\n".join(lines), said


@pytest.fixture
def clone(server_dir: Path) -> Path:
    """A fresh clone as far as the walk looks at it, installed already."""
    node.install(ROOT / ".chainfirst" / "node" / "anvil")
    shutil.copy(ROOT / "config.toml", server_dir)
    (server_dir / "Makefile").write_text(".venv/.installed:\n")
    (server_dir / "contracts").symlink_to(ROOT / "contracts")
    (server_dir / ".venv").symlink_to(sys.prefix)
    (server_dir / ".chainfirst").mkdir()
    (server_dir / ".chainfirst" / "node").symlink_to(ROOT / ".chainfirst" / "node")
    return server_dir


@pytest.mark.apps
def test_its_walk_leads_to_a_confirmed_investment(clone: Path) -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("CHAINFIRST_", "PG"))}
    walk, said = script()
    end = "trap 'kill %1 2> /dev/null; .venv/bin/chainfirst dev down' EXIT"
    (clone / "walk.sh").write_text(f"{end}\n{walk}")
    done = subprocess.run(
        ["bash", "walk.sh"], cwd=clone, env=environ, capture_output=True, text=True, check=False
    )
    log = clone / ".chainfirst" / "daemon.log"
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{log.read_text() if log.exists() else ''}"
    assert len(said) == 3
    for each in said:
        assert each in done.stdout + done.stderr


def test_its_tables_and_columns_are_those_of_the_database(desk: Desk) -> None:
    for table, yours, ours in rows("What you write", "table"):
        found = desk.one(
            "SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0",
            f"platform.{names(table)[0]}",
        )
        filled, ruled = names(yours), names(ours)
        assert sorted(filled + ruled) == sorted(set(found) - ALWAYS_FILLED)
    written = {names(table)[0] for table, *_ in rows("What you write", "table")}
    assert written == set(desk.one(WRITABLE))


def test_its_steps_are_those_of_the_database(desk: Desk) -> None:
    for column, steps, asks in rows("What you write", "column"):
        table, _, name = names(column)[0].partition(".")
        said = {}
        for each in steps.split("; "):
            before, after = each.split(" → ")
            said[names(before)[0]] = names(after)
        for kind in re.findall(r"`([a-z]+\.[a-z_]+)`", asks):
            assert kind in desk.one("SELECT pg_get_functiondef('platform.wish(uuid, text)'::regprocedure)")
        if name == "verified":
            assert said == {"false": ["true"], "true": ["false"]}
            continue
        guard = f"platform.guard_{table.removesuffix('s')}()"
        source = desk.one("SELECT pg_get_functiondef(%s::regprocedure)", guard)
        (steps,) = re.findall(r"check_step\([^{]*'(\{.*?\})'", source, re.DOTALL)
        assert said == json.loads(steps)


def test_its_views_columns_and_statuses_are_those_of_the_database(desk: Desk) -> None:
    listed = rows("What you read", "view")
    assert {names(view)[0] for view, *_ in listed} == set(
        desk.one("SELECT array_agg(relname::text) FROM pg_class WHERE relnamespace = 'api'::regnamespace")
    )
    for view, _, look in listed:
        name = names(view)[0]
        found = desk.sql.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier("api", name)))
        assert found.description is not None
        columns = {each.name for each in found.description}
        status = re.search(r"`status`: ([^;]*)", look)
        stated = set(names(status[1])) if status else set()
        assert set(names(look)) - stated <= columns
        comment = desk.one(STATUS_COMMENT, f"api.{name}")
        literals = set(re.findall(r"'(\w+)'::text", desk.one(DEFINITIONS, f"api.{name}"))) - {"paid"}
        assert stated == {each for each in literals if re.search(rf"\b{each}\b", comment)}


def test_every_status_of_an_intent_is_named() -> None:
    text = SECTIONS["When a thing is done"]
    assert set(intents.STATUSES) <= set(names(text))


@pytest.mark.parametrize("code", REFUSED)
def test_its_errors_are_raised(shop: "psycopg.Connection[Any]", code: str) -> None:
    with pytest.raises(psycopg.Error) as error:
        shop.execute(REFUSED[code].encode())
    assert error.value.sqlstate == code


def test_no_error_is_left_out() -> None:
    codes = {code for codes, _ in rows("What is refused", "SQLSTATE") for code in codes.split(", ")}
    assert codes == {*REFUSED, *BY_CHANCE}


def test_its_roles_of_users_are_those_that_there_are(desk: Desk) -> None:
    (rule,) = desk.sql.execute(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'users_role_known'"
    ).fetchone() or ("",)
    assert {names(role)[0] for role, *_ in rows("Acting users", "role")} == set(re.findall(r"'(\w+)'", rule))


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        file, _, heading = target.partition("#")
        path = ROOT / "docs" / file if file else ROOT / "docs" / "apps.md"
        assert path.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
