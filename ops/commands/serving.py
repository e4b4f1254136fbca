"""What the daemon serves over HTTP, built from the settings and its parts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainfirst.ops import config as settings
from chainfirst.ops import errors, log

if TYPE_CHECKING:
    from chainfirst.indexer.rpc.pool import Pool
    from chainfirst.ops.metrics import Metrics
    from chainfirst.ops.page.server import Server
    from chainfirst.ops.page.summary import Live
    from chainfirst.ops.running import Loop, Part
    from chainfirst.ops.session import Connection

Closer = tuple[str, Callable[[], None]]


@dataclass(frozen=True)
class Served:
    """The server, if a port is set, and what ends it and its sessions."""

    server: "Server | None"
    closers: tuple[Closer, ...]

    def start(self) -> None:
        """Answer from now on."""
        if self.server is not None:
            self.server.start()


def build(
    found: settings.Config,
    numbers: "Metrics",
    connect: "Callable[[str], Connection]",
    live: "Callable[[], Live]",
    add: "Callable[[Part], Loop]",
) -> Served:
    """One server for all ports that are set, which are taken at once. ConfigError: one can't be.

    `connect` opens sessions by their names. They only read, and are the server's own: whoever asks, and
    however slowly, holds up nothing else. `add` takes the part that looks at the database.
    """
    asked = {found.metrics.port: "metrics.port", found.page.port: "page.port"}
    ports = [port for port in asked if port is not None]
    if not ports:
        return Served(None, ())
    from chainfirst.ops.page import app, documents, reader, sampler, server, stream

    hub = stream.Hub(lambda: tuple(looks.history.points), lambda: loop.wake())
    looks = sampler.Sampler(
        reader.Reader(lambda: connect("chainfirst page")),
        live, hub.watched, hub.publish, found.page.ready_behind_blocks,
    )  # fmt: skip
    loop = add(looks)
    library, closers = None, []
    if found.platform.enabled:
        from chainfirst.writers import metadata

        library = documents.Documents(lambda: connect("chainfirst documents"), metadata.find)
        closers.append(("documents", library.close))
    app_ = app.build(numbers, hub, library, found.page.certificates, found.page.hosts)
    try:
        made = server.Server(app_, ports)
    except server.PortTaken as taken:
        raise errors.ConfigError(
            f"{asked[taken.port]} {taken.port} of {server.HOST} can't be used: {taken}", "Choose another one."
        ) from None

    def close() -> None:
        hub.close()
        made.close()

    return Served(made, (("http", close), *closers))


def live(
    version: str, pool: "Pool", numbers: "Metrics", leads: Callable[[], bool | None]
) -> "Callable[[], Live]":
    """What the process knows itself: the head that was last heard of, and its endpoints."""
    from chainfirst.ops.page import summary

    def now() -> summary.Live:
        endpoints = tuple(summary.endpoint(each, time.monotonic()) for each in pool.states())
        return summary.Live(version, numbers.head_number, leads(), endpoints, log.troubles())

    return now
