"""Signers: the right bytes, clear mistakes, nothing believed but what was asked for, no secret shown."""

import copy
import dataclasses
import io
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from chainfirst.ops import config, errors, log, values
from chainfirst.tests.writers import secrets
from chainfirst.tests.writers.secrets import KEY, PASSWORD, Environment
from chainfirst.tests.writers.web3signer_server import Mode, Web3SignerServer
from chainfirst.writers import signers, transaction
from chainfirst.writers.signers import env, keystore, web3signer
from chainfirst.writers.transaction import DynamicFee, Legacy, Unsigned
from eth_account import Account

OTHER_KEY = "0x" + "7" * 64
ADDRESS = Account.from_key(KEY).address.lower()
OTHER = Account.from_key(OTHER_KEY).address.lower()
TO = "0x" + "ab" * 20
LEGACY = Legacy(chain_id=31337, nonce=7, gas_price_wei=3, gas=21_000, to=TO, value=0, data=b"")
DYNAMIC = DynamicFee(
    chain_id=31337, nonce=0, max_priority_fee_per_gas_wei=1, max_fee_per_gas_wei=2, gas=90_000, to=TO,
    value=5, data=b"\x00\x01",
)  # fmt: skip
SOON = 0.2


@pytest.fixture
def server() -> Iterator[Web3SignerServer]:
    with Web3SignerServer(KEY) as started:
        yield started


def remote(
    server: Web3SignerServer,
    account: str | None = ADDRESS,
    user: str = f"user:{KEY}",
    timeout: float = 10,
    total: float = 15,
) -> web3signer.RemoteSigner:
    """The remote signer; the URL's password is a secret too."""
    target = f"web3signer:http://{user}@{server.host}" + (f"#{account}" if account else "")
    return web3signer.open(values.Signer(target), timeout, total)


def locked(password: str | bytes = PASSWORD, secret: str = KEY, kdf: Any = "pbkdf2") -> dict[str, Any]:
    """A keystore that opens fast."""
    return Account.encrypt(secret, password, kdf=kdf, iterations=2)  # type: ignore[arg-type]


def written(path: Path, content: object, mode: int = 0o600) -> Path:
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
    path.write_bytes(content)
    path.chmod(mode)
    return path


def failure(act: Callable[[], object], severity: type[errors.ChainfirstError]) -> str:
    """The text of the error, in which, and around which, there is no secret."""
    with pytest.raises(errors.ChainfirstError) as raised:
        act()
    assert type(raised.value) is severity
    assert raised.value.advice
    assert secrets.in_text(secrets.said_by(raised.value, __file__)) == []
    return str(raised.value)


@pytest.mark.parametrize("unsigned", [LEGACY, DYNAMIC])
def test_every_signer_gives_the_same_bytes(
    unsigned: Unsigned, tmp_path: Path, server: Web3SignerServer
) -> None:
    file = written(tmp_path / "key.json", locked())
    password = written(tmp_path / "password", PASSWORD)
    found: list[signers.Signer] = [
        env.open("KEY", {"KEY": KEY}),
        keystore.open(file, password, {}),
        remote(server),
    ]
    (raw,) = {each.sign(unsigned) for each in found}
    assert {each.address for each in found} == {ADDRESS}
    signed = transaction.decode(raw)
    assert (signed.transaction, signed.sender) == (unsigned, ADDRESS)
    assert Account.recover_transaction(raw).lower() == ADDRESS


# the environment


def test_the_variable_may_have_spaces_around_its_key() -> None:
    assert env.open("KEY", {"KEY": f" {KEY.upper().replace('X', 'x')}\n"}).address == ADDRESS


ORDER = transaction.GROUP_ORDER
BAD_KEYS = {
    "no 0x": KEY[2:],
    "short": KEY[:-1],
    "long": KEY + "0",
    "twice": KEY + KEY,
    "zero": "0x" + "0" * 64,
    "the order": f"{ORDER:#x}",
    "decimal": str(int(KEY, 16)),
    "the password": PASSWORD,
}


@pytest.mark.parametrize("text", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_a_variable_without_a_key(text: str) -> None:
    environ = Environment(KEY=text)
    assert "variable KEY holds no private key" in failure(
        lambda: env.open("KEY", environ), errors.ConfigError
    )


def test_a_variable_that_is_not_set() -> None:
    for environ in (Environment(), Environment(KEY="")):
        said = failure(lambda environ=environ: env.open("KEY", environ), errors.ConfigError)  # type: ignore[misc]
        assert "KEY" in said
        assert "not set" in said


# keystore files

PUBLISHED = {  # of the definition of Web3 Secret Storage
    "pbkdf2": (
        {"cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
         "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
         "kdfparams": {"c": 262144, "dklen": 32, "prf": "hmac-sha256",
                       "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
         "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"}
    ),
    "scrypt": (
        {"cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
         "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
         "kdfparams": {"dklen": 32, "n": 262144, "p": 8, "r": 1,
                       "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
         "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("kdf", PUBLISHED)
def test_the_published_examples(kdf: str, tmp_path: Path) -> None:
    content = {"version": 3, "crypto": {"cipher": "aes-128-ctr", "kdf": kdf} | PUBLISHED[kdf]}
    password = written(tmp_path / "password", "testpassword\n")
    published = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
    opened = keystore.open(written(tmp_path / "key.json", content), password, {})
    assert opened.address == Account.from_key(published).address.lower()


@pytest.mark.parametrize(
    ("password", "content"),
    [
        (PASSWORD, PASSWORD),
        (PASSWORD, PASSWORD + "\n"),
        (PASSWORD, PASSWORD + "\r\n"),
        (PASSWORD + "\n", PASSWORD + "\n\n"),
        (" a ", " a \n"),
        ("0x1234", "0x1234"),
        (b"\xff\x00\xfe", b"\xff\x00\xfe\n"),
    ],
)
@pytest.mark.parametrize("kdf", ["pbkdf2", "scrypt"])
def test_the_password_is_the_file_without_its_last_line_break(
    password: str | bytes, content: str | bytes, kdf: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "key.json", locked(password, kdf=kdf))
    assert keystore.open(file, written(tmp_path / "password", content), {}).address == ADDRESS


def without(content: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in keys}


def changed(**crypto: object) -> dict[str, Any]:
    content = locked()
    return content | {"crypto": content["crypto"] | crypto}


def test_an_address_may_be_left_out_or_spelt_in_any_way(tmp_path: Path) -> None:
    password = written(tmp_path / "password", PASSWORD)
    content = locked()
    spelt: list[dict[str, Any]] = [without(content, "address"), content | {"address": ""}]
    spelt += [content | {"address": ADDRESS}, content | {"address": ADDRESS[2:].upper()}]
    spelt += [without(content, "crypto") | {"Crypto": content["crypto"]}]
    for each in spelt:
        assert keystore.open(written(tmp_path / "key.json", each), password, {}).address == ADDRESS


BAD_KEYSTORES: dict[str, tuple[object, str]] = {
    "a bare key": (KEY, "no keystore (JSONDecodeError)"),
    "a bare key's digits": (KEY[2:], "no keystore (JSONDecodeError)"),
    "a number": (str(int(KEY, 16)), "no keystore of version 3"),
    "a text": (json.dumps(KEY), "no keystore of version 3"),
    "a key in a table": ({"key": KEY, "version": 3}, "no keystore (KeyError)"),
    "a key in the place of crypto": ({"version": 3, "crypto": KEY}, "no keystore (TypeError)"),
    "half a file": (json.dumps(locked())[:-9], "no keystore (JSONDecodeError)"),
    "no UTF-8": (b"\xff\xfe\xfd" + bytes.fromhex(KEY[2:]), "no keystore (UnicodeDecodeError)"),
    "nested": ("[" * 60_000, "no keystore ("),
    "empty": (b"", "no keystore (JSONDecodeError)"),
    "version 1": (locked() | {"version": 1}, "no keystore of version 3"),
    "version 4": (locked() | {"version": 4}, "no keystore of version 3"),
    "no cipher": ({"version": 3, "crypto": {}}, "no keystore (KeyError)"),
    "another kdf": (changed(kdf=KEY), "no keystore (EthKeyfileTypeError)"),
    "a key in the cipher": (changed(ciphertext=KEY, mac=KEY), "the password is wrong"),
    "odd hex": (changed(ciphertext=KEY + "0"), "no keystore (Error)"),
    "a key as a parameter": (changed(kdfparams={"c": KEY}), "no keystore (KeyError)"),
    "another key's address": (locked() | {"address": OTHER}, "it does not state its key's address"),
    "a key as its address": (locked() | {"address": KEY}, "it does not state its key's address"),
    "a large file": (b" " * 65_537, "is no small file"),
}


@pytest.mark.parametrize(("content", "words"), BAD_KEYSTORES.values(), ids=BAD_KEYSTORES.keys())
def test_a_file_that_is_no_keystore(content: object, words: str, tmp_path: Path) -> None:
    file = written(tmp_path / "key.json", content)
    password = written(tmp_path / "password", PASSWORD)
    said = failure(lambda: keystore.open(file, password, {}), errors.ConfigError)
    assert words in said
    assert str(file) in said


def test_a_keystore_that_holds_no_private_key(tmp_path: Path) -> None:
    """Zero, or 31 bytes: made by hand, as no tool makes it."""
    password = written(tmp_path / "password", PASSWORD)
    for secret in (b"\0" * 32, b"\1" * 31, ORDER.to_bytes(32, "big")):
        file = written(tmp_path / "key.json", by_hand(secret))
        said = failure(lambda file=file: keystore.open(file, password, {}), errors.ConfigError)  # type: ignore[misc]
        assert "holds no private key" in said


def by_hand(secret: bytes) -> dict[str, Any]:
    import hashlib

    from eth_hash.auto import keccak
    from eth_keyfile.keyfile import encrypt_aes_ctr

    derived = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"salt", 1, 32)
    ciphertext = encrypt_aes_ctr(secret, derived[:16], 1)
    parameters = {"c": 1, "dklen": 32, "prf": "hmac-sha256", "salt": b"salt".hex()}
    crypto = {"cipher": "aes-128-ctr", "cipherparams": {"iv": f"{1:032x}"}, "ciphertext": ciphertext.hex()}
    mac = keccak(derived[16:] + ciphertext).hex()
    return {"version": 3, "crypto": crypto | {"kdf": "pbkdf2", "kdfparams": parameters, "mac": mac}}


UNLOCK_AND_PARSE = """
import sys
from pathlib import Path
from chainfirst.indexer.rpc.http import Answer
from chainfirst.writers.signers import keystore
import msgspec

limit = sys.getrecursionlimit()
keystore.open(Path(sys.argv[1]), Path(sys.argv[2]), {})
assert sys.getrecursionlimit() == limit, sys.getrecursionlimit()
try:
    msgspec.json.decode(b'{"result":' + b"[" * 1_000_000, type=Answer[object])
except RecursionError:
    print("refused")
"""


def test_after_a_keystore_was_opened_a_deeply_nested_answer_is_no_crash(tmp_path: Path) -> None:
    """In a process of its own: here eth_account is imported already."""
    file, password = written(tmp_path / "key.json", locked()), written(tmp_path / "password", PASSWORD)
    command = [sys.executable, "-c", UNLOCK_AND_PARSE, str(file), str(password)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr


def test_missing_and_odd_files(tmp_path: Path) -> None:
    file = written(tmp_path / "key.json", locked())
    password = written(tmp_path / "password", PASSWORD)
    wrong = written(tmp_path / "wrong", KEY)
    empty = written(tmp_path / "empty", "\n")
    nowhere = tmp_path / "nowhere"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for key_file, password_file, words in [
        (nowhere, password, f"the keystore {nowhere} can't be read: No such file"),
        (tmp_path, password, f"the keystore {tmp_path} can't be read: Is a directory"),
        (pipe, password, f"the keystore {pipe} is no small file"),
        (file, nowhere, f"the password file {nowhere} can't be read: No such file"),
        (file, tmp_path, f"the password file {tmp_path} can't be read: Is a directory"),
        (file, pipe, f"the password file {pipe} is no small file"),
        (file, wrong, f"{file} can't be opened with the password file {wrong}: the password is wrong"),
        (file, empty, f"{file} can't be opened with the password file {empty}: the password is empty"),
        (file, None, f"the keystore {file} has no password: neither password_file nor a systemd credential"),
    ]:
        act = lambda a=key_file, b=password_file: keystore.open(a, b, {})  # noqa: E731
        assert words in failure(act, errors.ConfigError)


MODES = [(0o600, True), (0o400, True), (0o640, False), (0o604, False), (0o660, False), (0o644, False)]
ROOT_MODES = [(0o600, True), (0o640, True), (0o440, True), (0o660, False), (0o644, False), (0o601, False)]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.mark.parametrize(("mode", "right"), ROOT_MODES if os.geteuid() == 0 else MODES)
def test_who_else_may_read_the_password(mode: int, right: bool, tmp_path: Path) -> None:
    file = written(tmp_path / "key.json", locked(), 0o644)  # it is encrypted
    password = written(tmp_path / "password", PASSWORD, mode)
    if right:
        assert keystore.open(file, password, {}).address == ADDRESS
    else:
        said = failure(lambda: keystore.open(file, password, {}), errors.ConfigError)
        assert (
            f"the password file {password} is open to others: mode {mode:04o}, owner {os.geteuid()}" in said
        )
        assert "mode 0600; or" in said


@AS_ROOT
def test_a_password_of_another_user_is_open_to_that_user(tmp_path: Path) -> None:
    file = written(tmp_path / "key.json", locked())
    password = written(tmp_path / "password", PASSWORD)
    os.chown(password, 65534, -1)
    said = failure(lambda: keystore.open(file, password, {}), errors.ConfigError)
    assert "mode 0600, owner 65534" in said


@pytest.mark.parametrize(("mode", "right"), MODES)
def test_the_rule_for_a_daemon_that_is_not_root(mode: int, right: bool, tmp_path: Path) -> None:
    ours = os.stat_result((mode, 0, 0, 1, 1000, 1000, 8, 0, 0, 0))
    assert keystore.is_private(ours, 1000) is right
    assert not keystore.is_private(ours, 1001)
    of_root = os.stat_result((mode, 0, 0, 1, 0, 1000, 8, 0, 0, 0))
    assert keystore.is_private(of_root, 1000) is dict(ROOT_MODES).get(mode, right)


def test_the_password_of_systemd(tmp_path: Path) -> None:
    file = written(tmp_path / "key.json", locked())
    service = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    (tmp_path / "credentials").mkdir()
    said = failure(lambda: keystore.open(file, None, service), errors.ConfigError)
    assert "LoadCredential=chainfirst-keystore-password:FILE" in said
    written(tmp_path / "credentials" / "chainfirst-keystore-password", PASSWORD, 0o400)
    assert keystore.open(file, None, service).address == ADDRESS
    named = written(tmp_path / "named", "another")
    assert "password is wrong" in failure(lambda: keystore.open(file, named, service), errors.ConfigError)


# remote signers


def test_what_is_asked(server: Web3SignerServer) -> None:
    remote(server, None, "user:pass").sign(DYNAMIC)
    remote(server, ADDRESS, "user:pass").sign(LEGACY)
    asked = [request["params"] for request in server.requests if request["method"] == "eth_signTransaction"]
    assert asked == [
        [{"from": ADDRESS, "to": TO, "gas": "0x15f90", "value": "0x5", "data": "0x0001", "nonce": "0x0",
          "chainId": "0x7a69", "maxFeePerGas": "0x2", "maxPriorityFeePerGas": "0x1"}],
        [{"from": ADDRESS, "to": TO, "gas": "0x5208", "value": "0x0", "data": "0x", "nonce": "0x7",
          "chainId": "0x7a69", "gasPrice": "0x3"}],
    ]  # fmt: skip
    assert set(server.authorizations) == {"Basic dXNlcjpwYXNz"}


def test_geth_and_clef_answer_with_more_than_the_bytes(server: Web3SignerServer) -> None:
    signer = remote(server)
    raw = signer.sign(DYNAMIC)
    server.mode = "geth's answer"
    assert signer.sign(DYNAMIC) == raw


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("hang", "no answer in time"),
        ("hang up", "did not sign"),
        ("500", "HTTP 500"),
        ("refusal", "No unlocked account matches the Sender"),
        ("no method", "Method not found"),
        ("null", "null"),
    ],
)
def test_a_remote_signer_that_does_not_sign_is_asked_again(
    mode: Mode, words: str, server: Web3SignerServer
) -> None:
    signer = remote(server, timeout=SOON)
    server.mode = mode
    said = failure(lambda: signer.sign(LEGACY), errors.TransientError)
    assert words in said
    assert server.host in said
    if mode != "hang":
        server.mode = "right"
        assert transaction.decode(signer.sign(LEGACY)).sender == ADDRESS


@pytest.mark.parametrize("mode", ["dribble", "dribble headers"])
def test_a_remote_signer_that_sends_a_byte_now_and_then(mode: Mode, server: Web3SignerServer) -> None:
    signer = remote(server, total=SOON)
    assert signer.sign(LEGACY)
    server.mode = mode
    began = time.monotonic()
    assert "no answer in time" in failure(lambda: signer.sign(LEGACY), errors.TransientError)
    assert time.monotonic() - began < 5, "without end, but for the server's patience"
    server.mode = "right"
    assert signer.sign(LEGACY)


CHANGES: list[tuple[Unsigned, dict[str, Any], str]] = [
    (LEGACY, {"chainId": 1}, "chain_id 1, not 31337"),
    (LEGACY, {"nonce": 8}, "nonce 8, not 7"),
    (LEGACY, {"gas": 21_001}, "gas 21001, not 21000"),
    (LEGACY, {"gasPrice": 4}, "gas_price_wei 4, not 3"),
    (LEGACY, {"value": 1}, "value 1, not 0"),
    (LEGACY, {"to": b"\xcd" * 20}, f"to 0x{'cd' * 20}, not {TO}"),
    (LEGACY, {"data": "0x01", "value": 1}, "value 1, not 0, data"),
    (LEGACY, {"gasPrice": None, "maxFeePerGas": 3, "maxPriorityFeePerGas": 3}, "DynamicFee, not Legacy"),
    (DYNAMIC, {"maxFeePerGas": 3}, "max_fee_per_gas_wei 3, not 2"),
    (DYNAMIC, {"maxPriorityFeePerGas": 0}, "max_priority_fee_per_gas_wei 0, not 1"),
    (DYNAMIC, {"gasPrice": 3, "maxFeePerGas": None, "maxPriorityFeePerGas": None}, "Legacy, not DynamicFee"),
    (DYNAMIC, {"accessList": [{"address": TO, "storageKeys": []}]}, "an access list"),
]


@pytest.mark.parametrize(("unsigned", "changes", "words"), CHANGES)
def test_another_transaction_than_was_asked_for_is_fatal(
    unsigned: Unsigned, changes: dict[str, Any], words: str, server: Web3SignerServer
) -> None:
    signer = remote(server)
    server.mode, server.changes = "changed field", changes
    said = failure(lambda: signer.sign(unsigned), errors.FatalError)
    assert words in said
    assert server.host in said


@pytest.mark.parametrize("unsigned", [LEGACY, DYNAMIC])
@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("other account", f"not as {ADDRESS}"),
        ("wrong signature", f"not as {ADDRESS}"),
        ("own chain", "chain_id 1, not 31337"),
        ("garbage", "answered with no signed transaction"),
    ],
)
def test_what_is_not_signed_as_asked_is_fatal(
    unsigned: Unsigned, mode: Mode, words: str, server: Web3SignerServer
) -> None:
    signer = remote(server)
    server.mode = mode
    assert words in failure(lambda: signer.sign(unsigned), errors.FatalError)


def test_whose_account_it_is() -> None:
    with Web3SignerServer() as none:
        said = failure(lambda: remote(none, None), errors.ConfigError)
        assert "has 0 accounts, not one" in said
        said = failure(lambda: remote(none), errors.ConfigError)
        assert f"no account {ADDRESS}; it has: none" in said
    with Web3SignerServer(KEY, OTHER_KEY) as two:
        said = failure(lambda: remote(two, None), errors.ConfigError)
        assert "has 2 accounts, not one" in said
        assert "#0xADDRESS" in said
        assert remote(two, OTHER).address == OTHER


@pytest.mark.parametrize("mode", ["hang", "500", "no method"])
def test_a_remote_signer_that_is_away_at_the_start(mode: Mode, server: Web3SignerServer) -> None:
    """Whose account is named is not needed yet: indexing goes on without it."""
    server.mode = mode
    said = failure(lambda: remote(server, None, timeout=SOON), errors.TransientError)
    assert "did not name its account" in said
    signer = remote(server, timeout=SOON)
    if mode != "hang":
        server.mode = "right"
        assert transaction.decode(signer.sign(DYNAMIC)).sender == ADDRESS


def test_nobody_listens(server: Web3SignerServer) -> None:
    server.close()
    assert server.host in failure(lambda: remote(server, None), errors.TransientError)
    signer = remote(server)
    assert server.host in failure(lambda: signer.sign(DYNAMIC), errors.TransientError)


# by the settings


def settings(tmp_path: Path, text: str) -> config.Config:
    (tmp_path / "config.toml").write_text(f'[chain]\nchain_id = 1\nendpoints = ["dev"]\n{text}')
    return config.load(tmp_path / "config.toml", {})


def test_each_lane_has_its_signer(tmp_path: Path, server: Web3SignerServer) -> None:
    written(tmp_path / "key.json", locked(secret=OTHER_KEY))
    written(tmp_path / "password", PASSWORD)
    text = f"""
[writer]
signer = "keystore:key.json"
password_file = "password"
[writer.lanes.campaigns]
signer = "web3signer:{server.url}"
kinds = ["campaign.*"]
[writer.lanes.issuers]
signer = "env:ISSUERS"
kinds = ["issuer.*"]
"""
    third = "0x" + "3" * 64
    opened = signers.open_all(settings(tmp_path, text), {"ISSUERS": third})
    assert {name: signer.address for name, signer in opened.items()} == {
        "default": OTHER,
        "campaigns": ADDRESS,
        "issuers": Account.from_key(third).address.lower(),
    }
    assert signers.open_all(settings(tmp_path, ""), {}) == {}
    environ = Environment(ISSUERS=KEY)
    said = failure(lambda: signers.open_all(settings(tmp_path, text), environ), errors.ConfigError)
    assert f"the lanes campaigns and issuers both sign for {ADDRESS}" in said


def test_an_address_behind_the_url_is_the_account(tmp_path: Path) -> None:
    with Web3SignerServer(KEY, OTHER_KEY) as two:
        checksummed = Account.from_key(OTHER_KEY).address
        lane = config.Lane(values.Signer(f"web3signer:{two.url}#{checksummed}"), ())
        assert signers.open(lane, tmp_path, {}).address == OTHER


# nothing shows a secret


def test_the_search_finds_what_it_looks_for() -> None:
    for name, spelling in secrets.spellings().items():
        assert name in secrets.in_text(f"x{spelling.upper()}x")

    def leaky(text: str) -> None:
        try:
            _ = bytes.fromhex(text[2:])
            raise KeyError(text)
        except KeyError:
            raise ValueError("hidden?") from None

    with pytest.raises(ValueError, match="hidden") as raised:
        leaky(KEY)
    assert secrets.in_text(str(raised.value)) == []
    assert "key in hex" in secrets.in_text(secrets.said_by(raised.value, __file__))
    assert "key as bytes" in secrets.in_text(secrets.said_by(raised.value, "elsewhere"))


def test_signers_show_their_account_and_nothing_else(tmp_path: Path, server: Web3SignerServer) -> None:
    password = written(tmp_path / "password", PASSWORD)
    file = written(tmp_path / "key.json", locked())
    in_process = [env.open("KEY", {"KEY": KEY}), keystore.open(file, password, {})]
    found: list[signers.Signer] = [*in_process, remote(server)]
    for signer in found:
        stream = io.StringIO()
        log.configure(stream)
        log.get("lane").info("opened", signer=signer, signers=[signer])
        structlog.reset_defaults()
        shown = [str(signer), repr(signer), f"{signer}", f"{[signer]!r}", stream.getvalue()]
        shown += [repr(getattr(signer, name)) for name in dir(signer)]
        assert secrets.in_text("\n".join(shown)) == []
        assert ADDRESS in repr(signer)
    for each in in_process:
        with pytest.raises(TypeError):
            vars(each)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="holds a key"):
                pickle.dumps(each, protocol)
        for duplicate in (copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="holds a key"):
                duplicate(each)


def test_an_error_while_signing_shows_no_key() -> None:
    signer = env.open("KEY", {"KEY": KEY})
    broken = dataclasses.replace(LEGACY)
    object.__setattr__(broken, "to", "0xno")
    with pytest.raises(ValueError, match="hex") as raised:
        signer.sign(broken)
    assert secrets.in_text(secrets.said_by(raised.value, __file__)) == []
