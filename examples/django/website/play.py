"""The platform's whole life, as its staff, its companies and its investors live it: a campaign that succeeds,
and one that fails. Nothing here knows of a chain; a step saves records, and waits for what comes of them."""

import math
import secrets
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError, connection, models

import api.models as seen
from api.waiting import WAIT_SECONDS, wait_confirmed, wait_until
from records.acting import acting_as
from records.models import Campaign, Company, Investment, KycDocument, User
from records.refusals import sentence

COFFEE, TEXTILES = "Sheger Coffee", "Lalibela Textiles"
OWNERS = {COFFEE: "Hanna", TEXTILES: "Kebede"}
GOAL, MINIMUM, DAYS, GRACE_DAYS = Decimal(500_000), Decimal(1_000), 30, 7
PAYMENTS = (  # birr: 84 % of the first goal, 17 % of the second
    (COFFEE, "Abebe", 150_000, "cbe"),
    (COFFEE, "Almaz", 120_000, "telebirr"),
    (COFFEE, "Chaltu", 150_000, "awash"),
    (TEXTILES, "Abebe", 50_000, "dashen"),
    (TEXTILES, "Dawit", 35_000, "telebirr"),
)


class Play:
    """`say` is told what happens; `pass_days` lets days pass on the chain; left out: they take their time."""

    def __init__(self, say: Callable[[str], object], pass_days: Callable[[int], object] | None) -> None:
        self._say, self._pass_days = say, pass_days
        self._run = secrets.token_hex(4)  # keeps apart the addresses of one run and those of another
        self._users: dict[str, User] = {}
        self._companies: dict[str, Company] = {}
        self._campaigns: dict[str, Campaign] = {}

    def play(self) -> None:
        """From the first user to the last certificate. NotConfirmed: something that was asked ended badly."""
        self._staff()
        self._identities()
        for name, sector in ((COFFEE, "agriculture"), (TEXTILES, "manufacture")):
            self._registration(name, sector)
        for name, company in self._companies.items():
            row = wait_confirmed(company)
            self._say(f"{name} is registered on chain: transaction {row.blockchain_tx_hash}")
        for name in self._companies:
            self._approval(name)
        for campaign in self._campaigns.values():
            row = wait_confirmed(campaign)
            self._say(f"'{campaign}' is {row.status} on chain: contract {row.smart_contract_address}")
        self._payments()
        self._end()
        self._success(self._campaigns[COFFEE])
        self._failure(self._campaigns[TEXTILES])
        self._other_wallet("Almaz", self._campaigns[COFFEE])

    def _staff(self) -> None:
        for name, role in (("Tigist", "admin"), ("Yonas", "compliance_officer")):
            self._user(name, role)
        for name in OWNERS.values():
            self._user(name, "issuer")

    def _identities(self) -> None:
        """Investors show who they are; that they are verified goes on chain."""
        names = sorted({name for _, name, _, _ in PAYMENTS})
        for name in names:
            investor = self._user(name, "investor", wallet=_wallet())
            with acting_as(investor):
                file = f"vault/{investor.pk}/id.pdf"
                document = KycDocument(user=investor, type="national_id", file_reference=file, sha256=_hash())
                document.save()
                _update(investor, kyc_status="pending")
            with acting_as(self._users["Yonas"]):
                _update(document, status="verified")
                _update(investor, kyc_status="verified", kyc_level=2)
            self._say(f"{name} has shown an ID, and Yonas has verified it")
        for name in names:
            wait_confirmed(self._users[name])
        self._say("all investors are verified on chain")

    def _registration(self, name: str, sector: str) -> None:
        """A company is registered on chain because an officer verifies it."""
        owner, site = self._users[OWNERS[name]], f"https://example.org/{self._run}"
        company = self._companies[name] = Company(
            owner=owner, name=name, tin=f"{self._run}-{sector}", sector=sector, wallet=_wallet(),
            document_uri=f"{site}/{sector}.pdf", document_hash=_hash(), credential_hash=_hash(),
        )  # fmt: skip
        with acting_as(owner):
            company.save()
        self._campaigns[name] = Campaign(
            company=company, title=f"Shares of {name}", goal=GOAL, min_investment=MINIMUM, duration_days=DAYS,
            grace_days=GRACE_DAYS, document_uri=f"{site}/{sector}-offer.pdf",
        )  # fmt: skip
        self._refused("a campaign of a company that nobody has verified", self._campaigns[name].save)
        with acting_as(self._users["Yonas"]):
            _update(company, verified=True)
        self._say(f"Yonas has verified {name}")

    def _approval(self, name: str) -> None:
        """A campaign is drafted, submitted and approved, and that makes its contract."""
        owner, campaign = self._users[OWNERS[name]], self._campaigns[name]
        with acting_as(owner):
            campaign.save()
            _update(campaign, status="pending")
        self._refused(f"{owner} approving the own campaign", partial(self._approve, campaign, owner))
        self._approve(campaign, self._users["Tigist"])
        self._say(f"{owner} has drafted '{campaign}', Tigist has approved it")

    def _approve(self, campaign: Campaign, user: User) -> None:
        with acting_as(user):
            _update(campaign, status="approved")

    def _payments(self) -> None:
        """Investors pay by bank or telephone; that the platform notes it records it on chain."""
        made = [self._invest(*payment) for payment in PAYMENTS]
        self._refused("too small an investment", partial(self._invest, COFFEE, "Dawit", MINIMUM / 2, "cbe"))
        for each in made:
            _update(each, status="paid")
            how = f"{each.amount} birr ({each.payment_method})"
            self._say(f"{each.investor} has paid {how} into '{each.campaign}'")
        for each in made:
            wait_confirmed(each)
        for name in self._campaigns:
            row = seen.Campaign.objects.get(pk=self._campaigns[name].pk)
            raised = f"{row.current_funding} birr, {row.progress_percentage} %"
            self._say(f"'{row.title}' has {raised}, of {row.investor_count} investors")

    def _invest(self, company: str, name: str, amount: Decimal | int, method: str) -> Investment:
        reference = f"{method.upper()}-{secrets.token_hex(6)}"
        made = Investment(
            campaign=self._campaigns[company], investor=self._users[name], amount=Decimal(amount),
            payment_method=method, payment_reference=reference,
        )  # fmt: skip
        with acting_as(self._users[name]):
            made.save()
        return made

    def _end(self) -> None:
        """The deadline passes, and the days in which money may still come. Nobody asks for what follows."""
        days = DAYS + GRACE_DAYS + 1
        self._say(f"{days} days pass")
        patience = math.inf
        if self._pass_days is not None:
            self._pass_days(days)
            patience = WAIT_SECONDS
        for campaign in self._campaigns.values():
            ended = seen.Campaign.objects.filter(pk=campaign.pk, ended_at__isnull=False, is_final=True)
            row = wait_until(ended.first, f"the end of {campaign}", patience)
            self._say(f"'{campaign}' has ended: {row.status}")

    def _success(self, campaign: Campaign) -> None:
        """The company is paid, and each investment gets a certificate."""
        paid = seen.FundEscrow.objects.filter(campaign=campaign.pk, status="released", is_final=True)
        escrow = wait_until(paid.first, f"the release of the funds of {campaign}")
        self._say(f"{escrow.released_amount} birr are released; the fee is {escrow.released_fee} birr")
        minted = seen.ShareCertificate.objects.filter(campaign=campaign.pk, is_final=True)
        for each in wait_until(partial(_all, minted, campaign), f"the certificates of {campaign}"):
            self._say(
                f"certificate {each.token_id}: {each.investment_amount} birr, {each.voting_weight} votes"
            )

    def _failure(self, campaign: Campaign) -> None:
        """Every investor is paid back."""
        refunds = seen.Refund.objects.filter(campaign=campaign.pk, is_final=True)
        for each in wait_until(partial(_all, refunds, campaign), f"the refunds of {campaign}"):
            self._say(f"{each.amount} birr are refunded to {each.wallet}: transaction {each.refund_tx_hash}")

    def _other_wallet(self, name: str, campaign: Campaign) -> None:
        """An investor has lost a wallet; the certificate goes to the new one."""
        new = _wallet()
        with acting_as(self._users["Yonas"]), connection.cursor() as cursor:
            cursor.execute("SELECT platform.change_wallet('user', %s, %s)", [self._users[name].pk, new])
        self._say(f"{name} has another wallet")
        moved = seen.ShareCertificate.objects.filter(campaign=campaign.pk, owner=new, is_final=True)
        certificate = wait_until(moved.first, f"the transfer of {name}'s certificate")
        self._say(f"certificate {certificate.token_id} is transferred to {new}")

    def _user(self, name: str, role: str, wallet: str | None = None) -> User:
        email = f"{name.lower()}.{self._run}@example.org"
        user = self._users[name] = User(full_name=name, email=email, role=role, wallet=wallet)
        user.save()
        return user

    def _refused(self, what: str, attempt: Callable[[], object]) -> None:
        try:
            attempt()
        except DatabaseError as error:
            self._say(f"refused: {what}. {sentence(error)}")
        else:
            raise CommandError(f"{what} was not refused")


def _update(record: models.Model, **values: object) -> None:
    for name, value in values.items():
        setattr(record, name, value)
    record.save(update_fields=list(values))


def _all(rows: models.QuerySet[Any], campaign: Campaign) -> list[Any] | None:
    """The rows, once there is one for each payment."""
    found = list(rows.all())
    wanted = sum(f"Shares of {company}" == campaign.title for company, _, _, _ in PAYMENTS)
    return found if len(found) == wanted else None


def _wallet() -> str:
    """An account; nobody needs its key here."""
    return f"0x{secrets.token_hex(20)}"


def _hash() -> str:
    return f"0x{secrets.token_hex(32)}"
