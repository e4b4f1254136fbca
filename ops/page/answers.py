"""Answers to programs: JSON, and the headers that every answer has."""

from typing import Any

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE = "application/json"
NO_STORE = {"Cache-Control": "no-store"}


def json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Numbers, texts, times, dataclasses as JSON; not kept by caches unless `headers` says so."""
    return Response(encode(content), status, NO_STORE | (headers or {}), MEDIA_TYPE)


def encode(content: Any) -> bytes:
    """As JSON in one line; integers stay whole, Decimals become texts."""
    return msgspec.json.encode(content)


def error(_: Request, found: Exception) -> Response:
    """A refusal as JSON: no such path, another method than GET and HEAD."""
    assert isinstance(found, HTTPException)
    return json({"error": found.detail}, found.status_code, dict(found.headers or {}))


class Headers:
    """Adds what tells a browser to guess nothing and to tell nobody where it came from."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
