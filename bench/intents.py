"""Intents at once, until final blocks confirm them, against one transaction after the other; and from submit
to sent on an idle daemon."""

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bench import daemon, report
from bench.latency import MS, percentile
from bench.node import Node
from bench.servers import ROOT, Servers

COUNT = 1000
PLAIN = 50  # one after the other, then extrapolated
IDLE = 200
FINALITY = 2
GAS_LIMIT = 30_000_000
BLOCK_SECONDS = 1
DAY = 86_400
LONGEST_SECONDS = 300.0
VARIABLE = "BENCH_KEY"
FACTORY = ("campaign_factory", "CampaignCreated", "campaign")


def run(servers: Servers, count: int = COUNT) -> bool:
    """Measure and print; whether all is as wanted."""
    found = report.Report("intents")
    report.progress(f"{count} intents at once, blocks of {GAS_LIMIT:,} gas each {BLOCK_SECONDS} s")
    os.environ[VARIABLE] = "0x" + os.urandom(32).hex()
    with servers.node(GAS_LIMIT) as node, servers.database() as url:
        stage = Stage(node)
        file = stage.config(servers, url)
        with psycopg.connect(url, autocommit=True) as connection, daemon.running(file) as process:
            wait(process, lambda: daemon.cursor(connection) == node.head())
            node.call("evm_setIntervalMining", BLOCK_SECONDS)
            took = at_once(connection, process, node, stage, count)
            node.call("evm_setIntervalMining", 0)
            node.mine(FINALITY + 1)
            idle = sorted(one(connection, process, node, stage) for _ in range(IDLE))
        node.call("evm_setIntervalMining", BLOCK_SECONDS)
        plain = stage.plain(PLAIN)
    extrapolated = plain / PLAIN * count
    found.add(f"{count} intents: from their commit until all are confirmed", took.seconds, "s")
    found.add("intents a second", count / took.seconds, "/s")
    found.add(f"the plain way (its first {PLAIN}, extrapolated)", extrapolated, "s")
    found.add("times the plain way", extrapolated / took.seconds, "", at_least=30)
    found.add("blocks until the last was mined", took.blocks, "")
    found.add("the least that the gas limit allows", took.least, "")
    found.add("blocks more than the least", took.blocks - took.least, "", at_most=5)
    found.add("from submit to sent, idle: p50", percentile(idle, 50), "ms")
    found.add("from submit to sent, idle: p99", percentile(idle, 99), "ms", at_most=100)
    found.remarks.append(f"confirmed: {FINALITY} blocks after the one that holds it; polled each 20 ms")
    return found.publish()


class Took:
    """What `count` intents needed."""

    def __init__(self, seconds: float, blocks: int, gas_used: int) -> None:
        self.seconds, self.blocks = seconds, blocks
        self.least = -(-gas_used // GAS_LIMIT)


class Stage:
    """The platform on a fresh chain: a signer with the operator's role, a campaign, a full treasury."""

    def __init__(self, node: Node) -> None:
        from chainfirst.contracts import deploy
        from eth_account import Account
        from web3 import Web3

        self.node = node
        node.call("evm_setAutomine", True)
        web3 = Web3(Web3.HTTPProvider(node.url))
        deployer, issuer, self.investor = web3.eth.accounts[:3]
        self.signer = Account.from_key(os.environ[VARIABLE]).address
        node.call("anvil_setBalance", self.signer, hex(10**24))
        plan = deploy.Plan(deployer, [self.signer], [deployer], [deployer], deployer, deployer)
        self.deployment = deploy.deploy(web3, deployer, plan)
        self.web3 = web3
        self.campaign_id = uuid.uuid4()
        registry = self._contract("IssuerRegistry", "issuer_registry")
        factory = self._contract("CampaignFactory", "campaign_factory")
        token = self._contract("BirrToken", "token")
        self._send(
            deployer,
            registry.functions.registerIssuer(b"\1" * 16 + bytes(16), issuer, b"\1" * 32, "ipfs://1"),
        )
        self._send(deployer, token.functions.mint(deployer, 10**15))
        node.call("anvil_impersonateAccount", self.signer)
        terms = (self.campaign_id.bytes + bytes(16), issuer, 10**14, 1, 0, 30 * DAY, 0, 7500, "ipfs://2")
        self._send(self.signer, factory.functions.createCampaign(terms))
        self.campaign = factory.functions.campaignOf(self.campaign_id.bytes + bytes(16)).call()
        node.call("anvil_stopImpersonatingAccount", self.signer)
        node.call("evm_setAutomine", False)
        node.mine(FINALITY + 1)

    def config(self, servers: Servers, url: str) -> Path:
        """The daemon's settings."""
        places = {key: value["address"].lower() for key, value in self.deployment["contracts"].items()}
        contracts = [
            daemon.Contract("issuer_registry", "IssuerRegistry", places["issuer_registry"]),
            daemon.Contract("campaign_factory", "CampaignFactory", places["campaign_factory"]),
            daemon.Contract("campaign", "CampaignImplementation", factory=FACTORY),
            daemon.Contract("share_certificate", "NFTShareCertificate", places["share_certificate"]),
            daemon.Contract("token", "BirrToken", places["token"]),
        ]
        file = daemon.write_config(
            servers.directory, url, self.node, contracts, platform=True, finality=str(FINALITY)
        )
        file.write_text(f'{file.read_text()}[writer]\nsigner = "env:{VARIABLE}"\nin_flight = {COUNT}\n')
        return file

    def payload(self) -> Jsonb:
        """Another investment of a thousand santim."""
        return Jsonb(
            {
                "campaign": str(self.campaign_id),
                "investment": str(uuid.uuid4()),
                "investor": self.investor,
                "amount": "1000",
                "payment_reference": uuid.uuid4().hex,
            }
        )

    def plain(self, count: int) -> float:
        """Seconds of `count` investments one after the other, by a process of its own."""
        command = [
            sys.executable,
            "-m",
            "bench.onebyone",
            self.node.url,
            self.campaign,
            self.investor,
            str(count),
        ]
        done = subprocess.run([*command, VARIABLE], cwd=ROOT, check=True, capture_output=True, text=True)
        return float(json.loads(done.stdout))

    def _contract(self, name: str, key: str) -> Any:
        abi = json.loads((ROOT / "contracts" / "artifacts" / f"{name}.json").read_text())["abi"]
        return self.web3.eth.contract(address=self.deployment["contracts"][key]["address"], abi=abi)

    def _send(self, sender: str, call: Any) -> None:
        receipt = self.web3.eth.wait_for_transaction_receipt(call.transact({"from": sender}), 20, 0.01)
        if receipt["status"] != 1:
            raise RuntimeError(f"{call} was reverted")


def at_once(
    connection: psycopg.Connection[Any], process: daemon.Daemon, node: Node, stage: Stage, count: int
) -> Took:
    """All of them in one transaction, until all are confirmed."""
    head = node.head()
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "SELECT intent.submit('campaign.record_investment', %s, %s)",
            [(stage.payload(), f"bench {number}") for number in range(count)],
        )
    began = time.monotonic()
    confirmed = "SELECT count(*) FROM intent.intents WHERE outcome IS NOT NULL"
    wait(process, lambda: connection.execute(confirmed).fetchone() == (count,))
    seconds = time.monotonic() - began
    row = connection.execute(
        "SELECT max(block_number), sum(gas_used)::bigint, count(*) FROM intent.inclusions"
    ).fetchone()
    bad = connection.execute(
        "SELECT status, error, count(*) FROM intent.overview WHERE status <> 'confirmed' GROUP BY 1, 2"
    ).fetchall()
    if row is None or bad or row[2] != count:
        raise RuntimeError(f"not all are confirmed: {row}, {bad}; {process.log.read_text()[-2000:]}")
    return Took(seconds, row[0] - head, row[1])


def one(connection: psycopg.Connection[Any], process: daemon.Daemon, node: Node, stage: Stage) -> float:
    """Milliseconds from the commit of a submit until it was sent; then it is confirmed, and all is idle."""
    row = connection.execute(
        "SELECT intent.submit('campaign.record_investment', %s, %s)", [stage.payload(), str(uuid.uuid4())]
    ).fetchone()
    began = time.monotonic()
    assert row is not None
    sent = "SELECT intent.status_of(%s)"
    wait(process, lambda: connection.execute(sent, row).fetchone() == ("sent",), 0.0005)
    took = time.monotonic() - began
    node.mine(FINALITY + 1)
    wait(process, lambda: connection.execute(sent, row).fetchone() == ("confirmed",))
    time.sleep(0.05)
    return took * MS


def wait(process: daemon.Daemon, done: Any, poll_seconds: float = 0.02) -> None:
    """Until it is so."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while not done():
        process.check()
        if time.monotonic() > deadline:
            raise RuntimeError(f"it takes too long: {process.log.read_text()[-2000:]}")
        time.sleep(poll_seconds)
