"""A private key of this process: it signs, and nothing shows it."""

from typing import NoReturn

import coincurve
from chainfirst.writers import transaction
from chainfirst.writers.transaction import GROUP_ORDER, Unsigned


class KeySigner:
    """Signs with a key in memory (secp256k1, deterministic by RFC 6979); no repr, copy or pickle holds it."""

    __slots__ = ("_key", "address")

    def __init__(self, key: coincurve.PrivateKey) -> None:
        self._key = key
        self.address = transaction.address(key.public_key)

    def sign(self, unsigned: Unsigned) -> bytes:
        """The raw bytes."""
        signature = self._key.sign_recoverable(transaction.signing_hash(unsigned), hasher=None)
        return transaction.assemble(unsigned, signature)

    def __repr__(self) -> str:
        return f"<signer of {self.address}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a signer is not copied or pickled: it holds a key")


def signer(secret: bytes) -> KeySigner | None:
    """The signer of a private key's 32 bytes; None if they are none. Never raises: its frame holds them."""
    if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < GROUP_ORDER:
        return None
    return KeySigner(coincurve.PrivateKey(secret))
