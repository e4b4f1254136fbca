"""From what is configured to what the engine runs on: layouts, sources, factories, registration."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from chainfirst.indexer import announce, decode, engine, finality, router
from chainfirst.indexer.children import Children
from chainfirst.ops.errors import ConfigError
from chainfirst.schema import folds, layout, store


@dataclass(frozen=True)
class Contract:
    """A configured contract. `addresses` None: "any". `factory`: contract key, event, parameter."""

    key: str
    abi: object
    addresses: frozenset[str] | None
    start_block: int
    events: tuple[str, ...] | None
    factory: tuple[str, str, str] | None = None


def policy(configured: Any) -> finality.Policy:
    """The finality policy of the settings: a depth, "instant", or a tag with its fallback."""
    if isinstance(configured, int):
        return finality.Depth(configured)
    if configured == "instant":
        return finality.Instant()
    return finality.Tag(configured.tag, configured.fallback_depth)


def build(
    contracts: Sequence[Contract], final: finality.Policy, *, platform: bool = False
) -> tuple[engine.Setup, list[layout.EventLayout]]:
    """The engine's setup and the layouts of all event tables; with `platform`, the ledger's folds too.

    ConfigError for what can't be indexed, and for a platform whose contracts are not all configured.
    """
    children = {contract.key: Children() for contract in contracts if contract.factory}
    sources: list[router.Source] = []
    for contract in contracts:
        for event in layout.event_layouts(contract.key, contract.abi, contract.events):
            addresses = None if contract.factory else contract.addresses
            sources.append(
                router.Source(
                    decode.compile_event(event), addresses, children.get(contract.key), contract.start_block
                )
            )
    layouts = [source.decoder.layout for source in sources]
    layout.check_tables(layouts)
    announcers = tuple(
        _announcer(contract, sources, children[contract.key])
        # mothers first: their own children are found among logs that came together
        for contract in sorted(contracts, key=lambda each: _generation(each, contracts))
        if contract.factory
    )
    tables = {
        event.table: [*(name for name, _ in layout.COMMON), *(column.name for column in event.columns)]
        for event in layouts
    }
    kept = folds.FOLDS if platform else ()
    missing = sorted({table for fold in kept for table, _ in fold.sources} - tables.keys())
    if missing:
        raise ConfigError(
            f"platform.enabled needs events that no contract of the settings has: {', '.join(missing)}",
            "Configure the platform's contracts with all their events, or set platform.enabled = false.",
        )
    start = min((contract.start_block for contract in contracts), default=0)
    return engine.Setup(router.Router(sources), tables, announcers, start, final, kept), layouts


def _generation(contract: Contract, contracts: Sequence[Contract]) -> int:
    """How many factories stand above it; a circle of factories has no first one, and never a child."""
    factories = {each.key: each.factory[0] for each in contracts if each.factory}
    key, above = contract.key, 0
    while key in factories and above <= len(factories):
        key, above = factories[key], above + 1
    return above


def _announcer(
    contract: Contract, sources: Sequence[router.Source], children: Children
) -> announce.Announcer:
    assert contract.factory is not None
    key, event, parameter = contract.factory
    column = layout.snake_case(parameter)
    for source in sources:
        found = source.decoder.layout
        if (found.contract, found.event) == (key, event) and column in {c.name for c in found.columns}:
            return announce.Announcer(source, column, children)
    raise ConfigError(
        f"contracts.{contract.key}.factory: {key} has no indexed event {event} with a parameter {parameter}",
        f"Correct it, or add {event} to contracts.{key}.events.",
    )


def register(
    connection: psycopg.Connection[Any],
    cursor: store.Cursor,
    contracts: Sequence[Contract],
    layouts: Sequence[layout.EventLayout],
) -> None:
    """Note the sources in chain.sources. One that is new to a database with blocks catches up alone.

    ConfigError for a source that is configured no more, or in another way: its table would go stale, or
    mean something else, in silence.
    """
    before = store.read_sources(connection)
    by_key = {contract.key: contract for contract in contracts}
    wanted = {event.table: _source(by_key[event.contract], event) for event in layouts}
    gone = sorted(before.keys() - wanted.keys())
    if gone:
        raise ConfigError(
            f"these tables are indexed, but their events are configured no more: {', '.join(gone)}",
            "Restore the settings; or give the tables up: chainfirst sources drop NAME.",
        )
    fresh = cursor.indexed_number is None
    if not fresh:
        _check_factories(contracts, layouts, before)
    for source in wanted.values():
        store.add_source(connection, dataclasses.replace(source, joined=fresh))


def _check_factories(
    contracts: Sequence[Contract],
    layouts: Sequence[layout.EventLayout],
    before: Mapping[str, store.Source],
) -> None:
    """ConfigError where children are indexed, but the table that lists them begins anew: what they emitted
    until it has caught up would be missing."""
    for contract in contracts:
        if contract.factory is None:
            continue
        factory, event, _ = contract.factory
        lists = [each.table for each in layouts if (each.contract, each.event) == (factory, event)]
        children = [each.table for each in layouts if each.contract == contract.key and each.table in before]
        if children and not any(table in before for table in lists):
            raise ConfigError(
                f"event.{lists[0]}, which lists the children of contracts.{contract.key}, is not indexed, "
                f"but they are: {', '.join(children)}",
                "Give these tables up too, so that they are indexed together: chainfirst sources drop NAME.",
            )


def _source(contract: Contract, event: layout.EventLayout) -> store.Source:
    addresses = None if contract.addresses is None else sorted(contract.addresses)
    wanted = {"addresses": addresses, "start_block": contract.start_block, "factory": contract.factory}
    facts = f"{event.fingerprint} {wanted!r}"
    return store.Source(
        table_name=event.table,
        contract=contract.key,
        event=event.signature,
        filter=wanted,
        fingerprint=hashlib.sha256(facts.encode()).hexdigest(),
        complete_to=contract.start_block - 1,
    )
