"""A random life of intents: whatever happens to node, database and daemon between two steps of the lanes."""

import contextlib
import functools
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
from chainfirst.indexer.rpc.client import Client
from chainfirst.ops import failpoint
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.ops.errors import ResetError, TransientError
from chainfirst.schema.store import LeadershipLost
from chainfirst.tests.contracts.conftest import Platform
from chainfirst.tests.writers.backups import Backups
from chainfirst.tests.writers.line import Line
from chainfirst.tests.writers.trouble import GWEI, Trouble
from chainfirst.tests.writers.wishes import Wish, Wishes
from chainfirst.tests.writers.world import World
from chainfirst.writers import operate
from chainfirst.writers.lane import Lane
from chainfirst.writers.node import Node
from psycopg import sql

OWN_LANE = ("investor.set_verified", "issuer.set_active")  # the registrar's, where there are two lanes
POINTS = tuple(failpoint.POINTS)
# between the lane's transactions, where others may get in between
OPEN_POINTS = tuple(
    name for name in POINTS if not name.endswith(".written") and not name.startswith(("settle.", "batch."))
)
INTENT_TABLES = ("intents", "transactions", "attempts", "inclusions", "settlements", "lanes", "history")


class Crash(BaseException):
    """The daemon dies here."""


class Life(World):
    """`trace` says what happened. The clock goes on a second a step: a seed is the same life again."""

    def __init__(
        self, cluster: Cluster, database: str, platform: Platform, url: str, dice: random.Random
    ) -> None:
        self._dice, self._backups = dice, Backups(cluster)
        self._line = Line(url, dice)
        self._hook: tuple[str, int, str] | None = None
        self._final = -1  # of all that any of the databases believed to be final
        self._taken: list[str] = []
        self.trace: list[str] = []
        self.began = datetime.now().astimezone()
        self.wishes = Wishes(dice, platform)
        self.lost: dict[str, str] = {}  # attempts that a restored database doesn't know: hash -> key
        self.actors = ["operator", "registrar"] if dice.random() < 0.5 else ["operator"]
        super().__init__(database, platform, url, dice.choice([1, 2, 3, 5]))
        self._trouble = trouble = Trouble(self, dice, self.actors, self._may_go, self._note)
        self.first_block = self.head() + 1  # no reorganisation goes that deep
        self.mine(8)
        self.round()  # the lanes begin before anything is wished
        self._happenings: dict[Callable[[], None], float] = {
            self._submit: 14, self._cancel: 2.5, self._retry: 2.5, self._let_time_pass: 2,
            self._bear_round: 16, self._bear_lanes: 6, self._bear_indexer: 4,
            self._restart: 1, self._meet_old_lane: 0.7, self._interrupt: 6, self._change_line: 2,
            self._accept: 1, self._pause: 0.7, self.resume: 2, self._take_backup: 1.5, self._restore: 1.5,
            trouble.mine: 10, trouble.let_days_pass: 0.5, trouble.drop_one: 1, trouble.drop_all: 1,
            trouble.reorganise: 6, trouble.roll_back: 1.5, trouble.raise_base_fee: 1.5, trouble.impoverish: 1,
            trouble.enrich: 2, trouble.use_our_key: 2, trouble.register_outside: 1.2,
            trouble.move_treasury: 0.7,
        }  # fmt: skip

    def start(self) -> None:
        super().start()
        self.indexer.use(Client(self._line))
        self.node = Node(self._line, self.decoder)
        own = OWN_LANE if len(self.actors) > 1 else ()
        self.lane = self.new_lane("operator", own)
        self.lanes: list[Lane] = [self.lane]
        if own:
            self.lanes.append(self.new_lane("registrar", own, default=False))

    def close(self) -> None:
        super().close()
        self._backups.close()

    def now(self) -> datetime:
        return self.began + self.time_passed

    def round(self) -> None:
        self.index()
        for lane in self.lanes:
            for _ in range(50):
                if not lane.step(self.node):
                    break
            else:
                raise AssertionError("the lane never rests")

    def live(self, steps: int) -> None:
        """So many happenings, after the first wishes."""
        for _ in range(3):
            self._submit()
        with self._watched():
            for _ in range(steps):
                what = self._dice.choices(list(self._happenings), list(self._happenings.values()))[0]
                self.trace.append(what.__name__)
                self.time_passed += timedelta(seconds=1)
                what()

    def settle(self, most: int = 80) -> None:
        """Let everything come to its end: an honest line, funds, low fees, nothing paused, all accepted."""
        self.trace.append("settle")
        self._line.bad, self._hook = False, None
        seen: list[Any] = []
        still = 8 + self.depth
        for _ in range(most):
            self.time_passed += timedelta(seconds=10)
            self._trouble.enrich()
            self._trouble.fill_treasury()
            self.resume()
            self.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
            self._bear_round()
            self._accept()
            self.mine()
            seen.append(
                self.all(
                    "SELECT o.id, o.status, o.error, t.nonce, t.closed_block FROM intent.overview o"
                    " LEFT JOIN intent.transactions t ON t.intent = o.id ORDER BY 1, 4"
                )
            )
            if len(seen) > still and all(each == seen[-1] for each in seen[-still:]):
                break
        else:
            raise AssertionError("it never comes to rest")
        self.round()

    def resume(self) -> None:
        for pause in operate.pauses(self.app):
            operate.resume(self.app, pause["subject"])

    # -- the daemon

    def _bear(self, work: Callable[[], object]) -> None:
        """As the daemon's loop: transient errors pass, with the others it begins anew."""
        try:
            work()
        except TransientError as error:
            self._note(error.message[:150])
        except (ResetError, LeadershipLost, Crash) as error:
            self._note(f"{type(error).__name__} {error}"[:150])
            self.start()

    def _bear_round(self) -> None:
        self._bear(self.round)

    def _bear_lanes(self) -> None:
        for lane in list(self.lanes):
            if lane in self.lanes:  # no other one has taken its place
                self._bear(functools.partial(lane.step, self.node))

    def _bear_indexer(self) -> None:
        self._bear(self.indexer.step)

    def _restart(self) -> None:
        self.start()

    def _meet_old_lane(self) -> None:
        """A daemon that hasn't noticed yet that another one leads writes nothing."""
        before = self._intents()
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute("SET ROLE chainfirst_daemon")
            (held, epoch), self.connection, self.epoch = (
                (self.connection, self.epoch),
                connection,
                self.epoch - 1,
            )
            try:
                old = self.new_lane("operator")
            finally:
                self.connection, self.epoch = held, epoch
            try:
                old.step(self.node)
            except (LeadershipLost, TransientError):
                pass
            else:
                raise AssertionError("it went on")
        assert self._intents() == before

    def _intents(self) -> list[Any]:
        every = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM {} t"
        tables = [sql.Identifier("intent", table) for table in INTENT_TABLES]
        return [self.app.execute(sql.SQL(every).format(table)).fetchone() for table in tables]

    def _interrupt(self) -> None:
        """Something shall happen in the middle of a step."""
        if self._dice.random() < 0.5:
            point, action = self._dice.choice(POINTS), "crash"
        else:
            point = self._dice.choice(OPEN_POINTS)
            action = self._dice.choice(["usurp", "mine", "cancel", "index", "reorganise", "drop"])
        self._hook = (point, self._dice.randint(1, 2), action)
        self._note(f"{self._hook}")

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        real, failpoint.reach = failpoint.reach, self._reach
        try:
            yield
        finally:
            failpoint.reach = real

    def _reach(self, name: str) -> None:
        if self._hook is None or self._hook[0] != name:
            return
        point, left, action = self._hook
        self._hook = (point, left - 1, action) if left > 1 else None
        if left > 1:
            return
        self._note(f"at {name}: {action}")
        match action:
            case "crash":
                raise Crash
            case "usurp":
                self.app.execute("UPDATE chain.leader SET epoch = epoch + 1")
            case "mine":
                self.mine()
            case "cancel":
                self._cancel()
            case "reorganise":
                self._trouble.reorganise()
            case "drop":
                self._trouble.drop_all()
            case _:
                self.index()

    def _change_line(self) -> None:
        self._line.bad = not self._line.bad
        self._note("bad" if self._line.bad else "good")

    # -- apps and operators

    def _submit(self) -> None:
        for _ in range(self._dice.randint(1, 4)):
            self._ask(self.wishes.draw(self.now()))

    def _ask(self, wish: Wish) -> None:
        self._note(f"{wish.key}: {wish.kind} {wish.mark} {wish.options}")
        self.submit(wish.kind, wish.key, **wish.payload, **wish.options)

    def _cancel(self) -> None:
        found = self.all("SELECT id, key FROM intent.intents WHERE outcome IS NULL ORDER BY id")
        if found and self._is_sure():
            intent, key = self._dice.choice(found)
            self._note(key)
            self.app.execute("SELECT intent.cancel(%s)", [intent])

    def _retry(self) -> None:
        found = self.all(
            "SELECT DISTINCT ON (key) id, key, outcome FROM intent.intents ORDER BY key, generation DESC"
        )
        # what a lost generation did nobody knows: an app would look first
        lost = set(self.lost.values())
        ended = [(i, key) for i, key, end in found if end not in (None, "confirmed") and key not in lost]
        if ended:
            intent, key = self._dice.choice(ended)
            self._note(key)
            self.app.execute("SELECT intent.retry(%s)", [intent])

    def _let_time_pass(self) -> None:
        self.time_passed += timedelta(seconds=self._dice.choice([5, 30, 90]))

    def _accept(self) -> None:
        for actor in self.actors:
            shown = operate.state(self.app, self.platform.at[actor].lower())
            if shown is not None and shown.reason is not None:
                self._note(f"{actor}: {shown.reason[:150]}")
                with contextlib.suppress(TransientError):
                    operate.accept(self.app, shown, "somebody")

    def _pause(self) -> None:
        subjects = [self.platform.at["operator"].lower(), "*", "investor.*", "campaign.create"]
        operate.pause(self.app, self._dice.choice(subjects), "", "somebody")

    def _take_backup(self) -> None:
        self._taken.append(self._backups.take(self))

    def _restore(self) -> None:
        """From one of the backups; apps are restored with it, and ask again for what isn't there."""
        if not self._taken:
            return
        self._may_go()
        sent = self.all(
            "SELECT a.hash, i.key FROM intent.attempts a JOIN intent.transactions t ON t.id = a.transaction"
            " JOIN intent.intents i ON i.id = t.intent WHERE a.purpose = 'call' AND a.raw IS NOT NULL"
        )
        self.lost |= dict(sent)
        place = self._dice.randrange(len(self._taken))
        self._backups.restore(self, self._taken[place])
        known = {key for (key,) in self.all("SELECT key FROM intent.intents")}
        again = [wish for wish in self.wishes.made.values() if wish.key not in known]
        self._note(f"backup {place}; asked again: {len(again)}")
        for wish in again:
            self._ask(wish)

    def _is_sure(self) -> bool:
        """Whether the database knows all that was ever sent. Until then what it takes for unsigned may be on
        the chain, and nobody should take it back."""
        for actor in self.actors:
            known = self.all(
                "SELECT greatest(l.explained_to, max(t.nonce) + 1) FROM intent.lanes l"
                " LEFT JOIN intent.transactions t ON t.signer = l.signer"
                " WHERE l.signer = %s AND l.blocked_hash IS NULL GROUP BY l.signer",
                self.platform.at[actor].lower(),
            )
            if not known or known[0][0] is None or known[0][0] < self.nonce(actor, "pending"):
                return False
        return True

    def _may_go(self) -> int:
        """How many blocks no database has believed to be final."""
        found = self.one("SELECT final_number FROM chain.cursor")
        self._final = max(self._final, -1 if found is None else found)
        return self.head() - self._final

    def _note(self, what: str) -> None:
        self.trace.append(f"  {what}")
