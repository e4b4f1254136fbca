"""How an app is tested without a chain: records as the app makes them, and plain rows for what one says."""

from django.test import TestCase
from django.urls import reverse

import api.models as seen
from api.waiting import NotConfirmed, confirmed, wait_confirmed
from website.tests import chain, records


class WithoutChain(TestCase):
    def test_an_approved_campaign_is_on_its_way_until_the_chain_has_it(self) -> None:
        company = records.verified_company()
        campaign = records.approved_campaign(company)
        row = seen.Campaign.objects.get(pk=campaign.pk)
        self.assertEqual((row.status, row.intent_status, row.is_final), ("approved", "pending", False))

        chain.final_block()
        chain.registered(company)
        address = chain.created(campaign)
        chain.invested(address, "0x" + "ab" * 32, "0x" + "cd" * 20, birr=25_000)
        row.refresh_from_db()
        self.assertEqual((row.status, row.smart_contract_address, row.is_final), ("active", address, True))
        self.assertEqual((row.current_funding, row.progress_percentage, row.investor_count), (25_000, 25, 1))
        self.assertTrue(seen.Company.objects.get(pk=company.pk).registered_on_blockchain)

    def test_the_page_of_campaigns_shows_what_is_on_chain_and_nothing_else(self) -> None:
        campaign = records.approved_campaign(records.verified_company())
        before = self.client.get(reverse("campaigns"))
        self.assertContains(before, "There is no campaign yet.")
        chain.final_block()
        address = chain.created(campaign)
        chain.invested(address, "0x" + "ab" * 32, "0x" + "cd" * 20, birr=25_000)
        page = self.client.get(reverse("campaigns"))
        self.assertContains(page, "A new roastery")
        self.assertContains(page, "25,000.00")
        self.assertContains(page, "The chain as of block 10; final up to 10.")
        self.assertNotContains(page, "(not final)")

    def test_the_page_of_certificates_is_there_when_there_is_none(self) -> None:
        self.assertContains(self.client.get(reverse("certificates")), "There is no certificate yet.")

    def test_nobody_waits_in_a_transaction_for_what_it_has_not_written_yet(self) -> None:
        with self.assertRaisesMessage(RuntimeError, "wait after the commit"):
            wait_confirmed(records.verified_company(), timeout_seconds=0)

    def test_what_the_chain_refuses_is_an_error_that_says_why(self) -> None:
        company = records.verified_company()
        self.assertIsNone(confirmed(company))
        chain.refused(company, "IssuerKnown: the wallet is another company's")
        with self.assertRaisesMessage(
            NotConfirmed, "is rejected: IssuerKnown: the wallet is another company's"
        ):
            confirmed(company)

    def test_views_are_not_written_to(self) -> None:
        campaign = records.approved_campaign(records.verified_company())
        with self.assertRaisesMessage(TypeError, "is a view: write the record"):
            seen.Campaign.objects.get(pk=campaign.pk).save()
