"""`chainfirst intents`: ask for something on the chain, and see what became of it; in the database alone."""

import sys
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
import typer
import typer.core
import typer.exceptions
from chainfirst.ops import errors
from chainfirst.ops.commands import asked, context, payloads, shown, waiting

if TYPE_CHECKING:
    from chainfirst.ops.session import Connection

app = typer.Typer(
    no_args_is_help=True,
    help="What is asked of the chain, and what became of it.",
    epilog="Example: chainfirst intents list --alert",
)

Reference = Annotated[
    str, typer.Argument(metavar="ID|KEY", help="The intent; a key means its latest generation.")
]
Moment = Annotated[str | None, typer.Option(metavar="TIME", help="With its zone: 2026-01-31T12:00:00Z.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command("list", epilog="Example: chainfirst intents list --status waiting --kind 'escrow.*'")
def list_intents(
    context_: typer.Context,
    status: Annotated[list[str] | None, typer.Option(help="Only these; may be given several times.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this one; 'escrow.*': all that begin so.")] = None,
    key: Annotated[str | None, typer.Option(help="Only this one; 'refund*': all that begin so.")] = None,
    alert: Annotated[bool, typer.Option("--alert", help="Only those that somebody must look at.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    as_json: Json = False,
) -> None:
    """Intents, the newest first: id, status, kind, key, and what they wait for or why they ended.

    A ! is before those that somebody must look at.
    """
    from chainfirst.writers import intents

    unknown = sorted({*(status or ())} - {*intents.STATUSES})
    if unknown:
        raise errors.ConfigError(
            f"{', '.join(unknown)} is no status", f"There are: {', '.join(intents.STATUSES)}."
        )
    with asked.database(context.load_config(context_), "chainfirst intents") as connection:
        found = intents.listed(
            connection, statuses=status or (), kind=kind, key=key, alert=alert, limit=limit
        )
    if as_json:
        typer.echo(asked.as_json(found))
        return
    for each in found:
        typer.echo(shown.row(each))


@app.command(epilog="Example: chainfirst intents show 'finalize 0190b1c2-3d4e-7f80-9a0b-1c2d3e4f5061'")
def show(context_: typer.Context, intent: Reference, as_json: Json = False) -> None:
    """All that is known of one intent: its overview, what was signed for it, and its history."""
    from chainfirst.writers import intents

    with asked.database(context.load_config(context_), "chainfirst intents") as connection:
        found = _find(connection, intent)
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            facts = intents.overview(connection, found)
            facts["generations"] = intents.generations(connection, found)
            facts["signed"] = intents.attempts(connection, found)
            facts["history"] = intents.history(connection, found)
    for text in [asked.as_json(facts)] if as_json else shown.one(facts):
        typer.echo(text)


@app.command(
    epilog="""Example: chainfirst intents submit campaign.finalize '{"campaign": "0190…"}' --key 'end 0190'"""
)
def submit(
    context_: typer.Context,
    kind: Annotated[str, typer.Argument(help="Such as campaign.finalize; docs/kinds.md has them all.")],
    payload: Annotated[str, typer.Argument(help="A JSON object; @FILE: in a file; -: on standard input.")],
    key: Annotated[str, typer.Option(help="Names what is wanted: the same key is the same intent.")],
    depends_on: Annotated[
        str | None, typer.Option(metavar="KEY", help="Of an intent that must be confirmed first.")
    ] = None,
    not_before: Moment = None,
    expires_at: Moment = None,
    priority: Annotated[int, typer.Option(min=-1000, max=1000, help="Higher ones are signed first.")] = 0,
) -> None:
    """Ask for something; prints the intent's id. The payload is checked against these settings first.

    What else is to be known is said on standard error: that the key was asked for before, that the intent
    needs an approval, or an id in it that is not indexed (yet).
    """
    from chainfirst.writers import intents

    found = context.load_config(context_)
    text = _payload(payload)
    begin, end = _moment("--not-before", not_before), _moment("--expires-at", expires_at)
    with asked.database(found, "chainfirst intents") as connection:
        notes = payloads.check(found, connection, kind, text)
        before = intents.latest(connection, key)
        intent = intents.submit(
            connection,
            kind,
            text,
            key,
            depends_on=depends_on,
            not_before=begin,
            expires_at=end,
            priority=priority,
        )
        if intent == before:
            status = intents.overview(connection, intent)["status"]
            notes = [f"this key was asked for before, and nothing was changed: it is {status}"]
            if status in ("failed", "rejected", "cancelled", "expired"):
                notes.append(f"to ask again: chainfirst intents retry {intent}")
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(str(intent))


@app.command(epilog="Example: chainfirst intents cancel 0190b1c2-3d4e-7f80-9a0b-1c2d3e4f5061")
def cancel(context_: typer.Context, intent: Reference) -> None:
    """Take an intent back. What is signed already can only be overtaken: then what is mined decides."""
    from chainfirst.writers import intents

    with asked.database(context.load_config(context_), "chainfirst intents") as connection:
        found = _find(connection, intent)
        status = intents.cancel(connection, found)
    more = "" if status == "cancelled" else ": it is to be taken back, and what is mined decides"
    typer.echo(f"{found} {status}{more}")


@app.command(epilog="Example: chainfirst intents retry 0190b1c2-3d4e-7f80-9a0b-1c2d3e4f5061")
def retry(context_: typer.Context, intent: Reference, expires_at: Moment = None) -> None:
    """Ask again for what failed, or was rejected, cancelled or expired; prints the next generation's id."""
    from chainfirst.writers import intents

    end = _moment("--expires-at", expires_at)
    with asked.database(context.load_config(context_), "chainfirst intents") as connection:
        typer.echo(str(intents.retry(connection, _find(connection, intent), end)))


@app.command(epilog="Example: chainfirst intents approve 0190b1c2-3d4e-7f80-9a0b-1c2d3e4f5061")
def approve(context_: typer.Context, intent: Reference) -> None:
    """Approve what another role asked, where its amount is above the settings' approve_above."""
    from chainfirst.writers import intents

    with asked.database(context.load_config(context_), "chainfirst intents") as connection:
        found = _find(connection, intent)
        intents.approve(connection, found)
        by = intents.overview(connection, found)["approved_by"]
    typer.echo(f"{found} approved by {by}")


class _Wait(typer.core.TyperCommand):
    """Wrong arguments must not end like a failed intent."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """As the parent, with an exit code of its own."""
        try:
            return super().make_context(*args, **kwargs)
        except typer.exceptions.TyperException as error:
            vars(error)["exit_code"] = waiting.USAGE
            raise


@app.command(cls=_Wait, epilog="Example: chainfirst intents wait 'finalize 0190…' --timeout 600")
def wait(
    context_: typer.Context,
    intent: Reference,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Give up then; left out: never.")
    ] = None,
) -> None:
    """Wait for an intent's end, with a line for each new status.

    Exit codes: 0 confirmed, 2 failed, 3 rejected, 4 cancelled, 5 expired, 6 not yet when the time was up;
    1 no such intent, 64 wrong arguments, and as all commands 69 no database, 78 wrong settings.

    By its id, that generation is waited for; by its key, also those that it is tried again with meanwhile.
    """
    from chainfirst.writers import intents

    with asked.database(context.load_config(context_), "chainfirst intents wait") as connection:
        found = _find(connection, intent)
        by_key = intents.latest(connection, intent) == found
        code = waiting.until_end(connection, found, by_key, timeout, time.monotonic, typer.echo)
    raise typer.Exit(code)


def _find(connection: "Connection", reference: str) -> uuid.UUID:
    from chainfirst.writers import intents

    found = intents.find(connection, reference)
    if found is None:
        raise asked.Refused(f"there is no intent with id or key {reference}", "See chainfirst intents list.")
    return found


def _payload(text: str) -> str:
    if text == "-":
        return sys.stdin.read()
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.ConfigError(f"the payload's file can't be read: {error}", "Name another one.") from None


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise errors.ConfigError(
            f'{option} is "{text}", expected a time with its zone', "For example 2026-01-31T12:00:00Z."
        )
    return found
