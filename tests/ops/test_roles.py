"""`chainfirst database sql` on a server that knows nothing of us: what it makes suffices, and no more."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst import daemon
from chainfirst.ops import errors, reach
from chainfirst.ops.dev import postgres
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate
from typer.testing import CliRunner

PASSWORD = "correct horse battery"


@pytest.fixture
def server(server_dir: Path) -> Cluster:
    cluster = Cluster(server_dir, {"fsync": "off"})
    cluster.start()
    return cluster


def run(*arguments: str) -> Any:
    return CliRunner().invoke(daemon.app, ["database", "sql", *arguments])


def psql(server: Cluster, text: str) -> subprocess.CompletedProcess[str]:
    program = postgres.programs() / "psql"
    command = [str(program), "--no-psqlrc", "--quiet", server.url()]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def url_of(server: Cluster, user: str, database: str = "main") -> str:
    return psycopg.conninfo.make_conninfo(server.url(database), user=user)


def suffices(
    server: Cluster, database: str = "main", login: str = "keeper", *, platform: bool = False
) -> None:
    """The daemon's login migrates and works; it is no administrator."""
    migrate.migrate(migrate.engine(url_of(server, login, database)), platform_enabled=platform)
    with psycopg.connect(url_of(server, login, database)) as connection:
        rights = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert rights == (False, False, False)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        connection.execute("SET ROLE chainfirst_daemon")
        connection.execute("CREATE TEMPORARY TABLE compared (LIKE chain.blocks)")
        connection.execute("UPDATE chain.leader SET epoch = epoch + 1")


def test_what_is_printed_makes_all_and_changes_nothing_the_second_time(server: Cluster) -> None:
    printed = run("--database", "main", "--login", "keeper", "--app", "web", "--reader", "grafana")
    assert printed.exit_code == 0, printed.output
    for _ in range(2):
        done = psql(server, printed.stdout)
        assert (done.returncode, done.stderr) == (0, "")
    suffices(server, platform=True)
    with psycopg.connect(url_of(server, "web")) as app:
        app.execute("SELECT * FROM ledger.issuers")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DELETE FROM ledger.issuers")
    with psycopg.connect(url_of(server, "grafana")) as reader:
        reader.execute("SELECT * FROM ledger.issuers")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("SELECT intent.submit('x.y', '{}', 'k')")
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("CREATE ROLE stranger LOGIN")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(url_of(server, "stranger"))
    assert psql(server, printed.stdout).stderr == ""
    suffices(server, platform=True)


def test_it_runs_it_too_for_several_databases_of_a_server(server: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    first = run(
        "--login", "keeper", "--database", "main", "--run", server.url(), "--password-file", str(file)
    )
    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines() == [
        "made the role chainfirst_owner",
        "made the role chainfirst_daemon",
        "made the role chainfirst_app",
        "made the role chainfirst_reader",
        "made the role keeper",
        "made the database main",
        f"the role keeper has the password of {file}",
        "main is ready for keeper",
    ]
    again = run("--login", "keeper", "--database", "main", "--run", server.url())
    assert again.stdout == "main is ready for keeper\n"
    other = run("--login", "other", "--database", "side", "--run", server.url())
    assert other.stdout == "made the role other\nmade the database side\nside is ready for other\n"
    suffices(server)
    suffices(server, "side", "other")
    with psycopg.connect(server.url()) as admin:
        stored = admin.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'keeper'").fetchone()
        assert stored is not None
        assert stored[0].startswith("SCRAM-SHA-256$")
    assert PASSWORD not in (server.directory / "pg.log").read_text()


def test_who_may_not_and_what_is_no_name_is_told(server: Cluster, tmp_path: Path) -> None:
    run("--login", "keeper", "--database", "main", "--run", server.url())
    refused = run("--database", "more", "--run", url_of(server, "keeper"))
    assert isinstance(refused.exception, errors.ConfigError)
    assert "superuser" in str(refused.exception)
    away = run("--run", "postgresql://u:geheim@127.0.0.1:1/postgres")
    assert isinstance(away.exception, reach.DatabaseUnreachable)
    assert "geheim" not in str(away.exception)
    for name in ("Main", "x; DROP", 'a"b', "", "chainfirst_app", "a" * 64):
        assert isinstance(run("--database", name).exception, errors.ConfigError)
    assert isinstance(run("--password-file", "x").exception, errors.ConfigError)
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for file in (empty, tmp_path / "gone"):
        done = run("--run", server.url(), "--password-file", str(file))
        assert isinstance(done.exception, errors.ConfigError)


def test_it_is_quick_and_quiet_enough_for_a_pipe() -> None:
    command = [sys.executable, "-m", "chainfirst.daemon", "database", "sql"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.startswith("\\set ON_ERROR_STOP on\nSET client_min_messages")
