"""The real daemon with a key, killed and started again, and what must be true of its intents in the end."""

import contextlib
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import eth_abi.abi
import psycopg
from chainfirst.contracts import build
from chainfirst.ops import failpoint
from chainfirst.tests.contracts.conftest import Platform
from chainfirst.tests.daemon.processes import Running
from chainfirst.tests.writers import secrets
from eth_account import Account
from eth_hash.auto import keccak
from psycopg import sql
from psycopg.types.json import Jsonb

KEY_VARIABLE, OTHER_VARIABLE = "KILLED_DAEMONS_KEY", "KILLED_DAEMONS_OTHER_KEY"
OTHER_KEY = "0x" + "0ddba11c0ffee5ec" * 4
ACCOUNT = Account.from_key(secrets.KEY)
SIGNERS = [str(each.address).lower() for each in (ACCOUNT, Account.from_key(OTHER_KEY))]
FINALITY = 4
MOST_BLOCKS, MOST_SECONDS = 100, 120.0  # no situation needs as many
PATIENCE_SECONDS = 3.0  # without any news, another block may bring some
ENDED = ("confirmed", "failed", "rejected", "cancelled", "expired")
CONTRACTS = {
    "issuer_registry": "IssuerRegistry",
    "campaign_factory": "CampaignFactory",
    "share_certificate": "NFTShareCertificate",
    "token": "BirrToken",
}


def topic(signature: str) -> str:
    return "0x" + keccak(signature.encode()).hex()


TRANSFER = topic("Transfer(address,address,uint256)")
REGISTERED = topic("IssuerRegistered(bytes32,address,bytes32,string)")
VERIFIED = topic("InvestorStatusChanged(address,bool)")


class Place:
    """The platform on a node that mines only when asked, where the keys may do all that is asked of them."""

    def __init__(self, platform: Platform, directory: Path, urls: Sequence[str]) -> None:
        self.platform, self._directory, self._urls = platform, directory, urls
        self.rpc = platform.rpc
        registry = platform.registry.functions
        for signer in SIGNERS:
            self.rpc("anvil_setBalance", signer, hex(10**24))
            address = platform.web3.to_checksum_address(signer)
            platform.send("owner", registry.grantRole(registry.REGISTRAR_ROLE().call(), address))
        self.burst = str(platform.create("Burst").address).lower()
        self.rpc("evm_setAutomine", False)
        self.start = self.head()[0]
        self.base_fee_wei: int | None = None

    def config(self, database: str, signer: str = f"env:{KEY_VARIABLE}", more: str = "") -> Path:
        """The settings for any database."""
        lines = [
            f'deployment = "{self.platform.path}"\n[database]\nurl = "{database}"',
            f"[chain]\nchain_id = 31337\nfinality = {FINALITY}\nendpoints = {json.dumps(self._urls)}",
            f'[contracts.burst]\nabi = "{build.ARTIFACTS}/Burst.json"\naddress = "{self.burst}"',
            f'[contracts.campaign]\nabi = "{build.ARTIFACTS}/CampaignImplementation.json"',
            'factory = { contract = "campaign_factory", event = "CampaignCreated", parameter = "campaign" }',
            *(f'[contracts.{key}]\nabi = "{build.ARTIFACTS}/{name}.json"' for key, name in CONTRACTS.items()),
            f'[writer]\nsigner = "{signer}"\ncalls = ["burst.emitBurst"]\n{more}',
        ]
        file = self._directory / f"{uuid.uuid4().hex}.toml"
        file.write_text("\n".join(lines))
        return file

    def head(self) -> tuple[int, str]:
        block = self.rpc("eth_getBlockByNumber", "latest", False)
        return int(block["number"], 16), str(block["hash"])

    def mine(self, blocks: int = 1) -> None:
        """`base_fee_wei` is the first block's base fee, None: whatever it becomes."""
        if self.base_fee_wei is not None:
            self.rpc("anvil_setNextBlockBaseFeePerGas", hex(self.base_fee_wei))
        self.rpc("anvil_mine", hex(blocks))

    def reorganise(self, depth: int, again: Sequence[tuple[str, int]] = ()) -> None:
        """Replace the last blocks by as many others, with nothing in them but raw transactions `again`, each
        with the place of its block."""
        self.rpc("anvil_reorg", depth, [list(each) for each in again])

    @contextlib.contextmanager
    def rolled_back(self) -> Iterator[None]:
        """What happens on the chain inside is undone after it."""
        snapshot = self.rpc("evm_snapshot")
        try:
            yield
        finally:
            self.base_fee_wei = None
            self.rpc("anvil_dropAllTransactions")
            assert self.rpc("evm_revert", snapshot)
            self.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))  # the one thing that isn't undone

    def effects(self) -> Counter[str]:
        """What happened on the canonical chain since the start, by what each intent marks as its own."""
        found: Counter[str] = Counter()
        where = {"fromBlock": hex(self.start + 1), "toBlock": "latest"}
        bursts: Counter[str] = Counter()
        for entry in self.rpc("eth_getLogs", where):
            first = entry["topics"][0]
            if first == TRANSFER and entry["address"] == self.burst:
                bursts[entry["transactionHash"]] += 1
            elif first in (REGISTERED, VERIFIED):
                found[entry["topics"][1]] += 1
        found.update(str(size) for size in bursts.values())
        return found

    def own(self, signer: str) -> dict[int, str]:
        """The key's transactions on the canonical chain since the start, by nonce."""
        found = {}
        for number in range(self.start + 1, self.head()[0] + 1):
            for each in self.rpc("eth_getBlockByNumber", hex(number), True)["transactions"]:
                if each["from"] == signer:
                    found[int(each["nonce"], 16)] = each["hash"]
        return found

    def pool(self) -> set[str]:
        """The keys' transactions that wait in the node's pool."""
        content = self.rpc("txpool_content")
        queues = [queue for part in content.values() for who, queue in part.items() if who.lower() in SIGNERS]
        return {each["hash"] for queue in queues for each in queue.values()}

    def emit(self, size: int, nonce: int) -> str:
        """Somebody else with the key does what an intent wants; its hash."""
        data = keccak(b"emitBurst(uint256)")[:4] + eth_abi.abi.encode(["uint256"], [size])
        fees = {"maxFeePerGas": 10**11, "maxPriorityFeePerGas": 10**9}
        to = self.platform.web3.to_checksum_address(self.burst)
        call = {"to": to, "data": data, "nonce": nonce, "gas": 10**6, "chainId": 31337, "value": 0} | fees
        raw = ACCOUNT.sign_transaction(call).raw_transaction
        return str(self.rpc("eth_sendRawTransaction", "0x" + raw.hex()))


@dataclass
class Ordeal:
    """One database, whose daemon dies again and again. `wishes`: each intent's mark on the chain, None: it
    can have no effect."""

    place: Place
    database: str
    file: Path
    wishes: dict[uuid.UUID, str | None] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sql = psycopg.connect(self.database, autocommit=True)
        self._seen: tuple[Any, ...] = ()
        self._since = time.monotonic()

    def all(self, statement: str, *values: Any) -> list[Any]:
        return self.sql.execute(statement.encode(), values).fetchall()

    def one(self, statement: str, *values: Any) -> Any:
        ((value,),) = self.all(statement, *values)
        return value

    def submit(self, kind: str, payload: Mapping[str, Any], mark: str | None, **options: Any) -> uuid.UUID:
        names = "".join(f", {name} => %({name})s" for name in options)
        statement = f"SELECT intent.submit(%(kind)s, %(payload)s, %(key)s{names})"
        values = {"kind": kind, "payload": Jsonb(payload), "key": f"wish {len(self.wishes)}"} | options
        row = self.sql.execute(statement.encode(), values).fetchone()
        assert row is not None
        intent: uuid.UUID = row[0]
        self.wishes[intent] = mark
        return intent

    def call(self, size: int, **options: Any) -> uuid.UUID:
        """Repeatable: done twice, it is there twice."""
        wanted = {"contract": "burst", "function": "emitBurst", "event": "Transfer", "arguments": [str(size)]}
        return self.submit("contract.call", wanted, str(size), **options)

    def register(self, **options: Any) -> uuid.UUID:
        """Once: the contract refuses the second."""
        company, wallet = uuid.uuid4(), Account.create().address
        wanted = {
            "company": str(company),
            "wallet": wallet.lower(),
            "credential_hash": "0x" + "11" * 32,
            "document_uri": "ipfs://issuer",
        }
        return self.submit("issuer.register", wanted, f"0x{company.hex}{'00' * 16}", **options)

    def verify(self, **options: Any) -> uuid.UUID:
        investor = Account.create().address.lower()
        wanted = {"investor": investor, "verified": True}
        return self.submit("investor.set_verified", wanted, f"0x{'00' * 12}{investor[2:]}", **options)

    def nonsense(self) -> uuid.UUID:
        return self.submit("investor.set_verified", {"investor": "nobody", "verified": True}, None)

    def cancel(self, intent: uuid.UUID, *, may_be_late: bool = False) -> None:
        late = (psycopg.errors.InvalidParameterValue,) if may_be_late else ()  # it ended already
        with contextlib.suppress(*late):
            self.sql.execute("SELECT intent.cancel(%s)", [intent])

    @contextlib.contextmanager
    def running(self, point: str = "") -> Iterator[Running]:
        """A daemon, which ends at this point, or else with the block."""
        environ = {KEY_VARIABLE: secrets.KEY, OTHER_VARIABLE: OTHER_KEY}
        with Running(self.file, **environ | ({failpoint.VARIABLE: point} if point else {})) as daemon:
            try:
                yield daemon
            finally:
                daemon.process.kill()
                daemon.ends()
                self.said += daemon.lines

    def drive(self, daemon: Running, until: Callable[[], bool], *, mine: bool = True) -> bool:
        """Mine whenever the daemon has seen all there is, until it is so; False: the daemon died before."""
        blocks, began = 0, time.monotonic()
        while not until():
            if daemon.process.poll() is not None:
                return False
            if mine and daemon.named("leading") and self._is_quiet():
                self.place.mine()
                blocks += 1
            too_long = blocks > MOST_BLOCKS or time.monotonic() - began > MOST_SECONDS
            assert not too_long, self._what_lasts(daemon)
            self.sql.execute("SELECT pg_sleep(0.01)")
        return True

    def _is_quiet(self) -> bool:
        """The index is at the head, and all that can be signed is sent; or there is no news for a while."""
        seen = self.all("SELECT indexed_hash, (SELECT max(seq) FROM intent.history) FROM chain.cursor")[0]
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        if time.monotonic() - self._since > PATIENCE_SECONDS:
            self._since = time.monotonic()
            return True
        unsent = self.one(
            "SELECT count(*) FROM intent.overview"
            " WHERE status = 'signed' OR (status = 'pending' AND waits_for = 'its turn')"
        )
        return seen[0] == self.place.head()[1] and not unsent

    def _what_lasts(self, daemon: Running) -> str:
        """For whoever reads that a test failed."""
        rows = self.all(
            "SELECT o.key, o.status, o.waits_for, o.signer, o.nonce, h.lines FROM intent.overview o"
            " CROSS JOIN LATERAL (SELECT string_agg(cause, '; ' ORDER BY seq) AS lines"
            " FROM intent.history WHERE intent = o.id) h"
            " WHERE o.ended_at IS NULL OR EXISTS"
            " (SELECT FROM intent.transactions t WHERE t.intent = o.id AND t.closed_block IS NULL)"
        )
        lanes = self.all("SELECT * FROM intent.lanes")
        return "\n".join(map(str, ["", *rows, *lanes, *daemon.lines[-20:]]))

    def statuses(self) -> dict[uuid.UUID, str]:
        return dict(self.all("SELECT id, status FROM intent.overview"))

    def all_are(self, *statuses: str) -> bool:
        return set(self.statuses().values()) <= set(statuses)

    def is_over(self) -> bool:
        """Every intent ended, or waits for one that ended badly, and every nonce is used up for good."""
        return not self.all(
            "WITH RECURSIVE lost AS ("
            " SELECT key FROM intent.overview WHERE ended_at IS NULL AND waits_for LIKE 'blocked by %%' UNION"
            " SELECT o.key FROM intent.overview o, lost WHERE o.depends_on = lost.key AND o.ended_at IS NULL)"
            " SELECT FROM intent.overview WHERE ended_at IS NULL AND key NOT IN (SELECT key FROM lost)"
            " UNION ALL SELECT FROM intent.transactions WHERE closed_block IS NULL"
        )

    def finish(self) -> None:
        """A daemon that nobody disturbs brings all to an end."""
        with self.running() as daemon:
            assert self.drive(daemon, self.is_over), "".join(daemon.lines)
            assert daemon.stops() == 0

    def assert_stored_before_sent(self) -> None:
        """Law 4: whatever of the keys is in pool or chain was stored."""
        stored = {row[0] for row in self.all("SELECT hash FROM intent.attempts")}
        mined = {each for signer in SIGNERS for each in self.place.own(signer).values()}
        assert self.place.pool() | mined <= stored | self.foreign

    def assert_exactly_once(self) -> None:
        """One effect for each confirmed intent, none for any other; dense nonces; a history that says so."""
        statuses = self.statuses()
        done = Counter(mark for intent, mark in self.wishes.items() if statuses[intent] == "confirmed")
        assert self.place.effects() == done, statuses
        for signer in SIGNERS:
            nonces = self.all(
                "SELECT nonce FROM intent.transactions WHERE signer = %s ORDER BY nonce", signer
            )
            own = self.place.own(signer)
            assert [nonce for (nonce,) in nonces] == sorted(own) == list(range(len(own)))
            assert int(self.place.rpc("eth_getTransactionCount", signer, "latest"), 16) == len(own)
            mined = self.all(
                "SELECT t.nonce, a.hash FROM intent.inclusions n JOIN intent.attempts a ON a.id = n.attempt"
                " JOIN intent.transactions t ON t.id = a.transaction WHERE t.signer = %s",
                signer,
            )
            assert dict(mined) == own
            assert len(mined) == len(own)
        for intent in self.wishes:
            _check_history(statuses[intent], self.history(intent))
        self.assert_stored_before_sent()

    def history(self, intent: uuid.UUID) -> list[tuple[str, str]]:
        """Its statuses, each with the cause."""
        return self.all("SELECT status, cause FROM intent.history WHERE intent = %s ORDER BY seq", intent)

    def assert_no_secrets(self) -> None:
        """In all that the daemons said, and in every row of every table."""
        assert "leading" in "".join(self.said)
        text = "\n".join([*self.said, *self.rows()])
        for key in (secrets.KEY, OTHER_KEY):
            assert secrets.in_text(text, key) == []

    def rows(self) -> Iterator[str]:
        """All that the database holds, as text."""
        tables = self.all(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        for place in tables:
            statement = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(*place))
            yield from (row[0] for row in self.sql.execute(statement))

    def now(self) -> datetime:
        now: datetime = self.one("SELECT clock_timestamp()")
        return now


def _check_history(status: str, lines: Sequence[tuple[str, str]]) -> None:
    """Nothing but the end follows an end, one nonce serves it, and what was mined last is still there."""
    assert lines[0][1].startswith("submitted by "), lines
    assert lines[-1][0] == status, lines
    statuses = [found for found, _ in lines]
    first_end = next((place for place, found in enumerate(statuses) if found in ENDED), len(lines) - 1)
    assert set(statuses[first_end:]) == {status}, lines
    nonces = {found for _, cause in lines for found in re.findall(r"^signed.*: nonce (\d+)", cause)}
    mined = sum(cause.startswith("mined") for _, cause in lines)
    gone = sum(cause == "its block is not canonical any more" for _, cause in lines)
    if status == "confirmed":
        assert mined - gone == 1, lines
    assert len(nonces) <= 1, lines
