"""What is wrong between settings of which each is right by itself; reads the ABI files."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainfirst.ops.settings import Problem

if TYPE_CHECKING:
    from chainfirst.ops.config import Config, Factory, Writer


def find(config: "Config", deployed: bool) -> Iterable[Problem]:
    """What is wrong between values, each of which is right by itself."""
    if not any(each.dev or each.full.startswith("http") for each in config.chain.endpoints):
        yield Problem("chain.endpoints", "no http(s):// URL", "at least one: blocks are read there")
    entries: dict[str, list[dict[str, Any]]] = {}
    for key, contract in config.contracts.items():
        place = f"contracts.{key}"
        if not re.fullmatch(r"[a-z][a-z0-9_]*", key):
            yield Problem(place, f'the key "{key}"', "lower-case letters, digits and _, a letter first")
        if contract.address is not None and contract.factory is not None:
            yield Problem(place, "both address and factory", "one of them")
        if contract.address is None and contract.factory is None and (deployed or config.deployment is None):
            yield Problem(f"{place}.address", "nothing, here or deployed", "an address or a factory")
        try:
            entries[key] = load_abi(config.path(contract.abi))
        except ValueError as error:
            yield Problem(f"{place}.abi", str(error), "an ABI, or a solc, Hardhat or Foundry artifact")
            continue
        names = _event_names(entries[key])
        for event in contract.events or ():
            if event not in names:
                yield Problem(
                    f"{place}.events", f'"{event}", which its ABI has not', ", ".join(names) or "none"
                )
    for key, contract in config.contracts.items():
        if contract.factory is not None:
            yield from _factory_mistakes(config, f"contracts.{key}.factory", contract.factory, entries.get)
    yield from _lane_mistakes(config)
    yield from _limit_mistakes(config.writer)
    for index, call in enumerate(config.writer.calls):
        yield from _call_mistakes(config, f"writer.calls[{index}]", call, entries.get)


def kind_mistakes(writer: "Writer", amounts: Mapping[str, str | None]) -> Iterable[Problem]:
    """What the settings say of kinds that there are not, and limits that limit nothing.

    `amounts`: every kind, and what counts against its limits in words; None: nothing does.
    """
    known = ", ".join(sorted(amounts))
    for name, lane in writer.lanes.items():
        for index, pattern in enumerate(lane.kinds):
            if not any(pattern.matches(kind) for kind in amounts):
                place = f"writer.lanes.{name}.kinds[{index}]"
                yield Problem(place, f'"{pattern}", which is no kind', known)
    for kind in writer.kinds:
        if kind not in amounts:
            yield Problem(f"writer.kinds.{kind}", f'"{kind}", which is no kind', known)
        elif amounts[kind] is None:
            limited = ", ".join(sorted(each for each, amount in amounts.items() if amount is not None))
            yield Problem(f"writer.kinds.{kind}", f'"{kind}", which has no amount', limited or "none has one")


def _factory_mistakes(
    config: "Config", place: str, factory: "Factory", entries_of: Callable[[str], list[dict[str, Any]] | None]
) -> Iterable[Problem]:
    if factory.contract not in config.contracts:
        known = ", ".join(config.contracts)
        yield Problem(
            f"{place}.contract", f'"{factory.contract}", which is not configured', f"one of {known}"
        )
        return
    entries = entries_of(factory.contract)
    if entries is None:
        return
    events = [e for e in entries if e.get("type") == "event" and e.get("name") == factory.event]
    if not events:
        names = ", ".join(_event_names(entries)) or "none"
        yield Problem(f"{place}.event", f'"{factory.event}", which {factory.contract} has not', names)
        return
    inputs = [i.get("name") for i in events[0].get("inputs", []) if i.get("type") == "address"]
    if factory.parameter not in inputs:
        what = f"an address parameter: {', '.join(map(str, inputs)) or 'it has none'}"
        yield Problem(f"{place}.parameter", f'"{factory.parameter}"', what)


def _lane_mistakes(config: "Config") -> Iterable[Problem]:
    """Each kind has one lane and each key too; only a keystore has a password."""
    writer = config.writer
    if writer.signer is None and (writer.lanes or writer.password_file):
        yield Problem("writer.signer", "nothing", "a signer, where lanes or password_file are set")
    claims: dict[str, str] = {}
    for name, lane in writer.lanes.items():
        if name == "default" or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            what = 'lower-case letters, digits and _, a letter first, not "default"'
            yield Problem(f"writer.lanes.{name}", f'the name "{name}"', what)
        for index, pattern in enumerate(lane.kinds):
            if claims.setdefault(pattern.full, name) != name:
                found = f'"{pattern}", which the lane {claims[pattern.full]} has'
                yield Problem(f"writer.lanes.{name}.kinds[{index}]", found, "a kind in one lane only")
    keys = [("writer", writer.signer, writer.password_file)]
    keys += [(f"writer.lanes.{name}", lane.signer, lane.password_file) for name, lane in writer.lanes.items()]
    owners: dict[tuple[object, ...], str] = {}
    for place, signer, password_file in keys:
        if signer is None:
            continue
        if password_file is not None and signer.kind != "keystore":
            yield Problem(f"{place}.password_file", f"a password for {signer}", "one for a keystore only")
        target = config.path(Path(signer.target)).resolve() if signer.kind == "keystore" else signer.target
        owner = owners.setdefault((signer.kind, target, signer.account), place)
        if owner != place:
            yield Problem(f"{place}.signer", f"{signer}, the same as {owner}.signer", "a key of its own")


def _limit_mistakes(writer: "Writer") -> Iterable[Problem]:
    if writer.fees.tip_floor_wei > writer.fees.fee_cap_wei:
        cap = f"at most fee_cap_wei, {writer.fees.fee_cap_wei}"
        yield Problem("writer.fees.tip_floor_wei", str(writer.fees.tip_floor_wei), cap)
    for kind, limits in writer.kinds.items():
        place = f"writer.kinds.{kind}"
        if not re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", kind):
            yield Problem(place, f'the kind "{kind}"', 'one kind by its name, such as "escrow.refund"')
        a_day, most, above = limits.max_amount_a_day, limits.max_amount, limits.approve_above
        if most and a_day and most.units > a_day.units:
            yield Problem(f"{place}.max_amount", f'"{most}"', f'at most max_amount_a_day, "{a_day}"')
        lowest = min((each.units for each in (most, a_day) if each), default=None)
        if above and lowest is not None and above.units >= lowest:
            yield Problem(f"{place}.approve_above", f'"{above}"', f'less than "{lowest}", the most amount')


def _call_mistakes(
    config: "Config", place: str, call: str, entries_of: Callable[[str], list[dict[str, Any]] | None]
) -> Iterable[Problem]:
    """contract.function, which is each of that name, or contract.function(type,…)."""
    contract, _, function = call.replace(" ", "").partition(".")
    if contract not in config.contracts or not function:
        known = ", ".join(config.contracts) or "none is configured"
        yield Problem(place, f'"{call}"', f'"contract.function" of a configured contract: {known}')
        return
    entries = entries_of(contract)
    if entries is None:
        return
    functions = {
        f"{e.get('name')}({','.join(_type(i) for i in e.get('inputs', []))})"
        for e in entries
        if e.get("type") == "function"
        and e.get("stateMutability") not in ("view", "pure")
        and not e.get("constant")  # an old ABI's word for view
    }
    if not any(function in (each, each.partition("(")[0]) for each in functions):
        names = ", ".join(sorted(functions)) or "none: its ABI has no such functions"
        yield Problem(place, f'"{call}"', f"one of {contract}'s functions that change something: {names}")


def _type(parameter: dict[str, Any]) -> str:
    """An ABI parameter's canonical type."""
    kind = str(parameter.get("type"))
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(_type(each) for each in parameter.get("components", []))
    return f"({inner}){kind.removeprefix('tuple')}"


def _event_names(entries: list[dict[str, Any]]) -> list[str]:
    return sorted({str(entry.get("name")) for entry in entries if entry.get("type") == "event"})


def load_abi(path: Path) -> list[dict[str, Any]]:
    """The entries of an ABI file or of a solc, Hardhat or Foundry artifact; ValueError if it is neither."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}, which does not exist") from None
    except (OSError, ValueError):
        raise ValueError(f"{path}, which can't be read as JSON") from None
    entries = content.get("abi") if isinstance(content, dict) else content
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{path}, in which there is no ABI")
    return entries
