"""`chainfirst database sql`: the SQL that makes database, login roles and rights; printed, or run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from chainfirst.ops import errors, reach, values

if TYPE_CHECKING:
    from chainfirst.schema.roles import Wanted

app = typer.Typer(
    no_args_is_help=True,
    help="The database itself: what an administrator makes once.",
    epilog="Example: chainfirst database sql | sudo -u postgres psql",
)


@app.callback()
def group() -> None:
    """A group, though it has one command."""


@app.command(
    "sql", epilog="Example: chainfirst database sql --app web --reader grafana | sudo -u postgres psql"
)
def print_sql(
    database: Annotated[str, typer.Option("--database", help="The database's name.")] = "chainfirst",
    login: Annotated[
        str,
        typer.Option("--login", help="The daemon's login; named as its system user, it needs no password."),
    ] = "chainfirst",
    app_login: Annotated[
        list[str] | None, typer.Option("--app", help="A login of apps; may be repeated.")
    ] = None,
    reader: Annotated[
        list[str] | None, typer.Option("--reader", help="A login that reads what comes from the chain.")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", help="Run it at this URL, as a superuser, instead of printing it.")
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option("--password-file", help="With --run: the daemon's login gets this password."),
    ] = None,
) -> None:
    """Print the SQL that makes the database, the daemon's login and the roles, each if it is missing.

    With it the daemon's login needs neither CREATEROLE nor CREATEDB. Logins for apps and readers get no
    password here: give them one with \\password in psql.
    """
    from chainfirst.schema import roles

    wanted = roles.Wanted(database, login, app_login or [], reader or [])
    if run is None:
        if password_file is not None:
            raise errors.ConfigError(
                "--password-file needs --run: what is printed holds no password",
                f"Or give it in psql: \\password {login}",
            )
        typer.echo(roles.as_text(wanted), nl=False)
        return
    _run(run, wanted, password_file)


def _run(url: str, wanted: "Wanted", password_file: Path | None) -> None:
    import psycopg
    from chainfirst.schema import roles

    password = None if password_file is None else _password(password_file)
    shown = values.DatabaseUrl.masked(url)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=reach.TIMEOUT_SECONDS) as connection:
            for made in roles.create(connection, wanted):
                typer.echo(f"made the {made}")
            if password is not None:
                roles.set_password(connection, wanted.login, password)
                typer.echo(f"the role {wanted.login} has the password of {password_file}")
    except psycopg.errors.InsufficientPrivilege as error:
        raise errors.ConfigError(
            f"{shown} may not do that: {error.diag.message_primary}", "Run it as a superuser."
        ) from None
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())
        raise reach.DatabaseUnreachable(
            f"the database {shown} can't be reached: {said}", "See that it runs, and the URL."
        ) from None
    typer.echo(f"{wanted.database} is ready for {wanted.login}")


def _password(path: Path) -> bytes:
    try:
        password = path.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    except OSError as error:
        raise errors.ConfigError(f"{path} can't be read: {error.strerror}", "Correct the path.") from None
    if not password:
        raise errors.ConfigError(f"{path} is empty", "Write a password into it.")
    return password
