"""The tables of the schema `platform`, as `inspectdb` sees them (a test compares). Their rules are the
database's: no choices, lengths or ranges are repeated here, for it has a sentence for all that it refuses.

A save that moves a record along (a company is verified, a campaign approved, an investment paid) asks for it
on chain too: triggers do that in the same transaction. See `api.models` for what came of it.
"""

from django.db import models


class NewId(models.Func):
    """The database's own UUIDs, which grow with time."""

    function = "intent.new_id"
    output_field = models.UUIDField()


class Now(models.Func):
    """The database's clock."""

    function = "now"
    output_field = models.DateTimeField()


def _id() -> models.UUIDField:
    return models.UUIDField(primary_key=True, db_default=NewId(), editable=False)


def _moment() -> models.DateTimeField:
    return models.DateTimeField(db_default=Now(), editable=False)


def _revision() -> models.IntegerField:
    return models.IntegerField(db_default=1, editable=False)


def _to(model: str, column: str, *, null: bool = False, unique: bool = False) -> models.ForeignKey:
    kind = models.OneToOneField if unique else models.ForeignKey
    return kind(model, models.DO_NOTHING, db_column=column, null=null, blank=null, related_name="+")


class User(models.Model):
    """Somebody who uses the platform: not a login of this site's admin pages."""

    id = _id()
    email = models.TextField()
    full_name = models.TextField()
    phone = models.TextField(null=True, blank=True)
    role = models.TextField()
    wallet = models.TextField(null=True, blank=True, unique=True)
    kyc_level = models.SmallIntegerField(default=0)
    kyc_status = models.TextField(default="unverified")
    aml_score = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    active = models.BooleanField(default=True)
    erased_at = models.DateTimeField(null=True, editable=False)
    created_at = _moment()
    updated_at = _moment()
    revision = _revision()

    class Meta:
        managed = False
        db_table = '"platform"."users"'

    def __str__(self) -> str:
        return self.full_name


class Company(models.Model):
    """An issuer of shares. `verified` registers it on chain."""

    id = _id()
    owner = _to("records.User", "owner")
    name = models.TextField()
    tin = models.TextField(unique=True)
    sector = models.TextField()
    description = models.TextField(default="", blank=True)
    wallet = models.TextField(null=True, blank=True, unique=True)
    document_uri = models.TextField(null=True, blank=True)
    document_hash = models.TextField(null=True, blank=True)
    credential_hash = models.TextField(null=True, blank=True)
    time_zone = models.TextField(default="Africa/Addis_Ababa")
    verified = models.BooleanField(default=False)
    verified_by = _to("records.User", "verified_by", null=True)
    verified_at = models.DateTimeField(null=True, editable=False)
    created_at = _moment()
    updated_at = _moment()
    revision = _revision()

    class Meta:
        managed = False
        db_table = '"platform"."companies"'
        verbose_name_plural = "companies"

    def __str__(self) -> str:
        return self.name


class IssuerProfile(models.Model):
    """What else is known of a company."""

    id = _id()
    company = _to("records.Company", "company", unique=True)
    contact_name = models.TextField(null=True, blank=True)
    contact_email = models.TextField(null=True, blank=True)
    contact_phone = models.TextField(null=True, blank=True)
    website = models.TextField(null=True, blank=True)
    registered_address = models.TextField(null=True, blank=True)
    founded_on = models.DateField(null=True, blank=True)
    employees = models.IntegerField(null=True, blank=True)
    created_at = _moment()
    updated_at = _moment()
    revision = _revision()

    class Meta:
        managed = False
        db_table = '"platform"."issuer_profiles"'

    def __str__(self) -> str:
        return f"profile of {self.company}"


class KycDocument(models.Model):
    """A proof of identity: where the file is, and its hash."""

    id = _id()
    user = _to("records.User", "user")
    type = models.TextField()
    status = models.TextField(default="pending")
    file_reference = models.TextField(null=True, blank=True)
    sha256 = models.TextField()
    verified_by = _to("records.User", "verified_by", null=True)
    verified_at = models.DateTimeField(null=True, editable=False)
    rejection_reason = models.TextField(null=True, blank=True)
    expires_on = models.DateField(null=True, blank=True)
    created_at = _moment()
    updated_at = _moment()
    revision = _revision()

    class Meta:
        managed = False
        db_table = '"platform"."kyc_documents"'
        verbose_name = "KYC document"

    def __str__(self) -> str:
        return f"{self.type} of {self.user}"


class Campaign(models.Model):
    """A campaign from its draft to its approval, which makes it on chain."""

    id = _id()
    company = _to("records.Company", "company")
    title = models.TextField()
    description = models.TextField(default="", blank=True)
    goal = models.DecimalField(max_digits=15, decimal_places=2)
    min_investment = models.DecimalField(max_digits=15, decimal_places=2, default=0)
    max_investment = models.DecimalField(max_digits=15, decimal_places=2, null=True, blank=True)
    duration_days = models.IntegerField()
    grace_days = models.IntegerField(default=7)
    threshold_bps = models.IntegerField(default=7500)
    document_uri = models.TextField()
    status = models.TextField(default="draft")
    submitted_at = models.DateTimeField(null=True, editable=False)
    approved_by = _to("records.User", "approved_by", null=True)
    approved_at = models.DateTimeField(null=True, editable=False)
    rejection_reason = models.TextField(null=True, blank=True)
    cancelled_by = _to("records.User", "cancelled_by", null=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.TextField(null=True, blank=True)
    created_at = _moment()
    updated_at = _moment()
    revision = _revision()

    class Meta:
        managed = False
        db_table = '"platform"."campaigns"'

    def __str__(self) -> str:
        return self.title


class CampaignDocument(models.Model):
    """What a campaign shows to investors."""

    id = _id()
    campaign = _to("records.Campaign", "campaign")
    title = models.TextField()
    type = models.TextField()
    file_reference = models.TextField()
    sha256 = models.TextField()
    uploaded_by = _to("records.User", "uploaded_by", null=True)
    created_at = _moment()

    class Meta:
        managed = False
        db_table = '"platform"."campaign_documents"'

    def __str__(self) -> str:
        return self.title


class CampaignUpdate(models.Model):
    """News of a campaign."""

    id = _id()
    campaign = _to("records.Campaign", "campaign")
    author = _to("records.User", "author", null=True)
    title = models.TextField()
    body = models.TextField()
    created_at = _moment()

    class Meta:
        managed = False
        db_table = '"platform"."campaign_updates"'

    def __str__(self) -> str:
        return self.title


class Investment(models.Model):
    """An investment and how it is paid. `paid` records it on chain."""

    id = _id()
    campaign = _to("records.Campaign", "campaign")
    investor = _to("records.User", "investor")
    amount = models.DecimalField(max_digits=15, decimal_places=2)
    payment_method = models.TextField()
    payment_reference = models.TextField(null=True, blank=True, unique=True)
    status = models.TextField(default="pending")
    wallet = models.TextField(db_default="", editable=False)  # these two are set by a trigger
    chain_id = models.TextField(db_default="", editable=False, unique=True)
    paid_at = models.DateTimeField(null=True, editable=False)
    failure_reason = models.TextField(null=True, blank=True)
    created_at = _moment()
    updated_at = _moment()
    revision = _revision()

    class Meta:
        managed = False
        db_table = '"platform"."investments"'

    def __str__(self) -> str:
        return f"{self.amount} birr of {self.investor}"
