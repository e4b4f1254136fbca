"""The chain's side of `chainfirst doctor`: endpoints, contracts, keys with their balances and roles."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from chainfirst.indexer.rpc import errors as rpc
from chainfirst.indexer.rpc import http
from chainfirst.indexer.rpc.client import Client
from chainfirst.ops import config as settings
from chainfirst.ops import errors, reach, values
from chainfirst.ops.commands import config as config_command
from chainfirst.ops.commands import probing
from chainfirst.ops.commands.finding import Finding, bad, good, guarded
from eth_hash.auto import keccak

if TYPE_CHECKING:
    from chainfirst.schema.store import Cursor
    from chainfirst.writers.signers import Signer

AHEAD_TOLERANCE = timedelta(seconds=15)
LAG_BLOCKS = 5
WORTH_GAS = 10_000_000
"""The gas that a key must be able to pay for: some thirty transactions of the dearest kind."""
ADMIN = b"\0" * 32
ROLES: Mapping[str, tuple[str, str]] = {
    "issuer.register": ("issuer_registry", "REGISTRAR_ROLE"),
    "issuer.replace": ("issuer_registry", "REGISTRAR_ROLE"),
    "issuer.update_document": ("issuer_registry", "REGISTRAR_ROLE"),
    "issuer.set_active": ("issuer_registry", "REGISTRAR_ROLE"),
    "investor.set_verified": ("issuer_registry", "REGISTRAR_ROLE"),
    "campaign.create": ("campaign_factory", "OPERATOR_ROLE"),
    "campaign.record_investment": ("campaign_factory", "OPERATOR_ROLE"),
    "campaign.cancel": ("campaign_factory", "ADMIN"),
    "certificate.mint": ("share_certificate", "MINTER_ROLE"),
    "certificate.transfer": ("share_certificate", "REGISTRAR_ROLE"),
    "certificate.revoke": ("share_certificate", "REGISTRAR_ROLE"),
}
"""What the platform's contracts demand of who sends a kind; for all other kinds anybody will do."""


def check_endpoints(
    found: settings.Config, cursor: "Cursor | None", now: Callable[[], datetime]
) -> Iterator[Finding]:
    """Every endpoint: its chain, its head, its block 0 against the database's; the clock; what is final."""
    heads: dict[str, int] = {}
    for endpoint in reach.endpoint_urls(found):
        yield from guarded("endpoint", partial(_endpoint, found, endpoint, cursor, heads))
    for name, head in heads.items():
        if head < max(heads.values()) - LAG_BLOCKS:
            behind = max(heads.values()) - head
            yield bad("endpoint", f"{name} is {behind} blocks behind another one", "See whether it syncs.")
    usable = first(found)
    if usable is None:
        return
    with closing(Client(http.Endpoint(usable.full))) as client:
        yield from guarded("clock", lambda: _chain_clock(client, now()))
        yield from guarded("finality", lambda: _finality(found, client))


def check_contracts(found: settings.Config) -> Iterator[Finding]:
    """There is code at every address."""
    if found.undeployed:
        yield bad(
            "contracts",
            f"no address is known for {', '.join(found.undeployed)}",
            "Run chainfirst deploy, or give each an address.",
        )
    endpoint = first(found)
    if endpoint is None:
        return
    fixed = {key: contract.addresses for key, contract in found.contracts.items() if contract.addresses}
    absent = {
        key: missing
        for key, addresses in fixed.items()
        if (missing := [each for each in addresses if not probing.has_code(endpoint.full, each)])
    }
    for key, missing in absent.items():
        yield bad(
            "contracts",
            f"no code at {', '.join(missing)}, where {key} should be",
            "Correct the address, or chain.endpoints; on a new chain: chainfirst deploy.",
        )
    if not absent and fixed:
        yield good("contracts", f"code at {', '.join(fixed)}")


def check_lanes(found: settings.Config) -> Iterator[Finding]:
    """Each lane's key, what it can pay and what it may do, and whether it is stopped."""
    from chainfirst.writers import catalogue, signers

    if not found.writer.every_lane:
        yield good("signer", "none: read only")
        return
    opened: dict[str, Signer] = {}
    for name, lane in found.writer.every_lane.items():
        if config_command.is_for_systemd(lane):
            yield good("signer", f"lane {name}: not opened, only the service gets its password")
            continue
        try:
            opened[name] = signers.open(lane, found.directory, os.environ)
        except errors.ChainfirstError as error:
            yield bad("signer", f"lane {name}: {error.message}", error.advice)
    signers.check_accounts(opened)
    endpoint = first(found)
    if endpoint is None:
        return
    kinds = [kind.name for kind in catalogue.PLATFORM] if found.platform.enabled else []
    for name, signer in opened.items():
        own = [kind for kind in kinds if found.writer.lane_of(kind) == name]
        yield from guarded("signer", partial(_balance, found, endpoint, name, signer.address))
        if own and not found.undeployed:
            yield from guarded("roles", partial(_roles, found, endpoint, name, signer.address, own))


def first(found: settings.Config) -> values.Endpoint | None:
    """The first http(s) endpoint that answers on the configured chain."""
    for endpoint in reach.endpoint_urls(found):
        if not endpoint.full.startswith("http"):
            continue
        try:
            reach.check_endpoint(found, endpoint)
        except errors.ChainfirstError:
            continue
        return endpoint
    return None


def _endpoint(
    found: settings.Config, endpoint: values.Endpoint, cursor: "Cursor | None", heads: dict[str, int]
) -> Iterator[Finding]:
    reach.check_endpoint(found, endpoint)
    chain = f"{endpoint}: chain {found.chain.chain_id}"
    if endpoint.full.startswith("ws"):
        if probing.sends_heads(endpoint.full, found.chain.chain_id):
            yield good("endpoint", f"{chain}, sends new blocks")
        else:
            advice = "Remove it, or see what it serves; without it the daemon polls."
            yield bad("endpoint", f"{chain}, but takes no subscription to new blocks", advice)
        return
    with closing(Client(http.Endpoint(endpoint.full))) as client:
        heads[str(endpoint)] = head = client.block_number()
        try:
            genesis = client.header_by_number(0)
        except rpc.RpcError:
            genesis = None  # a pruned node has none
    if cursor is not None and genesis is not None and genesis.hash != cursor.genesis_hash:
        yield bad(
            "endpoint",
            f"{endpoint} has genesis block {genesis.hash}, the database {cursor.genesis_hash}",
            "Another chain with the same id: correct it, or give it a database of its own. "
            "If it is a development chain that was begun anew: chainfirst run --reset-dev.",
        )
    elif cursor is not None and cursor.final_number is not None and head < cursor.final_number:
        advice = "It lags, or it is another chain."
        yield bad("endpoint", f"{endpoint} has {head} blocks, {cursor.final_number} are final here", advice)
    else:
        yield good("endpoint", f"{chain}, head {head}")


def _chain_clock(client: Client, now: datetime) -> Iterator[Finding]:
    """A block from the future is a clock that is slow: ours, as its validators agree on theirs."""
    newest = client.header_by_number("latest")
    if newest is None:
        return
    time = newest.timestamp if isinstance(newest.timestamp, int) else int(newest.timestamp, 16)
    ahead = datetime.fromtimestamp(time, UTC) - now
    if ahead > AHEAD_TOLERANCE:
        yield bad(
            "clock",
            f"the newest block is {ahead.total_seconds():.0f} s ahead of this machine's clock",
            "Set the clock: apt-get install systemd-timesyncd. A development node may have moved its own.",
        )


def _finality(found: settings.Config, client: Client) -> Iterator[Finding]:
    """Whether the chain is as final as the setting says."""
    said = probing.finality(client, None)
    setting = found.chain.finality
    depth = int(said.toml) if said.toml.isdigit() else None
    clique = depth is not None and "Clique" in said.why
    if clique and (setting == "instant" or (isinstance(setting, int) and setting < (depth or 0))):
        advice = f"Set chain.finality to {depth} or more: such a chain reorganises."
        yield bad("finality", f"{setting}, but the chain is {said.why}", advice)
    elif isinstance(setting, settings.FinalityTag) and depth is not None:
        if setting.fallback_depth is None:
            yield bad(
                "finality", said.why, "Set chain.finality to a depth, or give the tag a fallback_depth."
            )
        else:
            yield good("finality", f"{setting.fallback_depth} blocks deep, for {said.why}")
    else:
        yield good("finality", setting.tag if isinstance(setting, settings.FinalityTag) else str(setting))


def _balance(found: settings.Config, endpoint: values.Endpoint, lane: str, address: str) -> Iterator[Finding]:
    from chainfirst.writers import node

    with closing(http.Endpoint(endpoint.full)) as opened:
        asked = node.Node(opened)
        balance, market = asked.balance(address), asked.market(found.writer.fees.tip_percentile)
    price = market.gas_price_wei if market.base_fee_wei is None else market.base_fee_wei
    price = max(price, found.writer.fees.tip_floor_wei)
    said = f"lane {lane}: {address} has {balance} wei"
    if balance < price * WORTH_GAS:
        advice = f"Send it {price * WORTH_GAS - balance} wei or more."
        yield bad("signer", f"{said}, which pays for {balance // price} gas at {price} wei", advice)
    else:
        yield good("signer", said)


def _roles(
    found: settings.Config, endpoint: values.Endpoint, lane: str, address: str, kinds: Sequence[str]
) -> Iterator[Finding]:
    """The lane's key has each role that its kinds demand."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for kind in kinds:
        if kind in ROLES:
            wanted.setdefault(ROLES[kind], []).append(kind)
    with closing(http.Endpoint(endpoint.full)) as opened:
        missing = {
            place: needed
            for place, needed in wanted.items()
            if not _has_role(opened, found.contracts[place[0]].addresses[0], place[1], address)
        }
    for (contract, role), needed in missing.items():
        yield bad(
            "roles",
            f"lane {lane}: {address} has not the role {role} of {contract}, for {', '.join(needed)}",
            "Grant it with the owner's key, or give these kinds to a lane whose key has it.",
        )
    if wanted and not missing:
        held = ", ".join(f"{contract} {role}" for contract, role in wanted)
        yield good("roles", f"lane {lane}: {held}")


def _has_role(endpoint: http.Endpoint, contract: str, role: str, account: str) -> bool:
    """hasRole(bytes32,address) of OpenZeppelin's AccessControl."""
    name = ADMIN if role == "ADMIN" else keccak(role.encode())
    asked = keccak(b"hasRole(bytes32,address)")[:4] + name + bytes(12) + bytes.fromhex(account[2:])
    answer = endpoint.call("eth_call", [{"to": contract, "data": f"0x{asked.hex()}"}, "latest"], str)
    return int(answer, 16) == 1 if len(answer) > 2 else False
