"""`chainfirst status --watch`: the status page's looks, in a terminal, by this process itself."""

import contextlib
import functools
import importlib.metadata
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer
from chainfirst.ops import config as settings
from chainfirst.ops import errors, reach, session
from chainfirst.ops.commands import drawing
from chainfirst.ops.page import summary
from chainfirst.ops.page.reader import Reader
from chainfirst.ops.page.sampler import Look, Sampler
from rich.console import Console
from rich.live import Live

if TYPE_CHECKING:
    from chainfirst.indexer.rpc.pool import Pool

APPLICATION = "chainfirst status"
CHECK_SECONDS = 2.0


def watch(found: settings.Config, as_json: bool, console: Console) -> None:
    """Look until Ctrl-C: a picture on a terminal, elsewhere a line for each look; JSON: as /status has it."""
    url = reach.database_url(found)
    nodes = _Nodes(_pool(found))
    stop = threading.Event()

    def connect() -> session.Connection:
        connection = session.connect(url, APPLICATION)
        connection.execute("SET ROLE chainfirst_daemon")
        return connection

    reader = Reader(connect)
    with contextlib.ExitStack() as ends:
        ends.callback(reader.close)
        ends.callback(stop.set)
        show = _lines(as_json)
        if console.is_terminal and not as_json:
            picture = ends.enter_context(Live(console=console, auto_refresh=False, screen=True))
            show = functools.partial(_redraw, picture)
        looks = Sampler(reader, nodes.live, lambda: True, show, found.page.ready_behind_blocks)
        threading.Thread(target=nodes.check, args=[stop], daemon=True).start()  # a node may hang
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                stop.wait(looks.step())
                nodes.raise_if_wrong()


def _redraw(picture: Live, look: Look) -> None:
    picture.update(drawing.drawn(look.whole), refresh=True)


def _lines(as_json: bool) -> Callable[[Look], None]:
    return lambda look: typer.echo(look.body if as_json else drawing.plain(look.whole))


class _Nodes:
    """The endpoints, asked for their heads in a thread of their own."""

    def __init__(self, pool: "Pool | None") -> None:
        self._pool = pool
        self._wrong: errors.ChainfirstError | None = None
        self._version = importlib.metadata.version("chainfirst")

    def check(self, stop: threading.Event) -> None:
        """Ask, again and again; an endpoint of another chain ends it."""
        try:
            while self._pool is not None and not stop.is_set():
                self._pool.check()
                stop.wait(CHECK_SECONDS)
        except errors.ChainfirstError as error:
            self._wrong = error

    def raise_if_wrong(self) -> None:
        """What ended it, if something did."""
        if self._wrong is not None:
            raise self._wrong

    def live(self) -> summary.Live:
        """What is known of them now."""
        states = [] if self._pool is None else self._pool.states()
        heads = [each.head for each in states if each.head is not None]
        endpoints = tuple(summary.endpoint(each, time.monotonic()) for each in states)
        return summary.Live(self._version, max(heads, default=None), None, endpoints)


def _pool(found: settings.Config) -> "Pool | None":
    """The endpoints of the settings; None: the local node doesn't run."""
    from chainfirst.indexer.rpc.pool import Pool

    try:
        urls = [each.full for each in reach.endpoint_urls(found) if each.full.startswith("http")]
    except errors.TransientError:
        return None
    return Pool.from_urls(urls, chain_id=found.chain.chain_id, clock=time.monotonic) if urls else None
