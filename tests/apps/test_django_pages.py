"""The Django example's pages in a real browser, over what its own play has left."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from chainfirst.examples.stage import EXAMPLES, WEB
from chainfirst.tests.apps import chromium
from chainfirst.tests.apps.conftest import Played, django, manage
from chainfirst.tests.apps.programs import Program, free_port

pytestmark = [pytest.mark.apps, pytest.mark.xdist_group("stage")]

GOAL, PAID = "500,000.00", "released"
PASSWORD = "of this test alone"
CELLS = "[...row.cells].map(cell => cell.innerText.trim())"
ROWS = f"[...document.querySelectorAll('table tr')].slice(1).map(row => {CELLS})"
BUTTON = "(document.querySelector('[name=_save]') ?? document.querySelector('[type=submit]'))"
READY = "document.readyState === 'complete'"


@pytest.fixture(scope="module")
def site(played: Played) -> Iterator[str]:
    """Its address, as `manage.py runserver` serves it; the officer of the play may log in."""
    with psycopg.connect(played.stage.url(WEB)) as connection:
        row = connection.execute(
            "SELECT email FROM platform.users WHERE role = 'compliance_officer'"
        ).fetchone()
    assert row is not None
    login = ("createsuperuser", "--noinput", "--username", "officer", "--email", row[0])
    for arguments in (("migrate", "--verbosity", "0"), login):
        done = django(played.stage, *arguments, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
        assert done.returncode == 0, done.stderr
    address = f"127.0.0.1:{free_port()}"
    environment = os.environ | played.stage.environment | {"DJANGO_DEBUG": "1", "PYTHONUNBUFFERED": "1"}
    with Program(manage("runserver", "--noreload", address), environment, EXAMPLES / "django") as program:
        program.says("Starting development server")
        yield f"http://{address}"


@pytest.fixture(scope="module")
def page() -> Iterator[chromium.Page]:
    with chromium.page() as page:
        yield page


def settled(page: chromium.Page, script: str) -> None:
    """Wait until it is true in a page that is wholly loaded: whichever is there then."""
    limit = time.monotonic() + chromium.SECONDS
    while time.monotonic() < limit:
        try:
            if page.run(f"new Promise(done => setTimeout(done, 20, {READY} && ({script})))"):
                return
        except AssertionError as error:  # it has just left for the next one
            if "navigated" not in str(error):
                raise
    raise AssertionError(f"{script} never came true")


def visit(page: chromium.Page, address: str) -> None:
    page.open(address, 1200, 800)
    settled(page, f"location.href === '{address}'")


def submit(page: chromium.Page, **fields: str) -> None:
    """Fill in a form and send it off; the page that comes then is there afterwards."""
    for name, value in fields.items():
        page.run(f"document.getElementsByName({name!r})[0].value = {value!r}")
    page.run(f"window.left = true; {BUTTON}.click()")
    settled(page, "window.left === undefined")


def rows(page: chromium.Page) -> list[list[str]]:
    """The cells of the page's table, without its head."""
    found: list[list[str]] = page.run(ROWS)
    return found


def test_campaigns_and_certificates_are_shown_as_the_chain_has_them(
    site: str, page: chromium.Page, tmp_path: Path
) -> None:
    visit(page, f"{site}/campaigns/")
    page.screenshot(tmp_path / "campaigns.png")
    assert rows(page) == [
        ["Lalibela Textiles", "Shares of Lalibela Textiles", "failed", GOAL, "85,000.00", "17.00", "2", ""],
        ["Sheger Coffee", "Shares of Sheger Coffee", "successful", GOAL, "420,000.00", "84.00", "3", PAID],
    ]
    assert "final up to" in page.run("document.querySelector('footer').innerText")
    visit(page, f"{site}/certificates/")
    page.screenshot(tmp_path / "certificates.png")
    shown = [(row[0], row[4], row[5]) for row in rows(page)]
    assert shown == [("3", "150", ""), ("2", "120", "1 ×"), ("1", "150", "")]
    assert page.said == []


def test_a_change_that_the_database_refuses_is_an_error_of_the_form_in_its_words(
    site: str, page: chromium.Page, played: Played, tmp_path: Path
) -> None:
    visit(page, f"{site}/admin/login/?next=/admin/")
    submit(page, username="officer", password=PASSWORD)
    with psycopg.connect(played.stage.url(WEB)) as connection:
        row = connection.execute("SELECT id FROM platform.campaigns ORDER BY title DESC LIMIT 1").fetchone()
    assert row is not None
    visit(page, f"{site}/admin/records/campaign/{row[0]}/change/")
    assert page.run("document.querySelector('.field-on_chain .readonly').innerText") == "confirmed"
    submit(page, status="draft")
    page.screenshot(tmp_path / "refused.png")
    said = page.run("document.querySelector('.field-status .errorlist').innerText")
    assert said == "status: what is approved can't become draft. approved is an end: it stays so."
    submit(page, status="approved")
    assert "was changed successfully" in page.run("document.querySelector('.messagelist').innerText")
    assert [each for each in page.said if "favicon" not in each] == []
