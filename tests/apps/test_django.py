"""The Django example on the real daemon, and its own tests without a chain."""

import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from chainfirst.examples import stage as stages
from chainfirst.tests.apps.conftest import Played, manage

pytestmark = [pytest.mark.apps, pytest.mark.xdist_group("stage")]

TOTALS = """
SELECT c.title, c.status, c.current_funding::text, e.status, e.refund_completed,
    (SELECT count(*) FROM api.nft_share_certificates n WHERE n.campaign = c.id),
    (SELECT count(*) FROM api.refund_transactions r WHERE r.campaign = c.id),
    (SELECT array_agg(DISTINCT i.status) FROM api.investments i WHERE i.campaign = c.id)
FROM api.campaigns c JOIN api.fund_escrows e ON e.campaign = c.id
WHERE c.is_final AND e.is_final ORDER BY c.title
"""


def test_the_whole_life_is_in_the_views_as_its_app_left_it(played: Played) -> None:
    with psycopg.connect(played.stage.url(stages.WEB)) as connection:
        found = connection.execute(TOTALS).fetchall()
        moved = connection.execute(
            "SELECT count(*) FROM api.nft_share_certificates WHERE transferred AND transfer_count = 1"
        ).fetchone()
        open_ = connection.execute(
            "SELECT count(*) FROM platform.requests WHERE outcome <> 'confirmed'"
        ).fetchone()
    assert found == [
        ("Shares of Lalibela Textiles", "failed", "85000.00", "refunded", True, 0, 2, ["refunded"]),
        ("Shares of Sheger Coffee", "successful", "420000.00", "released", False, 3, 0, ["confirmed"]),
    ]
    assert moved == (1,)
    assert open_ == (0,)


def test_every_step_was_seen_and_every_wrong_one_refused_with_the_databases_own_sentence(
    played: Played,
) -> None:
    refused = [line for line in played.said if line.startswith("refused: ")]
    assert [re.split(r"\. ", line)[1] for line in refused] == [
        "company: Sheger Coffee is not verified",
        "company: Lalibela Textiles is not verified",
        "status: the acting user's role is issuer, and this takes admin or compliance_officer",
        "status: the acting user's role is issuer, and this takes admin or compliance_officer",
        "amount: 500.00 birr is less than the campaign's minimum of 1000.00 birr",
    ]
    assert sum("is registered on chain: transaction 0x" in line for line in played.said) == 2
    assert played.said[-1].startswith("certificate 2 is transferred to 0x")


def test_what_was_done_for_whom_is_in_the_audit(played: Played) -> None:
    with psycopg.connect(played.stage.url(stages.WEB)) as connection:
        found = connection.execute(
            "SELECT u.role, a.role FROM platform.audit a JOIN platform.users u ON u.id = a.acting_user"
            " WHERE a.table_name = 'campaigns' AND a.changes ->> 'status' IS NOT NULL AND a.action = 'update'"
            " GROUP BY 1, 2 ORDER BY 1"
        ).fetchall()
    assert found == [("admin", stages.WEB), ("issuer", stages.WEB)]


def test_it_knows_nothing_of_chains() -> None:
    sources = [*(stages.EXAMPLES / "django").glob("[!.]*/**/*.py"), stages.EXAMPLES / "django" / "manage.py"]
    assert len(sources) > 10
    for source in sources:
        text = source.read_text()
        assert not re.search(r"^\s*(import|from) (web3|eth\w*|chainfirst)\b", text, re.M), source
    installed = subprocess.run(
        [manage()[0], "-m", "pip", "list", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "web3" not in installed.stdout


def test_its_own_tests_pass_without_a_chain(server_dir: Path) -> None:
    alone = [sys.executable, stages.__file__, "database", "--directory", str(server_dir / "database"), "--"]
    done = subprocess.run(
        [*alone, *manage("test")], cwd=stages.EXAMPLES / "django", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ran = re.search(r"Ran (\d+) tests", done.stderr)
    assert ran is not None
    assert int(ran[1]) > 5
