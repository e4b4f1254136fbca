"""The platform's life, step by step. It knows the chain alone: the database is the daemon's affair."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chainfirst.ops.demo import cast
from chainfirst.ops.demo.cast import COMPANIES, DAY, INVESTORS, Cast, Investment
from chainfirst.ops.demo.chain import GAS_OF_BATCHES, Call, Chain

if TYPE_CHECKING:
    from web3.contract import Contract

REORGANISATION = 5  # blocks
IN_A_BATCH = 6
LOUD = "REORGANISATION"
HASH = bytes(range(32))  # stands for that of a document


@dataclass
class Play:
    """The script. `settle` waits until the daemon has indexed the head."""

    chain: Chain
    cast: Cast
    contracts: Mapping[str, "Contract"]
    settle: Callable[[], None]
    campaigns: dict[str, "Contract"] = field(default_factory=dict)

    def steps(self) -> Iterator[str]:
        """What is done next; it is done when the iterator goes on."""
        yield from self._admission()
        yield from self._opening()
        yield from self._investing(cast.BEFORE)
        yield from self._reorganisation()
        yield from self._investing(cast.AFTER)
        yield from self._early_ends()
        yield from self._late_ends()
        yield from self._certificates()

    def _admission(self) -> Iterator[str]:
        registry, token, factory = (
            self.contracts[key] for key in ("issuer_registry", "token", "campaign_factory")
        )
        for each in COMPANIES:
            yield f"the registrar registers {each.name}"
            self.chain.block(
                self._call("registrar", registry, "registerIssuer", cast.new_id(each.name),
                           self.cast[each.key], HASH, f"ipfs://{each.key}")
            )  # fmt: skip
        suspended = COMPANIES[2]
        yield f"the registrar suspends {suspended.name}"
        self.chain.block(self._call("registrar", registry, "setActive", self.cast[suspended.key], False))
        yield f"{suspended.name} has mended its papers and is reinstated"
        self.chain.block(self._call("registrar", registry, "setActive", self.cast[suspended.key], True))
        yield f"{len(INVESTORS)} investors are verified, and get {cast.birr(cast.FUNDS)} birr each"
        self.chain.block(
            *(self._call("registrar", registry, "setInvestor", self.cast[name], True) for name in INVESTORS)
        )
        self.chain.block(
            *(self._call("minter", token, "mint", self.cast[name], cast.FUNDS) for name in INVESTORS),
            self._call("minter", token, "mint", self.cast["treasury"], cast.TREASURY_FUNDS),
            self._call("treasury", token, "approve", factory.address, 2**256 - 1),
        )

    def _opening(self) -> Iterator[str]:
        factory = self.contracts["campaign_factory"]
        for each in COMPANIES:
            yield f"the operator opens the campaign of {each.name}: {each.goal_birr:,} birr"
            terms = (
                cast.new_id(each.key), self.cast[each.key], cast.santim(each.goal_birr), cast.MINIMUM, 0,
                cast.DURATION, cast.GRACE, cast.THRESHOLD_BPS, f"ipfs://{each.key}/offer",
            )  # fmt: skip
            self.chain.block(self._call("operator", factory, "createCampaign", terms))
            address = factory.functions.campaignOf(cast.new_id(each.key)).call()
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
            self.chain.block(self._invest(each))

    def _reorganisation(self) -> Iterator[str]:
        """Blocks that the daemon has indexed are replaced: four of their ten investments are in other
        blocks then, six are gone, and come again in another order."""
        investments = cast.REORGANISED
        for first, second in zip(investments[::2], investments[1::2], strict=True):
            yield f"{_words(first)}; {_words(second)}"
            self.chain.block(self._invest(first), self._invest(second))
        self.settle()
        *dropped, a, b, c, d = investments
        yield f"{LOUD}: the last {REORGANISATION} blocks are replaced by others"
        kept = [(self._invest(each), place) for each, place in ((d, 0), (c, 0), (b, 2), (a, 4))]
        self.chain.replace(REORGANISATION, kept)
        self.settle()
        yield f"{LOUD}: {len(dropped)} investments are gone, 4 are in other blocks; the ledger has followed"
        yield "the dropped transactions are sent again, the last one first"
        backwards = [self._invest(each) for each in reversed(dropped)]
        self.chain.block(*backwards[:4])
        self.chain.block(*backwards[4:])
        self.settle()

    def _early_ends(self) -> Iterator[str]:
        solar, dairy = self.campaigns["solar"], self.campaigns["dairy"]
        yield "Abay Solar has reached its goal: the campaign ends early, and the issuer is paid"
        self.chain.block(self._call("Almaz", solar, "finalize"))
        self.chain.block(self._call("Almaz", solar, "releaseFunds"))
        self.chain.block(self._call("operator", solar, "withdrawFee"))
        yield "the owner cancels the campaign of Awash Dairy"
        self.chain.block(self._call("owner", dairy, "cancel", "the licence was withdrawn"))
        yield from self._refunds("dairy")

    def _late_ends(self) -> Iterator[str]:
        coffee, textiles = self.campaigns["coffee"], self.campaigns["textiles"]
        deadline = self._deadline()
        yield "30 days pass: the deadline"
        self.chain.pass_time(deadline + DAY)
        yield from self._investing(cast.IN_GRACE)
        yield "the days of grace pass"
        self.chain.pass_time(deadline + cast.GRACE + 1)
        yield "Sheger Coffee has succeeded: 82 % of its goal; its issuer is paid"
        self.chain.block(self._call("Kebede", coffee, "finalize"))
        self.chain.block(self._call("Kebede", coffee, "releaseFunds"))
        yield "Lalibela Textiles has failed: 35 % of its goal"
        self.chain.block(self._call("operator", textiles, "finalize"))
        yield from self._refunds("textiles")

    def _refunds(self, key: str) -> Iterator[str]:
        names = sorted({each.investor for each in cast.INVESTMENTS if each.company == key})
        for name in names:
            yield f"{name} is refunded by the campaign of {cast.company(key).name}"
            self.chain.block(self._call("operator", self.campaigns[key], "refund", self.cast[name]))

    def _certificates(self) -> Iterator[str]:
        certificate = self.contracts["share_certificate"]
        for key in ("solar", "coffee"):
            mints = [
                (self.cast[each.investor], self._investment_id(each), self.campaigns[key].address, HASH)
                for each in cast.INVESTMENTS
                if each.company == key
            ]
            for start in range(0, len(mints), IN_A_BATCH):
                batch = mints[start : start + IN_A_BATCH]
                yield f"the minter mints {len(batch)} certificates of {cast.company(key).name}"
                self.chain.block(self._call("minter", certificate, "mintBatch", batch, gas=GAS_OF_BATCHES))
        given, revoked = self._token("solar", "Genet"), self._token("coffee", "Bekele")
        yield f"Genet gives certificate {given} to Meron"
        genet, meron = self.cast["Genet"], self.cast["Meron"]
        self.chain.block(self._call("Genet", certificate, "transferFrom", genet, meron, given))
        yield f"the registrar revokes certificate {revoked} of Bekele"
        self.chain.block(self._call("registrar", certificate, "revoke", revoked, "a court's order"))

    def _call(self, who: str, contract: "Contract", function: str, *arguments: object, **more: int) -> Call:
        return self.chain.call(self.cast[who], contract, function, *arguments, **more)

    def _invest(self, each: Investment) -> Call:
        campaign = self.campaigns[each.company]
        if each.by_bank:
            arguments = each.id, self.cast[each.investor], each.amount, each.payment
            return self._call("operator", campaign, "recordInvestment", *arguments)
        return self._call(each.investor, campaign, "invest", each.id, each.amount)

    def _investment_id(self, each: Investment) -> bytes:
        if each.by_bank:
            return each.id
        campaign = self.campaigns[each.company]
        return bytes(campaign.functions.investmentIdOf(self.cast[each.investor], each.id).call())

    def _token(self, key: str, investor: str) -> int:
        """The number of the certificate of that investor's first investment there."""
        first = next(e for e in cast.INVESTMENTS if (e.company, e.investor) == (key, investor))
        functions = self.contracts["share_certificate"].functions
        return int(functions.tokenOfInvestment(self._investment_id(first)).call())

    def _deadline(self) -> int:
        """The latest of all campaigns, in seconds of the epoch."""
        return max(int(each.functions.setup().call()[4]) for each in self.campaigns.values())


def _words(each: Investment) -> str:
    how = "pays by bank" if each.by_bank else "invests"
    return f"{each.investor} {how} {cast.birr(each.amount)} birr: {cast.company(each.company).name}"
