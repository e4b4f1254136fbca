"""The key in an encrypted file: Web3 Secret Storage, version 3, as geth and eth_account write it.

The password is what a file holds, without its final line break: `password_file`, or else systemd's
credential (systemd.exec(5), LoadCredential=). It must be private by PostgreSQL's rule for a server's key
(chapter 18.9): ours with no rights for anyone else, or root's, which its group may read too. So an
administrator can hand it to a service's group, and systemd's own files, whose access list shows as
group rights, are right. The keystore itself may be read: it is encrypted.
"""

import io
import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainfirst.ops.errors import ConfigError
from chainfirst.writers.signers import key

CREDENTIAL = "chainfirst-keystore-password"
LARGEST_FILE_BYTES = 65_536


def open(path: Path, password_file: Path | None, environ: Mapping[str, str]) -> key.KeySigner:  # noqa: A001
    """The signer of the keystore's key; ConfigError if a file or the password is wrong."""
    password_path = password_file or credential(environ)
    if password_path is None:
        raise ConfigError(
            f"the keystore {path} has no password: neither password_file nor a systemd credential is there",
            f"Set password_file, or LoadCredential={CREDENTIAL}:FILE in the service's unit.",
        )
    opened = _unlocked(_read(path, "keystore"), _read(password_path, "password file", private=True))
    if isinstance(opened, str):
        raise ConfigError(
            f"the keystore {path} can't be opened with the password file {password_path}: {opened}",
            "Correct what is wrong; geth account new, or eth_account, makes a keystore.",
        )
    return opened


def make(password_file: Path) -> tuple[str, dict[str, Any]]:
    """A new key: its address, lower-case 0x, and its keystore. ConfigError: the password can't be had."""
    made = _made(_read(password_file, "password file", private=True))
    if isinstance(made, str):
        raise ConfigError(f"no key can be made with the password file {password_file}: {made}", "Correct it.")
    return made


def credential(environ: Mapping[str, str]) -> Path | None:
    """The file in which systemd passes the password; None outside of a service that is given it."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    path = Path(directory) / CREDENTIAL if directory else None
    return path if path is not None and path.exists() else None


def _read(path: Path, what: str, private: bool = False) -> bytes:
    """A small file's bytes."""
    advice = "Correct the path."
    try:
        with io.FileIO(path, opener=_opener) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_FILE_BYTES:
                problem = "is no small file"
            elif private and not is_private(found, os.geteuid()):
                problem = f"is open to others: mode {stat.S_IMODE(found.st_mode):04o}, owner {found.st_uid}"
                advice = "Make it the daemon's, mode 0600; or root's, mode 0640 and the daemon's group."
            else:
                return file.readall()
    except OSError as error:
        problem = f"can't be read: {error.strerror}"
    raise ConfigError(f"the {what} {path} {problem}", advice)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe that nobody writes to must not hang us


def is_private(found: os.stat_result, us: int) -> bool:
    """Whether nobody but the user `us`, root and whom root chose can read the file."""
    if found.st_uid == 0:
        return not found.st_mode & 0o027  # others nothing, the group reads at most
    return found.st_uid == us and not found.st_mode & 0o077


def _account() -> Any:
    """eth_account's class, imported late because that takes half a second.

    A package behind it (py_ecc) raises the process's limit of recursion to 100,000, with which a deeply
    nested answer of a node overflows the stack of a JSON parser: a segmentation fault.
    """
    limit = sys.getrecursionlimit()
    try:
        from eth_account import Account
    finally:
        sys.setrecursionlimit(limit)
    return Account


def _made(password: bytes) -> tuple[str, dict[str, Any]] | str:
    """Address and keystore, or what is wrong. Never raises, as `_unlocked`."""
    account = _account()
    password = _stripped(password)
    if not password:
        return "the password is empty"
    try:
        made = account.create()
        # not scrypt: it takes a quarter of a gigabyte at each start of the daemon
        return str(made.address).lower(), dict(account.encrypt(made.key, password, kdf="pbkdf2"))
    except Exception as error:
        return type(error).__name__


def _stripped(password: bytes) -> bytes:
    return password.removesuffix(b"\n").removesuffix(b"\r")


def _unlocked(content: bytes, password: bytes) -> key.KeySigner | str:
    """The signer, or what is wrong. Never raises: this frame and those of the libraries hold the secrets.

    The content may be one too: a bare key in the wrong place.
    """
    account = _account()
    password = _stripped(password)
    if not password:
        return "the password is empty"
    try:
        store = json.loads(content)
        if not isinstance(store, dict) or store.get("version") != 3:
            return "it is no keystore of version 3"
        signer = key.signer(account.decrypt(store, password))
    except Exception as error:
        wrong = "MAC mismatch" in str(error)
        return "the password is wrong" if wrong else f"it is no keystore ({type(error).__name__})"
    if signer is None:
        return "it holds no private key"
    stated = store.get("address") or signer.address  # some leave it out, for privacy
    if not isinstance(stated, str) or stated.lower().removeprefix("0x") != signer.address[2:]:
        return f"it does not state its key's address, {signer.address}"
    return signer
