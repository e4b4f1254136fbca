"""The platform's events through the ledger's folds: how many a second, and whether growth slows them."""

import subprocess

import psycopg

from bench import daemon, report
from bench.node import Node
from bench.servers import ROOT, Servers

EVENTS = 200_000
WIDTH = 24  # campaigns that take investments at the same time
COHORT_BLOCKS = 100  # until the next ones: 100 investments for each campaign
MINTED = 20  # certificates in a block, 3 events each
MOVED = 4  # transfers of certificates in a block, 4 events each
VERIFIED = 2  # investors in a block
IN_BLOCK = WIDTH + 3 * MINTED + 4 * MOVED + VERIFIED
EMPTY = 70
RUNS = 2


def run(servers: Servers, events: int = EVENTS) -> bool:
    """Measure and print; whether all is as wanted."""
    found = report.Report("folds")
    blocks = events // IN_BLOCK
    with servers.node() as node:
        report.progress(f"preparing {blocks:,} blocks of the platform's events")
        platform = node.deploy("LedgerBurst")
        token = node.deploy("Burst")
        first, last = play(node, platform, blocks)
        node.mine(EMPTY)
        rates, early, late, costs = [], [], [], []
        for number in range(1, RUNS + 1):
            with servers.database() as url:
                file = daemon.write_config(
                    servers.directory, url, node, contracts(platform, token), platform=True
                )
                done = daemon.backfill(file, url, last)
                counts = count(url)
                total = sum(counts.values())
                rates.append(done.rate(first, last, total))
                costs.append(done.cpu_micros(first, last, total))
                for quarter, rate in zip((early, late), done.quarter_rates(first, last, total), strict=True):
                    quarter.append(rate)
                report.progress(
                    f"run {number}: {total:,} events, {rates[-1]:,.0f} events/s, "
                    f"first quarter {early[-1]:,.0f}, last {late[-1]:,.0f}"
                )
                verify = [*daemon.chainfirst(file, "verify")]
                differences = subprocess.run(verify, cwd=ROOT, capture_output=True, text=True, check=False)
    found.add("events folded", total)
    found.add("steady", max(rates), "events/s", at_least=25_000, runs=tuple(rates))
    found.add("first quarter", max(early), "events/s", runs=tuple(early))
    found.add("last quarter", max(late), "events/s", runs=tuple(late))
    found.add("last quarter / first quarter", max(late) / max(early), "times", at_least=0.9)
    found.add("CPU of the daemon", min(costs), "µs/event", runs=tuple(costs))
    found.add("chainfirst verify: exit code", differences.returncode, at_most=0)
    found.remarks += [f"{name}: {rows:,}" for name, rows in counts.items()]
    found.remarks += differences.stdout.splitlines()[-3:] + differences.stderr.splitlines()[-3:]
    return found.publish()


def contracts(platform: str, token: str) -> list[daemon.Contract]:
    """The platform's contracts, all of them the one that emits as each."""
    factory = ("campaign_factory", "CampaignCreated", "campaign")
    return [
        daemon.Contract("issuer_registry", "IssuerRegistry", platform),
        daemon.Contract("campaign_factory", "CampaignFactory", platform),
        daemon.Contract("campaign", "CampaignImplementation", factory=factory),
        daemon.Contract("share_certificate", "NFTShareCertificate", platform),
        daemon.Contract("token", "BirrToken", token),
    ]


def play(node: Node, platform: str, blocks: int) -> tuple[int, int]:
    """A life of the platform, alike in all its parts; its first and last block.

    Each block: an investment into each open campaign, certificates for older investments, transfers of
    certificates, newly verified investors. The campaigns end together, and the next ones open.
    """
    first, head = node.head() + 1, 0
    for number in range(blocks):
        cohort, within = divmod(number, COHORT_BLOCKS)
        if within == 0:
            if cohort:
                node.send(platform, "finish(uint256,uint256)", (cohort - 1) * WIDTH, WIDTH)
            sent = node.send(platform, "create(uint256)", WIDTH)
            node.mine()
            node.check(sent)
        signature = "invest(uint256,uint256,uint256,uint256)"
        node.send(platform, signature, number * WIDTH, WIDTH, cohort * WIDTH, WIDTH)
        node.send(platform, "mint(uint256,uint256)", number * MINTED, MINTED)
        node.send(platform, "move(uint256,uint256,uint256)", number * MOVED, MOVED, (number + 1) * MINTED)
        sent = node.send(platform, "verify(uint256,uint256)", number * VERIFIED, VERIFIED)
        node.mine()
        head = node.head() if number % 100 == 99 or number == blocks - 1 else head
    node.check(sent)
    return first, head


def count(url: str) -> dict[str, int]:
    """The rows of the event tables that have some."""
    with psycopg.connect(url, autocommit=True) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'event' ORDER BY 1")
        found = {}
        for (name,) in names.fetchall():
            row = connection.execute(f'SELECT count(*) FROM event."{name}"').fetchone()
            assert row is not None
            if row[0]:
                found[name] = int(row[0])
    return found
