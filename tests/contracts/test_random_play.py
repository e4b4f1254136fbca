"""Any sequence of calls on one campaign, against a model that knows who owns what."""

import os
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

DAY = 86_400
GOAL, MINIMUM, MAXIMUM, THRESHOLD, FEE = 10_000, 100, 6_000, 7_500, 250
ACTIVE, SUCCESSFUL, FAILED, CANCELLED = range(4)
INVESTORS = ("alice", "bob", "eve")  # eve is not verified at first: her money comes by bank
WALLETS = ("issuer", "registrar", "operator")  # the company's, one after the other
AMOUNTS = st.one_of(st.sampled_from([0, 1, 99, 100, 6_000, 6_001, 10_000]), st.integers(1, 12_000))


def machine(rolled_back: Callable[[], Any]) -> type[RuleBasedStateMachine]:
    """The state machine, playing on the session's platform."""

    class Play(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.undo = rolled_back()
            self.platform = self.undo.__enter__()
            self.campaign = self.platform.campaign(
                fundingGoal=GOAL, minInvestment=MINIMUM, maxInvestment=MAXIMUM
            )
            self.deadline, self.until = self.campaign.functions.setup().call()[4:]
            self.put: dict[str, int] = defaultdict(int)
            self.start = {
                name: self.platform.balance(name)
                for name in (*INVESTORS, *WALLETS, "fees", "treasury", "owner")
            }
            self.refunded: set[str] = set()
            self.used: list[tuple[bytes, bytes]] = []
            self.recorded: dict[str, int] = defaultdict(int)
            self.status, self.paused, self.released, self.fee_paid = ACTIVE, False, False, False
            self.swept = self.gifts = 0
            self.verified, self.wallet, self.paid = {"alice", "bob"}, "issuer", ""

        def teardown(self) -> None:
            self.undo.__exit__(None, None, None)

        @property
        def raised(self) -> int:
            return sum(self.put.values())

        @property
        def fee(self) -> int:
            return self.raised * FEE // 10_000

        def now(self) -> int:
            return int(self.platform.web3.eth.get_block("latest")["timestamp"])

        def attempt(self, actor: str, call: Any, allowed: bool) -> bool:
            """The call works exactly when the model says so."""
            reason = self.platform.reason(actor, call)
            assert (reason is None) == allowed, (actor, call.fn_name, reason, allowed)
            if allowed:
                self.platform.send(actor, call)
            return allowed

        def accepted(self, name: str, amount: int, until: int) -> int:
            """What an investment of this amount would count; 0: refused."""
            missing = GOAL - self.raised
            part = min(amount, missing)
            if self.status != ACTIVE or self.paused or self.now() > until or part == 0:
                return 0
            if (part < MINIMUM and part != missing) or self.put[name] + part > MAXIMUM:
                return 0
            return part

        @rule(name=st.sampled_from(INVESTORS), amount=AMOUNTS)
        def invest(self, name: str, amount: int) -> None:
            part = self.accepted(name, amount, self.deadline) if name in self.verified else 0
            call = self.campaign.functions.invest(self.platform.new_id(), amount)
            if self.attempt(name, call, part > 0):
                self.put[name] += part

        @rule(actor=st.sampled_from(["operator", "operator", "operator", "eve"]),
              name=st.sampled_from(INVESTORS), amount=AMOUNTS)  # fmt: skip
        def record(self, actor: str, name: str, amount: int) -> None:
            part = self.accepted(name, amount, self.until) if actor == "operator" else 0
            used = self.platform.new_id(), self.platform.new_id()
            call = self.platform.record(self.campaign, name, amount, id=used[0], reference=used[1])
            if self.attempt(actor, call, part > 0):
                self.put[name] += part
                self.recorded[name] += part
                self.used.append(used)

        @precondition(lambda self: self.used)
        @rule(data=st.data(), same_id=st.booleans())
        def record_again(self, data: st.DataObject, same_id: bool) -> None:
            old_id, old_reference = data.draw(st.sampled_from(self.used))
            change = {"id": old_id} if same_id else {"reference": old_reference}
            self.attempt("operator", self.platform.record(self.campaign, "bob", 100, **change), False)

        @rule(days=st.sampled_from([1, 10, 29, 36]))
        def wait(self, days: int) -> None:
            self.platform.pass_time(days * (DAY + 3_607))  # never within seconds of a limit

        @rule()
        def finalize(self) -> None:
            over = self.raised == GOAL or self.now() > self.until
            if self.attempt("eve", self.campaign.functions.finalize(), self.status == ACTIVE and over):
                self.status = SUCCESSFUL if self.raised * 10_000 >= GOAL * THRESHOLD else FAILED

        @rule(actor=st.sampled_from(["owner", "operator", "alice", "eve"]))
        def cancel(self, actor: str) -> None:
            call = self.campaign.functions.cancel("played")
            if self.attempt(actor, call, actor == "owner" and self.status == ACTIVE):
                self.status = CANCELLED

        @rule(actor=st.sampled_from(["owner", "owner", "operator"]))
        def pause_or_unpause(self, actor: str) -> None:
            call = self.campaign.functions["unpause" if self.paused else "pause"]()
            if self.attempt(actor, call, actor == "owner"):
                self.paused = not self.paused

        @rule(name=st.sampled_from(INVESTORS), verified=st.booleans())
        def verify(self, name: str, verified: bool) -> None:
            call = self.platform.registry.functions.setInvestor(self.platform.at[name], verified)
            self.platform.send("registrar", call)
            self.verified = self.verified | {name} if verified else self.verified - {name}

        @rule(to=st.sampled_from(WALLETS))
        def replace_wallet(self, to: str) -> None:
            replace = self.platform.registry.functions.replaceIssuer
            call = replace(self.platform.company, self.platform.at[to])
            if self.attempt("registrar", call, to != self.wallet):
                self.wallet = to

        @rule(fee=st.sampled_from([0, 1_000]))
        def change_what_is_fixed(self, fee: int) -> None:
            settings = self.platform.factory.functions
            self.platform.send("owner", settings.setFee(fee))
            self.platform.send("owner", settings.setFeeRecipient(self.platform.at["owner"]))

        @rule()
        def release(self) -> None:
            allowed = self.status == SUCCESSFUL and not self.released
            if self.attempt("eve", self.campaign.functions.releaseFunds(), allowed):
                self.released, self.paid = True, self.wallet

        @rule()
        def withdraw_fee(self) -> None:
            allowed = self.released and not self.fee_paid and self.fee > 0
            self.fee_paid |= self.attempt("eve", self.campaign.functions.withdrawFee(), allowed)

        @rule(name=st.sampled_from(INVESTORS))
        def refund(self, name: str) -> None:
            ended = self.status in (FAILED, CANCELLED)
            allowed = ended and self.put[name] > 0 and name not in self.refunded
            if self.attempt("eve", self.campaign.functions.refund(self.platform.at[name]), allowed):
                self.refunded.add(name)

        @rule(amount=st.integers(1, 1_000))
        def give(self, amount: int) -> None:
            give = self.platform.token.functions.transfer(self.campaign.address, amount)
            self.platform.send(
                "minter", self.platform.token.functions.mint(self.platform.at["minter"], amount)
            )
            self.platform.send("minter", give)
            self.gifts += amount

        @rule()
        def sweep(self) -> None:
            if self.attempt("eve", self.campaign.functions.sweep(), self.gifts > self.swept):
                self.swept = self.gifts

        @invariant()
        def books_are_right(self) -> None:
            views = self.campaign.functions
            released = (self.raised - self.fee if self.released else 0) + (self.fee if self.fee_paid else 0)
            refunded = sum(self.put[name] for name in self.refunded)
            escrow = views.escrowBalance().call()
            assert views.raised().call() == self.raised <= GOAL
            assert escrow == self.raised - released - refunded
            held = self.platform.balance(self.campaign.address)
            assert held == escrow + self.gifts - self.swept
            assert views.status().call() == self.status

        @invariant()
        def nobody_has_more_than_is_theirs(self) -> None:
            gained = {name: self.platform.balance(name) - was for name, was in self.start.items()}
            for name in INVESTORS:
                paid = self.put[name] - self.recorded[name]
                assert gained[name] == (self.recorded[name] if name in self.refunded else -paid)
            for name in WALLETS:
                assert gained[name] == (self.raised - self.fee if name == self.paid else 0)
            assert gained["owner"] == 0
            assert gained["fees"] == (self.fee if self.fee_paid else 0)
            assert gained["treasury"] == self.swept - sum(self.recorded.values())

    return Play


def play(rolled_back: Callable[[], Any], games: int, steps: int, phases: tuple[Phase, ...]) -> None:
    run_state_machine_as_test(
        machine(rolled_back),
        settings=settings(
            max_examples=games,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_sequence_of_calls_breaks_the_books(rolled_back: Callable[[], Any]) -> None:
    play(rolled_back, games=4, steps=15, phases=(Phase.generate,))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_no_long_sequence_of_calls_breaks_the_books(rolled_back: Callable[[], Any]) -> None:
    games = int(os.environ.get("CONTRACT_GAMES", "300"))
    play(rolled_back, games=games, steps=60, phases=(Phase.generate, Phase.shrink))
