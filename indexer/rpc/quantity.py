"""Hex quantities as nodes really write them."""

import re

_HASH = re.compile(r"0x[0-9a-f]{64}")


def parse(value: str | int | float | None) -> int:
    """A quantity: "0x1f", "0x" (zero), "0x001f", a JSON number, or hex without 0x. ValueError otherwise."""
    if isinstance(value, str):
        if value in {"0x", "0X", ""}:
            if not value:
                raise ValueError("an empty quantity")
            return 0
        if value[0] in "+-" or "_" in value or not value.strip() == value:
            raise ValueError(f"not a quantity: {value[:80]!r}")
        return int(value, 16)
    if isinstance(value, bool) or value is None:
        raise ValueError(f"not a quantity: {value!r}")
    if value < 0 or value != int(value):
        raise ValueError(f"not a quantity: {value!r}")
    return int(value)


def is_hash(value: str) -> bool:
    """32 bytes of lower-case hex with 0x."""
    return _HASH.fullmatch(value) is not None
