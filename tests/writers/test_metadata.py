"""The certificate's document: its bytes, its names, where it is kept and found."""

import base64
import hashlib
import json
import uuid
from typing import Any

import psycopg
import pytest
from chainfirst.ops.errors import TransientError
from chainfirst.tests.writers.world import World
from chainfirst.writers import metadata, rules
from hypothesis import given
from hypothesis import strategies as st
from psycopg import errors

ZEROS = "0" * 32
COMPANY, CAMPAIGN = uuid.UUID(int=17 << 64), uuid.UUID(int=18 << 64)


def word(value: uuid.UUID) -> str:
    return f"0x{value.hex}{ZEROS}"


def test_the_bytes_of_a_document() -> None:
    made = metadata.document(
        metadata.Certificate("Sheger ቡና", 'The "new" roastery', 45_500_50, 45), image="ipfs://image"
    )
    assert made.decode() == (
        '{"attributes":['
        '{"trait_type":"Campaign","value":"The \\"new\\" roastery"},'
        '{"trait_type":"Investment Amount","value":"45500.50"},'
        '{"trait_type":"Voting Power","value":"45"},'
        '{"trait_type":"Company","value":"Sheger ቡና"}],'
        '"description":"A share in the campaign The \\"new\\" roastery of Sheger ቡና,'
        ' for an investment of 45500.50 ETB.",'
        '"image":"ipfs://image",'
        '"name":"Sheger ቡና Campaign Share Certificate"}'
    )
    assert metadata.digest(made) == f"0x{hashlib.sha256(made).hexdigest()}"


def test_its_image_is_in_it() -> None:
    kind, _, data = metadata.IMAGE.partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(data).startswith(b"<svg xmlns=")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "0.00"), (1, "0.01"), (99, "0.99"), (100, "1.00"), (4_550_050, "45500.50"),
     (2**128 - 1, "3402823669209384634633746074317682114.55")],
)  # fmt: skip
def test_birr(amount: int, shown: str) -> None:
    assert metadata.birr(amount) == shown


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200)


@given(texts, texts, st.integers(0, 2**128 - 1), st.integers(0, 2**128))
def test_whatever_the_names_a_document_says_them(
    company: str, campaign: str, amount: int, votes: int
) -> None:
    certificate = metadata.Certificate(company, campaign, amount, votes)
    made = metadata.document(certificate)
    assert made == metadata.document(certificate)
    read = json.loads(made)
    assert {each["trait_type"]: each["value"] for each in read["attributes"]} == {
        "Campaign": campaign,
        "Investment Amount": metadata.birr(amount),
        "Voting Power": str(votes),
        "Company": company,
    }
    assert int(metadata.birr(amount).replace(".", "")) == amount


def register(world: World, name: Any, company: str = str(COMPANY), outcome: str | None = None) -> None:
    """An intent as apps make them, ended by the daemon if it has an outcome."""
    payload = {
        "company": company,
        "wallet": world.platform.at["bob"],
        "credential_hash": "0x" + "11" * 32,
        "document_uri": "ipfs://company",
    }
    intent = world.submit("issuer.register", **payload | ({} if name is None else {"name": name}))
    if outcome:
        world.connection.execute(
            "UPDATE intent.intents SET outcome = %s, error = 'why', ended_at = now(), ended_block = 1"
            " WHERE id = %s",
            [outcome, intent],
        )


def name(world: World) -> str:
    return metadata.Names(world.connection).company(word(COMPANY))


def test_a_name_is_that_of_the_newest_intent_that_counts_most(world: World) -> None:
    assert name(world) == str(COMPANY)
    register(world, "Rejected", outcome="rejected")
    assert name(world) == "Rejected"
    register(world, "Asked", str(COMPANY).upper())
    register(world, "Rejected later", outcome="failed")
    assert name(world) == "Asked"
    register(world, "Confirmed", word(COMPANY).upper().replace("X", "x"), outcome="confirmed")
    register(world, "Asked again")
    register(world, "Another company's", str(uuid.uuid4()), outcome="confirmed")
    assert name(world) == "Confirmed"
    register(world, "Confirmed later", outcome="confirmed")
    register(world, None, outcome="confirmed")
    assert name(world) == "Confirmed later"


@pytest.mark.parametrize("wrong", ["", " space", "two\nlines", "x" * 201, 7, {"a": "b"}, None])
def test_a_name_that_is_none(world: World, wrong: Any) -> None:
    register(world, wrong)
    assert name(world) == str(COMPANY)


def test_the_title_of_a_campaign(world: World) -> None:
    names = metadata.Names(world.connection)
    assert names.campaign(word(CAMPAIGN)) == str(CAMPAIGN)
    world.submit(
        "campaign.create", campaign=str(CAMPAIGN), issuer=world.platform.at["issuer"], funding_goal="10000",
        min_investment="1000", max_investment="0", duration_seconds=86_400, grace_seconds=0,
        success_threshold_bps=7_500, document_uri="ipfs://offer", title="Coffee",
    )  # fmt: skip
    assert names.campaign(word(CAMPAIGN)) == str(CAMPAIGN)  # it remembers
    assert metadata.Names(world.connection).campaign(word(CAMPAIGN)) == "Coffee"


def test_a_document_is_kept_once_and_never_changed(world: World) -> None:
    bodies = [b"one", b"two", b"one"]
    assert metadata.keep(world.connection, bodies) == [metadata.digest(each) for each in bodies]
    metadata.keep(world.connection, bodies[:1])
    kept = "SELECT body FROM intent.documents ORDER BY body"
    assert world.all(kept) == [(b"one",), (b"two",)]
    for statement in ("UPDATE intent.documents SET body = 'x'", "DELETE FROM intent.documents"):
        with pytest.raises(errors.InsufficientPrivilege):
            world.connection.execute(statement)
    with pytest.raises(errors.CheckViolation, match="documents_hash_of_body"):
        world.connection.execute(
            "INSERT INTO intent.documents (hash, media_type, body) VALUES (%s, 'text/plain', 'one')",
            [metadata.digest(b"two")],
        )


def test_the_document_of_a_minted_certificate(world: World) -> None:
    """Its hash is on the chain, its bytes at the token's URI; a new name changes none that was asked for."""
    platform = world.platform
    company = str(uuid.UUID(bytes=platform.company[:16]))
    register(world, "Sheger Coffee", company)
    world.rpc("evm_setAutomine", True)
    campaign = platform.campaign()
    investment = platform.new_id()
    platform.send("operator", platform.record(campaign, "alice", 250_000, id=investment))
    invested = platform.invest(campaign, "bob", 750_000)
    platform.send("eve", campaign.functions.finalize())
    world.mine(world.depth)
    world.index()
    unit = metadata.voting_unit(world.node, platform.certificate.address.lower())
    assert rules.Rules(lambda: unit).run(world.connection, world.epoch)["mint"] == 2
    register(world, "Another name", company)
    assert rules.Rules(lambda: unit).run(world.connection, world.epoch)["mint"] == 0

    assert metadata.find(world.connection, str(uuid.UUID(bytes=investment[:16]))) is None  # not minted yet
    hashes = dict(
        world.all(
            "SELECT payload ->> 'investment', payload ->> 'metadata_hash' FROM intent.intents"
            " WHERE kind = 'certificate.mint'"
        )
    )
    for each, owner in ((investment, "alice"), (invested, "bob")):
        mint = platform.certificate.functions.mint(
            platform.at[owner], each, campaign.address, bytes.fromhex(hashes[f"0x{each.hex()}"][2:])
        )
        platform.send("minter", mint)
    world.index()
    for token, owner, amount, votes in ((1, "alice", "2500.00", 2), (2, "bob", "7500.00", 7)):
        uri = platform.certificate.functions.tokenURI(token).call()
        found = metadata.find(world.connection, uri.removeprefix("https://example.test/"))
        assert found is not None
        media_type, body = found
        assert media_type == "application/json"
        record = platform.certificate.functions.certificate(token).call()
        assert record[1] == hashlib.sha256(body).digest()
        attributes = {each["trait_type"]: each["value"] for each in json.loads(body)["attributes"]}
        assert attributes == {
            "Campaign": str(uuid.UUID(bytes=campaign.functions.campaignId().call()[:16])),
            "Investment Amount": amount,
            "Voting Power": str(votes),
            "Company": "Sheger Coffee",
        }
        assert platform.certificate.functions.votingWeightOf(platform.at[owner]).call() == votes
        assert platform.at[owner].lower()[2:] not in body.decode().lower()
    world.rpc("evm_setAutomine", False)


@pytest.mark.parametrize(
    "wrong", ["", "x", "0x", "../1", f"0x{'0' * 64}", str(uuid.UUID(int=0)), str(COMPANY)]
)
def test_a_uri_of_no_certificate(world: World, wrong: str) -> None:
    assert metadata.find(world.connection, wrong) is None


def test_the_voting_unit_is_the_contracts(world: World) -> None:
    assert metadata.voting_unit(world.node, world.platform.certificate.address.lower()) == 100_000
    for other in (world.platform.token.address.lower(), "0x" + "12" * 20):
        with pytest.raises(TransientError, match="no number of token units"):
            metadata.voting_unit(world.node, other)


def test_an_app_reads_documents(world: World) -> None:
    metadata.keep(world.connection, [b"one"])
    with psycopg.connect(world.database) as app:
        app.execute("SET ROLE chainfirst_app")
        assert app.execute("SELECT count(*) FROM intent.documents").fetchone() == (1,)
