"""What every part of a lane works with: the settings of the lane, and one look at chain and database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from chainfirst.ops import failpoint, log
from chainfirst.schema import store as chain_store
from chainfirst.writers import account, fees, limits, plan, store, transaction
from chainfirst.writers.answers import Answer, Class, Reaction
from chainfirst.writers.kinds import Book, Call, Kind
from chainfirst.writers.node import Node
from chainfirst.writers.signers import Signer

logger = log.get("lane")
Connection = psycopg.Connection[Any]
TRANSFER_GAS = 21_000  # Yellow Paper appendix G: a transfer without data
STATE_GAS = 2 * 22_100
"""What those before it in the same block may add to an estimate: two slots that it then fills anew instead of
finding them filled (EIP-2929). What isn't used costs nothing."""


@dataclass(frozen=True)
class KindLimits:
    """What the settings allow of a kind, in token units; None: no limit."""

    max_amount: int | None = None
    max_amount_a_day: int | None = None
    approve_above: int | None = None

    def check(self, amount: int | None, spent_today: int, approved: bool) -> limits.Verdict:
        """Whether an intent of this amount may be signed now."""
        return limits.check(
            amount,
            max_amount=self.max_amount,
            max_amount_a_day=self.max_amount_a_day,
            approve_above=self.approve_above,
            spent_today=spent_today,
            approved=approved,
        )


@dataclass(frozen=True)
class Settings:
    """A lane's. `kinds`: all there are, by name; `own`: those that it signs, or (`default`) those that it
    doesn't. `in_flight`: so many of its transactions may be in no block yet; `behind_blocks`: it signs only
    while the index is at most so far behind the head."""

    name: str
    chain_id: int
    kinds: Mapping[str, Kind[Any]]
    own: Sequence[str]
    default: bool
    book: Callable[[Connection], Book]
    in_flight: int = 16
    behind_blocks: int = 2
    gas_margin_percent: int = 25
    gas_cap: int | None = None
    tip_percentile: int = 50
    fee_limits: fees.Limits = field(default_factory=fees.Limits)
    patience: plan.Patience = field(default_factory=plan.Patience)
    kind_limits: Mapping[str, KindLimits] = field(default_factory=dict)


@dataclass(frozen=True)
class Desk:
    """One step's surroundings; `epoch` is the leader's, asserted in every writing transaction."""

    conn: Connection
    node: Node
    signer: Signer
    settings: Settings
    epoch: int
    head: int
    head_hash: str
    base_fee_wei: int | None
    gas_limit: int
    now: datetime
    on_answer: Callable[[Class], None]

    def assert_leads(self) -> None:
        """First in every writing transaction. LeadershipLost: another daemon leads."""
        chain_store.assert_epoch(self.conn, self.epoch)

    def market(self) -> fees.Market:
        """What the chain asks for gas now."""
        return self.node.market(self.settings.tip_percentile)

    def wanted(self, market: fees.Market) -> fees.Fees:
        """The fees of a transaction that is signed now."""
        return fees.wanted(market, self.settings.fee_limits)

    def affordable(self, market: fees.Market, gas: int, value_wei: int) -> fees.Fees:
        """The fees wanted; the least that the chain may take, where the account can pay no more. On a chain
        without fees accounts have nothing, and it may be a stranger's tip that seems to be wanted."""
        wanted, least = self.wanted(market), fees.least(market, self.settings.fee_limits)
        if wanted == least:
            return wanted
        balance = self.node.balance(self.signer.address)
        can = least.affordable(gas, value_wei, balance) and not wanted.affordable(gas, value_wei, balance)
        return least if can else wanted

    def sign(
        self, purpose: store.Purpose, nonce: int, call: Call, gas: int, price: fees.Fees
    ) -> store.NewAttempt:
        """Signed bytes for a nonce. Nothing is stored or sent."""
        raw = self.signer.sign(_unsigned(self.settings.chain_id, nonce, call, gas, price))
        return store.NewAttempt(
            purpose,
            transaction.transaction_hash(raw),
            raw,
            gas,
            price.max_fee_wei,
            price.max_priority_fee_wei,
            self.head,
            self.now,
        )

    def gas_of(self, estimate: int) -> int:
        """The gas limit for an estimate: with the margin, under the settings' cap and the block's limit."""
        with_margin = estimate * (100 + self.settings.gas_margin_percent) // 100 + STATE_GAS
        most = self.gas_limit if self.settings.gas_cap is None else min(self.gas_limit, self.settings.gas_cap)
        return max(estimate, min(with_margin, most))

    def send(self, attempt: int, raw: bytes) -> Answer:
        """Send stored bytes and note the answer; one that no time mends stops the lane."""
        failpoint.reach("send.before")
        answer = self.node.send(raw)
        failpoint.reach("send.after")
        self.on_answer(answer.cls)
        with self.conn.transaction():
            self.assert_leads()
            store.sent(self.conn, attempt, answer, self.head, self.now)
            why = f"the node refuses what it sends ({answer.cls.value}): {answer.text}"
            refused = answer.reaction is Reaction.STOP_LANE
            stopped = refused and account.stop_lane(self.conn, self.signer.address, why)
            failpoint.reach("note.written")
        failpoint.reach("note.committed")
        if stopped:
            logger.error("lane_stopped", signer=self.signer.address, why=why)
        return answer


def _unsigned(
    chain_id: int, nonce: int, call: Call, gas: int, price: fees.Fees
) -> transaction.Legacy | transaction.DynamicFee:
    if price.max_priority_fee_wei is None:
        return transaction.Legacy(
            chain_id=chain_id,
            nonce=nonce,
            gas_price_wei=price.max_fee_wei,
            gas=gas,
            to=call.to,
            value=call.value,
            data=call.data,
        )
    return transaction.DynamicFee(
        chain_id=chain_id,
        nonce=nonce,
        max_priority_fee_per_gas_wei=price.max_priority_fee_wei,
        max_fee_per_gas_wei=price.max_fee_wei,
        gas=gas,
        to=call.to,
        value=call.value,
        data=call.data,
    )
