"""verify finds what differs, rebuild mends it."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst import daemon
from chainfirst.ops import reach
from chainfirst.ops.errors import ConfigError
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
    well = chainfirst(config_file, "verify", "--ledger-only").output
    assert well == "compared the ledger with its events\n0 differences\n"
    with psycopg.connect(pg_url) as connection:
        connection.execute(
            "INSERT INTO event.issuer_registry_investor_status_changed"
            " VALUES (1, 0, 0, now(), '0x01', '0x02', '0x03', true)"
        )
    found = chainfirst(config_file, "verify", "--ledger-only", "--json")
    assert found.exit_code == 1
    answer = json.loads(found.output)
    (difference,) = answer["differences"]
    assert answer["count"] == 1
    assert (difference["relation"], difference["kind"]) == ("ledger.investors", "missing")
    lines = chainfirst(config_file, "verify", "--ledger-only", "--limit", "0").output.splitlines()
    assert lines == ["… and 1 more", "compared the ledger with its events", "1 differences"]
    assert chainfirst(config_file, "rebuild").exit_code == 0
    assert chainfirst(config_file, "verify", "--ledger-only").exit_code == 0


def test_without_a_node_only_the_ledger_can_be_verified(config_file: Path) -> None:
    assert chainfirst(config_file, "migrate").exit_code == 0
    contradiction = chainfirst(config_file, "verify", "--ledger-only", "--all").exception
    assert isinstance(contradiction, ConfigError)
    config_file.write_text(f"[platform]\nenabled = false\n{config_file.read_text()}")
    assert isinstance(chainfirst(config_file, "verify").exception, reach.EndpointUnreachable)
    assert isinstance(chainfirst(config_file, "verify", "--ledger-only").exception, ConfigError)
