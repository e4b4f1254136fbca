"""Tending the nonces that are open: sending stored bytes again, signing again, taking back."""

from collections.abc import Sequence
from dataclasses import dataclass

from chainfirst.ops import failpoint, log
from chainfirst.writers import fees, plan, store
from chainfirst.writers.answers import REACTIONS, Answer, Class, Reaction
from chainfirst.writers.desk import TRANSFER_GAS, Desk
from chainfirst.writers.kinds import Call
from chainfirst.writers.plan import Do
from chainfirst.writers.reverts import Revert

logger = log.get("lane")


@dataclass
class Tended:
    """What a round found: `alerts` for somebody to see to; `stop`: why the lane must be stopped; `may_sign`:
    whether new transactions may follow the open ones."""

    alerts: list[str]
    stop: str | None = None
    may_sign: bool = True


def tend(desk: Desk, opened: Sequence[store.Open], sight: plan.Sight) -> Tended:
    """One round over the open nonces, lowest first. What is signed is stored before it is sent."""
    tended = Tended([])
    lowest = next((tx.nonce for tx in opened if not tx.included and tx.nonce >= sight.used), None)
    market: fees.Market | None = None
    for tx in opened:
        do = plan.decide(tx, tx.nonce == lowest, sight, desk.settings.patience)
        if tx.answer is not None and REACTIONS[Class(tx.answer)] is Reaction.REFUEL_ALERT and not tx.included:
            tended.alerts.append(f"nonce {tx.nonce} waits for funds: {desk.signer.address} can't pay it")
            tended.may_sign = False
        if do is Do.NOTHING:
            continue
        if do is Do.STOP:
            tended.stop = f"the node refuses nonce {tx.nonce}: {tx.answer}"
            break
        if do is Do.SEND:
            answer = desk.send(tx.attempt, tx.raw)
        else:
            market = market or desk.market()
            signed = _sign_again(desk, tx, do, market, tended)
            answer = desk.send(tx.attempt, tx.raw) if signed is None else signed
        if answer.cls is Class.UNKNOWN:
            break  # the node may be down: those above wait for the next round
    return tended


def _sign_again(desk: Desk, tx: store.Open, do: Do, market: fees.Market, tended: Tended) -> Answer | None:
    """Another attempt at the same nonce, stored and sent; None: nothing better than the last can be had."""
    previous = fees.Fees(tx.max_fee_wei, tx.priority_fee_wei)
    purpose: store.Purpose = "cancel" if do is Do.TAKE_BACK else tx.purpose
    nothing = Call(desk.signer.address, b"")
    call = nothing if purpose == "cancel" else Call(tx.call_to, tx.call_data, tx.call_value)
    gas = tx.gas
    if do is Do.LOWER:
        price = fees.lower(previous, market)
    elif do is Do.NEW_GAS and tx.last_sent_at is not None:
        price = desk.wanted(market)
    else:
        price = fees.bump(previous, desk.wanted(market), desk.settings.fee_limits)
    if price is None:
        tended.alerts.append(
            f"nonce {tx.nonce}: {_why_no_price(do)} {previous.max_fee_wei} wei a gas; "
            "raise writer.fees.fee_cap_wei, or wait"
        )
        return None
    if do in (Do.TAKE_BACK, Do.NEW_GAS):
        estimate = desk.node.estimate_gas(call, desk.signer.address)
        if isinstance(estimate, Revert):  # only its transaction in a block can tell now
            estimate = TRANSFER_GAS if purpose == "cancel" else tx.gas * 3 // 2
        gas = min(desk.gas_of(estimate), desk.gas_limit)
    attempt = desk.sign(purpose, tx.nonce, call, gas, price)
    failpoint.reach("bump.signed")
    with desk.conn.transaction():
        desk.conn.execute("SET LOCAL synchronous_commit = on")
        desk.assert_leads()
        if not store.lock_open(desk.conn, tx.id):
            return None
        if do is Do.TAKE_BACK and not tx.take_back:
            store.give_up(
                desk.conn, tx.intent, f"no node takes its transaction: {tx.answer_text or tx.answer}"
            )
        number = store.add_attempt(desk.conn, tx.id, attempt)
        failpoint.reach("bump.before_commit")
    failpoint.reach("bump.committed")
    logger.info("signed_again", why=do.value, nonce=tx.nonce, hash=attempt.hash, intent=str(tx.intent))
    answer = desk.send(number, attempt.raw)
    failpoint.reach("bump.sent")
    return answer


def _why_no_price(do: Do) -> str:
    return "the node's own cap is below" if do is Do.LOWER else "the fee cap leaves no room above"
