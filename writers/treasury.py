"""What recorded investments are paid out of: the treasury's tokens, and how many the factory may take."""

from collections.abc import Mapping
from dataclasses import dataclass

from chainfirst.ops.errors import TransientError
from chainfirst.writers import book, campaigns, contract, facts, payload
from chainfirst.writers.kinds import Call
from chainfirst.writers.node import Node
from chainfirst.writers.reverts import Revert

_FACTORY = contract.platform(campaigns.FACTORY)
_BALANCE_OF, _ALLOWANCE = contract.functions_of(
    [
        {"type": "function", "name": "balanceOf", "inputs": [{"name": "account", "type": "address"}]},
        {
            "type": "function",
            "name": "allowance",
            "inputs": [{"name": "owner", "type": "address"}, {"name": "spender", "type": "address"}],
        },
    ]
)


@dataclass(frozen=True)
class Funds:
    """In token units (ERC-20: balanceOf, allowance)."""

    balance: int
    allowance: int


def funds(node: Node, contracts: Mapping[str, contract.Contract]) -> Funds:
    """As the node's newest block has it. TransientError: the contracts do not answer so; ConfigError: there
    is not one factory."""
    factory = book.one_address(contracts, campaigns.FACTORY)
    treasury, token = (
        facts.address(_answer(node, _FACTORY.function(name).call(factory))) for name in ("treasury", "token")
    )
    balance = _answer(node, _BALANCE_OF.call(token, treasury))
    allowance = _answer(node, _ALLOWANCE.call(token, treasury, factory))
    try:
        return Funds(int(facts.number(balance)), int(facts.number(allowance)))
    except ValueError as error:
        raise TransientError(f"the token {token} answers no number: {error}") from error


def _answer(node: Node, call: Call) -> bytes:
    found = node.call(call, payload.ZERO_ADDRESS)
    if isinstance(found, Revert):
        raise TransientError(
            f"the contract {call.to} reverted: {found.text}", "See contracts.campaign_factory."
        )
    return found
