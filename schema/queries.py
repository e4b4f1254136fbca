"""SQL in files, by name: `-- name: advance_cursor` begins a statement that ends at the next name."""

import re
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(filename: str) -> dict[str, bytes]:
    """The statements of a .sql file of this package. Bytes: psycopg takes them as they are."""
    _, *parts = _NAME.split(resources.files("chainfirst.schema").joinpath(filename).read_text("utf-8"))
    return {name: text.strip().encode() for name, text in zip(parts[::2], parts[1::2], strict=True)}
