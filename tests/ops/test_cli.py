"""The command line as a user has it: a process, its output and its exit code."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer.testing
from chainfirst import daemon
from chainfirst.ops.dev import node
from chainfirst.ops.dev.node import Anvil

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).parent / "chainfirst"
CHECKSUMMED = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CHAINFIRST_")}
    return subprocess.run(
        [str(SCRIPT), *arguments], cwd=cwd, env=plain | environ, capture_output=True, text=True, check=False
    )


def write_config(directory: Path, database: str = "embedded", endpoint: str = "dev", more: str = "") -> None:
    (directory / "config.toml").write_text(
        f'[database]\nurl = "{database}"\n[chain]\nchain_id = 31337\nendpoints = ["{endpoint}"]\n{more}'
    )


def fails(directory: Path, code: int, *words: str) -> None:
    """`config check` ends with the code and one line that holds the words."""
    done = run("config", "check", cwd=directory)
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("chainfirst: ")
    for word in words:
        assert word in line
    ran = run("run", cwd=directory)
    assert ran.returncode == code
    assert ran.stderr.splitlines()[-1] == line  # whatever the log says before
    assert "Traceback" not in ran.stderr


def test_dev_servers_live_on_their_own(server_dir: Path) -> None:
    node.install(ROOT / ".chainfirst" / "node" / "anvil")
    (server_dir / ".chainfirst").mkdir()
    (server_dir / ".chainfirst" / "node").symlink_to(ROOT / ".chainfirst" / "node")
    write_config(server_dir)
    assert run("dev", "status", cwd=server_dir).returncode == 3
    fails(server_dir, 69, "embedded database", "chainfirst dev up")

    up = run("dev", "up", cwd=server_dir)
    assert up.returncode == 0, up.stderr
    assert up.stdout.count("started, pid") == 2
    pids = [int(line.split("pid ")[1].split(",")[0]) for line in up.stdout.splitlines()]
    again = run("dev", "up", cwd=server_dir)
    assert again.stdout == up.stdout.replace("started", "runs already")
    status = run("dev", "status", cwd=server_dir)
    assert (status.returncode, status.stdout) == (0, up.stdout.replace("started", "runs"))
    check = run("config", "check", cwd=server_dir)
    assert check.returncode == 0, check.stderr
    assert "chain 31337 at http://127.0.0.1:" in check.stdout

    env = run("dev", "env", cwd=server_dir)
    assert env.returncode == 0, env.stderr
    query = 'psql -Xd "$DATABASE_URL" -c "SELECT 4711"'
    script = f'{env.stdout}{query}; echo "${{#DEV_KEY}} $CHAINFIRST_WRITER__SIGNER"'
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert "4711" in shell.stdout
    assert shell.stdout.splitlines()[-1] == "66 env:DEV_KEY"

    down = run("--config", str(server_dir / "config.toml"), "dev", "down", cwd=ROOT)
    assert down.stdout == f"anvil stopped, pid {pids[1]}\nPostgreSQL stopped, pid {pids[0]}\n"
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
    gone = run("dev", "env", cwd=server_dir)
    assert (gone.returncode, gone.stdout) == (69, "")
    assert "chainfirst dev up" in gone.stderr
    assert run("dev", "down", cwd=server_dir).stdout == "anvil did not run\nPostgreSQL did not run\n"


def test_wrong_settings_end_with_78(tmp_path: Path) -> None:
    write_config(tmp_path, more='[contracts.c]\nabi = "gone.json"\naddress = "any"\n')
    fails(tmp_path, 78, "contracts.c.abi", "gone.json, which does not exist")
    (tmp_path / "abi.json").write_text("[]")
    wrong = CHECKSUMMED.replace("FbDB", "fbDB")
    write_config(tmp_path, more=f'[contracts.c]\nabi = "abi.json"\naddress = "{wrong}"\n')
    fails(tmp_path, 78, "contracts.c.address", wrong, "checksum")
    write_config(tmp_path, more="finalty = 3\n")
    fails(tmp_path, 78, "chain.finalty", "did you mean")
    (tmp_path / "config.toml").unlink()
    fails(tmp_path, 78, "config.toml does not exist", "--config")


def test_several_mistakes_have_a_line_each(tmp_path: Path) -> None:
    write_config(tmp_path, database="mysql://u:geheim@h/d", endpoint="ftp://h")
    done = run("config", "check", "--offline", cwd=tmp_path)
    assert done.returncode == 78
    first, *others = done.stderr.splitlines()
    assert first.endswith("has 2 mistakes")
    assert [line.split(":")[0].strip() for line in others] == ["chain.endpoints[0]", "database.url"]
    assert "geheim" not in done.stderr


def test_a_database_that_cannot_be_reached_ends_with_69(tmp_path: Path) -> None:
    write_config(tmp_path, database="postgresql://u:geheim@127.0.0.1:1/d")
    fails(tmp_path, 69, "postgresql://u:***@127.0.0.1:1/d", "refused")


def test_endpoints(tmp_path: Path, pg_url: str, anvil: Anvil) -> None:
    write_config(tmp_path, database=pg_url, endpoint="http://127.0.0.1:1/key")
    fails(tmp_path, 68, "http://127.0.0.1:1/…", "refused")
    write_config(tmp_path, database=pg_url, endpoint='http://127.0.0.1:1", "ws://127.0.0.1:2')
    fails(tmp_path, 68, "http://127.0.0.1:1", "refused")
    write_config(tmp_path, database=pg_url, endpoint=anvil.ws_url)
    fails(tmp_path, 78, "chain.endpoints", "no http(s):// URL")
    write_config(tmp_path, database=pg_url, endpoint=f'{anvil.url}", "ws://127.0.0.1:2')
    done = run("config", "check", cwd=tmp_path)  # the daemon would do without
    assert (done.returncode, done.stderr.count("\n")) == (68, 1)
    assert "ws://127.0.0.1:2" in done.stderr
    write_config(tmp_path, database=pg_url)
    fails(tmp_path, 68, "local node", "chainfirst dev up")
    for url, endpoints in ((anvil.url, anvil.url), (anvil.ws_url, f'{anvil.ws_url}", "{anvil.url}')):
        write_config(tmp_path, database=pg_url, endpoint=endpoints)
        assert run("config", "check", cwd=tmp_path).returncode == 0
        done = run("config", "check", cwd=tmp_path, CHAINFIRST_CHAIN__CHAIN_ID="5")
        assert done.returncode == 76
        assert done.stderr.count("\n") == 1
        assert f"{url} is on chain 31337, chain.chain_id is 5" in done.stderr
        ran = run("run", cwd=tmp_path, CHAINFIRST_CHAIN__CHAIN_ID="5")
        assert (ran.returncode, ran.stderr) == (76, done.stderr)


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command and group of the command line, by what is typed for it."""
    yield " ".join(path), group
    for name, inner in getattr(group, "commands", {}).items():
        yield from commands(inner, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(daemon.app)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example(command: str) -> None:
    done = typer.testing.CliRunner().invoke(daemon.app, [*command.split(), "--help"], prog_name="chainfirst")
    assert done.exit_code == 0
    assert "Example: chainfirst" in done.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_is_of_a_command_and_options_that_there_are(command: str) -> None:
    example = COMMANDS[command].epilog.removeprefix("Example: ")
    parts = re.split(r" (?:\|\||&&|\|) ", example)
    for part in parts:
        program, *words = shlex.split(part)
        if program != "chainfirst" and part != parts[0]:
            continue
        known, names = {"--config", "--help"}, list[str]()
        for word in words:
            if word.startswith("-") and not word[1:2].isdigit():
                assert word in known, (word, example)
            elif " ".join([*names, word]) in COMMANDS:
                names.append(word)
                parameters = COMMANDS[" ".join(names)].params
                known |= {each for parameter in parameters for each in parameter.opts}
        assert names
        assert not hasattr(COMMANDS[" ".join(names)], "commands"), example


def test_the_file_itself_is_the_program_too(tmp_path: Path) -> None:
    write_config(tmp_path)
    command = [sys.executable, str(ROOT / "daemon.py"), "config", "check", "--offline"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "config.toml is right: 0 contracts\n")
    (tmp_path / "config.toml").write_text("{}")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 78
