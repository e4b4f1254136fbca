"""`chainfirst lanes`: the keys that sign; stopping them, and what blocks one. In the database alone."""

import contextlib
import difflib
import getpass
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from chainfirst.ops import config as settings
from chainfirst.ops import errors, values
from chainfirst.ops.commands import asked, context, payloads

if TYPE_CHECKING:
    from chainfirst.ops.session import Connection
    from chainfirst.writers.operate import State

EVERYTHING = "*"

app = typer.Typer(
    no_args_is_help=True,
    help="The keys that sign, one lane each.",
    epilog="Example: chainfirst lanes list",
)

Subject = Annotated[
    str,
    typer.Argument(
        metavar="SIGNER|LANE|KIND",
        help='An address, a lane\'s name, a kind, all of a domain ("escrow.*"), or "*": everything.',
    ),
]


@app.command("list", epilog="Example: chainfirst lanes list")
def list_lanes(
    context_: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Every lane: its signer and nonces, what is in flight, and what stops it; then what is paused."""
    from chainfirst.writers import operate

    found = context.load_config(context_)
    with asked.database(found, "chainfirst lanes") as connection:
        lanes, pauses = operate.lanes(connection), operate.pauses(connection)
    if as_json:
        typer.echo(asked.as_json({"lanes": lanes, "pauses": pauses}))
        return
    for each in lanes:
        for text in _lane(each):
            typer.echo(text)
    known = {each["name"] for each in lanes}
    for name in found.writer.every_lane:
        if name not in known:
            typer.echo(f"{name}: has never run")
    for each in pauses:
        typer.echo(f"paused: {_paused(each)}")


@app.command(epilog="Example: chainfirst lanes pause 'escrow.*' --why 'the bank is checking'")
def pause(
    context_: typer.Context,
    subject: Subject,
    why: Annotated[str, typer.Option(help="For those who look later.")] = "",
) -> None:
    """Sign nothing new of a signer or a kind until `resume`, whatever restarts. What is signed already goes
    on, and so does indexing."""
    from chainfirst.writers import operate

    found = context.load_config(context_)
    with _as_daemon(found) as connection:
        for each in _subjects(found, connection, subject):
            if operate.pause(connection, each, why, _who(connection)):
                typer.echo(f"paused {each}")
            else:
                (held,) = (p for p in operate.pauses(connection) if p["subject"] == each)
                typer.echo(f"paused already: {_paused(held)}")


@app.command(epilog="Example: chainfirst lanes resume 'escrow.*'")
def resume(context_: typer.Context, subject: Subject) -> None:
    """Sign again what `pause` stopped."""
    from chainfirst.writers import operate

    found = context.load_config(context_)
    with _as_daemon(found) as connection:
        subjects = _subjects(found, connection, subject)
        done = [each for each in subjects if operate.resume(connection, each)]
        left = operate.pauses(connection)
    if not done:
        names = ", ".join(each["subject"] for each in left) or "nothing"
        raise asked.Refused(f"{subject} isn't paused", f"What is paused: {names}.")
    typer.echo(f"resumed {', '.join(done)}")
    for each in left:
        typer.echo(f"still paused: {_paused(each)}")


@app.command(epilog="Example: chainfirst lanes accept 0x5fbdb2315678afecb367f032d93f642f64180aa3")
def accept(
    context_: typer.Context,
    signer: Annotated[str, typer.Argument(metavar="SIGNER|LANE", help="An address, or a lane's name.")],
    nonce: Annotated[
        int | None, typer.Argument(min=0, help="The nonce that blocks it: to accept that one alone.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Let a blocked lane go on, after somebody has looked into what blocks it. The daemon may run.

    A key that was used before this database knew of it: the lane begins at that nonce. Nonces that somebody
    else's final transactions have used: each is noted as that, up to one that an intent had, which gets
    another one. A refusal of the node: it is tried again.
    """
    from chainfirst.writers import operate

    found = context.load_config(context_)
    with _as_daemon(found) as connection:
        address = _signer(found, connection, signer)
        state = operate.state(connection, address)
        if state is None or state.reason is None:
            raise asked.Refused(f"the lane of {address} isn't blocked", "See chainfirst lanes list.")
        if nonce not in (None, state.nonce):
            what = "by no nonce" if state.nonce is None else f"by nonce {state.nonce}"
            raise asked.Refused(
                f"the lane of {address} is blocked {what}, not {nonce}: {asked.line(state.reason)}",
                "See chainfirst lanes list.",
            )
        for text in _to_accept(state, operate.open_intents(connection), alone=nonce is not None):
            typer.echo(text)
        if not yes:
            count = 1 if nonce is not None else len(state.foreign)
            typer.confirm(f"Accept all {count}?" if count > 1 else "Accept it?", abort=True)
        typer.echo(operate.accept(connection, state, _who(connection), alone=nonce is not None))


def _to_accept(state: "State", open_intents: int, alone: bool) -> Iterator[str]:
    yield f"lane {state.name}, {state.signer}, is blocked: {asked.line(state.reason)}"
    if not alone:
        yield from _more(state.more)
    if state.nonce is not None and open_intents:
        which = "one of these nonces" if state.more and not alone else "that nonce"
        yield (
            f"{open_intents} intents are open: if {which}, or one before it, served one of them (from "
            "elsewhere, or before a backup was restored), it would be sent a second time. Cancel it first: "
            "chainfirst intents cancel"
        )


def _more(foreign: list[dict[str, Any]]) -> Iterator[str]:
    for each in foreign:
        yield f"  nonce {each['nonce']}: {each['hash']} in block {each['block']} ({asked.line(each['what'])})"


@contextlib.contextmanager
def _as_daemon(found: settings.Config) -> "Iterator[Connection]":
    """A session with the daemon's rights: apps have no say here."""
    with asked.database(found, "chainfirst lanes") as connection:
        connection.execute("SET ROLE chainfirst_daemon")
        yield connection


def _who(connection: "Connection") -> str:
    from chainfirst.writers import operate

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        user = f"user {os.getuid()}"
    return f"{user} as {operate.session_user(connection)}"


def _subjects(found: settings.Config, connection: "Connection", subject: str) -> list[str]:
    """What to pause or resume, as intent.pauses spells it: a typing mistake must not pause nothing."""
    if subject == EVERYTHING:
        return [subject]
    if subject.startswith("0x"):
        return [_address(subject)]
    known = payloads.kinds(found)
    try:
        if any(values.KindPattern(subject).matches(kind) for kind in known):
            return [subject]
    except ValueError:
        if signers := _signers(found, connection, subject):
            return signers
    near = difflib.get_close_matches(subject, [*known, *found.writer.every_lane], 1)
    advice = f"Did you mean {near[0]}?" if near else "See chainfirst lanes list, and docs/kinds.md."
    raise errors.ConfigError(f"{subject} is no signer, lane or kind", advice)


def _signers(found: settings.Config, connection: "Connection", lane: str) -> list[str]:
    """All that a lane has had; none: there is no such lane."""
    from chainfirst.writers import operate

    signers = operate.signers(connection, lane)
    if not signers and lane in found.writer.every_lane:
        raise errors.ConfigError(f"the lane {lane} has never run", "Give its signer's address.")
    return signers


def _signer(found: settings.Config, connection: "Connection", name: str) -> str:
    """The one signer of that address or lane."""
    signers = [_address(name)] if name.startswith("0x") else _signers(found, connection, name)
    if len(signers) != 1:
        what = f"has had the signers {', '.join(signers)}" if signers else "is no lane"
        raise errors.ConfigError(f"{name} {what}", "Give the signer's address: see chainfirst lanes list.")
    return signers[0]


def _address(text: str) -> str:
    try:
        return values.Address(text).lower
    except ValueError as error:
        raise errors.ConfigError(f"the signer is {error}, expected {values.Address.allowed}") from None


def _paused(each: dict[str, Any]) -> str:
    why = f": {asked.line(each['why'])}" if each["why"] else ""
    return f"{each['subject']} by {asked.line(each['paused_by'])} since {asked.line(each['paused_at'])}{why}"


def _lane(each: dict[str, Any]) -> Iterator[str]:
    yield f"{each['name']}: {each['signer']}"
    if each["first_nonce"] is not None:
        yield (
            f"  {'nonces':10} begin at {each['first_nonce']}, next is {each['next_nonce']}, "
            f"accounted for below {each['explained_to']}"
        )
    yield f"  {'in flight':10} {each['in_flight']}"
    yield f"  {'balance':10} {asked.line(each['balance_wei'])} wei"
    for name in ("alert", "blocked"):
        if text := each[f"{name}_reason" if name == "blocked" else name]:
            yield f"  {name:10} {asked.line(text)}"
    yield from _more(each["blocked_more"])
    if each["paused"]:
        yield f"  {'paused':10} yes"
    if each["accepted_by"]:
        yield f"  {'accepted':10} by {asked.line(each['accepted_by'])} at {asked.line(each['accepted_at'])}"
