"""Campaigns: created by the factory, each with a contract of its own that takes investments and ends."""

from collections.abc import Iterable
from typing import Annotated

from chainfirst.ops.settings import Problem
from chainfirst.writers import contract
from chainfirst.writers.kinds import NO_ROLE, TOKEN_LACKS, Book, Kind, Prepared, tables
from chainfirst.writers.payload import (
    Address,
    Amount,
    AmountOrZero,
    DocumentUri,
    Label,
    Payload,
    PaymentReference,
    Reason,
    Uuid,
    whole,
)

KEY = "campaign"
FACTORY = "campaign_factory"
DAY = 86_400
ABI = contract.platform(KEY)
_FACTORY_ABI = contract.platform(FACTORY)
_CREATED = _FACTORY_ABI.event("CampaignCreated")
_RECORDED = ABI.event("InvestmentRecorded")
_FINALIZED = ABI.event("CampaignFinalized")
_CANCELLED = ABI.event("CampaignCancelled")

# Campaigns ask the factory for roles, by an error of their own; what is said of NO_ROLE holds.
NO_CAMPAIGN_ROLE = frozenset({"MissingRole"})


class Create(Payload):
    """The terms of a campaign (contracts/src/Types.sol, Terms). `title`: for certificates; not on chain."""

    campaign: Uuid
    issuer: Address
    funding_goal: Amount
    min_investment: AmountOrZero
    max_investment: AmountOrZero
    duration_seconds: Annotated[int, whole(DAY, 365 * DAY, "seconds")]
    grace_seconds: Annotated[int, whole(0, 14 * DAY, "seconds")]
    success_threshold_bps: Annotated[int, whole(1, 10_000, "basis points (1/10 000)")]
    document_uri: DocumentUri
    title: Label | None = None

    def contradictions(self) -> Iterable[Problem]:
        if 0 < self.max_investment < self.min_investment:
            found = f"{self.max_investment}, and a min_investment of {self.min_investment}"
            yield Problem("max_investment", found, "at least min_investment; or 0: no limit")


class RecordInvestment(Payload):
    """Money that came by bank or mobile money; `amount` is what was paid, accepted up to the goal."""

    campaign: Uuid
    investment: Uuid
    investor: Address
    amount: Amount
    payment_reference: PaymentReference


class Finalize(Payload):
    """End a campaign whose goal is reached or whose time is over."""

    campaign: Uuid


class Cancel(Payload):
    """Call an active campaign off."""

    campaign: Uuid
    reason: Reason


def _create(want: Create, book: Book) -> Prepared:
    factory = book.address(FACTORY)
    book.company(want.issuer, "issuer")
    terms = (
        want.campaign,
        want.issuer,
        want.funding_goal,
        want.min_investment,
        want.max_investment,
        want.duration_seconds,
        want.grace_seconds,
        want.success_threshold_bps,
        want.document_uri,
    )
    call = _FACTORY_ABI.function("createCampaign").call(factory, terms)
    match, equal = {"address": factory}, {"issuer": want.issuer, "terms": terms}
    expected = _CREATED.expected("campaign_id", want.campaign, match=match, equal=equal)
    return Prepared(call, expected, want.funding_goal)


def _record_investment(want: RecordInvestment, book: Book) -> Prepared:
    campaign = book.campaign(want.campaign)
    call = ABI.function("recordInvestment").call(
        campaign, want.investment, want.investor, want.amount, want.payment_reference
    )
    # The factory takes an investment's id once in all campaigns: recorded in another one, it is a conflict.
    # The last one is cut to what is missing to the goal.
    equal = {"address": campaign, "investor": want.investor, "payment_reference": want.payment_reference}
    expected = _RECORDED.expected(
        "investment_id", want.investment, match={}, equal=equal, at_most={"amount": want.amount}
    )
    return Prepared(call, expected, want.amount)


def _finalize(want: Finalize, book: Book) -> Prepared:
    campaign = book.campaign(want.campaign)
    # how it ended is the contract's to say
    return Prepared(
        ABI.function("finalize").call(campaign), _FINALIZED.expected("address", campaign, match={})
    )


def _cancel(want: Cancel, book: Book) -> Prepared:
    campaign = book.campaign(want.campaign)
    expected = _CANCELLED.expected("address", campaign, match={}, equal={"reason": want.reason})
    return Prepared(ABI.function("cancel").call(campaign, want.reason), expected)


KINDS = (
    # A campaign's id is taken once (CampaignExists). The factory may not be set up yet: it has no
    # implementation, or the registry doesn't know it. An issuer that is suspended or busy, for months
    # perhaps: rejected.
    Kind(
        "campaign.create",
        Create,
        True,
        tables(_CREATED, "issuers"),
        _create,
        NO_ROLE | {"InvalidImplementation", "NotFactory"},
        "the funding goal",
    ),
    # An investment's id is taken once (InvestmentRecordedBefore, InvestmentExists). What was paid has to be
    # recorded: it waits while the campaign (or the token) is paused, and until the treasury is filled and has
    # approved the factory. Too late, goal reached, over the maximum: rejected, that money must go back.
    Kind(
        "campaign.record_investment",
        RecordInvestment,
        True,
        tables(_RECORDED, "campaigns"),
        _record_investment,
        NO_CAMPAIGN_ROLE | TOKEN_LACKS,
        "the amount that was paid",
    ),
    # A campaign ends once (WrongStatus). Its time comes by itself (NotOver); anybody may finalize. One that
    # was cancelled meanwhile has WrongStatus for ever: rejected.
    Kind(
        "campaign.finalize",
        Finalize,
        True,
        tables(_FINALIZED, "campaigns"),
        _finalize,
        frozenset({"NotOver"}),
    ),
    # Needs the owner's role; if the owner cancels by other means, that event settles it.
    Kind("campaign.cancel", Cancel, True, tables(_CANCELLED, "campaigns"), _cancel, NO_CAMPAIGN_ROLE),
)
