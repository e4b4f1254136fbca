"""verify finds what differs, rebuild mends it."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst import daemon
from typer.testing import CliRunner


@pytest.fixture
def config_file(pg_url: str, tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(
        f'[database]\nurl = "{pg_url}"\n[chain]\nchain_id = 31337\nendpoints = ["http://127.0.0.1:1"]\n'
    )
    return file


def chainfirst(file: Path, *arguments: str) -> Any:
    return CliRunner().invoke(daemon.app, ["--config", str(file), *arguments])


def test_a_difference_is_found_and_mended(config_file: Path, pg_url: str) -> None:
    assert chainfirst(config_file, "migrate").exit_code == 0
    assert chainfirst(config_file, "verify").output == "0 differences\n"
    with psycopg.connect(pg_url) as connection:
        connection.execute(
            "INSERT INTO event.issuer_registry_investor_status_changed"
            " VALUES (1, 0, 0, now(), '0x01', '0x02', '0x03', true)"
        )
    found = chainfirst(config_file, "verify", "--json")
    assert found.exit_code == 1
    (difference,) = json.loads(found.output)
    assert (difference["relation"], difference["kind"]) == ("investors", "missing")
    assert chainfirst(config_file, "rebuild").exit_code == 0
    assert chainfirst(config_file, "verify").exit_code == 0
