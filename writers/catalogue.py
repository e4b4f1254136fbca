"""All kinds of intents, by name."""

from collections.abc import Mapping, Sequence
from typing import Any

from chainfirst.writers import book, campaigns, certificates, contract_call, escrow, issuers
from chainfirst.writers.contract import Contract
from chainfirst.writers.kinds import Kind

PLATFORM: tuple[Kind[Any], ...] = (*issuers.KINDS, *campaigns.KINDS, *escrow.KINDS, *certificates.KINDS)


def build(contracts: Mapping[str, Contract], calls: Sequence[str], *, platform: bool) -> dict[str, Kind[Any]]:
    """The kinds that there are with these settings: contract.call, and with `platform` those of its domains.

    `calls` are the settings' `writer.calls`. ConfigError: a contract of the platform has not one address.
    """
    if platform:
        for key in (issuers.KEY, campaigns.FACTORY, certificates.KEY):
            book.one_address(contracts, key)
    kinds = (*(PLATFORM if platform else ()), contract_call.kind(calls))
    return {kind.name: kind for kind in kinds}
