"""Admin pages of the records. What may change, and when, the database says; what came of it is shown."""

from typing import Any

from django.contrib import admin, messages
from django.db import DatabaseError, connection, models
from django.forms import Textarea, TextInput
from django.http import HttpRequest, HttpResponse

from api.models import view_of
from records import models as records
from records.acting import acting_as, user_of
from records.refusals import RecordForm, sentence

LONG = ("description", "body")


class RecordAdmin(admin.ModelAdmin):
    """Saves on behalf of the platform's user who has the login's address."""

    form = RecordForm
    list_per_page = 50
    show_full_result_count = False
    actions = ("ask_again",)

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        own = (field.name for field in self.model._meta.fields if not field.editable)
        return tuple(own) if view_of(self.model) is None else (*own, "on_chain")

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, models.TextField):
            kwargs["widget"] = Textarea if db_field.name in LONG else TextInput(attrs={"size": 80})
            kwargs["empty_value"] = None if db_field.null else ""
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def changeform_view(self, request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        with acting_as(user_of(request.user)):
            return super().changeform_view(request, *arguments, **named)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False  # records stay: the chain has their ids

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        if view_of(self.model) is None:
            actions.pop("ask_again", None)
        return actions

    @admin.action(description="Ask the chain again, after mending")
    def ask_again(self, request: HttpRequest, chosen: models.QuerySet[models.Model]) -> None:
        """What ended badly is asked anew, as the record is now."""
        for record in chosen:
            try:
                with acting_as(user_of(request.user)), connection.cursor() as cursor:
                    subject = [self.model._meta.model_name, record.pk]
                    cursor.execute("SELECT platform.ask_again(%s, %s)", subject)
                self.message_user(request, f"{record}: asked again")
            except DatabaseError as error:
                self.message_user(request, f"{record}: {sentence(error)}", messages.ERROR)

    @admin.display(description="on chain")
    def on_chain(self, record: models.Model) -> str:
        """What was asked of the chain for this record, and how far that is."""
        view = view_of(type(record))
        seen = None if view is None else view.objects.filter(pk=record.pk).first()
        if seen is None or seen.intent_status is None:
            return "nothing was asked"
        return f"{seen.intent_status}: {seen.intent_error}" if seen.intent_error else str(seen.intent_status)


@admin.register(records.User)
class UserAdmin(RecordAdmin):
    list_display = ("full_name", "email", "role", "kyc_status", "active")
    list_filter = ("role", "kyc_status", "active")
    search_fields = ("full_name", "email", "wallet")


@admin.register(records.Company)
class CompanyAdmin(RecordAdmin):
    list_display = ("name", "tin", "sector", "verified")
    list_filter = ("verified",)
    search_fields = ("name", "tin")


@admin.register(records.Campaign)
class CampaignAdmin(RecordAdmin):
    list_display = ("title", "company", "goal", "status")
    list_filter = ("status",)
    list_select_related = ("company",)
    search_fields = ("title",)


@admin.register(records.Investment)
class InvestmentAdmin(RecordAdmin):
    list_display = ("id", "campaign", "investor", "amount", "payment_method", "status")
    list_filter = ("status", "payment_method")
    list_select_related = ("campaign", "investor")
    search_fields = ("payment_reference",)


@admin.register(records.IssuerProfile)
class IssuerProfileAdmin(RecordAdmin):
    list_display = ("company", "contact_name", "website")


@admin.register(records.KycDocument)
class KycDocumentAdmin(RecordAdmin):
    list_display = ("user", "type", "status", "expires_on")
    list_filter = ("status", "type")


@admin.register(records.CampaignDocument)
class CampaignDocumentAdmin(RecordAdmin):
    list_display = ("title", "campaign", "type")


@admin.register(records.CampaignUpdate)
class CampaignUpdateAdmin(RecordAdmin):
    list_display = ("title", "campaign", "created_at")
