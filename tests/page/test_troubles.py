"""The errors that the page shows are those of the log, short and without what only the log may hold."""

import io
from collections.abc import Iterator

import pytest
import structlog
from chainfirst.ops import log


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    log.configure(io.StringIO())
    yield
    structlog.reset_defaults()


def test_warnings_errors_and_their_ends_are_remembered() -> None:
    log.get("daemon").info("started")
    repeats = log.Repeats(log.get("jobs"), clock=lambda: 0.0)
    repeats.failed("check", "job_failed", error="no answer")
    repeats.failed("check", "job_failed", error="no answer")  # within a minute: not logged
    repeats.recovered("check")
    secret = "geheim"  # noqa: F841
    try:
        raise ValueError("bad")
    except ValueError:
        log.get("indexer").exception("failed", block=7)
    found = log.troubles()[:3]
    assert [(each.level, each.part, each.event, each.details) for each in found] == [
        ("error", "indexer", "failed", "block: 7"),
        ("info", "jobs", "recovered", "for_seconds: 0"),
        ("warning", "jobs", "job_failed", "error: no answer"),
    ]
    assert found[0].at.endswith("Z")


def test_there_are_never_many_nor_long_ones() -> None:
    for number in range(2 * log.REMEMBERED):
        log.get("x").error("e" * 10_000, text="y" * 10_000, number=number)
    found = log.troubles()
    assert len(found) == log.REMEMBERED
    assert {(len(each.event), len(each.details)) for each in found} == {(log.REMEMBERED_CHARACTERS,) * 2}
