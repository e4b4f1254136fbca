"""What everybody may see: campaigns and certificates, as the chain has them."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from api.models import Campaign, ChainStatus, ShareCertificate

PAGE = 50


def campaigns(request: HttpRequest) -> HttpResponse:
    """All campaigns that are on chain, the newest first."""
    rows = Campaign.objects.exclude(smart_contract_address=None).select_related("company").order_by("-id")
    return _page(request, "website/campaigns.html", rows)


def certificates(request: HttpRequest) -> HttpResponse:
    """All certificates, the newest first."""
    rows = ShareCertificate.objects.select_related("campaign").order_by("-token_id")
    return _page(request, "website/certificates.html", rows)


def _page(request: HttpRequest, template: str, rows: object) -> HttpResponse:
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return render(request, template, {"page": page, "chain": ChainStatus.objects.first()})
