"""The admin pages: what the database refuses is an error of the form, in its own words."""

from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.auth.models import User as Login
from django.db import connection, models
from django.http import HttpResponse
from django.test import TestCase
from django.urls import reverse

from records.models import Company, User
from website.tests import chain, records

AUDIT = """
SELECT acting_user, changes -> 'kyc_status' FROM platform.audit WHERE row_id = %s AND action = 'update'
"""
RIGHT = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # EIP-55's own example


class Admin(TestCase):
    def setUp(self) -> None:
        self.officer = records.user("compliance_officer")
        self.client.force_login(Login.objects.create_superuser("officer", self.officer.email, "secret"))

    def _change(self, record: models.Model, **changes: Any) -> HttpResponse:
        """What the browser sends back: all that is in the form, and the changes."""
        address = reverse(f"admin:records_{record._meta.model_name}_change", args=[record.pk])
        shown = self.client.get(address).context["adminform"].form
        sent = {name: shown[name].value() for name in shown.fields} | changes
        filled = {name: value for name, value in sent.items() if value is not None and value is not False}
        return self.client.post(address, filled)

    def test_a_step_that_is_not_allowed_is_an_error_of_its_field(self) -> None:
        investor = records.user("investor")
        page = self._change(investor, kyc_status="verified")
        said = "kyc_status: what is unverified can't become verified. From unverified it becomes pending."
        self.assertFormError(page.context["adminform"].form, "kyc_status", said)
        self.assertContains(page, "can&#x27;t become verified")
        investor.refresh_from_db()
        self.assertEqual((investor.kyc_status, investor.revision), ("unverified", 1))

    def test_a_login_without_a_user_of_the_platform_may_nothing(self) -> None:
        """It would act as the site itself: whoever changes the own address, or is erased, would win by it."""
        investor = records.user("investor", kyc_status="pending")
        login = Login.objects.create_user("former", "former@example.org", "secret", is_staff=True)
        login.user_permissions.set(Permission.objects.filter(content_type__app_label="records"))
        self.client.force_login(login)
        address = reverse("admin:records_user_change", args=[investor.pk])
        self.assertEqual(self.client.get(address).status_code, 403)
        self.assertEqual(self.client.post(address, {"kyc_status": "verified"}).status_code, 403)
        again = {"action": "ask_again", "_selected_action": [investor.pk]}
        self.assertEqual(self.client.post(reverse("admin:records_user_changelist"), again).status_code, 403)
        investor.refresh_from_db()
        self.assertEqual(investor.kyc_status, "pending")

    def test_a_value_that_no_rule_but_a_constraint_refuses_is_an_error_of_its_field_too(self) -> None:
        page = self._change(records.user("investor"), kyc_level=9)
        self.assertEqual(set(page.context["adminform"].form.errors), {"kyc_level"})

    def test_what_the_database_refuses_of_a_new_row_is_an_error_too_and_leaves_none(self) -> None:
        sent = {
            "owner": records.user("issuer").pk, "name": "Abay Solar", "tin": "12345", "sector": "energy",
            "verified": "on", "time_zone": "Africa/Addis_Ababa",
        }  # fmt: skip
        page = self.client.post(reverse("admin:records_company_add"), sent)
        said = "verified: a new row can't be true. Insert it as false, then update it."
        self.assertFormError(page.context["adminform"].form, "verified", said)
        self.assertFalse(Company.objects.filter(tin="12345").exists())
        del sent["verified"]
        self.assertEqual(self.client.post(reverse("admin:records_company_add"), sent).status_code, 302)
        self.assertIsNone(Company.objects.get(tin="12345").wallet)

    def test_a_wallet_with_a_wrong_checksum_is_refused_and_a_right_one_kept_in_lower_case(self) -> None:
        investor = records.user("investor")
        page = self._change(investor, wallet=RIGHT.replace("aA", "Aa", 1))
        self.assertIn("wrong checksum", page.context["adminform"].form.errors["wallet"][0])
        self.assertEqual(self._change(investor, wallet=RIGHT).status_code, 302)
        investor.refresh_from_db()
        self.assertEqual(investor.wallet, RIGHT.lower())

    def test_what_is_saved_is_saved_once_and_in_the_name_of_who_is_logged_in(self) -> None:
        investor = records.user("investor")
        self.assertEqual(self._change(investor, kyc_status="pending").status_code, 302)
        investor.refresh_from_db()
        self.assertEqual((investor.kyc_status, investor.revision), ("pending", 2))
        with connection.cursor() as cursor:
            cursor.execute(AUDIT, [investor.pk])
            self.assertEqual(cursor.fetchall(), [(self.officer.pk, '["unverified", "pending"]')])

    def test_what_was_asked_of_the_chain_stands_beside_the_record(self) -> None:
        company = records.verified_company()
        page = self.client.get(reverse("admin:records_company_change", args=[company.pk]))
        self.assertEqual(page.context["adminform"].model_admin.on_chain(company), "pending")

    def test_what_was_refused_is_asked_again_after_mending(self) -> None:
        company = records.verified_company()
        chain.refused(company, "the registry is paused")
        page = self.client.get(reverse("admin:records_company_change", args=[company.pk]))
        self.assertContains(page, "rejected: the registry is paused")
        asked = {"action": "ask_again", "_selected_action": [company.pk]}
        for said in ("Sheger Coffee: asked again", "goes on"):
            page = self.client.post(reverse("admin:records_company_changelist"), asked, follow=True)
            self.assertContains(page, said)
        page = self.client.get(reverse("admin:records_company_change", args=[company.pk]))
        self.assertEqual(page.context["adminform"].model_admin.on_chain(company), "pending")

    def test_every_list_opens_and_nothing_can_be_deleted(self) -> None:
        records.approved_campaign(records.verified_company())
        for name in ("user", "company", "campaign", "investment", "issuerprofile", "kycdocument"):
            with self.subTest(name):
                page = self.client.get(reverse(f"admin:records_{name}_changelist"))
                self.assertEqual(page.status_code, 200)
                self.assertEqual(self.client.get(reverse(f"admin:records_{name}_add")).status_code, 200)
        someone = User.objects.first()
        page = self.client.post(reverse("admin:records_user_delete", args=[someone.pk]), {"post": "yes"})
        self.assertEqual(page.status_code, 403)
