"""The private chains that the platform is for: no base fee, a gas price of zero, accounts without ether."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chainfirst.ops.dev.node import Anvil

ROOT = Path(__file__).parents[2]


@pytest.fixture
def free_chain(server_dir: Path) -> Iterator[Any]:
    from web3 import Web3

    node = Anvil(
        server_dir,
        install_directory=ROOT / ".chainfirst" / "node" / "anvil",
        arguments=("--hardfork", "berlin", "--gas-price", "0"),
    )
    node.start()
    try:
        yield Web3(Web3.HTTPProvider(node.url))
    finally:
        node.stop()


def test_everything_deploys_and_runs_for_nothing(platform_type: Any, free_chain: Any, tmp_path: Path) -> None:
    platform = platform_type(free_chain, tmp_path, ether_wei=0)
    campaign = platform.campaign()
    bought = platform.invest(campaign, "alice", 600_000)
    platform.send("operator", platform.record(campaign, "bob", 400_000))
    platform.send("eve", campaign.functions.finalize())
    platform.send("eve", campaign.functions.releaseFunds())
    platform.send("eve", campaign.functions.withdrawFee())
    views, at = platform.certificate.functions, platform.at
    platform.send("minter", views.mint(at["alice"], bought, campaign.address, b"\x33" * 32))
    platform.send("alice", views.transferFrom(at["alice"], at["bob"], 1))
    failed = platform.campaign()
    platform.invest(failed, "alice", 5_000)
    platform.pass_time(36 * 86_400)
    platform.send("eve", failed.functions.finalize())
    platform.send("eve", failed.functions.refund(at["alice"]))

    assert platform.balance("issuer") == 975_000
    assert views.votingWeightOf(at["bob"]).call() == 6
    assert {free_chain.eth.get_balance(address) for address in at.values()} == {0}
    block = free_chain.eth.get_block("latest", True)
    assert "baseFeePerGas" not in block
    assert block["transactions"][0]["gasPrice"] == 0
