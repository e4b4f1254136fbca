"""An older app of 1,000 rows moves in: everything that is right is there, everything else is told."""

import csv
import json
import os
import random
import secrets
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst import daemon
from chainfirst.ops import reach
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.ops.errors import ChainfirstError, ConfigError
from chainfirst.ops.moving import matching, move, records
from chainfirst.tests.platform.old_app import NAMES, SIZES, App
from psycopg import sql
from typer.testing import CliRunner

STORED = ("users", "companies", "campaigns", "investments")
MAPPING = """
[[events.investments]]
table = "old_escrow_invested"
id = "reference"
wallet = "backer"
amount = "wei"
decimals = 18
"""


@pytest.fixture(scope="module")
def app() -> App:
    seed = int(os.environ.get("SEED") or random.randrange(2**32))
    print(f"SEED={seed}")
    return App(seed)


@pytest.fixture(scope="module")
def old_url(pg_cluster: Cluster, app: App) -> Iterator[str]:
    name = f"old_{secrets.token_hex(4)}"
    pg_cluster.ensure_database(name)
    with psycopg.connect(pg_cluster.url(name), autocommit=True) as connection:
        app.store_old(connection)
    yield pg_cluster.url(name)
    with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def chained(pg_cluster: Cluster, platform_template: str, app: App) -> Iterator[str]:
    """A database that has indexed the app's chain; nothing has moved in."""
    yield from _copy(pg_cluster, platform_template, app)


def _copy(cluster: Cluster, template: str, app: App | None = None) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(cluster.url(), autocommit=True) as admin:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            if app is not None:
                with psycopg.connect(cluster.url(name)) as connection:
                    app.store_chain(connection)
            yield cluster.url(name)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def db(pg_cluster: Cluster, chained: str) -> Iterator[psycopg.Connection[Any]]:
    """A copy to move in."""
    name = psycopg.conninfo.conninfo_to_dict(chained)["dbname"]
    for url in _copy(pg_cluster, str(name)):
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection


class Mover:
    def __init__(self, url: str, old_url: str, directory: Path) -> None:
        self.old_url, self.directory = old_url, directory
        self.file = directory / "config.toml"
        self.file.write_text(
            f'[database]\nurl = "{url}"\n[chain]\nchain_id = 31337\nendpoints = ["http://127.0.0.1:1"]\n'
        )
        self.map(MAPPING)

    def map(self, text: str) -> None:
        (self.directory / "old.toml").write_text(text)

    def invoke(self, *arguments: str, url: str | None = None) -> Any:
        command = ["--config", str(self.file), "import", "django", url or self.old_url]
        command += ["--mapping", str(self.directory / "old.toml"), *arguments]
        done = CliRunner().invoke(daemon.app, command)
        if isinstance(done.exception, ChainfirstError):
            raise done.exception
        assert isinstance(done.exception, SystemExit | None), done.exception
        return done

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        done = self.invoke("--json", *arguments)
        return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def mover(pg_cluster: Cluster, db: psycopg.Connection[Any], old_url: str, tmp_path: Path) -> Mover:
    return Mover(pg_cluster.url(db.info.dbname), old_url, tmp_path)


@pytest.fixture
def rehearsal(chained: str, old_url: str, tmp_path: Path) -> Mover:
    """For what stores nothing."""
    return Mover(chained, old_url, tmp_path)


def everything(db: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    tables = [f"platform.{table}" for table in (*STORED, "requests", "audit")] + ["intent.intents"]
    return {
        table: db.execute(f"SELECT to_jsonb(x) FROM {table} x ORDER BY 1".encode()).fetchall()
        for table in tables
    }


def test_a_thousand_rows(mover: Mover, app: App, db: psycopg.Connection[Any], tmp_path: Path) -> None:
    assert sum(SIZES.values()) == 1_000
    nothing = everything(db)
    assert nothing["platform.users"] == []
    code, rehearsed = mover.run("--dry-run")
    assert (code, everything(db)) == (1, nothing)

    code, report = mover.run("--report", str(tmp_path / "report.csv"))
    assert code == 1
    assert report == rehearsed | {"dry_run": False}
    found = Counter((line["table"], line["row"], line["what"]) for line in report["lines"])
    assert found == +app.lines
    for line in report["lines"]:
        if line["what"] == "left out":
            assert app.reasons[line["row"]] in line["why"], line
    for table, counts in report["counts"].items():
        out = len([row for row in app.rows[table] if row["id"] in app.lost])
        assert (counts["read"], counts["left_out"], counts["there"]) == (SIZES[table], out, 0)
        assert counts["matched"] == app.matched[table]
        if table in STORED:
            assert counts["stored"] == SIZES[table] - out
            count = db.execute(f"SELECT count(*) FROM platform.{table}".encode()).fetchone()
            assert count == (counts["stored"],)
    after = everything(db)
    assert after["intent.intents"] == []
    # what is not in the ledger is noted as not asked for; of what was called off nothing would be
    requests = {row["row_id"]: row["purpose"] for (row,) in after["platform.requests"]}
    assert requests == app.requests
    assert {row["outcome"] for (row,) in after["platform.requests"]} == {"rejected"}
    errors = Counter(row["error"].split(",")[0] for (row,) in after["platform.requests"])
    elsewhere = errors.pop("imported: on chain in an older contract")
    assert elsewhere == len([table for table, _ in app.events if table == "old_escrow_invested"])
    assert set(errors) == {"imported: not on chain"}

    with (tmp_path / "report.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert len(written) == len(report["lines"])

    # once more: everything is there, and stays as it is
    code, again = mover.run()
    assert everything(db) == after
    assert code == 1
    assert again["lines"] == report["lines"]
    assert [again["counts"][table]["stored"] for table in STORED] == [0, 0, 0, 0]


def test_what_moved_in_is_what_was_there(mover: Mover, app: App, db: psycopg.Connection[Any]) -> None:
    mover.run()
    kept: dict[str, dict[str, Any]] = {
        row["id"]: row for table in STORED for (row,) in everything(db)[f"platform.{table}"]
    }
    words = dict(db.execute("SELECT id::text, chain_id FROM platform.investments").fetchall())
    for old in app.rows["users"]:
        if old["id"] in app.lost:
            continue
        new = kept[old["id"]]
        assert (new["email"], new["role"]) == (old["email"], old["role"].lower())
        assert new["aml_score"] == old["aml_risk_score"]
        assert new["full_name"] == f"{old['first_name']} {old['last_name']}".strip()
        assert (new["wallet"], new["phone"]) == (old["wallet_address"] or None, old["phone_number"] or None)
    for old in app.rows["companies"]:
        if old["id"] not in app.lost:
            new = kept[old["id"]]
            assert new["document_hash"] == f"0x{old['document_hash']}"
            assert new["credential_hash"] == old["credential_hash"].lower()
            assert (new["verified"], new["verified_by"]) == (old["is_verified"], old["verified_by_id"])
            assert (new["verified_at"] is not None) == old["is_verified"]
    for old in app.rows["campaigns"]:
        if old["id"] not in app.lost:
            new = kept[old["id"]]
            assert (new["threshold_bps"], new["goal"]) == (7500, 100_000)
            assert (new["cancelled_at"] is not None) == (old["status"] == "cancelled")
    for old in app.rows["investments"]:
        if old["id"] not in app.lost:
            new = kept[old["id"]]
            assert (new["amount"], new["wallet"]) == (float(old["amount"]), old["wallet_address"])
            assert words[old["id"]] == old.get("word", app.word(old))
    # the app can go on with them
    asked = "SELECT platform.ask_again('investment', %s)"
    of = dict(
        db.execute(
            "SELECT r.row_id::text, r.error FROM platform.requests r JOIN platform.investments i"
            " ON i.id = r.row_id WHERE r.purpose = 'record' AND i.payment_method <> 'token'"
        ).fetchall()
    )
    unrecorded = next(row for row, error in of.items() if error == move.NOT_ON_CHAIN)
    db.execute("SET ROLE chainfirst_app")
    elsewhere = next(row for row, error in of.items() if error.startswith(move.ELSEWHERE))
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="on chain in an older contract"):
        db.execute(asked, [elsewhere])
    db.execute(asked, [unrecorded])
    db.execute("RESET ROLE")
    assert db.execute("SELECT kind, key FROM intent.intents").fetchall() == [
        ("campaign.record_investment", f"investment:{unrecorded}:record:1")
    ]


def test_what_is_ambiguous_is_not_said_to_be_missing() -> None:
    """Whoever asked for it anew might have it on chain twice."""
    one = uuid.uuid4()
    row = records.Row("investments", str(one), one, {"status": "paid"})
    moving = object.__new__(move._Moving)
    moving._matches = {"investments": matching.Matches({}, {one: "it may be 2 events"}, [])}
    (request,) = moving._requests("investments", [row])
    assert request.error == "imported: perhaps on chain, it may be 2 events"


def test_what_people_see(rehearsal: Mover, app: App) -> None:
    done = rehearsal.invoke("--dry-run", "--limit", "2")
    lines = done.stdout.splitlines()
    assert lines[1].split() == ["table", "row", "what", "why"]
    assert [line.split()[0] for line in lines[3:5]] == ["users", "users"]
    assert f"… and {sum(app.lines.values()) - 2} more: --report writes all" in lines
    assert lines[-1] == "a dry run: nothing was stored"
    assert [line.split(",")[0] for line in lines if line.startswith("users: ")] == ["users: 300 read"]
    assert "  columns not taken: password" in lines
    assert "  no column for grace_days, submitted_at, cancelled_at" in lines
    # nothing personal is in it
    assert "@example.test" not in done.stdout


def test_an_older_contract_needs_its_mapping(rehearsal: Mover, app: App) -> None:
    rehearsal.map("")
    _, report = rehearsal.run("--dry-run")
    older = app.matched["investments"].total() - report["counts"]["investments"]["matched"]["id"]
    assert older > 0
    what = Counter((line["table"], line["what"]) for line in report["lines"])
    before = Counter((table, what) for table, _, what in app.lines)
    events = len([table for table, _ in app.events if table == "old_escrow_invested"])
    assert what["investments", "not on chain"] == before["investments", "not on chain"] + events


def test_other_names(mover: Mover, old_url: str) -> None:
    with psycopg.connect(old_url, autocommit=True) as old:
        old.execute("CREATE SCHEMA legacy")
        old.execute(
            "CREATE TABLE legacy.people AS SELECT id, email AS mail, first_name AS name, 'BOSS' AS kind,"
            " is_active, date_joined FROM users_user WHERE id ~ '^.{36}$' AND email ~ '@' LIMIT 5"
        )
        for table in ("companies", "campaigns", "investments"):
            old.execute(f"CREATE TABLE legacy.{table} AS SELECT * FROM {NAMES[table]} LIMIT 0".encode())
    mover.map(
        '[users]\ntable = "legacy.people"\ncolumns = { email = "mail", full_name = "name", role = "kind" }\n'
        'defaults = { phone = "0911 {role}" }\n[users.values.role]\nboss = "admin"\n'
        + "".join(f'[{t}]\ntable = "legacy.{t}"\n' for t in ("companies", "campaigns", "investments"))
    )
    _, report = mover.run()
    assert [report["counts"][table]["read"] for table in NAMES][:4] == [5, 0, 0, 0]
    assert report["counts"]["users"]["stored"] == 5
    with psycopg.connect(mover.file.read_text().split('"')[1]) as new:
        found = new.execute("SELECT DISTINCT role, phone FROM platform.users").fetchall()
        assert found == [("admin", "0911 admin")]
    with psycopg.connect(old_url, autocommit=True) as old:
        old.execute("DROP SCHEMA legacy CASCADE")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[user]", ["user", "did you mean that?"]),
        ('[users.columns]\nemale = "x"', ["users.columns.emale", "email (did you mean that?)"]),
        ('[users.values.role]\nboss = "king"', ["users.values.role.boss", '"king"', "compliance_officer"]),
        ("[[events.investments]]\nid = 'x'", ["events.investments[0].table"]),
        ("[[events.investments]]\ntable = 'x'\ndecimals = 99", ["decimals", "0 to 36"]),
        ("[users", ["can't be read"]),
        ('[users]\ntable = "nowhere"', ["users: there is no table nowhere"]),
        (
            '[users.columns]\nphone = "fax"\nemail = "fax"',
            ["users.phone: there is no column fax", "users.email"],
        ),
        ("[[events.investments]]\ntable = 'gone'", ["event.gone is not indexed", "Configure its contract"]),
        (
            "[[events.investments]]\ntable = 'old_escrow_invested'\nwallet = 'who'",
            ["the mapping of events is wrong", "who"],
        ),
    ],
)
def test_a_wrong_mapping_says_where(rehearsal: Mover, text: str, words: list[str]) -> None:
    rehearsal.map(text)
    with pytest.raises(ConfigError) as raised:
        rehearsal.invoke()
    for word in words:
        assert word in str(raised.value)


def test_what_must_be_there_first(mover: Mover, db: psycopg.Connection[Any], tmp_path: Path) -> None:
    with pytest.raises(reach.DatabaseUnreachable) as raised:
        mover.invoke(url="postgresql://u:geheim@127.0.0.1:1/old")
    assert "geheim" not in str(raised.value)
    for wrong in ("mysql://u:geheim@h/old", "embedded"):
        with pytest.raises(ConfigError, match="URL") as refused:
            mover.invoke(url=wrong)
        assert "geheim" not in str(refused.value)
    (tmp_path / "there.json").write_text("")
    for report in ("there.json", "report.txt", "nowhere/report.csv"):
        with pytest.raises(ConfigError):
            mover.invoke("--report", str(tmp_path / report))
    db.execute("UPDATE chain.sources SET joined = false WHERE table_name = 'campaign_investment_recorded'")
    with pytest.raises(ConfigError, match=r"event\.campaign_investment_recorded is syncing"):
        mover.invoke()
    db.execute("DELETE FROM chain.cursor")
    with pytest.raises(ConfigError, match="no block is final yet"):
        mover.invoke()
