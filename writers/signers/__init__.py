"""Who signs: a key of this process (keystore file, environment variable) or a remote signer.

A private key or password is in no repr, log line, exception, setting or table. What raises holds no secret
in a local variable either, and no error of a library, whose frames may, is chained to ours.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from chainfirst.ops import config as settings
from chainfirst.ops.errors import ConfigError
from chainfirst.writers.signers import env, keystore, web3signer
from chainfirst.writers.transaction import Unsigned


class Signer(Protocol):
    """Signs for one account."""

    @property
    def address(self) -> str:
        """The account, lower-case 0x."""
        ...

    def sign(self, transaction: Unsigned) -> bytes:
        """The raw bytes to send: exactly this transaction, from `address`.

        TransientError: a remote signer that doesn't answer; FatalError: one that signed something else.
        """
        ...


def open(lane: settings.Lane, directory: Path, environ: Mapping[str, str]) -> Signer:  # noqa: A001
    """The lane's signer; paths start from `directory`. ConfigError if it can't be had."""
    target = lane.signer
    if target.kind == "env":
        return env.open(target.target, environ)
    if target.kind == "keystore":
        password = None if lane.password_file is None else directory / lane.password_file
        return keystore.open(directory / target.target, password, environ)
    return web3signer.open(target)


def open_all(config: settings.Config, environ: Mapping[str, str]) -> dict[str, Signer]:
    """The signer of each lane by the lane's name; none: read only. ConfigError if one can't be had."""
    lanes = config.writer.every_lane
    opened = {name: open(lane, config.directory, environ) for name, lane in lanes.items()}
    check_accounts(opened)
    return opened


def check_accounts(opened: Mapping[str, Signer]) -> None:
    """ConfigError where two lanes sign for one account: both would count its nonces."""
    lanes: dict[str, str] = {}
    for name, signer in opened.items():
        other = lanes.setdefault(signer.address, name)
        if other != name:
            raise ConfigError(
                f"the lanes {other} and {name} both sign for {signer.address}; an account has one lane",
                "Give one of them another key, or its kinds to the other.",
            )
