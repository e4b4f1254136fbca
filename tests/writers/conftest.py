"""A world for each test: the platform deployed once for each worker, its node rolled back after each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate
from chainfirst.tests.contracts.conftest import Platform
from chainfirst.tests.writers.faulty import FaultyWorld, FrontDoor
from chainfirst.tests.writers.world import World

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def platform_database(pg_cluster: Cluster) -> str:
    name = "template_intents"
    pg_cluster.ensure_database(name)
    migrate.migrate(migrate.engine(pg_cluster.url(name)), platform_enabled=True)
    return name


def start_node(directory: Path) -> Anvil:
    """A node with a base fee."""
    node = Anvil(
        directory,
        install_directory=ROOT / ".chainfirst" / "node" / "anvil",
        arguments=("--base-fee", "1000000000"),
    )
    node.start()
    return node


def deploy(node: Anvil, directory: Path, ether_wei: int = 10**24) -> Platform:
    """The platform, whose operator has every role that the kinds need."""
    from web3 import Web3

    platform = Platform(Web3(Web3.HTTPProvider(node.url)), directory, ether_wei)
    operator = platform.at["operator"]
    for holder, each, role in (
        ("owner", platform.registry, "REGISTRAR_ROLE"),
        ("owner", platform.certificate, "MINTER_ROLE"),
        ("owner", platform.certificate, "REGISTRAR_ROLE"),
        ("owner", platform.factory, "DEFAULT_ADMIN_ROLE"),
        ("owner", platform.token, "MINTER_ROLE"),
    ):
        platform.send(holder, each.functions.grantRole(getattr(each.functions, role)().call(), operator))
    return platform


@pytest.fixture(scope="session")
def writer_node(server_base: Path) -> Anvil:
    return start_node(server_base / "writers")


@pytest.fixture(scope="session")
def writer_platform(writer_node: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    return deploy(writer_node, tmp_path_factory.mktemp("deployment"))


@pytest.fixture
def world(
    pg_cluster: Cluster, platform_database: str, pg_url: str, writer_node: Anvil, writer_platform: Platform
) -> Iterator[World]:
    snapshot = writer_platform.rpc("evm_snapshot")
    made = World(pg_url, writer_platform, writer_node.url)
    try:
        yield made
    finally:
        made.close()
        assert writer_platform.rpc("evm_revert", snapshot)


@pytest.fixture
def faulty(
    pg_cluster: Cluster, platform_database: str, pg_url: str, writer_node: Anvil, writer_platform: Platform
) -> Iterator[FaultyWorld]:
    """A world whose node answers as a test says."""
    snapshot = writer_platform.rpc("evm_snapshot")
    door = FrontDoor(writer_node.url)
    made = FaultyWorld(pg_url, writer_platform, door)
    try:
        yield made
    finally:
        made.close()
        door.close()
        assert writer_platform.rpc("evm_revert", snapshot)


@pytest.fixture(scope="session")
def pg_template(platform_database: str) -> str:
    return platform_database
