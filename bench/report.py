"""What was measured: printed as tables, kept in bench/results.json."""

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

STARTED = time.monotonic()
RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Figure:
    """One figure. `at_least`, `at_most`: what is wanted; neither: for information."""

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    runs: tuple[float, ...] = ()

    @property
    def good(self) -> bool:
        """Whether it is as wanted."""
        over = self.at_least is None or self.value >= self.at_least
        return over and (self.at_most is None or self.value <= self.at_most)

    @property
    def wanted(self) -> str:
        if self.at_least is not None:
            return f"≥ {shown(self.at_least)}"
        return "" if self.at_most is None else f"≤ {shown(self.at_most)}"


@dataclass
class Report:
    """The figures of one part, and remarks on how they were taken."""

    part: str
    figures: list[Figure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(
        self, name: str, value: float, unit: str = "", **wanted: float | tuple[float, ...] | None
    ) -> None:
        """Note a figure; keywords as `Figure`'s."""
        self.figures.append(Figure(name, value, unit, **wanted))  # type: ignore[arg-type]

    def publish(self) -> bool:
        """Print the table and write the file; whether all is as wanted."""
        table = Table(title=self.part, title_justify="left", title_style="bold")
        for heading in ("", "figure", "unit", "wanted", ""):
            table.add_column(heading, justify="right" if heading == "figure" else "left")
        for figure in self.figures:
            name = figure.name
            if figure.runs:
                name += f"  (runs: {', '.join(map(shown, figure.runs))})"
            verdict = ("yes" if figure.good else "NO") if figure.wanted else ""
            table.add_row(name, shown(figure.value), figure.unit, figure.wanted, verdict)
        console = Console(width=140)
        console.print(table)
        for remark in self.remarks:
            console.print(f"  {remark}", highlight=False)
        console.print(f"  load average now {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs")
        self._write()
        return all(figure.good for figure in self.figures)

    def _write(self) -> None:
        found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        found[self.part] = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "cpus": os.cpu_count(),
            "load": os.getloadavg()[0],
            "python": platform.python_version(),
            "figures": [asdict(figure) | {"good": figure.good} for figure in self.figures],
            "remarks": self.remarks,
        }
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def shown(value: float) -> str:
    """A figure with as many digits as matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def progress(text: str) -> None:
    """Say what goes on."""
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", flush=True)
