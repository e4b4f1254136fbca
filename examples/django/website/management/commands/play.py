"""`manage.py play`"""

import os
import shlex
import subprocess
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from website.play import Play


class Command(BaseCommand):
    """Plays the platform's whole life."""

    help = "Play the platform's whole life. The daemon has to run"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--pass-days", metavar="COMMAND", default=os.environ.get("PLATFORM_PASS_DAYS", ""),
            help="lets as many days pass on the chain as it is told, which a development chain can; "
            "else PLATFORM_PASS_DAYS; without either the play waits for them",
        )  # fmt: skip

    def handle(self, *_: Any, pass_days: str, **__: Any) -> None:
        def passing(days: int) -> None:
            subprocess.run([*shlex.split(pass_days), str(days)], check=True)

        Play(self.stdout.write, passing if pass_days else None).play()
