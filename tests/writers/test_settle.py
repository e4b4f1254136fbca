"""What settles an intent and ends it, whatever order things come in; between sessions too."""

import contextlib
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops import failpoint
from chainfirst.ops.errors import TransientError
from chainfirst.schema import rewind, store
from chainfirst.tests.writers import strangers
from chainfirst.tests.writers.strangers import accept, effects, verified
from chainfirst.tests.writers.test_lane import company
from chainfirst.tests.writers.world import World
from chainfirst.writers.lane import Lane
from chainfirst.writers.node import Node

Payload = dict[str, Any]


def register_outside(world: World, wanted: Payload, document: str | None = None, gwei: int = 100) -> None:
    """Somebody else registers that company."""
    call = world.platform.registry.functions.registerIssuer(
        uuid.UUID(wanted["company"]).bytes + bytes(16),
        wanted["wallet"],
        b"\x11" * 32,
        document or wanted["document_uri"],
    )
    call.transact({"from": world.platform.at["registrar"], "gasPrice": gwei * 10**9, "gas": 1_000_000})


def cancel(world: World, intent: uuid.UUID) -> None:
    world.app.execute("SELECT intent.cancel(%s)", [intent])


def settlements(world: World) -> int:
    return int(world.one("SELECT count(*) FROM intent.settlements"))


# -- which event is whose


def test_two_intents_of_one_id_share_its_event(world: World) -> None:
    wanted = company(world)
    intents = [world.submit("issuer.register", **wanted) for _ in range(2)]
    world.round()
    assert [world.status(each) for each in intents] == ["sent"] * 2  # neither is mined: both simulate well
    world.finish()
    assert [world.status(each) for each in intents] == ["confirmed"] * 2
    assert [world.overview(each)["already_true"] for each in intents] == [False, True]
    assert len({world.overview(each)["settled_by"] for each in intents}) == 1
    world.assert_consistent()


def test_two_intents_of_one_id_that_want_different_things(world: World) -> None:
    wanted = company(world)
    first = world.submit("issuer.register", **wanted)
    second = world.submit("issuer.register", **wanted | {"document_uri": "ipfs://other"})
    world.round()
    world.finish()
    assert world.status(first) == "confirmed"
    assert world.status(second) == "rejected"
    assert "document_uri" in world.overview(second)["error"]
    for _ in range(4):
        world.mine()
        world.round()
    assert world.all("SELECT FROM intent.transactions WHERE closed_block IS NULL") == []


def test_equal_calls_in_one_block_have_an_event_each(world: World) -> None:
    intents = [world.submit("investor.set_verified", **verified(1)) for _ in range(3)]
    world.round()
    world.mine()
    world.finish()
    assert {world.status(each) for each in intents} == {"confirmed"}
    assert len({world.overview(each)["block_number"] for each in intents}) == 1
    assert len({world.overview(each)["settled_by"] for each in intents}) == 3
    assert effects(world, intents[0]) == 3


def test_an_event_that_is_reorganised_into_a_conflict_and_back(world: World) -> None:
    wanted = company(world)
    intent = world.submit("issuer.register", **wanted)
    world.round()
    raw = world.rpc("eth_getRawTransactionByHash", world.overview(intent)["hash"])
    world.mine()
    world.round()
    assert world.overview(intent)["status"] == "included"
    world.rpc("anvil_reorg", 1, [])
    world.rpc("anvil_dropAllTransactions")
    register_outside(world, wanted, "ipfs://other")
    world.mine()
    world.index()
    assert "document_uri" in world.one("SELECT conflict FROM intent.settlements")
    world.rpc("anvil_reorg", 1, [[raw, 0]])
    world.rpc("anvil_dropAllTransactions")
    world.mine()
    world.finish()
    assert world.status(intent) == "confirmed"
    assert world.overview(intent)["already_true"] is False
    world.assert_consistent()


def test_a_repeatable_one_is_not_settled_by_the_same_event_of_somebody_else(world: World) -> None:
    world.round()
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    world.rpc("anvil_dropAllTransactions")
    world.platform.registry.functions.setInvestor(
        world.platform.web3.to_checksum_address(verified(1)["investor"]), True
    ).transact({"from": world.platform.at["registrar"]})
    world.mine()
    world.index()
    assert settlements(world) == 0
    world.finish()
    assert world.overview(intent)["already_true"] is False
    assert effects(world, intent) == 2


def test_a_source_that_joins_later_settles_what_waits_for_it(world: World) -> None:
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    table = "issuer_registry_investor_status_changed"
    world.all(
        "UPDATE chain.sources SET joined = false, complete_to = 0 WHERE table_name = %s RETURNING 1", table
    )
    world.all("DELETE FROM event.issuer_registry_investor_status_changed RETURNING 1")
    world.start()
    seen = set()
    world.mine(4)
    while world.indexer.step().value == "advanced":
        seen.add(world.status(intent))
    assert "failed" not in seen
    assert world.one("SELECT joined FROM chain.sources WHERE table_name = %s", table)
    world.finish()
    assert world.status(intent) == "confirmed"


# -- asked for and ended


def test_cancelled_while_its_event_from_outside_is_not_final(world: World) -> None:
    wanted = company(world)
    world.all("INSERT INTO intent.pauses (subject) VALUES ('*') RETURNING subject")
    intent = world.submit("issuer.register", **wanted)
    register_outside(world, wanted)
    world.mine()
    world.all("DELETE FROM intent.pauses RETURNING subject")
    world.round()
    assert world.status(intent) == "included"
    cancel(world, intent)
    world.mine(3)
    world.round()
    assert world.status(intent) == "confirmed"
    assert world.own_nonces() == []
    world.assert_consistent()


def test_cancelled_and_its_event_from_outside_is_reorganised_away(world: World) -> None:
    wanted = company(world)
    world.mine()
    world.all("INSERT INTO intent.pauses (subject) VALUES ('*') RETURNING subject")
    intent = world.submit("issuer.register", **wanted)
    register_outside(world, wanted)
    world.mine()
    world.all("DELETE FROM intent.pauses RETURNING subject")
    world.round()
    cancel(world, intent)
    world.rpc("anvil_reorg", 1, [])
    world.rpc("anvil_dropAllTransactions")
    world.mine()
    world.round()
    assert world.status(intent) == "cancelled"
    assert settlements(world) == 0
    assert world.own_nonces() == []
    world.assert_consistent()


def test_what_is_taken_back_goes_with_its_block_though_nothing_is_open(world: World) -> None:
    """Also of an intent that ended meanwhile: no row is of a block that isn't."""
    wanted = company(world)
    world.mine()
    intent = world.submit("issuer.register", **wanted)
    world.round()
    world.mine()
    world.round()
    assert settlements(world) == 1
    world.all("UPDATE intent.transactions SET closed_block = 0 RETURNING 1")
    world.all(
        "UPDATE intent.intents SET outcome = 'cancelled', ended_at = now(), ended_block = 0, "
        "cancel_requested_at = now(), cancel_requested_by = 'x' RETURNING 1"
    )
    world.rpc("anvil_reorg", 1, [])
    world.rpc("anvil_dropAllTransactions")
    world.mine()
    world.index()
    assert settlements(world) == 0
    assert world.all("SELECT FROM intent.inclusions") == []
    assert world.status(intent) == "cancelled"


# -- two sessions at once


class Hold:
    """Stops whoever reaches a point, until it is let go."""

    def __init__(self, point: str) -> None:
        self.point, self.reached, self.go = point, threading.Event(), threading.Event()

    def __call__(self, name: str) -> None:
        if name == self.point and not self.reached.is_set():
            self.reached.set()
            assert self.go.wait(30)


class Aside:
    """Work in a thread of its own."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.error: BaseException | None = None
        self.result: Any = None
        self._work = work
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:
            self.error = error

    @property
    def runs(self) -> bool:
        return self._thread.is_alive()

    def done(self) -> Any:
        self._thread.join(30)
        assert not self.runs
        if self.error is not None:
            raise self.error
        return self.result


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Hold]]:
    holds: list[Hold] = []

    def hold(point: str) -> Hold:
        made = Hold(point)
        holds.append(made)
        monkeypatch.setattr(failpoint, "reach", made)
        return made

    yield hold
    for each in holds:
        each.go.set()


@pytest.fixture
def own_session(world: World) -> Iterator[Lane]:
    """A lane with a session of its own."""
    with psycopg.connect(world.database, autocommit=True) as connection:
        connection.execute("SET ROLE chainfirst_daemon")
        kept, world.connection = world.connection, connection
        try:
            lane = world.new_lane("operator")
        finally:
            world.connection = kept
        yield lane


def wait_for_a_lock(world: World, aside: Aside) -> None:
    """Until that work waits for somebody's lock."""
    until = time.monotonic() + 20
    while not world.one(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ):
        assert aside.runs, (aside.error, aside.result)
        assert time.monotonic() < until


def test_prepared_before_the_batch_with_its_event(
    world: World, held: Callable[[str], Hold], own_session: Lane
) -> None:
    wanted = company(world)
    world.round()
    intent = world.submit("issuer.register", **wanted)
    register_outside(world, wanted)
    hold = held("prepare.written")
    lane = Aside(lambda: own_session.step(world.node))
    assert hold.reached.wait(20)
    world.mine()
    batch = Aside(world.index)
    wait_for_a_lock(world, batch)
    hold.go.set()
    lane.done()
    batch.done()
    assert settlements(world) == 1
    assert world.overview(intent)["already_true"] is True
    world.finish()
    assert world.status(intent) == "confirmed"


def test_prepared_while_the_batch_with_its_event_is_written(
    world: World, held: Callable[[str], Hold], own_session: Lane
) -> None:
    wanted = company(world)
    world.round()
    intent = world.submit("issuer.register", **wanted)
    register_outside(world, wanted)
    world.mine()
    hold = held("batch.written")
    batch = Aside(world.index)
    assert hold.reached.wait(20)
    lane = Aside(lambda: own_session.step(world.node))
    wait_for_a_lock(world, lane)
    hold.go.set()
    batch.done()
    lane.done()
    assert world.overview(intent)["already_true"] is True
    assert world.own_nonces() == []


def test_cancelled_while_it_is_signed(world: World, held: Callable[[str], Hold], own_session: Lane) -> None:
    world.round()
    intent = world.submit("investor.set_verified", **verified(1))
    hold = held("nonces.written")
    lane = Aside(lambda: own_session.step(world.node))
    assert hold.reached.wait(20)
    with psycopg.connect(world.database, autocommit=True) as app:
        request = Aside(lambda: app.execute("SELECT intent.cancel(%s)", [intent]).fetchone())
        wait_for_a_lock(world, request)
        hold.go.set()
        lane.done()
        assert request.done() in [("signed",), ("sent",)]
    world.finish()
    assert world.status(intent) == "cancelled"
    assert effects(world, intent) == 0
    assert world.overview(intent)["purpose"] == "cancel"


def test_not_signed_while_it_is_cancelled(
    world: World, held: Callable[[str], Hold], own_session: Lane
) -> None:
    """The lane doesn't wait for the app that is about to commit: it signs the others, without a gap."""
    world.round()
    intent = world.submit("investor.set_verified", **verified(1))
    other = world.submit("investor.set_verified", **verified(2))
    hold = held("sign.after")
    lane = Aside(lambda: own_session.step(world.node))
    assert hold.reached.wait(20)
    with psycopg.connect(world.database) as app:
        app.execute("SELECT intent.cancel(%s)", [intent])
        hold.go.set()
        lane.done()
        assert [world.status(each) for each in (intent, other)] == ["pending", "sent"]
        assert world.own_nonces() == [world.nonce()]
        app.commit()
    world.finish()
    assert [world.status(each) for each in (intent, other)] == ["cancelled", "confirmed"]
    assert effects(world, intent) == 0
    world.assert_consistent()


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_cancelled_by_an_app_that_sees_the_database_of_before(
    world: World, held: Callable[[str], Hold], own_session: Lane, isolation: str
) -> None:
    """Its snapshot knows of no signature: it must not end what is signed."""
    world.round()
    intent = world.submit("investor.set_verified", **verified(1))
    hold = held("sign.after")
    lane = Aside(lambda: own_session.step(world.node))
    assert hold.reached.wait(20)
    with psycopg.connect(world.database) as app:
        app.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}".encode())
        app.execute("SELECT count(*) FROM intent.intents")
        hold.go.set()
        lane.done()
        assert world.status(intent) == "sent"
        with pytest.raises(psycopg.errors.SerializationFailure):
            app.execute("SELECT intent.cancel(%s)", [intent])
        app.rollback()
    world.finish()
    assert world.status(intent) == "confirmed"


def refused_for_now(world: World) -> tuple[uuid.UUID, Payload]:
    """An intent whose event is expected, and for which nothing is signed."""
    wanted, owner = company(world), {"from": world.platform.at["owner"]}
    registry = world.platform.registry.functions
    registry.revokeRole(registry.REGISTRAR_ROLE().call(), world.platform.at["operator"]).transact(owner)
    world.mine()
    intent = world.submit("issuer.register", **wanted)
    world.round()
    assert world.status(intent) == "waiting"
    return intent, wanted


def test_cancelled_while_the_batch_that_settles_it_is_written(
    world: World, held: Callable[[str], Hold]
) -> None:
    """The app's commit waits for that batch, and fails: what it was told is not so."""
    intent, wanted = refused_for_now(world)
    register_outside(world, wanted)
    world.mine()
    hold = held("batch.written")
    batch = Aside(world.index)
    assert hold.reached.wait(20)
    with psycopg.connect(world.database) as app:
        assert app.execute("SELECT intent.cancel(%s)", [intent]).fetchone() == ("cancelled",)
        commit = Aside(app.commit)
        wait_for_a_lock(world, commit)
        hold.go.set()
        batch.done()
        with pytest.raises(psycopg.errors.SerializationFailure, match="event came"):
            commit.done()
        assert app.execute("SELECT intent.cancel(%s)", [intent]).fetchone() == ("included",)
        app.commit()
    world.finish()
    assert world.status(intent) == "confirmed"
    world.assert_consistent()


def test_an_app_that_checks_before_its_commit_does_not_hold_up_blocks_for_long(world: World) -> None:
    """Django's TestCase and loaddata do that. What the check locks is locked until the transaction ends."""
    intent, _ = refused_for_now(world)
    timeout = "idle_in_transaction_session_timeout"
    shown = f"SHOW {timeout}".encode()
    with psycopg.connect(world.database) as app:
        for own, kept in (("0", "5s"), ("1min", "5s"), ("1s", "1s")):
            app.execute("SELECT set_config(%s, %s, false)", [timeout, own])
            app.commit()
            app.execute("SET CONSTRAINTS ALL IMMEDIATE")
            app.execute("SELECT intent.cancel(%s)", [intent])
            assert app.execute(shown).fetchone() == (kept,)
            if own != kept:
                app.rollback()
                assert app.execute(shown).fetchone() == (own,)
        world.connection.execute("SET lock_timeout = '10s'")
        world.mine()
        world.index()  # as soon as the app is cut off
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            app.commit()
    assert world.status(intent) == "waiting"


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_settled_while_an_app_that_cancels_it_is_slow_to_commit(world: World, isolation: str) -> None:
    """It holds up no block, and its commit fails."""
    intent, wanted = refused_for_now(world)
    register_outside(world, wanted)
    world.connection.execute("SET lock_timeout = '2s'")
    with psycopg.connect(world.database) as app:
        app.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}".encode())
        assert app.execute("SELECT intent.cancel(%s)", [intent]).fetchone() == ("cancelled",)
        world.mine(4)
        world.index()
        with pytest.raises(psycopg.errors.SerializationFailure):
            app.commit()
    world.finish()
    assert world.status(intent) == "confirmed"
    world.assert_consistent()


def test_cancelled_before_its_event_comes_it_stays_cancelled(world: World) -> None:
    intent, wanted = refused_for_now(world)
    register_outside(world, wanted)
    cancel(world, intent)
    world.mine(4)
    world.round()
    assert world.status(intent) == "cancelled"
    assert settlements(world) == 0
    world.assert_consistent()


@pytest.mark.parametrize("how", ["cancel", "approve"])
def test_an_app_that_holds_an_intent_holds_up_no_block(world: World, how: str) -> None:
    intent = world.submit("investor.set_verified", **verified(1))
    later = world.submit("investor.set_verified", **verified(2))
    world.round()
    world.mine()
    world.connection.execute("SET lock_timeout = '2s'")
    with psycopg.connect(world.database) as app:
        if how == "approve":
            app.execute(
                "INSERT INTO intent.grants VALUES ('*', 'chainfirst_app', true, true) ON CONFLICT DO NOTHING"
            )
            app.execute("SET ROLE chainfirst_app")
        app.execute("SELECT intent.approve(%s)" if how == "approve" else "SELECT intent.cancel(%s)", [intent])
        world.index()
        world.mine(3)
        world.index()
        assert world.status(later) == "confirmed"
        assert world.status(intent) == "included"
        app.commit()
    world.mine()
    world.index()
    assert world.status(intent) == "confirmed"
    world.assert_consistent()


@pytest.mark.parametrize("how", ["rejected", "expired"])
def test_an_end_that_an_app_has_seen_waits_for_the_disk(world: World, how: str) -> None:
    """Nothing of the chain would bring it back after a crash of the server: it might be done after all."""
    world.app.execute(
        "CREATE TABLE public.ends AS SELECT NULL::text AS outcome, NULL::text AS setting WITH NO DATA;"
        "GRANT INSERT ON public.ends TO chainfirst_daemon;"
        "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO public.ends VALUES (NEW.outcome, current_setting('synchronous_commit')); RETURN NULL;"
        " END $$;"
        "CREATE TRIGGER zz AFTER UPDATE ON intent.intents FOR EACH ROW WHEN (NEW.outcome IS NOT NULL)"
        " EXECUTE FUNCTION public.note()"
    )
    world.round()
    if how == "rejected":
        world.submit("investor.set_verified", investor="0x12", verified=True)
    else:
        world.submit("investor.set_verified", expires_at=world.now(), **verified(1))
        world.time_passed = timedelta(hours=1)
    world.round()
    assert world.all("SELECT outcome, setting FROM public.ends") == [(how, "on")]


# -- taken back by the operator


def test_rewound_below_its_final_block_it_is_open_again_and_confirmed_again(world: World) -> None:
    start = int(world.rpc("eth_blockNumber"), 16)
    world.mine()
    wanted = company(world)
    intents = [
        world.submit("investor.set_verified", **verified(1)),
        world.submit("issuer.register", **wanted),
    ]
    world.finish()
    nonces = world.own_nonces()
    to_block(world, start)
    assert {world.status(each) for each in intents} == {"sent"}
    world.start()
    world.finish()
    assert {world.status(each) for each in intents} == {"confirmed"}
    assert world.own_nonces() == nonces
    assert effects(world, intents[0]) == 1
    world.assert_consistent()


def test_rewound_the_nonces_are_explained_again(world: World) -> None:
    """What the index misses on its second way is found by its nonce, as it was on the first."""
    start = int(world.rpc("eth_blockNumber"), 16)
    world.mine()
    intent = world.submit("investor.set_verified", **verified(1))
    world.finish()
    world.mine()
    world.round()
    assert world.one("SELECT explained_to FROM intent.lanes") == world.nonce()
    to_block(world, start)
    world.start()
    world.index()
    world.all("DELETE FROM intent.inclusions RETURNING 1")  # a replica that lagged had no receipt
    world.all("UPDATE intent.transactions SET closed_block = NULL RETURNING 1")
    world.mine()
    world.round()
    assert world.all("SELECT FROM intent.inclusions") != []
    assert effects(world, intent) == 1


def test_rewound_below_somebody_elses_nonce_that_a_new_chain_has_not(world: World) -> None:
    nonce_block = int(world.rpc("eth_blockNumber"), 16)
    world.mine()
    world.round()
    nonce = world.nonce()
    snapshot = world.rpc("evm_snapshot")
    strangers.send(world, nonce, value=1)
    world.mine(4)
    before = world.submit("investor.set_verified", **verified(1))
    world.round()
    accept(world)
    world.finish()
    assert world.overview(before)["nonce"] == nonce + 1
    world.rpc("evm_revert", snapshot)  # another chain, where nobody else had the key
    world.rpc("anvil_dropAllTransactions")
    to_block(world, nonce_block)
    world.start()
    for _ in range(8):
        world.mine()
        world.round()
    if world.status(before) != "confirmed":
        assert f"nonce {nonce}" in str(world.one("SELECT alert FROM intent.lanes"))
        strangers.send(world, nonce, to=world.platform.at["operator"])
        world.finish()
    assert effects(world, before) == 1


def to_block(world: World, number: int) -> None:
    cursor = store.read_cursor(world.connection)
    assert cursor is not None
    header = world.rpc("eth_getBlockByNumber", hex(number), False)
    block = store.Block(
        number,
        header["hash"],
        header["parentHash"],
        datetime.fromtimestamp(int(header["timestamp"], 16), UTC),
    )
    rewind.to_block(world.connection, world.epoch, cursor, number, block)


# -- all at once


def test_indexer_lane_and_apps_at_once_wait_for_each_other_in_no_circle(
    world: World, own_session: Lane
) -> None:
    """Apps cancel several in one transaction, in any order, while they are signed, settled and ended."""
    dice = random.Random(7)
    world.round()
    begun = world.one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    enough = threading.Event()

    def lane() -> None:
        node = Node(Endpoint(world.url), world.decoder)
        while not enough.is_set():
            with contextlib.suppress(TransientError):
                own_session.step(node)

    def app() -> int:
        done = 0
        with psycopg.connect(world.database) as connection:
            while not enough.is_set():
                wanted = "SELECT id FROM intent.intents WHERE outcome IS NULL"
                found = [intent for (intent,) in connection.execute(wanted).fetchall()]
                connection.commit()
                for intent in dice.sample(found, min(4, len(found))):
                    with contextlib.suppress(psycopg.errors.InvalidParameterValue), connection.transaction():
                        connection.execute("SELECT intent.cancel(%s)", [intent])
                        done += 1
                with contextlib.suppress(psycopg.errors.SerializationFailure):  # one was just settled
                    connection.commit()
        return done

    workers = [Aside(lane), Aside(app)]
    intents = []
    try:
        for block in range(25):
            wanted = company(world) | {"wallet": f"0x{block + 1:040x}"}
            intents.append(world.submit("issuer.register", **wanted))
            intents += [world.submit("investor.set_verified", **verified(block + 1)) for _ in range(4)]
            world.mine()
            world.index()
    finally:
        enough.set()
        _, cancelled = [each.done() for each in workers]
    assert cancelled > 0
    world.app.execute("SELECT pg_stat_clear_snapshot()")
    now = world.one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert now == begun
    world.finish(30)
    for _ in range(4):
        world.mine()
        world.round()
    assert {world.status(each) for each in intents} <= {"confirmed", "cancelled"}
    world.assert_consistent()
