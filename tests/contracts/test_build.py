"""The committed artifacts are what the committed sources compile to."""

import json
from pathlib import Path

from chainfirst.contracts import build

PLATFORM = {"IssuerRegistry", "CampaignFactory", "CampaignImplementation", "NFTShareCertificate", "BirrToken"}
LONDON_CODE_LIMIT = 24_576


def test_artifacts_are_reproduced_byte_for_byte(tmp_path: Path) -> None:
    written = {path.name: path.read_bytes() for path in build.build(tmp_path)}
    committed = {path.name: path.read_bytes() for path in build.ARTIFACTS.glob("*.json")}
    assert written == committed


def test_artifacts_hold_the_platforms_contracts_within_the_code_limit() -> None:
    artifacts = {path.stem: json.loads(path.read_text()) for path in build.ARTIFACTS.glob("*.json")}
    assert set(artifacts) >= PLATFORM
    for name, artifact in artifacts.items():
        assert sorted(artifact) == ["abi", "bytecode", "contractName"]
        assert artifact["contractName"] == name
        assert len(artifact["bytecode"]) // 2 <= LONDON_CODE_LIMIT


def test_lock_file_names_no_registry() -> None:
    assert "resolved" not in (build.COMPILER / "package-lock.json").read_text()
