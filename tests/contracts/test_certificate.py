"""NFTShareCertificate: minting from the campaign's record, votes, moves, revocation, URIs."""

import uuid
from types import SimpleNamespace
from typing import Any

import pytest

HASH = b"\x33" * 32
ZERO = "0x" + "00" * 20
UNAUTHORIZED = "AccessControlUnauthorizedAccount"


@pytest.fixture
def sold(platform: Any) -> Any:
    """A successful campaign: alice invested on chain (7 votes and a rest), bob by bank (3 votes)."""
    campaign = platform.campaign()
    alice = platform.invest(campaign, "alice", 700_000)
    bob = platform.new_id()
    platform.send("operator", platform.record(campaign, "bob", 300_000, id=bob))
    platform.send("eve", campaign.functions.finalize())
    return SimpleNamespace(campaign=campaign, alice=alice, bob=bob, platform=platform)


def mint(sold: Any, who: str, investment: bytes | None = None) -> Any:
    platform = sold.platform
    wanted = investment or getattr(sold, who)
    return platform.certificate.functions.mint(platform.at[who], wanted, sold.campaign.address, HASH)


def votes(platform: Any, *names: str) -> list[int]:
    return [platform.certificate.functions.votingWeightOf(platform.at[name]).call() for name in names]


def test_mint_follows_the_investments_record(sold: Any) -> None:
    platform, views = sold.platform, sold.platform.certificate.functions
    assert platform.reason("owner", mint(sold, "alice")) == UNAUTHORIZED
    receipt = platform.send("minter", mint(sold, "alice"))
    event = platform.event(receipt, platform.certificate, "CertificateMinted")
    campaign_id = sold.campaign.functions.campaignId().call()
    assert event == {
        "tokenId": 1, "investmentId": sold.alice, "campaignId": campaign_id, "owner": platform.at["alice"],
        "amount": 700_000, "votingWeight": 7, "metadataHash": HASH,
    }  # fmt: skip
    moved = platform.event(receipt, platform.certificate, "Transfer")
    assert moved == {"from": ZERO, "to": platform.at["alice"], "tokenId": 1}
    weight = platform.event(receipt, platform.certificate, "VotingWeightChanged")
    assert weight == {"owner": platform.at["alice"], "weight": 7}
    assert views.certificate(1).call() == (sold.alice, HASH, 700_000, 7, sold.campaign.address, 0, False)
    assert views.tokenOfInvestment(sold.alice).call() == 1
    assert views.ownerOf(1).call() == platform.at["alice"]
    assert votes(platform, "alice", "bob") == [7, 0]
    assert platform.reason("minter", mint(sold, "alice")) == "CertificateExists"


@pytest.mark.parametrize(("amount", "weight"), [(99_999, 0), (100_000, 1), (199_999, 1)])
def test_votes_are_rounded_down(platform: Any, amount: int, weight: int) -> None:
    campaign = platform.campaign(fundingGoal=amount)
    bought = platform.invest(campaign, "alice", amount)
    platform.send("eve", campaign.functions.finalize())
    one = SimpleNamespace(campaign=campaign, alice=bought, platform=platform)
    receipt = platform.send("minter", mint(one, "alice"))
    event = platform.event(receipt, platform.certificate, "CertificateMinted")
    assert (event["amount"], event["votingWeight"]) == (amount, weight)
    assert votes(platform, "alice") == [weight]


def test_mint_refusals(sold: Any) -> None:
    platform, views = sold.platform, sold.platform.certificate.functions
    at = platform.at
    copy = platform.create("CampaignImplementation", platform.factory.address)
    for other in (at["eve"], platform.token.address, copy.address):
        elsewhere = views.mint(at["alice"], sold.alice, other, HASH)
        assert platform.reason("minter", elsewhere) == "UnknownCampaign"
    assert platform.reason("minter", mint(sold, "alice", platform.new_id())) == "UnknownInvestment"
    assert platform.reason("minter", mint(sold, "bob", sold.alice)) == "NotInvestor"
    running = platform.campaign()
    young = platform.invest(running, "alice", 5_000)
    early = views.mint(at["alice"], young, running.address, HASH)
    assert platform.reason("minter", early) == "CampaignNotSuccessful"
    platform.send("owner", running.functions.cancel(""))
    assert platform.reason("minter", early) == "CampaignNotSuccessful"


def test_batch_skips_what_exists(sold: Any) -> None:
    platform, views = sold.platform, sold.platform.certificate.functions
    platform.send("minter", mint(sold, "alice"))
    both = [
        (platform.at[name], getattr(sold, name), sold.campaign.address, HASH) for name in ("alice", "bob")
    ]
    assert platform.reason("owner", views.mintBatch(both)) == UNAUTHORIZED
    receipt = platform.send("minter", views.mintBatch([*both, both[1]]))
    assert platform.event(receipt, platform.certificate, "CertificateMinted")["investmentId"] == sold.bob
    assert views.totalMinted().call() == 2
    wrong = [(platform.at["eve"], platform.new_id(), sold.campaign.address, HASH)]
    assert platform.reason("minter", views.mintBatch([*both, *wrong])) == "UnknownInvestment"


def test_votes_follow_the_owners_transfer(sold: Any) -> None:
    platform, views = sold.platform, sold.platform.certificate.functions
    platform.send("minter", mint(sold, "alice"))
    platform.send("minter", mint(sold, "bob"))
    alice, bob, eve = (platform.at[name] for name in ("alice", "bob", "eve"))
    assert platform.reason("eve", views.transferFrom(alice, eve, 1)) == "ERC721InsufficientApproval"
    receipt = platform.send("alice", views.transferFrom(alice, bob, 1))
    assert platform.event(receipt, platform.certificate, "CertificateTransferred") == {
        "tokenId": 1, "from": alice, "to": bob, "transferCount": 1,
    }  # fmt: skip
    weights = platform.events(receipt, platform.certificate, "VotingWeightChanged")
    assert weights == [{"owner": alice, "weight": 0}, {"owner": bob, "weight": 10}]
    platform.send("bob", views.transferFrom(bob, bob, 1))
    assert votes(platform, "alice", "bob") == [0, 10]
    assert views.certificate(1).call()[5] == 2


def test_approvals_and_what_erc721_refuses(sold: Any) -> None:
    platform, views = sold.platform, sold.platform.certificate.functions
    platform.send("minter", mint(sold, "alice"))
    alice, bob, eve = (platform.at[name] for name in ("alice", "bob", "eve"))
    move = views.transferFrom(alice, eve, 1)
    assert platform.reason("eve", views.approve(eve, 1)) == "ERC721InvalidApprover"
    assert platform.reason("alice", views.setApprovalForAll(ZERO, True)) == "ERC721InvalidOperator"
    assert platform.reason("alice", views.transferFrom(bob, eve, 1)) == "ERC721IncorrectOwner"
    assert platform.reason("alice", views.transferFrom(alice, ZERO, 1)) == "ERC721InvalidReceiver"
    assert platform.reason("alice", views.transferFrom(alice, eve, 9)) == "ERC721NonexistentToken"
    assert platform.reason("eve", views.balanceOf(ZERO)) == "ERC721InvalidOwner"
    everything = platform.event(
        platform.send("alice", views.setApprovalForAll(bob, True)), platform.certificate, "ApprovalForAll"
    )
    assert everything == {"owner": alice, "operator": bob, "approved": True}
    assert views.isApprovedForAll(alice, bob).call()
    assert platform.reason("bob", move) is None
    platform.send("alice", views.setApprovalForAll(bob, False))
    assert platform.reason("bob", move) == "ERC721InsufficientApproval"
    safe = views["safeTransferFrom(address,address,uint256)"]
    assert platform.reason("alice", safe(alice, sold.campaign.address, 1)) == "ERC721InvalidReceiver"
    platform.send("alice", views["safeTransferFrom(address,address,uint256,bytes)"](alice, bob, 1, b"x"))
    assert votes(platform, "alice", "bob") == [0, 7]
    platform.send("bob", safe(bob, alice, 1))
    assert votes(platform, "alice", "bob") == [7, 0]


def test_an_approval_ends_with_the_ownership_and_moves_nothing_revoked(sold: Any) -> None:
    platform, views = sold.platform, sold.platform.certificate.functions
    platform.send("minter", mint(sold, "alice"))
    alice, bob, eve = (platform.at[name] for name in ("alice", "bob", "eve"))
    approval = platform.event(platform.send("alice", views.approve(eve, 1)), platform.certificate, "Approval")
    assert approval == {"owner": alice, "approved": eve, "tokenId": 1}
    assert platform.reason("eve", views.transferFrom(alice, eve, 1)) is None
    platform.send("registrar", views.registrarTransfer(1, bob, "a judgement"))
    assert views.getApproved(1).call() == ZERO
    assert platform.reason("eve", views.transferFrom(bob, eve, 1)) == "ERC721InsufficientApproval"
    platform.send("bob", views.approve(eve, 1))
    platform.send("registrar", views.revoke(1, ""))
    assert platform.reason("eve", views.transferFrom(bob, eve, 1)) == "CertificateIsRevoked"


def test_registrar_moves_without_the_owner(sold: Any) -> None:
    platform, views = sold.platform, sold.platform.certificate.functions
    platform.send("minter", mint(sold, "alice"))
    call = views.registrarTransfer(1, platform.at["eve"], "inheritance")
    for actor in ("owner", "alice", "minter"):
        assert platform.reason(actor, call) == UNAUTHORIZED
    receipt = platform.send("registrar", call)
    moved = platform.event(receipt, platform.certificate, "CertificateTransferred")
    assert (moved["from"], moved["to"]) == (platform.at["alice"], platform.at["eve"])
    why = platform.event(receipt, platform.certificate, "RegistrarTransferred")
    assert why == {"tokenId": 1, "registrar": platform.at["registrar"], "reason": "inheritance"}
    assert votes(platform, "alice", "eve") == [0, 7]
    assert platform.reason("registrar", views.registrarTransfer(1, ZERO, "")) == "ERC721InvalidReceiver"
    unknown = views.registrarTransfer(9, platform.at["eve"], "")
    assert platform.reason("registrar", unknown) == "ERC721NonexistentToken"


def test_revoked_certificate_cannot_move_and_has_no_votes(sold: Any) -> None:
    platform, views = sold.platform, sold.platform.certificate.functions
    platform.send("minter", mint(sold, "alice"))
    call = views.revoke(1, "court order")
    for actor in ("owner", "alice", "minter"):
        assert platform.reason(actor, call) == UNAUTHORIZED
    receipt = platform.send("registrar", call)
    assert platform.event(receipt, platform.certificate, "CertificateRevoked") == {
        "tokenId": 1, "owner": platform.at["alice"], "votingWeight": 7, "reason": "court order",
    }  # fmt: skip
    weight = platform.event(receipt, platform.certificate, "VotingWeightChanged")
    assert weight == {"owner": platform.at["alice"], "weight": 0}
    assert views.ownerOf(1).call() == platform.at["alice"]
    assert views.certificate(1).call()[6]
    to_bob = views.transferFrom(platform.at["alice"], platform.at["bob"], 1)
    assert platform.reason("alice", to_bob) == "CertificateIsRevoked"
    moving = views.registrarTransfer(1, platform.at["bob"], "")
    assert platform.reason("registrar", moving) == "CertificateIsRevoked"
    assert platform.reason("registrar", call) == "CertificateIsRevoked"
    assert platform.reason("registrar", views.revoke(9, "")) == "ERC721NonexistentToken"
    assert platform.reason("minter", mint(sold, "alice")) == "CertificateExists"


def test_uri_is_the_investments_uuid(sold: Any) -> None:
    platform, views = sold.platform, sold.platform.certificate.functions
    platform.send("minter", mint(sold, "bob"))
    platform.send("minter", mint(sold, "alice"))
    assert views.tokenURI(1).call() == f"https://example.test/{uuid.UUID(bytes=sold.bob[:16])}"
    assert views.tokenURI(2).call() == "https://example.test/0x" + sold.alice.hex()
    change = views.setBaseURI("ipfs://")
    assert platform.reason("registrar", change) == UNAUTHORIZED
    event = platform.event(platform.send("owner", change), platform.certificate, "BaseURIChanged")
    assert event == {"baseURI": "ipfs://"}
    assert views.tokenURI(1).call() == f"ipfs://{uuid.UUID(bytes=sold.bob[:16])}"
    assert platform.reason("eve", views.tokenURI(9)) == "ERC721NonexistentToken"


def test_interfaces_and_voting_unit(platform: Any) -> None:
    views = platform.certificate.functions
    for interface in ("01ffc9a7", "80ac58cd", "5b5e139f", "7965db0b"):
        assert views.supportsInterface(bytes.fromhex(interface)).call()
    assert not views.supportsInterface(b"\xff" * 4).call()
    assert views.votingUnit().call() == 100_000
