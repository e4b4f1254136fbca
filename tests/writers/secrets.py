"""Looks for a private key and a password, in all their spellings, in everything that an error says."""

import base64
import io
import traceback
from collections.abc import Iterator
from types import TracebackType

import structlog
from chainfirst.ops import log

KEY = "0x" + "5ec7e7c0ffee" * 5 + "beef"
PASSWORD = "correct, horse; båttery"


class Environment(dict[str, str]):
    """os.environ, without its repr: that the whole of it is secret is known."""

    def __repr__(self) -> str:
        return "<environment>"


def spellings(key: str = KEY) -> dict[str, str]:
    """How the secrets may be written, by name; in lower case."""
    secret = bytes.fromhex(key[2:])
    password = PASSWORD.encode()
    found = {
        "key in hex": secret.hex(),
        "key in decimal": str(int(key, 16)),
        "key in base64": base64.b64encode(secret).decode().rstrip("="),
        "key in base64 for URLs": base64.urlsafe_b64encode(secret).decode().rstrip("="),
        "key as bytes": repr(secret)[2:-1],
        "key as list": str(list(secret))[1:-1],
        "password": PASSWORD,
        "password as bytes": repr(password)[2:-1],
        "password in hex": password.hex(),
        "password in base64": base64.b64encode(password).decode().rstrip("="),
    }
    return {name: text.lower() for name, text in found.items()}


def in_text(text: str, key: str = KEY) -> list[str]:
    """Which spellings are in the text."""
    lowered = text.lower()
    return [name for name, spelling in spellings(key).items() if spelling in lowered]


def said_by(error: BaseException, test_file: str) -> str:
    """All that can be got out of an error: its texts, its chain, its frames' local variables, its log lines.

    The frames of the test's own file are left out of the variables: it knows the secrets.
    """
    parts = []
    for each in _chain(error):
        parts += [str(each), repr(each), repr(each.args), repr(vars(each))]
        parts += [repr(frame) for frame in _variables(each.__traceback__, test_file)]
        parts += traceback.TracebackException.from_exception(each).format()
    for as_json in (True, False):
        stream = io.StringIO()
        log.configure(stream, as_json)
        log.get("signers").error("failed", error=str(error), exc_info=error)
        log.get("signers").error("failed", cause=error)
        parts.append(stream.getvalue())
    structlog.reset_defaults()
    return "\n".join(parts)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those behind it, suppressed ones too."""
    if error is not None:
        yield error
        yield from _chain(error.__cause__)
        if error.__context__ is not error.__cause__:
            yield from _chain(error.__context__)


def _variables(trace: TracebackType | None, test_file: str) -> Iterator[dict[str, object]]:
    while trace is not None:
        if trace.tb_frame.f_code.co_filename != test_file:
            yield dict(trace.tb_frame.f_locals)
        trace = trace.tb_next
