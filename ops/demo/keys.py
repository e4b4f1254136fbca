"""The keys that the demonstration's daemon signs with: keystores of its own folder, worth nothing anywhere.

A lane each for three of the platform's offices: the operator records and registers, the minter makes
certificates, the owner calls campaigns off.
"""

import json
import secrets
from pathlib import Path

from chainfirst.ops.demo.cast import SIGNERS

FOLDER = "keys"
ROUNDS = 1_000  # of PBKDF2: few, because each start of the daemon waits for them
LANES = {"minter": "certificate.mint", "owner": "campaign.cancel"}  # the operator's is the default one


def make(directory: Path) -> dict[str, str]:
    """New keystores, and the file with their password; the addresses by name."""
    from eth_account import Account

    folder = directory / FOLDER
    folder.mkdir(mode=0o700)
    password = secrets.token_urlsafe(24)
    _write(folder / "password", password)
    addresses = {}
    for name in SIGNERS:
        account = Account.create()
        store = Account.encrypt(account.key, password, kdf="pbkdf2", iterations=ROUNDS)
        _write(folder / f"{name}.json", json.dumps(store))
        addresses[name] = str(account.address)
    return addresses


def settings() -> str:
    """The part of the settings' file that names them."""

    def signs(name: str) -> str:
        return f'signer = "keystore:{FOLDER}/{name}.json"\npassword_file = "{FOLDER}/password"\n'

    lanes = (f'[writer.lanes.{name}]\n{signs(name)}kinds = ["{kind}"]\n' for name, kind in LANES.items())
    return f"[writer]\n{signs('operator')}in_flight = 64\n" + "".join(lanes)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
