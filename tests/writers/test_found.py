"""What random lives found (test_random.py), each as the few steps that it takes."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.tests.writers.backups import Backups
from chainfirst.tests.writers.world import World
from chainfirst.writers import operate
from chainfirst.writers.node import Node

Payload = dict[str, Any]


@pytest.fixture
def backups(pg_cluster: Cluster) -> Iterator[Backups]:
    made = Backups(pg_cluster)
    try:
        yield made
    finally:
        made.close()


def verified(number: int) -> Payload:
    return {"investor": f"0x{number:040x}", "verified": True}


def document(world: World, uri: str) -> Payload:
    return {"wallet": world.platform.at["issuer"], "document_uri": uri}


def company(world: World) -> Payload:
    return {
        "company": str(uuid.uuid4()),
        "wallet": world.platform.at["bob"],
        "credential_hash": "0x" + "11" * 32,
        "document_uri": "ipfs://company",
    }


def ask(world: World, wishes: Mapping[str, Payload], kind: str = "investor.set_verified") -> list[uuid.UUID]:
    return [world.submit(kind, key, **payload) for key, payload in wishes.items()]


def effects(world: World, first: int) -> list[str]:
    """The documents and investors that the node's chain has events of since a block, in order."""
    registry = world.platform.registry.events
    found = [
        (
            each["blockNumber"],
            each["logIndex"],
            str(each["args"].get("documentURI", each["args"].get("investor"))),
        )
        for event in (registry.IssuerDocumentUpdated, registry.InvestorStatusChanged)
        for each in event().get_logs(from_block=first)
    ]
    return [name.lower() for _, _, name in sorted(found)]


def blocked(world: World) -> str | None:
    shown = operate.state(world.app, world.platform.at["operator"].lower())
    assert shown is not None
    return shown.reason


def begun(world: World) -> int:
    """The lane knows its key before a backup is taken; the first block since then."""
    world.mine()
    world.round()
    return int(world.rpc("eth_blockNumber"), 16) + 1


def test_a_restored_database_knows_its_transactions_by_what_is_asked_again(
    world: World, backups: Backups
) -> None:
    first = begun(world)
    held = world.submit("investor.set_verified", "held", **verified(1))
    backup = backups.take(world)
    wishes = {f"wish {number}": verified(number) for number in (2, 3)}
    ask(world, wishes)
    world.round()
    nonces = world.own_nonces()
    world.mine()
    backups.restore(world, backup)
    again = ask(world, wishes)
    world.finish()
    assert {world.status(each) for each in (held, *again)} == {"confirmed"}
    assert sorted(effects(world, first)) == sorted(
        each["investor"] for each in (verified(1), *wishes.values())
    )
    assert world.own_nonces() == nonces
    assert blocked(world) is None


def test_asked_again_after_the_lane_stopped_it_goes_on_by_itself(world: World, backups: Backups) -> None:
    first = begun(world)
    backup = backups.take(world)
    ask(world, {"wish": verified(1)})
    world.round()
    world.mine(4)
    backups.restore(world, backup)
    world.round()
    assert "none of ours" in str(blocked(world))
    (again,) = ask(world, {"wish": verified(1)})
    world.finish()
    assert world.status(again) == "confirmed"
    assert blocked(world) is None
    assert effects(world, first) == [verified(1)["investor"]]


def test_a_b_a_in_a_restored_database_is_not_done_again(world: World, backups: Backups) -> None:
    first = begun(world)
    backup = backups.take(world)
    wishes = {f"step {step}": document(world, f"ipfs://{step[0]}") for step in ("a1", "b", "a2")}
    ask(world, wishes, "issuer.update_document")
    world.round()
    world.mine()
    backups.restore(world, backup)
    again = ask(world, wishes, "issuer.update_document")
    world.finish()
    assert {world.status(each) for each in again} == {"confirmed"}
    assert effects(world, first) == ["ipfs://a", "ipfs://b", "ipfs://a"]


def test_what_expired_before_a_database_was_restored_may_be_on_the_chain(
    world: World, backups: Backups
) -> None:
    begun(world)
    expires = world.now() + timedelta(minutes=10)
    intent = world.submit("investor.set_verified", expires_at=expires, **verified(1))
    never = world.submit(
        "investor.set_verified",
        expires_at=expires,
        not_before=world.now() + timedelta(minutes=5),
        **verified(2),
    )
    backup = backups.take(world)
    world.round()
    world.mine(2)
    backups.restore(world, backup)
    world.time_passed = timedelta(hours=1)
    world.finish()
    assert world.status(intent) == "confirmed"
    assert world.status(never) == "expired"


def test_what_was_waiting_in_a_backup_and_came_about_stops_no_lane(world: World, backups: Backups) -> None:
    """Settled as already true, its transaction is no stranger's."""
    begun(world)
    wanted = company(world)
    operator = world.platform.at["operator"]
    role = world.platform.registry.functions.REGISTRAR_ROLE().call()
    owner = {"from": world.platform.at["owner"]}
    world.platform.registry.functions.revokeRole(role, operator).transact(owner)
    world.mine()
    intent = world.submit("issuer.register", **wanted)
    world.round()
    assert world.status(intent) == "waiting"
    backup = backups.take(world)
    world.platform.registry.functions.grantRole(role, operator).transact(owner)
    world.mine()
    world.round()
    assert world.status(intent) == "sent"
    world.mine(4)
    backups.restore(world, backup)
    world.round()
    assert world.status(intent) == "confirmed"
    assert blocked(world) is None
    after = world.submit("investor.set_verified", **verified(1))
    world.finish()
    assert world.status(after) == "confirmed"


def test_a_forgotten_transaction_takes_the_nonce_of_another_intent(world: World, backups: Backups) -> None:
    first = begun(world)
    backup = backups.take(world)
    (lost,) = ask(world, {"lost": verified(1)})
    world.round()
    raw = world.rpc("eth_getRawTransactionByHash", world.overview(lost)["hash"])
    world.rpc("anvil_dropAllTransactions")
    backups.restore(world, backup)
    other = world.submit("investor.set_verified", "other", priority=1, **verified(2))
    world.round()
    assert world.status(other) == "sent"
    world.rpc("anvil_dropAllTransactions")
    world.all("INSERT INTO intent.pauses (subject) VALUES ('*') RETURNING subject")
    (again,) = ask(world, {"lost": verified(1)})
    world.rpc("eth_sendRawTransaction", raw)  # another node had it
    world.mine(4)
    world.round()
    world.all("DELETE FROM intent.pauses RETURNING subject")
    world.finish()
    assert {world.status(each) for each in (again, other)} == {"confirmed"}
    assert effects(world, first) == [verified(1)["investor"], verified(2)["investor"]]
    assert blocked(world) is None


class Lagging(Endpoint):
    """A replica that is some blocks behind where it is asked for the newest nonce."""

    def _post(self, method: str, body: bytes, largest: int) -> tuple[int, bytes, float | None]:
        if method == "eth_getTransactionCount":
            body = body.replace(b'"latest"', b'"safe"').replace(b'"pending"', b'"safe"')
        return super()._post(method, body, largest)


def test_a_replica_that_lags_hides_no_nonce(world: World, backups: Backups) -> None:
    first = begun(world)
    backup = backups.take(world)
    wishes = {f"wish {number}": verified(number) for number in range(1, 4)}
    ask(world, wishes)
    world.round()
    world.mine()
    backups.restore(world, backup)
    world.index()
    world.node = Node(Lagging(world.url), world.decoder)
    later = world.submit("investor.set_verified", priority=1, **verified(9))
    again = ask(world, wishes)
    world.round()
    assert world.own_nonces() == []
    world.finish()
    assert {world.status(each) for each in (later, *again)} == {"confirmed"}
    assert len(effects(world, first)) == 4


def test_what_a_restored_database_prepares_is_settled_by_what_was_before(
    world: World, backups: Backups
) -> None:
    """A child whose parent ended badly, and whose effect came about before the database was restored."""
    begun(world)
    parent = world.submit("no.such_kind", "parent")
    world.round()
    backup = backups.take(world)
    wanted = company(world)
    world.submit("issuer.register", "lost", **wanted)
    world.round()
    world.mine(4)
    backups.restore(world, backup)
    child = world.submit("issuer.register", "child", depends_on="parent", **wanted)
    world.round()
    assert world.status(parent) == "rejected"
    assert world.status(child) == "confirmed"
    assert blocked(world) is None
