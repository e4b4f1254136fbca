"""The alerts as Prometheus' own promtool sees them: each fires and is over again; each is in the runbook."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from chainfirst.tests.apps import alert_cases
from chainfirst.tests.apps.alert_cases import Case

pytestmark = pytest.mark.apps
ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "ops" / "prometheus" / "alerts.yml"
RUNBOOK = ROOT / "docs" / "runbook.md"
NAMES = re.findall(r"^ +- alert: (\w+)$", RULES.read_text("utf-8"), re.MULTILINE)


def promtool(*arguments: str, said: bytes | None = None) -> str:
    done = subprocess.run(["promtool", *arguments], input=said, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return (done.stdout + done.stderr).decode()


def group(case: Case) -> Mapping[str, Any]:
    """As promtool's `test rules` wants it: which alerts fire is read from ALERTS, which every evaluation
    writes."""
    firing = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}})'

    def at(minute: int, count: int) -> Mapping[str, Any]:
        samples = [{"labels": "{}", "value": count}] if count else []
        return {"expr": firing, "eval_time": f"{minute}m", "exp_samples": samples}

    looks = [at(case.fires, 1), *(at(each, 0) for each in (case.before, case.over) if each > 0)]
    return {
        "name": case.alert,
        "interval": f"{case.step}m",
        "input_series": [
            {"series": series, "values": " ".join(f"{value:.0f}" for value in values)}
            for series, values in case.series
        ],
        "promql_expr_test": looks,
    }


def test_the_files_are_valid() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    promtool("check", "config", str(RULES.with_name("prometheus.yml")))


def test_every_alert_fires_and_is_over(tmp_path: Path) -> None:
    cases = list(alert_cases.all_cases())
    assert sorted({each.alert for each in cases}) == sorted(NAMES)
    file = tmp_path / "alerts_test.yml"  # JSON is YAML
    file.write_text(
        json.dumps(
            {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": list(map(group, cases))}
        )
    )
    promtool("test", "rules", str(file))


def test_a_test_that_should_fail_does(tmp_path: Path) -> None:
    """promtool says yes to a file that tests nothing."""
    case = next(each for each in alert_cases.all_cases() if each.alert == "NoEndpoint")
    wrong = Case(case.alert, case.series, case.before, case.over, case.fires)
    file = tmp_path / "alerts_test.yml"
    file.write_text(
        json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [group(wrong)]})
    )
    with pytest.raises(AssertionError, match="NoEndpoint"):
        promtool("test", "rules", str(file))


def test_the_runbook_has_an_entry_for_each_alert() -> None:
    text = RULES.read_text("utf-8")
    links = re.findall(r"^ +runbook_url: docs/runbook\.md#(\S+)$", text, re.MULTILINE)
    assert links == [each.lower() for each in NAMES]
    assert text.count("summary:") == text.count("description:") == len(NAMES)
    entries = re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", RUNBOOK.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert [name for name, _ in entries if name in NAMES] == NAMES
    for name, entry in entries:
        if name in NAMES:
            for part in ("**Means**", "**At risk**", "**Look**", "**Do**"):
                assert part in entry, (name, part)
