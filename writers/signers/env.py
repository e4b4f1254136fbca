"""The key in an environment variable: for development, where the key is worth nothing."""

import re
from collections.abc import Mapping

from chainfirst.ops.errors import ConfigError
from chainfirst.writers.signers import key


def open(variable: str, environ: Mapping[str, str]) -> key.KeySigner:  # noqa: A001
    """The signer of the variable's key, 32 bytes in hex with 0x; ConfigError if there is none."""
    if not environ.get(variable):
        raise ConfigError(
            f"the environment variable {variable}, which shall hold a private key, is not set",
            "Set it, or correct the signer in the settings.",
        )
    signer = _signer(environ[variable])
    if signer is None:
        raise ConfigError(
            f"the environment variable {variable} holds no private key",
            "A private key is 0x and 64 hex digits, above 0 and below the order of secp256k1.",
        )
    return signer


def _signer(text: str) -> key.KeySigner | None:
    if not re.fullmatch("0x[0-9a-fA-F]{64}", text.strip()):
        return None
    return key.signer(bytes.fromhex(text.strip()[2:]))
