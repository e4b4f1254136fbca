"""Log lines are JSON off a terminal; a failure that repeats does not flood them. Metrics have names."""

import io
import json
from collections.abc import Iterator

import prometheus_client
import pytest
import structlog
from chainfirst.ops import log, metrics


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_json_with_event_and_ids() -> None:
    stream = io.StringIO()
    log.configure(stream)
    log.get("indexer").info("batch", block=7, hash="0xab")
    url = "https://node/geheim"  # noqa: F841
    try:
        raise ValueError("bad")
    except ValueError:
        log.get("indexer").exception("failed")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {"event": "batch", "level": "info", "part": "indexer", "block": 7, "hash": "0xab"}
    assert second["exception"][0]["exc_value"] == "bad"
    assert "geheim" not in stream.getvalue()


def test_readable_on_a_terminal() -> None:
    stream = io.StringIO()
    log.configure(stream, as_json=False)
    log.get("indexer").info("batch", block=7)
    url = "https://node/geheim"  # noqa: F841
    try:
        raise ValueError("bad")
    except ValueError:
        log.get("indexer").exception("failed")
    for shown in ("batch", "block=7", "ValueError: bad"):
        assert shown in stream.getvalue()
    assert "geheim" not in stream.getvalue()


def test_a_repeated_failure_is_logged_once_a_minute_and_its_recovery_too() -> None:
    stream = io.StringIO()
    log.configure(stream)
    now = 100.0
    repeats = log.Repeats(log.get("rpc"), clock=lambda: now)
    assert not repeats.recovered("a")
    assert repeats.failed("a", "unreachable", host="h")
    for _ in range(5):
        now += 11
        assert not repeats.failed("a", "unreachable")
    assert repeats.failed("b", "unreachable")
    now += 11
    assert repeats.failed("a", "unreachable")
    assert not repeats.failed("a", "unreachable")
    assert repeats.recovered("a")
    assert not repeats.recovered("a")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["failing"], line["event"]) for line in lines] == [
        ("a", "unreachable"), ("b", "unreachable"), ("a", "unreachable"), ("a", "recovered"),
    ]  # fmt: skip
    assert lines[2]["repeated"] == 6
    assert lines[2]["for_seconds"] == lines[3]["for_seconds"] == 66


def test_metrics_carry_the_prefix() -> None:
    numbers = metrics.Metrics(prometheus_client.CollectorRegistry())
    numbers.know_sources({"token_transfer": ("token", "transfer")})
    numbers.committed("follow", {"token_transfer": 3}, 1, 2, 0.04, indexed=8, final=None, head=9)
    numbers.reorganised(4)
    text = prometheus_client.generate_latest(numbers.registry).decode()
    assert "chainfirst_head_block 9.0" in text
    assert 'chainfirst_events_total{contract="token",event="transfer"} 3.0' in text
    assert "chainfirst_reorg_depth_blocks_sum 4.0" in text
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    assert all(name.startswith("chainfirst_") for name in names)
