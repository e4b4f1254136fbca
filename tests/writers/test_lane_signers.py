"""A lane whose key is a remote signer's: one that hangs, refuses, or signs something else holds up nobody."""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest
from chainfirst.ops import values
from chainfirst.ops.errors import ChainfirstError, FatalError, TransientError
from chainfirst.tests.writers.faulty import NONE, FaultyWorld, says
from chainfirst.tests.writers.web3signer_server import Mode, Web3SignerServer
from chainfirst.writers import operate
from chainfirst.writers.lane import Lane
from chainfirst.writers.signers import web3signer

REGISTRARS = ["investor.set_verified"]
PATIENCE_SECONDS = 20.0  # of the tests: all is over much sooner


@pytest.fixture
def server(faulty: FaultyWorld) -> Iterator[Web3SignerServer]:
    """Holds the operator's key."""
    with Web3SignerServer(faulty.platform.keys["operator"].key.to_0x_hex()) as started:
        yield started


class Remote:
    """The operator's lane, which signs by the server, on a session and in a thread of its own."""

    def __init__(self, world: FaultyWorld, server: Web3SignerServer, others: Sequence[str] = ()) -> None:
        self._world, self._server = world, server
        self.connection = psycopg.connect(world.database, autocommit=True)
        self.connection.execute("SET ROLE chainfirst_daemon")
        address = world.platform.at["operator"]
        signer = web3signer.open(values.Signer(f"web3signer:http://{server.host}#{address.lower()}"))
        self.lane: Lane = world.new_lane("operator", others, signer=signer, connection=self.connection)
        world.lane = self.lane
        self.raised: list[ChainfirstError] = []
        self._thread = threading.Thread(target=self._step, daemon=True)

    def begin(self) -> None:
        """A step, up to where the server is asked to sign."""
        self._thread.start()
        assert self._server.asked.acquire(timeout=PATIENCE_SECONDS)

    def end(self) -> None:
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def _step(self) -> None:
        try:
            self.lane.step(self._world.node)
        except ChainfirstError as error:
            self.raised.append(error)


@pytest.fixture
def remote(faulty: FaultyWorld, server: Web3SignerServer, request: pytest.FixtureRequest) -> Iterator[Remote]:
    made = Remote(faulty, server, REGISTRARS if "nobody" in request.node.name else [])
    faulty.mine(4)
    faulty.index()
    yield made
    server.close()
    made.connection.close()


def locks(world: FaultyWorld, connection: psycopg.Connection[Any]) -> list[Any]:
    """What a session holds, and whether it is in a transaction."""
    pid = connection.info.backend_pid
    held = world.all("SELECT locktype, mode FROM pg_locks WHERE pid = %s", pid)
    return held + world.all("SELECT state FROM pg_stat_activity WHERE pid = %s AND state <> 'idle'", pid)


def cancel(world: FaultyWorld, intent: uuid.UUID) -> None:
    with world.app.transaction():
        world.app.execute("SET LOCAL lock_timeout = '2s'")
        world.app.execute("SELECT intent.cancel(%s)", [intent])


def test_while_a_signer_hangs_nobody_else_waits(
    faulty: FaultyWorld, server: Web3SignerServer, remote: Remote
) -> None:
    registrar = faulty.new_lane("registrar", own=REGISTRARS, default=False)
    registrar.step(faulty.node)
    server.mode = "hang"
    first, second = (faulty.submit("contract.call", **mint(faulty, actor)) for actor in ("alice", "bob"))
    remote.begin()
    assert locks(faulty, remote.connection) == []
    cancel(faulty, first)
    assert faulty.status(first) == "cancelled"
    (other,) = faulty.verify()
    before = faulty.one("SELECT indexed_number FROM chain.cursor")
    for _ in range(5):
        faulty.mine()
        faulty.index()
        registrar.step(faulty.node)
    assert faulty.one("SELECT indexed_number FROM chain.cursor") >= before + 5
    assert faulty.status(other) == "confirmed"
    assert locks(faulty, remote.connection) == []
    server.close()
    remote.end()
    (error,) = remote.raised
    assert isinstance(error, TransientError)
    assert faulty.all("SELECT FROM intent.transactions WHERE intent = ANY (%s)", [first, second]) == []
    with Web3SignerServer(faulty.platform.keys["operator"].key.to_0x_hex()) as well:
        again = Remote(faulty, well, REGISTRARS)
        try:
            faulty.finish()
        finally:
            again.connection.close()
    assert [faulty.status(each) for each in (first, second)] == ["cancelled", "confirmed"]
    assert faulty.nonce() == faulty.first + 1, "no nonce was lost"


def mint(world: FaultyWorld, actor: str) -> dict[str, Any]:
    to = world.platform.at[actor]
    return {
        "contract": "token",
        "function": "mint",
        "arguments": [to, "100"],
        "event": "Transfer",
        "parameters": {"to": to},
    }


def test_cancelled_while_it_was_signed_it_is_never_sent(
    faulty: FaultyWorld, server: Web3SignerServer, remote: Remote
) -> None:
    server.mode = "wait"
    (first,) = faulty.verify()
    remote.begin()
    cancel(faulty, first)
    server.mode = "right"
    server.go.set()
    remote.end()
    assert remote.raised == []
    assert faulty.status(first) == "cancelled"
    assert faulty.own_nonces() == []
    assert faulty.door.sent == []
    (second,) = faulty.verify()
    faulty.finish()
    faulty.assert_whole(second)


@pytest.mark.parametrize("mode", ["refusal", "500", "hang up", "null", "no method"])
def test_a_refusal_is_tried_again(
    faulty: FaultyWorld, server: Web3SignerServer, remote: Remote, mode: Mode
) -> None:
    server.mode = mode
    intents = faulty.verify(2)
    for _ in range(2):
        with pytest.raises(TransientError, match="did not sign"):
            remote.lane.step(faulty.node)
        faulty.mine()
        faulty.index()
    assert faulty.own_nonces() == []
    assert locks(faulty, remote.connection) == []
    server.mode = "right"
    faulty.finish()
    faulty.assert_whole(*intents)
    assert {faulty.status(each) for each in intents} == {"confirmed"}


WRONG: list[Mode] = ["other account", "wrong signature", "own chain", "garbage"]


def fail(work: Callable[[], object], world: FaultyWorld) -> FatalError:
    """As the daemon's part: it stops the lane."""
    with pytest.raises(FatalError) as raised:
        work()
    world.lane.stop(str(raised.value))
    return raised.value


@pytest.mark.parametrize("mode", WRONG)
def test_what_is_signed_wrong_is_neither_stored_nor_sent(
    faulty: FaultyWorld, server: Web3SignerServer, remote: Remote, mode: Mode
) -> None:
    server.mode = mode
    intents = faulty.verify(2)
    error = fail(lambda: remote.lane.step(faulty.node), faulty)
    assert faulty.own_nonces() == []
    assert faulty.door.sent == []
    server.mode = "right"
    faulty.bear(2)
    assert faulty.own_nonces() == [], "the lane is stopped"
    assert error.message in faulty.lane_row()["blocked_reason"]
    shown = operate.state(faulty.app, faulty.platform.at["operator"].lower())
    assert shown is not None
    operate.accept(faulty.app, shown, "me")
    faulty.finish()
    faulty.assert_whole(*intents)


@pytest.mark.parametrize("mode", ["refusal", "own chain"])
def test_what_is_signed_goes_again_while_nothing_can_be_signed(
    faulty: FaultyWorld, server: Web3SignerServer, remote: Remote, mode: Mode
) -> None:
    """The lowest must be signed again, and can't be; those above it were dropped by the node."""
    faulty.door.on_send = lambda sent: (
        says("transaction underpriced") if sent.transaction.nonce == faulty.first else NONE
    )
    first, second, third = faulty.verify(3)
    faulty.bear(mine=False)
    server.mode = mode
    for _ in range(3):
        faulty.rpc("anvil_dropAllTransactions")
        faulty.door.sent.clear()
        asked = len(server.requests)
        faulty.mine()
        faulty.index()
        with pytest.raises(ChainfirstError) as raised:
            remote.lane.step(faulty.node)
        assert len(server.requests) == asked + 1
        assert len(faulty.door.sent) == 2, "the others"
        assert raised.value.message in faulty.lane_row()["alert"]
    assert {len(faulty.attempts(each)) for each in (first, second, third)} == {1}
    server.mode = "right"
    faulty.door.be_well()
    faulty.finish()
    faulty.assert_whole(first, second, third)
    faulty.bear()
    assert faulty.lane_row()["alert"] is None


def test_of_several_that_must_be_signed_again_one_is_asked_for(
    faulty: FaultyWorld, server: Web3SignerServer, remote: Remote
) -> None:
    """A signer that hangs holds a round up once, however many nonces wait for it."""
    faulty.door.on_send = lambda _: says("transaction underpriced")
    intents = faulty.verify(3)
    faulty.bear(mine=False)
    server.mode = "refusal"
    asked = len(server.requests)
    faulty.mine()
    with pytest.raises(TransientError):
        remote.lane.step(faulty.node)
    assert len(server.requests) == asked + 1
    server.mode = "right"
    faulty.door.be_well()
    faulty.finish()
    faulty.assert_whole(*intents)
