"""REST with an OpenAPI document over the schema api: a GET for each view, and nothing else."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from chainfirst.examples.stage import EXAMPLES

pytestmark = [pytest.mark.apps, pytest.mark.xdist_group("stage")]

VIEWS = {
    "/activity/", "/campaigns/", "/chainStatus/", "/companies/", "/fundEscrows/", "/investments/",
    "/nftShareCertificates/", "/nftTransferHistory/", "/refundTransactions/",
}  # fmt: skip


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=30) as pool:
        yield pool


def get(pool: urllib3.PoolManager, url: str) -> Any:
    answer = pool.request("GET", url)
    assert answer.status == 200, answer.data
    return answer.json()


def test_campaign_investments_and_certificates_one_after_the_other(
    rest: str, pool: urllib3.PoolManager
) -> None:
    (campaign,) = get(pool, f"{rest}/campaigns?where.status.eq=successful")
    assert (campaign["title"], campaign["currentFunding"]) == ("Shares of Sheger Coffee", "420000.00")
    address = f"{rest}/investments?where.campaign.eq={campaign['id']}&orderby.amount=desc&limit=2"
    investments = get(pool, f"{address}&fields=id,amount,status")
    assert [each["amount"] for each in investments] == ["150000.00", "150000.00"]
    (certificate,) = get(pool, f"{rest}/nftShareCertificates?where.investment.eq={investments[0]['id']}")
    assert certificate["votingWeight"] == "150"


def test_the_readmes_addresses(rest: str, pool: urllib3.PoolManager) -> None:
    (failed,) = get(pool, f"{rest}/campaigns?where.status.eq=failed")
    paths = re.findall(r"curl 'http://127.0.0.1:5679(/[^']+)'", (EXAMPLES / "README.md").read_text())
    found = [get(pool, f"{rest}{path.replace('UUID', failed['id'])}") for path in paths]
    assert [len(rows) for rows in found] == [0, 2]  # no campaign is active any more
    assert set(found[1][0]) == {"id", "amount", "status"}


def test_the_openapi_document_has_a_get_for_each_view_and_nothing_personal(
    rest: str, pool: urllib3.PoolManager
) -> None:
    document = get(pool, f"{rest}/documentation/json")
    assert document["openapi"].startswith("3.")
    assert {path: set(methods) for path, methods in document["paths"].items()} == {
        path: {"get"} for path in VIEWS
    }
    investment = set(document["components"]["schemas"]["Investment"]["properties"])
    assert {"id", "campaign", "wallet", "amount", "status", "isFinal"} <= investment
    assert not investment & {"investor", "paymentReference", "paymentMethod", "failureReason"}


def test_nothing_can_be_written(rest: str, pool: urllib3.PoolManager) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert pool.request(method, f"{rest}/campaigns/", json={"title": "mine"}).status == 404
