"""What must hold when a random life has come to rest: laws 2, 4 and 5, against the node's own chain."""

from collections import Counter, defaultdict
from typing import Any

from chainfirst.schema import folds
from chainfirst.tests.writers.life import Life
from chainfirst.tests.writers.wishes import Effect, Wish, effects
from chainfirst.writers import settle
from chainfirst.writers.kinds import Call
from chainfirst.writers.reverts import Revert
from psycopg import sql


class Verdict:
    """Reads the node's chain and the database once; each method asserts one thing."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.intents: list[dict[str, Any]] = [
            row
            for (row,) in life.all(
                "SELECT to_jsonb(o) || jsonb_build_object('call_to', i.call_to, 'once', i.once,"
                " 'call_data', encode(i.call_data, 'hex'), 'waiting_reason', i.waiting_reason)"
                " FROM intent.overview o JOIN intent.intents i USING (id) ORDER BY o.id"
            )
        ]
        self.effects = defaultdict[str, list[Effect]](list)
        self.by_hash = defaultdict[str, list[Effect]](list)
        marks = {wish.mark for wish in life.wishes.made.values()}
        for effect in effects(life.platform, life.first_block):
            if effect.mark in marks:
                self.effects[effect.mark].append(effect)
                self.by_hash[effect.tx_hash].append(effect)
        self.attempts = defaultdict[str, dict[str, tuple[str, bool]]](dict)
        for intent, found, purpose, own in life.all(
            "SELECT t.intent::text, a.hash, a.purpose, a.raw IS NOT NULL FROM intent.attempts a"
            " JOIN intent.transactions t ON t.id = a.transaction"
        ):
            self.attempts[intent][found] = (purpose, own)
        self.ours = life.lost | {
            found: intent["key"]
            for intent in self.intents
            for found, (purpose, own) in self.attempts[intent["id"]].items()
            if purpose == "call" and own
        }
        self.mined = self._mined()

    def assert_all(self) -> None:
        for intent in self.intents:
            self._check(intent)
        self.assert_at_most_one_effect_each()
        self.assert_nonces()
        self.assert_tables()
        self.assert_settlements()
        assert folds.verify_ledger(self.life.connection) == []
        self.life.assert_consistent()

    def summary(self) -> str:
        """How it went, in a line."""
        ends = Counter(intent["status"] for intent in self.intents)
        return f"{dict(ends)}, {len(self.mined)} transactions, {self.life.head()} blocks"

    # -- intents

    def _check(self, intent: dict[str, Any]) -> None:
        mark = self.life.wishes.made[intent["key"]].mark
        own = [
            effect
            for found in self.attempts[intent["id"]]
            for effect in self.by_hash[found]
            if effect.mark == mark
        ]
        assert len(own) <= 1, ("two effects", intent, own)
        match intent["status"]:
            case "confirmed":
                assert mark is not None
                settled = [each for each in self.effects[mark] if each.tx_hash == intent["settled_by"]]
                assert settled, ("confirmed without its event", intent, self.effects[mark])
                if not intent["already_true"]:
                    assert own, ("confirmed by another's event", intent)
                else:
                    assert intent["once"], ("a repeatable one confirmed from outside", intent)
            case "failed":
                assert not own, ("failed with its effect", intent, own)
                used = [self.mined[each] for each in self.attempts[intent["id"]] if each in self.mined]
                assert used, ("failed and not mined", intent)
                reverted = not any(ok for _, _, _, ok in used)
                assert reverted == intent["error"].startswith("reverted"), (intent, used)
            case "cancelled" | "expired" | "rejected":
                assert not own, (f"{intent['status']} with its effect", intent, own)
                self._check_undone(intent)
            case _:
                self._check_waits(intent)

    def _check_undone(self, intent: dict[str, Any]) -> None:
        """It ended without anything done, and says truly why."""
        mined = [
            purpose for found, (purpose, _) in self.attempts[intent["id"]].items() if found in self.mined
        ]
        error, marker = intent["error"] or "", " (reverted since block "
        if intent["status"] != "rejected":
            assert mined in ([], ["cancel"]), ("its call was mined", intent)
            asked = "cancel_requested_at" if intent["status"] == "cancelled" else "expires_at"
            assert intent[asked] is not None, intent
        elif not error.startswith("conflict"):
            assert not self.attempts[intent["id"]], ("signed and rejected", intent)
        if intent["status"] == "rejected" and marker in error:
            block = int(error.partition(marker)[2].partition(",")[0])
            found = self._call(intent, block)
            assert isinstance(found, Revert), ("rejected, and it would do", intent, found)

    def _check_waits(self, intent: dict[str, Any]) -> None:
        """It is still open: for a true reason."""
        parents = [each for each in self.intents if each["key"] == intent["depends_on"]]
        if parents and parents[-1]["status"] != "confirmed":
            if parents[-1]["ended_at"] is not None:
                assert intent["waits_for"].startswith("blocked by"), intent
            return
        assert intent["status"] == "waiting", intent
        found = self._call(intent, "latest")
        assert isinstance(found, Revert), ("waits, and it would do", intent, found)
        assert found.text == intent["waiting_reason"], (intent, found)

    def _call(self, intent: dict[str, Any], block: int | str) -> bytes | Revert:
        call = Call(intent["call_to"], bytes.fromhex(intent["call_data"]))
        return self.life.node.call(call, intent["signer"], block)

    # -- effects

    def assert_at_most_one_effect_each(self) -> None:
        """Whatever databases forgot: counted by the bytes that were ever stored. Alike wishes count together:
        which of them a transaction is for shows nowhere on the chain."""
        wishes = defaultdict[str | None, list[Wish]](list)
        for wish in self.life.wishes.made.values():
            wishes[wish.mark].append(wish)
        confirmed = {intent["key"] for intent in self.intents if intent["status"] == "confirmed"}
        for mark, found in self.effects.items():
            own = [each for each in found if each.tx_hash in self.ours]
            done = [wish for wish in wishes[mark] if wish.key in confirmed]
            if wishes[mark][0].repeatable:
                assert len(own) <= len(done), ("more effects than confirmed wishes", mark, own, done)
            else:
                assert len(found) == 1, ("a once kind, and two events", mark, found)
                assert done or not own, ("done and not confirmed", mark, own)

    # -- nonces

    def _mined(self) -> dict[str, tuple[str, int, int, bool]]:
        """The transactions of our keys in the chain: sender, nonce, block, ok."""
        life, found = self.life, {}
        senders = {life.platform.at[actor].lower() for actor in life.actors}
        for number in range(life.first_block, life.head() + 1):
            for each in life.rpc("eth_getBlockByNumber", hex(number), True)["transactions"]:
                if each["from"] in senders:
                    receipt = life.rpc("eth_getTransactionReceipt", each["hash"])
                    found[each["hash"]] = (
                        each["from"],
                        int(each["nonce"], 16),
                        number,
                        receipt["status"] == "0x1",
                    )
        return found

    def assert_nonces(self) -> None:
        """Each nonce that the chain saw is accounted for by what used it, and each that was taken is used."""
        rows = self.life.all(
            "SELECT t.signer, t.nonce, t.closed_block, coalesce(t.foreign_hash, n.hash),"
            " t.foreign_hash IS NOT NULL, n.block_number, n.ok"
            " FROM intent.transactions t LEFT JOIN (SELECT a.transaction, a.hash, n.*"
            " FROM intent.attempts a JOIN intent.inclusions n ON n.attempt = a.id) n ON n.transaction = t.id"
            " WHERE t.foreign_hash IS NOT NULL OR n.attempt IS NOT NULL ORDER BY t.foreign_hash IS NULL"
        )
        held: dict[tuple[str, int], list[Any]] = {}
        for signer, nonce, *row in rows:  # one that lost it first, then the one whose call that was
            before = held.get((signer, nonce))
            assert before is None or (before[2] and not row[2] and before[1] == row[1]), rows
            held[signer, nonce] = row
        taken = set(self.life.all("SELECT signer, nonce FROM intent.transactions"))
        assert set(held) == taken, ("taken and not used", taken - set(held))
        for found, (sender, nonce, block, ok) in self.mined.items():
            if (sender, nonce) not in held:
                raise AssertionError(("not accounted for", sender, nonce, found))
            closed, by, foreign, included, was_ok = held.pop((sender, nonce))
            assert (closed, by) == (block, found), (sender, nonce, found, block, closed, by)
            if not foreign:
                assert (included, was_ok) == (block, ok)
        assert not held, ("used by nothing", held)

    # -- tables

    def assert_tables(self) -> None:
        """Each log of the node's chain is in a table, and nothing else is."""
        life = self.life
        logs = life.rpc("eth_getLogs", {"fromBlock": hex(life.first_block), "toBlock": "latest"})
        tables = [
            name
            for (name,) in life.all(
                "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'event'"
                " AND table_type = 'BASE TABLE'"
            )
        ]
        parts = [
            sql.SQL("SELECT tx_hash, log_index, block_number FROM event.{} WHERE block_number >= {}").format(
                sql.Identifier(name), life.first_block
            )
            for name in tables
        ]
        rows = life.app.execute(sql.SQL(" UNION ALL ").join(parts)).fetchall()
        wanted = [
            (log["transactionHash"], int(log["logIndex"], 16), int(log["blockNumber"], 16)) for log in logs
        ]
        assert sorted(rows) == sorted(wanted)

    def assert_settlements(self) -> None:
        """They are what settling everything at once would give."""
        life = self.life
        columns = "intent::text, block_number, tx_index, log_index, tx_hash, outside, conflict"
        held = f"SELECT {columns} FROM intent.settlements"
        before = {row[0]: row for row in life.all(held)}
        cursor = life.one("SELECT indexed_number FROM chain.cursor")
        tables = [name for (name,) in life.all("SELECT DISTINCT event_table FROM intent.intents") if name]
        outcomes = {intent["id"]: intent["status"] for intent in self.intents}
        with life.app.transaction(force_rollback=True):
            life.app.execute("SET LOCAL session_replication_role = replica")  # no guards
            life.app.execute("DELETE FROM intent.settlements")
            life.app.execute("UPDATE intent.intents SET outcome = NULL, ended_at = NULL, ended_block = NULL")
            settle._settle(life.app, tables, 0, cursor)
            after = {row[0]: row for row in life.all(held)}
        for intent in {*before, *after}:
            if intent not in before and outcomes[intent] in ("cancelled", "expired", "rejected", "failed"):
                continue  # it ended, and somebody else did it later
            assert before.get(intent) == after.get(intent), (intent, outcomes[intent])
