"""The views of the schema `api`, as `inspectdb` sees them (a test compares): records and chain, joined.

Rows come from the chain too, so what only the platform knows may be missing. Amounts are birr. `is_final`: it
stays so.
"""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models


class View(models.Model):
    """Can be read, not written."""

    class Meta:
        abstract = True

    def save(self, *_: Any, **__: Any) -> None:
        """Refused: records are written."""
        raise TypeError(f"{type(self).__name__} is a view: write the record, in `records`")

    def delete(self, *_: Any, **__: Any) -> None:
        """Refused."""
        raise TypeError(f"{type(self).__name__} is a view")


def _to(model: str, column: str, rows: str) -> models.ForeignKey:
    """A row of another view; the database has no such constraint, and the row may be missing."""
    return models.ForeignKey(
        f"api.{model}", models.DO_NOTHING, db_column=column, null=True, db_constraint=False, related_name=rows
    )


class User(View):
    """Somebody who uses the platform."""

    id = models.UUIDField(primary_key=True)
    email = models.TextField(null=True)
    full_name = models.TextField(null=True)
    phone = models.TextField(null=True)
    role = models.TextField(null=True)
    wallet = models.TextField(null=True)
    kyc_level = models.SmallIntegerField(null=True)
    kyc_status = models.TextField(null=True)
    aml_score = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    active = models.BooleanField(null=True)
    verified_on_blockchain = models.BooleanField(null=True)
    is_final = models.BooleanField(null=True)
    intent_key = models.TextField(null=True)
    intent_status = models.TextField(null=True)
    intent_error = models.TextField(null=True)
    erased_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = '"api"."users"'


class Company(View):
    """An issuer of shares, and its entry in the registry of issuers."""

    id = models.UUIDField(primary_key=True)
    owner = _to("User", "owner", "companies")
    name = models.TextField(null=True)
    tin = models.TextField(null=True)
    sector = models.TextField(null=True)
    description = models.TextField(null=True)
    wallet = models.TextField(null=True)
    verified = models.BooleanField(null=True)
    verified_by = models.UUIDField(null=True)
    verified_at = models.DateTimeField(null=True)
    document_uri = models.TextField(null=True)
    document_hash = models.TextField(null=True)
    credential_hash = models.TextField(null=True)
    time_zone = models.TextField(null=True)
    registered_on_blockchain = models.BooleanField(null=True)
    blockchain_tx_hash = models.TextField(null=True)
    blockchain_registered_at = models.DateTimeField(null=True)
    blockchain_wallet = models.TextField(null=True)
    blockchain_document_uri = models.TextField(null=True)
    active_on_blockchain = models.BooleanField(null=True)
    has_active_campaign = models.BooleanField(null=True)
    active_campaign_id = models.UUIDField(null=True)
    last_campaign_year = models.IntegerField(null=True)
    is_final = models.BooleanField(null=True)
    intent_key = models.TextField(null=True)
    intent_status = models.TextField(null=True)
    intent_error = models.TextField(null=True)
    created_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = '"api"."companies"'


class Campaign(View):
    """A campaign, from draft to end."""

    id = models.UUIDField(primary_key=True)
    company = _to("Company", "company", "campaigns")
    title = models.TextField(null=True)
    description = models.TextField(null=True)
    goal = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    min_investment = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    max_investment = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    duration_days = models.IntegerField(null=True)
    grace_days = models.IntegerField(null=True)
    threshold_bps = models.IntegerField(null=True)
    document_uri = models.TextField(null=True)
    status = models.TextField(null=True)
    current_funding = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    progress_percentage = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    investor_count = models.BigIntegerField(null=True)
    issuer = models.TextField(null=True)
    smart_contract_address = models.TextField(null=True)
    deployment_tx_hash = models.TextField(null=True)
    deadline = models.DateTimeField(null=True)
    record_until = models.DateTimeField(null=True)
    paused = models.BooleanField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    funds_released = models.BooleanField(null=True)
    funds_released_at = models.DateTimeField(null=True)
    cancel_reason = models.TextField(null=True)
    submitted_at = models.DateTimeField(null=True)
    approved_by = models.UUIDField(null=True)
    approved_at = models.DateTimeField(null=True)
    rejection_reason = models.TextField(null=True)
    cancelled_by = models.UUIDField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    is_final = models.BooleanField(null=True)
    intent_key = models.TextField(null=True)
    intent_status = models.TextField(null=True)
    intent_error = models.TextField(null=True)
    created_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = '"api"."campaigns"'


class Investment(View):
    """An investment, from its record to the chain."""

    id = models.UUIDField(primary_key=True)
    campaign = _to("Campaign", "campaign", "investments")
    investor = _to("User", "investor", "investments")
    wallet = models.TextField(null=True)
    amount = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    status = models.TextField(null=True)
    payment_method = models.TextField(null=True)
    payment_reference = models.TextField(null=True)
    failure_reason = models.TextField(null=True)
    paid_at = models.DateTimeField(null=True)
    smart_contract_address = models.TextField(null=True)
    blockchain_tx_hash = models.TextField(null=True)
    block_number = models.BigIntegerField(null=True)
    log_index = models.IntegerField(null=True)
    invested_at = models.DateTimeField(null=True)
    refund_tx_hash = models.TextField(null=True)
    refunded_at = models.DateTimeField(null=True)
    is_final = models.BooleanField(null=True)
    intent_key = models.TextField(null=True)
    intent_status = models.TextField(null=True)
    intent_error = models.TextField(null=True)
    created_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = '"api"."investments"'


class FundEscrow(View):
    """What a campaign on chain holds, and where it went."""

    id = models.UUIDField(primary_key=True)
    campaign = _to("Campaign", "campaign", "escrows")
    smart_contract_address = models.TextField(null=True)
    token = models.TextField(null=True)
    total_escrowed = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    escrow_balance = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    status = models.TextField(null=True)
    released_amount = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    released_fee = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    release_tx_hash = models.TextField(null=True)
    released_at = models.DateTimeField(null=True)
    refund_due = models.BooleanField(null=True)
    refund_initiated = models.BooleanField(null=True)
    refund_completed = models.BooleanField(null=True)
    refunded_amount = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    investors_remaining = models.BigIntegerField(null=True)
    is_final = models.BooleanField(null=True)
    created_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = '"api"."fund_escrows"'


class Refund(View):
    """An investor of a failed or cancelled campaign was paid back."""

    id = models.TextField(primary_key=True)
    campaign = _to("Campaign", "campaign", "refunds")
    investor = _to("User", "investor", "refunds")
    wallet = models.TextField(null=True)
    amount = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    smart_contract_address = models.TextField(null=True)
    refund_tx_hash = models.TextField(null=True)
    block_number = models.BigIntegerField(null=True)
    refunded_at = models.DateTimeField(null=True)
    is_final = models.BooleanField(null=True)

    class Meta:
        managed = False
        db_table = '"api"."refund_transactions"'


class ShareCertificate(View):
    """A share certificate: an ERC-721 token."""

    id = models.UUIDField(primary_key=True)
    token_id = models.DecimalField(max_digits=78, decimal_places=0, null=True)
    smart_contract_address = models.TextField(null=True)
    campaign = _to("Campaign", "campaign", "certificates")
    investment = _to("Investment", "investment", "certificates")
    owner = models.TextField(null=True)
    investment_amount = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    voting_weight = models.DecimalField(max_digits=78, decimal_places=0, null=True)
    token_uri = models.TextField(null=True)
    metadata_hash = models.TextField(null=True)
    metadata = models.JSONField(null=True)
    mint_tx_hash = models.TextField(null=True)
    minted_at = models.DateTimeField(null=True)
    transferred = models.BooleanField(null=True)
    transfer_count = models.BigIntegerField(null=True)
    revoked = models.BooleanField(null=True)
    revoke_reason = models.TextField(null=True)
    block_number = models.BigIntegerField(null=True)
    is_final = models.BooleanField(null=True)

    class Meta:
        managed = False
        db_table = '"api"."nft_share_certificates"'


class CertificateTransfer(View):
    """A certificate changed hands."""

    id = models.TextField(primary_key=True)
    token_id = models.DecimalField(max_digits=78, decimal_places=0, null=True)
    smart_contract_address = models.TextField(null=True)
    certificate = _to("ShareCertificate", "certificate", "transfers")
    from_address = models.TextField(null=True)
    to_address = models.TextField(null=True)
    transfer_count = models.BigIntegerField(null=True)
    reason = models.TextField(null=True)
    transfer_tx_hash = models.TextField(null=True)
    block_number = models.BigIntegerField(null=True)
    transferred_at = models.DateTimeField(null=True)
    is_final = models.BooleanField(null=True)

    class Meta:
        managed = False
        db_table = '"api"."nft_transfer_history"'


class ChainStatus(View):
    """How far the database is true to the chain: one row."""

    chain_id = models.BigIntegerField(primary_key=True)
    indexed_number = models.BigIntegerField(null=True)
    indexed_hash = models.TextField(null=True)
    indexed_at = models.DateTimeField(null=True)
    final_number = models.BigIntegerField(null=True)
    final_hash = models.TextField(null=True)
    lag_seconds = models.DecimalField(max_digits=20, decimal_places=3, null=True)
    syncing = ArrayField(models.TextField(), null=True)
    reorg_suspected = models.TextField(null=True)
    last_change = models.BigIntegerField(null=True)
    updated_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = '"api"."chain_status"'


class Activity(View):
    """Something that happened on the chain."""

    pk = models.CompositePrimaryKey("block_number", "tx_index", "log_index")
    at = models.DateTimeField(null=True)
    kind = models.TextField(null=True)
    what = models.TextField(null=True)
    campaign = _to("Campaign", "campaign", "activity")
    company = _to("Company", "company", "activity")
    token_id = models.DecimalField(max_digits=78, decimal_places=0, null=True)
    wallet = models.TextField(null=True)
    amount = models.DecimalField(max_digits=80, decimal_places=2, null=True)
    smart_contract_address = models.TextField(null=True)
    tx_hash = models.TextField(null=True)
    block_number = models.BigIntegerField()
    tx_index = models.IntegerField()
    log_index = models.IntegerField()
    is_final = models.BooleanField(null=True)

    class Meta:
        managed = False
        db_table = '"api"."activity"'


_VIEWS = {view._meta.db_table: view for view in (User, Company, Campaign, Investment)}


def view_of(record: type[models.Model]) -> type[View] | None:
    """The view of a kind of record, which is called as its table is; None: such records are not on chain."""
    return _VIEWS.get(record._meta.db_table.replace("platform", "api"))
