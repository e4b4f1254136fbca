"""The typed table of an event: names, columns, fingerprint, DDL. Pure.

Every table begins with the same six columns (`COMMON`) and has the primary key (block_number, tx_index,
log_index): some chains number logs per transaction.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from chainfirst.ops.errors import ConfigError
from chainfirst.schema import abi
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql.elements import quoted_name

SCHEMA = "event"
MAX_NAME_BYTES = 63  # PostgreSQL's NAMEDATALEN - 1; longer names are cut silently there
COMMON = (
    ("block_number", "bigint"),
    ("tx_index", "integer"),
    ("log_index", "integer"),
    ("block_time", "timestamptz"),
    ("tx_hash", "text"),
    ("address", "text"),
)
KEY = ("block_number", "tx_index", "log_index")
# logs that fit no ABI, or whose text PostgreSQL can't hold, as the chain has them
UNDECODED = "undecoded"
UNDECODED_COLUMNS = (*COMMON, ("topics", "text[]"), ("data", "bytea"), ("reason", "text"))

_CONTRACT_KEY = re.compile("[a-z][a-z0-9_]*")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SQL_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "smallint": sa.SmallInteger(),
    "integer": sa.Integer(),
    "bigint": sa.BigInteger(),
    "numeric(78,0)": sa.Numeric(78, 0),
    "boolean": sa.Boolean(),
    "text": sa.Text(),
    "text[]": postgresql.ARRAY(sa.Text()),
    "bytea": postgresql.BYTEA(),
    "jsonb": postgresql.JSONB(),
    "timestamptz": sa.DateTime(timezone=True),
}


@dataclass(frozen=True)
class Column:
    """One parameter's column. `abi_type` as in the ABI; `components` for a tuple or an array of tuples."""

    name: str
    sql_type: str
    abi_type: str
    indexed: bool
    components: tuple[abi.Param, ...] = ()

    @property
    def param(self) -> abi.Param:
        return abi.Param(self.name, self.abi_type, self.indexed, self.components)

    @property
    def hashed(self) -> bool:
        """An indexed value that a topic can't hold: the topic is its keccak. Static arrays and tuples too."""
        return self.indexed and (self.abi_type in ("string", "bytes") or _composite(self.abi_type))


@dataclass(frozen=True)
class EventLayout:
    """An event of a configured contract and its table. `columns`: the parameters, in the ABI's order.

    `fingerprint` changes when the table would: signature, indexed flags, names.
    """

    contract: str
    event: str
    signature: str
    topic0: str
    n_topics: int
    anonymous: bool
    table: str
    columns: tuple[Column, ...]
    fingerprint: str


def snake_case(name: str) -> str:
    """`sqrtPriceX96` → `sqrt_price_x96`, `ERC20Paused` → `erc20_paused`; other underscores stay."""
    return _WORDS.sub("_", name).lower()


def event_layouts(
    contract_key: str, document: object, events: Sequence[str] | None = None
) -> tuple[EventLayout, ...]:
    """The layouts of a contract's events; `events` picks by name or signature, None takes all.

    Names are given over the whole ABI before picking, so that picking fewer renames no table.
    ConfigError: a bad key, an unknown event, a picked one of an unsupported type, two events with one
    table name.
    """
    if not _CONTRACT_KEY.fullmatch(contract_key):
        raise ConfigError(
            f"the contract key {contract_key!r} can't begin a table's name", f"Use {_CONTRACT_KEY.pattern}"
        )
    # the same event twice (the union of a diamond's ABIs) is one table, named by the first
    shapes: dict[object, abi.Event] = {}
    for event in abi.events_of(document):
        shapes.setdefault(event.shape, event)
    known = tuple(shapes.values())
    picked = {event for event in known if events is None or {event.name, event.signature} & set(events)}
    unknown = set(events or ()) - {event.name for event in known} - {event.signature for event in known}
    if unknown:
        raise ConfigError(
            f"contract {contract_key} has no event {', '.join(sorted(unknown))}",
            f"Its ABI has: {', '.join(event.signature for event in known) or 'none'}",
        )
    seen: Counter[str] = Counter()
    layouts = []
    for event in known:
        seen[event.name] += 1
        if event in picked:
            abi.check_supported(event)
            layouts.append(_layout(contract_key, event, overload=seen[event.name] > 1))
    check_tables(layouts)
    return tuple(layouts)


def check_tables(layouts: Iterable[EventLayout]) -> None:
    """ConfigError when two events, of one contract or of several, would share a table."""
    owners: dict[str, EventLayout] = {}
    for layout in layouts:
        other = owners.setdefault(layout.table, layout)
        if other is not layout or layout.table == UNDECODED:
            names = f"{other.contract}.{other.signature} and {layout.contract}.{layout.signature}"
            raise ConfigError(f"{names} need one table, event.{layout.table}", "Rename a contract's key")


def table(layout: EventLayout, metadata: sa.MetaData | None = None) -> sa.Table:
    """The event's table for SQLAlchemy Core."""
    columns = (*COMMON, *((column.name, column.sql_type) for column in layout.columns))
    return _table(layout.table, columns, metadata)


def undecoded_table(metadata: sa.MetaData | None = None) -> sa.Table:
    """The table event.undecoded."""
    return _table(UNDECODED, UNDECODED_COLUMNS, metadata)


def create_table(target: sa.Table, *, if_not_exists: bool = False) -> str:
    """CREATE TABLE of a table, in PostgreSQL's words."""
    # sqlalchemy ships no types for the dialect's constructor
    dialect: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return str(CreateTable(target, if_not_exists=if_not_exists).compile(dialect=dialect)).strip()


def _table(name: str, columns: Iterable[tuple[str, str]], metadata: sa.MetaData | None) -> sa.Table:
    # always quoted: an ABI's names may be SQL words
    return sa.Table(
        quoted_name(name, True),
        sa.MetaData() if metadata is None else metadata,
        *(
            sa.Column(quoted_name(column, True), _SQL_TYPES[kind], nullable=False, autoincrement=False)
            for column, kind in columns
        ),
        sa.PrimaryKeyConstraint(*KEY),
        schema=SCHEMA,
    )


def _layout(contract: str, event: abi.Event, *, overload: bool) -> EventLayout:
    suffix = f"_{event.topic0[2:10]}" if overload else ""
    columns = _columns(event.params)
    facts = (event.signature, str(event.anonymous), *(column.param.described for column in columns))
    return EventLayout(
        contract=contract,
        event=event.name,
        signature=event.signature,
        topic0=event.topic0,
        n_topics=sum(param.indexed for param in event.params) + (not event.anonymous),
        anonymous=event.anonymous,
        table=_fit(f"{contract}_{snake_case(event.name)}{suffix}"),
        columns=columns,
        fingerprint=hashlib.sha256("\n".join(facts).encode()).hexdigest(),
    )


def _columns(params: Iterable[abi.Param]) -> tuple[Column, ...]:
    taken = {name for name, _ in COMMON}
    columns = []
    for index, param in enumerate(params):
        name = _fit(snake_case(param.name) if param.name else f"arg{index}")
        while name in taken:
            name = _fit(f"{name}_")
        taken.add(name)
        column = Column(name, _sql_type(param), param.type, param.indexed, param.components)
        columns.append(column)
    return tuple(columns)


def _fit(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    return f"{name[:54]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _composite(kind: str) -> bool:
    return kind.endswith("]") or kind == "tuple"


def _sql_type(param: abi.Param) -> str:
    if _composite(param.type):
        return "text" if param.indexed else "jsonb"
    if param.type == "bytes":
        return "text" if param.indexed else "bytea"
    if param.type == "bool":
        return "boolean"
    if param.type.startswith(("uint", "int")):
        unsigned = param.type.startswith("u")
        bits = int(param.type.removeprefix("u").removeprefix("int")) + unsigned
        sizes = ((16, "smallint"), (32, "integer"), (64, "bigint"))
        return next((name for size, name in sizes if bits <= size), "numeric(78,0)")
    return "text"  # address, string, bytesN, function (24 bytes: address and selector)
