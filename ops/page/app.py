"""What is served at which path."""

import base64
import functools
import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources

from chainfirst.ops import metrics
from chainfirst.ops.page import answers
from chainfirst.ops.page.documents import Documents
from chainfirst.ops.page.stream import Hub
from chainfirst.ops.page.summary import STALE_SECONDS
from prometheus_client import exposition
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

Answer = Callable[[Request], Awaitable[Response]]
LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})


def build(
    numbers: metrics.Metrics,
    hub: Hub | None = None,
    documents: Documents | None = None,
    prefix: str = "/",
    hosts: Sequence[str] = (),
) -> Starlette:
    """The app. `documents`, where there are certificates, are below `prefix`, which ends with a slash.
    `hosts`: the names beside this machine's own under which the status may be read."""
    routes = [Route("/healthz", _healthy), Route("/metrics", functools.partial(_metrics, numbers))]
    if hub is not None:
        routes += [Route(path, each) for path, each in _Status(hub, hosts).routes().items()]
    if documents is not None:
        routes.append(Route(f"{prefix}{{name}}", documents.answer))
    return Starlette(
        routes=routes,
        middleware=[Middleware(answers.Headers)],
        exception_handlers={HTTPException: answers.error, Exception: _bug},
    )


class _Status:
    """The page and its data. A web site that a browser of this machine shows must not read them: one that
    gives its own name this machine's address (DNS rebinding) is told by that name."""

    def __init__(self, hub: Hub, hosts: Sequence[str]) -> None:
        self._hub = hub
        self._hosts = LOCAL | {each.lower() for each in hosts}
        self._html = resources.files(__package__).joinpath("page.html").read_text("utf-8")
        self._headers = answers.NO_STORE | {"Content-Security-Policy": policy(self._html)}

    def routes(self) -> dict[str, Answer]:
        """Each path with what answers there."""
        found = {"/": self.page, "/events": self._hub.answer, "/status": self.status, "/readyz": self.ready}
        return {path: functools.partial(self._guarded, each) for path, each in found.items()}

    async def _guarded(self, answer: Answer, request: Request) -> Response:
        name = re.sub(r":\d+$", "", request.headers.get("host", "localhost")).lower()
        if name not in self._hosts:
            return answers.json({"error": f"{name[:100]} is none of page.hosts"}, 421)
        return await answer(request)

    async def page(self, _: Request) -> Response:
        """For people."""
        return HTMLResponse(self._html, headers=self._headers)

    async def status(self, _: Request) -> Response:
        """Everything, for programs: from the committed cursor, a second old at most while it can be read."""
        look = await self._hub.fresh()
        if look is None:
            return answers.json({"error": "the database has not been looked at yet"}, 503)
        return Response(look.body, headers=answers.NO_STORE, media_type=answers.MEDIA_TYPE)

    async def ready(self, _: Request) -> Response:
        """200 while the database is true to the chain's head, else 503 with the reasons."""
        look, age = self._hub.latest, self._hub.age()
        reasons = ["the database has not been looked at yet"] if look is None else list(look.whole.reasons)
        if age is not None and age > STALE_SECONDS:
            reasons.append(f"the last look at the database was {age:.0f} s ago")
        return answers.json({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)


def policy(html: str) -> str:
    """The Content-Security-Policy of a page: its own style and script, by their hashes, and its own data."""
    style, script = (
        base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
        for tag in ("style", "script")
        for found in re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


async def _healthy(_: Request) -> Response:
    """The process is alive and answers; whether it is up to date, /readyz says."""
    return answers.json({"alive": True})


async def _metrics(numbers: metrics.Metrics, request: Request) -> Response:
    encode, media_type = exposition.choose_encoder(request.headers.get("accept", ""))
    response = Response(encode(numbers.registry), headers=answers.NO_STORE)
    response.headers["Content-Type"] = media_type
    return response


async def _bug(_: Request, error: Exception) -> Response:  # noqa: ARG001
    return answers.json({"error": "this is a bug: see the daemon's log"}, 500)
