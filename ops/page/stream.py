"""Who watches gets each look as a server-sent event (HTML Living Standard, section 9.2), the newest alone."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from chainfirst.ops.page import answers
from chainfirst.ops.page.sampler import Look
from chainfirst.ops.page.summary import Point
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

MOST_WATCHERS = 16
ASKED_SECONDS = 10.0  # who asks once may ask again
FRESH_SECONDS = 1.0  # what is so old still counts as now
WAIT_SECONDS = 3.0
RETRY = b"retry: 2000\n\n"
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "X-Accel-Buffering": "no",  # nginx would keep events until it has many
    **answers.NO_STORE,
}


class Hub:
    """Hands looks from the sampler's thread to the server's."""

    def __init__(
        self,
        history: Callable[[], Sequence[Point]],
        wake: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`history`: the points so far. `wake`: look now, somebody has come."""
        self.history, self.wake, self._clock = history, wake, clock
        self._waiting: set[asyncio.Event] = set()
        self._asked_at = float("-inf")
        self._loop: asyncio.AbstractEventLoop | None = None
        self.streams = 0
        self.ends = False
        self.latest: Look | None = None

    def watched(self) -> bool:
        """Whether anybody wants to know everything. From any thread."""
        return self.streams > 0 or self._clock() - self._asked_at < ASKED_SECONDS

    def publish(self, look: Look) -> None:
        """From the sampler's thread: here is a new one. Waits for nobody."""
        self.latest = look
        self._tell()

    def close(self) -> None:
        """From any thread: end all streams."""
        self.ends = True
        self._tell()

    def _tell(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        for each in self._waiting:
            each.set()

    def age(self) -> float | None:
        """Seconds since the last look began."""
        return None if self.latest is None else self._clock() - self.latest.began

    async def fresh(self) -> Look | None:
        """A look of now with all parts; an older one, or None, if none is to be had in time."""
        self._asked_at = asked_at = self._clock()
        if self._serves(asked_at - FRESH_SECONDS):
            return self.latest
        with self.listening() as news, contextlib.suppress(TimeoutError):
            self.wake()
            async with asyncio.timeout(WAIT_SECONDS):
                while not (self.ends or self._serves(asked_at)):
                    await news.wait()
                    news.clear()
        return self.latest

    def _serves(self, since: float) -> bool:
        return self.latest is not None and self.latest.watched and self.latest.began >= since

    @contextlib.contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set by each look, and at the end."""
        self._loop = asyncio.get_running_loop()
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            yield news
        finally:
            self._waiting.discard(news)

    async def answer(self, request: Request) -> Response:
        """A stream, or 503 while there are as many as there may be."""
        if self.streams >= MOST_WATCHERS or self.ends:
            return answers.json({"error": "too many watch already"}, 503, {"Retry-After": "30"})
        return Response(None, headers=HEADERS) if request.method == "HEAD" else _Stream(self)


class _Stream(Response):
    """Who reads slowly misses looks, and is sent the newest when it has read the one before."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(None, headers=HEADERS)
        del self.headers["Content-Length"]
        self._hub = hub

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        hub = self._hub
        hub.streams += 1
        gone = asyncio.ensure_future(_gone(receive))
        try:
            with hub.listening() as news:
                gone.add_done_callback(lambda _: news.set())
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                hub.wake()
                await self._send(send, RETRY + event("history", answers.encode(hub.history())))
                version = -1
                with contextlib.suppress(TimeoutError):  # before somebody watched, not everything was read
                    await asyncio.wait_for(news.wait(), FRESH_SECONDS)
                news.set()
                while not (gone.done() or hub.ends):
                    await news.wait()
                    news.clear()
                    look = hub.latest
                    if look is not None and not gone.done():
                        point = answers.encode(look.point)
                        changed = event("summary", look.body) if look.version != version else b""
                        version = look.version
                        await self._send(send, changed + event("point", point))
            await send({"type": "http.response.body", "body": b""})
        finally:
            hub.streams -= 1
            gone.cancel()

    @staticmethod
    async def _send(send: Send, body: bytes) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def event(name: str, line: bytes) -> bytes:
    """An event whose data is one line."""
    return b"event: " + name.encode() + b"\ndata: " + line + b"\n\n"
