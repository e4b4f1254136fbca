"""Every check of every constructor, one wrong argument at a time."""

from typing import Any

import pytest

ZERO = "0x" + "00" * 20


def arguments(platform: Any) -> dict[str, list[Any]]:
    """Right ones."""
    return {
        "IssuerRegistry": [platform.at["owner"]],
        "CampaignFactory": [
            platform.at["owner"], platform.registry.address, platform.token.address,
            platform.at["treasury"], platform.at["fees"], 1_000,
        ],
        "CampaignImplementation": [platform.factory.address],
        "NFTShareCertificate": [platform.at["owner"], platform.factory.address, 1, ""],
        "BirrToken": [platform.at["owner"]],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("contract", "position", "value", "expected"),
    [
        ("IssuerRegistry", 0, ZERO, "ZeroAddress"),
        ("CampaignFactory", 0, ZERO, "ZeroAddress"),
        ("CampaignFactory", 1, ZERO, "ZeroAddress"),
        ("CampaignFactory", 2, ZERO, "ZeroAddress"),
        ("CampaignFactory", 3, ZERO, "ZeroAddress"),
        ("CampaignFactory", 4, ZERO, "ZeroAddress"),
        ("CampaignFactory", 5, 1_001, "FeeTooHigh"),
        ("CampaignImplementation", 0, ZERO, "ZeroAddress"),
        ("NFTShareCertificate", 0, ZERO, "ZeroAddress"),
        ("NFTShareCertificate", 1, ZERO, "ZeroAddress"),
        ("NFTShareCertificate", 2, 0, "InvalidVotingUnit"),
    ],
)
def test_one_wrong_argument(platform: Any, contract: str, position: int, value: Any, expected: str) -> None:
    values = arguments(platform)[contract]
    values[position] = value
    assert platform.creation_reason(contract, *values) == expected


def test_right_arguments_and_who_is_the_first_admin(platform: Any) -> None:
    for contract, values in arguments(platform).items():
        assert platform.creation_reason(contract, *values) is None
        created = platform.create(contract, *values)
        if contract == "CampaignImplementation":
            continue  # its roles are the factory's
        holders = [
            name for name, at in platform.at.items() if created.functions.hasRole(bytes(32), at).call()
        ]
        assert holders == ["owner"], contract
