"""JSON-RPC over HTTP keep-alive to one endpoint, decoded straight into typed values.

An answer is one msgspec pass over its bytes. What isn't JSON-RPC (an HTML page with status 200, a
foreign id, a missing result) is an error of kind BAD_ANSWER, never a value.
"""

import functools
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, cast

import msgspec
import urllib3
from chainfirst.indexer.rpc import deadline, errors, wording
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.ops.errors import ConfigError
from msgspec import UNSET, UnsetType
from urllib3.util import Timeout

T = TypeVar("T")
CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
TOTAL_SECONDS = 600.0
LARGEST_BODY_BYTES = 256 * 1024 * 1024
CONNECTIONS = 8
_BUILDING = threading.Lock()
"""msgspec notes on a struct's class what it has learned of its fields, and another thread that builds a
decoder at the same time takes half of that for the whole: the process dies of a segmentation fault."""
Asked = Callable[[str, str, float, str | None], None]
"""Hears of each request: endpoint (masked), method, seconds, and the class of the error, if it is one."""
REVERTED = "reverted"  # what a contract answers is no fault of the node
_BOM = b"\xef\xbb\xbf"
_HEADERS = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "gzip"}


def unheard(_endpoint: str, _method: str, _seconds: float, _error: str | None) -> None:
    """Nobody counts."""


class NodeError(msgspec.Struct):
    """The error object of an answer; nodes put text into `message`, `data` or both."""

    code: Any = 0
    message: Any = ""
    data: Any = None


class Answer(msgspec.Struct, Generic[T]):
    """One JSON-RPC answer. A missing result is not a null one."""

    id: int | str | None = None
    result: T | UnsetType | None = UNSET
    error: NodeError | str | None = None


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Answer[Any]]:
    with _BUILDING:
        return msgspec.json.Decoder(Answer[kind])


@functools.cache
def _batch_decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    with _BUILDING:
        return msgspec.json.Decoder(list[Answer[kind]] | Answer[Any])


class Endpoint:
    """One node by HTTP; any number of threads may call."""

    def __init__(
        self,
        url: str,
        *,
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
        largest_body_bytes: int = LARGEST_BODY_BYTES,
        on_asked: Asked = unheard,
    ) -> None:
        """`read_timeout_seconds`: between two pieces of an answer; `total_seconds`: until its last byte.
        `on_asked`: from the thread that asks; must be quick and must not raise."""
        self.name = errors.mask(url)
        self._on_asked = on_asked
        self._largest = largest_body_bytes
        try:
            parsed = urllib3.util.parse_url(url)
        except urllib3.exceptions.LocationParseError:
            parsed = urllib3.util.Url()
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise ConfigError(f"{self.name} is no HTTP endpoint", "Write it as https://host/path.")
        self._target = parsed.request_uri or "/"
        self._headers = dict(_HEADERS)
        if parsed.auth:
            self._headers.update(urllib3.make_headers(basic_auth=parsed.auth))
        self._http = urllib3.connection_from_url(
            url,
            maxsize=CONNECTIONS,
            retries=False,
            timeout=Timeout(connect=connect_timeout_seconds, read=read_timeout_seconds),
            total_seconds=total_seconds,
        )
        secure = parsed.scheme == "https"
        self._http.ConnectionCls = deadline.HTTPSConnection if secure else deadline.HTTPConnection
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the idle connections."""
        self._http.close()

    def call(self, method: str, params: Sequence[Any], kind: type[T]) -> T:
        """The result as `kind`. Raises RpcTransientError or RpcFatalError; a null result is BLOCK_UNKNOWN."""
        result, _ = self.call_sized(method, params, kind)
        return result

    def call_sized(
        self, method: str, params: Sequence[Any], kind: type[T], largest_bytes: int | None = None
    ) -> tuple[T, int]:
        """As `call`, with the answer's size in bytes. More than `largest_bytes` is TOO_MANY_RESULTS."""
        result, size = self._call(method, params, kind, largest_bytes)
        if result is None:
            raise self._error(Kind.BLOCK_UNKNOWN, method, "the result is null")
        return result, size

    def call_optional(self, method: str, params: Sequence[Any], kind: type[T]) -> T | None:
        """As `call`; null is None: the node hasn't got it."""
        return self._call(method, params, kind)[0]

    def batch(self, method: str, params: Sequence[Sequence[Any]], kind: type[T]) -> list[T | None]:
        """One body with a call for each of `params`; the results in that order. Any item's error raises."""
        with self._counted(method):
            answers, status, retry_after = self._batch(method, params, kind)
            return [self._check(method, answer, status, retry_after) for answer in answers]

    def batch_each(
        self, method: str, params: Sequence[Sequence[Any]], kind: type[T]
    ) -> list[T | errors.RpcError | None]:
        """As `batch`, but the error of one item is its result. Raises for what concerns the whole batch."""
        with self._counted(method):
            answers, status, retry_after = self._batch(method, params, kind)
        results: list[T | errors.RpcError | None] = []
        for answer in answers:
            try:
                results.append(self._check(method, answer, status, retry_after))
            except errors.RpcError as error:
                results.append(error)
        return results

    def _batch(
        self, method: str, params: Sequence[Sequence[Any]], kind: type[T]
    ) -> tuple[list[Answer[T]], int, float | None]:
        """The answers in the order asked, one each, with the HTTP status and Retry-After."""
        if not params:
            return [], 200, None
        ids = [self._next_id() for _ in params]
        calls = [_request(number, method, each) for number, each in zip(ids, params, strict=True)]
        status, body, retry_after = self._post(method, msgspec.json.encode(calls), self._largest)
        answers = self._decode(method, body, status, _batch_decoder(cast(Any, kind)), retry_after)
        if isinstance(answers, Answer):
            self._check(method, answers, status, retry_after)
            raise self._error(Kind.BAD_ANSWER, method, "one answer for a batch")
        by_id: dict[Any, Answer[T]] = {answer.id: answer for answer in answers}
        for number in ids:
            if number not in by_id:
                for answer in answers:  # an error for the whole batch has id null
                    self._check(method, answer, status, retry_after)
                raise self._error(Kind.BAD_ANSWER, method, "a call of the batch has no answer")
        return [by_id[number] for number in ids], status, retry_after

    def _call(
        self, method: str, params: Sequence[Any], kind: type[T], largest_bytes: int | None = None
    ) -> tuple[T | None, int]:
        number = self._next_id()
        request = msgspec.json.encode(_request(number, method, params))
        with self._counted(method):
            status, body, retry_after = self._post(method, request, largest_bytes or self._largest)
            answer: Answer[T] = self._decode(method, body, status, _decoder(cast(Any, kind)), retry_after)
            result = self._check(method, answer, status, retry_after)
            if answer.id != number:
                raise self._error(Kind.BAD_ANSWER, method, f"the answer's id is {answer.id!r}, not {number}")
        return result, len(body)

    @contextmanager
    def _counted(self, method: str) -> Iterator[None]:
        """Tell of a request with its answer, decoded."""
        began, failed = time.perf_counter(), None
        try:
            yield
        except errors.RpcError as error:
            failed = REVERTED if REVERTED in error.text.lower() else error.kind.value
            raise
        finally:
            self._on_asked(self.name, method, time.perf_counter() - began, failed)

    def _next_id(self) -> int:
        with self._lock:
            return next(self._ids)

    def _post(self, method: str, body: bytes, largest: int) -> tuple[int, bytes, float | None]:
        """Status, bytes and Retry-After. A kept connection that the server had closed is tried once more."""
        for attempt in (1, 2):
            try:
                response = self._http.urlopen(
                    "POST",
                    self._target,
                    body=body,
                    headers=self._headers,
                    redirect=False,
                    preload_content=False,
                )
                try:
                    data = _body(response, largest)
                    if len(data) > largest:
                        response.close()
                        raise self._error(Kind.TOO_MANY_RESULTS, method, f"more than {largest} bytes")
                finally:
                    response.release_conn()
                return response.status, data.removeprefix(_BOM), _seconds(response.headers.get("retry-after"))
            except urllib3.exceptions.ReadTimeoutError as error:
                raise self._error(Kind.TIMEOUT, method, "no answer in time") from error
            except urllib3.exceptions.ProtocolError as error:
                if attempt == 2:
                    raise self._error(Kind.TRANSPORT, method, errors.clean(str(error))) from error
            except urllib3.exceptions.HTTPError as error:
                raise self._error(Kind.TRANSPORT, method, type(error).__name__) from error
        raise AssertionError

    def _decode(
        self, method: str, body: bytes, status: int, decoder: msgspec.json.Decoder[Any], wait: float | None
    ) -> Any:
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problem = str(error)
        loose: Any = None
        try:  # an error's text may be invalid UTF-8, or stand beside a result of another shape
            loose = _decoder(Any).decode(body.decode("utf-8", "replace"))
        except (msgspec.DecodeError, RecursionError):
            kind = wording.classify(errors.clean(body), 0, status)
            known = kind if status != 200 or kind is Kind.RATE_LIMIT else Kind.BAD_ANSWER
            shown = f"HTTP {status}, no JSON-RPC: {errors.clean(body[:200])}"
            raise self._error(known, method, shown, retry_after=wait) from None
        self._check(method, loose, status, wait)
        raise self._error(Kind.BAD_ANSWER, method, problem)

    def _check(self, method: str, answer: Answer[T], status: int, wait: float | None) -> T | None:
        if answer.error is not None:
            text, code = _said(answer.error)
            kind = wording.classify(text, code, status)
            data = answer.error.data if isinstance(answer.error, NodeError) else None
            raise errors.make(
                kind,
                f"{method} at {self.name}: {text} (code {code})",
                text=text,
                retry_after_seconds=wait,
                code=code,
                data=data,
            )
        if status != 200:
            raise self._error(wording.classify("", 0, status), method, f"HTTP {status}", retry_after=wait)
        if isinstance(answer.result, UnsetType):
            raise self._error(Kind.BAD_ANSWER, method, "neither result nor error")
        return answer.result

    def _error(
        self, kind: Kind, method: str, found: str, *, text: str = "", retry_after: float | None = None
    ) -> errors.RpcError:
        message = f"{method} at {self.name}: {found}"
        return errors.make(kind, message, text=text or found, retry_after_seconds=retry_after)


def _body(response: urllib3.BaseHTTPResponse, largest: int) -> bytes:
    """All bytes, or one more than are allowed."""
    known = response.length_remaining
    if known is not None and known <= largest and "content-encoding" not in response.headers:
        return response.read()  # in one piece: reading up to a limit copies everything once more
    return response.read(largest + 1, decode_content=True)


def _request(number: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def _said(error: NodeError | str) -> tuple[str, int]:
    """The cleaned text (message, then data) and the code, 0 where it is no number."""
    if isinstance(error, str):
        return errors.clean(error), 0
    parts = [error.message if isinstance(error.message, str) else json.dumps(error.message)]
    if error.data:
        parts.append(error.data if isinstance(error.data, str) else json.dumps(error.data))
    code = error.code if isinstance(error.code, int) else 0
    return errors.clean(" ".join(parts)), code


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds; its date form is ignored."""
    return float(retry_after) if retry_after and retry_after.strip().isdigit() else None
