"""What somebody would try who wants other people's money, or wants to keep them from it."""

from typing import Any

import pytest

DAY = 86_400
HASH = b"\x33" * 32
ZERO = "0x" + "00" * 20
ACTIVE, SUCCESSFUL, FAILED, CANCELLED = range(4)
# returns 32 zero bytes to every call: a token whose transfers answer false
FALSE_TOKEN = "0x60206000f3"


def empty_handed(platform: Any, contract: Any) -> None:
    """A contract with a campaign's code that the factory did not make: nothing of it leads anywhere."""
    functions = contract.functions
    expected = {
        ("alice", functions.invest(bytes(32), 1_000)): "TooLate",
        ("operator", platform.record(contract, "alice", 1_000)): "TooLate",
        ("eve", functions.finalize()): "NotActiveCampaign",
        ("owner", functions.cancel("")): "NotActiveCampaign",
        ("eve", functions.releaseFunds()): "WrongStatus",
        ("eve", functions.refund(platform.at["alice"])): "WrongStatus",
        ("eve", functions.withdrawFee()): "NoFee",
    }
    for (actor, call), reason in expected.items():
        assert platform.reason(actor, call) == reason, call.fn_name
    assert platform.reason("eve", functions.sweep()) is not None  # it has no token
    assert not platform.factory.functions.isCampaign(contract.address).call()
    pull = platform.factory.functions.pull(1, platform.new_id(), platform.new_id())
    assert platform.reason(contract.address, pull) == "NotCampaign"
    mint = platform.certificate.functions.mint(platform.at["alice"], HASH, contract.address, HASH)
    assert platform.reason("minter", mint) == "UnknownCampaign"


def test_the_implementation_itself_is_of_no_use(platform: Any) -> None:
    address = platform.factory.functions.implementation().call()
    implementation = platform.contract("CampaignImplementation", address)
    setup = (platform.company, platform.token.address, platform.at["eve"], 0, 2**63, 2**63)
    initialize = implementation.functions.initialize(platform.terms(), setup)
    for caller in ("eve", "owner", platform.factory.address):
        assert platform.reason(caller, initialize) == "AlreadyInitialized"
    empty_handed(platform, implementation)


def test_a_clone_of_somebody_else_can_not_be_initialised(platform: Any) -> None:
    address = platform.factory.functions.implementation().call()
    runtime = f"363d3d373d3d3d363d73{address[2:]}5af43d82803e903d91602b57fd5bf3"  # EIP-1167
    sent = platform.web3.eth.send_transaction(
        {"from": platform.at["eve"], "data": f"0x3d602d80600a3d3981f3{runtime}", "gas": 1_000_000}
    )
    clone = platform.contract("CampaignImplementation", platform.mined(sent)["contractAddress"])
    setup = (platform.company, platform.token.address, platform.at["eve"], 0, 2**63, 2**63)
    for caller in ("eve", "owner", "operator"):
        call = clone.functions.initialize(platform.terms(), setup)
        assert platform.reason(caller, call) == "NotFactory"
    empty_handed(platform, clone)


def test_tokens_sent_to_a_campaign_before_it_exists(platform: Any) -> None:
    terms = platform.terms()
    create = platform.factory.functions.createCampaign(terms)
    address = create.call({"from": platform.at["operator"]})
    platform.send("eve", platform.token.functions.transfer(address, 500))
    platform.send("operator", create)
    campaign = platform.contract("CampaignImplementation", address)
    assert campaign.functions.campaignId().call() == terms[0]
    assert (campaign.functions.raised().call(), campaign.functions.escrowBalance().call()) == (0, 0)
    platform.send("alice", platform.token.functions.approve(address, 1_000))
    platform.send("alice", campaign.functions.invest(bytes(32), 1_000))
    platform.send("eve", campaign.functions.sweep())
    assert platform.balance(address) == campaign.functions.escrowBalance().call() == 1_000


def test_ids_of_different_people_and_campaigns_never_meet(platform: Any) -> None:
    nonce, tokens = b"\x07" * 32, []
    for _ in range(2):
        campaign = platform.campaign(fundingGoal=2_000)
        for name in ("alice", "bob"):
            platform.send(name, campaign.functions.invest(nonce, 1_000))
        platform.send("eve", campaign.functions.finalize())
        for name in ("alice", "bob"):
            wanted = campaign.functions.investmentIdOf(platform.at[name], nonce).call()
            record = platform.record(campaign, name, 1_000, id=wanted)
            assert platform.reason("operator", record) == "InvalidId"  # no UUID's shape
            mint = platform.certificate.functions.mint(platform.at[name], wanted, campaign.address, HASH)
            platform.send("minter", mint)
            tokens.append(platform.certificate.functions.tokenOfInvestment(wanted).call())
    assert tokens == [1, 2, 3, 4]


def test_a_blocked_investor_keeps_nobody_else_from_the_refund(platform: Any) -> None:
    token, factory = platform.other_token("BlockingToken")
    campaign = platform.campaign(factory)
    for name in ("alice", "bob"):
        platform.invest(campaign, name, 5_000)
    platform.send("owner", campaign.functions.cancel(""))
    platform.send("eve", token.functions.setBlocked(platform.at["alice"]))
    before = platform.balance("bob", token)
    assert platform.reason("eve", campaign.functions.refund(platform.at["alice"])) == "Blocked"
    platform.send("eve", campaign.functions.refund(platform.at["bob"]))
    assert platform.balance("bob", token) - before == 5_000
    assert not campaign.functions.isRefunded(platform.at["alice"]).call()
    assert campaign.functions.escrowBalance().call() == 5_000
    platform.send("eve", token.functions.setBlocked(ZERO))
    platform.send("eve", campaign.functions.refund(platform.at["alice"]))
    assert campaign.functions.escrowBalance().call() == platform.balance(campaign.address, token) == 0


def test_a_blocked_issuer_is_paid_at_another_wallet(platform: Any) -> None:
    token, factory = platform.other_token("BlockingToken")
    campaign = platform.campaign(factory)
    platform.invest(campaign, "alice", 1_000_000)
    platform.send("eve", campaign.functions.finalize())
    platform.send("eve", token.functions.setBlocked(platform.at["issuer"]))
    release = campaign.functions.releaseFunds()
    assert platform.reason("eve", release) == "Blocked"
    replace = platform.registry.functions.replaceIssuer(platform.company, platform.at["owner"])
    platform.send("registrar", replace)
    platform.send("eve", release)
    assert platform.balance("owner", token) == 975_000


def test_who_is_no_longer_verified_is_still_refunded(platform: Any) -> None:
    campaign = platform.campaign()
    platform.invest(campaign, "alice", 5_000)
    platform.send("registrar", platform.registry.functions.setInvestor(platform.at["alice"], False))
    invest = campaign.functions.invest(bytes(32), 5_000)
    assert platform.reason("alice", invest) == "InvestorNotVerified"
    platform.send("owner", campaign.functions.cancel(""))
    before = platform.balance("alice")
    platform.send("eve", campaign.functions.refund(platform.at["alice"]))
    assert platform.balance("alice") - before == 5_000


@pytest.mark.parametrize("inner", ["recordInvestment", "cancel", "initialize", "pause", "pull"])
def test_a_hook_that_calls_what_needs_a_right_gets_nowhere(platform: Any, inner: str) -> None:
    token, factory = platform.other_token("ReentrantToken")
    campaign = platform.campaign(factory)
    setup = (platform.company, token.address, platform.at["eve"], 0, 1, 1)
    target, arguments, expected = {
        "recordInvestment": (campaign, [HASH, platform.at["eve"], 9, HASH], "ReentrancyGuardReentrantCall"),
        "cancel": (campaign, [""], "ReentrancyGuardReentrantCall"),
        "initialize": (campaign, [platform.terms(), setup], "AlreadyInitialized"),
        "pause": (campaign, [], "MissingRole"),
        "pull": (factory, [9, platform.new_id(), platform.new_id()], "NotCampaign"),
    }[inner]  # fmt: skip
    platform.send("eve", token.functions.arm(target.address, target.encode_abi(inner, arguments)))
    assert platform.reason("alice", campaign.functions.invest(bytes(32), 1_000)) == expected


def test_a_hook_can_not_sweep_twice(platform: Any) -> None:
    token, factory = platform.other_token("ReentrantToken")
    campaign = platform.campaign(factory)
    platform.invest(campaign, "alice", 5_000)
    platform.send("bob", token.functions.transfer(campaign.address, 77))
    platform.send("eve", token.functions.arm(campaign.address, campaign.encode_abi("sweep")))
    assert platform.reason("eve", campaign.functions.sweep()) == "ReentrancyGuardReentrantCall"


def test_a_hook_that_adds_tokens_is_refused_like_a_fee(platform: Any) -> None:
    token, factory = platform.other_token("ReentrantToken")
    campaign = platform.campaign(factory)
    more = token.encode_abi("mint", [campaign.address, 5])
    platform.send("eve", token.functions.arm(token.address, more))
    assert platform.reason("alice", campaign.functions.invest(bytes(32), 1_000)) == "TokenTookFee"
    assert platform.reason("operator", platform.record(campaign, "bob", 1_000)) == "TokenTookFee"


def test_a_token_that_answers_false_is_believed(platform: Any) -> None:
    token, factory = platform.other_token("FeeToken")
    campaign = platform.campaign(factory)
    platform.rpc("anvil_setCode", token.address, FALSE_TOKEN)
    failed = "SafeERC20FailedOperation"
    assert platform.reason("alice", campaign.functions.invest(bytes(32), 1_000)) == failed
    assert platform.reason("operator", platform.record(campaign, "bob", 1_000)) == failed
    assert campaign.functions.raised().call() == 0


def test_an_empty_or_unwilling_treasury_books_nothing(platform: Any) -> None:
    campaign = platform.campaign()
    payment = {"id": platform.new_id(), "reference": platform.new_id()}
    record = platform.record(campaign, "bob", 5_000, **payment)
    approve = platform.token.functions.approve
    platform.send("treasury", approve(platform.factory.address, 4_999))
    assert platform.reason("operator", record) == "ERC20InsufficientAllowance"
    platform.send("owner", platform.factory.functions.setTreasury(platform.at["fees"]))
    platform.send("fees", approve(platform.factory.address, 2**255))
    assert platform.reason("operator", record) == "ERC20InsufficientBalance"
    assert not platform.factory.functions.isPaymentUsed(payment["reference"]).call()
    platform.send("minter", platform.token.functions.mint(platform.at["fees"], 5_000))
    event = platform.event(platform.send("operator", record), campaign, "InvestmentRecorded")
    assert (event["payer"], platform.balance("fees")) == (platform.at["fees"], 0)


def test_a_factory_that_the_registry_does_not_know_creates_nothing(platform: Any) -> None:
    _, factory = platform.other_token("FeeToken")
    platform.send("owner", platform.registry.functions.setFactory(platform.factory.address))
    create = factory.functions.createCampaign(platform.terms())
    assert platform.reason("operator", create) == "NotFactory"


def test_changed_settings_never_reach_a_running_campaign(platform: Any) -> None:
    campaign = platform.campaign()
    settings = platform.factory.functions
    for call in (settings.setFee(1_000), settings.setFeeRecipient(platform.at["eve"])):
        platform.send("owner", call)
    platform.invest(campaign, "alice", 1_000_000)
    platform.send("eve", campaign.functions.finalize())
    platform.send("eve", campaign.functions.releaseFunds())
    before = platform.balance("eve")
    platform.send("eve", campaign.functions.withdrawFee())
    assert (platform.balance("issuer"), platform.balance("fees")) == (975_000, 25_000)
    assert platform.balance("eve") == before


def test_without_a_fee_nothing_is_owed_to_its_recipient(platform: Any) -> None:
    platform.send("owner", platform.factory.functions.setFee(0))
    campaign = platform.campaign()
    platform.invest(campaign, "alice", 999_999)
    platform.pass_time(36 * DAY)
    platform.send("eve", campaign.functions.finalize())
    released = platform.event(
        platform.send("eve", campaign.functions.releaseFunds()), campaign, "FundsReleased"
    )
    assert (released["amount"], released["fee"], released["escrowBalance"]) == (999_999, 0, 0)
    assert platform.reason("eve", campaign.functions.withdrawFee()) == "NoFee"
    assert campaign.functions.status().call() == SUCCESSFUL
