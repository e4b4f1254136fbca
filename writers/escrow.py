"""The escrow: what a campaign that has ended pays out, to its issuer or back to its investors."""

from chainfirst.writers import campaigns
from chainfirst.writers.kinds import TOKEN_LACKS, Book, Kind, Prepared, tables
from chainfirst.writers.payload import Address, Payload, Uuid

_RELEASED = campaigns.ABI.event("FundsReleased")
_REFUNDED = campaigns.ABI.event("InvestorRefunded")


class Release(Payload):
    """Pay the issuer of a successful campaign, less the fee."""

    campaign: Uuid


class Refund(Payload):
    """Pay an investor of a failed or cancelled campaign back, in full."""

    campaign: Uuid
    investor: Address


def _release(want: Release, book: Book) -> Prepared:
    campaign = book.campaign(want.campaign)
    expected = _RELEASED.expected("address", campaign, match={})
    return Prepared(
        campaigns.ABI.function("releaseFunds").call(campaign), expected, book.raised(want.campaign)
    )


def _refund(want: Refund, book: Book) -> Prepared:
    campaign = book.campaign(want.campaign)
    # by the investor: a campaign has thousands of refunds, an investor a few
    expected = _REFUNDED.expected("investor", want.investor, match={"address": campaign})
    call = campaigns.ABI.function("refund").call(campaign, want.investor)
    return Prepared(call, expected, book.contribution(campaign, want.investor))


KINDS = (
    # The money is owed, whatever happens: a token that is paused, or an escrow that lacks tokens (reconcile
    # says so too), is waited for. Anybody may call both functions, so there is no role to wait for.
    # Once in a campaign (AlreadyReleased); one that is not successful, or not yet finalized: rejected.
    Kind(
        "escrow.release",
        Release,
        True,
        tables(_RELEASED, "campaigns"),
        _release,
        TOKEN_LACKS,
        "what was raised, the fee included",
    ),
    # Once for an investor of a campaign (AlreadyRefunded).
    Kind(
        "escrow.refund",
        Refund,
        True,
        tables(_REFUNDED, "campaigns"),
        _refund,
        TOKEN_LACKS,
        "what the investor put in",
    ),
)
