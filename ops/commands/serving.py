"""What the daemon serves over HTTP, built from the settings and its parts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainfirst.ops import config as settings
from chainfirst.ops import errors, metrics

if TYPE_CHECKING:
    from chainfirst.ops.page.server import Server
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


def build(found: settings.Config, numbers: metrics.Metrics, connect: "Callable[[str], Connection]") -> Served:
    """One server for all ports that are set, which are taken at once. ConfigError: one can't be.

    `connect` opens sessions by their names. They only read, and are the server's own: whoever asks, and
    however slowly, holds up nothing else.
    """
    asked = {found.metrics.port: "metrics.port", found.page.port: "page.port"}
    ports = [port for port in asked if port is not None]
    if not ports:
        return Served(None, ())
    from chainfirst.ops.page import app, documents, server

    library, closers = None, []
    if found.platform.enabled:
        from chainfirst.writers import metadata

        library = documents.Documents(lambda: connect("chainfirst documents"), metadata.find)
        closers.append(("documents", library.close))
    try:
        made = server.Server(app.build(numbers, library, found.page.certificates), ports)
    except server.PortTaken as taken:
        raise errors.ConfigError(
            f"{asked[taken.port]} {taken.port} of {server.HOST} can't be used: {taken}", "Choose another one."
        ) from None
    return Served(made, (("http", made.close), *closers))
