"""systemd's notification protocol against a real socket; and what is told when, by a clock of the test's."""

import threading

import pytest
from chainfirst.ops import errors
from chainfirst.ops.systemd import notify, watch
from chainfirst.tests.ops.listening import Ear

FOREVER = watch.FAILING_SECONDS * 10


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told(clock: Clock) -> watch.Watch:
    return watch.Watch(40.0, clock)


@pytest.mark.parametrize("abstract", [False, True])
def test_assignments_arrive_as_one_message(abstract: bool) -> None:
    with Ear(abstract) as ear:
        assert ear.address.startswith("@") == abstract
        notifier = notify.Notifier.of({"NOTIFY_SOCKET": ear.address})
        assert notifier.send(notify.READY, notify.status(" two\nlines\r  of text"))
        assert ear.next() == ["READY=1", "STATUS=two lines of text"]
        assert not notifier.send()  # nothing to say


@pytest.mark.parametrize("address", [None, "", "vsock:2:1234", "relative"])
def test_without_a_manager_nothing_is_sent(address: str | None) -> None:
    notifier = notify.Notifier.of({} if address is None else {"NOTIFY_SOCKET": address})
    assert not notifier.listened_to
    assert not notifier.send(notify.READY)
    with notifier.extending("migrating"):
        assert not [each for each in threading.enumerate() if each.name == "extend"]


def test_a_manager_that_is_gone_or_hangs_holds_up_nothing() -> None:
    with Ear() as ear:
        notifier = notify.Notifier(ear.address)
        assert notifier.send(notify.READY)
        while notifier.send(f"STATUS={'x' * 4000}"):
            pass  # nobody reads: the socket's buffer is full
        ear.next()
        assert notifier.send(notify.READY)
    assert not notifier.send(notify.READY)


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "77"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_whose_watchdog_it_is(environ: dict[str, str], seconds: float | None) -> None:
    assert notify.Notifier.of(environ, 77).watchdog_seconds == seconds


def test_time_is_asked_for_while_something_long_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "EXTEND_EVERY_SECONDS", 0.01)
    with Ear() as ear:
        with notify.Notifier(ear.address).extending("migrating the database"):
            for _ in range(3):
                assert ear.next() == ["EXTEND_TIMEOUT_USEC=60000000", "STATUS=migrating the database"]
        while ear.next(0.2):
            pass  # what was under way
        assert "EXTEND_TIMEOUT_USEC=60000000" in ear.heard


def test_it_is_ready_once_a_step_has_ended(told: watch.Watch) -> None:
    assert told.due() == ["STATUS=starting"]
    told.failed(errors.TransientError("no database", "See that it runs."))
    assert "READY=1" not in told.due()
    told.ended()
    assert told.news.is_set()
    assert told.due() == ["READY=1", "STATUS=no block is indexed yet"]
    told.ended()
    assert "READY=1" not in told.due()


def test_the_status_says_block_and_lag(told: watch.Watch, clock: Clock) -> None:
    def says() -> str:
        return next((each for each in told.due() if each.startswith("STATUS=")), "")

    told.ended()
    told.resumed(7)
    assert says() == "STATUS=block 7, at the head"
    told.head(10)
    assert says() == "STATUS=block 7, 3 behind the head"
    told.head(9)  # another node, which lags
    assert says() == ""
    told.committed(9, 10)
    assert says() == "STATUS=block 9, 1 behind the head"
    told.failed(errors.TransientError("the node is\naway"))
    assert says() == ""  # it may be over at once
    clock.now += watch.PASSING_SECONDS
    told.failed(errors.TransientError("the node is\naway"))
    assert says() == "STATUS=trying again: the node is away"
    told.ended()
    assert says() == "STATUS=block 9, 1 behind the head"
    told.standing_by()
    assert says() == "STATUS=stands by: another daemon leads this database"
    told.resumed(11)
    assert says() == "STATUS=block 11, at the head"


def test_the_watchdog_is_fed_by_steps_that_end_alone(told: watch.Watch, clock: Clock) -> None:
    told.ended()
    assert notify.WATCHDOG in told.due()
    told.ended()
    clock.now += 9.9
    assert notify.WATCHDOG not in told.due()  # often enough already
    clock.now += 0.1
    assert notify.WATCHDOG in told.due()
    clock.now += FOREVER
    for number in range(5):  # heads arrive, the step that runs doesn't end
        told.head(number)
        told.committed(number, number)
        assert notify.WATCHDOG not in told.due()
    told.ended()  # idle, but alive
    assert notify.WATCHDOG in told.due()


def test_steps_that_fail_feed_it_for_half_an_hour(told: watch.Watch, clock: Clock) -> None:
    told.ended()
    began, fed = clock.now, clock.now
    while clock.now < began + FOREVER:
        told.failed(errors.TransientError("no answer in time"))
        if notify.WATCHDOG in told.due():
            fed = clock.now
        clock.now += 10.0
    assert watch.FAILING_SECONDS - 20 <= fed - began < watch.FAILING_SECONDS
    told.ended()
    assert notify.WATCHDOG in told.due()


def test_without_a_watchdog_it_is_not_fed(clock: Clock) -> None:
    told = watch.Watch(None, clock)
    told.ended()
    assert told.due() == ["READY=1", "STATUS=no block is indexed yet"]


class Part:
    name = "indexer"

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls: list[str] = []

    def step(self) -> float:
        if self.error is not None:
            raise self.error
        return 1.5

    def interrupt(self) -> None:
        self.calls.append("interrupt")

    def close(self) -> None:
        self.calls.append("close")


def test_a_watched_part_is_the_part(told: watch.Watch, clock: Clock) -> None:
    part = Part()
    watched = watch.Watched(part, told)
    assert (watched.name, watched.step()) == ("indexer", 1.5)
    assert notify.READY in told.due()
    part.error = errors.ResetError("moved")
    with pytest.raises(errors.ResetError, match="moved"):
        watched.step()
    clock.now += watch.PASSING_SECONDS
    assert told.due() == ["STATUS=trying again: moved"]
    watched.interrupt()
    watched.close()
    assert part.calls == ["interrupt", "close"]


def test_the_teller_says_ready_at_once_and_stopping_last(clock: Clock) -> None:
    told = watch.Watch(None, clock)
    with Ear() as ear:
        teller = watch.Teller(notify.Notifier(ear.address), told)
        teller.start()
        assert ear.next() == ["STATUS=starting"]
        told.ended()
        ear.hears("READY=1")
        teller.close()
        ear.hears("STOPPING=1")
        told.resumed(3)
        assert ear.next(0.05) is None


def test_the_teller_of_a_daemon_that_nobody_listens_to_is_no_thread(told: watch.Watch) -> None:
    teller = watch.Teller(notify.Notifier(None), told)
    teller.start()
    teller.close()
    assert not [each for each in threading.enumerate() if each.name == "systemd"]
