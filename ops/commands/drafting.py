"""A config.toml for a chain, a database and contracts, made from the one that ships: so every key is in it,
explained in the same words. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

INTRODUCTION = """\
# Written by `chainfirst init`. Check it with `chainfirst config check`, and all that a daemon needs with
# `chainfirst doctor`. Every value can be overridden by an environment variable:
# CHAINFIRST_DATABASE__URL=… CHAINFIRST_CHAIN__CHAIN_ID=…
"""


@dataclass(frozen=True)
class Contract:
    """A contract to index. `abi`: a path from the config's folder; `addresses`: "any", or one and more."""

    abi: str
    addresses: str | Sequence[str]
    start_block: int
    note: str = ""


@dataclass(frozen=True)
class Wanted:
    """What differs from the settings that ship. `finality` is TOML; `contracts` None: the platform's.
    `set_values`: keys of tables that are commented out, with their values in TOML."""

    database: str
    chain_id: int
    endpoints: Sequence[str]
    finality: str
    finality_note: str
    contracts: Mapping[str, Contract] | None
    abi_folder: str
    deployment: str
    set_values: Mapping[tuple[str, str], str]


def draft(shipped: str, wanted: Wanted) -> str:
    """The new file's text; `shipped` is the text of the settings that ship."""
    blocks = [_block(each, wanted) for each in shipped.strip("\n").split("\n\n")[1:]]
    if wanted.contracts is not None:
        own = "\n\n".join(_contract(key, each) for key, each in wanted.contracts.items())
        first = next(i for i, each in enumerate(blocks) if each.startswith("# Any other contract"))
        blocks.insert(first, own)
    text = "\n\n".join(each for each in (INTRODUCTION.strip("\n"), *blocks) if each) + "\n"
    for (table, key), value in wanted.set_values.items():
        text = _set(text, table, key, value)
    return text


def string(text: str) -> str:
    """A TOML basic string (TOML 1.0, String)."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _block(block: str, wanted: Wanted) -> str:
    """One of the blocks between empty lines; empty: left out."""
    platform = wanted.contracts is None
    if block.startswith("deployment"):
        return _set(block, None, "deployment", string(wanted.deployment)) if platform else ""
    if block.startswith("[platform]"):
        return block if platform else _set(block, None, "enabled", "false")
    if block.startswith("[database]"):
        return re.sub(r"^url = .*$", lambda _: f"url = {string(wanted.database)}", block, flags=re.MULTILINE)
    if block.startswith("[chain]"):
        return "\n".join(
            [
                "[chain]",
                f"chain_id = {wanted.chain_id} # checked on every endpoint before anything else",
                "# http(s):// and ws(s):// URLs, in order of preference",
                f"endpoints = [{', '.join(map(string, wanted.endpoints))}]",
                '# a depth in blocks; or "instant" (IBFT, QBFT, PolyBFT only); or a tag of the node',
                f"finality = {wanted.finality} # {wanted.finality_note}",
            ]
        )
    if re.match(r"(#[^\n]*\n)?\[contracts\.", block):
        moved = re.sub(r"contracts/artifacts/", lambda _: f"{wanted.abi_folder}/", block)
        return moved if platform else ""
    return "" if block.startswith("[dev]") else block


def _contract(key: str, contract: Contract) -> str:
    several = contract.addresses
    address = string(several) if isinstance(several, str) else f"[{', '.join(map(string, several))}]"
    lines = [f"[contracts.{key}]", f"abi = {string(contract.abi)}", f"address = {address}"]
    note = f" # {contract.note}" if contract.note else ""
    return "\n".join([*lines, f"start_block = {contract.start_block}{note}"])


def _set(text: str, table: str | None, key: str, value: str) -> str:
    """With this value at the key, and its comment after it; a table and a key that are commented out are no
    longer."""
    begin = 0
    if table is not None:
        header = re.search(rf"^(?:# )?\[{re.escape(table)}\]", text, re.MULTILINE)
        assert header, table
        text = text[: header.start()] + f"[{table}]" + text[header.end() :]
        begin = header.start()
    line = re.compile(rf"^(?:# )?{re.escape(key)} = (?:\"[^\"]*\"|[^#\n]*?)( *#.*)?$", re.MULTILINE)
    found = line.search(text, begin)
    assert found, key
    comment = f" {found[1].strip()}" if found[1] else ""
    return text[: found.start()] + f"{key} = {value}{comment}" + text[found.end() :]
