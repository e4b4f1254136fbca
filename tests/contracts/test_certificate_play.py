"""Any sequence of mints, moves and revocations, against a model that counts the votes."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

UNIT = 100_000
HASH = b"\x33" * 32
AMOUNTS = (("alice", 99_999), ("alice", 100_000), ("bob", 100_001), ("bob", 250_000), ("alice", 550_000))
OWNERS = st.sampled_from(["alice", "bob", "eve", "owner"])
NUMBERS = st.integers(0, len(AMOUNTS) - 1)


@dataclass
class Held:
    """A minted certificate as it should be."""

    owner: str
    weight: int
    moves: int = 0
    revoked: bool = False


def machine(rolled_back: Callable[[], Any]) -> type[RuleBasedStateMachine]:
    """The state machine, playing on the session's platform."""

    class Play(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.undo = rolled_back()
            self.platform = self.undo.__enter__()
            self.views = self.platform.certificate.functions
            goal = sum(amount for _, amount in AMOUNTS)
            self.campaign = self.platform.campaign(fundingGoal=goal)
            self.ids = [self.platform.invest(self.campaign, name, amount) for name, amount in AMOUNTS]
            self.platform.send("eve", self.campaign.functions.finalize())
            self.held: dict[int, Held] = {}  # by the investment's position
            self.tokens: dict[int, int] = {}

        def teardown(self) -> None:
            self.undo.__exit__(None, None, None)

        def attempt(self, actor: str, call: Any, allowed: bool) -> bool:
            """The call works exactly when the model says so."""
            reason = self.platform.reason(actor, call)
            assert (reason is None) == allowed, (actor, call.fn_name, reason, allowed)
            if allowed:
                self.platform.send(actor, call)
            return allowed

        def minted(self, position: int) -> None:
            name, amount = AMOUNTS[position]
            self.held[position] = Held(name, amount // UNIT)
            self.tokens[position] = len(self.tokens) + 1

        def wanted(self, position: int) -> tuple[Any, ...]:
            name = AMOUNTS[position][0]
            return self.platform.at[name], self.ids[position], self.campaign.address, HASH

        @rule(position=NUMBERS)
        def mint(self, position: int) -> None:
            if self.attempt("minter", self.views.mint(*self.wanted(position)), position not in self.held):
                self.minted(position)

        @rule(positions=st.lists(NUMBERS, max_size=6))
        def mint_batch(self, positions: list[int]) -> None:
            self.attempt("minter", self.views.mintBatch([self.wanted(one) for one in positions]), True)
            for position in positions:
                if position not in self.held:
                    self.minted(position)

        @rule(position=NUMBERS, actor=OWNERS, to=OWNERS)
        def transfer(self, position: int, actor: str, to: str) -> None:
            held = self.held.get(position)
            sender = held.owner if held else "alice"
            at, number = self.platform.at, self.tokens.get(position, 99)
            allowed = held is not None and not held.revoked and actor == held.owner
            if self.attempt(actor, self.views.transferFrom(at[sender], at[to], number), allowed) and held:
                held.owner, held.moves = to, held.moves + 1

        @rule(position=NUMBERS, to=OWNERS)
        def registrar_transfer(self, position: int, to: str) -> None:
            held = self.held.get(position)
            call = self.views.registrarTransfer(self.tokens.get(position, 99), self.platform.at[to], "played")
            if self.attempt("registrar", call, held is not None and not held.revoked) and held:
                held.owner, held.moves = to, held.moves + 1

        @rule(position=NUMBERS)
        def revoke(self, position: int) -> None:
            held = self.held.get(position)
            call = self.views.revoke(self.tokens.get(position, 99), "played")
            if self.attempt("registrar", call, held is not None and not held.revoked) and held:
                held.revoked = True

        @invariant()
        def votes_are_those_of_the_certificates_held(self) -> None:
            for name in ("alice", "bob", "eve", "owner"):
                weights = [h.weight for h in self.held.values() if h.owner == name and not h.revoked]
                owned = [h for h in self.held.values() if h.owner == name]
                assert self.views.votingWeightOf(self.platform.at[name]).call() == sum(weights)
                assert self.views.balanceOf(self.platform.at[name]).call() == len(owned)

        @invariant()
        def every_certificate_is_as_it_should_be(self) -> None:
            assert self.views.totalMinted().call() == len(self.held)
            for position, held in self.held.items():
                number = self.tokens[position]
                record = self.views.certificate(number).call()
                assert record[2:] == (
                    AMOUNTS[position][1], held.weight, self.campaign.address, held.moves, held.revoked,
                )  # fmt: skip
                assert self.views.ownerOf(number).call() == self.platform.at[held.owner]

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


def test_no_sequence_of_calls_makes_or_loses_a_vote(rolled_back: Callable[[], Any]) -> None:
    play(rolled_back, games=3, steps=15, phases=(Phase.generate,))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_no_long_sequence_of_calls_makes_or_loses_a_vote(rolled_back: Callable[[], Any]) -> None:
    games = int(os.environ.get("CONTRACT_GAMES", "300"))
    play(rolled_back, games=games, steps=60, phases=(Phase.generate, Phase.shrink))
