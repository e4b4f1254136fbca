"""Errors of nodes: a severity, the class from the table of wordings, and a text that is safe to print."""

import re
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from chainfirst.ops import errors

LONGEST_TEXT = 500
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_URL = re.compile(r"\b(?:https?|wss?)://[^\s\"'<>]+", re.IGNORECASE)


class Kind(Enum):
    """What a node's error means for a reader."""

    RANGE_TOO_LARGE = "range_too_large"  # a fixed limit of blocks: shrink, no wait, remember it
    TOO_MANY_RESULTS = "too_many_results"  # this answer is too large: shrink, no wait
    TOO_MANY_ADDRESSES = "too_many_addresses"  # split the filter
    BATCH_TOO_LARGE = "batch_too_large"  # fewer calls in one body
    TIMEOUT = "timeout"  # too slow or overloaded: shrink after a wait
    RATE_LIMIT = "rate_limit"  # wait
    BILLING = "billing"  # the plan is used up: another endpoint
    AUTH = "auth"  # the key is wrong: another endpoint
    LAG = "lag"  # the node hasn't got so far yet
    BLOCK_UNKNOWN = "block_unknown"  # no such block here: lag, or an orphan
    PRUNED = "pruned"  # needs an archive endpoint
    METHOD_MISSING = "method_missing"
    TAG_UNSUPPORTED = "tag_unsupported"  # finalized/safe: fall back to depth
    NOT_YET_FINAL = "not_yet_final"  # the tag is known, but nothing is final yet
    INVALID_PARAMS = "invalid_params"
    BAD_ANSWER = "bad_answer"  # not JSON-RPC, or not what was asked for
    TRANSPORT = "transport"  # no connection, or the answer broke off
    UNKNOWN = "unknown"


FATAL = frozenset({Kind.AUTH, Kind.PRUNED, Kind.METHOD_MISSING, Kind.TAG_UNSUPPORTED, Kind.INVALID_PARAMS})
SHRINK = frozenset({Kind.RANGE_TOO_LARGE, Kind.TOO_MANY_RESULTS, Kind.TIMEOUT})


class RpcError(errors.ChainfirstError):
    """A call to a node failed; `kind` says how, `text` is the node's own cleaned text.

    `code` and `data` are those of the node's error object, `data` as it is (a revert's bytes are in it, or
    anything at all); `code` is None where there was no such object, 0 where it is no number.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        advice: str = "",
        *,
        text: str = "",
        retry_after_seconds: float | None = None,
        code: int | None = None,
        data: Any = None,
    ) -> None:
        errors.ChainfirstError.__init__(self, message, advice)
        self.kind = kind
        self.text = text
        self.retry_after_seconds = retry_after_seconds
        self.code = code
        self.data = data


class RpcTransientError(RpcError, errors.TransientError):
    """May pass: by waiting, by asking for less, or at another endpoint."""


class RpcFatalError(RpcError, errors.FatalError):
    """Asking this endpoint the same again is useless; another endpoint may answer."""


def make(
    kind: Kind,
    message: str,
    *,
    text: str = "",
    retry_after_seconds: float | None = None,
    code: int | None = None,
    data: Any = None,
) -> RpcError:
    """The error of this kind with its severity."""
    severity = RpcFatalError if kind in FATAL else RpcTransientError
    return severity(kind, message, text=text, retry_after_seconds=retry_after_seconds, code=code, data=data)


def clean(text: str | bytes | None) -> str:
    """A node's text fit for logs and the database: UTF-8, one line, no URL's secrets, ≤ 500 characters."""
    if not text:
        return ""
    if isinstance(text, bytes):
        text = text[: 8 * LONGEST_TEXT].decode("utf-8", "replace")
    text = _CONTROL.sub(" ", text[: 8 * LONGEST_TEXT])
    return _URL.sub(lambda found: mask(found[0]), text)[:LONGEST_TEXT].strip()


def mask(url: str) -> str:
    """An endpoint's URL without user, password, path and query: keys live in all of them."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or "?"
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(unreadable URL)"
    host = f"[{host}]" if ":" in host else host
    more = "/…" if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{host}{port}{more}"
