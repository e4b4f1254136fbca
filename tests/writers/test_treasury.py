"""The treasury's funds, and what Prometheus is told of intents, while an investment waits for them."""

import uuid

import prometheus_client
from chainfirst.ops import metrics, sampling
from chainfirst.tests.writers.world import World
from chainfirst.writers import treasury

KIND = "campaign.record_investment"


def test_what_is_told_while_an_investment_waits(world: World) -> None:
    numbers = metrics.Metrics(prometheus_client.CollectorRegistry())
    sampler = sampling.Sampler(numbers, world.kinds)

    def value(name: str, **labels: str) -> float | None:
        sampler.sample(world.connection)
        return numbers.registry.get_sample_value(f"chainfirst_{name}", labels)

    assert value("intents", kind=KIND, status="pending") == 0
    campaign = str(uuid.uuid4())
    world.submit(
        "campaign.create",
        campaign=campaign,
        issuer=world.platform.at["issuer"],
        funding_goal="1000000",
        min_investment="1",
        max_investment="0",
        duration_seconds=30 * 86400,
        grace_seconds=0,
        success_threshold_bps=7500,
        document_uri="ipfs://offer",
    )
    world.finish()
    assert value("intents_ended_total", kind="campaign.create", outcome="confirmed") == 1
    for stage in metrics.STAGES:
        assert value("intent_seconds_count", stage=stage) == 1

    token, factory = world.platform.token.functions, world.platform.factory
    owner, eve = world.platform.at["treasury"], world.platform.at["eve"]
    balance = world.platform.balance("treasury")
    token.transfer(eve, balance - 10).transact({"from": owner})
    token.approve(factory.address, 77).transact({"from": owner})
    world.mine(3)
    assert treasury.funds(world.node, world.contracts) == treasury.Funds(10, 77)
    world.submit(
        KIND,
        campaign=campaign,
        investment=str(uuid.uuid4()),
        investor=world.platform.at["alice"],
        amount="5000",
        payment_reference="FT1",
    )
    world.round()
    assert value("intents_waiting_for", what="treasury") == 1
    assert value("treasury_wanted_units") == 5000
    assert value("intents", kind=KIND, status="waiting") == 1

    token.transfer(owner, balance - 10).transact({"from": eve})
    token.approve(factory.address, 2**256 - 1).transact({"from": owner})
    world.mine()
    assert treasury.funds(world.node, world.contracts) == treasury.Funds(balance, 2**256 - 1)
    world.finish()
    assert value("intents_waiting_for", what="treasury") == value("treasury_wanted_units") == 0
    assert value("intents_ended_total", kind=KIND, outcome="confirmed") == 1
    assert value("signed_again_total", purpose="call") == 0
    lane = {"lane": world.one("SELECT name FROM intent.lanes")}
    assert value("lane_next_nonce", **lane) == value("lane_mined_nonce", **lane) == world.nonce()
    assert (value("lane_transaction_cost_wei", **lane) or 0) > 21_000
