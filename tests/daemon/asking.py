"""The commands of intents and lanes as a user has them: settings, a database, answers."""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from chainfirst import daemon
from chainfirst.ops.errors import ChainfirstError
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
SIGNER, OTHER = "0x" + "ab" * 20, "0x" + "cd" * 20
HASHES = ["0x" + f"{number:064x}" for number in range(10)]
CAMPAIGN = "0190b1c2-3d4e-7f80-9a0b-1c2d3e4f5062"
ARTIFACTS = {
    "issuer_registry": "IssuerRegistry",
    "campaign_factory": "CampaignFactory",
    "share_certificate": "NFTShareCertificate",
}
SHOP = [
    {"type": "function", "name": "pay", "inputs": [], "outputs": [], "stateMutability": "payable"},
    {"type": "event", "name": "Paid", "inputs": [], "anonymous": False},
]
WRITER = """
[writer]
signer = "env:KEY"
calls = ["shop.pay"]
[writer.lanes.certificates]
signer = "env:OTHER_KEY"
kinds = ["certificate.*"]
[writer.kinds."contract.call"]
max_amount = "1000"
approve_above = "100"
"""


@dataclass(frozen=True)
class Answer:
    """Of a command, as `daemon.main` would end the process."""

    code: int
    out: str
    error: str


class Desk:
    """A person at a terminal. `sql`: a session of the database's owner, in autocommit."""

    def __init__(self, url: str, directory: Path, sql: "psycopg.Connection[Any]") -> None:
        self.url, self.file, self.sql = url, directory / "config.toml", sql
        (directory / "shop.json").write_text(json.dumps(SHOP))
        self.configure()

    def configure(self, url: str | None = None, more: str = WRITER, deployed: bool = True) -> None:
        places = [
            f'[contracts.{key}]\nabi = "{ROOT}/contracts/artifacts/{name}.json"\n'
            + (f'address = "0x{number:040x}"\n' if deployed else "")
            for number, (key, name) in enumerate(ARTIFACTS.items(), 1)
        ]
        self.file.write_text(
            'deployment = "deployment.json"\n'
            f'[database]\nurl = "{url or self.url}"\n'
            '[chain]\nchain_id = 31337\nendpoints = ["http://127.0.0.1:1"]\n'
            f'[contracts.shop]\nabi = "shop.json"\naddress = "{SIGNER}"\n'
            f'[contracts.campaign]\nabi = "{ROOT}/contracts/artifacts/CampaignImplementation.json"\n'
            'factory = { contract = "campaign_factory", event = "CampaignCreated", parameter = "campaign" }\n'
            f"{''.join(places)}{more}"
        )

    def run(self, *arguments: str, said: str = "") -> Answer:
        done = CliRunner().invoke(daemon.app, ["--config", str(self.file), *arguments], input=said)
        if isinstance(done.exception, ChainfirstError):
            return Answer(done.exception.exit_code, done.stdout, str(done.exception))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Answer(done.exit_code, done.stdout, done.stderr)

    def does(self, *arguments: str, said: str = "") -> str:
        """What it prints where it must succeed without a word on standard error."""
        answer = self.run(*arguments, said=said)
        assert (answer.code, answer.error) == (0, ""), answer
        return answer.out

    def refuses(self, *arguments: str, code: int = 1) -> str:
        """What it says where it must fail, on one line."""
        answer = self.run(*arguments)
        assert (answer.code, answer.out) == (code, ""), answer
        assert "\n" not in answer.error
        return answer.error

    def json(self, *arguments: str) -> Any:
        return json.loads(self.does(*arguments, "--json"))

    def submit(self, key: str = "pay:1", **payload: Any) -> uuid.UUID:
        """Asked by SQL, as an app does."""
        given = {"contract": "shop", "function": "pay", "event": "Paid", **payload}
        row = self.sql.execute(
            "SELECT intent.submit('contract.call', %s, %s)", [json.dumps(given), key]
        ).fetchone()
        assert row is not None
        found: uuid.UUID = row[0]
        return found

    def one(self, statement: str, *values: object) -> Any:
        row = self.sql.execute(statement.encode(), values).fetchone()
        assert row is not None
        return row[0] if len(row) == 1 else row
