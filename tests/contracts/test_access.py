"""Who may call what: every function of every contract that changes something, tried by everybody.

The calls are built so that they work for who may make them; each other caller must be refused by the check
of the caller, not by something else. test_complete.py sees to it that no function is missing.
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from chainfirst.contracts import build

DAY = 86_400
ADMIN = bytes(32)
HASH = b"\x33" * 32
UNAUTHORIZED = "AccessControlUnauthorizedAccount"
ANYONE = None
CONTRACTS = (
    "IssuerRegistry",
    "CampaignFactory",
    "CampaignImplementation",
    "NFTShareCertificate",
    "BirrToken",
)
ROLES = {
    "IssuerRegistry": {"DEFAULT_ADMIN_ROLE": "owner", "REGISTRAR_ROLE": "registrar"},
    "CampaignFactory": {"DEFAULT_ADMIN_ROLE": "owner", "OPERATOR_ROLE": "operator"},
    "CampaignImplementation": {},
    "NFTShareCertificate": {
        "DEFAULT_ADMIN_ROLE": "owner", "MINTER_ROLE": "minter", "REGISTRAR_ROLE": "registrar",
    },
    "BirrToken": {"DEFAULT_ADMIN_ROLE": "owner", "MINTER_ROLE": "minter"},
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A call, who may make it (None: anyone), and the error that everybody else gets."""

    call: Any
    allowed: frozenset[str] | None
    refusal: str = UNAUTHORIZED


class World:
    """Campaigns in every state, one certificate, and the contracts among the callers."""

    def __init__(self, platform: Any) -> None:
        self.platform = platform
        wallets = iter(f"0x{0xC0FFEE00 + n:040x}" for n in range(9))

        def campaign() -> Any:
            wallet = platform.web3.to_checksum_address(next(wallets))
            platform.register(wallet)
            return platform.campaign(issuer=wallet)

        send, owner = platform.send, "owner"
        self.running, self.paused, self.full = campaign(), campaign(), campaign()
        self.successful, self.released, self.cancelled = campaign(), campaign(), campaign()
        send(owner, self.paused.functions.pause())
        for filled in (self.full, self.successful, self.released):
            self.bought = platform.invest(filled, "alice", 1_000_000)
        self.sold = platform.campaign()
        self.bought = platform.invest(self.sold, "alice", 600_000)
        self.unminted = platform.invest(self.sold, "alice", 400_000)
        for over in (self.successful, self.released, self.sold):
            send("eve", over.functions.finalize())
        send("eve", self.released.functions.releaseFunds())
        platform.invest(self.cancelled, "alice", 5_000)
        send(owner, self.cancelled.functions.cancel(""))
        send("bob", platform.token.functions.transfer(self.running.address, 7))
        mint = platform.certificate.functions.mint(platform.at["alice"], self.bought, self.sold.address, HASH)
        send("minter", mint)
        for name in platform.at:  # so that everybody could pay
            send("minter", platform.token.functions.mint(platform.at[name], 10_000))
            if name != "treasury":
                send(name, platform.token.functions.approve(self.running.address, 2**255))
        self.callers = dict(platform.at) | {
            "factory": platform.factory.address,
            "registry": platform.registry.address,
            "certificate": platform.certificate.address,
            "running": self.running.address,
            "implementation": platform.factory.functions.implementation().call(),
        }

    def contract(self, name: str) -> Any:
        return self.running if name == "CampaignImplementation" else deployed(self.platform, name)


def deployed(platform: Any, name: str) -> Any:
    return {
        "IssuerRegistry": platform.registry,
        "CampaignFactory": platform.factory,
        "NFTShareCertificate": platform.certificate,
        "BirrToken": platform.token,
    }[name]


def only(*names: str) -> frozenset[str]:
    return frozenset(names)


def role_cases(world: World, name: str) -> list[Case]:
    """AccessControl's own functions, for each role of the contract."""
    views, cases = world.contract(name).functions, []
    for role, holder in ROLES[name].items():
        value = views[role]().call()
        address = world.callers[holder]
        cases += [
            Case(views.grantRole(value, world.callers["eve"]), only("owner")),
            Case(views.revokeRole(value, address), only("owner")),
            Case(views.renounceRole(value, address), only(holder), "AccessControlBadConfirmation"),
        ]
    return cases


def registry_cases(world: World) -> list[Case]:
    views, at, platform = world.contract("IssuerRegistry").functions, world.callers, world.platform
    issuer, new = at["issuer"], platform.new_id
    busy = world.running.functions.issuer().call()
    return [
        Case(views.registerIssuer(new(), at["eve"], HASH, ""), only("registrar")),
        Case(views.replaceIssuer(platform.company, at["eve"]), only("registrar")),
        Case(views.updateDocument(issuer, "x"), only("registrar", "issuer"), "NotRegistrarOrIssuer"),
        Case(views.setActive(issuer, False), only("registrar")),
        Case(views.setInvestor(at["eve"], True), only("registrar")),
        Case(views.setFactory(at["eve"]), only("owner")),
        Case(views.lock(issuer, at["eve"]), only("factory"), "NotFactory"),
        Case(views.unlock(busy), only("running"), "NotActiveCampaign"),
    ]


def factory_cases(world: World) -> list[Case]:
    views, at, platform = world.contract("CampaignFactory").functions, world.callers, world.platform
    return [
        Case(views.createCampaign(platform.terms()), only("operator")),
        Case(views.pull(1, platform.new_id(), platform.new_id()), only("running"), "NotCampaign"),
        Case(views.setImplementation(at["implementation"]), only("owner")),
        Case(views.setFee(1), only("owner")),
        Case(views.setFeeRecipient(at["eve"]), only("owner")),
        Case(views.setTreasury(at["eve"]), only("owner")),
    ]


def campaign_cases(world: World) -> list[Case]:
    running, at, platform = world.running.functions, world.callers, world.platform
    setup = (platform.company, platform.token.address, at["eve"], 0, 1, 1)
    missing = "MissingRole"
    return [
        Case(running.initialize(platform.terms(), setup), only(), "AlreadyInitialized"),
        Case(running.invest(bytes(32), 5_000), only("alice", "bob"), "InvestorNotVerified"),
        Case(platform.record(world.running, "eve", 5_000), only("operator"), missing),
        Case(running.cancel(""), only("owner"), missing),
        Case(running.pause(), only("owner"), missing),
        Case(world.paused.functions.unpause(), only("owner"), missing),
        Case(running.sweep(), ANYONE),
        Case(world.full.functions.finalize(), ANYONE),
        Case(world.successful.functions.releaseFunds(), ANYONE),
        Case(world.released.functions.withdrawFee(), ANYONE),
        Case(world.cancelled.functions.refund(at["alice"]), ANYONE),
    ]


def certificate_cases(world: World) -> list[Case]:
    views, at = world.contract("NFTShareCertificate").functions, world.callers
    wanted = (at["alice"], world.unminted, world.sold.address, HASH)
    move, owner, approval = (at["alice"], at["bob"], 1), only("alice"), "ERC721InsufficientApproval"
    return [
        Case(views.mint(*wanted), only("minter")),
        Case(views.mintBatch([wanted]), only("minter")),
        Case(views.registrarTransfer(1, at["bob"], ""), only("registrar")),
        Case(views.revoke(1, ""), only("registrar")),
        Case(views.setBaseURI("x"), only("owner")),
        Case(views.approve(at["eve"], 1), owner, "ERC721InvalidApprover"),
        Case(views.setApprovalForAll(at["eve"], True), ANYONE),
        Case(views.transferFrom(*move), owner, approval),
        Case(views["safeTransferFrom(address,address,uint256)"](*move), owner, approval),
        Case(views["safeTransferFrom(address,address,uint256,bytes)"](*move, b"x"), owner, approval),
    ]


def token_cases(world: World) -> list[Case]:
    views, at = world.contract("BirrToken").functions, world.callers
    pay = views.transferFrom(at["treasury"], at["eve"], 1)
    return [
        Case(views.mint(at["eve"], 1), only("minter")),
        Case(views.approve(at["eve"], 1), ANYONE),
        Case(views.transfer(at["eve"], 0), ANYONE),
        Case(pay, only("factory"), "ERC20InsufficientAllowance"),
    ]


def cases(world: World, name: str) -> list[Case]:
    builders = (registry_cases, factory_cases, campaign_cases, certificate_cases, token_cases)
    return dict(zip(CONTRACTS, builders, strict=True))[name](world) + role_cases(world, name)


@pytest.mark.parametrize("name", CONTRACTS)
def test_everybody_tries_everything(platform: Any, name: str) -> None:
    world = World(platform)
    tried = cases(world, name)
    for case in tried:
        for caller, address in world.callers.items():
            allowed = case.allowed is None or caller in case.allowed
            expected = None if allowed else case.refusal
            assert platform.reason(address, case.call) == expected, (case.call.signature, caller)

    abi = json.loads((build.ARTIFACTS / f"{name}.json").read_text())["abi"]
    changing = {
        f"{entry['name']}({','.join(signature(part) for part in entry['inputs'])})"
        for entry in abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    assert {case.call.signature for case in tried} == changing
    roles = {entry["name"] for entry in abi if entry.get("name", "").endswith("_ROLE")}
    assert set(ROLES[name]) == roles


def signature(part: dict[str, Any]) -> str:
    if not part["type"].startswith("tuple"):
        return str(part["type"])
    inner = ",".join(signature(component) for component in part["components"])
    return f"({inner}){part['type'].removeprefix('tuple')}"


@pytest.mark.parametrize("name", [name for name in CONTRACTS if ROLES[name]])
def test_a_role_is_given_taken_and_given_up(platform: Any, name: str) -> None:
    contract = deployed(platform, name)
    views, eve = contract.functions, platform.at["eve"]
    for role in ROLES[name]:
        value = views[role]().call()
        assert views.getRoleAdmin(value).call() == ADMIN
        for end in (("owner", views.revokeRole), ("eve", views.renounceRole)):
            granted = platform.event(
                platform.send("owner", views.grantRole(value, eve)), contract, "RoleGranted"
            )
            assert granted == {"role": value, "account": eve, "sender": platform.at["owner"]}
            assert views.hasRole(value, eve).call()
            assert (
                platform.events(platform.send("owner", views.grantRole(value, eve)), contract, "RoleGranted")
                == []
            )
            actor, call = end
            revoked = platform.event(platform.send(actor, call(value, eve)), contract, "RoleRevoked")
            assert revoked == {"role": value, "account": eve, "sender": platform.at[actor]}
            assert not views.hasRole(value, eve).call()
