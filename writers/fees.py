"""What a unit of gas may cost: the fees of a new transaction and of one that replaces it. Pure; all in wei.

Where the head has a base fee, EIP-1559's two fees; else one gas price, zero included. A node takes a
replacement only if it raises both fees by its bump (geth, Erigon and Nethermind 10 %, OpenEthereum 12.5 %).
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fees:
    """What a unit of gas costs at most.

    `max_priority_fee_wei` is the part of it for the block's proposer; None: a legacy transaction, whose gas
    price is `max_fee_wei`. ValueError for what no node takes.
    """

    max_fee_wei: int
    max_priority_fee_wei: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.tip_wei <= self.max_fee_wei:
            raise ValueError(f"a tip of {self.max_priority_fee_wei} with a max fee of {self.max_fee_wei}")

    @property
    def is_legacy(self) -> bool:
        """Whether this is a gas price."""
        return self.max_priority_fee_wei is None

    @property
    def tip_wei(self) -> int:
        """The priority fee; nodes take a gas price for both fees."""
        return self.max_fee_wei if self.max_priority_fee_wei is None else self.max_priority_fee_wei

    def affordable(self, gas: int, value_wei: int, balance_wei: int | None) -> bool:
        """Whether an account with this balance can pay so much gas; None: its balance isn't known."""
        return balance_wei is None or gas * self.max_fee_wei + value_wei <= balance_wei

    def pays(self, base_fee_wei: int | None) -> bool:
        """Whether a block of this base fee may include it."""
        return self.max_fee_wei >= (base_fee_wei or 0)


@dataclass(frozen=True)
class Market:
    """What the chain asks at its head.

    `base_fee_wei`: of the next block; None: the chain has none. `tips_wei`: one for each of the last blocks,
    paid by the transactions of the percentile wanted; 0 for an empty block. `gas_price_wei`: what the node
    proposes, used where there is no base fee.
    """

    base_fee_wei: int | None
    tips_wei: tuple[int, ...] = ()
    gas_price_wei: int = 0


@dataclass(frozen=True)
class Limits:
    """The settings. `tip_floor_wei` is the least gas price too; `cap_wei`: most max fee, None without end.

    `base_fee_multiplier`: how many times the base fee the max fee holds; 2 lasts for six full blocks.
    """

    tip_floor_wei: int = 0
    cap_wei: int | None = None
    base_fee_multiplier: int = 2


def wanted(market: Market, limits: Limits) -> Fees:
    """The fees of a new transaction, at most the cap. With a cap below the base fee they don't pay it."""
    if market.base_fee_wei is None:
        return Fees(_capped(max(market.gas_price_wei, limits.tip_floor_wei), limits))
    tip = max(_middle(market.tips_wei), limits.tip_floor_wei)
    max_fee = _capped(limits.base_fee_multiplier * market.base_fee_wei + tip, limits)
    return Fees(max_fee, min(tip, max_fee))


def least(market: Market, limits: Limits) -> Fees:
    """As `wanted`, with no more than the floor for the proposer."""
    return wanted(Market(market.base_fee_wei), limits)


def bump(previous: Fees, now: Fees, limits: Limits) -> Fees | None:
    """The fees that replace `previous`: an eighth more on both, or what is wanted now if that is more.

    Of the kind that is wanted now. None: at the cap, which leaves no room for a replacement.
    """
    least_max, least_tip = raised(previous.max_fee_wei), raised(previous.tip_wei)
    if _capped(least_max, limits) < least_max:
        return None
    max_fee = max(least_max, _capped(now.max_fee_wei, limits))
    return Fees(max_fee, None if now.is_legacy else min(max(least_tip, now.tip_wei), max_fee))


def at_most(previous: Fees, limits: Limits) -> Fees:
    """The same fees, under the cap."""
    max_fee = _capped(previous.max_fee_wei, limits)
    return Fees(max_fee, None if previous.is_legacy else min(previous.tip_wei, max_fee))


def lower(previous: Fees, market: Market) -> Fees | None:
    """A quarter less, for a node whose own cap is below ours. None: the next block asks for more."""
    max_fee = previous.max_fee_wei * 3 // 4
    tip = None if previous.is_legacy else min(previous.tip_wei, max_fee)
    fees = Fees(max_fee, tip)
    return fees if fees.pays(market.base_fee_wei) and max_fee < previous.max_fee_wei else None


def raised(fee_wei: int) -> int:
    """12.5 % more, rounded up; at least one wei, which is what nodes ask of a fee of 0."""
    return max(1, -(-fee_wei * 9 // 8))


def _capped(fee_wei: int, limits: Limits) -> int:
    return fee_wei if limits.cap_wei is None else min(fee_wei, limits.cap_wei)


def _middle(tips_wei: Sequence[int]) -> int:
    """The median of the blocks that somebody paid in; a single block's outlier moves it little."""
    paid = sorted(tip for tip in tips_wei if tip > 0)
    return paid[len(paid) // 2] if paid else 0
