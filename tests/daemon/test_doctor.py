"""chainfirst doctor on a real node and database: all well, and each line wrong once."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst import daemon
from chainfirst.contracts import build
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops import config, errors
from chainfirst.ops.commands import checks_chain, checks_database, finding, probing
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import store
from chainfirst.tests.daemon.deaf import Deaf
from chainfirst.tests.indexer.served import Fault, Proxy
from psycopg import sql
from typer.testing import CliRunner

# anvil's first account, which deploys; and one that nobody knows
DEPLOYER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
DEPLOYER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
STRANGER_KEY = "0x" + "37" * 32
NOWHERE = "0x" + "ab" * 20


@pytest.fixture(scope="module")
def home(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the platform deployed on this worker's node."""
    directory = tmp_path_factory.mktemp("doctor")
    shipped = (build.FOLDER.parent / "config.toml").read_text().replace('["dev"]', f'["{anvil.url}"]')
    text = shipped.replace("contracts/artifacts", str(build.ARTIFACTS))
    (directory / "config.toml").write_text(text)
    done = CliRunner(env={"DOCTOR_DEPLOYER": DEPLOYER_KEY}).invoke(
        daemon.app,
        ["--config", str(directory / "config.toml"), "deploy", "--key-variable", "DOCTOR_DEPLOYER"],
    )
    assert done.exit_code == 0, (done.output, done.exception)
    return directory


@pytest.fixture(scope="session")
def pg_template(platform_template: str) -> str:
    return platform_template


@pytest.fixture
def proxy(anvil: Anvil) -> Iterator[Proxy]:
    with closing(Proxy(anvil.url)) as found:
        yield found


class Patient:
    """The settings, and what is found by them."""

    def __init__(self, home: Path, url: str) -> None:
        self.file = home / "config.toml"
        self.environ = {"CHAINFIRST_DATABASE__URL": url, "CHAINFIRST_WRITER__SIGNER": "env:DOCTOR_KEY"}

    def settings(self, **more: str) -> config.Config:
        named = {f"CHAINFIRST_{name.upper()}": value for name, value in more.items()}
        return config.load(self.file, self.environ | named)

    def says(self, *arguments: str, **environ: str) -> Any:
        runner = CliRunner(env=self.environ | {"DOCTOR_KEY": DEPLOYER_KEY} | environ)
        return runner.invoke(daemon.app, ["--config", str(self.file), "doctor", *arguments])


@pytest.fixture(scope="module")
def patient(home: Path, pg_cluster: Cluster, platform_template: str) -> Iterator[Patient]:
    """With a database that no test changes."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(platform_template)))
        try:
            yield Patient(home, pg_cluster.url(name))
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def changed(home: Path, pg_url: str) -> Patient:
    """With one of its own."""
    return Patient(home, pg_url)


def only(found: Iterator[finding.Finding], part: str) -> finding.Finding:
    """The one finding that is bad, of this part."""
    (wrong,) = [each for each in found if not each.good]
    assert wrong.part == part, wrong
    assert wrong.advice
    return wrong


def of_database(
    settings: config.Config, now: Callable[[], datetime] | None = None
) -> Iterator[finding.Finding]:
    look = checks_database.check(settings, now or checks_database.utc_now, 0.3)
    return finding.guarded("database", lambda: look)


def of_endpoints(
    settings: config.Config, cursor: store.Cursor | None = None, now: datetime | None = None
) -> Iterator[finding.Finding]:
    return checks_chain.check_endpoints(settings, cursor, lambda: now or datetime.now(UTC))


def test_all_is_well(patient: Patient, anvil: Anvil) -> None:
    done = patient.says()
    assert done.exit_code == 0, (done.output, done.exception)
    assert "all is well" in done.output
    parts = {line.split()[1] for line in done.output.splitlines() if line.startswith("ok")}
    assert parts == {
        "settings", "database", "rights", "migrations", "notify", "clock", "leader", "disk", "endpoint",
        "finality", "contracts", "signer", "roles",
    }  # fmt: skip
    for words in (
        "PostgreSQL 18",
        f"{anvil.url}: chain 31337, head",
        DEPLOYER,
        "campaign_factory OPERATOR_ROLE",
    ):
        assert words in done.output
    assert DEPLOYER_KEY[2:] not in done.output
    asked = json.loads(patient.says("--json").output)
    assert asked["wrong"] == 0
    assert {each["part"] for each in asked["findings"]} == parts


def test_what_is_wrong_is_counted_and_ends_with_1(patient: Patient) -> None:
    done = patient.says(DOCTOR_KEY="")
    assert done.exit_code == 1
    assert "WRONG signer" in done.output
    assert "1 to be done" in done.output
    asked = patient.says("--json", DOCTOR_KEY="")
    assert (asked.exit_code, json.loads(asked.output)["wrong"]) == (1, 1)
    refused = patient.says(CHAINFIRST_CHAIN__CHAIN_ID="x")
    assert isinstance(refused.exception, errors.ConfigError)
    assert refused.exception.exit_code == 78


def test_a_database_that_is_away_hides_nothing_else(patient: Patient) -> None:
    done = patient.says(CHAINFIRST_DATABASE__URL="postgresql://u:geheim@127.0.0.1:1/d")
    assert done.exit_code == 1
    assert "WRONG database" in done.output
    assert "ok    roles" in done.output
    assert "geheim" not in done.output


def test_a_login_without_rights(patient: Patient, pg_cluster: Cluster) -> None:
    login = f"stranger_{secrets.token_hex(4)}"
    with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(login)))
        try:
            url = psycopg.conninfo.conninfo_to_dict(patient.environ["CHAINFIRST_DATABASE__URL"])
            stranger = f"postgresql://{login}@/{url['dbname']}?host={url['host']}"
            found = {each.part: each for each in of_database(patient.settings(database__url=stranger))}
        finally:
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))
    assert not found["rights"].good
    assert "no member of chainfirst_owner" in found["rights"].said
    assert "database sql" in found["rights"].advice


def test_a_schema_that_is_older_or_newer(changed: Patient) -> None:
    url = changed.environ["CHAINFIRST_DATABASE__URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO chain.alembic_version VALUES ('core_9999')")
        assert "newer" in only(of_database(changed.settings()), "migrations").said
        connection.execute("DROP TABLE chain.alembic_version")
        wrong = only(of_database(changed.settings()), "migrations")
        assert "missing: core_0001" in wrong.said
        assert "chainfirst migrate" in wrong.advice


def test_notifications_that_get_lost(patient: Patient) -> None:
    url = psycopg.conninfo.conninfo_to_dict(patient.environ["CHAINFIRST_DATABASE__URL"])
    with closing(Deaf(f"{url['host']}/.s.PGSQL.5432")) as way:
        through = (
            f"postgresql://postgres@127.0.0.1:{way.port}/{url['dbname']}?sslmode=disable&gssencmode=disable"
        )
        wrong = only(of_database(patient.settings(database__url=through)), "notify")
    assert "pooler" in wrong.advice


def test_clocks_that_differ(patient: Patient) -> None:
    for hours in (-1, 1):
        other = datetime.now(UTC) + timedelta(hours=hours)
        wrong = only(
            of_database(patient.settings(), partial(datetime.fromtimestamp, other.timestamp(), UTC)), "clock"
        )
        assert wrong.said.startswith("the database's clock is 3")
    ahead = only(of_endpoints(patient.settings(), now=datetime(2020, 1, 1, tzinfo=UTC)), "clock")
    assert "ahead of this machine's clock" in ahead.said


def test_who_leads_and_which_lane_is_stopped(changed: Patient) -> None:
    with psycopg.connect(changed.environ["CHAINFIRST_DATABASE__URL"], autocommit=True) as connection:
        assert store.acquire_leadership(connection) is not None
        connection.execute(
            "INSERT INTO intent.lanes (signer, name, blocked_reason) VALUES (%s, 'default', 'somebody else')",
            [DEPLOYER],
        )
        found = list(of_database(changed.settings()))
        assert "somebody else" in only(iter(found), "lanes").said
        (leader,) = [each for each in found if each.part == "leader"]
        assert f"server process {connection.info.backend_pid}" in leader.said


@pytest.mark.parametrize(
    ("free", "total", "good"),
    [
        (100 << 30, 200 << 30, True),
        (1 << 30, 10 << 30, False),
        (4 << 30, 200 << 30, False),
        (3 << 30, 4 << 30, True),
    ],
)
def test_disks(free: int, total: int, good: bool) -> None:
    assert checks_database.disk("the database", free, total).good == good


def test_endpoints(patient: Patient, anvil: Anvil, proxy: Proxy) -> None:
    def with_second(url: str) -> config.Config:
        return patient.settings(chain__endpoints=f'["{anvil.url}", "{url}"]')

    assert "refused" in only(of_endpoints(with_second("http://127.0.0.1:1/geheim")), "endpoint").said
    proxy.rules = {"eth_chainId": lambda _, forward: "0x5"}
    assert "on chain 5" in only(of_endpoints(with_second(proxy.url)), "endpoint").said
    proxy.rules = {"eth_blockNumber": lambda _, forward: "0x0"}
    node = Endpoint(anvil.url)
    node.call_optional("anvil_mine", ["0x10"], object)
    assert "behind another one" in only(of_endpoints(with_second(proxy.url)), "endpoint").said
    genesis = node.call("eth_getBlockByNumber", ["0x0", False], dict[str, Any])["hash"]
    ours = store.Cursor(31337, genesis, 9**9, "0x" + "11" * 32, 9**9, "0x" + "11" * 32)
    assert "are final here" in only(of_endpoints(patient.settings(), ours), "endpoint").said
    other = store.Cursor(31337, "0x" + "22" * 32)
    assert "genesis" in only(of_endpoints(patient.settings(), other), "endpoint").said
    assert not [each for each in of_endpoints(with_second(anvil.ws_url)) if not each.good]


def test_a_websocket_without_subscriptions(
    patient: Patient, anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "_SUBSCRIBE", '{"jsonrpc":"2.0","id":1,"method":"eth_nothing","params":[]}')
    settings = patient.settings(chain__endpoints=f'["{anvil.url}", "{anvil.ws_url}"]')
    assert "no subscription" in only(of_endpoints(settings), "endpoint").said


def test_finality_that_the_chain_has_not(patient: Patient, proxy: Proxy) -> None:
    def missing(_: object, forward: object) -> Any:
        raise Fault(-32601, "the method does not exist/is not available")

    def untagged(params: list[Any], forward: Callable[[], Any]) -> Any:
        if params[0] == "finalized":
            raise Fault(-32602, "malformed blocknumber")
        return forward()

    methods = ("qbft_getValidatorsByBlockNumber", "ibft_getValidatorsByBlockNumber", "clique_getSigners")
    url = f'["{proxy.url}"]'
    proxy.rules = dict.fromkeys(methods, missing) | {"clique_getSigners": lambda _, forward: [NOWHERE] * 9}
    for value in ("instant", "4"):
        found = patient.settings(chain__endpoints=url, chain__finality=value)
        assert "9 signers" in only(of_endpoints(found), "finality").said
    assert not [
        e for e in of_endpoints(patient.settings(chain__endpoints=url, chain__finality="5")) if not e.good
    ]
    proxy.rules = dict.fromkeys(methods, missing) | {"eth_getBlockByNumber": untagged}
    found = patient.settings(chain__endpoints=url, chain__finality='{ tag = "finalized" }')
    assert "fallback_depth" in only(of_endpoints(found), "finality").advice
    assert not [each for each in of_endpoints(patient.settings(chain__endpoints=url)) if not each.good]


def test_contracts_that_are_not_there(patient: Patient) -> None:
    elsewhere = patient.settings(contracts__token__address=NOWHERE)
    assert NOWHERE in only(checks_chain.check_contracts(elsewhere), "contracts").said
    nothing = patient.settings(deployment="none.json")
    wrong = only(checks_chain.check_contracts(nothing), "contracts")
    assert "share_certificate" in wrong.said
    assert "chainfirst deploy" in wrong.advice


def test_keys(patient: Patient, anvil: Anvil, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCTOR_KEY", STRANGER_KEY)
    found = list(checks_chain.check_lanes(patient.settings()))
    assert "has 0 wei" in found[0].said
    assert [each.part for each in found if not each.good] == ["signer"] + ["roles"] * 5
    roles = " ".join(each.said for each in found[1:])
    for words in (
        "campaign.cancel",
        "certificate.mint",
        "ADMIN of campaign_factory",
        "REGISTRAR_ROLE of issuer_registry",
    ):
        assert words in roles
    environ = {"writer__signer": "keystore:gone.json", "writer__password_file": "gone"}
    assert "gone.json" in only(checks_chain.check_lanes(patient.settings(**environ)), "signer").said
    service = list(checks_chain.check_lanes(patient.settings(writer__signer="keystore:gone.json")))
    assert service == [finding.good("signer", "lane default: not opened, only the service gets its password")]
    monkeypatch.setenv("DOCTOR_KEY", DEPLOYER_KEY)
    node = Endpoint(anvil.url)
    before = node.call("eth_getBalance", [DEPLOYER, "latest"], str)
    node.call_optional("anvil_setBalance", [DEPLOYER, "0x64"], object)
    try:
        assert "has 100 wei" in only(checks_chain.check_lanes(patient.settings()), "signer").said
    finally:
        node.call_optional("anvil_setBalance", [DEPLOYER, before], object)
