"""The platform's life, step by step: what its app records, and what investors send to the chain.

What follows from that is nobody's to ask: campaigns are finalized, issuers paid, investors refunded and
certificates minted by the daemon's rules.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from chainfirst.ops import errors
from chainfirst.ops.demo import cast
from chainfirst.ops.demo.app import App
from chainfirst.ops.demo.cast import COMPANIES, DAY, INVESTORS, Cast, Investment
from chainfirst.ops.demo.chain import Call, Chain
from chainfirst.ops.demo.pace import Pace

if TYPE_CHECKING:
    from web3.contract import Contract

REORGANISATION = 5  # blocks
KILLS = 2
LOUD, KILL = "REORGANISATION", "KILL -9"


class Daemon(Protocol):
    """The daemon's process."""

    def kill(self) -> None:
        """End it by SIGKILL."""

    def start(self) -> int:
        """Start it; its pid."""


@dataclass
class Play:
    """The script. `ended`: companies whose campaigns have; `lost`: how many intents the reorganisation took
    out of their blocks."""

    chain: Chain
    cast: Cast
    contracts: Mapping[str, "Contract"]
    app: App
    pace: Pace
    daemon: Daemon
    campaigns: dict[str, "Contract"] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    lost: int = 0

    def steps(self) -> Iterator[str]:
        """What is done next; it is done when the iterator goes on."""
        yield from self._admission()
        yield from self._opening()
        yield from self._investing(cast.BEFORE)
        yield from self._all_confirmed()
        yield from self._reorganisation()
        yield from self._killed_in_flight()
        yield from self._early_ends()
        yield from self._late_ends()
        yield from self._certificates()

    def _admission(self) -> Iterator[str]:
        yield "the app enters those who work for the platform"
        self.app.enter_staff()
        for each in COMPANIES:
            yield f"{each.name} is entered by its owner and verified by compliance"
            self.app.enter_company(each, self.cast[each.key])
            self.app.verify_company(each)
        yield f"{len(INVESTORS)} investors are verified, and get {cast.birr(cast.FUNDS)} birr each"
        self.app.admit_investors({name: self.cast[name] for name in INVESTORS})
        token, factory = self.contracts["token"], self.contracts["campaign_factory"]
        self.chain.block(
            *(self._call("bank", token, "mint", self.cast[name], cast.FUNDS) for name in INVESTORS),
            self._call("bank", token, "mint", self.cast["treasury"], cast.TREASURY_FUNDS),
            self._call("treasury", token, "approve", factory.address, 2**256 - 1),
        )
        yield from self._all_confirmed()
        suspended = COMPANIES[2]
        for verified, what in ((False, "withdraws the verification of"), (True, "verifies again")):
            yield f"compliance {what} {suspended.name}"
            self.app.verify_company(suspended, verified)
            yield from self._all_confirmed()

    def _opening(self) -> Iterator[str]:
        for each in COMPANIES:
            yield f"{each.name} drafts its campaign, compliance approves it: {each.goal_birr:,} birr"
            self.app.open_campaign(each)
        yield from self._all_confirmed()
        for each in COMPANIES:
            address = self.app.campaign(each)
            if address is None:
                raise errors.FatalError(f"the campaign of {each.name} is confirmed, but not active")
            self.campaigns[each.key] = self.chain.contract("CampaignImplementation", address)
        yield "the investors allow the campaigns to take their birr"
        token = self.contracts["token"]
        for campaign in self.campaigns.values():
            self.chain.block(
                *(self._call(name, token, "approve", campaign.address, cast.FUNDS) for name in INVESTORS)
            )

    def _investing(self, investments: Sequence[Investment]) -> Iterator[str]:
        for each in investments:
            yield _words(each)
            self.app.invest(each)
            if each.by_bank:
                self.app.pay(each)
            else:
                self.chain.block(self._invest(each))

    def _reorganisation(self) -> Iterator[str]:
        """Blocks that the daemon has indexed are replaced: three investments are in other blocks then, all
        else is gone. The investors send theirs again, the daemon its own by itself."""
        investments = cast.REORGANISED
        for pair in zip(investments[::2], investments[1::2], strict=True):
            yield "; ".join(map(_words, pair))
            for each in pair:
                self.app.invest(each)
            self.app.pay(*(each for each in pair if each.by_bank))
            self.pace.until(self.app.all_sent, "send what is asked", blocks=False)
            self.chain.block(*(self._invest(each) for each in pair if not each.by_bank))
        self.pace.to_head()
        paid = [each for each in investments if each.by_bank]
        self.lost = self.app.statuses(paid).count("included")
        *dropped, a, b, c = (each for each in investments if not each.by_bank)
        yield f"{LOUD}: the last {REORGANISATION} blocks are replaced by others"
        self.chain.replace(
            REORGANISATION, [(self._invest(each), place) for each, place in ((c, 0), (b, 2), (a, 4))]
        )
        self.pace.to_head()
        now = self.app.statuses(paid)
        yield (
            f"{LOUD}: 3 investments are in other blocks, {len(dropped)} are gone, and {self.lost} that the "
            f"daemon sent; its intents: {', '.join(f'{now.count(each)} {each}' for each in sorted({*now}))}"
        )
        yield "the investors send theirs again, the last one first; the daemon needs nobody to tell it"
        self.chain.block(*(self._invest(each) for each in reversed(dropped)))
        yield from self._all_confirmed()

    def _killed_in_flight(self) -> Iterator[str]:
        paid = [each for each in cast.AFTER if each.by_bank]
        invested = [each for each in cast.AFTER if not each.by_bank]
        yield "; ".join(map(_words, paid))
        for each in paid:
            self.app.invest(each)
        self.app.pay(*paid)
        self.pace.until(self.app.all_sent, "send what is asked", blocks=False)
        yield f"{KILL}: the daemon is killed with {len(paid)} transactions in flight"
        self.daemon.kill()
        yield from self._investing(invested[:5])
        yield f"it starts again, pid {self.daemon.start()}"
        yield from self._investing(invested[5:])
        yield from self._all_confirmed()

    def _early_ends(self) -> Iterator[str]:
        yield "the campaign of Awash Dairy is called off: all its investors get their money"
        self.app.call_off(cast.company("dairy"), "the licence was withdrawn")
        yield "Abay Solar has reached its goal: the campaign ends early, its issuer is paid, by the rules"
        yield from self._rules("solar", "dairy")
        self.chain.block(self._call("fees", self.campaigns["solar"], "withdrawFee"))

    def _late_ends(self) -> Iterator[str]:
        deadline = self._deadline()
        for each in cast.IN_GRACE:
            yield f"{each.investor} orders a payment by bank, which takes its time"
            self.app.invest(each)
        yield "30 days pass: the deadline"
        self.chain.pass_time(deadline + DAY)
        for each in cast.IN_GRACE:
            yield _words(each)
            self.app.pay(each)
        yield from self._all_confirmed()
        yield f"{KILL}: the daemon is killed while nothing is under way"
        self.daemon.kill()
        yield "the days of grace pass"
        self.chain.pass_time(deadline + cast.GRACE + 1)
        yield f"it starts again, pid {self.daemon.start()}"
        yield "Sheger Coffee has succeeded with 82 % of its goal, Lalibela Textiles has failed with 35 %"
        yield from self._rules("coffee", "textiles")

    def _certificates(self) -> Iterator[str]:
        certificate = self.contracts["share_certificate"]
        given = self.app.certificate(cast.company("solar"), self.cast["Genet"])
        yield f"Genet gives certificate {given} to Meron"
        genet, meron = self.cast["Genet"], self.cast["Meron"]
        self.chain.block(self._call("Genet", certificate, "transferFrom", genet, meron, given))
        yield f"{cast.FORGETFUL} has lost a key: another wallet is entered, and the certificates move there"
        self.app.change_wallet(cast.FORGETFUL, self.cast[cast.OTHER_WALLET])
        yield from self._all_confirmed()

    def _all_confirmed(self) -> Iterator[str]:
        yield "blocks come until all that was asked is confirmed"
        self.pace.until(self.app.all_ended, "bring all that was asked to an end")

    def _rules(self, *keys: str) -> Iterator[str]:
        """All that follows from these campaigns' ends; nobody asks for it."""
        self.ended += keys
        wanted = cast.followed(self.ended)
        self.pace.until(
            lambda: all(self.app.confirmed(kind) >= count for kind, count in wanted.items()),
            "do what the rules ask",
        )
        done = ", ".join(f"{count} {kind}" for kind, count in cast.followed(keys).items())
        yield f"confirmed, and asked for by rules alone: {done}"

    def _call(self, who: str, contract: "Contract", function: str, *arguments: object) -> Call:
        return self.chain.call(self.cast[who], contract, function, *arguments)

    def _invest(self, each: Investment) -> Call:
        return self._call(each.investor, self.campaigns[each.company], "invest", each.id, each.amount)

    def _deadline(self) -> int:
        """The latest of all campaigns, in seconds of the epoch."""
        return max(int(each.functions.setup().call()[4]) for each in self.campaigns.values())


def _words(each: Investment) -> str:
    how = "pays by bank" if each.by_bank else "invests"
    return f"{each.investor} {how} {cast.birr(each.amount)} birr: {cast.company(each.company).name}"
