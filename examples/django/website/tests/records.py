"""Records for tests, made step by step as their rules want it."""

import secrets

from records.models import Campaign, Company, User


def user(role: str, **more: object) -> User:
    """A new user of that role."""
    made = User(full_name=f"The {role}", email=f"{secrets.token_hex(6)}@example.org", role=role, **more)
    made.save()
    return made


def verified_company() -> Company:
    """Verified, and so its registration is asked for."""
    made = Company(
        owner=user("issuer"), name="Sheger Coffee", tin=secrets.token_hex(6), sector="agriculture",
        wallet=f"0x{secrets.token_hex(20)}", document_uri="https://example.org/profile.pdf",
        credential_hash=f"0x{secrets.token_hex(32)}",
    )  # fmt: skip
    made.save()
    made.verified = True
    made.save(update_fields=["verified"])
    return made


def approved_campaign(company: Company) -> Campaign:
    """Approved, and so its creation is asked for."""
    made = Campaign(
        company=company, title="A new roastery", goal=100_000, duration_days=30,
        document_uri="https://example.org/offer.pdf",
    )  # fmt: skip
    made.save()
    for status in ("pending", "approved"):
        made.status = status
        made.save(update_fields=["status"])
    return made
