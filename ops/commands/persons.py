"""`chainfirst erase-person`: what is personal of a user goes; ids, wallet, hashes and amounts stay."""

import uuid
from typing import TYPE_CHECKING, Annotated

import typer
from chainfirst.ops import errors
from chainfirst.ops.commands import asked, context

if TYPE_CHECKING:
    from chainfirst.ops.session import Connection

app = typer.Typer()

_FIND = "SELECT id FROM platform.users WHERE id::text = lower(%(given)s) OR lower(email) = lower(%(given)s)"
_SHOWN = "SELECT email, role, erased_at FROM platform.users WHERE id = %s"
_WARNINGS = "SELECT platform.erase_warnings(%s)"
_ERASE = "SELECT platform.erase(%s)"


@app.command(
    "erase-person", epilog="Example: chainfirst erase-person 0190b1c2-3d4e-7f80-9a0b-1c2d3e4f5061 --yes"
)
def erase_person(
    context_: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="The user's id, or e-mail address.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; doesn't ask either.")] = False,
) -> None:
    """Blank a user's e-mail address, name and telephone number, the contact of the companies they own, and
    where their proofs of identity are, also in the audit. It can't be undone.

    What is better settled before is said on standard error; it hinders nothing. Their files are listed in
    platform.kyc_files_to_delete: whoever keeps them deletes them. Backups made before still have everything.
    """
    found = context.load_config(context_)
    if not found.platform.enabled:
        raise errors.ConfigError("platform.enabled is false: there are no users", "Set it to true.")
    with asked.database(found, "chainfirst erase-person") as connection:
        connection.execute("SET ROLE chainfirst_owner")
        person = _find(connection, user)
        for (warning,) in connection.execute(_WARNINGS, [person]):
            typer.echo(f"note: {warning}", err=True)
        if not (yes or as_json):
            for email, role, erased_at in connection.execute(_SHOWN, [person]):
                before = "" if erased_at is None else f", erased before, at {asked.line(erased_at)}"
                typer.echo(f"{person}, {role}, {asked.line(email)}{before}")
            typer.confirm("Erase for good?", abort=True)
        (done,) = connection.execute(_ERASE, [person])
    if as_json:
        typer.echo(asked.as_json({"user": person} | done[0]))
        return
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(done[0].items()))
    typer.echo(f"{person} is erased: {counts}")


def _find(connection: "Connection", given: str) -> uuid.UUID:
    rows = connection.execute(_FIND, {"given": given}).fetchall()
    if not rows:
        raise asked.Refused("there is no user with that id or e-mail address", "See platform.users.")
    found: uuid.UUID = rows[0][0]
    return found
