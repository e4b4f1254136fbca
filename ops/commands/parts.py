"""The parts that commands build from the settings: what is indexed, and the node to ask."""

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from chainfirst.ops import config as settings
from chainfirst.ops import errors, mistakes, reach

if TYPE_CHECKING:
    from chainfirst.indexer.engine import Setup
    from chainfirst.indexer.rpc.client import Client
    from chainfirst.indexer.wiring import Contract
    from chainfirst.ops.session import Connection


def contracts(found: settings.Config) -> "list[Contract]":
    """The contracts of the settings, as the indexer takes them. ConfigError: one has no address yet."""
    from chainfirst.indexer import wiring

    if found.undeployed:
        raise errors.ConfigError(
            f"no address is known for the contracts {', '.join(found.undeployed)}",
            "Give each an address, or remove it.",
        )
    return [
        wiring.Contract(
            key=key,
            abi=mistakes.load_abi(found.path(contract.abi)),
            addresses=None if contract.address == "any" else frozenset(contract.addresses),
            start_block=contract.start_block,
            events=contract.events,
            factory=None
            if contract.factory is None
            else (contract.factory.contract, contract.factory.event, contract.factory.parameter),
        )
        for key, contract in found.contracts.items()
    ]


def setup(found: settings.Config) -> "Setup":
    """What these settings index."""
    from chainfirst.indexer import wiring

    policy = wiring.policy(found.chain.finality)
    return wiring.build(contracts(found), policy, platform=found.platform.enabled)[0]


@contextlib.contextmanager
def database(found: settings.Config, application: str) -> "Iterator[Connection]":
    """A session of the login user, in autocommit. DatabaseUnreachable: none can be had, or it was lost;
    ConfigError: a table is missing."""
    import psycopg
    from chainfirst.ops import session

    try:
        with session.connect(reach.database_url(found), application) as connection:
            yield connection
    except psycopg.errors.UndefinedTable as error:
        raise errors.ConfigError(
            f"a table is missing: {error.diag.message_primary}",
            "If this database was never used: chainfirst migrate. Else restore it from its backup.",
        ) from error
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())
        raise reach.DatabaseUnreachable(f"the database refused: {said}", "See that it runs.") from error


@contextlib.contextmanager
def node(found: settings.Config) -> "Iterator[Client]":
    """The first endpoint that answers, on the configured chain. EndpointUnreachable: none does."""
    from chainfirst.indexer.rpc.pool import Pool

    urls, missing = [], None
    for endpoint in reach.endpoint_urls(found):
        if not endpoint.full.startswith("http"):
            continue
        try:
            reach.check_endpoint(found, endpoint)
        except reach.EndpointUnreachable as error:
            missing = error
        else:
            urls.append(endpoint.full)
    if not urls:
        raise missing or errors.ConfigError(
            "chain.endpoints has no http(s):// URL", "Add one; blocks are read there."
        )
    pool = Pool.from_urls(urls, chain_id=found.chain.chain_id, clock=time.monotonic)
    try:
        with pool.pinned() as client:
            yield client
    finally:
        pool.close()
