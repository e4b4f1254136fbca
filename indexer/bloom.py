"""The header's bloom filter: may the block hold logs of these addresses and topics?

A miss is certain for an honest header, a hit is not. Some chains send zero or stale blooms, so a
miss never replaces the call for logs.
"""

import functools
from collections.abc import Iterable

from eth_hash.auto import keccak

BYTES = 256


@functools.lru_cache(maxsize=65536)
def bits(value: str) -> int:
    """The three bits that an address or topic (hex) sets, as a 2048-bit number (Yellow Paper 4.3.1)."""
    digest = keccak(bytes.fromhex(value.removeprefix("0x")))
    found = 0
    for at in (0, 2, 4):
        found |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
    return found


def might_contain(
    logs_bloom_hex: str, addresses: Iterable[str] | None = None, topics0: Iterable[str] | None = None
) -> bool:
    """Whether some address and some topic are both in the bloom. None means any, empty means none.

    ValueError if the bloom isn't 256 bytes of hex.
    """
    if len(logs_bloom_hex.removeprefix("0x")) != 2 * BYTES:
        raise ValueError(f"a bloom of {len(logs_bloom_hex)} characters")
    bloom = int(logs_bloom_hex, 16)
    return bloom != 0 and _any(bloom, addresses) and _any(bloom, topics0)


def _any(bloom: int, values: Iterable[str] | None) -> bool:
    if values is None:
        return True
    return any(bloom & wanted == wanted for wanted in map(bits, values))
