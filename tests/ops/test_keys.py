"""chainfirst key new: a keystore that the daemon opens, and nothing of the key anywhere else."""

import json
from pathlib import Path
from typing import Any

import pytest
from chainfirst import daemon
from chainfirst.ops import errors
from chainfirst.writers.signers import keystore
from eth_account import Account
from typer.testing import CliRunner


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text("correct horse\n")
    return file


def new(file: Path, password: Path) -> Any:
    return CliRunner().invoke(daemon.app, ["key", "new", str(file), "--password-file", str(password)])


def test_the_daemon_opens_it_and_so_do_others(tmp_path: Path, password: Path) -> None:
    file = tmp_path / "key.json"
    done = new(file, password)
    assert done.exit_code == 0, (done.output, done.exception)
    address = done.output.strip()
    assert keystore.open(file, password, {}).address == address
    key = bytes(Account.decrypt(json.loads(file.read_text()), "correct horse"))
    assert Account.from_key(key).address.lower() == address
    assert key.hex() not in done.output + file.read_text()
    assert file.stat().st_mode & 0o777 == 0o640
    assert new(tmp_path / "other.json", password).output.strip() != address


def test_it_overwrites_nothing_and_wants_a_private_password(tmp_path: Path, password: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text("mine")
    for target, words in ((file, "exists already"), (tmp_path / "no" / "key.json", "can't be written")):
        done = new(target, password)
        assert isinstance(done.exception, errors.ConfigError)
        assert words in str(done.exception)
    assert file.read_text() == "mine"
    password.write_text("\n")
    assert "empty" in str(new(tmp_path / "a.json", password).exception)
    password.chmod(0o644)
    assert "open to others" in str(new(tmp_path / "a.json", password).exception)
    assert not (tmp_path / "a.json").exists()
