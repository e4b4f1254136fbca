"""`chainfirst key new`: a key for the writers, in an encrypted file."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from chainfirst.ops import errors

MODE = 0o640  # encrypted: the daemon's group may read it

app = typer.Typer(
    no_args_is_help=True,
    help="The writers' keys.",
    epilog="Example: chainfirst key new /etc/chainfirst/main.key.json "
    "--password-file /etc/chainfirst/main.password",
)


@app.callback()
def group() -> None:
    """The writers' keys."""


@app.command(
    epilog="Example: chainfirst key new /etc/chainfirst/main.key.json "
    "--password-file /etc/chainfirst/main.password"
)
def new(
    file: Annotated[Path, typer.Argument(help="Where the encrypted key goes; never overwritten.")],
    password_file: Annotated[
        Path, typer.Option("--password-file", help="What it is encrypted with; private, as for the daemon.")
    ],
) -> None:
    """Make a key, encrypt it (Web3 Secret Storage, version 3, as geth does), and print its address.

    Keep a copy of file and password elsewhere: there is no other way to the key.
    """
    from chainfirst.writers.signers import keystore

    address, store = keystore.make(password_file)
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w") as out:
            json.dump(store, out)
    except FileExistsError:
        raise errors.ConfigError(
            f"{file} exists already", "Name another one: a key is lost for ever."
        ) from None
    except OSError as error:
        raise errors.ConfigError(f"{file} can't be written: {error.strerror}", "Correct the path.") from None
    keystore.open(file, password_file, {})
    typer.echo(address)
