"""A certificate's document at its token's URI: byte for byte what the chain has the hash of."""

import hashlib
import json

from chainfirst.tests.page.asking import PREFIX, ask, library
from chainfirst.tests.writers.world import World
from chainfirst.writers import metadata, rules


def test_a_tokens_uri_leads_to_what_the_chain_has_the_hash_of(world: World) -> None:
    platform = world.platform
    world.rpc("evm_setAutomine", True)
    platform.send("owner", platform.certificate.functions.setBaseURI(f"https://example.test{PREFIX}"))
    campaign = platform.campaign()
    invested = platform.invest(campaign, "bob", 750_000)
    recorded = platform.new_id()
    platform.send("operator", platform.record(campaign, "alice", 250_000, id=recorded))
    platform.send("eve", campaign.functions.finalize())
    world.mine(world.depth)
    world.index()
    unit = metadata.voting_unit(world.node, platform.certificate.address.lower())
    assert rules.Rules(lambda: unit).run(world.connection, world.epoch)["mint"] == 2
    asked = "SELECT payload ->> 'metadata_hash' FROM intent.intents WHERE payload ->> 'investment' = %s"
    for each, owner in ((recorded, "alice"), (invested, "bob")):
        digest = bytes.fromhex(world.one(asked, f"0x{each.hex()}")[2:])
        mint = platform.certificate.functions.mint(platform.at[owner], each, campaign.address, digest)
        platform.send("minter", mint)
    world.index()
    with library(world.database) as port:
        for token in (1, 2):
            uri = platform.certificate.functions.tokenURI(token).call()
            path = uri.removeprefix("https://example.test")
            found = ask(port, path)
            assert found.status == 200
            on_chain = platform.certificate.functions.certificate(token).call()[1]
            assert hashlib.sha256(found.body).digest() == on_chain
            assert found.headers["ETag"] == f'"{on_chain.hex()}"'
            assert found.headers["Content-Type"] == "application/json"
            assert "public" in found.headers["Cache-Control"]
            assert set(json.loads(found.body)) == {"name", "description", "image", "attributes"}

            head = ask(port, path, "HEAD")
            assert (head.status, head.body) == (200, b"")
            assert head.headers["Content-Length"] == str(len(found.body))
            assert head.headers["ETag"] == found.headers["ETag"]

            same = ask(port, path, If_None_Match=f'"other", W/{found.headers["ETag"]}')
            assert (same.status, same.body) == (304, b"")
            assert same.headers["ETag"] == found.headers["ETag"]
            assert ask(port, path, If_None_Match='"other"').status == 200
    world.rpc("evm_setAutomine", False)
