"""What preparing an intent looks up: addresses in the settings, ids in the ledger.

Make one for each batch of intents: it remembers what it found, and the ledger goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from chainfirst.ops.errors import ConfigError
from chainfirst.schema import layout
from chainfirst.writers import payload
from chainfirst.writers.contract import Contract
from psycopg import sql

Connection = psycopg.Connection[Any]

_FINAL = "SELECT final_number FROM chain.cursor"
_CAMPAIGN = """
SELECT created_block, address, total_raised FROM ledger.campaigns WHERE factory = %s AND campaign_id = %s
"""
_COMPANY = "SELECT registered_block, company_id FROM ledger.issuers WHERE address = %s AND issuer = %s"
_CERTIFICATE = "SELECT minted_block FROM ledger.certificates WHERE address = %s AND token_id = %s"
# totals only grow; max() lets the planner go by the investor instead of the campaign's end
_CONTRIBUTION = "SELECT max(investor_total) FROM ledger.investments WHERE address = %s AND investor = %s"
_CHILD = "SELECT min(block_number) FROM {} WHERE {} = %s"


@dataclass(frozen=True)
class _Campaign:
    address: str
    raised: int


class SqlBook:
    """The kinds.Book of the settings' contracts and of a database."""

    def __init__(self, connection: Connection, contracts: Mapping[str, Contract]) -> None:
        self._connection = connection
        self._contracts = contracts
        self._campaigns: dict[str, _Campaign] = {}
        self._companies: dict[str, str] = {}
        self._final: int | None = None

    def address(self, contract: str) -> str:
        """As kinds.Book. ConfigError: it has none, or several."""
        return one_address(self._contracts, contract)

    def contract(self, key: str) -> Contract | None:
        """As kinds.Book."""
        return self._contracts.get(key)

    def campaign(self, campaign_id: str, field: str = "campaign") -> str:
        """As kinds.Book; one indexed select for each campaign of a batch."""
        return self._campaign(campaign_id, field).address

    def raised(self, campaign_id: str, field: str = "campaign") -> int:
        """As kinds.Book."""
        return self._campaign(campaign_id, field).raised

    def contribution(self, campaign: str, investor: str, field: str = "investor") -> int:
        """As kinds.Book."""
        row = self._connection.execute(_CONTRIBUTION, [campaign, investor]).fetchone()
        if row is None or row[0] is None:
            raise _unknown(
                field, investor, "no investment of that wallet in the campaign", "an investor's wallet"
            )
        return int(row[0])

    def company(self, wallet: str, field: str = "wallet") -> str:
        """As kinds.Book."""
        if wallet not in self._companies:
            row = self._connection.execute(_COMPANY, [self.address("issuer_registry"), wallet]).fetchone()
            if row is None:
                raise _unknown(field, wallet, "no issuer with that wallet", "a registered issuer's wallet")
            self._check_final(field, wallet, row[0])
            self._companies[wallet] = str(row[1])
        return self._companies[wallet]

    def check_certificate(self, token_id: int, field: str = "token_id") -> None:
        """As kinds.Book."""
        place = [self.address("share_certificate"), token_id]
        row = self._connection.execute(_CERTIFICATE, place).fetchone()
        if row is None:
            raise _unknown(field, str(token_id), "no certificate of that number", "a minted certificate")
        self._check_final(field, str(token_id), row[0])

    def check_child(self, contract: Contract, address: str, field: str = "address") -> None:
        """As kinds.Book."""
        assert contract.factory is not None
        key, name, parameter = contract.factory
        column = layout.snake_case(parameter)
        event = next(
            each
            for each in self._contracts[key].events
            if each.layout.event == name and column in each.columns
        )
        statement = sql.SQL(_CHILD).format(sql.Identifier("event", event.table), sql.Identifier(column))
        found = self._connection.execute(statement, [address]).fetchone()
        if found is None or found[0] is None:
            raise _unknown(field, address, f"no {name} of {key} with it", f"an address that {key} announced")
        self._check_final(field, address, found[0])

    def _campaign(self, campaign_id: str, field: str) -> _Campaign:
        if campaign_id not in self._campaigns:
            place = [self.address("campaign_factory"), campaign_id]
            row = self._connection.execute(_CAMPAIGN, place).fetchone()
            if row is None:
                raise _unknown(field, campaign_id, "no campaign of that id", "a campaign that was created")
            self._check_final(field, campaign_id, row[0])
            self._campaigns[campaign_id] = _Campaign(str(row[1]), int(row[2]))
        return self._campaigns[campaign_id]

    def _check_final(self, field: str, value: str, block: int) -> None:
        """A clone's address and a certificate's number hang on the order of blocks: what is signed for one
        must not meet another after a reorganisation."""
        if self._final is None:
            row = self._connection.execute(_FINAL).fetchone()
            self._final = -1 if row is None or row[0] is None else int(row[0])
        if block > self._final:
            what = f"{payload.show(value)}, of block {block}, and block {self._final} is the last final one"
            raise payload.NotFinal(field, what, "one that is final: wait")


def one_address(contracts: Mapping[str, Contract], key: str) -> str:
    """The contract's address. ConfigError unless there is exactly one."""
    addresses = contracts[key].addresses if key in contracts else ()
    if addresses is None or len(addresses) != 1:
        found = "any address" if addresses is None else f"{len(addresses)} addresses"
        raise ConfigError(
            f"contracts.{key} has {found}, and the platform's writers need one",
            "Deploy the platform, or name its contract there.",
        )
    (address,) = addresses
    return address


def _unknown(field: str, value: str, what: str, allowed: str) -> payload.UnknownId:
    return payload.UnknownId(field, f"{payload.show(value)}, and {what} is indexed", allowed)
