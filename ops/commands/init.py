"""`chainfirst init`: asks a node what it is, and writes a commented config.toml for it."""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from chainfirst.ops import config as settings
from chainfirst.ops import errors, mistakes, reach, values
from chainfirst.ops import settings as texts
from chainfirst.ops.commands import drafting
from chainfirst.ops.commands.context import config_path

if TYPE_CHECKING:
    from chainfirst.ops.commands.probing import Facts

T = TypeVar("T", bound=texts.Text)
ABI_FOLDER = "abi"

app = typer.Typer()


@app.command(
    epilog="Example: chainfirst --config /etc/chainfirst/main.toml init --rpc http://127.0.0.1:8545 "
    "--database postgresql:///chainfirst --abi erc20.json=0x5FbDB2315678afecb367f032d93F642f64180aa3"
)
def init(
    context: typer.Context,
    rpc: Annotated[
        list[str], typer.Option("--rpc", help="The node's http(s) URL; more, in order of preference.")
    ],
    database: Annotated[str, typer.Option("--database", help="A postgresql:// URL.")],
    abi: Annotated[
        list[str] | None,
        typer.Option(
            "--abi",
            metavar="FILE=ADDRESS",
            help="A contract to index: its ABI or artifact and its address, several with commas, or any. "
            "Left out: the platform's own contracts.",
        ),
    ] = None,
    signer: Annotated[
        str | None, typer.Option("--signer", help='The writers\' key, such as "keystore:FILE".')
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option("--metrics-port", min=1, max=65535, help="Serve Prometheus there.")
    ] = None,
    page_port: Annotated[
        int | None, typer.Option("--page-port", min=1, max=65535, help="Serve the status page there.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
) -> None:
    """Ask the node what it is and can do, say so, and write the file that --config names.

    ABI files are copied to abi/ beside it, since the service may see no home directory. The database need not
    be there yet.
    """
    from chainfirst.indexer.rpc import errors as rpc_errors
    from chainfirst.ops.commands import probing

    path = config_path(context)
    if path.exists() and not force:
        raise errors.ConfigError(f"{path} exists already", "Name another one with --config, or add --force.")
    endpoints = [_endpoint(url) for url in rpc]
    parsed = _text(values.DatabaseUrl, database, "--database")
    asked = [_abi(each) for each in abi or ()]
    facts = []
    for endpoint in endpoints:
        try:
            facts.append(probing.probe(endpoint.full, probing.websocket_urls(endpoint.full)))
        except rpc_errors.RpcError as error:
            raise reach.EndpointUnreachable(
                f"the endpoint {endpoint} does not answer as a node: {error.message}",
                "See that it runs, and --rpc.",
            ) from None
        for line in _said(endpoint, facts[-1]):
            typer.echo(line)
    _same_chain(endpoints, facts)
    contracts = {}
    for key, source, addresses in asked:
        contract, said = _contract(endpoints[0].full, facts[0].head, key, source, addresses)
        if key in contracts:
            raise errors.ConfigError(f"two files are called {key}", "Rename one of them.")
        contracts[key] = contract
        typer.echo(f"contract {key}: {said}")
    typer.echo(f"database {parsed}: {_database(parsed)}")
    websockets = [each.websocket for each in facts if each.websocket is not None]
    set_values = {
        ("writer", "signer"): None if signer is None else drafting.string(signer),
        ("metrics", "port"): None if metrics_port is None else str(metrics_port),
        ("page", "port"): None if page_port is None else str(page_port),
    }
    wanted = drafting.Wanted(
        database=database,
        chain_id=facts[0].chain_id,
        endpoints=[*(each.full for each in endpoints), *websockets],
        finality=facts[0].finality.toml,
        finality_note=facts[0].finality.why,
        contracts=contracts if asked else None,
        abi_folder=ABI_FOLDER,
        deployment=f"{path.stem}.deployment.json",
        set_values={place: value for place, value in set_values.items() if value is not None},
    )
    shipped = resources.files("chainfirst").joinpath("config.toml").read_text("utf-8")
    _write(path, drafting.draft(shipped, wanted), {key: source for key, source, _ in asked}, force)
    typer.echo(f"wrote {path}")
    then = "chainfirst deploy, then " if not asked and not (path.parent / wanted.deployment).exists() else ""
    typer.echo(f"next: {then}chainfirst --config {path} doctor")


def _said(endpoint: values.Endpoint, facts: "Facts") -> Iterator[str]:
    yield f"node {endpoint}: {facts.version}, chain {facts.chain_id}, head {facts.head}"
    yield f"  finality: {facts.finality.toml} ({facts.finality.why})"
    if facts.logs is None:
        yield "  eth_getLogs: refuses even 1000 blocks; the daemon finds out how many it takes"
    else:
        most = "at most" if facts.logs.known else "at least"
        yield f"  eth_getLogs: {most} {facts.logs.allowed} blocks at once; the daemon finds its own size"
    if facts.base_fee_wei is None:
        yield "  fees: no base fee, so legacy gas prices"
    else:
        yield f"  fees: EIP-1559, base fee {facts.base_fee_wei} wei"
    yield f"  block receipts: {'yes' if facts.receipts else 'no; a second answer is asked for instead'}"
    if facts.websocket is None:
        yield "  WebSocket: none found; the daemon asks for new blocks four times a second"
    else:
        yield f"  WebSocket: {values.Endpoint(facts.websocket)} sends new blocks"


def _same_chain(endpoints: Sequence[values.Endpoint], facts: "Sequence[Facts]") -> None:
    """WrongChain: two of the nodes are on different ones."""
    for endpoint, each in zip(endpoints, facts, strict=True):
        same = {each.genesis_hash, facts[0].genesis_hash, None}  # None: pruned
        if each.chain_id != facts[0].chain_id or len(same) > 2:
            raise reach.WrongChain(
                f"{endpoints[0]} is on chain {facts[0].chain_id} with genesis {facts[0].genesis_hash}, "
                f"{endpoint} on chain {each.chain_id} with genesis {each.genesis_hash}",
                "All endpoints are of one chain; make a configuration for each chain.",
            )


def _endpoint(url: str) -> values.Endpoint:
    endpoint = _text(values.Endpoint, url, "--rpc")
    if endpoint.dev or not endpoint.full.startswith("http"):
        raise errors.ConfigError(
            f"--rpc is {endpoint}", "Give an http(s):// URL; a WebSocket is looked for by itself."
        )
    return endpoint


def _text(kind: type[T], text: str, option: str) -> T:
    try:
        return kind(text)
    except ValueError as error:
        raise errors.ConfigError(f"{option}: found {error}; allowed: {kind.allowed}", "Correct it.") from None


def _abi(option: str) -> tuple[str, Path, str | list[str]]:
    """The key, the file and the addresses of FILE=ADDRESS."""
    name, found, place = option.rpartition("=")
    if not found or not name or not place:
        raise errors.ConfigError(
            f"--abi {option} doesn't say where the contract is",
            "Write FILE=0x…, several addresses with commas; or FILE=any: whoever emits its events.",
        )
    path = Path(name)
    try:
        mistakes.load_abi(path)
    except ValueError as error:
        raise errors.ConfigError(
            f"--abi: found {error}; allowed: an ABI, or a solc, Hardhat or Foundry artifact", "Correct it."
        ) from None
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path.stem).lower()
    key = re.sub(r"[^a-z0-9]+", "_", words).strip("_")
    key = key if key[:1].isalpha() else f"contract_{key}".rstrip("_")
    if place == "any":
        return key, path, place
    return key, path, [_text(values.Address, each, "--abi").full for each in place.split(",")]


def _contract(
    url: str, head: int, key: str, source: Path, addresses: str | list[str]
) -> tuple[drafting.Contract, str]:
    """The contract, from the block on in which it was created; and what was found, in words."""
    from chainfirst.ops.commands import probing

    abi = f"{ABI_FOLDER}/{key}{source.suffix or '.json'}"
    if isinstance(addresses, str):
        return drafting.Contract(abi, addresses, 0), "whoever emits its events, from block 0"
    absent = [each for each in addresses if not probing.has_code(url, each)]
    if absent:
        return drafting.Contract(abi, addresses, 0), f"there is NO CODE at {', '.join(absent)}: mistyped?"
    firsts = [probing.first_block_with_code(url, each, head) for each in addresses]
    known = [each for each in firsts if each is not None]
    if len(known) < len(firsts):
        said = "code is there; the node doesn't know since when, so from block 0"
        return drafting.Contract(abi, addresses, 0), said
    note = "where it was created"
    return drafting.Contract(abi, addresses, min(known), note), f"created in block {min(known)}"


def _database(url: values.DatabaseUrl) -> str:
    """What is there now, in words."""
    import psycopg

    if url.embedded:
        return "that of chainfirst dev up"
    try:
        with psycopg.connect(url.full, connect_timeout=reach.TIMEOUT_SECONDS) as connection:
            version = connection.info.server_version
    except psycopg.Error as error:
        return f"not there yet ({' '.join(str(error).split())}); chainfirst database sql makes it"
    return f"PostgreSQL {version // 10_000}.{version % 10_000}"


def _write(path: Path, text: str, sources: dict[str, Path], force: bool) -> None:
    """The ABI files and then the file itself, once it is known to be right; readable for the group alone."""
    folder = path.parent / ABI_FOLDER
    files = {folder / f"{key}{source.suffix or '.json'}": source for key, source in sources.items()}
    if not files:
        artifacts = resources.files("chainfirst.contracts").joinpath("artifacts")
        names = re.findall(rf'^abi = "{ABI_FOLDER}/(\w+\.json)"', text, re.MULTILINE)
        with contextlib.ExitStack() as held:
            found = {name: held.enter_context(resources.as_file(artifacts / name)) for name in names}
            _copy({folder / name: source for name, source in found.items()}, force)
    else:
        _copy(files, force)
    fresh = path.with_name(f".{path.name}.new")
    try:
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        settings.load(fresh, {})
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _copy(files: dict[Path, Path], force: bool) -> None:
    for target, source in files.items():
        content = source.read_bytes()
        target.parent.mkdir(exist_ok=True)
        if target.exists() and target.read_bytes() != content and not force:
            raise errors.ConfigError(f"{target} is there, and another one than {source}", "Add --force.")
        target.write_bytes(content)
