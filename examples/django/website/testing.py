"""How this site is tested without a chain: what one would say are plain rows, as the daemon writes them.

The tests run on a database that has the platform's schema already (`make test` makes one), each test in a
transaction that is taken back. Their login is a member of chainfirst_app and, to play the daemon, of
chainfirst_daemon.
"""

from typing import Any

from django.core.management import call_command
from django.test.runner import DiscoverRunner


class OnExistingDatabase(DiscoverRunner):
    """Makes and drops no database."""

    def setup_databases(self, **_: Any) -> list[Any]:
        call_command("migrate", verbosity=0)
        return []

    def teardown_databases(self, old_config: list[Any], **_: Any) -> None:
        pass
