"""PostGraphile over the schema api: what belongs together in one query, and nothing personal."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from chainfirst.examples.stage import EXAMPLES

pytestmark = [pytest.mark.apps, pytest.mark.xdist_group("stage")]

WHOLE = """
query ($status: String!) {
  campaigns(condition: {status: $status}) {
    nodes {
      title status currentFunding progressPercentage investorCount isFinal fundsReleased
      company { name registeredOnBlockchain }
      escrow { status totalEscrowed escrowBalance refundCompleted }
      investments(orderBy: AMOUNT_DESC) {
        nodes {
          amount status blockchainTxHash
          certificates { nodes { tokenId owner votingWeight transferred transfers { nodes { reason } } } }
        }
      }
      refunds { nodes { amount refundTxHash } }
    }
  }
}
"""
SCHEMA = """
{ __schema { mutationType { name } types { name fields { name } } } }
"""
FEED = """
{ activities(first: 50, orderBy: PRIMARY_KEY_DESC) { nodes { kind what blockNumber txIndex logIndex } } }
"""
PERSONAL = {
    "email", "fullName", "phone", "investor", "investorId", "owner", "tin", "paymentReference",
    "paymentMethod", "failureReason", "amlScore", "kycStatus", "verifiedBy", "approvedBy", "cancelledBy",
    "intentKey", "intentError",
}  # fmt: skip

Pool = urllib3.PoolManager


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(retries=False, timeout=30) as pool:
        yield pool


def ask(pool: Pool, url: str, query: str, **variables: object) -> Any:
    answer = pool.request("POST", url, json={"query": query, "variables": variables}).json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def test_a_campaign_with_its_investments_and_their_certificates(graphql: str, pool: Pool) -> None:
    found = ask(pool, graphql, WHOLE, status="successful")["campaigns"]["nodes"]
    assert len(found) == 1
    campaign = found[0]
    assert campaign["company"] == {"name": "Sheger Coffee", "registeredOnBlockchain": True}
    assert campaign["escrow"]["status"] == "released"
    assert (campaign["currentFunding"], campaign["progressPercentage"]) == ("420000.00", "84.00")
    assert (campaign["investorCount"], campaign["fundsReleased"]) == ("3", True)
    investments = campaign["investments"]["nodes"]
    assert [each["amount"] for each in investments] == ["150000.00", "150000.00", "120000.00"]
    assert {each["status"] for each in investments} == {"confirmed"}
    certificates = [each["certificates"]["nodes"] for each in investments]
    assert [len(each) for each in certificates] == [1, 1, 1]
    assert [each["votingWeight"] for (each,) in certificates] == ["150", "150", "120"]
    assert [each["transferred"] for (each,) in certificates] == [False, False, True]
    assert certificates[2][0]["transfers"]["nodes"] == [{"reason": "The owner has another wallet"}]


def test_the_readmes_query(graphql: str, pool: Pool) -> None:
    (query,) = re.findall(r"```graphql\n(.*?)```", (EXAMPLES / "README.md").read_text(), re.DOTALL)
    (campaign,) = ask(pool, graphql, query)["campaigns"]["nodes"]
    owners = [
        certificate["owner"]
        for investment in campaign["investments"]["nodes"]
        for certificate in investment["certificates"]["nodes"]
    ]
    assert (campaign["company"]["name"], len(set(owners))) == ("Sheger Coffee", 3)


def test_a_failed_campaign_with_its_refunds(graphql: str, pool: Pool) -> None:
    (campaign,) = ask(pool, graphql, WHOLE, status="failed")["campaigns"]["nodes"]
    assert campaign["escrow"] == {
        "status": "refunded", "totalEscrowed": "85000.00", "escrowBalance": "0.00", "refundCompleted": True,
    }  # fmt: skip
    assert {each["status"] for each in campaign["investments"]["nodes"]} == {"refunded"}
    assert sorted(each["amount"] for each in campaign["refunds"]["nodes"]) == ["35000.00", "50000.00"]


def test_nothing_personal_can_be_asked_for_and_nothing_written(graphql: str, pool: Pool) -> None:
    schema = ask(pool, graphql, SCHEMA)["__schema"]
    assert schema["mutationType"] is None
    fields = {
        kind["name"]: {each["name"] for each in kind["fields"]} for kind in schema["types"] if kind["fields"]
    }
    assert "User" not in fields
    assert {"Company", "Campaign", "Investment", "NftShareCertificate", "FundEscrow"} <= set(fields)
    owned = {"NftShareCertificate"}  # its owner is an account on chain
    for name, held in fields.items():
        assert not held & (PERSONAL - ({"owner"} if name in owned else set())), name
    refused = pool.request("POST", graphql, json={"query": "{ users { nodes { email } } }"}).json()
    assert re.search(r'Cannot query field \\"users\\"', json.dumps(refused["errors"]))


def test_what_happened_is_read_from_the_newest_on(graphql: str, pool: Pool) -> None:
    found = ask(pool, graphql, FEED)["activities"]["nodes"]
    places = [tuple(int(each[name]) for name in ("blockNumber", "txIndex", "logIndex")) for each in found]
    assert places == sorted(places, reverse=True)
    assert len({each["kind"] for each in found}) > 5
    assert all(each["what"] for each in found)
