"""BirrToken: minting, moving, and everything that it refuses."""

from typing import Any

ZERO = "0x" + "00" * 20
UNAUTHORIZED = "AccessControlUnauthorizedAccount"


def test_mint_and_decimals(platform: Any) -> None:
    token = platform.token.functions
    assert (token.name().call(), token.symbol().call(), token.decimals().call()) == (
        "Ethiopian Birr",
        "ETB",
        2,
    )
    supply = token.totalSupply().call()
    mint = token.mint(platform.at["fees"], 5)
    assert platform.reason("owner", mint) == UNAUTHORIZED
    event = platform.event(platform.send("minter", mint), platform.token, "Transfer")
    assert event == {"from": ZERO, "to": platform.at["fees"], "value": 5}
    assert (platform.balance("fees"), token.totalSupply().call()) == (5, supply + 5)
    assert platform.reason("minter", token.mint(ZERO, 5)) == "ERC20InvalidReceiver"


def test_transfers_and_allowances(platform: Any) -> None:
    token, at = platform.token.functions, platform.at
    alice, bob, eve = at["alice"], at["bob"], at["eve"]
    have = platform.balance("alice")
    assert platform.reason("alice", token.transfer(bob, have)) is None
    assert platform.reason("alice", token.transfer(bob, have + 1)) == "ERC20InsufficientBalance"
    assert platform.reason("alice", token.transfer(ZERO, 1)) == "ERC20InvalidReceiver"
    assert platform.reason("alice", token.approve(ZERO, 1)) == "ERC20InvalidSpender"
    spend = token.transferFrom(alice, bob, 10)
    assert platform.reason("eve", spend) == "ERC20InsufficientAllowance"
    approved = platform.event(platform.send("alice", token.approve(eve, 10)), platform.token, "Approval")
    assert approved == {"owner": alice, "spender": eve, "value": 10}
    assert platform.reason("eve", token.transferFrom(alice, bob, 11)) == "ERC20InsufficientAllowance"
    platform.send("eve", spend)
    assert platform.balance("alice") == have - 10
    assert token.allowance(alice, eve).call() == 0
    assert platform.reason("eve", spend) == "ERC20InsufficientAllowance"


def test_nobody_calls_from_the_zero_address(platform: Any) -> None:
    token = platform.token.functions
    assert platform.reason(ZERO, token.transfer(platform.at["eve"], 0)) == "ERC20InvalidSender"
    assert platform.reason(ZERO, token.approve(platform.at["eve"], 1)) == "ERC20InvalidApprover"
