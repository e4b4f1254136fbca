"""The example in JavaScript that follows the chain (docs/feed.md): what came, what went, too late."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from chainfirst.ops.dev import node
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate, store
from chainfirst.tests.apps.conftest import NODE
from chainfirst.tests.platform.chain_rows import Chain, account

pytestmark = pytest.mark.apps
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def example(server_base: Path) -> Iterator[Path]:
    """The example, installed from its lock file in a folder of its own."""
    folder = server_base / "follow"
    folder.mkdir()
    for name in ("follow.mjs", "package.json", "package-lock.json"):
        shutil.copy(EXAMPLES / name, folder)
    command = [*node.npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    yield folder / "follow.mjs"
    shutil.rmtree(folder)


def test_it_follows(example: Path, pg_cluster: Cluster, pg_url: str) -> None:
    migrate.migrate(migrate.engine(pg_url), platform_enabled=True)
    environment = os.environ | {"DATABASE_URL": f"{pg_url}&options=-crole%3Dchainfirst_reader"}
    with psycopg.connect(pg_url, autocommit=True) as writer:
        chain = Chain(writer)
        chain.block()
        (cursor,) = writer.execute("SELECT last_change FROM api.chain_status").fetchone() or (0,)
        chain.register(uuid.uuid4(), account("before"))
        command = [str(NODE), str(example), str(cursor)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
            try:
                assert running.stdout is not None
                said = [json.loads(running.stdout.readline())]
                chain.register(uuid.uuid4(), account("after"))
                said.append(json.loads(running.stdout.readline()))
                chain.roll_back(2)
                said.append(json.loads(running.stdout.readline()))
            finally:
                running.kill()
        assert [(one["kind"], one["added"], one["removed"]) for one in said] == [
            ("add", "1", "0"), ("add", "1", "0"), ("rollback", "0", "1")
        ]  # fmt: skip
        with chain.as_daemon():
            store.prune_changes(writer, datetime.now(UTC) + timedelta(days=1))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "too old" in done.stderr and "Read the tables anew" in done.stderr
