"""The file that says where the platform's contracts are, and what the chain says of them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from web3 import Web3

ADMIN = b"\0" * 32
ROLES = ("MINTER_ROLE", "OPERATOR_ROLE", "REGISTRAR_ROLE")


def write(deployment: Mapping[str, Any], path: Path) -> None:
    """Write the file that says where everything is: the whole of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(deployment, indent=2) + "\n")
    fresh.replace(path)


def absence(web3: "Web3", deployment: Mapping[str, Any]) -> str | None:
    """Why the deployment is not on this chain; None: it is."""
    if deployment.get("chain_id") != web3.eth.chain_id:
        return f"it is on chain {deployment.get('chain_id')}, the node on {web3.eth.chain_id}"
    genesis = header(web3, 0)["hash"]
    if deployment.get("genesis_hash") not in (None, genesis):
        return f"its chain began with block {deployment['genesis_hash']}, the node's with {genesis}"
    for key, place in deployment["contracts"].items():
        if not web3.eth.get_code(web3.to_checksum_address(place["address"])):
            return f"there is no code at {key}'s address {place['address']}"
    return None


def role_holders(web3: "Web3", deployment: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """Who holds each role of each contract, by its grants and revocations since its start block."""
    names = {ADMIN: "ADMIN"} | {bytes(web3.keccak(text=role)): role for role in ROLES}
    granted, revoked = (
        web3.keccak(text=f"Role{verb}(bytes32,address,address)") for verb in ("Granted", "Revoked")
    )
    found: dict[str, dict[str, list[str]]] = {}
    for key, place in deployment["contracts"].items():
        held: dict[str, list[str]] = {}
        logs = web3.eth.get_logs(
            {
                "address": place["address"],
                "fromBlock": place["start_block"],
                "topics": [[granted, revoked]],
            }
        )
        for log in logs:
            event, role, account, _ = log["topics"]
            holders = held.setdefault(names.get(bytes(role), web3.to_hex(role)), [])
            holder = web3.to_checksum_address(bytes(account)[12:])
            if event == granted:
                holders.append(holder)
            else:
                holders.remove(holder)
        found[key] = {role: sorted(holders) for role, holders in sorted(held.items()) if holders}
    return found


def header(web3: "Web3", number: int | str) -> dict[str, Any]:
    """A block's header, raw: web3 refuses the long extraData of PoA headers."""
    wanted = hex(number) if isinstance(number, int) else number
    answer: Any = web3.provider.make_request("eth_getBlockByNumber", [wanted, False])  # type: ignore[arg-type]
    header: dict[str, Any] = answer["result"]
    return header
