"""From new intents to sent transactions: validate, simulate, estimate, sign, store, and only then send.

A nonce is taken last, in the transaction that stores the signed bytes: what can be refused was refused
before. The batch is small, and whatever happens between two steps is found again by the next round.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from chainfirst.indexer.rpc import errors as rpc_errors
from chainfirst.ops import failpoint, log
from chainfirst.writers import account, fees, payload, settle, store
from chainfirst.writers.answers import Class, Reaction
from chainfirst.writers.desk import Desk, KindLimits
from chainfirst.writers.kinds import Call, Kind, Prepared
from chainfirst.writers.limits import Decision
from chainfirst.writers.refusals import Refusals
from chainfirst.writers.reverts import Revert
from chainfirst.writers.store import Candidate

BATCH = 50
DAY = timedelta(days=1)
NO_HEAD = frozenset({rpc_errors.Kind.BLOCK_UNKNOWN, rpc_errors.Kind.LAG})  # a replica that lags
logger = log.get("lane")


@dataclass(frozen=True)
class _Wait:
    """Why an intent isn't signed now; `refused`: since when its call is reverted, as far as that counts."""

    reason: str
    refused: store.Refusal | None = None
    alert: bool = False


@dataclass
class _Round:
    """The verdicts on a round's candidates, written in one transaction."""

    prepared: dict[uuid.UUID, Prepared] = field(default_factory=dict)
    rejected: dict[uuid.UUID, str] = field(default_factory=dict)
    waiting: dict[uuid.UUID, _Wait] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)


def sign_new(desk: Desk, room: int, final: int | None) -> int:
    """One batch of at most `room` new intents; how many of them went on, by a verdict or a nonce.
    `final`: the last final block."""
    failpoint.reach("claim.before")
    wanted = store.candidates(
        desk.conn,
        signer=desk.signer.address,
        kinds=desk.settings.own,
        default=desk.settings.default,
        head=desk.head,
        now=desk.now,
        limit=min(room, BATCH),
    )
    if not wanted:
        return 0
    failpoint.reach("claim.after")
    by_id = {each.id: each for each in wanted}
    round_ = _validate(desk, wanted)
    going = _write_prepared(desk, by_id, round_)
    ready = _simulate(desk, [by_id[intent] for intent in going], round_, final)
    ready = _within_the_day(desk, by_id, ready, round_)
    price: fees.Fees | None = None
    if ready:
        market = desk.market()
        values = (round_.prepared[intent].call.value for intent, _ in ready)
        price = desk.affordable(market, sum(gas for _, gas in ready), sum(values))
        if not price.pays(market.base_fee_wei):
            # without its amount: another reason each block would be another line of history each block
            why = "the base fee is above writer.fees.fee_cap_wei"
            round_.waiting |= {intent: _Wait(why, alert=True) for intent, _ in ready}
            price = None
    _write_verdicts(desk, round_)
    went_on = len(wanted) - len(ready)
    if price is not None:
        went_on += _sign_and_send(desk, by_id, ready, round_, price)
    return went_on


def _validate(desk: Desk, wanted: Sequence[Candidate]) -> _Round:
    """Payloads, limits, and whether all that a kind needs is indexed; nothing is asked of the node."""
    round_ = _Round()
    book = desk.settings.book(desk.conn)
    for each in wanted:
        kind = desk.settings.kinds.get(each.kind)
        if kind is None:
            known = ", ".join(sorted(desk.settings.kinds))
            round_.rejected[each.id] = f"there is no kind {each.kind}; there are: {known}"
            continue
        missing = store.incomplete(desk.conn, kind.tables)
        if missing:
            names = ", ".join(missing)
            why = f"these tables are not indexed to the head yet: {names}"
            round_.waiting[each.id] = _Wait(why, each.refused)
            continue
        try:
            prepared = kind.read(payload.loads(each.payload), book)
        except payload.NotFinal as error:
            round_.waiting[each.id] = _Wait(str(error), each.refused)
            continue
        except payload.PayloadError as error:
            round_.rejected[each.id] = str(error)
            continue
        if missing := store.incomplete(desk.conn, [prepared.expected.table]):
            why = f"event.{missing[0]} is not indexed to the head yet"
            round_.waiting[each.id] = _Wait(why, each.refused)
            continue
        _check_limits(desk, each, kind, prepared, round_)
    return round_


def _within_the_day(
    desk: Desk, by_id: dict[uuid.UUID, Candidate], ready: Sequence[tuple[uuid.UUID, int]], round_: _Round
) -> list[tuple[uuid.UUID, int]]:
    """Those that the day's limits leave room for, in their order; counted after the simulation, since what
    isn't signed must not take room from those behind it."""
    kept = []
    for intent, gas in ready:
        name, amount = by_id[intent].kind, round_.prepared[intent].amount
        limits, spent = desk.settings.kind_limits.get(name, KindLimits()), round_.spent.get(name, 0)
        verdict = limits.check(amount, spent, by_id[intent].approved_at is not None)
        if verdict.decision is Decision.ALLOWED:
            round_.spent[name] = spent + (amount or 0)
            kept.append((intent, gas))
        else:
            round_.waiting[intent] = _Wait(verdict.reason)
    return kept


def _check_limits(desk: Desk, each: Candidate, kind: Kind[Any], prepared: Prepared, round_: _Round) -> None:
    limits = desk.settings.kind_limits.get(kind.name, KindLimits())
    if limits.max_amount_a_day is not None and kind.name not in round_.spent:
        since = desk.now - DAY
        round_.spent[kind.name] = store.spent(desk.conn, desk.signer.address, kind.name, since)
    spent = round_.spent.get(kind.name, 0)
    verdict = limits.check(prepared.amount, spent, each.approved_at is not None)
    if verdict.decision is Decision.REJECTED:
        round_.rejected[each.id] = verdict.reason
    elif verdict.decision is Decision.WAITS:
        round_.waiting[each.id] = _Wait(verdict.reason, each.refused)
    else:
        round_.prepared[each.id] = prepared


def _write_prepared(desk: Desk, by_id: dict[uuid.UUID, Candidate], round_: _Round) -> list[uuid.UUID]:
    """Note calls and events; those that are true already settle at once, the others go on. What an app holds
    comes in another round."""
    if not round_.prepared:
        return []
    with desk.conn.transaction():
        desk.assert_leads()
        indexed, final = store.hold_cursor(desk.conn)
        free = store.lock_free(desk.conn, round_.prepared)
        once = {intent for intent in free if desk.settings.kinds[by_id[intent].kind].once}
        for intent in free:
            prepared, signer = round_.prepared[intent], desk.signer.address
            if store.prepare(desk.conn, intent, signer, prepared, once=intent in once):
                by_id[intent] = replace(by_id[intent], waiting_block=None, waiting_hash=None)
        if indexed is not None:
            settle.already_true(desk.conn, sorted(once), 0, indexed, final)
        unsettled = store.unsettled(desk.conn, free)
        failpoint.reach("prepare.written")
    failpoint.reach("prepare.committed")
    return [intent for intent in round_.prepared if intent in unsettled]


def _simulate(
    desk: Desk, going: Sequence[Candidate], round_: _Round, final: int | None
) -> list[tuple[uuid.UUID, int]]:
    """Intents that would succeed now, each with its gas. A revert makes one wait, or ends it in the end: each
    costs one call a block."""
    sender = desk.signer.address
    calls = [(round_.prepared[each.id].call, sender) for each in going]
    results = desk.node.calls(calls, desk.head)
    refusals = Refusals(desk, final)
    for each, result in zip(going, results, strict=True):
        if isinstance(result, Revert):
            _refuse(desk, each, result, refusals, round_)
        elif isinstance(result, rpc_errors.RpcError):
            if result.kind in NO_HEAD:
                raise result
            why = f"the node can't simulate it: {result.text}"
            round_.waiting[each.id] = _Wait(why, each.refused)
    trying = [each for each in going if each.id not in {**round_.rejected, **round_.waiting}]
    calls = [(round_.prepared[each.id].call, sender) for each in trying]
    ready = []
    for each, estimate in zip(trying, desk.node.estimates(calls), strict=True):
        if isinstance(estimate, int):
            if estimate > desk.gas_of(estimate) or estimate > (desk.settings.gas_cap or desk.gas_limit):
                cap = desk.settings.gas_cap or desk.gas_limit
                why = f"it needs {estimate} gas, above the cap of {cap}"
                round_.waiting[each.id] = _Wait(why, alert=True)
            else:
                ready.append((each.id, desk.gas_of(estimate)))
        elif isinstance(estimate, Revert):
            round_.waiting[each.id] = _Wait(estimate.text, alert=_waits(desk, each, estimate))
        else:
            round_.waiting[each.id] = _Wait(f"the node can't estimate it: {estimate.text}")
    return ready


def _refuse(desk: Desk, each: Candidate, revert: Revert, refusals: Refusals, round_: _Round) -> None:
    """What a kind waits for without end is no refusal."""
    if _waits(desk, each, revert):
        round_.waiting[each.id] = _Wait(revert.text, alert=True)
        return
    since, for_good = refusals.judge(each.refused)
    if since is not None and for_good:
        why = f"{revert.text} (reverted since block {since.block}, which is final)"
        round_.rejected[each.id] = why
    else:
        round_.waiting[each.id] = _Wait(revert.text, since)


def _waits(desk: Desk, each: Candidate, revert: Revert) -> bool:
    return desk.settings.kinds[each.kind].waits(revert.name, revert.arguments)


def _write_verdicts(desk: Desk, round_: _Round) -> None:
    if not round_.rejected and not round_.waiting:
        return
    with desk.conn.transaction():
        if round_.rejected:  # an end that an app has seen stays, whatever happens to the server
            desk.conn.execute("SET LOCAL synchronous_commit = on")
        desk.assert_leads()
        if round_.rejected:
            store.hold_cursor(desk.conn)  # a batch may just settle one of them
        for intent in store.lock_free(desk.conn, {*round_.rejected, *round_.waiting}):
            if intent in round_.rejected:
                store.reject(desk.conn, intent, round_.rejected[intent])
                logger.warning("rejected", intent=str(intent), why=round_.rejected[intent])
                continue
            wait = round_.waiting[intent]
            if store.wait(desk.conn, intent, wait.reason, desk.head, refused=wait.refused, alert=wait.alert):
                logger.info("waits", intent=str(intent), why=wait.reason, alert=wait.alert)
        failpoint.reach("verdicts.written")
    failpoint.reach("verdicts.committed")


def _sign_and_send(
    desk: Desk,
    by_id: dict[uuid.UUID, Candidate],
    ready: Sequence[tuple[uuid.UUID, int]],
    round_: _Round,
    price: fees.Fees,
) -> int:
    """How many were signed."""
    signed: list[tuple[uuid.UUID, int, store.NewAttempt]] = []
    numbers: list[int] = []
    while not numbers:
        first = account.next_nonce(desk.conn, desk.signer.address)
        signed = []
        for nonce, (intent, gas) in enumerate(ready, first):
            failpoint.reach("sign.before")
            signed.append((intent, nonce, desk.sign("call", nonce, _call(round_, intent), gas, price)))
            failpoint.reach("sign.after")
        with desk.conn.transaction():
            desk.conn.execute("SET LOCAL synchronous_commit = on")
            desk.assert_leads()
            ids = [intent for intent, _, _ in signed]
            free = store.lock_unsigned(desk.conn, desk.signer.address, ids, desk.now)
            if free == set(ids):
                numbers = _store(desk, signed)
            else:  # cancelled, paused or settled meanwhile: their nonces would lack. Nothing was sent.
                ready = [each for each in ready if each[0] in free]
        if not ready:
            return 0
    failpoint.reach("nonces.committed")
    for number, (intent, nonce, attempt) in zip(numbers, signed, strict=True):
        answer = desk.send(number, attempt.raw)
        logger.info(
            "sent",
            intent=str(intent),
            kind=by_id[intent].kind,
            nonce=nonce,
            hash=attempt.hash,
            answer=answer.cls.value,
        )
        if answer.cls is Class.UNKNOWN or answer.reaction is Reaction.STOP_LANE:
            break  # the others are stored: they are sent when the node answers again, or takes them
    return len(numbers)


def _store(desk: Desk, signed: Sequence[tuple[uuid.UUID, int, store.NewAttempt]]) -> list[int]:
    """The numbers of the attempts. What the transaction is about: after it they may be sent."""
    numbers = []
    store.ready(desk.conn, [intent for intent, _, _ in signed])
    for intent, nonce, attempt in signed:
        transaction = store.take_nonce(desk.conn, desk.signer.address, nonce, intent)
        numbers.append(store.add_attempt(desk.conn, transaction, attempt))
    failpoint.reach("nonces.written")
    return numbers


def _call(round_: _Round, intent: uuid.UUID) -> Call:
    return round_.prepared[intent].call
