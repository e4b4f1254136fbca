"""What happens to the node in a random life, and what others do on its chain."""

import random
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from chainfirst.tests.contracts.conftest import DAY
from chainfirst.tests.writers.world import World
from eth_account import Account

GWEI = 10**9
RICH = hex(10**24)
OUTSIDER = "minter"


class Trouble:
    """`actors`: whose keys sign; `may_go`: how many blocks nobody believes to be final; `note` is told what
    was thrown."""

    def __init__(
        self,
        world: World,
        dice: random.Random,
        actors: Sequence[str],
        may_go: Callable[[], int],
        note: Callable[[str], None],
    ) -> None:
        self._world, self._dice, self._actors = world, dice, actors
        self._may_go, self._note = may_go, note
        self._platform, self._rpc, self._at = world.platform, world.rpc, world.platform.at
        registry = world.platform.registry.functions
        grant = registry.grantRole(registry.REGISTRAR_ROLE().call(), self._at[OUTSIDER])
        grant.transact({"from": self._at["owner"]})

    def mine(self) -> None:
        self._world.mine(self._dice.randint(1, 3))

    def let_days_pass(self) -> None:
        self._rpc("evm_increaseTime", DAY * self._dice.randint(1, 5))

    def drop_one(self) -> None:
        pool = self._rpc("txpool_content")["pending"]
        hashes = sorted(each["hash"] for mine in pool.values() for each in mine.values())
        if hashes:
            self._rpc("anvil_dropTransaction", self._dice.choice(hashes))

    def drop_all(self) -> None:
        self._rpc("anvil_dropAllTransactions")

    def reorganise(self) -> None:
        """As anvil does: what was in the blocks is gone; or as geth: it is in the pool again."""
        most = min(self._may_go(), 5)
        if most < 1:
            return
        depth = self._dice.randint(1, most)
        removed = self._signed_in(depth)
        how = self._dice.choice(["not", "replayed", "in part", "into the pool"])
        pairs: list[list[Any]] = []
        if how == "replayed":
            pairs = [[raw, place] for place, raw in removed]
        elif how == "in part":
            kept = [raw for _, raw in removed if self._dice.random() < 0.5]
            places = sorted(self._dice.randrange(depth) for _ in kept)
            pairs = [[raw, place] for raw, place in zip(kept, places, strict=True)]
        self._note(f"{depth} blocks, {len(removed)} transactions {how}")
        self._rpc("anvil_reorg", depth, pairs)
        if how == "into the pool":
            self._send_all(removed)

    def roll_back(self) -> None:
        most = min(self._may_go(), 4)
        if most < 1:
            return
        blocks = self._dice.randint(1, most)
        removed = self._signed_in(blocks)
        self._note(f"{blocks} blocks, {len(removed)} transactions")
        self._rpc("anvil_rollback", blocks)
        if self._dice.random() < 0.5:
            self._send_all(removed)

    def raise_base_fee(self) -> None:
        fee = self._dice.choice([1, 10, 100, 500]) * GWEI
        self._note(f"{fee} wei")
        self._rpc("anvil_setNextBlockBaseFeePerGas", hex(fee))
        self._world.mine()

    def impoverish(self) -> None:
        actor, left = self._dice.choice(self._actors), self._dice.choice([1, 10**14])
        self._rpc("anvil_setBalance", self._at[actor], hex(left))

    def enrich(self) -> None:
        for actor in self._actors:
            self._rpc("anvil_setBalance", self._at[actor], RICH)

    def use_our_key(self) -> None:
        """Somebody else has one of our keys: sends a gift, nothing, or what an open intent wants."""
        account = self._platform.keys[self._dice.choice(self._actors)]
        call = {"to": self._at["eve"], "value": 1, "data": "0x"}
        what = self._dice.choice(["a gift", "nothing", "equal", "equal"])
        if what == "nothing":
            call = {"to": account.address, "value": 0, "data": "0x"}
        wanted = self._world.all(
            "SELECT call_to, call_data FROM intent.intents WHERE outcome IS NULL AND signer = %s ORDER BY id",
            account.address.lower(),
        )
        if what == "equal" and wanted:
            to, data = self._dice.choice(wanted)
            call = {"to": self._platform.web3.to_checksum_address(to), "value": 0, "data": f"0x{data.hex()}"}
        nonce = int(
            self._rpc(
                "eth_getTransactionCount",
                account.address,
                self._dice.choice(["pending", "pending", "latest"]),
            ),
            16,
        )
        fee = 3 * int(self._rpc("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16) + 2 * GWEI
        fields = {"chainId": 31337, "nonce": nonce, "gas": 600_000, "maxFeePerGas": fee}
        signed = Account.sign_transaction({**call, **fields, "maxPriorityFeePerGas": 2 * GWEI}, account.key)
        self._note(f"{account.address}: {what} at nonce {nonce}")
        self._send(signed.raw_transaction.to_0x_hex())

    def register_outside(self) -> None:
        """Somebody else registers a company that an intent is to register, as it is wished or otherwise."""
        found = self._world.all(
            "SELECT payload FROM intent.intents"
            " WHERE kind = 'issuer.register' AND outcome IS NULL ORDER BY id"
        )
        found = [payload for (payload,) in found if "wallet" in payload]
        if not found:
            return
        wanted = self._dice.choice(found)
        call = self._platform.registry.functions.registerIssuer(
            uuid.UUID(wanted["company"]).bytes + bytes(16),
            self._platform.web3.to_checksum_address(wanted["wallet"]),
            b"\x11" * 32,
            self._dice.choice([wanted["document_uri"], "ipfs://other"]),
        )
        self._transact(OUTSIDER, call)

    def move_treasury(self) -> None:
        self.fill_treasury(self._dice.random() < 0.5)

    def fill_treasury(self, full: bool = True) -> None:
        """All that eve has, or all of it to her."""
        source, target = ("eve", "treasury") if full else ("treasury", "eve")
        balance = self._platform.balance(source)
        if balance:
            self._transact(source, self._platform.token.functions.transfer(self._at[target], balance))

    def _signed_in(self, blocks: int) -> list[tuple[int, str]]:
        """Our keys' transactions in the last blocks: how many blocks after the first, and the bytes."""
        first = self._world.head() - blocks + 1
        senders = {self._at[actor].lower() for actor in self._actors}
        return [
            (place, self._rpc("eth_getRawTransactionByHash", each["hash"]))
            for place in range(blocks)
            for each in self._rpc("eth_getBlockByNumber", hex(first + place), True)["transactions"]
            if each["from"] in senders
        ]

    def _send_all(self, removed: Sequence[tuple[int, str]]) -> None:
        for _, raw in removed:
            self._send(raw)

    def _send(self, raw: str) -> None:
        self._platform.web3.provider.make_request("eth_sendRawTransaction", [raw])  # whatever it says

    def _transact(self, actor: str, call: Any) -> None:
        call.transact({"from": self._at[actor], "gas": 400_000, "gasPrice": 3000 * GWEI})
