"""Puts the platform's contracts on a chain, hands over their roles, and reads everything back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainfirst.contracts import deployment as deployments
from chainfirst.contracts.build import ARTIFACTS
from chainfirst.ops import errors

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from web3 import Web3
    from web3.contract import Contract

RECEIPT_SECONDS = 120
KEYS = {
    "IssuerRegistry": "issuer_registry",
    "CampaignFactory": "campaign_factory",
    "NFTShareCertificate": "share_certificate",
    "BirrToken": "token",
}
MIGHT_BE_PARTIAL = "Nothing refers to these contracts yet: correct the cause and deploy again."


@dataclass(frozen=True)
class Plan:
    """Who gets what.

    No token: a BirrToken is deployed, of which the treasury gets `treasury_funds` units. The factory is
    approved only if the treasury is the deployer.
    """

    owner: str
    operators: Sequence[str]
    registrars: Sequence[str]
    minters: Sequence[str]
    treasury: str
    fee_recipient: str
    fee_bps: int = 0
    token: str | None = None
    voting_unit: int = 100_000  # 1000 birr of 100 santim
    base_uri: str = ""
    treasury_funds: int = 0


@dataclass
class _Chain:
    """Sends the deployer's transactions one after another."""

    web3: "Web3"
    account: "LocalAccount | str"
    contracts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def deployer(self) -> str:
        """The deployer's address."""
        return self.account if isinstance(self.account, str) else str(self.account.address)

    def create(self, name: str, *arguments: object) -> "Contract":
        artifact = json.loads((ARTIFACTS / f"{name}.json").read_text())
        factory = self.web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        receipt = self.send(factory.constructor(*arguments), f"deploying {name}")
        if name in KEYS:
            self.contracts[KEYS[name]] = {
                "address": receipt["contractAddress"],
                "start_block": receipt["blockNumber"],
            }
        contract: Contract = self.web3.eth.contract(address=receipt["contractAddress"], abi=artifact["abi"])
        return contract

    def send(self, call: Any, what: str) -> Any:
        """Send a call, legacy where the head has no base fee, and wait until it is mined."""
        fields: dict[str, Any] = {
            "from": self.deployer,
            "nonce": self.web3.eth.get_transaction_count(
                self.web3.to_checksum_address(self.deployer), "pending"
            ),
            "chainId": self.web3.eth.chain_id,
        }
        base_fee = deployments.header(self.web3, "latest").get("baseFeePerGas")
        if base_fee is None:
            fields["gasPrice"] = self.web3.eth.gas_price
        else:
            tip = self.web3.eth.max_priority_fee
            fields |= {"maxPriorityFeePerGas": tip, "maxFeePerGas": 2 * int(base_fee, 16) + tip}
        built = call.build_transaction(fields)
        if isinstance(self.account, str):
            transaction_hash = self.web3.eth.send_transaction(built)
        else:
            signed = self.account.sign_transaction(built)
            transaction_hash = self.web3.eth.send_raw_transaction(signed.raw_transaction)
        receipt = self.web3.eth.wait_for_transaction_receipt(transaction_hash, RECEIPT_SECONDS, 0.05)
        if receipt["status"] != 1:
            raise errors.FatalError(
                f"{what} was reverted in {transaction_hash.to_0x_hex()}", MIGHT_BE_PARTIAL
            )
        return receipt


def deploy(
    web3: "Web3", account: "LocalAccount | str", plan: Plan, path: Path | None = None
) -> dict[str, Any]:
    """Deploy everything as `account`, and return (and write to `path`) where it is.

    The account keeps no role but those that the plan gives it. An address: the node signs for it.
    """
    plan = _checksummed(web3, plan)
    chain = _Chain(web3, account)
    me = chain.deployer
    created: dict[str, tuple[Contract, dict[str, Sequence[str]]]] = {}

    if plan.token is None:
        token = chain.create("BirrToken", me)
        created["BirrToken"] = token, {"MINTER_ROLE": plan.minters}
        if plan.treasury_funds:
            chain.send(token.functions.mint(plan.treasury, plan.treasury_funds), "the treasury's funds")
    else:
        if not web3.eth.get_code(web3.to_checksum_address(plan.token)):
            raise errors.ConfigError(
                f"no contract at the token's address {plan.token}", "Correct the address."
            )
        artifact = json.loads((ARTIFACTS / "BirrToken.json").read_text())
        token = web3.eth.contract(address=web3.to_checksum_address(plan.token), abi=artifact["abi"])
        chain.contracts["token"] = {"address": plan.token, "start_block": web3.eth.block_number}
    registry = chain.create("IssuerRegistry", me)
    created["IssuerRegistry"] = registry, {"REGISTRAR_ROLE": plan.registrars}
    factory = chain.create(
        "CampaignFactory",
        me,
        registry.address,
        token.address,
        plan.treasury,
        plan.fee_recipient,
        plan.fee_bps,
    )
    created["CampaignFactory"] = factory, {"OPERATOR_ROLE": plan.operators}
    implementation = chain.create("CampaignImplementation", factory.address)
    certificate = chain.create("NFTShareCertificate", me, factory.address, plan.voting_unit, plan.base_uri)
    roles = {"MINTER_ROLE": plan.minters, "REGISTRAR_ROLE": plan.registrars}
    created["NFTShareCertificate"] = certificate, roles

    chain.send(registry.functions.setFactory(factory.address), "setting the factory")
    chain.send(factory.functions.setImplementation(implementation.address), "setting the implementation")
    if plan.treasury == me:
        chain.send(token.functions.approve(factory.address, 2**256 - 1), "the treasury's approval")
    for name, (contract, wanted) in created.items():
        _hand_over(chain, name, contract, wanted, plan.owner)

    wiring = {
        "the registry's factory": (registry.functions.factory().call(), factory.address),
        "the factory's registry": (factory.functions.registry().call(), registry.address),
        "the factory's token": (factory.functions.token().call(), token.address),
        "the factory's treasury": (factory.functions.treasury().call(), plan.treasury),
        "the factory's fee recipient": (factory.functions.feeRecipient().call(), plan.fee_recipient),
        "the factory's fee": (factory.functions.feeBps().call(), plan.fee_bps),
        "the factory's implementation": (factory.functions.implementation().call(), implementation.address),
        "the implementation's factory": (implementation.functions.factory().call(), factory.address),
        "the certificates' factory": (certificate.functions.factory().call(), factory.address),
        "the voting unit": (certificate.functions.votingUnit().call(), plan.voting_unit),
    }
    for what, (found, expected) in wiring.items():
        if found != expected:
            raise errors.FatalError(f"{what} is {found}, not {expected}", MIGHT_BE_PARTIAL)
    for name, (contract, wanted) in created.items():
        _check_roles(name, contract, wanted, plan.owner, me)

    deployment = {
        "chain_id": web3.eth.chain_id,
        "genesis_hash": deployments.header(web3, 0)["hash"],
        "contracts": dict(sorted(chain.contracts.items())),
    }
    holders = deployments.role_holders(web3, deployment)
    for name, (_, wanted) in created.items():
        _check_holders(name, holders[KEYS[name]], wanted, plan.owner)
    if path is not None:
        deployments.write(deployment, path)
    return deployment


def _checksummed(web3: "Web3", plan: Plan) -> Plan:
    def one(address: str) -> str:
        try:
            return str(web3.to_checksum_address(address))
        except ValueError:
            raise errors.ConfigError(f"{address!r} is no address", "Correct it.") from None

    return Plan(
        owner=one(plan.owner),
        operators=[one(address) for address in plan.operators],
        registrars=[one(address) for address in plan.registrars],
        minters=[one(address) for address in plan.minters],
        treasury=one(plan.treasury),
        fee_recipient=one(plan.fee_recipient),
        fee_bps=plan.fee_bps,
        token=None if plan.token is None else one(plan.token),
        voting_unit=plan.voting_unit,
        base_uri=plan.base_uri,
        treasury_funds=plan.treasury_funds,
    )


def _held(contract: "Contract", wanted: dict[str, Sequence[str]], owner: str) -> dict[bytes, set[str]]:
    """Who shall hold each of a contract's roles."""
    held = {bytes(contract.functions[role]().call()): set(holders) for role, holders in wanted.items()}
    return held | {deployments.ADMIN: {owner}}


def _hand_over(
    chain: _Chain, name: str, contract: "Contract", wanted: dict[str, Sequence[str]], owner: str
) -> None:
    me = chain.deployer
    held = _held(contract, wanted, owner)
    for role, holders in held.items():
        for holder in sorted(holders):
            chain.send(contract.functions.grantRole(role, holder), f"granting a role of {name}")
    for role, holders in held.items():  # ADMIN comes last
        if me not in holders and contract.functions.hasRole(role, me).call():
            chain.send(contract.functions.renounceRole(role, me), f"renouncing a role of {name}")


def _check_roles(
    name: str, contract: "Contract", wanted: dict[str, Sequence[str]], owner: str, deployer: str
) -> None:
    for role, holders in _held(contract, wanted, owner).items():
        for holder in sorted(holders | {deployer}):
            if contract.functions.hasRole(role, holder).call() != (holder in holders):
                verb = "lacks" if holder in holders else "still has"
                raise errors.FatalError(
                    f"{holder} {verb} the role 0x{role.hex()} of {name}", MIGHT_BE_PARTIAL
                )


def _check_holders(
    name: str, found: Mapping[str, Sequence[str]], wanted: dict[str, Sequence[str]], owner: str
) -> None:
    """No one else was granted anything, by the chain's own events."""
    expected = {role: sorted(set(holders)) for role, holders in wanted.items() if holders} | {
        "ADMIN": [owner]
    }
    if dict(found) != expected:
        raise errors.FatalError(f"the roles of {name} are {found}, not {expected}", MIGHT_BE_PARTIAL)
