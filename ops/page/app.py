"""What is served at which path."""

import functools

from chainfirst.ops import metrics
from chainfirst.ops.page import answers
from chainfirst.ops.page.documents import Documents
from prometheus_client import exposition
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def build(numbers: metrics.Metrics, documents: Documents | None = None, prefix: str = "/") -> Starlette:
    """The app. `documents`, where there are certificates, are below `prefix`, which ends with a slash."""
    routes = [
        Route("/healthz", _healthy),
        Route("/metrics", functools.partial(_metrics, numbers)),
    ]
    if documents is not None:
        routes.append(Route(f"{prefix}{{name}}", documents.answer))
    return Starlette(
        routes=routes,
        middleware=[Middleware(answers.Headers)],
        exception_handlers={HTTPException: answers.error, Exception: _bug},
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
