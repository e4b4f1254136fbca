"""Deployment: wiring, roles handed over and given up, the file that says where everything is."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from chainfirst.contracts import deploy
from chainfirst.ops import errors

ADMIN = bytes(32)


def test_file_says_where_everything_is(platform: Any) -> None:
    deployment = json.loads(platform.path.read_text())
    assert deployment == platform.deployment
    assert deployment["chain_id"] == 31337
    assert sorted(deployment["contracts"]) == [
        "campaign_factory", "issuer_registry", "share_certificate", "token",
    ]  # fmt: skip
    for place in deployment["contracts"].values():
        block = platform.web3.eth.get_block(place["start_block"], True)
        created = [
            platform.web3.eth.get_transaction_receipt(found["hash"]) for found in block["transactions"]
        ]
        assert place["address"] in [receipt["contractAddress"] for receipt in created]


def test_roles_are_handed_over_and_the_deployer_keeps_none(platform: Any) -> None:
    wanted = {
        platform.token: {"MINTER_ROLE": "minter"},
        platform.registry: {"REGISTRAR_ROLE": "registrar"},
        platform.factory: {"OPERATOR_ROLE": "operator"},
        platform.certificate: {"MINTER_ROLE": "minter", "REGISTRAR_ROLE": "registrar"},
    }
    for contract, roles in wanted.items():
        holders = {ADMIN: "owner"} | {contract.functions[role]().call(): who for role, who in roles.items()}
        for role, holder in holders.items():
            for name, address in platform.at.items():
                assert contract.functions.hasRole(role, address).call() == (name == holder)


def test_given_token_and_deployer_as_treasury_approves(platform: Any, tmp_path: Path) -> None:
    me = platform.keys["eve"]
    plan = dataclasses.replace(
        platform.plan, token=platform.token.address.lower(), treasury=me.address.lower(), owner=me.address
    )
    deployment = deploy.deploy(platform.web3, me, plan)
    assert deployment["contracts"]["token"]["address"] == platform.token.address
    factory = deployment["contracts"]["campaign_factory"]["address"]
    assert platform.token.functions.allowance(me.address, factory).call() == 2**256 - 1
    assert platform.contract("CampaignFactory", factory).functions.hasRole(ADMIN, me.address).call()


@pytest.mark.parametrize("change", [{"token": "0x" + "12" * 20}, {"owner": "nobody"}])
def test_wrong_settings_are_named(platform: Any, change: dict[str, str]) -> None:
    plan = dataclasses.replace(platform.plan, **change)
    with pytest.raises(errors.ConfigError):
        deploy.deploy(platform.web3, platform.keys["deployer"], plan)


def test_a_lost_grant_is_found_when_reading_back(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(*_: object) -> None:
        return None

    monkeypatch.setattr(deploy, "_hand_over", forget)
    with pytest.raises(errors.FatalError, match="role"):
        deploy.deploy(platform.web3, platform.keys["deployer"], platform.plan)


def test_legacy_gas_price_on_a_chain_without_base_fee(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = platform.web3.provider.make_request

    def without_base_fee(method: str, parameters: Any) -> Any:
        answer = ask(method, parameters)
        if method == "eth_getBlockByNumber":
            answer["result"].pop("baseFeePerGas", None)
        return answer

    monkeypatch.setattr(platform.web3.provider, "make_request", without_base_fee)
    deployment = deploy.deploy(platform.web3, platform.keys["deployer"], platform.plan)
    block = platform.web3.eth.get_block(deployment["contracts"]["token"]["start_block"], True)
    assert int(platform.web3.to_hex(block["transactions"][0]["type"]), 16) == 0
