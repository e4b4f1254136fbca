"""`chainfirst lanes` on a real database: looking, pausing, and accepting what blocks a lane."""

import uuid

import psycopg
import pytest
from chainfirst.ops.errors import FatalError, TransientError
from chainfirst.tests.daemon.asking import HASHES, OTHER, SIGNER, Desk
from chainfirst.writers import operate
from eth_utils.address import to_checksum_address

LANE = (
    "INSERT INTO intent.lanes (signer, name, first_nonce, explained_to, blocked_reason, blocked_nonce,"
    " blocked_hash, blocked_block) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
)
BLOCKED = (
    "SELECT blocked_reason, blocked_nonce, blocked_hash, blocked_block, accepted_by LIKE '%% as postgres',"
    " accepted_at IS NOT NULL FROM intent.lanes WHERE signer = %s"
)
GOES_ON = (None, None, None, None, True, True)
PAUSES = "SELECT array_agg(subject ORDER BY subject) FROM intent.pauses"
WHY = "Who else has this key?"


@pytest.fixture(scope="session")
def pg_template(platform_template: str) -> str:
    return platform_template


def lane(
    desk: Desk,
    signer: str = SIGNER,
    name: str = "default",
    first_nonce: int | None = 3,
    why: str | None = None,
    nonce: int | None = None,
    hash_: str | None = None,
    block: int | None = None,
) -> None:
    desk.sql.execute(LANE, [signer, name, first_nonce, first_nonce, why, nonce, hash_, block])


def sign(desk: Desk, nonce: int, key: str) -> uuid.UUID:
    """An intent that has the nonce."""
    intent = desk.submit(key)
    desk.sql.execute(
        "INSERT INTO intent.transactions (signer, nonce, intent) VALUES (%s, %s, %s)", [SIGNER, nonce, intent]
    )
    return intent


def final(desk: Desk, number: int) -> None:
    desk.sql.execute("DELETE FROM chain.cursor")
    desk.sql.execute(
        "INSERT INTO chain.cursor (chain_id, genesis_hash, indexed_number, indexed_hash, final_number,"
        " final_hash) VALUES (31337, %s, %s, %s, %s, %s)",
        [HASHES[0], number, HASHES[1], number, HASHES[1]],
    )


def test_lanes_are_listed_with_what_stops_them(desk: Desk) -> None:
    assert desk.does("lanes", "list") == "default: has never run\ncertificates: has never run\n"
    lane(desk, why=WHY, nonce=4, hash_=HASHES[4], block=9)
    desk.sql.execute("UPDATE intent.lanes SET alert = E'no\\nfunds', balance_wei = %s", [10**30])
    sign(desk, 3, "pay:1")
    sign(desk, 4, "pay:2")
    desk.does("lanes", "pause", SIGNER)
    found = desk.json("lanes", "list")
    (listed,) = found["lanes"]
    expected = {
        "signer": SIGNER,
        "name": "default",
        "first_nonce": 3,
        "next_nonce": 5,
        "explained_to": 3,
        "in_flight": 2,
        "paused": True,
        "blocked_reason": WHY,
        "blocked_nonce": 4,
        "blocked_hash": HASHES[4],
        "blocked_block": 9,
        "alert": "no\nfunds",
        "balance_wei": str(10**30),
        "accepted_by": None,
    }
    assert expected.items() <= listed.items()
    assert [each["subject"] for each in found["pauses"]] == [SIGNER]
    lines = desk.does("lanes", "list").splitlines()
    assert lines[:7] == [
        f"default: {SIGNER}",
        "  nonces     begin at 3, next is 5, accounted for below 3",
        "  in flight  2",
        f"  balance    {10**30} wei",
        "  alert      no funds",
        f"  blocked    {WHY}",
        "  paused     yes",
    ]
    assert lines[7] == "certificates: has never run"
    assert lines[8].startswith(f"paused: {SIGNER} by ")


@pytest.mark.parametrize(
    ("subject", "stored"),
    [
        (SIGNER, SIGNER),
        (to_checksum_address(OTHER), OTHER),
        ("default", SIGNER),
        ("escrow.refund", "escrow.refund"),
        ("escrow.*", "escrow.*"),
        ("contract.call", "contract.call"),
        ("*", "*"),
    ],
)
def test_pausing_and_resuming(desk: Desk, subject: str, stored: str) -> None:
    lane(desk)
    assert desk.does("lanes", "pause", subject, "--why", "the bank") == f"paused {stored}\n"
    assert desk.one(PAUSES) == [stored]
    again = desk.does("lanes", "pause", subject, "--why", "no matter")
    assert again.startswith(f"paused already: {stored} by ")
    assert again.endswith(": the bank\n")
    assert desk.does("lanes", "resume", subject) == f"resumed {stored}\n"
    assert desk.one(PAUSES) is None
    assert desk.refuses("lanes", "resume", subject) == f"{subject} isn't paused. What is paused: nothing."


def test_a_lane_whose_key_changed_is_paused_with_all_its_signers(desk: Desk) -> None:
    lane(desk)
    lane(desk, OTHER)
    desk.does("lanes", "pause", "default")
    assert desk.one(PAUSES) == [SIGNER, OTHER]
    desk.does("lanes", "resume", SIGNER)
    assert desk.does("lanes", "resume", "default") == f"resumed {OTHER}\n"


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("escrow.refnd", "Did you mean escrow.refund?"),
        ("defalt", "Did you mean default?"),
        ("refunds.*", "is no signer, lane or kind"),
        ("Escrow.*", "is no signer, lane or kind"),
        ("certificates", "has never run"),
        ("0xab", "the signer is"),
        (to_checksum_address(SIGNER).swapcase().replace("0X", "0x"), "checksum"),
        ("", "is no signer, lane or kind"),
    ],
)
def test_a_mistyped_name_pauses_nothing(desk: Desk, subject: str, words: str) -> None:
    for command in ("pause", "resume"):
        assert words in desk.refuses("lanes", command, subject, code=78)
    assert desk.one(PAUSES) is None


def test_a_login_takes_the_daemons_role_on(desk: Desk) -> None:
    """As one must where membership alone gives no rights; the pause has the login's name."""
    desk.sql.execute("CREATE ROLE night_shift LOGIN NOINHERIT IN ROLE chainfirst_daemon")
    try:
        lane(desk, why=WHY)
        desk.configure(f"{desk.url}&user=night_shift")
        desk.does("lanes", "pause", "escrow.*")
        assert desk.one("SELECT paused_by LIKE '%% as night_shift' FROM intent.pauses")
        desk.does("lanes", "accept", SIGNER, "--yes")
        assert desk.one("SELECT accepted_by LIKE '%% as night_shift' FROM intent.lanes")
    finally:
        desk.sql.execute("DROP ROLE night_shift")


def test_what_stays_paused_is_told(desk: Desk) -> None:
    desk.does("lanes", "pause", "escrow.*", "--why", "audit")
    assert "What is paused: escrow.*." in desk.refuses("lanes", "resume", "escrow.refund")
    desk.does("lanes", "pause", "escrow.refund")
    resumed, left = desk.does("lanes", "resume", "escrow.refund").splitlines()
    assert resumed == "resumed escrow.refund"
    assert left.startswith("still paused: escrow.* by ")
    assert left.endswith(": audit")


def test_a_lane_begins_where_the_key_is(desk: Desk) -> None:
    lane(desk, first_nonce=None, why="the key has sent 7 transactions before", nonce=7)
    desk.submit()
    shown, warned, did = desk.does("lanes", "accept", SIGNER, "--yes").splitlines()
    assert shown == f"lane default, {SIGNER}, is blocked: the key has sent 7 transactions before"
    assert warned.startswith("1 intents are open: if that nonce, or one before it, served one of them")
    assert did == f"the lane of {SIGNER} begins at nonce 7"
    assert desk.one(BLOCKED, SIGNER) == GOES_ON
    assert desk.one("SELECT first_nonce, explained_to FROM intent.lanes") == (7, 7)
    assert "  accepted   by " in desk.does("lanes", "list")


def test_somebody_elses_nonce_frees_the_intent_that_had_it(desk: Desk) -> None:
    final(desk, 9)
    intent = sign(desk, 4, "pay:1")
    lane(desk, why=WHY, nonce=4, hash_=HASHES[4], block=9)
    with psycopg.connect(desk.url, autocommit=True) as lane_session:
        lane_session.execute("LISTEN intent_new")
        said = desk.does("lanes", "accept", "default", "4", "--yes").splitlines()[-1]
        assert [each.channel for each in lane_session.notifies(timeout=10, stop_after=1)] == ["intent_new"]
    assert said == (
        f"nonce 4 of {SIGNER} is somebody else's: {HASHES[4]} in block 9; "
        f"the intent {intent}, which had it, gets another one"
    )
    assert desk.one(BLOCKED, SIGNER) == GOES_ON
    kept = "SELECT foreign_hash, closed_block, accepted_by LIKE '%% as postgres' FROM intent.transactions"
    assert desk.one(kept) == (HASHES[4], 9, True)
    assert desk.one("SELECT intent.status_of(%s)", intent) == "pending"


def test_somebody_elses_nonce_that_nobody_here_had(desk: Desk) -> None:
    final(desk, 9)
    lane(desk, why=WHY, nonce=4, hash_=HASHES[4], block=9)
    did = desk.does("lanes", "accept", SIGNER, "--yes").splitlines()[-1]
    assert did == f"nonce 4 of {SIGNER} is somebody else's: {HASHES[4]} in block 9"
    assert desk.one("SELECT nonce, intent, closed_block FROM intent.transactions") == (4, None, 9)
    assert desk.one(BLOCKED, SIGNER) == GOES_ON


MORE = (
    "UPDATE intent.lanes SET blocked_more = jsonb_build_array(jsonb_build_object('nonce', 5, 'hash',"
    " '0x' || repeat('5', 64), 'block', 9, 'what', E'to\\n0xab'))"
)


def test_the_nonces_of_others_are_listed_and_accepted_together(desk: Desk) -> None:
    final(desk, 9)
    lane(desk, why=WHY, nonce=4, hash_=HASHES[4], block=9)
    desk.sql.execute(MORE)
    second = f"  nonce 5: 0x{'5' * 64} in block 9 (to 0xab)"
    assert second in desk.does("lanes", "list").splitlines()
    answer = desk.run("lanes", "accept", SIGNER, said="n\n")
    assert answer.code == 1
    assert second in answer.out
    assert "Accept all 2?" in answer.out
    did = desk.does("lanes", "accept", SIGNER, "--yes").splitlines()[-2:]
    assert [each.split(" of ")[0] for each in did] == ["nonce 4", "nonce 5"]
    kept = "SELECT array_agg((nonce, closed_block)::text ORDER BY nonce) FROM intent.transactions"
    assert desk.one(kept) == ["(4,9)", "(5,9)"]
    assert desk.one(BLOCKED, SIGNER) == GOES_ON
    assert desk.one("SELECT blocked_more FROM intent.lanes") == []


def test_of_the_nonces_of_others_the_named_one_is_accepted_alone(desk: Desk) -> None:
    final(desk, 9)
    desk.submit()
    lane(desk, why=WHY, nonce=4, hash_=HASHES[4], block=9)
    desk.sql.execute(MORE)
    shown = desk.does("lanes", "accept", SIGNER, "4", "--yes")
    assert "nonce 5" not in shown
    assert "if that nonce, or one before it" in shown
    assert desk.one("SELECT array_agg(nonce) FROM intent.transactions") == [4]


def test_a_refusal_of_the_node_is_tried_again(desk: Desk) -> None:
    lane(desk, why="the node refuses nonce 3: wrong chain")
    assert "blocked by no nonce, not 3" in desk.refuses("lanes", "accept", SIGNER, "3")
    did = desk.does("lanes", "accept", SIGNER, "--yes").splitlines()[-1]
    assert did == f"the lane of {SIGNER} tries again"
    assert desk.one(BLOCKED, SIGNER) == GOES_ON
    assert desk.one("SELECT first_nonce FROM intent.lanes") == 3


def test_nothing_is_accepted_without_a_yes(desk: Desk) -> None:
    lane(desk, why=WHY)
    for said in ("n\n", ""):
        answer = desk.run("lanes", "accept", SIGNER, said=said)
        assert answer.code == 1
        assert WHY in answer.out
    assert desk.one(BLOCKED, SIGNER)[0] == WHY
    assert desk.run("lanes", "accept", SIGNER, said="y\n").code == 0


def test_what_can_not_be_accepted(desk: Desk) -> None:
    assert "isn't blocked" in desk.refuses("lanes", "accept", SIGNER)
    lane(desk)
    assert "isn't blocked" in desk.refuses("lanes", "accept", "default")
    assert "certificates has never run" in desk.refuses("lanes", "accept", "certificates", code=78)
    assert "nobody is no lane" in desk.refuses("lanes", "accept", "nobody", code=78)
    lane(desk, OTHER, why=WHY, nonce=4, hash_=HASHES[4], block=9)
    assert f"has had the signers {SIGNER}, {OTHER}" in desk.refuses("lanes", "accept", "default", code=78)
    assert "blocked by nonce 4, not 5: Who else" in desk.refuses("lanes", "accept", OTHER, "5")
    final(desk, 8)
    answer = desk.run("lanes", "accept", OTHER, "--yes")
    assert (answer.code, answer.error) == (
        75,
        "block 9 isn't final in the database (any more): final is 8. Accept it when it is.",
    )
    assert desk.one(BLOCKED, OTHER)[:4] == (WHY, 4, HASHES[4], 9)
    assert desk.one("SELECT count(*) FROM intent.transactions") == 0


@pytest.mark.parametrize(
    "change",
    [
        "blocked_reason = 'another one'",
        "blocked_nonce = 5",
        "blocked_hash = '0x' || repeat('5', 64)",
        "blocked_block = 8",
        "first_nonce = 2",
        "blocked_reason = NULL, blocked_nonce = NULL, blocked_hash = NULL, blocked_block = NULL",
        "blocked_more = '[{}]'",
    ],
)
def test_only_what_was_shown_is_accepted(desk: Desk, change: str) -> None:
    """The daemon goes on while a person reads."""
    final(desk, 9)
    lane(desk, why=WHY, nonce=4, hash_=HASHES[4], block=9)
    shown = operate.state(desk.sql, SIGNER)
    assert shown is not None
    desk.sql.execute(f"UPDATE intent.lanes SET {change}".encode())
    with pytest.raises(TransientError, match="changed while it was looked at"):
        operate.accept(desk.sql, shown, "me")
    assert desk.one("SELECT count(*) FROM intent.transactions") == 0
    assert desk.one("SELECT count(accepted_by) FROM intent.lanes") == 0


def test_two_accept_at_once(desk: Desk) -> None:
    final(desk, 9)
    lane(desk, why=WHY, nonce=4, hash_=HASHES[4], block=9)
    shown = operate.state(desk.sql, SIGNER)
    assert shown is not None
    operate.accept(desk.sql, shown, "me")
    with pytest.raises(TransientError, match="changed while it was looked at"):
        operate.accept(desk.sql, shown, "you")
    free = operate.state(desk.sql, SIGNER)
    assert free is not None
    with pytest.raises(FatalError, match="isn't blocked"):
        operate.accept(desk.sql, free, "you")
    assert desk.one("SELECT accepted_by FROM intent.transactions") == "me"
