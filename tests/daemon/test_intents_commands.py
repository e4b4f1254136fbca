"""`chainfirst intents` on a real database: asking, looking, and what is refused."""

import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from chainfirst.ops.commands import waiting
from chainfirst.tests.daemon.asking import CAMPAIGN, HASHES, SIGNER, Answer, Desk

PAY = '{"contract": "shop", "function": "pay", "event": "Paid"}'
SECRET_BYTES = b"\x5e\xc2\xe7"
TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chainfirst intents wait'
"""
WOKEN_SECONDS = 30  # of a machine that is busy
COUNT = "SELECT count(*) FROM intent.intents"
END = "UPDATE intent.intents SET outcome = %s, error = %s, ended_at = now(), ended_block = 7 WHERE id = %s"
# it has looked (again), and is idle since
WAITS = """
SELECT query_start FROM pg_stat_activity
WHERE application_name = 'chainfirst intents wait' AND state = 'idle' AND query LIKE '%%intent.overview%%'
    AND query_start > %s
"""
CANCEL = "UPDATE intent.intents SET cancel_requested_by = 'x', cancel_requested_at = now() WHERE id = %s"


@pytest.fixture(scope="session")
def pg_template(platform_template: str) -> str:
    return platform_template


@pytest.fixture
def app(desk: Desk) -> Iterator[str]:
    """The URL of a login that is an app's."""
    desk.sql.execute("CREATE ROLE shop_app LOGIN IN ROLE chainfirst_app")
    try:
        yield f"{desk.url}&user=shop_app"
    finally:
        desk.sql.execute("DROP ROLE shop_app")


def end(desk: Desk, intent: uuid.UUID, outcome: str) -> None:
    if outcome == "cancelled":
        desk.sql.execute(CANCEL, [intent])
    desk.sql.execute(END, [outcome, None if outcome == "confirmed" else "for a reason", intent])


def sign(desk: Desk, intent: uuid.UUID, nonce: int = 5) -> None:
    """Two attempts, of which the first was sent, refused, and is in a block in the end."""
    transaction = desk.one(
        "INSERT INTO intent.transactions (signer, nonce, intent) VALUES (%s, %s, %s) RETURNING id",
        SIGNER,
        nonce,
        intent,
    )
    attempt = desk.one(
        "INSERT INTO intent.attempts (transaction, purpose, hash, raw, gas, max_fee_wei, priority_fee_wei,"
        " signed_block, sent_at, last_sent_at, last_sent_block, answer, answer_text) VALUES (%s, 'call', %s,"
        " %s, 21000, 30, 2, 6, now(), now(), 7, 'unknown', E'timed\\nout') RETURNING id",
        transaction,
        HASHES[1],
        SECRET_BYTES,
    )
    desk.sql.execute(
        "INSERT INTO intent.attempts (transaction, purpose, hash, raw, gas, max_fee_wei, signed_block)"
        " VALUES (%s, 'cancel', %s, %s, 21000, 60, 7)",
        [transaction, HASHES[2], SECRET_BYTES],
    )
    desk.sql.execute(
        "INSERT INTO intent.inclusions VALUES (%s, 8, %s, false, 20500, 25)", [attempt, HASHES[8]]
    )


def test_what_is_submitted_is_listed_and_shown(desk: Desk) -> None:
    intent = desk.does("intents", "submit", "contract.call", PAY, "--key", "pay 1", "--priority", "3").strip()
    assert desk.does("intents", "list") == f"{intent}  pending   contract.call  pay 1  its turn\n"
    (listed,) = desk.json("intents", "list")
    assert (listed["id"], listed["kind"], listed["status"]) == (intent, "contract.call", "pending")
    for reference in (intent, "pay 1"):
        found = desk.json("intents", "show", reference)
        assert (found["id"], found["priority"], found["payload"]) == (intent, 3, json.loads(PAY))
        assert [each["cause"] for each in found["history"]] == ["submitted by postgres"]
        assert found["generations"] == [{"id": intent, "generation": 1, "status": "pending"}]
    assert "pay 1" in desk.does("intents", "show", intent)


def test_the_payload_comes_from_a_file_or_standard_input_too(desk: Desk) -> None:
    file = desk.file.parent / "payload.json"
    file.write_text(PAY)
    first = desk.does("intents", "submit", "contract.call", f"@{file}", "--key", "1").strip()
    second = desk.does("intents", "submit", "contract.call", "-", "--key", "2", said=PAY).strip()
    assert desk.json("intents", "show", first)["payload"] == desk.json("intents", "show", second)["payload"]
    assert "can't be read" in desk.refuses(
        "intents", "submit", "contract.call", "@gone.json", "--key", "3", code=78
    )


def test_times_have_a_zone(desk: Desk) -> None:
    command = ["intents", "submit", "contract.call", PAY, "--key", "1"]
    for text in ("tomorrow", "2030-01-01", "2030-01-01T12:00:00"):
        assert "with its zone" in desk.refuses(*command, "--not-before", text, code=78)
    times = ["--not-before", "2030-01-01T12:00:00Z", "--expires-at", "2030-01-01T15:00:00+02:00"]
    intent = desk.does(*command, *times).strip()
    same = "SELECT not_before = '2030-01-01 12:00Z', expires_at = '2030-01-01 13:00Z' FROM intent.intents"
    assert desk.one(same) == (True, True)
    assert "the time 2030" in desk.json("intents", "show", intent)["waits_for"]
    assert "expires before it may begin" in desk.refuses(
        *command[:-1], "2", "--not-before", "2030-01-02T00:00Z", "--expires-at", "2030-01-01T00:00Z"
    )


@pytest.mark.parametrize(
    ("kind", "payload", "words"),
    [
        ("campaign.finalise", "{}", "Did you mean campaign.finalize?"),
        ("x", "{}", "There are: campaign.cancel, "),
        ("contract.call", "{", "allowed: JSON"),
        ("contract.call", "[]", "allowed: an object of contract"),
        ("contract.call", PAY.replace("shop", "shops"), 'contract: found "shops", which is not configured'),
        ("contract.call", PAY.replace("pay", "withdraw"), "function: "),
        ("contract.call", PAY.replace("}", ', "value": 5}'), "value: "),
        ("contract.call", PAY.replace("}", ', "value": "1001"}'), "above max_amount, 1000"),
        ("campaign.finalize", '{"campaign": "1"}', "campaign: "),
    ],
)
def test_a_person_hears_of_mistakes_before_anything_is_stored(
    desk: Desk, kind: str, payload: str, words: str
) -> None:
    assert words in desk.refuses("intents", "submit", kind, payload, "--key", "k")
    assert desk.one(COUNT) == 0


def test_all_mistakes_of_a_payload_are_named(desk: Desk) -> None:
    answer = desk.run("intents", "submit", "contract.call", '{"contract": 1, "more": 2}', "--key", "k")
    first, *others = answer.error.splitlines()
    assert (answer.code, first) == (1, "the payload is not one of contract.call: 4 mistakes")
    assert [text.split(":")[0].strip() for text in others] == ["contract", "function", "event", "more"]


def test_what_a_person_should_know_is_said_beside_the_id(desk: Desk) -> None:
    dear = PAY.replace("}", ', "value": "101"}')
    needs_approval = desk.run("intents", "submit", "contract.call", dear, "--key", "dear")
    assert needs_approval.code == 0
    assert "will wait for the approval of a second role" in needs_approval.error
    unknown = desk.run(
        "intents", "submit", "campaign.finalize", json.dumps({"campaign": CAMPAIGN}), "--key", "f"
    )
    assert unknown.code == 0
    assert "no campaign of that id is indexed" in unknown.error
    assert "it is rejected unless that is indexed when its turn comes" in unknown.error
    desk.configure(more='[writer]\ncalls = ["shop.pay"]\n')
    unsigned = desk.run("intents", "submit", "contract.call", PAY, "--key", "u")
    assert "writer.signer isn't set" in unsigned.error
    for answer in (needs_approval, unknown, unsigned):
        uuid.UUID(answer.out.strip())


def test_before_the_deployment_only_the_fields_are_checked(desk: Desk) -> None:
    desk.configure(deployed=False)
    assert "campaign: " in desk.refuses("intents", "submit", "campaign.finalize", "{}", "--key", "f")
    desk.does("intents", "submit", "campaign.finalize", json.dumps({"campaign": CAMPAIGN}), "--key", "f")


def test_a_key_is_one_intent(desk: Desk) -> None:
    command = ["intents", "submit", "contract.call", PAY, "--key", "k"]
    intent = uuid.UUID(desk.does(*command).strip())
    again = desk.run(*command)
    assert (again.code, again.out.strip()) == (0, str(intent))
    assert again.error == "note: this key was asked for before, and nothing was changed: it is pending\n"
    end(desk, intent, "failed")
    assert f"to ask again: chainfirst intents retry {intent}" in desk.run(*command).error
    other = desk.refuses(*command[:3], PAY.replace("}", ', "value": "1"}'), "--key", "k")
    assert other == (
        f"the key k is taken by the intent {intent} of the kind contract.call, which wants something else. "
        "Another wish needs another key."
    )


def test_what_the_database_refuses_is_one_line(desk: Desk) -> None:
    command = ["intents", "submit", "contract.call", PAY, "--key"]
    assert "a key has 1 to 200 characters" in desk.refuses(*command, "")
    assert "there is no intent with this key. Submit the parent first" in desk.refuses(
        *command, "k", "--depends-on", "nobody"
    )
    desk.configure(deployed=False)  # arguments are not checked then
    large = json.dumps({**json.loads(PAY), "arguments": ["0x" + "ab" * 40_000]})
    assert "at most 65536 are taken" in desk.refuses(*command[:3], large, "--key", "k")
    for name in ("show", "cancel", "retry", "approve", "wait"):
        assert "no intent with id or key nobody" in desk.refuses("intents", name, "nobody")
    intent = str(desk.submit())
    assert "is pending: only one that failed" in desk.refuses("intents", "retry", intent)
    desk.sql.execute("UPDATE intent.grants SET may_approve = true")
    assert "asked for the intent" in desk.refuses("intents", "approve", intent)
    end(desk, uuid.UUID(intent), "confirmed")
    assert "is confirmed already" in desk.refuses("intents", "cancel", intent)


def test_the_process_ends_without_a_traceback(desk: Desk) -> None:
    command = [
        sys.executable,
        "-m",
        "chainfirst.daemon",
        "--config",
        str(desk.file),
        "intents",
        "cancel",
        "nobody",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expected = "chainfirst: there is no intent with id or key nobody. See chainfirst intents list.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


def test_an_app_may_do_what_it_is_granted(desk: Desk, app: str) -> None:
    refund = {"campaign": CAMPAIGN, "investor": SIGNER}
    desk.sql.execute("SELECT intent.submit('escrow.refund', %s, 'refund 1')", [json.dumps(refund)])
    desk.configure(app)
    command = ["intents", "submit", "escrow.refund", json.dumps(refund), "--key", "refund 2"]
    assert desk.refuses(*command) == (
        "the role shop_app may not submit intents of the kind escrow.refund. "
        "The table intent.grants says who may."
    )
    assert "may not submit" in desk.refuses("intents", "cancel", "refund 1")
    finalize = json.dumps({"campaign": CAMPAIGN})
    assert desk.run("intents", "submit", "campaign.finalize", finalize, "--key", "end 1").code == 0
    assert desk.does("intents", "cancel", "end 1").endswith(" cancelled\n")
    assert [each["key"] for each in desk.json("intents", "list")] == ["end 1", "refund 1"]
    shown = desk.json("intents", "show", "end 1")
    assert shown["history"][0]["cause"] == "submitted by shop_app"
    assert "permission denied" in desk.refuses("lanes", "pause", "*")
    desk.configure(f"{desk.url}&user=chainfirst_reader")
    assert desk.run("intents", "list").code == 69  # no login


def test_a_second_role_approves(desk: Desk, app: str) -> None:
    desk.sql.execute(
        "INSERT INTO intent.grants VALUES ('campaign.finalize', 'chainfirst_daemon', true, true)"
    )
    desk.configure(app)
    desk.run("intents", "submit", "campaign.finalize", json.dumps({"campaign": CAMPAIGN}), "--key", "end 1")
    assert "may not approve intents of the kind" in desk.refuses("intents", "approve", "end 1")
    desk.configure()
    assert desk.does("intents", "approve", "end 1").endswith(" approved by postgres\n")


def test_cancel_says_whether_it_is_over(desk: Desk) -> None:
    unsigned, signed = desk.submit("1"), desk.submit("2")
    sign(desk, signed)
    assert desk.does("intents", "cancel", str(unsigned)) == f"{unsigned} cancelled\n"
    said = desk.does("intents", "cancel", str(signed))
    assert said == f"{signed} included: it is to be taken back, and what is mined decides\n"


def test_an_event_that_comes_while_it_is_cancelled(desk: Desk) -> None:
    intent = desk.submit()
    desk.sql.execute(
        "UPDATE intent.intents SET signer = %s, call_to = %s, call_data = '', call_value = 0, once = true,"
        " event_table = 'x', key_column = 'x', key_value = 'x', event_match = '{}', event_equal = '{}',"
        " event_at_most = '{}'",
        [SIGNER, SIGNER],
    )
    desk.sql.execute(
        "CREATE FUNCTION public.settle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO intent.settlements VALUES (NEW.id, 1, 0, 0, '0x', '{}', true); RETURN NULL; END $$;"
        "CREATE TRIGGER zz AFTER UPDATE ON intent.intents FOR EACH ROW EXECUTE FUNCTION public.settle()"
    )
    said = desk.refuses("intents", "cancel", str(intent), code=75)
    assert said == f"the intent {intent} can't be cancelled so: its event came while it was. Try again."
    assert desk.one("SELECT intent.status_of(%s)", intent) == "pending"


def test_retry_is_the_next_generation(desk: Desk) -> None:
    first = desk.submit()
    end(desk, first, "failed")
    second = desk.does("intents", "retry", "pay:1", "--expires-at", "2100-01-01T00:00Z").strip()
    assert second != str(first)
    assert "was tried again already" in desk.refuses("intents", "retry", str(first))
    assert desk.json("intents", "show", "pay:1")["id"] == second
    shown = desk.does("intents", "show", str(first))
    assert f"other generation     2: {second} pending" in shown
    assert f"{second}  pending   contract.call  pay:1 (2)  its turn" in desk.does("intents", "list")


def test_lists_are_filtered(desk: Desk) -> None:
    waiting_, ended, other = desk.submit("pay:1"), desk.submit("pay:2"), desk.submit("refund:1")
    desk.sql.execute(
        "UPDATE intent.intents SET waiting_reason = 'Paused()', waiting_since = now(), alert = true"
        " WHERE id = %s",
        [waiting_],
    )
    end(desk, ended, "failed")
    every = [str(other), str(ended), str(waiting_)]
    for arguments, expected in (
        ([], every),
        (["--limit", "2"], every[:2]),
        (["--status", "waiting"], [every[2]]),
        (["--status", "waiting", "--status", "failed"], every[1:]),
        (["--kind", "contract.call"], every),
        (["--kind", "contract.*"], every),
        (["--kind", "contract."], []),
        (["--kind", "escrow.*"], []),
        (["--key", "pay:1"], [every[2]]),
        (["--key", "pay*"], every[1:]),
        (["--key", "pay"], []),
        (["--alert"], [every[2]]),
    ):
        assert [each["id"] for each in desk.json("intents", "list", *arguments)] == expected, arguments
    lines = desk.does("intents", "list").splitlines()
    assert lines[1].endswith(" failed    contract.call  pay:2  for a reason")
    assert lines[2] == f"{waiting_} !waiting   contract.call  pay:1  Paused()"
    assert "sold is no status" in desk.refuses("intents", "list", "--status", "sold", code=78)


def test_show_tells_what_was_signed_and_keeps_the_bytes(desk: Desk) -> None:
    intent = desk.submit()
    sign(desk, intent)
    found = desk.json("intents", "show", str(intent))
    assert SECRET_BYTES.hex() not in json.dumps(found)
    assert (found["status"], found["hash"], found["cost_wei"]) == ("included", HASHES[1], "512500")
    assert [(each["purpose"], each["answer"]) for each in found["signed"]] == [
        ("call", "unknown"),
        ("cancel", None),
    ]
    lines = [text.strip() for text in desk.does("intents", "show", str(intent)).splitlines()]
    assert f"nonce 5 of {SIGNER}" in lines
    assert f"call {HASHES[1]} at block 6, 21000 gas, at most 30 wei a gas (tip 2)" in lines
    assert "mined and reverted in block 8: 20500 gas at 25 wei" in lines
    assert f"cancel {HASHES[2]} at block 7, 21000 gas, at most 60 wei a gas" in lines
    assert "not sent" in lines
    (sent,) = [text for text in lines if text.startswith("sent ")]
    assert sent.endswith("last at block 7; the node said: unknown timed out")


def test_a_lost_nonce_is_shown(desk: Desk) -> None:
    intent = desk.submit()
    sign(desk, intent)
    desk.sql.execute(
        "UPDATE intent.transactions SET foreign_hash = %s, accepted_by = 'me', closed_block = 9", [HASHES[9]]
    )
    assert f"nonce 5 of {SIGNER}, used by {HASHES[9]}, accepted by me" in desk.does(
        "intents", "show", str(intent)
    )


def test_texts_of_apps_stay_on_their_line(desk: Desk) -> None:
    intent = desk.submit("a\nb\x1b[31m\u202e")
    end(desk, intent, "failed")
    desk.sql.execute("UPDATE intent.intents SET error = E'2 mistakes\\n  a: b\\n  c: d'")
    (listed,) = desk.does("intents", "list").splitlines()
    assert listed.endswith("a b [31m  2 mistakes a: b c: d")
    lines = desk.does("intents", "show", str(intent)).splitlines()
    assert [text[20:].strip() for text in lines if text.startswith("error")] == ["2 mistakes", "a: b", "c: d"]


@pytest.mark.parametrize(
    ("outcome", "code"), [("confirmed", 0), ("failed", 2), ("rejected", 3), ("cancelled", 4), ("expired", 5)]
)
def test_wait_ends_with_the_intent(
    desk: Desk, outcome: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Woken by the notification alone: it polls too seldom."""
    monkeypatch.setattr(waiting, "POLL_SECONDS", 600.0)
    intent = desk.submit()
    answer = _meanwhile(
        desk, lambda _: end(desk, intent, outcome), "intents", "wait", "pay:1", "--timeout", "1200"
    )
    first, last = answer.out.splitlines()
    assert (answer.code, first) == (code, f"{intent} pending, waits for its turn")
    assert last.startswith(f"{intent} {outcome}")
    assert desk.run("intents", "wait", str(intent)).code == code


@pytest.mark.parametrize("timeout", [[], ["--timeout", "1200"]], ids=["for ever", "for a time"])
def test_wait_polls_where_no_notification_comes(
    desk: Desk, timeout: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.05)
    intent = desk.submit()
    desk.sql.execute("ALTER TABLE intent.intents DISABLE TRIGGER note_update")
    command = ["intents", "wait", str(intent), *timeout]
    assert _meanwhile(desk, lambda _: end(desk, intent, "failed"), *command).code == 2


def test_wait_gives_up(desk: Desk) -> None:
    intent = desk.submit()
    answer = desk.run("intents", "wait", "pay:1", "--timeout", "0")
    assert answer.code == 6
    assert answer.out.endswith(f"{intent} still pending after 0 s\n")
    assert desk.run("intents", "wait", "pay:1", "--timeout", "x").code == 64
    assert desk.run("intents", "wait").code == 64


def test_wait_for_a_key_goes_on_with_what_it_is_tried_again_as(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 600.0)
    first = desk.submit()
    made: list[uuid.UUID] = []

    def retry(until_it_waits: Callable[[], None]) -> None:
        # one transaction: the waiting session never sees the first one's end alone
        with desk.sql.transaction():
            end(desk, first, "failed")
            made.append(desk.one("SELECT intent.retry(%s)", first))
        until_it_waits()
        end(desk, made[0], "confirmed")

    answer = _meanwhile(desk, retry, "intents", "wait", "pay:1", "--timeout", "1200")
    assert answer.code == 0
    assert answer.out.splitlines()[1:] == [
        f"tried again meanwhile: generation 2, {made[0]}",
        f"{made[0]} pending, waits for its turn",
        f"{made[0]} confirmed",
    ]
    by_id = desk.run("intents", "wait", str(first))
    assert by_id.code == 2
    assert by_id.out.splitlines()[-1] == f"tried again: generation 2, {made[0]}, is confirmed"


def test_a_database_that_was_never_migrated(desk: Desk) -> None:
    desk.sql.execute("DROP SCHEMA intent CASCADE")
    desk.configure(deployed=False)
    assert "chainfirst migrate" in desk.refuses("intents", "list", code=78)
    assert "chainfirst migrate" in desk.refuses("lanes", "list", code=78)
    command = ["intents", "submit", "contract.call", PAY, "--key", "k"]
    assert "chainfirst migrate" in desk.refuses(*command, code=78)


def _meanwhile(desk: Desk, act: Callable[[Callable[[], None]], None], *command: str) -> Answer:
    """Run the command; `act` once it waits, with a function that waits until it waits again. What fails in
    `act` fails the test."""
    failed: list[BaseException] = []
    ended = threading.Event()
    seen = datetime.min.replace(tzinfo=UTC)

    def until_it_waits() -> None:
        nonlocal seen
        with psycopg.connect(desk.url, autocommit=True) as look:
            while not ended.is_set():
                row = look.execute(WAITS, [seen]).fetchone()
                if row is not None:
                    seen = row[0]
                    return
                look.execute("SELECT pg_sleep(0.02)")
        raise AssertionError("it has ended")

    def other() -> None:
        try:
            until_it_waits()
            act(until_it_waits)
            if not ended.wait(WOKEN_SECONDS):
                desk.sql.execute(TERMINATE)
                raise AssertionError("nothing woke it")
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=other)
    thread.start()
    try:
        answer = desk.run(*command)
    finally:
        ended.set()
        thread.join()
    assert not failed, (failed, answer)
    return answer
