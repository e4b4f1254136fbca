"""SQL in files, by name: `-- name: advance_cursor` begins a statement that ends at the next name."""

import re
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(filename: str, package: str = "chainfirst.schema") -> dict[str, bytes]:
    """The statements of a package's .sql file. Bytes: psycopg takes them as they are."""
    _, *parts = _NAME.split(resources.files(package).joinpath(filename).read_text("utf-8"))
    return {name: text.strip().encode() for name, text in zip(parts[::2], parts[1::2], strict=True)}
