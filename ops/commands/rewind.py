"""`chainfirst rewind`: back to an earlier block, below the final one too; a development chain's reset."""

import time
from typing import Annotated, Any
from urllib.parse import urlsplit

import psycopg
import typer
from chainfirst.ops import config as settings
from chainfirst.ops import errors, reach, values
from chainfirst.ops.commands import context, parts

app = typer.Typer()

DEVELOPMENT_NODES = ("anvil", "hardhat", "ganache", "ethereumjs testrpc")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@app.command(epilog="Example: chainfirst rewind --to 123456")
def rewind(
    context_: typer.Context,
    number: Annotated[int, typer.Option("--to", min=-1, help="The last block to keep; -1: none.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Don't compare the rows that stay with the node.")
    ] = False,
) -> None:
    """Take every block above one out of the database; `run` goes on from there. The daemon must not run.

    The repair after "finality violated", or after a reorganisation deeper than the kept blocks: what is final
    goes too. The rows that stay are compared with the node first.
    """
    from chainfirst.indexer import rewind as plans
    from chainfirst.schema import pruning
    from chainfirst.schema import rewind as rewinding

    found = context.load_config(context_)
    with parts.database(found, "chainfirst rewind") as connection:
        epoch = _lead(connection)
        with parts.node(found) as client:
            plan = plans.plan(
                connection, client, parts.setup(found), number, checked=not unchecked, pause=time.sleep
            )
        typer.echo(f"indexed to block {plan.cursor.indexed_number}, final to {plan.cursor.final_number}")
        for table, count in plan.rows.items():
            typer.echo(f"  event.{table}: {count}")
        to = "before the first block" if plan.block is None else f"to block {number} {plan.block.hash}"
        typer.echo(f"rewind {to}: {sum(plan.rows.values())} rows of events go")
        lost = pruning.without_bytes(connection, number)
        if lost:
            typer.echo(
                f"the bytes signed for {lost} nonces above it are kept no longer (keep_signed_days): what "
                "the chain still has of them is found again; where others are there now: these can't be sent"
            )
        if not yes:
            typer.confirm("Do it?", abort=True)
        connection.execute("SET ROLE chainfirst_daemon")
        rewinding.to_block(connection, epoch, plan.cursor, number, plan.block)
    typer.echo("done; chainfirst run goes on from there")


def reset_dev(connection: psycopg.Connection[Any], found: settings.Config) -> str:
    """Empty everything that was indexed if the development chain of the settings began anew; what was done,
    in words. `connection`: autocommit, as the login user, after the migration; leadership is taken on it.

    ConfigError: an endpoint is no development node, or the database follows another chain id.
    """
    from chainfirst.schema import rewind as rewinding
    from chainfirst.schema import store

    _check_development(found)
    cursor = store.read_cursor(connection)
    if cursor is None:
        return "nothing is indexed yet: nothing to reset"
    if cursor.chain_id != found.chain.chain_id:
        raise errors.ConfigError(
            f"the database follows chain {cursor.chain_id}, chain.chain_id is {found.chain.chain_id}",
            "Only the same development chain, begun anew, is reset. Give the other one its own database.",
        )
    with parts.node(found) as client:
        known = {0: cursor.genesis_hash}
        if cursor.final_number is not None and cursor.final_hash is not None:
            known[cursor.final_number] = cursor.final_hash
        headers = {number: client.header_by_number(number) for number in known}
    if all(header is not None and header.hash == known[number] for number, header in headers.items()):
        return "the chain is the same: nothing was reset"
    _lead(connection)
    removed = rewinding.everything(connection)
    return f"the development chain began anew: {sum(removed.values())} rows of events and the cursor are gone"


def is_development(endpoint: values.Endpoint, client_version: str) -> bool:
    """Whether the node at `endpoint`, which calls itself so, is one whose chain may be thrown away."""
    if endpoint.dev:
        return True
    return is_local(endpoint) and client_version.lower().startswith(DEVELOPMENT_NODES)


def is_local(endpoint: values.Endpoint) -> bool:
    """Whether the endpoint is on this machine."""
    return endpoint.dev or urlsplit(endpoint.full).hostname in LOOPBACK


def _check_development(found: settings.Config) -> None:
    """Every endpoint must be local, and each that answers must be a development node; one must answer."""
    from chainfirst.indexer.rpc import errors as rpc_errors
    from chainfirst.indexer.rpc import http

    advice = "--reset-dev throws away what is indexed; it is for the chain of a development node alone."
    answered = 0
    for endpoint in found.chain.endpoints:
        if not is_local(endpoint):
            raise errors.ConfigError(f"the endpoint {endpoint} is not on this machine", advice)
        if endpoint.full.startswith("ws"):
            continue  # nothing is read there but new heads
        version = ""
        if not endpoint.dev:
            node = http.Endpoint(endpoint.full)
            try:
                version = node.call("web3_clientVersion", [], str)
            except rpc_errors.RpcTransientError:
                continue
            except rpc_errors.RpcFatalError as error:
                version = error.message
            finally:
                node.close()
        if not is_development(endpoint, version):
            raise errors.ConfigError(f"the node at {endpoint} calls itself {version!r}", advice)
        answered += 1
    if not answered:
        raise reach.EndpointUnreachable("no endpoint says what node it is", "Start the development node.")


def _lead(connection: psycopg.Connection[Any]) -> int:
    from chainfirst.schema import store

    epoch = store.acquire_leadership(connection)
    if epoch is None:
        raise errors.TransientError("a daemon leads this database", "Stop it first.")
    return epoch
