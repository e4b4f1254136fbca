"""Which endpoint is in use: chain check, failover, pauses, probation and the way back; time is a number."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chainfirst.indexer.rpc import client, errors, http, pool
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.ops.errors import ConfigError


class Clock:
    """Seconds that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Setting:
    """Two nodes of chain 5 and the pool over them."""

    def __init__(self, new_node: Callable[[], Any], header: Callable[..., Any]) -> None:
        self.clock = Clock()
        self.nodes = [new_node(), new_node()]
        for node in self.nodes:
            node.results = {
                "eth_chainId": "0x5",
                "eth_blockNumber": "0x64",
                "eth_getBlockByNumber": header(0),
                "eth_gasPrice": "0x1",
            }
        clients = [client.Client(http.Endpoint(f"{node.url}/{'key' * 5}")) for node in self.nodes]
        self.pool = pool.Pool(clients, chain_id=5, clock=self.clock, jitter=lambda: 1.0)

    def used(self) -> int:
        with self.pool.pinned() as one:
            one.endpoint.call("eth_gasPrice", [], str)
        return [state.in_use for state in self.pool.states()].index(True)

    def fail(
        self, number: int, message: str = "too many requests", status: int = 429, **headers: str
    ) -> Kind:
        self.nodes[number].say(message, status, **headers)
        with pytest.raises(errors.RpcError) as caught:
            self.used()
        return caught.value.kind


@pytest.fixture
def setting(new_node: Callable[[], Any], header: Callable[..., Any]) -> Iterator[Setting]:
    found = Setting(new_node, header)
    yield found
    found.pool.close()


def test_the_chain_is_checked_once_before_anything_else(setting: Setting) -> None:
    assert setting.used() == setting.used() == 0
    methods = [request["method"] for request in setting.nodes[0].requests]
    assert methods == ["eth_chainId", "eth_getBlockByNumber", "eth_gasPrice", "eth_gasPrice"]
    assert setting.nodes[1].requests == []


def test_another_chain_is_a_wrong_setting(setting: Setting, header: Any) -> None:
    setting.nodes[0].results["eth_chainId"] = "0x6"
    with pytest.raises(ConfigError, match=r"http://127.0.0.1:\d+/… is on chain 6, chain.chain_id is 5"):
        setting.used()
    setting.nodes[0].results["eth_chainId"] = "0x5"
    setting.nodes[1].results["eth_getBlockByNumber"] = {**header(0), "hash": "0x" + "ab" * 32}
    with pytest.raises(ConfigError, match="genesis block 0xabab"):
        setting.pool.check()


def test_the_chain_is_checked_again_after_a_lost_connection(setting: Setting) -> None:
    assert setting.used() == 0
    setting.nodes[0].hang_up()
    setting.nodes[0].hang_up()
    with pytest.raises(errors.RpcTransientError):
        setting.used()
    setting.nodes[0].results["eth_chainId"] = "0x7"
    assert setting.used() == 1
    setting.clock.now += 1
    with pytest.raises(ConfigError, match="chain 7"):
        setting.pool.check()


def test_failover_is_sticky_and_returns_after_probation(setting: Setting) -> None:
    assert setting.used() == 0
    assert setting.fail(0) is Kind.RATE_LIMIT
    assert setting.used() == 1
    setting.clock.now += 100
    assert setting.used() == 1
    for _ in range(pool.PROBATION_CHECKS - 1):
        setting.pool.check()
        assert setting.used() == 1
    setting.pool.check()
    assert setting.used() == 0


def test_retry_after_and_doubling(setting: Setting) -> None:
    setting.used()
    pauses = []
    for retry_after in ("40", "", ""):
        setting.fail(0, retry_after=retry_after)
        until = setting.pool.states()[0].paused_until
        pauses.append(until - setting.clock.now)
        setting.clock.now = until
    assert pauses == [40.0, 0.5, 1.0]


def test_all_paused_says_how_long(setting: Setting) -> None:
    setting.used()
    setting.fail(0, retry_after="40")
    setting.fail(1, retry_after="30")
    with pytest.raises(errors.RpcTransientError, match="none of 2 endpoints") as caught:
        setting.used()
    assert caught.value.retry_after_seconds == 30.0
    assert "key" not in str(caught.value)


def test_a_wrong_key_is_fatal_only_when_no_endpoint_is_left(setting: Setting) -> None:
    setting.used()
    assert setting.fail(0, "unauthorized", 401) is Kind.AUTH
    assert setting.used() == 1
    setting.fail(1, "unauthorized", 401)
    with pytest.raises(errors.RpcFatalError, match="none of 2"):
        setting.used()


def test_faults_of_the_question_do_not_count(setting: Setting) -> None:
    setting.used()
    answer = '{"id":%ID%,"error":{"code":-32005,"message":"query returned more than 10000 results"}}'
    assert setting.fail(0, answer, 200) is Kind.TOO_MANY_RESULTS
    assert setting.used() == 0


def test_many_calls_failing_together_are_one_failure(setting: Setting) -> None:
    setting.used()
    with setting.pool.pinned() as one:
        for _ in range(3):
            setting.nodes[0].say("busy", 429)
            with pytest.raises(errors.RpcTransientError), setting.pool.pinned():
                one.endpoint.call("eth_gasPrice", [], str)
    assert setting.pool.states()[0].paused_until == setting.clock.now + 0.25


def test_a_lagging_or_slow_endpoint_is_left(setting: Setting) -> None:
    setting.used()
    setting.nodes[1].results["eth_blockNumber"] = hex(0x64 + pool.TOLERATED_LAG_BLOCKS + 1)
    setting.pool.check()
    assert setting.used() == 1
    setting.nodes[0].results["eth_blockNumber"] = hex(0x64 + pool.TOLERATED_LAG_BLOCKS)
    setting.pool.check()
    assert setting.used() == 0

    def slow(_: Any) -> str:
        setting.clock.now += 60
        return "0x69"

    setting.nodes[0].results["eth_blockNumber"] = slow
    setting.pool.check()
    assert setting.used() == 1


def test_a_second_answer_comes_from_a_checked_endpoint_near_the_head(setting: Setting) -> None:
    with setting.pool.pinned() as one:
        assert setting.pool.second(one) is None  # the other's chain isn't checked yet
    setting.pool.check()
    with setting.pool.pinned() as one:
        other = setting.pool.second(one)
    assert other is not None
    assert other is not one
    assert setting.pool.second(other) is one
    setting.nodes[1].results["eth_blockNumber"] = hex(0x64 - pool.TOLERATED_LAG_BLOCKS - 1)
    setting.pool.check()
    assert setting.pool.second(one) is None
    setting.nodes[1].results["eth_blockNumber"] = "0x64"
    setting.nodes[1].say("busy", 429)
    setting.pool.check()
    assert setting.pool.second(one) is None  # paused


def test_everyone_and_who_is_well(setting: Setting) -> None:
    assert [well for _, well in setting.pool.everyone()] == [False, False]  # no chain is checked yet
    setting.used()
    assert [well for _, well in setting.pool.everyone()] == [True, False]
    setting.pool.check()
    assert [well for _, well in setting.pool.everyone()] == [True, True]
    setting.nodes[1].say("busy", 429)
    setting.pool.check()
    assert [well for _, well in setting.pool.everyone()] == [True, False]
    setting.clock.now += 60
    assert [well for _, well in setting.pool.everyone()] == [True, False]  # not before it has answered
    setting.pool.check()
    assert [well for _, well in setting.pool.everyone()] == [True, True]
    with setting.pool.pinned() as one:
        assert setting.pool.everyone()[0][0] is one


def test_no_endpoint() -> None:
    with pytest.raises(ConfigError, match="no endpoint"):
        pool.Pool([], chain_id=1, clock=Clock())
