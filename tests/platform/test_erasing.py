"""Erasing a person, and giving up files that were kept long enough."""

import inspect
import json
import secrets
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from chainfirst import daemon
from chainfirst.ops import config, jobs, metrics, session
from chainfirst.ops.commands import periodic
from chainfirst.ops.errors import ChainfirstError
from chainfirst.schema import store
from prometheus_client import CollectorRegistry
from psycopg import sql
from typer.testing import CliRunner

SECRETS = ("abebe@example.test", "Abebe Bikila", "+251911234567", "Almaz", "s3://kyc/abebe-passport.pdf")
HASH = "0x" + "ab" * 32
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def db(pg_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A session of the login user, who is superuser and member of all roles."""
    with psycopg.connect(pg_url, autocommit=True) as connection:
        yield connection


def one(db: psycopg.Connection[Any], statement: str, *values: object) -> Any:
    row = db.execute(statement.encode(), values).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def everything(db: psycopg.Connection[Any]) -> str:
    """All that the schemas platform and intent hold, but for the list of files to delete."""
    tables = db.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace IN ('platform'::regnamespace, 'intent'::regnamespace)"
        " AND relname <> 'kyc_files_to_delete'"
    ).fetchall()
    rows = [db.execute(f"SELECT to_jsonb(x)::text FROM {name} x".encode()).fetchall() for (name,) in tables]
    return json.dumps(rows)


def insert(connection: psycopg.Connection[Any], table: str, **values: object) -> uuid.UUID:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id").format(
        sql.Identifier("platform", table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(map(sql.Placeholder, values)),
    )
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    made: uuid.UUID = row[0]
    return made


class Person:
    """An issuer with a company, its contact, and two proofs of identity; written as apps do."""

    def __init__(self, db: psycopg.Connection[Any]) -> None:
        self.db = db
        email, name, phone, contact, file = SECRETS
        db.execute("SET ROLE chainfirst_app")
        self.judge = insert(db, "users", email="k@x", full_name="K", role="compliance_officer")
        self.id = insert(db, "users", email=email, full_name=name, phone=phone, role="issuer")
        self.company = insert(db, "companies", owner=self.id, name="Habesha", tin="0012345", sector="x")
        insert(
            db,
            "issuer_profiles",
            company=self.company,
            contact_name=contact,
            contact_email=email,
            contact_phone=phone,
            website="https://habesha.example",
        )
        self.documents = [self.document(f"{file}{number}") for number in range(2)]
        db.execute("UPDATE platform.users SET phone = phone || '8' WHERE id = %s", [self.id])
        db.execute("RESET ROLE")

    def document(self, reference: str) -> uuid.UUID:
        return insert(
            self.db, "kyc_documents", user=self.id, type="passport", file_reference=reference, sha256=HASH
        )

    def judged(self, status: str, at: datetime, expires: str | None = None) -> uuid.UUID:
        """A document that ended so then: without the steps, whose times are the database's."""
        document = self.document(f"{SECRETS[4]}{uuid.uuid4()}")
        self.db.execute("SET session_replication_role = replica")
        self.db.execute(
            "UPDATE platform.kyc_documents SET (status, verified_at, updated_at, verified_by, expires_on)"
            " = ROW (%s, %s, %s, %s, %s::date) WHERE id = %s",
            [status, at, at, self.judge, expires, document],
        )
        self.db.execute("RESET session_replication_role")
        return document


@pytest.fixture
def person(db: psycopg.Connection[Any]) -> Person:
    return Person(db)


def erase(url: str, directory: Path, *arguments: str, said: str = "") -> Any:
    file = directory / "config.toml"
    file.write_text(
        f'[database]\nurl = "{url}"\n[chain]\nchain_id = 31337\nendpoints = ["http://127.0.0.1:1"]\n'
    )
    done = CliRunner().invoke(
        daemon.app, ["--config", str(file), "erase-person", *arguments], input=said, prog_name="chainfirst"
    )
    if isinstance(done.exception, ChainfirstError):
        raise done.exception
    return done


def test_nothing_personal_is_left(
    db: psycopg.Connection[Any], person: Person, pg_url: str, tmp_path: Path
) -> None:
    before = everything(db)
    assert all(secret in before for secret in SECRETS)
    lines = one(db, "SELECT count(*) FROM platform.audit")
    done = erase(pg_url, tmp_path, SECRETS[0].upper(), "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts["user"] == str(person.id)
    assert (facts["issuer_profiles"], facts["kyc_documents"], facts["files_to_delete"]) == (1, 2, 2)

    after = everything(db)
    assert [secret for secret in SECRETS if secret in after] == []
    blanked = (
        "SELECT email, full_name, phone, active, erased_at IS NOT NULL FROM platform.users WHERE id = %s"
    )
    assert one(db, blanked, person.id) == (f"erased-{person.id}@erased.invalid", "erased", None, False, True)
    assert one(db, "SELECT website FROM platform.issuer_profiles") == "https://habesha.example"
    assert one(db, "SELECT count(*), count(file_reference), min(sha256) FROM platform.kyc_documents") == (
        2,
        0,
        HASH,
    )
    # the audit: no line is gone, the person's say that they were blanked, the others are as before
    action, changes = one(db, "SELECT action, changes FROM platform.audit ORDER BY seq DESC LIMIT 1")
    assert (action, changes["files_to_delete"]) == ("erase", 2)
    assert one(db, "SELECT count(*) FROM platform.audit") > lines
    first = "SELECT changes FROM platform.audit WHERE row_id = %s AND action = 'insert'"
    assert {name: one(db, first, person.id)[name] for name in ("email", "phone", "role")} == {
        "email": "erased", "phone": "erased", "role": "issuer",
    }  # fmt: skip
    assert one(db, first, person.judge)["email"] == "k@x"
    assert one(db, first, person.company)["name"] == "Habesha"


def test_again_and_no_way_back(
    db: psycopg.Connection[Any], person: Person, pg_url: str, tmp_path: Path
) -> None:
    aborted = erase(pg_url, tmp_path, str(person.id), said="n\n")
    assert (aborted.exit_code, "Erase for good?" in aborted.stdout) == (1, True)
    assert SECRETS[0] in everything(db)
    said = erase(pg_url, tmp_path, str(person.id), said="y\n").stdout
    assert f"{person.id} is erased: " in said
    again = erase(pg_url, tmp_path, str(person.id).upper(), said="y\n").stdout
    assert "erased before, at " in again
    assert "0 files to delete" in again
    with pytest.raises(ChainfirstError, match="no user with that id"):
        erase(pg_url, tmp_path, SECRETS[0], "--yes")
    db.execute("SET ROLE chainfirst_app")
    with pytest.raises(psycopg.errors.CheckViolation, match="Make another user"):
        db.execute("UPDATE platform.users SET email = %s WHERE id = %s", [SECRETS[0], person.id])
    for forbidden in ("erase", "erase_warnings"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute(f"SELECT platform.{forbidden}(%s)".encode(), [person.id])


def test_an_erased_investor_may_invest_no_more(db: psycopg.Connection[Any]) -> None:
    db.execute("SET ROLE chainfirst_app")
    wallet = f"0x{secrets.token_hex(20)}"
    investor = insert(db, "users", email="i@x", full_name="I", role="investor", wallet=wallet)
    for status in ("pending", "verified"):
        db.execute("UPDATE platform.users SET kyc_status = %s WHERE id = %s", [status, investor])
    said = f"the account of {SECRETS[1]} was closed"
    db.execute("RESET ROLE")
    with db.transaction():
        db.execute("SET LOCAL ROLE chainfirst_owner")
        db.execute("SET LOCAL chainfirst.import = 'on'")
        company = insert(db, "companies", owner=investor, name="Habesha", tin="0012345", sector="x")
        campaign = insert(
            db, "campaigns", company=company, title="More", goal=100, duration_days=30, document_uri="x:y"
        )
        insert(
            db, "investments", campaign=campaign, investor=investor, amount=5, payment_method="cbe",
            status="failed", failure_reason=said,
        )  # fmt: skip
    assert said in everything(db)
    db.execute("SET ROLE chainfirst_owner")
    db.execute("SELECT platform.erase(%s)", [investor])
    db.execute("RESET ROLE")
    assert said not in everything(db)
    asked = db.execute("SELECT payload FROM intent.intents WHERE outcome IS NULL").fetchall()
    assert asked == [({"investor": wallet, "verified": False},)]


def test_what_is_better_settled_before_is_said_and_hinders_nothing(
    db: psycopg.Connection[Any], person: Person, pg_url: str, tmp_path: Path
) -> None:
    db.execute("SET session_replication_role = replica")  # no company can be registered without a chain
    campaign = insert(
        db,
        "campaigns",
        company=person.company,
        title="t",
        goal=1000,
        duration_days=30,
        document_uri="ipfs://x",
        status="approved",
        approved_at=NOW,
    )
    insert(
        db,
        "investments",
        campaign=campaign,
        investor=person.id,
        amount=5,
        payment_method="cbe",
        wallet="0x" + "1" * 40,
        chain_id=HASH,
    )
    db.execute("UPDATE platform.users SET role = 'admin' WHERE id = %s", [person.id])
    db.execute("RESET session_replication_role")
    done = erase(pg_url, tmp_path, str(person.id), "--yes")
    notes = done.stderr.splitlines()
    assert [note.split(":")[1].strip() for note in notes] == [
        "1 investments are pending",
        f"the campaign {campaign} of the company {person.company} is running",
        "this is the only active admin",
    ]
    assert SECRETS[0] not in everything(db)
    assert one(db, "SELECT amount, wallet FROM platform.investments") == (5, "0x" + "1" * 40)


def test_files_are_kept_as_long_as_the_settings_say(db: psycopg.Connection[Any], person: Person) -> None:
    day = timedelta(days=1)
    old, new = NOW - 11 * day, NOW - 9 * day
    given_up = {
        person.judged("rejected", old),
        person.judged("expired", old),
        person.judged("expired", NOW - 99 * day, "2026-05-20"),  # to the end of that day
    }
    kept = {
        person.judged("rejected", new),
        person.judged("expired", NOW - 99 * day, "2026-05-21"),
        person.judged("verified", NOW - 99 * day, "2026-01-01"),
        *person.documents,
    }
    with session.connect(db.info.dsn, "test") as connection:
        connection.execute("SET ROLE chainfirst_daemon")
        epoch = store.acquire_leadership(connection)
        assert epoch is not None
        with pytest.raises(store.LeadershipLost):
            jobs.give_up_kyc_files(connection, epoch + 1, NOW, 10)
        assert jobs.give_up_kyc_files(connection, epoch, NOW, 10) == 3
        assert jobs.give_up_kyc_files(connection, epoch, NOW, 10) == 0
    found = db.execute("SELECT id FROM platform.kyc_documents WHERE file_reference IS NOT NULL")
    assert {row[0] for row in found} == kept

    # the app is told which, deletes the files, and says so
    db.execute("SET ROLE chainfirst_app")
    listed = db.execute(
        "SELECT document, reason, file_reference FROM platform.kyc_files_to_delete"
    ).fetchall()
    assert {row[0] for row in listed} == given_up
    assert {row[1] for row in listed} == {"kept long enough"}
    db.execute("SELECT set_config('chainfirst.user', %s, false)", [str(person.id)])
    assert db.execute("DELETE FROM platform.kyc_files_to_delete").rowcount == 0
    db.execute("SELECT set_config('chainfirst.user', %s, false)", [str(person.judge)])
    assert db.execute("DELETE FROM platform.kyc_files_to_delete").rowcount == 3
    db.execute("RESET ROLE")
    lines = db.execute(
        "SELECT row_id, role, acting_user FROM platform.audit WHERE table_name = 'kyc_files_to_delete'"
    ).fetchall()
    assert lines == [(row[0], "chainfirst_app", person.judge) for row in lines]
    assert {row[0] for row in lines} == given_up
    assert all(row[2] not in everything(db) for row in listed)


def test_the_daemon_does_it_by_its_settings(
    db: psycopg.Connection[Any], person: Person, pg_url: str, tmp_path: Path
) -> None:
    person.judged("rejected", datetime.now(UTC) - timedelta(days=11))
    file = tmp_path / "config.toml"
    for days, left in ((12, 3), (10, 2)):
        file.write_text(
            f'[platform]\nkeep_kyc_days = {days}\n[database]\nurl = "{pg_url}"\n'
            '[chain]\nchain_id = 31337\nendpoints = ["http://127.0.0.1:1"]\n'
        )
        leader = SimpleNamespace(epoch=one(db, "SELECT epoch FROM chain.leader"))
        needed = {"leader": leader, "found": config.load(file, {})}
        needed["numbers"] = metrics.Metrics(CollectorRegistry())
        jobs_of: Any = periodic.build
        jobs = jobs_of(**dict.fromkeys(inspect.signature(jobs_of).parameters) | needed)
        job = jobs._scheduler.get_job("give_up_kyc_files")
        _, work, _ = job.args
        work()
        assert one(db, "SELECT count(file_reference) FROM platform.kyc_documents") == left
