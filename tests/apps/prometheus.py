"""A real Prometheus that scrapes one target each second, asked by its HTTP API."""

import json
import os
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from chainfirst.tests.apps.programs import Program, free_port


class Prometheus:
    """`with` starts it and waits until it is ready. `rules`: the text of a file of rules."""

    def __init__(self, directory: Path, target: str, rules: str = "groups: []") -> None:
        (directory / "rules.yml").write_text(rules, encoding="utf-8")
        file = directory / "prometheus.yml"
        scrape = {"job_name": "chainfirst", "static_configs": [{"targets": [target]}]}
        seconds = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        settings = {"global": seconds, "rule_files": ["rules.yml"], "scrape_configs": [scrape]}
        file.write_text(json.dumps(settings))  # JSON is YAML
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/api/v1/"
        command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={directory / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--log.format=json"]
        self._program = Program(command, os.environ, directory)

    def __enter__(self) -> "Prometheus":
        try:
            self._program.says("ready to receive web requests")
        except BaseException:
            self._program.__exit__()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._program.__exit__(kind, error, trace)

    def query(self, expression: str) -> list[Any]:
        """The result now: each with `metric` (its labels) and `value` (time and text)."""
        found: list[Any] = self._get("query", query=expression)["result"]
        return found

    def firing(self) -> dict[str, Any]:
        """The alerts that fire, by name; of several one."""
        alerts = self._get("alerts")["alerts"]
        return {each["labels"]["alertname"]: each for each in alerts if each["state"] == "firing"}

    def _get(self, path: str, **parameters: str) -> Any:
        url = f"{self._url}{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)["data"]
