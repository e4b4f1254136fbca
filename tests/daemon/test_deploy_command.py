"""chainfirst deploy on a real node: what it writes, what it keeps, what it replaces, what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from chainfirst import daemon
from chainfirst.contracts import build
from chainfirst.contracts import deployment as deployments
from chainfirst.ops import config, errors
from chainfirst.ops.dev.node import Anvil
from typer.testing import CliRunner
from web3 import Web3

ROOT = Path(__file__).parents[2]
KEY = "0x" + "42" * 32
DEV_ACCOUNT, WRITER = (
    "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
)
OWNER, OPERATOR, TREASURY = ("0x" + Web3.to_checksum_address("0x" + digit * 40)[2:] for digit in "abc")
ROLES = {
    "campaign_factory": {"ADMIN", "OPERATOR_ROLE"},
    "issuer_registry": {"ADMIN", "REGISTRAR_ROLE"},
    "share_certificate": {"ADMIN", "MINTER_ROLE", "REGISTRAR_ROLE"},
    "token": {"ADMIN", "MINTER_ROLE"},
}


@pytest.fixture
def home(fresh_anvil: Anvil) -> Path:
    """A folder with a fresh node as its development node."""
    directory = fresh_anvil.directory / "home"
    directory.mkdir()
    (directory / ".chainfirst").symlink_to(fresh_anvil.directory)
    write_config(directory, "dev")
    return directory


def write_config(directory: Path, endpoint: str, chain_id: int = 31337) -> None:
    shipped = (ROOT / "config.toml").read_text().replace("contracts/artifacts", str(build.ARTIFACTS))
    text = shipped.replace('["dev"]', f'["{endpoint}"]').replace("chain_id = 31337", f"chain_id = {chain_id}")
    (directory / "config.toml").write_text(text)


def deploy(home: Path, *arguments: str, **environ: str) -> Any:
    return CliRunner(env=environ).invoke(
        daemon.app, ["--config", str(home / "config.toml"), "deploy", *arguments]
    )


def written(home: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((home / ".chainfirst" / "deployment.json").read_text())
    return content


def test_it_deploys_once_for_each_chain(home: Path, fresh_anvil: Anvil) -> None:
    first = deploy(home, "--json")
    assert first.exit_code == 0, first.output
    said = json.loads(first.output)
    assert not said["kept"]
    assert {key: set(held) for key, held in said["roles"].items()} == ROLES
    assert {holder for held in said["roles"].values() for who in held.values() for holder in who} == {WRITER}
    assert said["contracts"] == written(home)["contracts"]
    found = config.load(home / "config.toml", {})
    assert found.undeployed == ()
    assert found.contracts["token"].addresses == (said["contracts"]["token"]["address"].lower(),)
    assert found.contracts["token"].start_block == said["contracts"]["token"]["start_block"] > 0

    web3 = Web3(Web3.HTTPProvider(fresh_anvil.url))
    abi = json.loads((build.ARTIFACTS / "BirrToken.json").read_text())["abi"]
    token = web3.eth.contract(said["contracts"]["token"]["address"], abi=abi)
    assert token.functions.balanceOf(DEV_ACCOUNT).call() == 100_000_000_00
    factory = said["contracts"]["campaign_factory"]["address"]
    assert token.functions.allowance(DEV_ACCOUNT, factory).call() == 2**256 - 1

    again = deploy(home)
    assert again.exit_code == 0
    assert "kept" in again.output
    assert written(home)["contracts"] == said["contracts"]

    wanted = deploy(home, "--again")
    assert wanted.exit_code == 0
    assert written(home)["contracts"] != said["contracts"]
    assert (
        json.loads((fresh_anvil.directory / "deployment.json.bak").read_text())["contracts"]
        == said["contracts"]
    )

    # `dev down` loses the chain, but not the file
    fresh_anvil.stop()
    fresh_anvil.start()
    stale = deploy(home)
    assert stale.exit_code == 0, stale.output
    assert 'eval "$(chainfirst dev env)"' in stale.output
    assert "its chain began with block" in stale.output
    assert deployments.absence(web3, written(home)) is None


def test_roles_go_where_the_options_say(home: Path, fresh_anvil: Anvil) -> None:
    web3 = Web3(Web3.HTTPProvider(fresh_anvil.url))
    deployer = web3.eth.account.from_key(KEY).address
    web3.provider.make_request("anvil_setBalance", [deployer, hex(10**24)])  # type: ignore[arg-type]
    done = deploy(
        home, "--key-variable", "DEPLOYER_KEY", "--owner", OWNER, "--operator", OPERATOR, "--operator", OWNER,
        "--treasury", TREASURY, "--fee-bps", "250", DEPLOYER_KEY=KEY,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert KEY[2:] not in done.output
    assert f"the treasury {TREASURY} must approve the factory" in done.output
    held = deployments.role_holders(web3, written(home))
    assert held["campaign_factory"] == {"ADMIN": [OWNER], "OPERATOR_ROLE": sorted([OPERATOR, OWNER])}
    assert held["issuer_registry"] == {"ADMIN": [OWNER], "REGISTRAR_ROLE": [deployer]}
    factory = web3.eth.contract(
        address=written(home)["contracts"]["campaign_factory"]["address"],
        abi=json.loads((build.ARTIFACTS / "CampaignFactory.json").read_text())["abi"],
    )
    assert factory.functions.feeBps().call() == 250
    assert factory.functions.treasury().call() == TREASURY


def test_on_another_chain_a_file_that_does_not_fit_is_not_replaced(home: Path, fresh_anvil: Anvil) -> None:
    assert deploy(home).exit_code == 0
    before = written(home)
    fresh_anvil.stop()
    fresh_anvil.start()
    write_config(home, fresh_anvil.url)  # the same node, but not as the development node
    refused = deploy(home, "--key-variable", "DEPLOYER_KEY", DEPLOYER_KEY=KEY)
    assert isinstance(refused.exception, errors.FatalError)
    assert "--again" in str(refused.exception)
    assert written(home) == before


@pytest.mark.parametrize(
    ("key", "words"),
    [(None, "--key-variable"), ("", "DEPLOYER_KEY is not set"), ("0x1234secret", "no private key")],
)
def test_a_key_that_is_missing_or_wrong_is_named_and_not_shown(
    home: Path, fresh_anvil: Anvil, key: str | None, words: str
) -> None:
    write_config(home, fresh_anvil.url)
    options = [] if key is None else ["--key-variable", "DEPLOYER_KEY"]
    refused = deploy(home, *options, DEPLOYER_KEY=key or "")
    assert isinstance(refused.exception, errors.ConfigError)
    assert words in str(refused.exception)
    assert "secret" not in str(refused.exception) + refused.output


def test_what_the_node_refuses_is_told_without_secrets(home: Path, fresh_anvil: Anvil) -> None:
    write_config(home, f"{fresh_anvil.url}/?key=geheim")
    poor = deploy(home, "--key-variable", "DEPLOYER_KEY", DEPLOYER_KEY=KEY)
    assert isinstance(poor.exception, errors.FatalError)
    assert "refuses" in str(poor.exception)
    assert "geheim" not in str(poor.exception) + poor.output
    assert not (home / ".chainfirst" / "deployment.json").exists()


def test_a_file_that_is_no_deployment_is_set_aside(home: Path, fresh_anvil: Anvil) -> None:
    (fresh_anvil.directory / "deployment.json").write_text("nonsense")
    done = deploy(home)
    assert done.exit_code == 0, done.output
    assert (fresh_anvil.directory / "deployment.json.bak").read_text() == "nonsense"
    assert sorted(written(home)["contracts"]) == sorted(ROLES)
