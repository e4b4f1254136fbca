"""The platform's life, step by step: what its app asks in the database, and what investors send to the chain.

What follows from that is nobody's to ask: campaigns are finalized, issuers paid, investors refunded and
certificates minted by the daemon's rules.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from chainfirst.ops import errors
from chainfirst.ops.demo import cast
from chainfirst.ops.demo.app import App, Wish
from chainfirst.ops.demo.cast import COMPANIES, DAY, INVESTORS, Cast, Investment
from chainfirst.ops.demo.chain import Call, Chain
from chainfirst.ops.demo.pace import Pace

if TYPE_CHECKING:
    from web3.contract import Contract

REORGANISATION = 5  # blocks
KILLS = 2
LOUD, KILL = "REORGANISATION", "KILL -9"
HASH = f"0x{bytes(range(32)).hex()}"  # stands for that of a document


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
        for each in COMPANIES:
            yield f"the app asks to register {each.name}"
            self.app.ask(
                Wish("issuer.register",
                     {"company": _uuid(each.name), "wallet": self.cast[each.key], "credential_hash": HASH,
                      "document_uri": f"ipfs://{each.key}", "name": each.name}, _registration(each.key))
            )  # fmt: skip
        suspended = COMPANIES[2]
        wallet, suspension = self.cast[suspended.key], f"suspend {suspended.key}"
        yield f"{suspended.name} shall be suspended when it is registered, and reinstated after that"
        self.app.ask(
            Wish("issuer.set_active", {"wallet": wallet, "active": False}, suspension,
                 _registration(suspended.key)),
            Wish("issuer.set_active", {"wallet": wallet, "active": True}, _reinstatement(suspended.key),
                 suspension),
        )  # fmt: skip
        yield f"{len(INVESTORS)} investors shall be verified, and get {cast.birr(cast.FUNDS)} birr each"
        self.app.ask(
            *(Wish("investor.set_verified", {"investor": self.cast[name], "verified": True}, f"verify {name}")
              for name in INVESTORS)
        )  # fmt: skip
        token, factory = self.contracts["token"], self.contracts["campaign_factory"]
        self.chain.block(
            *(self._call("bank", token, "mint", self.cast[name], cast.FUNDS) for name in INVESTORS),
            self._call("bank", token, "mint", self.cast["treasury"], cast.TREASURY_FUNDS),
            self._call("treasury", token, "approve", factory.address, 2**256 - 1),
        )

    def _opening(self) -> Iterator[str]:
        for each in COMPANIES:
            yield f"the app asks for the campaign of {each.name}: {each.goal_birr:,} birr"
            parent = _reinstatement(each.key) if each is COMPANIES[2] else _registration(each.key)
            self.app.ask(
                Wish("campaign.create",
                     {"campaign": _uuid(each.key), "issuer": self.cast[each.key],
                      "funding_goal": str(cast.santim(each.goal_birr)), "min_investment": str(cast.MINIMUM),
                      "max_investment": "0", "duration_seconds": cast.DURATION, "grace_seconds": cast.GRACE,
                      "success_threshold_bps": cast.THRESHOLD_BPS, "document_uri": f"ipfs://{each.key}/offer",
                      "title": f"{each.name} shares"}, f"campaign of {each.key}", parent)
            )  # fmt: skip
        yield from self._all_confirmed()
        for each in COMPANIES:
            address = self.app.campaign(cast.new_id(each.key))
            if address is None:
                raise errors.FatalError(f"the campaign of {each.name} is confirmed, but not in the ledger")
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
            if each.by_bank:
                self.app.ask(self._payment(each))
            else:
                self.chain.block(self._invest(each))

    def _reorganisation(self) -> Iterator[str]:
        """Blocks that the daemon has indexed are replaced: three investments are in other blocks then, all
        else is gone. The investors send theirs again, the daemon its own by itself."""
        investments = cast.REORGANISED
        for pair in zip(investments[::2], investments[1::2], strict=True):
            yield "; ".join(map(_words, pair))
            self.app.ask(*(self._payment(each) for each in pair if each.by_bank))
            self.pace.until(self.app.all_sent, "send what is asked", blocks=False)
            self.chain.block(*(self._invest(each) for each in pair if not each.by_bank))
        self.pace.to_head()
        keys = [_key(each) for each in investments if each.by_bank]
        self.lost = self.app.statuses(keys).count("included")
        *dropped, a, b, c = (each for each in investments if not each.by_bank)
        yield f"{LOUD}: the last {REORGANISATION} blocks are replaced by others"
        self.chain.replace(
            REORGANISATION, [(self._invest(each), place) for each, place in ((c, 0), (b, 2), (a, 4))]
        )
        self.pace.to_head()
        now = self.app.statuses(keys)
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
        self.app.ask(*(self._payment(each) for each in paid))
        self.pace.until(self.app.all_sent, "send what is asked", blocks=False)
        yield f"{KILL}: the daemon is killed with {len(paid)} transactions in flight"
        self.daemon.kill()
        yield from self._investing(invested[:5])
        yield f"it starts again, pid {self.daemon.start()}"
        yield from self._investing(invested[5:])
        yield from self._all_confirmed()

    def _early_ends(self) -> Iterator[str]:
        yield "the owner's app asks to cancel the campaign of Awash Dairy: all its investors get their money"
        reason = "the licence was withdrawn"
        self.app.ask(Wish("campaign.cancel", {"campaign": _uuid("dairy"), "reason": reason}, "cancel dairy"))
        yield "Abay Solar has reached its goal: the campaign ends early, its issuer is paid, by the rules"
        yield from self._rules("solar", "dairy")
        self.chain.block(self._call("fees", self.campaigns["solar"], "withdrawFee"))

    def _late_ends(self) -> Iterator[str]:
        deadline = self._deadline()
        yield "30 days pass: the deadline"
        self.chain.pass_time(deadline + DAY)
        yield from self._investing(cast.IN_GRACE)
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
        given, revoked = (
            self.app.certificate(self.campaigns[key].address, self.cast[name])
            for key, name in (("solar", "Genet"), ("coffee", "Bekele"))
        )
        yield f"Genet gives certificate {given} to Meron"
        genet, meron = self.cast["Genet"], self.cast["Meron"]
        self.chain.block(self._call("Genet", certificate, "transferFrom", genet, meron, given))
        yield f"the app asks to revoke certificate {revoked} of Bekele"
        payload = {"token_id": str(revoked), "reason": "a court's order"}
        self.app.ask(Wish("certificate.revoke", payload, f"revoke certificate {revoked}"))
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

    def _payment(self, each: Investment) -> Wish:
        payload = {
            "campaign": _uuid(each.company),
            "investment": cast.as_uuid(each.id),
            "investor": self.cast[each.investor],
            "amount": str(each.amount),
            "payment_reference": each.payment,
        }
        return Wish("campaign.record_investment", payload, _key(each))

    def _deadline(self) -> int:
        """The latest of all campaigns, in seconds of the epoch."""
        return max(int(each.functions.setup().call()[4]) for each in self.campaigns.values())


def _uuid(name: str) -> str:
    return cast.as_uuid(cast.new_id(name))


def _registration(company: str) -> str:
    return f"register {company}"


def _reinstatement(company: str) -> str:
    return f"reinstate {company}"


def _key(each: Investment) -> str:
    return f"record {each.payment}"


def _words(each: Investment) -> str:
    how = "pays by bank" if each.by_bank else "invests"
    return f"{each.investor} {how} {cast.birr(each.amount)} birr: {cast.company(each.company).name}"
