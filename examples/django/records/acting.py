"""On whose behalf the site acts: who is named in the audit, and whose records it sees."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import connection, transaction

from records.models import User


@contextmanager
def acting_as(user: User | None) -> Iterator[None]:
    """A transaction on behalf of that user of the platform; of nobody: the site itself acts."""
    with transaction.atomic():
        if user is not None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('chainfirst.user', %s, true)", [str(user.pk)])
        yield


def user_of(login: Any) -> User | None:
    """Who of the platform's users is logged in here: the one with the login's address.

    A superuser without one acts as the site itself, which may all. PermissionDenied: anybody else without
    one, such as a person who was erased.
    """
    found = User.objects.filter(email__iexact=login.email).first() if login.email else None
    if found is None and not login.is_superuser:
        raise PermissionDenied("no user of the platform has this login's address")
    return found
