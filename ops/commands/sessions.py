"""The daemon's own sessions of the database."""

from typing import TYPE_CHECKING, Any

import psycopg
from chainfirst.ops import config as settings
from chainfirst.ops import reach

if TYPE_CHECKING:
    from chainfirst.ops.metrics import Metrics


def connect(
    found: settings.Config, application: str, numbers: "Metrics", part: str | None = None
) -> psycopg.Connection[Any]:
    """A session with the daemon's rights. Its statements are counted as those of `part`, else of what its
    name says behind the colon."""
    from chainfirst.ops import session

    part = part or application.rpartition(": ")[2]
    meter = numbers.database_seconds.labels(part).observe
    name = session.named(application, found.instance)
    connection = session.connect(reach.database_url(found), name, meter)
    connection.execute("SET ROLE chainfirst_daemon")
    return connection
