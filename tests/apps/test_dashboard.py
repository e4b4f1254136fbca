"""The dashboard is what its script makes, and each of its queries finds something in a Prometheus that
watches the daemon of the platform."""

import json
import math
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chainfirst.examples.stage import Stage
from chainfirst.tests.apps.prometheus import Prometheus

pytestmark = [pytest.mark.apps, pytest.mark.xdist_group("stage")]
GRAFANA = Path(__file__).parent.parent.parent / "ops" / "grafana"
DASHBOARD = GRAFANA / "chainfirst.json"
ROWS = ["Chain", "Indexing", "Intents", "RPC", "Database", "Process"]
LOOK_SECONDS = 0.5
# what nothing happened to has a series, but its quantile is no number
EMPTY = {"From asked to …"}


def panels() -> Iterator[dict[str, Any]]:
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        yield panel
        yield from panel.get("panels", ())


def queries() -> list[tuple[str, str]]:
    """Title and expression of each, with what Grafana would put in for its variables."""
    found = []
    for panel in panels():
        for target in panel.get("targets", ()):
            expression = target["expr"].replace("$__rate_interval", "30s").replace("$instance", ".*")
            assert "$" not in expression
            found.append((panel["title"], expression))
    return found


def test_it_is_what_the_script_makes() -> None:
    made = subprocess.run(
        [GRAFANA / ".venv" / "bin" / "python", "generate.py"], cwd=GRAFANA, capture_output=True, check=True
    )
    assert made.stdout.decode() == DASHBOARD.read_text("utf-8")
    assert [each["title"] for each in panels() if each["type"] == "row"] == ROWS


def test_no_two_panels_lie_on_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_each_query_finds_something(stage: Stage, tmp_path: Path) -> None:
    target = stage.servers.page.removeprefix("http://").rstrip("/")
    asked = queries()
    assert len(asked) > 50
    with Prometheus(tmp_path, target) as prometheus:
        left = list(asked)
        while left:  # the test's own time-out is the limit, and says which are left
            time.sleep(LOOK_SECONDS)
            left = [each for each in left if not _finds(prometheus, *each)]
            print(left)


def _finds(prometheus: Prometheus, title: str, expression: str) -> bool:
    values = [float(each["value"][1]) for each in prometheus.query(expression)]
    return bool(values) and (title in EMPTY or not all(map(math.isnan, values)))
