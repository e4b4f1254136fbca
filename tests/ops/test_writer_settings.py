"""[writer]: lanes, limits, fees and calls; every mistake has its line, and no key is shown."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from chainfirst.ops import config, mistakes, settings, values
from chainfirst.ops.dev.node import Anvil
from eth_account import Account

ROOT = Path(__file__).parents[2]
ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
MINIMAL = '[chain]\nchain_id = 31337\nendpoints = ["dev"]\n'
WRITER = f'{MINIMAL}[writer]\nsigner = "env:KEY"\n'
KEY = "5ec7e7c0ffee" * 5 + "beef"
ABI = [
    {"type": "function", "name": "transfer", "stateMutability": "nonpayable",
     "inputs": [{"type": "address", "name": "to"}, {"type": "uint256", "name": "value"}]},
    {"type": "function", "name": "balanceOf", "stateMutability": "view", "inputs": [{"type": "address"}]},
    {"type": "function", "name": "symbol", "constant": True, "inputs": []},
    {"type": "function", "name": "put", "stateMutability": "payable", "inputs": []},
    {"type": "function", "name": "put", "stateMutability": "payable", "inputs": [
        {"type": "tuple[2]", "components": [{"type": "uint8"}, {"type": "tuple", "components": []}]}]},
]  # fmt: skip


def load(tmp_path: Path, text: str, **environ: str) -> config.Config:
    (tmp_path / "abi.json").write_text(json.dumps(ABI))
    (tmp_path / "config.toml").write_text(text)
    return config.load(tmp_path / "config.toml", environ)


def wrong(tmp_path: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(settings.SettingsError) as raised:
        load(tmp_path, text, **environ)
    assert KEY not in str(raised.value).lower()
    return [str(problem) for problem in raised.value.problems]


def test_what_stands_if_nothing_is_said(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL).writer == config.Writer()
    assert load(tmp_path, MINIMAL).writer.every_lane == {}
    assert load(tmp_path, MINIMAL).writer.lane_of("issuer.register") is None
    writer = load(tmp_path, WRITER).writer
    assert (writer.in_flight, writer.behind_blocks, writer.gas_margin_percent, writer.gas_cap) == (
        16,
        2,
        25,
        None,
    )
    assert (writer.stuck_blocks, writer.stuck_seconds, writer.calls) == (3, 60.0, ())
    assert writer.fees == config.Fees(0, 50, 500_000_000_000, 2)
    assert writer.every_lane == {"default": config.Lane(values.Signer("env:KEY"), ())}


def test_the_commented_settings_that_ship_are_right_too(tmp_path: Path) -> None:
    """Every key of the writer stands there once, with its default where it has one."""
    lines = (ROOT / "config.toml").read_text().splitlines()
    first, last = lines.index("# [writer]"), lines.index("# [metrics]")
    shown = "\n".join(line.removeprefix("# ") for line in lines[first:last])
    token = '[contracts.token]\nabi = "abi.json"\naddress = "any"\n'
    writer = load(tmp_path, MINIMAL + token + shown).writer
    defaults = config.Writer()
    for name in ("in_flight", "behind_blocks", "stuck_blocks", "stuck_seconds", "gas_margin_percent", "fees"):
        assert getattr(writer, name) == getattr(defaults, name)
    assert writer.lanes.keys() == {"certificates"}
    assert writer.kinds["escrow.refund"].max_amount == values.Amount("1000000")
    for cls in (config.Writer, config.Fees, config.Lane, config.KindLimits):
        for name in cls.__dataclass_fields__:
            assert f"{name} = " in shown or f"[writer.{name}" in shown


def test_lanes(tmp_path: Path) -> None:
    text = f"""{WRITER}
[writer.lanes.certificates]
signer = "keystore:key.json"
password_file = "password"
kinds = ["certificate.*", "escrow.release"]
[writer.lanes.minting]
signer = "web3signer:http://h:9000#{ADDRESS}"
kinds = ["certificate.mint", "escrow.*"]
"""
    writer = load(tmp_path, text).writer
    assert list(writer.every_lane) == ["default", "certificates", "minting"]
    assert writer.every_lane["default"].password_file is None
    for kind, lane in [
        ("certificate.transfer", "certificates"),
        ("certificate.mint", "minting"),
        ("escrow.refund", "minting"),
        ("escrow.release", "certificates"),
        ("issuer.register", "default"),
        ("certificates.x", "default"),
    ]:
        assert writer.lane_of(kind) == lane


def test_mistakes_between_lanes(tmp_path: Path) -> None:
    text = f"""{WRITER}password_file = "password"
[writer.lanes.a]
signer = "keystore:key.json"
kinds = ["certificate.*", "escrow.refund"]
[writer.lanes.b]
signer = "keystore:./x/../key.json"
kinds = ["escrow.refund", "escrow.*"]
[writer.lanes.Default]
signer = "web3signer:http://h:9000#{ADDRESS}"
kinds = ["certificate.*"]
[writer.lanes.default]
signer = "web3signer:http://h:9000#{ADDRESS.lower()}"
password_file = "x"
kinds = ["issuer.*"]
"""
    lower = f"web3signer:http://h:9000#{ADDRESS.lower()}"
    assert wrong(tmp_path, text) == [
        'writer.lanes.b.kinds[0]: found "escrow.refund", which the lane a has; '
        "allowed: a kind in one lane only",
        'writer.lanes.Default: found the name "Default"; '
        'allowed: lower-case letters, digits and _, a letter first, not "default"',
        'writer.lanes.Default.kinds[0]: found "certificate.*", which the lane a has; '
        "allowed: a kind in one lane only",
        'writer.lanes.default: found the name "default"; '
        'allowed: lower-case letters, digits and _, a letter first, not "default"',
        "writer.password_file: found a password for env:KEY; allowed: one for a keystore only",
        "writer.lanes.b.signer: found keystore:./x/../key.json, the same as writer.lanes.a.signer; "
        "allowed: a key of its own",
        f"writer.lanes.default.password_file: found a password for {lower}; allowed: one for a keystore only",
        f"writer.lanes.default.signer: found {lower}, "
        "the same as writer.lanes.Default.signer; allowed: a key of its own",
    ]


def test_lanes_and_passwords_need_a_signer_for_the_rest(tmp_path: Path) -> None:
    for text in ('password_file = "p"\n', '[writer.lanes.a]\nsigner = "env:A"\nkinds = ["a.b"]\n'):
        assert wrong(tmp_path, f"{MINIMAL}[writer]\n{text}") == [
            "writer.signer: found nothing; allowed: a signer, where lanes or password_file are set"
        ]


def test_values_out_of_range_and_unknown_keys(tmp_path: Path) -> None:
    text = f"""{WRITER}in_flights = 3
in_flight = 0
behind_blocks = -1
stuck_blocks = 0
stuck_seconds = 0
gas_margin_percent = 2.5
gas_cap = 20999
[writer.fees]
tip_floor = 1
tip_percentile = 101
fee_cap_wei = 0
base_fee_multiplier = 1.5
[writer.lanes.a]
signer = "env:A"
kinds = []
[writer.lanes.b]
signer = "env:B"
kinds = ["*", "mint", "a.*.b", "A.b", "a.b*"]
[writer.kinds.escrow.refund]
max_amount = "1"
[writer.kinds."escrow.release"]
max_amount = 5
max_amount_a_day = "1e6"
approve_above = "-1"
"""
    pattern = 'allowed: a kind such as "certificate.mint", or all of a domain: "certificate.*"'
    amount = 'allowed: token units as a text of decimal digits, such as "1000000"'
    assert wrong(tmp_path, text) == [
        "writer.in_flights: found a key that is not known; allowed: in_flight (did you mean that?)",
        "writer.in_flight: found 0; allowed: a whole number of 1 or more",
        "writer.behind_blocks: found -1; allowed: a whole number of 0 or more",
        "writer.stuck_blocks: found 0; allowed: a whole number of 1 or more",
        "writer.stuck_seconds: found 0; allowed: a number of seconds above 0",
        "writer.gas_margin_percent: found 2.5; allowed: a whole number of 0 or more",
        "writer.gas_cap: found 20999; allowed: gas, 21000 or more",
        "writer.fees.tip_floor: found a key that is not known; allowed: tip_floor_wei (did you mean that?)",
        "writer.fees.tip_percentile: found 101; allowed: a percentile, 0 to 100",
        "writer.fees.fee_cap_wei: found 0; allowed: a whole number of 1 or more",
        "writer.fees.base_fee_multiplier: found 1.5; allowed: a whole number of 1 or more",
        "writer.lanes.a.kinds: found a list; allowed: a list of one kind or more",
        f'writer.lanes.b.kinds[0]: found "*"; {pattern}',
        f'writer.lanes.b.kinds[1]: found "mint"; {pattern}',
        f'writer.lanes.b.kinds[2]: found "a.*.b"; {pattern}',
        f'writer.lanes.b.kinds[3]: found "A.b"; {pattern}',
        f'writer.lanes.b.kinds[4]: found "a.b*"; {pattern}',
        "writer.kinds.escrow.refund: found a key that is not known; "
        "allowed: max_amount, max_amount_a_day, approve_above",
        f"writer.kinds.escrow.release.max_amount: found 5; {amount}",
        f'writer.kinds.escrow.release.max_amount_a_day: found "1e6"; {amount}',
        f'writer.kinds.escrow.release.approve_above: found "-1"; {amount}',
    ]


def test_limits(tmp_path: Path) -> None:
    most = 2**256 - 1
    text = f"""{WRITER}[writer.kinds."escrow.refund"]
max_amount = "{most}"
approve_above = "0"
"""
    limits = load(tmp_path, text).writer.kinds["escrow.refund"]
    assert limits.max_amount is not None
    assert limits.max_amount.units == most
    assert limits.max_amount_a_day is None
    assert limits.approve_above == values.Amount("0")
    for bad in ("", "01", "+1", "1.0", "1_000", " 1", "0x1", "١", str(2**256)):
        (line,) = wrong(tmp_path, f'{WRITER}[writer.kinds."a.b"]\nmax_amount = "{bad}"\n')
        assert line.startswith(f'writer.kinds.a.b.max_amount: found "{bad}"')
    variable = {"CHAINFIRST_WRITER__KINDS": '{ "a.b" = { max_amount = "5" } }'}
    assert load(tmp_path, WRITER, **variable).writer.kinds["a.b"].max_amount == values.Amount("5")


def test_limits_that_limit_nothing(tmp_path: Path) -> None:
    text = f"""{WRITER}[writer.fees]
tip_floor_wei = 3
fee_cap_wei = 2
[writer.kinds.escrow]
[writer.kinds."escrow.*"]
[writer.kinds."a.b"]
max_amount = "5"
max_amount_a_day = "4"
approve_above = "4"
[writer.kinds."a.c"]
max_amount = "5"
approve_above = "5"
"""
    one_kind = 'allowed: one kind by its name, such as "escrow.refund"'
    assert wrong(tmp_path, text) == [
        "writer.fees.tip_floor_wei: found 3; allowed: at most fee_cap_wei, 2",
        f'writer.kinds.escrow: found the kind "escrow"; {one_kind}',
        f'writer.kinds.escrow.*: found the kind "escrow.*"; {one_kind}',
        'writer.kinds.a.b.max_amount: found "5"; allowed: at most max_amount_a_day, "4"',
        'writer.kinds.a.b.approve_above: found "4"; allowed: less than "4", the most amount',
        'writer.kinds.a.c.approve_above: found "5"; allowed: less than "5", the most amount',
    ]


def test_kinds_that_there_are_not(tmp_path: Path) -> None:
    text = f"""{WRITER}[writer.lanes.a]
signer = "env:A"
kinds = ["escrow.*", "certificate.*", "issuer.registr"]
[writer.kinds."escrow.refnd"]
max_amount = "5"
[writer.kinds."issuer.register"]
[writer.kinds."escrow.refund"]
max_amount = "5"
"""
    amounts = {"escrow.refund": "the refund", "issuer.register": None}
    found = mistakes.kind_mistakes(load(tmp_path, text).writer, amounts)
    known = "allowed: escrow.refund, issuer.register"
    assert [str(problem) for problem in found] == [
        f'writer.lanes.a.kinds[1]: found "certificate.*", which is no kind; {known}',
        f'writer.lanes.a.kinds[2]: found "issuer.registr", which is no kind; {known}',
        f'writer.kinds.escrow.refnd: found "escrow.refnd", which is no kind; {known}',
        'writer.kinds.issuer.register: found "issuer.register", which has no amount; allowed: escrow.refund',
    ]


def test_calls_are_functions_that_change_something(tmp_path: Path) -> None:
    token = '[contracts.token]\nabi = "abi.json"\naddress = "any"\n'
    right = ["token.transfer", "token.transfer(address, uint256)", "token.put", "token.put((uint8,())[2])"]
    text = f"{WRITER}calls = {json.dumps(right)}\n{token}"
    assert load(tmp_path, text).writer.calls == tuple(right)
    bad = ["token", "transfer", "tokn.transfer", "token.balanceOf", "token.symbol", "token.put(uint8)"]
    known = "put((uint8,())[2]), put(), transfer(address,uint256)"
    contract = 'allowed: "contract.function" of a configured contract: token'
    function = f"allowed: one of token's functions that change something: {known}"
    assert wrong(tmp_path, f"{WRITER}calls = {json.dumps(bad)}\n{token}") == [
        f'writer.calls[{index}]: found "{call}"; {contract if index < 3 else function}'
        for index, call in enumerate(bad)
    ]


@pytest.mark.parametrize(
    ("signer", "shown", "kind", "target", "account"),
    [
        ("keystore:/etc/a#b.json", "keystore:/etc/a#b.json", "keystore", "/etc/a#b.json", None),
        (f"keystore:/UTC--{KEY}.json", f"keystore:/UTC--{KEY}.json", "keystore", f"/UTC--{KEY}.json", None),
        ("env:KEY_1", "env:KEY_1", "env", "KEY_1", None),
        ("web3signer:http://h:9000", "web3signer:http://h:9000", "web3signer", "http://h:9000", None),
        (
            f"web3signer:https://u:p@h/x?k=y#{ADDRESS}", f"web3signer:https://h/…#{ADDRESS}",
            "web3signer", "https://u:p@h/x?k=y", ADDRESS.lower(),
        ),
    ],
)  # fmt: skip
def test_signers(signer: str, shown: str, kind: str, target: str, account: str | None) -> None:
    value = values.Signer(signer)
    assert (str(value), repr(value)) == (shown, f"'{shown}'")
    assert (value.kind, value.target, value.account) == (kind, target, account)


@pytest.mark.parametrize(
    "signer",
    [
        KEY, f"0x{KEY}", f"env:0x{KEY}", f"env:{KEY}", f"env:{int(KEY, 16)}", f"keystore:{KEY}",
        f"keystore:0x{KEY}", f"keystore:{int(KEY, 16)}", f"web3signer:{KEY}", f"web3signer:http://h#0x{KEY}",
        f"web3signer:http://{KEY}@h:x", f"web3signer:http://u:{KEY}@h#{ADDRESS[:-1]}", f"ledger:{KEY}",
        "env:", "env:A-B", "env:CHAINFIRST_KEY", "web3signer:h:9000", "web3signer:ftp://h", "web3signer:http://h#",
        "web3signer:http://h#x",
        f"web3signer:http://h#{ADDRESS.replace('FbDB', 'fbDB')}", "keystore:", "keystore",
    ],
)  # fmt: skip
def test_what_is_no_signer_and_may_be_a_key(tmp_path: Path, signer: str) -> None:
    in_lane = f'{WRITER}[writer.lanes.a]\nsigner = "{signer}"\nkinds = ["a.b"]\n'
    lines = wrong(tmp_path, f'{MINIMAL}[writer]\nsigner = "{signer}"\n') + wrong(tmp_path, in_lane)
    lines += wrong(tmp_path, MINIMAL, CHAINFIRST_WRITER__SIGNER=signer)
    assert [line.split(":")[0] for line in lines] == [
        "writer.signer",
        "writer.lanes.a.signer",
        "writer.signer",
    ]
    assert str(int(KEY, 16)) not in "".join(lines)
    assert KEY not in values.Signer.masked(signer)
    assert str(int(KEY, 16)) not in values.Signer.masked(signer)


def check(directory: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).parent / "chainfirst"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CHAINFIRST_")}
    command = [str(script), "config", "check", *options]
    done = subprocess.run(
        command, cwd=directory, env=plain | environ, capture_output=True, text=True, check=False
    )
    assert KEY not in done.stdout + done.stderr
    return done


def test_config_check_shows_lanes_and_their_signers_but_no_key(tmp_path: Path) -> None:
    text = f"""{MINIMAL}[writer]
signer = "web3signer:http://user:{KEY}@h:9000/{KEY}#{ADDRESS}"
[writer.lanes.certificates]
signer = "env:CERTIFICATES_KEY"
kinds = ["certificate.*", "escrow.refund"]
"""
    (tmp_path / "config.toml").write_text(text)
    done = check(tmp_path, "--offline", CERTIFICATES_KEY=f"0x{KEY}")
    assert (done.returncode, done.stdout.splitlines()[1:]) == (0, [
        f"lane default: web3signer:http://h:9000/…#{ADDRESS} signs all other kinds",
        "lane certificates: env:CERTIFICATES_KEY signs certificate.*, escrow.refund",
    ])  # fmt: skip


def test_every_command_knows_the_kinds(tmp_path: Path) -> None:
    text = f"""{WRITER}[writer.kinds."escrow.refnd"]
max_amount = "5"
[writer.kinds."contract.call"]
max_amount = "5"
[writer.kinds."certificate.mint"]
max_amount = "5"
"""
    (tmp_path / "config.toml").write_text(text)
    done = check(tmp_path, "--offline")
    assert done.returncode == 78
    assert [line.split("; ")[0].strip() for line in done.stderr.splitlines()[1:]] == [
        'writer.kinds.escrow.refnd: found "escrow.refnd", which is no kind',
        'writer.kinds.certificate.mint: found "certificate.mint", which has no amount',
    ]


def test_config_check_opens_the_signers(tmp_path: Path, pg_url: str, anvil: Anvil) -> None:
    text = f"""[chain]
chain_id = 31337
endpoints = ["{anvil.url}"]
[database]
url = "{pg_url}"
[writer]
signer = "keystore:key.json"
[writer.lanes.a]
signer = "env:A_KEY"
kinds = ["escrow.refund"]
"""
    (tmp_path / "config.toml").write_text(text)
    account = Account.from_key(KEY).address.lower()
    done = check(tmp_path, A_KEY=f"0x{KEY}")
    assert (done.returncode, done.stdout.splitlines()[-2:]) == (0, [
        "signer: that of lane default isn't opened, only the service gets its password",
        f"signer: {account} in lane a",
    ])  # fmt: skip
    done = check(tmp_path, A_KEY=KEY)
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)
    assert "variable A_KEY holds no private key" in done.stderr
    with_lane = text.replace('"keystore:key.json"', '"env:B_KEY"')
    (tmp_path / "config.toml").write_text(with_lane)
    done = check(tmp_path, A_KEY=f"0x{KEY}", B_KEY=f"0x{KEY}")
    assert done.returncode == 78
    assert f"the lanes default and a both sign for {account}" in done.stderr
    (tmp_path / "config.toml").write_text(with_lane.replace('"env:B_KEY"', '"web3signer:http://127.0.0.1:1"'))
    done = check(tmp_path, A_KEY=f"0x{KEY}")
    assert (done.returncode, done.stderr.count("\n")) == (75, 1)
    assert "http://127.0.0.1:1" in done.stderr
