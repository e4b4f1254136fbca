"""Where the database and the endpoints are, and whether the right ones answer there."""

import json
from typing import ClassVar

from chainfirst.ops import errors, values
from chainfirst.ops.config import Config

EMBEDDED_DATABASE = "chainfirst"
OLDEST_SERVER = 15
TIMEOUT_SECONDS = 10


class DatabaseUnreachable(errors.TransientError):
    """PostgreSQL does not answer, or does not let us in."""

    exit_code: ClassVar[int] = 69  # sysexits.h: a service is unavailable


class EndpointUnreachable(errors.TransientError):
    """A node does not answer, or with something that is no answer."""

    exit_code: ClassVar[int] = 68  # sysexits.h: a host is unknown


class WrongChain(errors.FatalError):
    """A node answers for another chain."""

    exit_code: ClassVar[int] = 76  # sysexits.h: the remote side is not what was agreed


def database_url(config: Config) -> str:
    """The URL for libpq and psycopg, password and all; the embedded server's, if it runs."""
    if not config.database.url.embedded:
        return config.database.url.full
    from chainfirst.ops.dev.postgres import Cluster

    cluster = Cluster(config.state_directory)
    if cluster.pid() is None:
        raise DatabaseUnreachable(
            f"the embedded database in {config.state_directory} does not run", "Start it: chainfirst dev up."
        )
    return cluster.url(EMBEDDED_DATABASE)


def endpoint_urls(config: Config) -> tuple[values.Endpoint, ...]:
    """The endpoints with "dev" replaced by the local node's URL."""
    return tuple(_local_node(config) if endpoint.dev else endpoint for endpoint in config.chain.endpoints)


def check_database(config: Config) -> str:
    """The server's version, if it lets us in and is new enough."""
    import psycopg

    shown = str(config.database.url)
    try:
        with psycopg.connect(database_url(config), connect_timeout=TIMEOUT_SECONDS) as connection:
            version = connection.info.server_version
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        raise DatabaseUnreachable(
            f"the database {shown} can't be reached: {said}", "See that it runs, and database.url."
        ) from None
    if version < OLDEST_SERVER * 10_000:
        raise errors.ConfigError(
            f"the database {shown} is PostgreSQL {version // 10_000}, expected {OLDEST_SERVER} or newer",
            "Upgrade it, or set database.url to another one.",
        )
    return f"{version // 10_000}.{version % 10_000}"


def check_endpoint(config: Config, endpoint: values.Endpoint) -> None:
    """Raises unless the node at `endpoint` answers for the configured chain."""
    ask = _ask_websocket if endpoint.full.startswith("ws") else _ask_http
    try:
        answer = json.loads(ask(endpoint.full))
        found = int(answer["result"], 16)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        said = " ".join(str(error).replace(endpoint.full, str(endpoint)).split())
        raise EndpointUnreachable(
            f"the endpoint {endpoint} does not answer eth_chainId: {said or type(error).__name__}",
            "See that the node runs, and chain.endpoints.",
        ) from None
    if found != config.chain.chain_id:
        raise WrongChain(
            f"the endpoint {endpoint} is on chain {found}, chain.chain_id is {config.chain.chain_id}",
            "Correct chain.endpoints or chain.chain_id.",
        )


_QUESTION = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []})


def _ask_http(url: str) -> bytes:
    import urllib3

    headers = {"content-type": "application/json"}
    try:
        with urllib3.PoolManager(retries=False, timeout=TIMEOUT_SECONDS) as pool:
            answer = pool.request("POST", url, body=_QUESTION, headers=headers)
    except urllib3.exceptions.HTTPError as error:
        raise OSError(error) from None
    if answer.status >= 400:
        raise OSError(f"HTTP status {answer.status}")
    return answer.data


def _ask_websocket(url: str) -> str | bytes:
    import websockets.sync.client

    try:
        with websockets.sync.client.connect(url, open_timeout=TIMEOUT_SECONDS) as connection:
            connection.send(_QUESTION)
            return connection.recv(timeout=TIMEOUT_SECONDS)
    except websockets.exceptions.WebSocketException as error:
        raise OSError(error) from None


def _local_node(config: Config) -> values.Endpoint:
    from chainfirst.ops.dev.node import Anvil

    running = Anvil(config.state_directory).running()
    if running is None:
        raise EndpointUnreachable(
            f"the local node of {config.state_directory} does not run", "Start it: chainfirst dev up."
        )
    return values.Endpoint(running.url)
