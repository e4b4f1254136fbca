"""What is wrong between settings of which each is right by itself; reads the ABI files."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainfirst.ops.settings import Problem

if TYPE_CHECKING:
    from chainfirst.ops.config import Config, Factory


def find(config: "Config", deployed: bool) -> Iterable[Problem]:
    """What is wrong between values, each of which is right by itself."""
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
