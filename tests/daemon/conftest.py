"""A node of its own for each test, with blocks mined only when asked for."""

import socket

import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil


@pytest.fixture
def node(fresh_anvil: Anvil) -> Endpoint:
    endpoint = Endpoint(fresh_anvil.url)
    endpoint.call_optional("evm_setAutomine", [False], object)
    return endpoint


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that nothing uses at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
