"""The wheel holds everything that the daemon reads, and works where no repository is."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# beside the packages: what only developers need
LEFT_OUT = ("bench", "tests", "contracts/src", "contracts/compiler")
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
    """Built from a copy: a build leaves folders where it runs."""
    copy = tmp_path_factory.mktemp("wheel") / "source"
    ignored = shutil.ignore_patterns(".*", "tests", "bench", "build", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=ignored)
    options = ["--quiet", "--disable-pip-version-check", "--no-build-isolation", "--no-deps", "--no-index"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(copy.parent), str(copy)]
    done = subprocess.run(command, cwd=copy.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = copy.parent.glob("chainfirst-*.whl")
    return built


def test_everything_that_is_read_is_in_it(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {"config.toml"}
    for folder in ("contracts", "indexer", "ops", "schema", "writers"):
        for path in (ROOT / folder).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix in (".py", ".sql", ".json", ".toml") and not name.startswith(LEFT_OUT):
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
