"""chainfirst deploy: puts the platform's contracts on the configured chain."""

import contextlib
import json
import os
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from chainfirst.ops import config as settings
from chainfirst.ops import errors, reach, values
from chainfirst.ops.commands.context import config_path

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from web3 import Web3

DEPLOYMENT = "CHAINFIRST_DEPLOYMENT"
DEV_FUNDS = 100_000_000_00  # santim; on a development node no bank brings any

app = typer.Typer()


@app.command(epilog="Example: chainfirst deploy --owner 0x… --key-variable DEPLOYER_KEY")
def deploy(
    context: typer.Context,
    owner: Annotated[str | None, typer.Option(help="Gets ADMIN everywhere.")] = None,
    operator: Annotated[
        list[str] | None, typer.Option(help="Creates campaigns and records payments.")
    ] = None,
    registrar: Annotated[list[str] | None, typer.Option(help="Registers issuers and investors.")] = None,
    minter: Annotated[list[str] | None, typer.Option(help="Mints certificates and development birr.")] = None,
    treasury: Annotated[str | None, typer.Option(help="Its tokens stand for money paid by bank.")] = None,
    fee_recipient: Annotated[str | None, typer.Option(help="Gets the fees.")] = None,
    fee_bps: Annotated[
        int, typer.Option(min=0, max=1000, help="The fee, in 1/10 000 of what is raised.")
    ] = 0,
    token: Annotated[str | None, typer.Option(help="The token to raise; left out: a new BirrToken.")] = None,
    voting_unit: Annotated[int, typer.Option(min=1, help="Token units for one vote.")] = 100_000,
    base_uri: Annotated[str, typer.Option(help="What a certificate's URI starts with.")] = "",
    key_variable: Annotated[
        str | None, typer.Option(help="The environment variable that holds the deployer's private key.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Even if there is a deployment already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Deploy the platform's contracts, hand over their roles, and write the deployment file.

    Whoever is not named is the deployer, the key's account. Without a key, on the dev node, that is its first
    account; and the second one, whose key `chainfirst dev env` prints for the daemon, gets the roles. The
    treasury gets 100 million birr of the new token there.
    A deployment that is on the chain already is kept. An old file is kept as .bak.
    """
    from chainfirst.contracts import deployment as deployments
    from chainfirst.contracts.deploy import Plan
    from chainfirst.contracts.deploy import deploy as deploy_contracts

    found, path = _settings(config_path(context))
    endpoint, dev = _endpoint(found)
    reach.check_endpoint(found, endpoint)
    with _masked(endpoint):
        web3 = _web3(endpoint)
        old = _read(path)
        absence = None if old is None else deployments.absence(web3, old)
        if old is not None and absence is None and not again:
            _say(as_json, path, old, f"{path} is on this chain already, and kept", kept=True)
            return
        if old is not None and absence is not None and not (again or dev):
            raise errors.FatalError(
                f"the deployment in {path} is not on this chain: {absence}",
                "Correct chain.endpoints; or deploy anew with --again.",
            )
        account = _account(web3, key_variable, dev)
        deployer = account if isinstance(account, str) else str(account.address)
        writer = str(list(web3.eth.accounts)[1]) if dev and key_variable is None else deployer
        plan = Plan(
            owner=owner or writer,
            operators=operator or [writer],
            registrars=registrar or [writer],
            minters=minter or [writer],
            treasury=treasury or deployer,
            fee_recipient=fee_recipient or deployer,
            fee_bps=fee_bps,
            token=token,
            voting_unit=voting_unit,
            base_uri=base_uri,
            treasury_funds=DEV_FUNDS if dev and token is None else 0,
        )
        deployment = deploy_contracts(web3, account, plan)
        roles = deployments.role_holders(web3, deployment)
    said = f"deployed on chain {deployment['chain_id']} by {deployer}; {path} says where"
    if path.exists():
        kept_as = _set_aside(path)
        said += f"\nthe old one ({absence or 'replaced as asked'}) is {kept_as}"
    deployments.write(deployment, path)
    if plan.treasury.lower() != deployer.lower():
        said += f"\nthe treasury {plan.treasury} must approve the factory before payments can be recorded"
    if dev and key_variable is None:
        said += f'\nthe daemon signs as {writer} after: eval "$(chainfirst dev env)"'
    _say(as_json, path, deployment, said, kept=False, roles=roles)


def _settings(file: Path) -> tuple[settings.Config, Path]:
    """The settings without the deployment that they name, for that may be the one to replace; its path."""
    environ = dict(os.environ)
    found = settings.load(file, environ | {DEPLOYMENT: f"{file.name}.none"})
    name = environ.get(DEPLOYMENT) or tomllib.loads(file.read_text(encoding="utf-8")).get("deployment")
    if not isinstance(name, str) or not name:
        raise errors.ConfigError(f"{file} names no deployment file", "Set deployment to its path.")
    return found, found.path(Path(name))


def _endpoint(found: settings.Config) -> tuple[values.Endpoint, bool]:
    """The first endpoint that takes HTTP, and whether it is the dev node."""
    for setting, endpoint in zip(found.chain.endpoints, reach.endpoint_urls(found), strict=True):
        if endpoint.full.startswith("http"):
            return endpoint, setting.dev
    raise errors.ConfigError("chain.endpoints has no http(s):// URL", "Add one.")


def _web3(endpoint: values.Endpoint) -> "Web3":
    from web3 import Web3

    return Web3(Web3.HTTPProvider(endpoint.full))


def _account(web3: "Web3", key_variable: str | None, dev: bool) -> "LocalAccount | str":
    """The deployer: the account of the key in that variable, or the dev node's first, which it signs for."""
    from eth_account import Account

    if key_variable is None:
        if dev:
            return str(web3.eth.accounts[0])
        raise errors.ConfigError(
            "nothing says whose key deploys", "Name the variable that holds it: --key-variable NAME."
        )
    if not os.environ.get(key_variable):
        raise errors.ConfigError(f"the variable {key_variable} is not set", "Set it to the private key.")
    try:
        account: LocalAccount = Account.from_key(os.environ[key_variable].strip())
    except Exception:  # whatever it says, it may quote the key
        raise errors.ConfigError(
            f"what {key_variable} holds is no private key", "It is 0x and 64 hex digits."
        ) from None
    return account


@contextlib.contextmanager
def _masked(endpoint: values.Endpoint) -> Iterator[None]:
    """Errors of web3 and its transport as ours, without the endpoint's secrets."""
    import requests
    from web3.exceptions import Web3Exception

    try:
        yield
    except requests.RequestException as error:
        raise reach.EndpointUnreachable(
            f"the endpoint {endpoint} went away: {type(error).__name__}", "See that the node runs."
        ) from None
    except Web3Exception as error:
        said = " ".join(str(error).replace(endpoint.full, str(endpoint)).split())
        raise errors.FatalError(
            f"the node at {endpoint} refuses: {said}", "Correct the cause and deploy again."
        ) from None


def _read(path: Path) -> dict[str, Any] | None:
    """The deployment file's content; what is no deployment is on no chain."""
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for place in content["contracts"].values():
            bytes.fromhex(place["address"].removeprefix("0x"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {"chain_id": None, "contracts": {}}
    return dict(content)


def _set_aside(path: Path) -> Path:
    """Copy the file beside itself, under a name that is free."""
    numbers = (f".{number}" if number else "" for number in range(1_000_000))
    free = next(p for n in numbers if not (p := path.with_name(f"{path.name}{n}.bak")).exists())
    shutil.copy(path, free)
    return free


def _say(
    as_json: bool,
    path: Path,
    deployment: dict[str, Any],
    said: str,
    kept: bool,
    roles: dict[str, dict[str, list[str]]] | None = None,
) -> None:
    if as_json:
        facts = {"file": str(path), "kept": kept, **deployment} | ({} if roles is None else {"roles": roles})
        typer.echo(json.dumps(facts))
        return
    typer.echo(said)
    for key, place in deployment["contracts"].items():
        typer.echo(f"{key:18} {place['address']} from block {place['start_block']}")
        for role, holders in (roles or {}).get(key, {}).items():
            typer.echo(f"  {role:16} {', '.join(holders)}")
