"""The database as those commands have it that ask by the schema intent: its refusals in one line; and how
rows are shown."""

import contextlib
import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chainfirst.ops import config as settings
from chainfirst.ops import errors
from chainfirst.ops.commands import parts

if TYPE_CHECKING:
    from chainfirst.ops.session import Connection

CONSTRAINTS = {
    "intents_kind_shape": "a kind is a domain and a name in lower-case letters, such as campaign.finalize",
    "intents_payload_object": "a payload is a JSON object",
    "intents_key_length": "a key has 1 to 200 characters",
    "intents_own_parent": "an intent can't depend on itself",
    "intents_time_window": "it expires before it may begin: expires_at must be later than not_before",
    "intents_priority_range": "a priority is a number from -1000 to 1000",
}
"""What the tables' constraints that an asker can hurt say, in words."""


class Refused(errors.FatalError):
    """The database takes what was asked for impossible or not allowed."""


@contextlib.contextmanager
def database(found: settings.Config, application: str) -> "Iterator[Connection]":
    """As parts.database. Refused: a function of the schema intent, or a right, said no. TransientError: what
    was asked crossed with something else."""
    import psycopg

    with parts.database(found, application) as connection:
        try:
            yield connection
        except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction) as error:
            raise errors.ConfigError(
                f"the schema intent is missing: {error.diag.message_primary}", "Run chainfirst migrate."
            ) from error
        except psycopg.errors.SerializationFailure as error:  # psycopg takes it for an OperationalError
            raise errors.TransientError(str(error.diag.message_primary), "Try again.") from error
        except (
            psycopg.IntegrityError,
            psycopg.DataError,
            psycopg.errors.NoDataFound,
            psycopg.errors.InsufficientPrivilege,
            psycopg.errors.ProgramLimitExceeded,  # psycopg takes it for an OperationalError
        ) as error:
            diag = error.diag
            words = CONSTRAINTS.get(diag.constraint_name or "", diag.message_primary or str(error))
            raise Refused(words, diag.message_hint or "") from error


def as_json(value: object) -> str:
    """For programs: amounts as decimal strings, times in ISO 8601."""
    return json.dumps(value, default=_plain)


def line(value: object) -> str:
    """On one line of a terminal: apps and nodes may have put anything into a text."""
    text = value if isinstance(value, str) else "-" if value is None else str(_plain(value))
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, uuid.UUID):
        return str(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
