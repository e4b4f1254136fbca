"""CampaignFactory: terms, settings, roles, the treasury's tokens."""

from typing import Any

import pytest

DAY = 86_400
ZERO = "0x" + "00" * 20
UNAUTHORIZED = "AccessControlUnauthorizedAccount"


def test_campaign_is_created_with_its_terms(platform: Any) -> None:
    terms = platform.terms(maxInvestment=5_000)
    call = platform.factory.functions.createCampaign(terms)
    assert platform.reason("owner", call) == UNAUTHORIZED
    receipt = platform.send("operator", call)
    event = platform.event(receipt, platform.factory, "CampaignCreated")
    now = platform.web3.eth.get_block(receipt["blockNumber"])["timestamp"]
    assert tuple(event["terms"].values()) == terms
    assert (event["campaignId"], event["issuer"]) == (terms[0], platform.at["issuer"])
    assert (event["token"], event["feeBps"]) == (platform.token.address, 250)
    assert (event["deadline"], event["recordUntil"]) == (now + 30 * DAY, now + 35 * DAY)
    locked = platform.event(receipt, platform.registry, "IssuerCampaignChanged")
    assert locked["campaign"] == event["campaign"]
    views = platform.factory.functions
    assert views.campaignOf(terms[0]).call() == event["campaign"]
    assert views.isCampaign(event["campaign"]).call()
    campaign = platform.contract("CampaignImplementation", event["campaign"])
    assert campaign.functions.terms().call() == terms
    assert campaign.functions.setup().call() == (
        platform.company, platform.token.address, platform.at["fees"], 250,
        event["deadline"], event["recordUntil"],
    )  # fmt: skip
    assert campaign.functions.campaignId().call() == terms[0]
    assert campaign.functions.registry().call() == platform.registry.address
    assert campaign.functions.factory().call() == platform.factory.address
    assert campaign.functions.issuer().call() == platform.at["issuer"]
    platform.send("owner", campaign.functions.cancel(""))
    assert platform.reason("operator", call) == "CampaignExists"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"campaignId": bytes(32)}, "InvalidId"),
        ({"campaignId": b"\x01" * 32}, "InvalidId"),
        ({"fundingGoal": 0}, "InvalidGoal"),
        ({"fundingGoal": 2**128}, "InvalidGoal"),
        ({"fundingGoal": 2**128 - 1}, None),
        ({"minInvestment": 11, "maxInvestment": 10}, "InvalidLimits"),
        ({"minInvestment": 10, "maxInvestment": 10}, None),
        ({"duration": DAY - 1}, "InvalidDuration"),
        ({"duration": DAY}, None),
        ({"duration": 365 * DAY}, None),
        ({"duration": 365 * DAY + 1}, "InvalidDuration"),
        ({"grace": 0}, None),
        ({"grace": 14 * DAY}, None),
        ({"grace": 14 * DAY + 1}, "InvalidGrace"),
        ({"successThresholdBps": 0}, "InvalidThreshold"),
        ({"successThresholdBps": 1}, None),
        ({"successThresholdBps": 10_000}, None),
        ({"successThresholdBps": 10_001}, "InvalidThreshold"),
    ],
)
def test_limits_of_the_terms(platform: Any, changes: dict[str, Any], expected: str | None) -> None:
    call = platform.factory.functions.createCampaign(platform.terms(**changes))
    assert platform.reason("operator", call) == expected


def test_settings_belong_to_the_admin_and_bind_new_campaigns_only(platform: Any) -> None:
    old = platform.campaign()
    implementation = platform.create("CampaignImplementation", platform.factory.address).address
    eve = platform.at["eve"]
    views = platform.factory.functions
    changes = [
        ("setImplementation", implementation, "ImplementationChanged", "implementation"),
        ("setFee", 1_000, "FeeChanged", "feeBps"),
        ("setFeeRecipient", eve, "FeeRecipientChanged", "feeRecipient"),
        ("setTreasury", eve, "TreasuryChanged", "treasury"),
    ]
    for function, value, event, view in changes:
        call = views[function](value)
        assert platform.reason("operator", call) == UNAUTHORIZED
        assert platform.event(platform.send("owner", call), platform.factory, event) == {view: value}
        assert views[view]().call() == value
    assert old.functions.setup().call()[2:4] == (platform.at["fees"], 250)
    assert platform.reason("owner", views.setFee(1_001)) == "FeeTooHigh"
    assert platform.reason("owner", views.setFeeRecipient(ZERO)) == "ZeroAddress"
    assert platform.reason("owner", views.setTreasury(ZERO)) == "ZeroAddress"


def test_implementation_must_be_this_factorys_and_is_disabled(platform: Any) -> None:
    setting = platform.factory.functions.setImplementation
    assert platform.reason("owner", setting(platform.at["eve"])) == "InvalidImplementation"
    foreign = platform.create("CampaignImplementation", platform.registry.address)
    assert platform.reason("owner", setting(foreign.address)) == "InvalidImplementation"
    campaign = platform.campaign()
    setup = (platform.company, platform.token.address, platform.at["eve"], 0, 1, 1)
    for contract in (foreign, campaign):
        call = contract.functions.initialize(platform.terms(), setup)
        assert platform.reason("eve", call) == "AlreadyInitialized"


def test_factory_without_implementation_creates_nothing(platform: Any) -> None:
    arguments = [
        platform.at["owner"], platform.registry.address, platform.token.address,
        platform.at["treasury"], platform.at["fees"], 0,
    ]  # fmt: skip
    factory = platform.create("CampaignFactory", *arguments)
    role = factory.functions.OPERATOR_ROLE().call()
    platform.send("owner", factory.functions.grantRole(role, platform.at["operator"]))
    call = factory.functions.createCampaign(platform.terms())
    assert platform.reason("operator", call) == "InvalidImplementation"


def test_only_campaigns_pull(platform: Any) -> None:
    call = platform.factory.functions.pull(1, platform.new_id(), platform.new_id())
    for actor in ("operator", "owner", "eve"):
        assert platform.reason(actor, call) == "NotCampaign"


def test_pull_checks_again_what_its_campaign_checked(platform: Any) -> None:
    campaign = platform.campaign()
    used = {"id": platform.new_id(), "reference": platform.new_id()}
    platform.send("operator", platform.record(campaign, "alice", 5_000, **used))
    pull, new = platform.factory.functions.pull, platform.new_id

    def reason(investment: bytes, payment: bytes) -> Any:
        return platform.reason(campaign.address, pull(1, investment, payment))

    assert reason(new(), new()) is None
    assert reason(used["id"], new()) == "InvestmentRecordedBefore"
    assert reason(new(), used["reference"]) == "PaymentUsed"
    assert reason(new(), bytes(32)) == "InvalidPaymentReference"
    assert reason(b"\x01" * 32, new()) == "InvalidId"


def test_a_token_that_answers_false_pays_nothing(platform: Any) -> None:
    token, factory = platform.other_token("FeeToken")
    campaign = platform.campaign(factory)
    platform.rpc("anvil_setCode", token.address, "0x60206000f3")  # 32 zero bytes to every call
    pull = factory.functions.pull(1, platform.new_id(), platform.new_id())
    assert platform.reason(campaign.address, pull) == "SafeERC20FailedOperation"


def test_revoking_the_operator_works_everywhere_at_once(platform: Any) -> None:
    campaign = platform.campaign()
    role = platform.factory.functions.OPERATOR_ROLE().call()
    platform.send("owner", platform.factory.functions.revokeRole(role, platform.at["operator"]))
    assert platform.reason("operator", platform.record(campaign, "alice", 5_000)) == "MissingRole"
    create = platform.factory.functions.createCampaign(platform.terms())
    assert platform.reason("operator", create) == UNAUTHORIZED
