"""IssuerRegistry: every function, every refusal, every role both ways."""

from typing import Any

import pytest

H = b"\x22" * 32
ZERO = "0x" + "00" * 20
UNAUTHORIZED = "AccessControlUnauthorizedAccount"


def test_register_and_what_it_refuses(platform: Any) -> None:
    register = platform.registry.functions.registerIssuer
    company, wallet = platform.new_id(), platform.at["eve"]
    call = register(company, wallet, H, "ipfs://x")
    assert platform.reason("owner", call) == UNAUTHORIZED
    event = platform.event(platform.send("registrar", call), platform.registry, "IssuerRegistered")
    assert event == {"companyId": company, "issuer": wallet, "credentialHash": H, "documentURI": "ipfs://x"}
    views = platform.registry.functions
    assert views.issuerOf(company).call() == wallet
    assert views.isActive(wallet).call()
    assert views.activeCampaignOf(wallet).call() == ZERO
    assert views.issuerDetails(wallet).call() == (company, H, "ipfs://x", True, ZERO)
    assert platform.reason("registrar", register(company, platform.at["bob"], H, "")) == "CompanyExists"
    assert platform.reason("registrar", register(platform.new_id(), wallet, H, "")) == "WalletTaken"
    assert platform.reason("registrar", register(platform.new_id(), ZERO, H, "")) == "ZeroAddress"
    for bad in (bytes(32), b"\x01" * 32):
        assert platform.reason("registrar", register(bad, platform.at["bob"], H, "")) == "InvalidId"


def test_replaced_wallet_takes_over_and_gets_the_release(platform: Any) -> None:
    replace = platform.registry.functions.replaceIssuer
    campaign = platform.campaign()
    platform.invest(campaign, "alice", 1_000_000)
    old, new = platform.at["issuer"], platform.at["eve"]
    assert platform.reason("issuer", replace(platform.company, new)) == UNAUTHORIZED
    assert platform.reason("registrar", replace(platform.new_id(), new)) == "UnknownCompany"
    assert platform.reason("registrar", replace(platform.company, ZERO)) == "ZeroAddress"
    assert platform.reason("registrar", replace(platform.company, old)) == "WalletTaken"
    receipt = platform.send("registrar", replace(platform.company, new))
    event = platform.event(receipt, platform.registry, "IssuerReplaced")
    assert event == {"companyId": platform.company, "oldIssuer": old, "newIssuer": new}
    views = platform.registry.functions
    assert not views.isActive(old).call()
    assert views.activeCampaignOf(new).call() == campaign.address
    receipt = platform.send("bob", campaign.functions.finalize())
    freed = platform.event(receipt, platform.registry, "IssuerCampaignChanged")
    assert freed == {"companyId": platform.company, "issuer": new, "campaign": ZERO}
    before = platform.balance("eve")
    platform.send("bob", campaign.functions.releaseFunds())
    assert platform.balance("eve") - before == 975_000


@pytest.mark.parametrize("actor", ["registrar", "issuer"])
def test_document_is_updated_by_registrar_or_issuer(platform: Any, actor: str) -> None:
    call = platform.registry.functions.updateDocument(platform.at["issuer"], "ipfs://new")
    event = platform.event(platform.send(actor, call), platform.registry, "IssuerDocumentUpdated")
    assert (event["companyId"], event["documentURI"]) == (platform.company, "ipfs://new")
    assert platform.reason("owner", call) == "NotRegistrarOrIssuer"
    unknown = platform.registry.functions.updateDocument(platform.at["eve"], "")
    assert platform.reason("registrar", unknown) == "UnknownIssuer"


def test_suspension_stops_new_campaigns_but_no_end_and_no_refund(platform: Any) -> None:
    campaign = platform.campaign()
    platform.invest(campaign, "alice", 5_000)
    suspend = platform.registry.functions.setActive(platform.at["issuer"], False)
    assert platform.reason("owner", suspend) == UNAUTHORIZED
    event = platform.event(platform.send("registrar", suspend), platform.registry, "IssuerStatusChanged")
    assert event == {"companyId": platform.company, "issuer": platform.at["issuer"], "active": False}
    assert not platform.registry.functions.isActive(platform.at["issuer"]).call()
    platform.pass_time(36 * 86_400)
    platform.send("eve", campaign.functions.finalize())
    platform.send("eve", campaign.functions.refund(platform.at["alice"]))
    create = platform.factory.functions.createCampaign(platform.terms())
    assert platform.reason("operator", create) == "IssuerSuspended"
    platform.send("registrar", platform.registry.functions.setActive(platform.at["issuer"], True))
    assert platform.reason("operator", create) is None
    unknown = platform.registry.functions.setActive(platform.at["eve"], True)
    assert platform.reason("registrar", unknown) == "UnknownIssuer"


def test_investors(platform: Any) -> None:
    call = platform.registry.functions.setInvestor(platform.at["eve"], True)
    assert platform.reason("owner", call) == UNAUTHORIZED
    event = platform.event(platform.send("registrar", call), platform.registry, "InvestorStatusChanged")
    assert event == {"investor": platform.at["eve"], "verified": True}
    assert platform.registry.functions.isVerifiedInvestor(platform.at["eve"]).call()
    platform.send("registrar", platform.registry.functions.setInvestor(platform.at["eve"], False))
    assert not platform.registry.functions.isVerifiedInvestor(platform.at["eve"]).call()
    assert platform.reason("registrar", platform.registry.functions.setInvestor(ZERO, True)) == "ZeroAddress"


def test_factory_locks_and_only_the_active_campaign_unlocks(platform: Any) -> None:
    views = platform.registry.functions
    issuer = platform.at["issuer"]
    assert platform.reason("owner", views.lock(issuer, platform.at["eve"])) == "NotFactory"
    campaign = platform.campaign()
    assert views.activeCampaignOf(issuer).call() == campaign.address
    assert platform.reason("owner", views.unlock(issuer)) == "NotActiveCampaign"
    assert (
        platform.reason("operator", platform.factory.functions.createCampaign(platform.terms()))
        == "IssuerBusy"
    )
    unknown = platform.factory.functions.createCampaign(platform.terms(issuer=platform.at["eve"]))
    assert platform.reason("operator", unknown) == "UnknownIssuer"
    change = views.setFactory(platform.at["eve"])
    assert platform.reason("registrar", change) == UNAUTHORIZED
    assert platform.reason("owner", views.setFactory(ZERO)) == "ZeroAddress"
    event = platform.event(platform.send("owner", change), platform.registry, "FactoryChanged")
    assert event == {"factory": platform.at["eve"]}
    platform.send("owner", campaign.functions.cancel("an old factory's campaign still ends"))
    assert views.activeCampaignOf(issuer).call() == ZERO


def test_revoked_registrar_can_do_nothing(platform: Any) -> None:
    role = platform.registry.functions.REGISTRAR_ROLE().call()
    revoke = platform.registry.functions.revokeRole(role, platform.at["registrar"])
    assert platform.reason("eve", revoke) == UNAUTHORIZED
    platform.send("owner", revoke)
    call = platform.registry.functions.setInvestor(platform.at["eve"], True)
    assert platform.reason("registrar", call) == UNAUTHORIZED
