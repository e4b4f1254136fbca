"""No function, error, event or role of the platform's contracts is without a test.

Functions and roles: test_access.py compares what it tries with the ABI. Errors and events: their names must
stand in the code (not the comments) of the test modules that are about their contract.
"""

import ast
import json
from pathlib import Path

import pytest
from chainfirst.contracts import build

HERE = Path(__file__).parent
ABOUT = {
    "IssuerRegistry": ["registry", "access", "constructors"],
    "CampaignFactory": ["factory", "access", "constructors"],
    "CampaignImplementation": ["campaign", "attacks", "access", "constructors"],
    "NFTShareCertificate": ["certificate", "access", "constructors"],
    "BirrToken": ["token", "access", "constructors"],
}
# the library's, which our calls can't bring about
UNREACHABLE = {
    ("CampaignFactory", "FailedDeployment"): "a clone's place is its id's: CampaignExists comes first",
    ("CampaignFactory", "InsufficientBalance"): "Clones checks the ether that it sends along: none",
    ("NFTShareCertificate", "ERC721InvalidSender"): "minting a number that exists: numbers are counted up",
    ("NFTShareCertificate", "StringsInsufficientHexLength"): "16 bytes are asked for 128 bits, 32 for 256",
    ("IssuerRegistry", "RoleAdminChanged"): "nothing changes which role gives a role",
    ("CampaignFactory", "RoleAdminChanged"): "nothing changes which role gives a role",
    ("NFTShareCertificate", "RoleAdminChanged"): "nothing changes which role gives a role",
    ("BirrToken", "RoleAdminChanged"): "nothing changes which role gives a role",
}  # fmt: skip


def names(path: Path) -> set[str]:
    """The strings and attributes that a module's code mentions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found


def test_every_contract_is_listed() -> None:
    assert set(ABOUT) == {path.stem for path in build.SOURCES.glob("*.sol")} - {"Types"}


@pytest.mark.parametrize("contract", sorted(ABOUT))
def test_nothing_is_without_a_test(contract: str) -> None:
    mentioned = set().union(*(names(HERE / f"test_{module}.py") for module in ABOUT[contract]))
    abi = json.loads((build.ARTIFACTS / f"{contract}.json").read_text())["abi"]
    wanted = {entry["name"] for entry in abi if entry["type"] in ("error", "event")}
    excused = {name for owner, name in UNREACHABLE if owner == contract}
    assert wanted - mentioned == excused
