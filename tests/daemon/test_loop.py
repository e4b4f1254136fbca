"""What an error means for the loop, how long it waits, and how the process ends: with parts made up."""

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import prometheus_client
import pytest
import structlog
from chainfirst.indexer.rpc.errors import Kind, make
from chainfirst.ops import errors, jobs, metrics, progress, running
from structlog.testing import capture_logs


@pytest.fixture
def numbers() -> metrics.Metrics:
    return metrics.Metrics(prometheus_client.CollectorRegistry())


@pytest.fixture(autouse=True)
def _restore(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    structlog.reset_defaults()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Scripted:
    """A part whose steps do what the list says; after the last one it stops the loop."""

    name = "scripted"

    def __init__(self, script: list[Exception | float], stop: threading.Event) -> None:
        self.script, self.stop = script, stop
        self.steps = 0

    def step(self) -> float:
        self.steps += 1
        found = self.script.pop(0)
        if not self.script:
            self.stop.set()
        if isinstance(found, Exception):
            raise found
        return found

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        pass


def value(numbers: metrics.Metrics, name: str, **labels: str) -> float | None:
    return numbers.registry.get_sample_value(f"chainfirst_{name}", labels)


def test_transient_and_reset_errors_go_on_and_are_counted(numbers: metrics.Metrics) -> None:
    stop = threading.Event()
    soon = errors.TransientError("busy", retry_after_seconds=0.001)
    limit = make(Kind.RATE_LIMIT, "slow down", retry_after_seconds=0.001)
    part = Scripted([soon, limit, 0.0, errors.ResetError("moved"), 0.0], stop)
    with capture_logs() as lines:
        running.Loop(part, stop, numbers).run()
    assert part.steps == 5
    assert value(numbers, "steps_failed_total", part="scripted", error="TransientError") == 1
    assert value(numbers, "steps_failed_total", part="scripted", error="ResetError") == 1
    assert value(numbers, "steps_failed_total", part="scripted", error="RpcTransientError") == 1
    assert value(numbers, "last_step_timestamp_seconds", part="scripted")
    assert [line["event"] for line in lines] == ["step_failed", "recovered", "step_failed", "recovered"]


@pytest.mark.parametrize("error", [errors.FatalError("no"), errors.ConfigError("no"), ValueError("bug")])
def test_fatal_errors_and_bugs_end_the_loop(error: Exception, numbers: metrics.Metrics) -> None:
    with pytest.raises(type(error)):
        running.Loop(Scripted([error, 0.0], threading.Event()), threading.Event(), numbers).run()


def test_an_error_while_stopping_is_no_failure(numbers: metrics.Metrics) -> None:
    stop = threading.Event()
    with capture_logs() as lines:
        running.Loop(Scripted([errors.TransientError("cancelled")], stop), stop, numbers).run()
    assert lines == []
    with pytest.raises(ValueError, match="bug"):
        stop.clear()
        running.Loop(Scripted([ValueError("bug")], stop), stop, numbers).run()


def test_backoff() -> None:
    backoff, busy, moved = running.Backoff(), errors.TransientError("busy"), errors.ResetError("moved")
    assert [backoff.after(busy) for _ in range(8)] == [0.25, 0.5, 1, 2, 4, 8, 10, 10]
    backoff = running.Backoff()
    assert [backoff.after(moved) for _ in range(4)] == [0, 0.25, 0.5, 1]
    assert backoff.after(errors.TransientError("busy", retry_after_seconds=42.0)) == 42
    assert backoff.after(errors.TransientError("busy", retry_after_seconds=0.0)) > 0


def test_a_wake_ends_the_waiting(numbers: metrics.Metrics) -> None:
    stop = threading.Event()
    part = Scripted([3600.0, 0.0], stop)
    loop = running.Loop(part, stop, numbers)
    thread = threading.Thread(target=loop.run)
    thread.start()
    while thread.is_alive():
        loop.wake()
        thread.join(0.01)
    assert part.steps == 2


class Dying(Scripted):
    """Ends in its first step in the way given."""

    def __init__(self, how: Callable[[], Any]) -> None:
        super().__init__([], threading.Event())
        self.how = how

    def step(self) -> float:
        self.how()
        return 3600.0


def test_a_part_that_dies_ends_the_process_with_its_code(numbers: metrics.Metrics) -> None:
    def fatal() -> None:
        raise errors.ConfigError("wrong")

    def bug() -> None:
        raise ValueError("odd")

    def leave() -> None:
        raise SystemExit(0)

    for how, code in ((fatal, 78), (bug, 1), (leave, 1)):
        supervisor = running.Supervisor(numbers)
        supervisor.add(Dying(how))
        closed: list[str] = []
        ended = supervisor.run(lambda: None, [("x", lambda: closed.append("x"))])  # noqa: B023
        assert ended.error is not None
        assert (ended.error.exit_code, ended.abandoned, closed) == (code, (), ["x"])


def test_any_thread_that_dies_ends_the_process(numbers: metrics.Metrics) -> None:
    def die() -> None:
        raise ValueError("helper")

    supervisor = running.Supervisor(numbers)
    supervisor.add(Dying(lambda: None))
    ended = supervisor.run(threading.Thread(target=die).start, [])
    assert isinstance(ended.error, running.Bug)
    assert "helper" in str(ended.error)


def test_a_signal_that_interrupts_another_thread_is_seen(numbers: metrics.Metrics) -> None:
    """The main thread waits on, as it does when a signal comes just before it begins to wait."""
    begun = threading.Event()

    def signal_itself() -> None:
        begun.wait()
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    supervisor = running.Supervisor(numbers)
    supervisor.add(Dying(signal_itself))
    with capture_logs() as logs:
        assert supervisor.run(begun.set, []) == running.Ended(None, ())
    assert [line["why"] for line in logs if line["event"] == "stopping"] == ["SIGTERM"]


def test_a_job_that_fails_is_counted_and_ends_nothing(numbers: metrics.Metrics) -> None:
    periodic, done = jobs.Jobs(numbers), threading.Semaphore(0)

    def fail() -> None:
        done.release()
        raise errors.TransientError("busy")

    def odd() -> None:
        done.release()
        raise ValueError("bug")

    for name, work in (("busy", fail), ("odd", odd), ("good", done.release)):
        periodic.every(3600, name, work)
    with capture_logs() as lines:
        periodic.start()
        for _ in range(3):
            done.acquire()
        periodic.close()
    for each in ("busy", "odd"):
        assert value(numbers, "jobs_failed_total", task=each) == 1
    assert value(numbers, "last_job_timestamp_seconds", task="good")
    assert {line["failing"]: "exc_info" in line for line in lines} == {"busy": False, "odd": True}


def test_progress_says_little(numbers: metrics.Metrics) -> None:
    now = 0.0
    with capture_logs() as lines:
        told = progress.Progress(numbers, structlog.get_logger(), lambda: now)
        for block in range(100, 1000, 100):
            now += 2
            told.committed("backfill", {"t": 50}, 0, 0, 0.1, indexed=block, final=block, head=1000)
        told.committed("follow", {"t": 1}, 0, 0, 0.1, indexed=1000, final=997, head=1000)
        for block in range(1001, 1100):
            told.committed("follow", {"t": 1}, 0, 0, 0.1, indexed=block, final=block - 3, head=block)
        told.reorganised(2)
    said = [(line["event"], line.get("block"), line.get("events_per_second")) for line in lines]
    assert said == [("catching_up", 500, 25), ("caught_up", 1000, 25), ("reorganised", None, None)]
    assert value(numbers, "events_total", contract="", event="t") == 550
    assert value(numbers, "final_block") == 1096
