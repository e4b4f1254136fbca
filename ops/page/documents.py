"""The certificates' documents at their tokens' URIs (EIP-721, "ERC721 Metadata JSON Schema").

What is answered is byte for byte what the chain has the SHA-256 of, or nothing.
"""

import asyncio
import base64
import hashlib
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from chainfirst.ops import log
from chainfirst.ops.page import answers
from chainfirst.ops.page.reader import Connection, Reader, Unreadable
from starlette.requests import Request
from starlette.responses import Response

Find = Callable[[Connection, str], tuple[str, bytes] | None]
READERS = 2
MOST_WAITING = 32
RETRY_SECONDS = 5
# public, and anybody's page may read it; a reorganisation can take back what isn't final: no longer than that
_FOUND = {"Cache-Control": "public, max-age=3600", "Access-Control-Allow-Origin": "*"}


class Documents:
    """Looks documents up, a few at a time, on sessions of its own."""

    def __init__(self, connect: Callable[[], Connection], find: Find) -> None:
        """`find`: media type and bytes by what ends the URI; None: there is no such certificate."""
        self._find = find
        self._readers: queue.LifoQueue[Reader] = queue.LifoQueue()
        self._every = [Reader(connect) for _ in range(READERS)]
        for reader in self._every:
            self._readers.put(reader)
        self._threads = ThreadPoolExecutor(READERS, "document")
        self._waiting = 0
        self._repeats = log.Repeats(log.get("page"))

    async def answer(self, request: Request) -> Response:
        """200 or 304, 404, or 503 while the database can't be read or too many ask."""
        if self._waiting >= MOST_WAITING:
            return _unavailable("too many documents are asked for at once")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._threads, self._look_up, request.path_params["name"])
        except Unreadable as error:
            self._repeats.failed("documents", "documents_unreadable", error=str(error))
            return _unavailable("the database can't be read just now")
        finally:
            self._waiting -= 1
        self._repeats.recovered("documents")
        if found is None:
            return answers.json({"error": "no certificate has this URI"}, 404)
        return _document(*found, request.headers.get("if-none-match", ""))

    def _look_up(self, name: str) -> tuple[str, bytes] | None:
        reader = self._readers.get()
        try:
            with reader.snapshot() as connection:
                return self._find(connection, name)
        finally:
            self._readers.put(reader)

    def close(self) -> None:
        """End what runs, and the sessions."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for reader in self._every:
            reader.interrupt()
        self._threads.shutdown()
        for reader in self._every:
            reader.close()


def _document(media_type: str, body: bytes, asked: str) -> Response:
    digest = hashlib.sha256(body)
    etag = f'"{digest.hexdigest()}"'
    headers = _FOUND | {"ETag": etag}
    if matches(asked, etag):
        return Response(None, 304, headers)
    headers["Repr-Digest"] = f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"  # RFC 9530
    response = Response(body, 200, headers)
    response.headers["Content-Type"] = media_type
    return response


def matches(if_none_match: str, etag: str) -> bool:
    """Whether the header (RFC 9110, section 13.1.2; weak comparison) names this entity tag."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]


def _unavailable(why: str) -> Response:
    return answers.json({"error": why}, 503, {"Retry-After": str(RETRY_SECONDS)})
