"""The schema intent: what apps may ask, and the steps that the database refuses."""

import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from chainfirst.schema import rewind, store
from psycopg import errors
from psycopg.types.json import Jsonb

KEY, SIGNER = "finalize:1", "0x" + "ab" * 20
HASHES = ["0x" + f"{number:064x}" for number in range(10)]
Connection = psycopg.Connection[Any]


@pytest.fixture(scope="session")
def pg_template(platform_template: str) -> str:
    return platform_template


def as_role(connection: Connection, role: str) -> None:
    connection.execute(f"SET ROLE {role}".encode())


def submit(connection: Connection, key: str = KEY, kind: str = "campaign.finalize", **more: Any) -> uuid.UUID:
    names = "".join(f", {name} => %({name})s" for name in more)
    row = connection.execute(
        f"SELECT intent.submit(%(kind)s, %(payload)s, %(key)s{names})".encode(),
        {"kind": kind, "payload": Jsonb({"campaign": "1"}), "key": key} | more,
    ).fetchone()
    assert row is not None
    found: uuid.UUID = row[0]
    return found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (
            "ERC20InsufficientBalance(balance=1, needed=2)",
            "ERC20InsufficientBalance(balance=3, needed=2)",
            True,
        ),
        ("ERC20InsufficientBalance(balance=1)", "ERC721InsufficientBalance(balance=1)", False),
        ("NotOver()", "NotOver(end=1)", True),
        ("NotOver()", "Paused()", False),
        ("it needs 31000 gas, above the cap of 5", "it needs 31002 gas, above the cap of 5", True),
        ("unknown error 0x12345678 with 32 bytes", "unknown error 0x12345679 with 32 bytes", False),
        ("no state of 0x" + "ab" * 32, "no state of 0x" + "cd" * 32, True),
        ("the account is frozen", "the account is closed", False),
    ],
)
def test_reasons_that_differ_by_numbers_alone_are_the_same(
    connection: Connection, one: str, other: str, same: bool
) -> None:
    found = connection.execute("SELECT intent.reason_class(%s) = intent.reason_class(%s)", [one, other])
    assert found.fetchone() == (same,)


def status(connection: Connection, intent: uuid.UUID) -> str:
    """The status, which view and function must agree on."""
    row = connection.execute(
        "SELECT o.status, intent.status_of(o.id) FROM intent.overview o WHERE o.id = %s", [intent]
    ).fetchone()
    assert row is not None
    assert row[0] == row[1]
    return str(row[0])


def history(connection: Connection, intent: uuid.UUID) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT status, cause FROM intent.history WHERE intent = %s ORDER BY seq", [intent]
    ).fetchall()


def sign(connection: Connection, intent: uuid.UUID, nonce: int = 0) -> int:
    """A transaction and an attempt of it, whose id is returned."""
    row = connection.execute(
        "WITH t AS (INSERT INTO intent.transactions (signer, nonce, intent) VALUES (%s, %s, %s) RETURNING id)"
        " INSERT INTO intent.attempts (transaction, purpose, hash, raw, gas, max_fee_wei, signed_block)"
        " SELECT id, 'call', %s, '\\x01', 21000, 1, 7 FROM t RETURNING id",
        [SIGNER, nonce, intent, HASHES[nonce]],
    ).fetchone()
    assert row is not None
    attempt: int = row[0]
    return attempt


def include(connection: Connection, attempt: int, ok: bool = True) -> None:
    connection.execute(
        "INSERT INTO intent.inclusions VALUES (%s, 8, %s, %s, 21000, 3)", [attempt, HASHES[8], ok]
    )


def test_ids_sort_by_time(connection: Connection) -> None:
    made = [row[0] for row in connection.execute("SELECT intent.new_id() FROM generate_series(1, 200)")]
    assert {(each.version, each.variant) for each in made} == {(7, uuid.RFC_4122)}
    assert len(set(made)) == len(made)
    millis = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
    assert millis is not None
    assert 0 <= millis[0] - (made[-1].int >> 80) < 60_000
    assert [each.int >> 64 for each in made] == sorted(each.int >> 64 for each in made)


def test_the_same_key_is_the_same_intent(connection: Connection) -> None:
    as_role(connection, "chainfirst_app")
    first = submit(connection)
    assert submit(connection) == first
    assert submit(connection, "finalize:2") != first
    assert status(connection, first) == "pending"
    connection.commit()
    with pytest.raises(errors.UniqueViolation, match="wants something else"):
        submit(connection, kind="campaign.cancel")
    connection.rollback()
    with pytest.raises(errors.UniqueViolation, match="wants something else"):
        submit(connection, depends_on="finalize:2")


def test_two_sessions_submit_one_key(connection: Connection, pg_url: str) -> None:
    with psycopg.connect(pg_url) as other:
        first = submit(connection)
        connection.commit()
        assert submit(other) == first


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"kind": "escrow.release"}, errors.InsufficientPrivilege),
        ({"kind": "no kind"}, errors.InsufficientPrivilege),
        ({"key": ""}, errors.CheckViolation),
        ({"key": "k" * 201}, errors.CheckViolation),
        ({"depends_on": "nobody"}, errors.ForeignKeyViolation),
        ({"depends_on": KEY}, errors.ForeignKeyViolation),  # itself
        ({"priority": 5000}, errors.CheckViolation),
        ({"not_before": "2030-01-02", "expires_at": "2030-01-01"}, errors.CheckViolation),
    ],
)
def test_what_submit_refuses(
    connection: Connection, arguments: dict[str, Any], error: type[Exception]
) -> None:
    as_role(connection, "chainfirst_app")
    with pytest.raises(error):
        submit(connection, **arguments)


def test_payloads_are_objects_of_a_sane_size(connection: Connection) -> None:
    statement = "SELECT intent.submit('campaign.finalize', %s, 'k')"
    for payload, error in (
        (Jsonb([1]), errors.CheckViolation),
        (None, errors.NullValueNotAllowed),
        (Jsonb({"a": [str(uuid.uuid4()) for _ in range(3000)]}), errors.ProgramLimitExceeded),
    ):
        with pytest.raises(error):
            connection.execute(statement, [payload])
        connection.rollback()
        as_role(connection, "chainfirst_daemon")


def test_granted_kinds_may_be_submitted(connection: Connection, pg_url: str) -> None:
    with psycopg.connect(pg_url) as owner:
        owner.execute("INSERT INTO intent.grants VALUES ('escrow.refund', 'chainfirst_app')")
    as_role(connection, "chainfirst_app")
    submit(connection, kind="escrow.refund")
    with pytest.raises(errors.InsufficientPrivilege):
        submit(connection, "other", kind="escrow.release")


def test_apps_write_no_table(connection: Connection) -> None:
    intent = submit(connection)
    connection.commit()
    as_role(connection, "chainfirst_app")
    connection.commit()
    for statement in (
        "UPDATE intent.intents SET outcome = 'confirmed'",
        "DELETE FROM intent.intents",
        "INSERT INTO intent.history (intent, status, cause) VALUES (intent.new_id(), 'x', 'y')",
        "INSERT INTO intent.grants VALUES ('*', 'chainfirst_app')",
        "SELECT raw FROM intent.attempts",
        "SELECT intent.note(intent.new_id(), 'x')",
        "SELECT intent.found(intent.new_id())",
        "UPDATE intent.lanes SET blocked_reason = NULL",
        "DELETE FROM intent.pauses",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(statement.encode())
        connection.rollback()
    assert status(connection, intent) == "pending"


def test_the_reader_sees_nothing(connection: Connection) -> None:
    as_role(connection, "chainfirst_reader")
    with pytest.raises(errors.InsufficientPrivilege):
        connection.execute("SELECT FROM intent.overview")


def test_an_unsigned_intent_is_cancelled_at_once(connection: Connection) -> None:
    intent = submit(connection)
    assert connection.execute("SELECT intent.cancel(%s)", [intent]).fetchone() == ("cancelled",)
    assert connection.execute("SELECT intent.cancel(%s)", [intent]).fetchone() == ("cancelled",)
    assert [line[0] for line in history(connection, intent)] == ["pending", "cancelled", "cancelled"]
    with pytest.raises(errors.RestrictViolation, match="no nonce is taken"):
        sign(connection, intent)


def test_a_signed_intent_waits_for_what_is_mined(connection: Connection) -> None:
    intent = submit(connection)
    sign(connection, intent)
    assert connection.execute("SELECT intent.cancel(%s)", [intent]).fetchone() == ("signed",)
    with pytest.raises(errors.RestrictViolation, match="only a final block"):
        connection.execute("UPDATE intent.intents SET outcome = 'cancelled', ended_at = now()")


def test_only_what_ended_badly_is_tried_again(connection: Connection) -> None:
    intent = submit(connection)
    connection.commit()
    with pytest.raises(errors.InvalidParameterValue, match="is pending"):
        connection.execute("SELECT intent.retry(%s)", [intent])
    connection.rollback()
    as_role(connection, "chainfirst_daemon")
    connection.execute("SELECT intent.cancel(%s)", [intent])
    row = connection.execute("SELECT intent.retry(%s)", [intent]).fetchone()
    assert row is not None
    assert row[0] != intent
    assert submit(connection) == row[0]  # the key means the latest generation
    with pytest.raises(errors.UniqueViolation, match="tried again already"):
        connection.execute("SELECT intent.retry(%s)", [intent])


def test_another_role_must_approve(connection: Connection, pg_url: str) -> None:
    with psycopg.connect(pg_url) as owner:
        owner.execute("UPDATE intent.grants SET may_approve = true WHERE kind = 'campaign.finalize'")
        owner.execute(
            "INSERT INTO intent.grants VALUES ('campaign.finalize', 'chainfirst_daemon', true, true)"
        )
    as_role(connection, "chainfirst_app")
    intent = submit(connection)
    connection.commit()
    with pytest.raises(errors.InsufficientPrivilege, match="another one must"):
        connection.execute("SELECT intent.approve(%s)", [intent])
    connection.rollback()
    as_role(connection, "chainfirst_daemon")
    connection.execute("SELECT intent.approve(%s)", [intent])
    assert connection.execute("SELECT approved_by FROM intent.intents").fetchone() == ("chainfirst_daemon",)


def test_the_status_follows_the_facts_and_back(connection: Connection) -> None:
    intent = submit(connection)
    connection.execute("UPDATE intent.intents SET waiting_reason = 'NotOver', waiting_since = now()")
    assert status(connection, intent) == "waiting"
    attempt = sign(connection, intent)
    assert status(connection, intent) == "signed"
    connection.execute(
        "UPDATE intent.attempts SET sent_at = now(), last_sent_at = now(), last_sent_block = 7,"
        " answer = 'accepted'"
    )
    assert status(connection, intent) == "sent"
    include(connection, attempt)
    assert status(connection, intent) == "included"
    connection.execute("DELETE FROM intent.inclusions")
    assert status(connection, intent) == "sent"
    include(connection, attempt, ok=False)
    row = connection.execute("SELECT ok, cost_wei, waits_for FROM intent.overview").fetchone()
    assert row == (False, 63000, "its block to be final")
    connection.execute(
        "UPDATE intent.intents SET outcome = 'failed', error = 'NotOver', ended_at = now(), ended_block = 8"
    )
    assert status(connection, intent) == "failed"
    assert history(connection, intent) == [
        ("pending", "submitted by chainfirst_daemon"),
        ("waiting", "waits: NotOver"),
        ("signed", f"signed: nonce 0, {HASHES[0]}"),
        ("sent", f"sent: {HASHES[0]}"),
        ("included", "mined"),
        ("sent", "its block is not canonical any more"),
        ("included", "mined and reverted"),
        ("failed", "failed: NotOver"),
    ]
    with pytest.raises(errors.RestrictViolation, match="can't become"):
        connection.execute("UPDATE intent.intents SET outcome = NULL, ended_at = NULL, ended_block = NULL")


def test_a_nonce_never_serves_two_intents(connection: Connection) -> None:
    first, second = submit(connection), submit(connection, "other")
    sign(connection, first)
    connection.commit()
    with pytest.raises(errors.UniqueViolation):
        sign(connection, second)
    connection.rollback()
    as_role(connection, "chainfirst_daemon")
    with pytest.raises(errors.UniqueViolation, match="transactions_one_for_each_intent"):
        sign(connection, first, 1)


def test_a_lost_nonce_leaves_room_for_another(connection: Connection) -> None:
    intent = submit(connection)
    sign(connection, intent)
    connection.execute(
        "UPDATE intent.transactions SET foreign_hash = %s, accepted_by = 'me', closed_block = 9", [HASHES[9]]
    )
    assert status(connection, intent) == "pending"
    sign(connection, intent, 1)
    assert status(connection, intent) == "signed"


def test_a_signed_call_does_not_change(connection: Connection) -> None:
    intent = submit(connection)
    prepare = (
        "UPDATE intent.intents SET signer = %s, call_to = %s, call_data = '', call_value = 0, once = true,"
        " event_table = 'x', key_column = 'y', key_value = %s, event_match = '{}', event_equal = '{}',"
        " event_at_most = '{}'"
    )
    connection.execute(prepare, [SIGNER, SIGNER, "1"])
    connection.execute(prepare, [SIGNER, SIGNER, "2"])
    sign(connection, intent)
    with pytest.raises(errors.RestrictViolation, match="its call can't change"):
        connection.execute(prepare, [SIGNER, SIGNER, "3"])


@pytest.mark.parametrize(
    "change",
    [
        "payload = '{}'",
        "kind = 'campaign.cancel'",
        "expires_at = now()",
        "outcome = 'failed', ended_at = now(), error = 'x'",  # without a block
        "outcome = 'confirmed', ended_at = now()",
        "outcome = 'rejected', ended_at = now()",  # without a reason
        "outcome = 'cancelled', ended_at = now()",  # nobody asked for it
        "outcome = 'gone', ended_at = now()",
        "outcome = 'failed', error = 'x', ended_block = 1",  # without a time
        "event_table = 'x'",  # prepared by half
    ],
)
def test_illegal_steps_raise(connection: Connection, pg_url: str, change: str) -> None:
    submit(connection)
    connection.commit()
    with psycopg.connect(pg_url) as owner, pytest.raises((errors.CheckViolation, errors.RestrictViolation)):
        owner.execute(f"UPDATE intent.intents SET {change}".encode())


def test_a_child_is_blocked_by_a_parent_that_ended_badly(connection: Connection) -> None:
    parent = submit(connection, "parent")
    child = submit(connection, "child", depends_on="parent")
    waits = "SELECT status, waits_for FROM intent.overview WHERE id = %s"
    assert connection.execute(waits, [child]).fetchone() == ("pending", "the intent parent")
    connection.execute("SELECT intent.cancel(%s)", [parent])
    assert connection.execute(waits, [child]).fetchone() == (
        "pending",
        "blocked by parent, which is cancelled",
    )
    connection.execute("SELECT intent.retry(%s)", [parent])
    assert connection.execute(waits, [child]).fetchone() == ("pending", "the intent parent")


def test_channels_wake_who_waits(connection: Connection, pg_url: str) -> None:
    with psycopg.connect(pg_url, autocommit=True) as listener:
        listener.execute("LISTEN intent_new; LISTEN intent_changed")
        intent = submit(connection)
        connection.commit()
        assert [n.channel for n in listener.notifies(timeout=10, stop_after=1)] == ["intent_new"]
        connection.execute("SELECT intent.cancel(%s)", [intent])
        connection.commit()
        assert {n.channel for n in listener.notifies(timeout=10, stop_after=2)} == {
            "intent_new",
            "intent_changed",
        }


def test_a_rewind_takes_back_what_final_blocks_decided(connection: Connection, pg_url: str) -> None:
    ended, kept, again = submit(connection), submit(connection, "kept"), submit(connection, "again")
    for nonce, intent in enumerate((ended, kept, again)):
        attempt = sign(connection, intent, nonce)
        include(connection, attempt)
        block = 3 if intent == kept else 8
        connection.execute(
            "UPDATE intent.transactions SET closed_block = %s WHERE intent = %s", [block, intent]
        )
        connection.execute(
            "UPDATE intent.intents SET outcome = 'failed', error = 'x', ended_at = now(), ended_block = %s"
            " WHERE id = %s",
            [block, intent],
        )
    connection.execute("SELECT intent.retry(%s)", [again])
    held = store.open_cursor(connection, 1, "0x" + "00" * 32)
    epoch = store.acquire_leadership(connection)
    connection.commit()
    assert epoch is not None
    block_5 = store.Block(5, HASHES[5], HASHES[4], datetime.now(UTC))
    rewind.to_block(connection, epoch, held, 5, block_5)
    assert status(connection, ended) == "signed"
    assert status(connection, kept) == "failed"
    assert status(connection, again) == "failed"
    closed = "SELECT nonce FROM intent.transactions WHERE closed_block IS NULL ORDER BY nonce"
    assert connection.execute(closed).fetchall() == [(0,), (2,)]
