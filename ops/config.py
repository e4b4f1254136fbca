"""The settings of chainfirst: what config.toml may say, and how it becomes one checked Config."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from chainfirst.ops import errors, failpoint, mistakes, settings, values
from chainfirst.ops.settings import Problem, Rule

PREFIX = "CHAINFIRST_"
# read elsewhere; not settings
OTHER_VARIABLES = ("CHAINFIRST_CONFIG", "CHAINFIRST_DEMO_KEEP", failpoint.VARIABLE)
DEFAULT_LANE = "default"

Natural = Annotated[int, Rule(lambda n: n >= 0, "a whole number of 0 or more")]
Positive = Annotated[int, Rule(lambda n: n >= 1, "a whole number of 1 or more")]
Days = Annotated[int, Rule(lambda n: 1 <= n <= 36_500, "a number of days, 1 to 36500")]
Port = Annotated[int, Rule(lambda n: 1 <= n <= 65535, "a port, 1 to 65535")]
Addresses = Annotated[tuple[values.Address, ...], Rule(bool, "one address or more")]
Seconds = Annotated[float, Rule(lambda n: n > 0, "a number of seconds above 0")]
Instance = Annotated[
    str,
    Rule(
        lambda text: re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,31}", text) is not None,
        "a name of up to 32 letters, digits, dots, colons, hyphens and underscores",
    ),
]
UrlFolder = Annotated[
    str,
    Rule(
        lambda text: re.fullmatch(r"/([A-Za-z0-9._~-]+/)+", text) is not None,
        'a path between slashes, such as "/certificates/"',
    ),
]


@dataclass(frozen=True)
class Platform:
    """Whether the crowdfunding platform's tables, views and rules are there; and for how long files of proofs
    of identity are kept after they were rejected or expired: for good, if no days are given."""

    enabled: bool = True
    keep_kyc_days: Annotated[int, Rule(lambda n: 1 <= n <= 36_500, "a number of days, 1 to 36500")] | None = (
        None
    )


@dataclass(frozen=True)
class Database:
    """Where PostgreSQL is; for how many days the list of changes goes back; and for how many days after
    their end, with all nonces used up by final blocks, the history of intents and their signed bytes stay."""

    url: values.DatabaseUrl = field(default_factory=lambda: values.DatabaseUrl("embedded"))
    keep_changes_days: Days = 7
    keep_history_days: Days = 365
    keep_signed_days: Days = 90


@dataclass(frozen=True)
class FinalityTag:
    """Final is what the node tags so; where it knows no such tag, `fallback_depth` blocks down."""

    tag: Literal["finalized", "safe"] = "finalized"
    fallback_depth: Positive | None = None


Finality = Positive | Literal["instant"] | FinalityTag


@dataclass(frozen=True)
class Chain:
    """Which chain, and who answers for it."""

    chain_id: Positive
    endpoints: Annotated[
        tuple[values.Endpoint, ...], Rule(bool, f"a list of one or more of {values.Endpoint.allowed}")
    ]
    finality: Finality = FinalityTag(fallback_depth=64)


@dataclass(frozen=True)
class Factory:
    """A contract's addresses are those that an event of another contract announces."""

    contract: str
    event: str
    parameter: str


@dataclass(frozen=True)
class Contract:
    """A contract to index: `address` or `factory` says where it is, neither: not deployed yet."""

    abi: Path
    address: Literal["any"] | values.Address | Addresses | None = None
    start_block: Natural = 0
    events: tuple[str, ...] | None = None
    factory: Factory | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The fixed addresses, in lower case; empty for "any", children and what isn't deployed."""
        several = self.address if isinstance(self.address, tuple) else (self.address,)
        return tuple(address.lower for address in several if isinstance(address, values.Address))


@dataclass(frozen=True)
class Lane:
    """A key of its own for some kinds; where two lanes' patterns match, the kind's full name wins."""

    signer: values.Signer
    kinds: Annotated[tuple[values.KindPattern, ...], Rule(bool, "a list of one kind or more")]
    password_file: Path | None = None


@dataclass(frozen=True)
class Fees:
    """What a transaction may cost per gas; all in wei, whatever the chain calls it."""

    tip_floor_wei: Natural = 0
    tip_percentile: Annotated[int, Rule(lambda n: 0 <= n <= 100, "a percentile, 0 to 100")] = 50
    fee_cap_wei: Positive = 500_000_000_000
    base_fee_multiplier: Positive = 2


@dataclass(frozen=True)
class KindLimits:
    """Limits on the amounts of a kind's intents; left out: none."""

    max_amount: values.Amount | None = None
    max_amount_a_day: values.Amount | None = None
    approve_above: values.Amount | None = None


@dataclass(frozen=True)
class Writer:
    """How intents become transactions; no signer: read only."""

    signer: values.Signer | None = None
    password_file: Path | None = None
    in_flight: Positive = 16
    behind_blocks: Natural = 2
    stuck_blocks: Positive = 3
    stuck_seconds: Seconds = 60.0
    gas_margin_percent: Natural = 25
    gas_cap: Annotated[int, Rule(lambda n: n >= 21_000, "gas, 21000 or more")] | None = None
    calls: tuple[str, ...] = ()
    fees: Fees = Fees()
    lanes: dict[str, Lane] = field(default_factory=dict)
    kinds: dict[str, KindLimits] = field(default_factory=dict)

    @property
    def every_lane(self) -> dict[str, Lane]:
        """The lanes by their names, first the default one, which has the kinds that no other has."""
        if self.signer is None:
            return {}
        return {DEFAULT_LANE: Lane(self.signer, (), self.password_file)} | self.lanes

    def lane_of(self, kind: str) -> str | None:
        """The name of the lane that signs a kind; None: read only."""
        if self.signer is None:
            return None
        claims = {p.full: name for name, lane in self.lanes.items() for p in lane.kinds if p.matches(kind)}
        return claims.get(kind) or next(iter(claims.values()), DEFAULT_LANE)


@dataclass(frozen=True)
class Metrics:
    """Prometheus reads from this port of 127.0.0.1; no port: nothing is served."""

    port: Port | None = None


@dataclass(frozen=True)
class Page:
    """The status page, on this port of 127.0.0.1; no port: not served. `hosts`: the names, beside this
    machine's own, under which a proxy makes it known. `ready_behind_blocks`: /readyz says yes so far behind
    the head. The documents of certificates are below `certificates`: tokens' URIs must lead there."""

    port: Port | None = None
    hosts: tuple[str, ...] = ()
    ready_behind_blocks: Natural = 5
    certificates: UrlFolder = "/certificates/"


@dataclass(frozen=True)
class Dev:
    """The local node; no port: any free one. A block for each transaction, and one each block time."""

    port: Port | None = None
    block_time_seconds: Seconds | None = None


@dataclass(frozen=True)
class Config:
    """All settings. `directory`, the config file's own, is what relative paths start from. `instance` tells
    daemons of one machine apart: in the log, the metrics, and the names of database sessions."""

    chain: Chain
    instance: Instance | None = None
    deployment: Path | None = None
    platform: Platform = Platform()
    database: Database = field(default_factory=Database)
    contracts: dict[str, Contract] = field(default_factory=dict)
    writer: Writer = Writer()
    metrics: Metrics = Metrics()
    page: Page = Page()
    dev: Dev = Dev()
    directory: Path = field(init=False, default=Path())

    @property
    def state_directory(self) -> Path:
        """Where the development servers keep data, logs and notes."""
        return self.directory / ".chainfirst"

    @property
    def undeployed(self) -> tuple[str, ...]:
        """Contracts that have no address yet, because there is no deployment file yet."""
        return tuple(k for k, c in self.contracts.items() if c.address is None and c.factory is None)

    def path(self, path: Path) -> Path:
        """A path of the settings, from the config file's folder."""
        return self.directory / path


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The checked settings: the file, the deployment's addresses where it has none, the environment."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise errors.ConfigError(f"{path} does not exist", "Name the file with --config.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise errors.ConfigError(f"{path} can't be read: {error}", "Correct it.") from None
    data = settings.overridden(data, environ, PREFIX, OTHER_VARIABLES)
    deployment = _deployment(data, path.parent)
    config = settings.read(Config, _merged(data, deployment), str(path))
    object.__setattr__(config, "directory", path.parent.resolve())
    problems = list(mistakes.find(config, deployed=deployment is not None))
    deployed_on = (deployment or {}).get("chain_id")
    if deployed_on not in (None, config.chain.chain_id):
        found = f"a deployment on chain {deployed_on}"
        problems.append(Problem("deployment", found, f"one on chain {config.chain.chain_id}"))
    if problems:
        raise settings.SettingsError(str(path), problems)
    return config


def _deployment(data: Mapping[str, Any], directory: Path) -> dict[str, Any] | None:
    """The deployment file's content; None if there is none (yet)."""
    name = data.get("deployment")
    name = name.text if isinstance(name, settings.FromEnvironment) else name
    if not isinstance(name, str) or not (directory / name).exists():
        return None
    path = directory / name
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        contracts = {key: dict(value) for key, value in content["contracts"].items()}
        return {"chain_id": content.get("chain_id"), "contracts": contracts}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise errors.ConfigError(
            f"{path} is no deployment: contracts, each with address and start_block", "Deploy again."
        ) from None


def _merged(data: dict[str, Any], deployment: dict[str, Any] | None) -> dict[str, Any]:
    """What the settings say themselves stands; the deployment fills in addresses and start blocks."""
    contracts = data.get("contracts")
    if deployment is None or not isinstance(contracts, dict):
        return data
    for key, value in contracts.items():
        known = deployment["contracts"].get(key, {})
        if isinstance(value, dict) and "address" not in value and "factory" not in value:
            value.update({k: known[k] for k in ("address", "start_block") if k in known} | value)
    return data
