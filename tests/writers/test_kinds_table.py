"""The table of docs/kinds.md is what the kinds declare."""

from pathlib import Path
from typing import Any

import msgspec
from chainfirst.tests.writers.samples import VALID, MemoryBook
from chainfirst.writers import catalogue, contract_call
from chainfirst.writers.kinds import TOKEN_LACKS, Kind

PAGE = Path(__file__).parents[2] / "docs" / "kinds.md"


def row(kind: Kind[Any]) -> str:
    """The kind's line."""
    known = msgspec.structs.fields(kind.payload)
    fields = [f"{field.name}{'' if field.required else '?'}" for field in known]
    expected = kind.read(VALID[kind.name], MemoryBook()).expected
    table = f"{expected.table}, by {expected.key_column}"
    if kind.name == "contract.call":
        table = "the one that `event` names"
    named = [f"`{name}`" for name in sorted(kind.waits_for - TOKEN_LACKS)]
    waits = [*named, *(["what the token lacks"] if kind.waits_for >= TOKEN_LACKS else [])]
    cells = (
        f"`{kind.name}`", ", ".join(fields), "once" if kind.once else "repeatable", table,
        ", ".join(waits) or "nothing", kind.counts or "",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |".replace("  |", " |")


def test_the_table_is_what_the_kinds_declare() -> None:
    kinds = (*catalogue.PLATFORM, contract_call.kind(["share_certificate.approve"]))
    found = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert found == [row(kind) for kind in kinds]
