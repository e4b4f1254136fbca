"""What only the database knows, as numbers: intents and lanes, and what happened to them, each once."""

from collections.abc import Iterator

import prometheus_client
import pytest
from chainfirst.ops import metrics, sampling, session
from chainfirst.schema import migrate

SIGNER = "0x" + "11" * 20
KIND = "contract.call"


@pytest.fixture
def connection(pg_url: str) -> Iterator[session.Connection]:
    migrate.migrate(migrate.engine(pg_url), platform_enabled=False)
    with session.connect(pg_url, "test") as found:
        yield found


@pytest.fixture
def numbers() -> metrics.Metrics:
    return metrics.Metrics(prometheus_client.CollectorRegistry())


def value(numbers: metrics.Metrics, name: str, **labels: str) -> float | None:
    return numbers.registry.get_sample_value(f"chainfirst_{name}", labels)


def submit(connection: session.Connection, kind: str, key: str) -> str:
    row = connection.execute(
        "INSERT INTO intent.intents (kind, payload, key, submitted_by, submitted_at)"
        " VALUES (%s, '{}', %s, 'app', clock_timestamp() - interval '20 s') RETURNING id",
        [kind, key],
    ).fetchone()
    assert row is not None
    return str(row[0])


def attempt(connection: session.Connection, transaction: int, digit: str) -> int:
    row = connection.execute(
        "INSERT INTO intent.attempts (transaction, purpose, hash, raw, gas, max_fee_wei, signed_block)"
        " VALUES (%s, 'call', %s, '\\x00', 21000, 9, 1) RETURNING id",
        [transaction, "0x" + digit * 64],
    ).fetchone()
    assert row is not None
    connection.execute(
        "UPDATE intent.attempts SET sent_at = clock_timestamp(), last_sent_at = clock_timestamp(),"
        " last_sent_block = 1 WHERE id = %s",
        [row[0]],
    )
    return int(row[0])


def include(connection: session.Connection, of: int) -> None:
    connection.execute(
        "INSERT INTO intent.inclusions VALUES (%s, 2, %s, true, 21000, 7)", [of, "0x" + "ab" * 32]
    )


def test_what_happens_to_intents_is_counted_once(
    connection: session.Connection, numbers: metrics.Metrics
) -> None:
    sampler = sampling.Sampler(numbers, [KIND])
    before = submit(connection, KIND, "before")
    sampler.sample(connection)
    assert value(numbers, "intents", kind=KIND, status="pending") == 1
    assert value(numbers, "intents", kind=metrics.OTHER, status="pending") == 0

    signed, strange = submit(connection, KIND, "signed"), submit(connection, "what.ever", "strange")
    connection.execute(
        "INSERT INTO intent.lanes (signer, name, first_nonce, explained_to, balance_wei, alert)"
        " VALUES (%s, 'default', 5, 6, 1000000, 'nonce 6 waits for funds; the node says')",
        [SIGNER],
    )
    transactions = []
    for nonce, intent in ((6, signed), (7, before)):
        row = connection.execute(
            "INSERT INTO intent.transactions (signer, nonce, intent) VALUES (%s, %s, %s) RETURNING id",
            [SIGNER, nonce, intent],
        ).fetchone()
        assert row is not None
        transactions.append(int(row[0]))
    first = attempt(connection, transactions[0], "1")
    second = attempt(connection, transactions[0], "2")  # a bump
    attempt(connection, transactions[1], "3")
    include(connection, second)
    connection.execute("DELETE FROM intent.inclusions")  # a reorganisation
    include(connection, second)
    connection.execute(
        "UPDATE intent.intents SET outcome = 'rejected', error = 'no such kind', ended_at = clock_timestamp()"
        " WHERE id = %s",
        [strange],
    )
    assert first != second
    for _ in range(3):
        sampler.sample(connection)
    assert value(numbers, "intent_seconds_count", stage="sent") == 2
    assert value(numbers, "intent_seconds_count", stage="included") == 1
    assert 20 <= (value(numbers, "intent_seconds_sum", stage="included") or 0) < 60
    assert value(numbers, "intent_seconds_count", stage="confirmed") == 0
    assert value(numbers, "signed_again_total", purpose="call") == 1
    assert value(numbers, "intents_ended_total", kind=metrics.OTHER, outcome="rejected") == 1
    assert value(numbers, "intents", kind=KIND, status="included") == 1
    assert value(numbers, "intents", kind=KIND, status="sent") == 1
    lane = {"lane": "default"}
    assert value(numbers, "lane_open_transactions", **lane) == 2
    assert value(numbers, "lane_in_flight_transactions", **lane) == 1
    assert value(numbers, "lane_next_nonce", **lane) == 8
    assert value(numbers, "lane_mined_nonce", **lane) == 7
    assert value(numbers, "lane_transaction_cost_wei", **lane) == 21000 * 7
    assert value(numbers, "lane_alert", lane="default", why="funds") == 1
    assert value(numbers, "lane_alert", lane="default", why="fee_cap") == 0


WAITS = {
    "ERC20InsufficientBalance(0x00, 5, 7)": "treasury",
    "ERC20: insufficient allowance": "treasury",
    "EnforcedPause()": "paused",
    "MissingRole(0x00)": "role",
    "the base fee is above writer.fees.fee_cap_wei": "fee_cap",
    "it needs 9 gas, above the cap of 8": "other",
}


def test_what_intents_wait_for(connection: session.Connection, numbers: metrics.Metrics) -> None:
    sampler = sampling.Sampler(numbers)
    for number, reason in enumerate(WAITS):
        intent = submit(connection, KIND, f"w{number}")
        connection.execute(
            "UPDATE intent.intents SET waiting_reason = %s, waiting_since = clock_timestamp(), alert = true"
            " WHERE id = %s",
            [reason, intent],
        )
    sampler.sample(connection)
    for what in metrics.WAITS:
        expected = sum(each == what for each in WAITS.values())
        assert value(numbers, "intents_waiting_for", what=what) == expected
    assert value(numbers, "intents_alert") == len(WAITS)
    connection.execute("UPDATE intent.intents SET waiting_reason = NULL, waiting_since = NULL, alert = false")
    sampler.sample(connection)
    assert value(numbers, "intents_waiting_for", what="treasury") == 0


def test_differences_that_are_gone_are_0(connection: session.Connection, numbers: metrics.Metrics) -> None:
    sampler = sampling.Sampler(numbers)
    connection.execute(
        "INSERT INTO intent.differences (subject, what, ledger_value, chain_value, block_number)"
        " VALUES ('escrows 0x1', 'solvency', '5', '3', 9), ('campaigns 0x1', 'raised', '5', '3', 9)"
    )
    sampler.sample(connection)
    assert value(numbers, "differences", what="solvency") == value(numbers, "differences", what="raised") == 1
    connection.execute("UPDATE intent.differences SET cleared_at = clock_timestamp()")
    sampler.sample(connection)
    assert value(numbers, "differences", what="solvency") == value(numbers, "differences", what="raised") == 0


def test_a_head_arrives_only_when_it_is_higher() -> None:
    at = 100.0
    numbers = metrics.Metrics(prometheus_client.CollectorRegistry(), now=lambda: at)
    assert value(numbers, "head_block") is None  # not 0: the index would be said to be ahead
    assert value(numbers, "head_arrived_timestamp_seconds") == 0
    numbers.head(7, block_time=3.0)
    at = 200.0
    numbers.head(6)  # a node that lags
    numbers.head(7, block_time=999.0)
    assert value(numbers, "head_arrived_timestamp_seconds") == 100
    numbers.head(8)
    assert value(numbers, "head_arrived_timestamp_seconds") == 200
    assert value(numbers, "head_block") == 8


def test_requests_to_nodes_are_counted_by_class(numbers: metrics.Metrics) -> None:
    node = {"endpoint": "http://n", "method": "eth_call"}
    numbers.asked("http://n", "eth_call", 0.1, None)
    assert value(numbers, "rpc_errors_total", error="transport", **node) == 0
    numbers.asked("http://n", "eth_call", 0.1, "reverted")
    assert value(numbers, "rpc_errors_total", error="reverted", **node) == 1
    assert value(numbers, "rpc_requests_total", **node) == 2
    assert value(numbers, "rpc_seconds_count", **node) == 2
