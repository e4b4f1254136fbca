"""The apps of examples/ on a stage: a chain, a database and the real daemon, for the whole session."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from chainfirst.examples.stage import EXAMPLES, READER, Stage
from chainfirst.ops.dev import node
from chainfirst.tests.apps.programs import Program, free_port

NODE = node.npm()[0]  # the program itself: the launcher in .venv/bin would outlive its end


@dataclass(frozen=True)
class Played:
    """The platform's whole life has happened there. `said`: what the play said, line by line."""

    stage: Stage
    said: list[str]


def django(stage: Stage, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the example's manage.py to its end."""
    return subprocess.run(
        manage(*arguments), cwd=EXAMPLES / "django", env=os.environ | stage.environment | environ,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


def manage(*arguments: str) -> list[str]:
    """The command line of the example's manage.py."""
    return [str(EXAMPLES / "django" / ".venv" / "bin" / "python"), "manage.py", *arguments]


@pytest.fixture(scope="session")
def stage(server_base: Path) -> Iterator[Stage]:
    """Up, with nothing played on it."""
    with Stage(server_base / "stage") as stage:
        yield stage


@pytest.fixture(scope="session")
def played(stage: Stage) -> Played:
    """The Django example has played on it."""
    done = django(stage, "play")
    assert done.returncode == 0, done.stdout + done.stderr
    return Played(stage, done.stdout.splitlines())


def reading(stage: Stage, port: int) -> dict[str, str]:
    """The environment of a server that reads for everybody."""
    return os.environ | {"DATABASE_URL": stage.url(READER), "PORT": str(port)}


@pytest.fixture(scope="session")
def graphql(played: Played) -> Iterator[str]:
    """PostGraphile's URL."""
    port = free_port()
    with Program(["make", "graphql"], reading(played.stage, port), EXAMPLES) as program:
        program.says("listening on port")
        yield f"http://127.0.0.1:{port}/graphql"


@pytest.fixture(scope="session")
def rest(played: Played) -> Iterator[str]:
    """The REST server's URL."""
    port = free_port()
    with Program(["make", "rest"], reading(played.stage, port), EXAMPLES) as program:
        program.says("REST on")
        yield f"http://127.0.0.1:{port}"
