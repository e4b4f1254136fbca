"""From the settings to lanes: which key signs which kinds, with which limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainfirst.ops import config as settings
from chainfirst.ops import values
from chainfirst.writers import (
    book,
    catalogue,
    certificates,
    contract,
    desk,
    fees,
    metadata,
    plan,
    reverts,
    signers,
)
from chainfirst.writers.node import Node

if TYPE_CHECKING:
    from chainfirst.indexer import wiring


@dataclass(frozen=True)
class Lanes:
    """The lanes with their signers, by name, what decodes their reverts, and the contracts they know."""

    lanes: Mapping[str, tuple[signers.Signer, desk.Settings]]
    decoder: reverts.Decoder
    contracts: Mapping[str, contract.Contract]

    def voting_unit(self, node: Node) -> int:
        """Token units for a vote, as the certificates' contract says."""
        return metadata.voting_unit(node, book.one_address(self.contracts, certificates.KEY))


def build(
    found: settings.Config, contracts: "Sequence[wiring.Contract]", environ: Mapping[str, str]
) -> Lanes:
    """The lanes of the settings; none without a signer. ConfigError: a key or a contract can't be had."""
    writer = found.writer
    opened = signers.open_all(found, environ)
    configured = contract.configured(contracts)
    decoder = reverts.Decoder([each.abi for each in contracts])
    if not opened:
        return Lanes({}, decoder, configured)
    kinds = catalogue.build(configured, writer.calls, platform=found.platform.enabled)
    lane_of = {kind: writer.lane_of(kind) for kind in kinds}
    lanes = {}
    for name, signer in opened.items():
        default = name == settings.DEFAULT_LANE
        own = [kind for kind, lane in lane_of.items() if (lane != name if default else lane == name)]
        lanes[name] = (
            signer,
            desk.Settings(
                name=name,
                chain_id=found.chain.chain_id,
                kinds=kinds,
                own=own,
                default=default,
                book=lambda connection: book.SqlBook(connection, configured),
                in_flight=writer.in_flight,
                behind_blocks=writer.behind_blocks,
                gas_margin_percent=writer.gas_margin_percent,
                gas_cap=writer.gas_cap,
                tip_percentile=writer.fees.tip_percentile,
                fee_limits=fees.Limits(
                    writer.fees.tip_floor_wei, writer.fees.fee_cap_wei, writer.fees.base_fee_multiplier
                ),
                patience=plan.Patience(writer.stuck_blocks, writer.stuck_seconds),
                kind_limits={kind: _limits(limits) for kind, limits in writer.kinds.items()},
            ),
        )
    return Lanes(lanes, decoder, configured)


def _limits(found: settings.KindLimits) -> desk.KindLimits:
    def units(amount: values.Amount | None) -> int | None:
        return None if amount is None else amount.units

    return desk.KindLimits(units(found.max_amount), units(found.max_amount_a_day), units(found.approve_above))
