"""Tending the nonces that are open: sending stored bytes again, signing again, taking back."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from chainfirst.indexer.rpc.errors import RpcError
from chainfirst.ops import failpoint, log
from chainfirst.ops.errors import ChainfirstError
from chainfirst.writers import fees, plan, store
from chainfirst.writers.answers import REACTIONS, Class, Reaction
from chainfirst.writers.desk import TRANSFER_GAS, Desk
from chainfirst.writers.kinds import Call
from chainfirst.writers.plan import Do
from chainfirst.writers.reverts import Revert

SENDS_NO_MORE = frozenset({Reaction.SAME_BYTES_AGAIN, Reaction.STOP_LANE})
"""The node may be down, or takes nothing of this key: those above such a nonce wait for the next round."""
SIGNS_NO_MORE = SENDS_NO_MORE | {Reaction.REFUEL_ALERT}

logger = log.get("lane")


@dataclass
class Tended:
    """What a round found: `alerts` for somebody to see to; `may_sign`: whether new transactions may follow
    the open ones; `no_signature`: why the signer signed nothing, to be raised when all else is done;
    `market` and `balance_wei`: asked for once, if they are needed.
    """

    alerts: list[str] = field(default_factory=list)
    may_sign: bool = True
    no_signature: ChainfirstError | None = None
    market: fees.Market | None = None
    balance_wei: int | None = None


def tend(desk: Desk, opened: Sequence[store.Open], sight: plan.Sight) -> Tended:
    """One round over the open nonces, lowest first. What is signed is stored before it is sent."""
    tended, sending = Tended(), True
    patience, limits = desk.settings.patience, desk.settings.fee_limits
    lowest = next((tx.nonce for tx in opened if not tx.included and tx.nonce >= sight.used), None)
    for tx in opened:
        now, do = tx, plan.decide(tx, tx.nonce == lowest, sight, patience)
        needs = plan.needs(tx, tx.nonce == lowest, sight, patience)
        if needs in (Do.BUMP, Do.TAKE_BACK) and tended.balance_wei is None:
            tended.balance_wei = desk.node.balance(desk.signer.address)
        signed = tx if do is Do.SEND else None
        if do not in (Do.NOTHING, Do.SEND) and sending:
            signed = _sign_again(desk, tx, do, tended)
        if signed is not None and sending:
            answer = desk.send(signed.attempt, signed.raw)
            if do is not Do.SEND:
                failpoint.reach("take_back.sent" if do is Do.TAKE_BACK else "bump.sent")
            now = replace(signed, last_sent_block=desk.head, last_sent_at=desk.now)
            now = replace(now, answer=answer.cls.value, answer_text=answer.text)
        said = plan.alert(now, now.nonce == lowest, sight, patience, limits, tended.balance_wei)
        if said is not None:
            tended.alerts.append(said)
        if now.included or now.nonce < sight.used or now.answer is None:
            continue
        reaction = REACTIONS[Class(now.answer)]
        sending = sending and reaction not in SENDS_NO_MORE
        tended.may_sign = tended.may_sign and reaction not in SIGNS_NO_MORE
    return tended


def _sign_again(desk: Desk, tx: store.Open, do: Do, tended: Tended) -> store.Open | None:
    """Another attempt at the same nonce, stored; the last one where nothing better can be had. None: there is
    nothing to be sent now."""
    purpose: store.Purpose = "cancel" if do is Do.TAKE_BACK else tx.purpose
    nothing = Call(desk.signer.address, b"")
    call = nothing if purpose == "cancel" else Call(tx.call_to, tx.call_data, tx.call_value)
    gas = _gas(desk, tx, purpose, call) if do in (Do.TAKE_BACK, Do.NEW_GAS) else tx.gas
    price = _price(desk, tx, do, purpose, call, gas, tended)
    if price is None:
        return None if do is Do.TAKE_BACK else tx
    if tended.no_signature is not None:
        return None  # it would be asked for each nonce, and each time in vain
    try:
        attempt = desk.sign(purpose, tx.nonce, call, gas, price)
    except ChainfirstError as error:
        tended.no_signature = error
        tended.alerts.append(f"nonce {tx.nonce} can't be signed again: {error.message}")
        return None
    failpoint.reach("take_back.signed" if do is Do.TAKE_BACK else "bump.signed")
    with desk.conn.transaction():
        desk.conn.execute("SET LOCAL synchronous_commit = on")
        desk.assert_leads()
        if not store.lock_open(desk.conn, tx.id):
            return None
        if do is Do.TAKE_BACK and not tx.take_back:
            why = f"no node takes its transaction: {tx.answer_text or tx.answer}"
            store.give_up(desk.conn, tx.intent, why)
        number = store.add_attempt(desk.conn, tx.id, attempt)
        failpoint.reach("take_back.written" if do is Do.TAKE_BACK else "bump.written")
    failpoint.reach("take_back.committed" if do is Do.TAKE_BACK else "bump.committed")
    logger.info("signed_again", why=do.value, nonce=tx.nonce, hash=attempt.hash, intent=str(tx.intent))
    return replace(
        tx,
        attempt=number,
        purpose=purpose,
        raw=attempt.raw,
        hash=attempt.hash,
        gas=gas,
        max_fee_wei=price.max_fee_wei,
        priority_fee_wei=price.max_priority_fee_wei,
        signed_block=desk.head,
        signed_at=desk.now,
    )


def _gas(desk: Desk, tx: store.Open, purpose: store.Purpose, call: Call) -> int:
    """The gas of another attempt. Where the call can't be estimated now, a half more: a block will tell."""
    unknown = TRANSFER_GAS if purpose == "cancel" else tx.gas * 3 // 2
    try:
        estimate = desk.node.estimate_gas(call, desk.signer.address)
    except RpcError as error:
        if error.code is None:  # the line's fault, not the call's
            raise
        estimate = unknown
    if isinstance(estimate, Revert):
        estimate = unknown
    return min(desk.gas_of(estimate), desk.gas_limit)


def _price(
    desk: Desk, tx: store.Open, do: Do, purpose: store.Purpose, call: Call, gas: int, tended: Tended
) -> fees.Fees | None:
    """The fees of another attempt, which must not be one that there is already: it would be the same bytes.
    None: nothing better than the last one can be had."""
    previous, limits = fees.Fees(tx.max_fee_wei, tx.priority_fee_wei), desk.settings.fee_limits
    market = tended.market = tended.market or desk.market()
    wanted = desk.wanted(market)

    def raised(to: fees.Fees) -> fees.Fees | None:
        """If the account can pay it: where there are no fees it has nothing, and a wei is too much."""
        found = fees.bump(previous, to, limits)
        return found if found and found.affordable(gas, call.value, tended.balance_wei) else None

    match do:
        case Do.LOWER:
            tried = [fees.lower(previous, market)]
        case Do.NEW_GAS:
            wanted = desk.affordable(market, gas, call.value)
            tried = [wanted, fees.bump(wanted, wanted, limits)]
        case Do.TAKE_BACK:
            # at the cap too, or its call would be sent again
            tried = [raised(wanted), raised(previous), fees.at_most(previous, limits)]
        case _:
            tried = [raised(wanted), raised(previous)]
    for price in tried:
        if price is not None and not store.was_signed(
            desk.conn, tx.id, purpose, gas, price.max_fee_wei, price.max_priority_fee_wei
        ):
            return price
    return None
