"""The platform with one app, on a real node with indexer and lane, driven by hand."""

import contextlib
import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate
from chainfirst.tests.platform.workflow_rows import Rows, on_chain
from chainfirst.tests.writers.conftest import deploy, start_node
from chainfirst.tests.writers.world import World
from psycopg import sql


class Play:
    """The platform with one app: `rows` are its own, by a login that is a member of chainfirst_app."""

    def __init__(self, world: World, url: str) -> None:
        self.world, self.url = world, url
        self.rows = Rows(psycopg.connect(url, autocommit=True))

    def finish(self) -> None:
        self.world.finish(30)
        self.world.assert_consistent()

    def outcomes(self, row: uuid.UUID) -> dict[str, str | None]:
        """The latest of each purpose."""
        return dict(self.rows.requests(row))

    def company(self) -> uuid.UUID:
        """Registered."""
        company = self.rows.company()
        self.finish()
        return company

    def wallet(self, company: uuid.UUID) -> str:
        """The company's, on chain."""
        return str(self.world.platform.registry.functions.issuerOf(on_chain(company)).call()).lower()

    def entry(self, company: uuid.UUID) -> tuple[bool, str]:
        """Whether it is active there, and the URI of its document."""
        wallet = self.world.platform.web3.to_checksum_address(self.wallet(company))
        _, _, document_uri, active, _ = self.world.platform.registry.functions.issuerDetails(wallet).call()
        return active, document_uri

    def verified(self, wallet: str) -> bool:
        checksummed = self.world.platform.web3.to_checksum_address(wallet)
        return bool(self.world.platform.registry.functions.isVerifiedInvestor(checksummed).call())

    def campaign(self, **values: Any) -> uuid.UUID:
        """On chain."""
        campaign = self.rows.campaign(self.rows.company(), **values)
        self.finish()
        return campaign

    def contract(self, campaign: uuid.UUID) -> Any:
        address = self.world.one(
            "SELECT address FROM ledger.campaigns WHERE campaign_id = %s", on_chain(campaign)
        )
        checksummed = self.world.platform.web3.to_checksum_address(address)
        return self.world.platform.contract("CampaignImplementation", checksummed)

    def certificates(self, *investments: uuid.UUID) -> list[tuple[int, str]]:
        """Tokens and owners, in the order of investments."""
        return [
            self.world.all(
                "SELECT token_id::bigint, owner FROM ledger.certificates WHERE investment_id = %s",
                on_chain(each),
            )[0]
            for each in investments
        ]

    def sold(self, campaign: uuid.UUID) -> None:
        """Ended, with a certificate for each investment."""
        self.world.submit("campaign.finalize", campaign=str(campaign))
        self.finish()
        for investment, owner in self.world.all(
            "SELECT investment_id, investor FROM ledger.investments WHERE address = %s",
            self.contract(campaign).address.lower(),
        ):
            self.world.submit(
                "certificate.mint", campaign=str(campaign), investment=investment, owner=owner,
                metadata_hash="0x" + "ab" * 32,
            )  # fmt: skip
        self.finish()


@contextlib.contextmanager
def begin(cluster: Cluster, directory: Path) -> Iterator[Play]:
    """A node and a database of its own, whose names are the directory's."""
    name, login = directory.name, f"app_{secrets.token_hex(4)}"
    node = start_node(directory)
    try:
        cluster.ensure_database(name)
        url = cluster.url(name)
        migrate.migrate(migrate.engine(url), platform_enabled=True)
        with psycopg.connect(url, autocommit=True) as admin:
            # what an app asks for through its rows takes no grant
            admin.execute("DELETE FROM intent.grants WHERE role = 'chainfirst_app'")
            admin.execute(
                sql.SQL("CREATE ROLE {} LOGIN IN ROLE chainfirst_app").format(sql.Identifier(login))
            )
        world = World(url, deploy(node, directory), node.url)
        made = Play(world, f"{url}&user={login}")
        try:
            yield made
        finally:
            made.rows.app.close()
            world.close()
    finally:
        node.stop()
