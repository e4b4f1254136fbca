"""What config.toml may say: every mistake has its line, and no secret is printed."""

import json
from pathlib import Path

import pytest
from chainfirst.ops import config, errors, settings, values

ROOT = Path(__file__).parents[2]
CHECKSUMMED = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
CREATED = {
    "type": "event", "name": "Created",
    "inputs": [{"name": "child", "type": "address"}, {"name": "count", "type": "uint256"}],
}  # fmt: skip
MINIMAL = '[chain]\nchain_id = 31337\nendpoints = ["dev"]\n'


def load(tmp_path: Path, text: str = MINIMAL, **environ: str) -> config.Config:
    (tmp_path / "abi.json").write_text(json.dumps({"abi": [CREATED]}))
    (tmp_path / "config.toml").write_text(text)
    return config.load(tmp_path / "config.toml", environ)


def mistakes(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(settings.SettingsError) as raised:
        load(tmp_path, text, **environ)
    return [str(problem) for problem in raised.value.problems]


def test_the_config_that_ships_is_right(tmp_path: Path) -> None:
    # without the deployment of whoever runs the tests here
    environ = {"CHAINFIRST_DEPLOYMENT": str(tmp_path / "none.json")}
    shipped = config.load(ROOT / "config.toml", environ)
    assert shipped.database.url.embedded
    assert shipped.chain.endpoints[0].dev
    assert shipped.chain.finality == config.FinalityTag("finalized", 64)
    assert shipped.undeployed == ("issuer_registry", "campaign_factory", "share_certificate", "token")
    assert shipped.state_directory == ROOT / ".chainfirst"


def test_finality_is_a_depth_a_word_or_a_tag(tmp_path: Path) -> None:
    for text, value in [
        ("12", 12),
        ('"instant"', "instant"),
        ('{ tag = "safe" }', config.FinalityTag("safe", None)),
    ]:
        assert load(tmp_path, f"{MINIMAL}finality = {text}").chain.finality == value
    assert mistakes(tmp_path, f'{MINIMAL}finality = {{ tag = "latest", fallback_depth = 0 }}') == [
        'chain.finality.tag: found "latest"; allowed: "finalized" or "safe"',
        "chain.finality.fallback_depth: found 0; allowed: a whole number of 1 or more",
    ]


def test_addresses(tmp_path: Path) -> None:
    upper = "0x" + CHECKSUMMED[2:].upper()
    text = f'{MINIMAL}[contracts.c]\nabi = "abi.json"\naddress = '
    for spelling in (f'"{CHECKSUMMED}"', f'"{CHECKSUMMED.lower()}"', f'["{upper}"]'):
        assert load(tmp_path, text + spelling).contracts["c"].addresses == (CHECKSUMMED.lower(),)
    contract = load(tmp_path, text + '"any"').contracts["c"]
    assert contract.address == "any"
    assert contract.addresses == ()
    override = {"CHAINFIRST_CONTRACTS__C__ADDRESS": CHECKSUMMED}
    assert load(tmp_path, text + '"any"', **override).contracts["c"].addresses == (CHECKSUMMED.lower(),)
    wrong = CHECKSUMMED.replace("FbDB", "fbDB")
    for spelling in (f'"{wrong}"', f'["{wrong}"]'):
        (line,) = mistakes(tmp_path, text + spelling)
        assert line.startswith("contracts.c.address")
        assert f'found "{wrong}", whose checksum is wrong: mistyped?' in line
    (line,) = mistakes(tmp_path, text + '"0x12"')
    assert 'found "0x12"; allowed: an address' in line
    assert len(mistakes(tmp_path, text + "[]")) == 1


def test_contracts_are_checked_against_their_abi(tmp_path: Path) -> None:
    text = f"""{MINIMAL}
[contracts.Bad]
abi = "gone.json"
address = "any"
[contracts.events]
abi = "abi.json"
address = "any"
events = ["Createt"]
[contracts.both]
abi = "abi.json"
address = "any"
factory = {{ contract = "factry", event = "Created", parameter = "child" }}
[contracts.neither]
abi = "abi.json"
[contracts.event]
abi = "abi.json"
factory = {{ contract = "events", event = "Made", parameter = "child" }}
[contracts.parameter]
abi = "abi.json"
factory = {{ contract = "events", event = "Created", parameter = "count" }}
"""
    assert mistakes(tmp_path, text) == [
        'contracts.Bad: found the key "Bad"; allowed: lower-case letters, digits and _, a letter first',
        f"contracts.Bad.abi: found {tmp_path}/gone.json, which does not exist; "
        "allowed: an ABI, or a solc, Hardhat or Foundry artifact",
        'contracts.events.events: found "Createt", which its ABI has not; allowed: Created',
        "contracts.both: found both address and factory; allowed: one of them",
        "contracts.neither.address: found nothing, here or deployed; allowed: an address or a factory",
        'contracts.both.factory.contract: found "factry", which is not configured; '
        "allowed: one of Bad, events, both, neither, event, parameter",
        'contracts.event.factory.event: found "Made", which events has not; allowed: Created',
        'contracts.parameter.factory.parameter: found "count"; allowed: an address parameter: child',
    ]


def test_deployment_fills_in_what_the_settings_leave_out(tmp_path: Path) -> None:
    text = f'deployment = "deployment.json"\n{MINIMAL}[contracts.a]\nabi = "abi.json"\n'
    text += '[contracts.b]\nabi = "abi.json"\naddress = "any"\nstart_block = 3\n'
    assert load(tmp_path, text).undeployed == ("a",)
    known = {"address": CHECKSUMMED, "start_block": 7}
    (tmp_path / "deployment.json").write_text(json.dumps({"contracts": {"a": known, "b": known, "c": known}}))
    loaded = load(tmp_path, text)
    assert loaded.undeployed == ()
    assert loaded.contracts["a"].addresses == (CHECKSUMMED.lower(),)
    assert loaded.contracts["a"].start_block == 7
    assert (loaded.contracts["b"].address, loaded.contracts["b"].start_block) == ("any", 3)
    (tmp_path / "deployment.json").write_text('{"chain_id": 5, "contracts": {}}')
    assert mistakes(tmp_path, text) == [
        "contracts.a.address: found nothing, here or deployed; allowed: an address or a factory",
        "deployment: found a deployment on chain 5; allowed: one on chain 31337",
    ]
    (tmp_path / "deployment.json").write_text("[]")
    with pytest.raises(errors.ConfigError, match="is no deployment"):
        load(tmp_path, text)


def test_what_is_kept_and_where_metrics_are(tmp_path: Path) -> None:
    assert load(tmp_path).metrics.port is None
    assert load(tmp_path).database.keep_changes_days == 7
    text = f"{MINIMAL}[database]\nkeep_changes_days = 1\n[metrics]\nport = "
    assert load(tmp_path, text + "9464").metrics.port == 9464
    assert load(tmp_path, text + "9464").database.keep_changes_days == 1
    assert mistakes(tmp_path, text.replace("1\n", "0\n", 1) + "0") == [
        "database.keep_changes_days: found 0; allowed: a number of days, 1 to 36500",
        "metrics.port: found 0; allowed: a port, 1 to 65535",
    ]


def test_how_long_proofs_of_identity_are_kept(tmp_path: Path) -> None:
    assert load(tmp_path).platform.keep_kyc_days is None
    text = f"{MINIMAL}[platform]\nkeep_kyc_days = "
    assert load(tmp_path, text + "3650").platform.keep_kyc_days == 3650
    for wrong in ("0", "36501"):
        assert mistakes(tmp_path, text + wrong) == [
            f"platform.keep_kyc_days: found {wrong}; allowed: a number of days, 1 to 36500"
        ]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigError, match="does not exist"):
        config.load(tmp_path / "none.toml", {})
    with pytest.raises(errors.ConfigError, match="can't be read"):
        load(tmp_path, "[chain")


@pytest.mark.parametrize(
    ("kind", "full", "printed"),
    [
        (values.DatabaseUrl, "postgresql://u:p@h:5/d", "postgresql://u:***@h:5/d"),
        (values.DatabaseUrl, "postgresql://u:p%40@x@h/d", "postgresql://u:***@h/d"),
        (values.DatabaseUrl, "postgresql:///d?host=/s&password=x", "postgresql:///d?host=/s&password=***"),
        (values.Endpoint, "https://k:s@h/v3/key?x=1", "https://h/…"),
        (values.Endpoint, "wss://h:8546", "wss://h:8546"),
        (values.Signer, "web3signer:https://k:s@h:9", "web3signer:https://h:9"),
        (values.Signer, "keystore:/etc/key.json", "keystore:/etc/key.json"),
    ],
)
def test_secrets_are_not_printed(kind: type[settings.Text], full: str, printed: str) -> None:
    value = kind(full)
    assert value.full == full
    assert str(value) == printed
    assert f"{value!r}" == f"'{printed}'"


def test_secrets_are_not_printed_in_mistakes_either(tmp_path: Path) -> None:
    text = '[chain]\nchain_id = 1\nendpoints = ["ftp://u:geheim@h/geheim"]\n'
    text += '[database]\nurl = "mysql://u:geheim@h/d"\n[writer]\nsigner = "geheim"\n'
    lines = mistakes(tmp_path, text)
    assert len(lines) == 3
    assert "geheim" not in "".join(lines)


@pytest.mark.parametrize("key", ["0x" + "5eC" * 21 + "e", "5" * 64, "5ec"])
def test_a_key_in_the_place_of_the_signer_is_not_printed(tmp_path: Path, key: str) -> None:
    spellings = [MINIMAL + f'[writer]\nsigner = "{key}"\n']
    if key != "5ec":
        spellings.append(MINIMAL + f"[writer]\nsigner = {key}\n")
    lines = [line for text in spellings for line in mistakes(tmp_path, text)]
    lines += mistakes(tmp_path, MINIMAL, CHAINFIRST_WRITER__SIGNER=key)
    assert len(lines) == len(spellings) + 1
    assert key.lower() not in "".join(lines).lower()
    assert str(int(key, 16)) not in "".join(lines)
    assert "writer.signer" in lines[-1]


def test_urls(tmp_path: Path) -> None:
    for bad in ("", "host/db", "postgresql:db", "http://h", "postgresql://h:port/d"):
        with pytest.raises(ValueError, match='"'):
            values.DatabaseUrl(bad)
    for bad in ("", "http://", "localhost:8545", "http://h:x"):
        with pytest.raises(ValueError, match='"'):
            values.Endpoint(bad)
