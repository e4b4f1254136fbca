"""Random lives of rows: however they change, whatever blocks do, the chain ends up saying what the rows say.

A seed is the test's parameter: replay one with -k.
"""

import contextlib
import random
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.ops.errors import TransientError
from chainfirst.tests.platform import workflow_play
from chainfirst.tests.platform.workflow_play import Play
from chainfirst.tests.platform.workflow_rows import Rows, new_wallet, on_chain
from chainfirst.writers.node import Node
from psycopg import errors

STEPS = 60


@pytest.fixture(scope="module")
def play(pg_cluster: Cluster, server_base: Path) -> Iterator[Play]:
    with workflow_play.begin(pg_cluster, server_base / "workflow_random") as made:
        yield made


class Life:
    """Two investors, two companies and their campaigns, and all wallets that they ever had."""

    def __init__(self, play: Play, dice: random.Random) -> None:
        self.play, self.rows, self.dice = play, play.rows, dice
        self.users = [self.rows.investor() for _ in range(2)]
        self.companies = [self.rows.company() for _ in range(2)]
        self.campaigns: list[uuid.UUID] = []
        self.bought: list[uuid.UUID] = []
        self.left: set[str] = set()

    def live(self, steps: int) -> None:
        for _ in range(steps):
            for _ in range(self.dice.randint(0, 2)):
                self._work()
            self._change()

    def _work(self) -> None:
        world = self.play.world
        match self.dice.choice(["mine", "mine", "round", "round", "index", "reorganise"]):
            case "mine":
                world.mine()
            case "round":
                world.round()
            case "index":
                world.index()
            case _:
                world.index()
                world.rpc("anvil_reorg", 1, [])

    def _change(self) -> None:
        """One or some steps in a transaction, of which one in eight is rolled back."""
        rolled_back = self.dice.random() < 0.125
        # a rule, or what is under way, may refuse it
        with contextlib.suppress(errors.CheckViolation, errors.ObjectInUse, errors.InvalidParameterValue):
            with self.rows.app.transaction() as transaction:
                left, campaigns, bought = set(self.left), list(self.campaigns), list(self.bought)
                for _ in range(self.dice.randint(1, 2)):
                    self._step()
                if rolled_back:
                    raise psycopg.Rollback(transaction)
            if not rolled_back:
                return
        self.left, self.campaigns, self.bought = left, campaigns, bought

    def _step(self) -> None:
        rows, dice = self.rows, self.dice
        user, company = dice.choice(self.users), dice.choice(self.companies)
        match dice.choices(
            ["kyc", "active", "user wallet", "verified", "document", "company wallet", "campaign", "call off",
             "invest", "again", "squat"], [4, 1, 3, 3, 4, 2, 3, 1, 4, 2, 1],
        )[0]:  # fmt: skip
            case "kyc" if self._value("users", user, "kyc_status") == "verified":
                rows.set("users", user, kyc_status=dice.choice(["expired", "rejected"]))
            case "kyc":
                rows.know(user)
            case "active":
                rows.set("users", user, active=not self._value("users", user, "active"))
            case "user wallet":
                self._move("user", user)
            case "verified":
                verified = self._value("companies", company, "verified")
                rows.set("companies", company, verified=not verified)
            case "document":
                rows.set("companies", company, document_uri=f"https://example.test/{dice.randint(0, 2)}")
            case "company wallet":
                self._move("company", company)
            case "campaign":
                self.campaigns.append(rows.campaign(company, goal=100_000))
            case "call off" if self.campaigns:
                rows.call_off(dice.choice(self.campaigns))
            case "invest" if self.campaigns:
                bought = rows.investment(dice.choice(self.campaigns), user, amount=dice.randint(100, 200))
                rows.pay(bought)
                self.bought.append(bought)
            case "again":
                subject, row = dice.choice([("user", user), ("company", company)])
                rows.again(subject, row)
            case "squat":
                self._squat(company)

    def _squat(self, company: uuid.UUID) -> None:
        """Somebody else registers the company's wallet, which is refused if it is registered already."""
        world = self.play.world
        wallet = world.platform.web3.to_checksum_address(self._value("companies", company, "wallet"))
        call = world.platform.registry.functions.registerIssuer(
            self.dice.randbytes(32), wallet, bytes(32), "x:y"
        )
        call.transact({"from": world.platform.at["registrar"], "gas": 500_000})

    def _move(self, subject: str, row: uuid.UUID) -> None:
        table = {"user": "users", "company": "companies"}[subject]
        former = [wallet for wallet in self.left if not self._taken(wallet)]
        wallet = self.dice.choice(former) if former and self.dice.random() < 0.5 else new_wallet()
        self.left.add(self._value(table, row, "wallet"))
        self.rows.change_wallet(subject, row, wallet)

    def _taken(self, wallet: str) -> bool:
        found = self.rows.app.execute(
            "SELECT FROM platform.users WHERE wallet = %(w)s UNION ALL"
            " SELECT FROM platform.companies WHERE wallet = %(w)s", {"w": wallet},
        )  # fmt: skip
        return found.fetchone() is not None

    def _value(self, table: str, row: uuid.UUID, column: str) -> Any:
        return self.play.world.one(f"SELECT {column} FROM platform.{table} WHERE id = %s", row)

    def settle(self) -> None:
        """What ended badly is mended and asked for again, until nothing is wanted any more."""
        for _ in range(4):
            self.play.finish()
            for company in self.companies:
                wallet = self.rows.wallet_refused(company)
                if wallet:
                    self.left.add(wallet)
                    self.rows.change_wallet("company", company, new_wallet())
            for subject, rows in (("user", self.users), ("company", self.companies),
                                  ("campaign", self.campaigns), ("investment", self.bought)):  # fmt: skip
                for row in rows:
                    with contextlib.suppress(errors.InvalidParameterValue, errors.CheckViolation):
                        self.rows.again(subject, row)

    def check(self) -> None:
        """The chain says what the rows say."""
        play, world = self.play, self.play.world
        for user in self.users:
            wallet, wanted = world.all(
                "SELECT wallet, active AND kyc_status = 'verified' FROM platform.users WHERE id = %s", user
            )[0]
            assert play.verified(wallet) == wanted, (user, wallet)
        for wallet in self.left:
            held = world.one(
                "SELECT EXISTS (SELECT FROM platform.users u WHERE wallet = %s AND platform.may_invest(u))",
                wallet,
            )
            assert play.verified(wallet) == held, wallet
        for company in self.companies:
            wallet, uri, verified = world.all(
                "SELECT wallet, document_uri, verified FROM platform.companies WHERE id = %s", company
            )[0]
            found = play.wallet(company)
            if int(found, 16) == 0:
                assert not verified
                continue
            assert found == wallet
            active, document = play.entry(company)
            assert active == verified
            assert document == uri or not verified
        for campaign in self.campaigns:
            self._check_campaign(campaign)
        amounts = dict(world.all("SELECT investment_id, amount FROM ledger.investments"))
        for bought in self.bought:
            amount = world.one(
                "SELECT (amount * 100)::bigint FROM platform.investments WHERE id = %s", bought
            )
            confirmed = play.outcomes(bought)["record"] == "confirmed"
            assert amounts.get(on_chain(bought)) == (amount if confirmed else None)

    def _check_campaign(self, campaign: uuid.UUID) -> None:
        found = dict(
            self.play.world.all(
                "SELECT status, issuer FROM ledger.campaigns WHERE campaign_id = %s", on_chain(campaign)
            )
        )
        called_off = self._value("campaigns", campaign, "cancelled_at") is not None
        outcomes = self.play.outcomes(campaign)
        assert (outcomes["create"] == "confirmed") == bool(found)
        if called_off:
            assert list(found) in ([], ["cancelled"])
        elif found:
            assert list(found) == ["active"]


def play_it(play: Play, seed: int) -> None:
    print(f"seed {seed}")
    life = Life(play, random.Random(seed))
    life.live(STEPS)
    life.settle()
    life.check()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_chain_ends_up_saying_what_the_rows_say(play: Play, seed: int) -> None:
    play_it(play, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 250))
def test_random_rows_for_long(play: Play, seed: int) -> None:
    play_it(play, seed)


def test_apps_indexer_and_lane_at_once_wait_for_each_other_in_no_circle(play: Play) -> None:
    """Rows change, several in a transaction, in any order, while what they asked is signed and settled."""
    world, dice = play.world, random.Random(7)
    life = Life(play, dice)
    users, companies = [*life.users, play.rows.investor()], life.companies
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    begun, enough = world.one(deadlocks), threading.Event()

    def sign() -> None:
        with psycopg.connect(world.database, autocommit=True) as connection:
            connection.execute("SET ROLE chainfirst_daemon")
            lane, node = (
                world.new_lane("operator", connection=connection),
                Node(Endpoint(world.url), world.decoder),
            )
            while not enough.is_set():
                with contextlib.suppress(TransientError):
                    lane.step(node)

    def write() -> int:
        done = 0
        with psycopg.connect(play.url) as app:
            rows = Rows(app)
            while not enough.is_set():
                for row in dice.sample([*users, *companies], 3):
                    if row in companies:
                        flip = "UPDATE platform.companies SET verified = NOT verified WHERE id = %s"
                    else:
                        flip = "UPDATE platform.users SET active = NOT active WHERE id = %s"
                    app.execute(flip.encode(), [row])
                    rows.set("companies", companies[0], document_uri=f"https://example.test/{done}")
                app.commit()
                done += 1
        return done

    with ThreadPoolExecutor(2) as pool:
        signing, writing = pool.submit(sign), pool.submit(write)
        try:
            for _ in range(25):
                world.mine()
                world.index()
        finally:
            enough.set()
        signing.result()
        assert writing.result() > 0
    world.app.execute("SELECT pg_stat_clear_snapshot()")
    assert world.one(deadlocks) == begun
    life.users = users
    life.settle()
    life.check()
