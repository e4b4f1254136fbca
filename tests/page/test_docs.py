"""docs/status-page.md says what is so."""

import dataclasses
import re
from pathlib import Path

import pytest
from chainfirst.ops import config, metrics
from chainfirst.ops.page import app, documents, stream, summary
from chainfirst.ops.page.reader import Connection
from chainfirst.tests.page.test_settings import load
from prometheus_client import CollectorRegistry
from starlette.routing import Route

PAGE = (Path(__file__).parents[2] / "docs" / "status-page.md").read_text(encoding="utf-8")
FIRST_CELLS = re.findall(r"^\| (`.*?`) \|", PAGE, re.MULTILINE)
NAMES = [name for cell in FIRST_CELLS for name in re.findall(r"`([^`]+)`", cell)]


def test_its_paths_are_those_that_are_served() -> None:
    def connect() -> Connection:
        raise AssertionError

    library = documents.Documents(connect, lambda connection, name: None)
    hub = stream.Hub(list, lambda: None)
    made = app.build(metrics.Metrics(CollectorRegistry()), hub, library, config.Page().certificates)
    library.close()
    served = {each.path for each in made.routes if isinstance(each, Route)}
    assert {name for name in NAMES if name.startswith("/")} == served


def test_its_fields_are_those_of_a_summary() -> None:
    fields = [name for name in NAMES if not name.startswith("/")]
    assert fields == [field.name for field in dataclasses.fields(summary.Summary)]
    assert set(re.findall(r"`(\w+)`", PAGE[PAGE.index("| `parts` |") :].split("\n")[0])) == {
        "parts", *summary.SHOWN_PARTS,
    }  # fmt: skip


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
def test_its_settings_are_settings(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text).port == 8480


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"`ready_behind_blocks` ({config.Page().ready_behind_blocks})" in PAGE
    assert f"{stream.MOST_WATCHERS} may watch" in PAGE
