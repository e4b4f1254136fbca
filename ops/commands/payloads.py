"""What these settings' kinds make of a payload before it is stored: a person hears of mistakes at once."""

import difflib
from typing import TYPE_CHECKING, Any

from chainfirst.ops import config as settings
from chainfirst.ops import errors, values
from chainfirst.ops.commands import parts

if TYPE_CHECKING:
    from chainfirst.ops.session import Connection
    from chainfirst.writers.kinds import Kind


class PayloadRefused(errors.FatalError):
    """The daemon would reject it."""


def kinds(found: settings.Config) -> "dict[str, Kind[Any]]":
    """The kinds that there are with these settings, deployed or not."""
    from chainfirst.writers import catalogue, contract_call

    platform = catalogue.PLATFORM if found.platform.enabled else ()
    return {each.name: each for each in (*platform, contract_call.kind(found.writer.calls))}


def check(found: settings.Config, connection: "Connection", kind: str, text: str) -> list[str]:
    """What a person should know of an intent that is about to be submitted; nothing is stored.

    PayloadRefused: there is no such kind, the payload (JSON text) is wrong, or its amount is above the
    kind's limits. Ids that are not indexed (yet) are only told of: a parent may bring them.
    """
    from chainfirst.writers import payload
    from chainfirst.writers.limits import Decision
    from chainfirst.writers.limits import check as check_limits

    known = kinds(found)
    if kind not in known:
        near = difflib.get_close_matches(kind, known, 1)
        advice = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(known))}."
        raise PayloadRefused(f"there is no kind {kind} in these settings", advice)
    notes = (
        [] if found.writer.signer else ["writer.signer isn't set: a daemon with these settings signs nothing"]
    )
    try:
        amount = _amount(found, connection, known[kind], payload.loads(text))
    except payload.UnknownId as error:
        return [*notes, f"{error}; it is rejected unless that is indexed when its turn comes"]
    except payload.PayloadError as error:
        raise PayloadRefused(
            f"the payload is not one of {kind}: {error}", "See docs/kinds.md; nothing was submitted."
        ) from error
    limits = found.writer.kinds.get(kind, settings.KindLimits())
    verdict = check_limits(
        amount,
        max_amount=_units(limits.max_amount),
        max_amount_a_day=_units(limits.max_amount_a_day),
        approve_above=_units(limits.approve_above),
    )
    if verdict.decision is Decision.REJECTED:
        raise PayloadRefused(f"{kind}: {verdict.reason}", "Nothing was submitted.")
    return [*notes, f"it will wait for {verdict.reason}"] if verdict.decision is Decision.WAITS else notes


def _units(limit: values.Amount | None) -> int | None:
    return None if limit is None else limit.units


def _amount(found: settings.Config, connection: "Connection", kind: "Kind[Any]", data: object) -> int | None:
    """What counts against its limits. Without contracts only the fields themselves can be checked."""
    from chainfirst.writers import book, contract, payload

    if found.undeployed or not found.contracts:
        payload.read(kind.payload, data)
        return None
    contracts = contract.configured(parts.contracts(found))
    return kind.read(data, book.SqlBook(connection, contracts)).amount
