"""The platform's contracts on a real node: deployed once for each worker, rolled back after each test."""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chainfirst.contracts import build, deploy
from chainfirst.ops.dev.node import Anvil
from eth_account import Account

DAY = 86_400
ROOT = Path(__file__).parents[2]
ACTORS = (
    "deployer",
    "owner",
    "operator",
    "registrar",
    "minter",
    "treasury",
    "fees",
    "issuer",
    "alice",
    "bob",
    "eve",
)


class Platform:
    """Deployed contracts, named actors, and short ways to call and to look."""

    def __init__(self, web3: Any, directory: Path, ether_wei: int = 10**24) -> None:
        self.web3 = web3
        self.errors: dict[str, str] = {}
        self.keys = {name: Account.from_key(i.to_bytes(32, "big")) for i, name in enumerate(ACTORS, 1)}
        self.at = {name: key.address for name, key in self.keys.items()}
        self._ids = itertools.count(1)
        self._fees = {"gasPrice": 0} if ether_wei == 0 else {}
        for address in self.at.values():
            self.rpc("anvil_setBalance", address, hex(ether_wei))
            self.rpc("anvil_impersonateAccount", address)
        self.plan = deploy.Plan(
            owner=self.at["owner"],
            operators=[self.at["operator"]],
            registrars=[self.at["registrar"]],
            minters=[self.at["minter"]],
            treasury=self.at["treasury"],
            fee_recipient=self.at["fees"],
            fee_bps=250,
            base_uri="https://example.test/",
        )
        self.path = directory / "deployment.json"
        self.deployment = deploy.deploy(web3, self.keys["deployer"], self.plan, self.path)
        places = {key: value["address"] for key, value in self.deployment["contracts"].items()}
        self.token = self.contract("BirrToken", places["token"])
        self.registry = self.contract("IssuerRegistry", places["issuer_registry"])
        self.factory = self.contract("CampaignFactory", places["campaign_factory"])
        self.certificate = self.contract("NFTShareCertificate", places["share_certificate"])
        self.company = self.register(self.at["issuer"])
        for name in ("treasury", "alice", "bob", "eve"):
            self.send("minter", self.token.functions.mint(self.at[name], 10**12))
        self.send("treasury", self.token.functions.approve(self.factory.address, 2**255))
        for name in ("alice", "bob"):
            self.send("registrar", self.registry.functions.setInvestor(self.at[name], True))

    def rpc(self, method: str, *parameters: Any) -> Any:
        answer = self.web3.provider.make_request(method, list(parameters))
        assert "error" not in answer, answer
        return answer["result"]

    def contract(self, name: str, address: str) -> Any:
        abi = json.loads((build.ARTIFACTS / f"{name}.json").read_text())["abi"]
        contract = self.web3.eth.contract(address=address, abi=abi)
        for entry in abi:
            if entry["type"] == "error":
                types = ",".join(part["type"] for part in entry["inputs"])
                signature = f"{entry['name']}({types})"
                self.errors[self.web3.keccak(text=signature)[:4].hex()] = entry["name"]
        return contract

    def create(self, name: str, *arguments: Any) -> Any:
        artifact = json.loads((build.ARTIFACTS / f"{name}.json").read_text())
        call = self.web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"]).constructor(
            *arguments
        )
        sent = call.transact({"from": self.at["deployer"]})
        return self.contract(name, self.mined(sent)["contractAddress"])

    def mined(self, sent: Any) -> Any:
        """The receipt; the node may answer a send before it has mined it."""
        return self.web3.eth.wait_for_transaction_receipt(sent, 20, 0.005)

    def send(self, actor: str, call: Any) -> Any:
        """Send a call as `actor`, see that it worked, and return the receipt."""
        sent = call.transact({"from": self.at[actor], "gas": 8_000_000} | self._fees)
        receipt = self.mined(sent)
        assert receipt["status"] == 1, self.reason(actor, call)
        return receipt

    def reason(self, actor: str, call: Any) -> str | None:
        """The name of the custom error that the call would revert with now; None: it would work.
        The actor is one of `at`, or any address: a contract, or nobody's."""
        return self._reason(lambda: call.call({"from": self.at.get(actor, actor), "gas": 8_000_000}))

    def creation_reason(self, name: str, *arguments: Any) -> str | None:
        """As `reason`, of the constructor."""
        artifact = json.loads((build.ARTIFACTS / f"{name}.json").read_text())
        new = self.web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        data = new.constructor(*arguments).data_in_transaction
        return self._reason(lambda: self.web3.eth.call({"from": self.at["deployer"], "data": data}))

    def _reason(self, attempt: Callable[[], object]) -> str | None:
        from web3.exceptions import ContractCustomError, ContractLogicError

        try:
            attempt()
        except ContractCustomError as error:
            data = str(error.data or error.args[0])
            return self.errors[data.removeprefix("0x")[:8]]
        except ContractLogicError as error:
            return str(error)
        return None

    def events(self, receipt: Any, contract: Any, name: str) -> list[dict[str, Any]]:
        from web3.logs import DISCARD

        return [dict(entry["args"]) for entry in contract.events[name]().process_receipt(receipt, DISCARD)]

    def event(self, receipt: Any, contract: Any, name: str) -> dict[str, Any]:
        (found,) = self.events(receipt, contract, name)
        return found

    def new_id(self) -> bytes:
        return uuid.UUID(int=next(self._ids) + (7 << 76)).bytes + bytes(16)

    def balance(self, who: str, token: Any = None) -> int:
        return int((token or self.token).functions.balanceOf(self.at.get(who, who)).call())

    def pass_time(self, seconds: int) -> None:
        self.rpc("evm_increaseTime", seconds)
        self.rpc("evm_mine")

    def register(self, wallet: str) -> bytes:
        """A new company with this wallet."""
        company = self.new_id()
        call = self.registry.functions.registerIssuer(company, wallet, b"\x11" * 32, "ipfs://issuer")
        self.send("registrar", call)
        return company

    def terms(self, **changes: Any) -> tuple[Any, ...]:
        fields = {
            "campaignId": self.new_id(), "issuer": self.at["issuer"], "fundingGoal": 1_000_000,
            "minInvestment": 1_000, "maxInvestment": 0, "duration": 30 * DAY, "grace": 5 * DAY,
            "successThresholdBps": 7_500, "documentURI": "ipfs://offer",
        }  # fmt: skip
        return tuple({**fields, **changes}.values())

    def campaign(self, factory: Any = None, investors: bool = True, **changes: Any) -> Any:
        """A new campaign; alice, bob and eve have approved it."""
        factory = factory or self.factory
        receipt = self.send("operator", factory.functions.createCampaign(self.terms(**changes)))
        created = self.event(receipt, factory, "CampaignCreated")
        campaign = self.contract("CampaignImplementation", created["campaign"])
        token = self.contract("BirrToken", created["token"])
        for name in ("alice", "bob", "eve") if investors else ():
            self.send(name, token.functions.approve(campaign.address, 2**255))
        return campaign

    def invest(self, campaign: Any, actor: str, amount: int) -> bytes:
        nonce = self.new_id()
        self.send(actor, campaign.functions.invest(nonce, amount))
        return bytes(campaign.functions.investmentIdOf(self.at[actor], nonce).call())

    def record(self, campaign: Any, actor: str, amount: int, **changes: Any) -> Any:
        """The call that records an investment of `actor`."""
        wanted = SimpleNamespace(**({"id": self.new_id(), "reference": self.new_id()} | changes))
        return campaign.functions.recordInvestment(wanted.id, self.at[actor], amount, wanted.reference)

    def other_token(self, name: str) -> tuple[Any, Any]:
        """A token of contracts/src/test, and a factory for campaigns in it."""
        token = self.create(name)
        for holder in ("treasury", "alice", "bob"):
            self.send("deployer", token.functions.mint(self.at[holder], 10**12))
        factory = self.create(
            "CampaignFactory", self.at["owner"], self.registry.address, token.address,
            self.at["treasury"], self.at["fees"], 250,
        )  # fmt: skip
        self.send("treasury", token.functions.approve(factory.address, 2**255))
        implementation = self.create("CampaignImplementation", factory.address)
        self.send("owner", factory.functions.setImplementation(implementation.address))
        role = factory.functions.OPERATOR_ROLE().call()
        self.send("owner", factory.functions.grantRole(role, self.at["operator"]))
        self.send("owner", self.registry.functions.setFactory(factory.address))
        return token, factory


@pytest.fixture(scope="session")
def platform_type() -> type[Platform]:
    """To deploy it elsewhere."""
    return Platform


@pytest.fixture(scope="session")
def contract_node(server_base: Path) -> Iterator[Anvil]:
    """A node of this folder's own, because its tests move time; killed by its pid."""
    node = Anvil(
        server_base / "contracts",
        install_directory=ROOT / ".chainfirst" / "node" / "anvil",
        arguments=("--hardfork", "london"),
    )
    node.start()
    try:
        yield node
    finally:
        node.stop()


@pytest.fixture(scope="session")
def deployed(contract_node: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """The platform, shared by this worker's tests."""
    from web3 import Web3

    web3 = Web3(Web3.HTTPProvider(contract_node.url))
    return Platform(web3, tmp_path_factory.mktemp("deployment"))


@pytest.fixture(scope="session")
def rolled_back(deployed: Platform) -> Callable[[], Any]:
    """A context manager: what happens inside is undone after it."""
    import contextlib

    @contextlib.contextmanager
    def block() -> Iterator[Platform]:
        snapshot = deployed.rpc("evm_snapshot")
        try:
            yield deployed
        finally:
            assert deployed.rpc("evm_revert", snapshot)

    return block


@pytest.fixture
def platform(rolled_back: Callable[[], Any]) -> Iterator[Platform]:
    """The platform as it was deployed; the test's changes are undone after it."""
    with rolled_back() as fresh:
        yield fresh
