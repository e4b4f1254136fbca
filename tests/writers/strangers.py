"""Somebody else who has the operator's key; and the operator's answer to that."""

import uuid
from typing import Any

from chainfirst.tests.writers.world import World
from chainfirst.writers import operate
from eth_account import Account
from eth_utils.address import to_checksum_address

GWEI = 10**9


def send(
    world: World,
    nonce: int,
    *,
    to: str | None = None,
    data: bytes = b"",
    value: int = 0,
    gwei: int = 50,
    actor: str = "operator",
) -> str:
    """A transaction with an actor's key that no lane has signed; its hash. `to` None: to somebody."""
    fields: dict[str, Any] = {
        "chainId": 31337,
        "nonce": nonce,
        "gas": 1_000_000,
        "maxFeePerGas": gwei * GWEI,
        "maxPriorityFeePerGas": gwei * GWEI,
        "value": value,
        "data": f"0x{data.hex()}",
        "to": to_checksum_address(to or world.platform.at["eve"]),
    }
    if to == "":
        del fields["to"]  # a new contract
    signed = Account.sign_transaction(fields, world.platform.keys[actor].key)
    return str(world.rpc("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex()))


def send_equal(world: World, nonce: int, intent: uuid.UUID, gwei: int = 50) -> str:
    """The call of a prepared intent, signed elsewhere."""
    ((to, data),) = world.all("SELECT call_to, call_data FROM intent.intents WHERE id = %s", intent)
    return send(world, nonce, to=to, data=data, gwei=gwei)


def state(world: World, actor: str = "operator") -> operate.State:
    found = operate.state(world.app, world.platform.at[actor].lower())
    assert found is not None
    return found


def accept(world: World, actor: str = "operator") -> str:
    return operate.accept(world.app, state(world, actor), "somebody")


def blocked(world: World, actor: str = "operator") -> str | None:
    return state(world, actor).reason


def verified(number: int, yes: bool = True) -> dict[str, Any]:
    """Payload of investor.set_verified, for an investor of that number."""
    return {"investor": f"0x{number:040x}", "verified": yes}


def effects(world: World, intent: uuid.UUID) -> int:
    """How many events on the node's own chain are what this intent of set_verified wants."""
    ((investor, yes),) = world.all(
        "SELECT payload ->> 'investor', (payload ->> 'verified')::boolean FROM intent.intents WHERE id = %s",
        intent,
    )
    found = world.platform.registry.events.InvestorStatusChanged().get_logs(from_block=0)
    return sum(
        each["args"]["investor"].lower() == investor and each["args"]["verified"] == yes for each in found
    )
