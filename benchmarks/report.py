"""What came out, as tables: on the terminal, and in docs/performance.md between the marks of each benchmark."""

import os
import platform
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from benchmarks.place import REPOSITORY

PAGE: Final = REPOSITORY / "docs" / "performance.md"
SPREAD: Final = 0.1
"""A figure this close to its goal is called near."""


@dataclass(frozen=True)
class Figure:
    """One line of a table. `goal` None: reported without a goal."""

    name: str
    values: Sequence[float]
    unit: str = ""
    goal: float | None = None
    better: Literal["more", "less"] = "more"
    digits: int = 0

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> str:
        if self.goal is None:
            return ""
        reached = self.median >= self.goal if self.better == "more" else self.median <= self.goal
        return "yes" if reached else "**no**"

    def cells(self) -> list[str]:
        sign = "≥" if self.better == "more" else "≤"
        goal = "" if self.goal is None else f"{sign} {self._number(self.goal)}"
        return [self.name, *map(self._number, (min(self.values), self.median, max(self.values))), goal, self.met]

    def _number(self, value: float) -> str:
        return f"{value:,.{self.digits}f}" + (f" {self.unit}" if self.unit else "")


@dataclass
class Section:
    """The outcome of one benchmark."""

    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    """The machine's load average before each run: what else was going on."""

    def note_load(self) -> None:
        self.loads.append(os.getloadavg()[0])

    def text(self, postgres: dict[str, str]) -> str:
        lines = [f"## {self.title}", "", _machine(postgres), ""]
        if self.loads:
            lines += [f"Load average before the runs: {min(self.loads):.1f} to {max(self.loads):.1f}.", ""]
        lines += ["| | min | median | max | goal | met |", "| --- | ---: | ---: | ---: | ---: | --- |"]
        lines += ["| " + " | ".join(figure.cells()) + " |" for figure in self.figures]
        lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines).rstrip() + "\n"


def _machine(postgres: dict[str, str]) -> str:
    settings = dict(postgres)
    version = settings.pop("server_version")
    described = ", ".join(f"{name} = {value}" for name, value in settings.items())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, `python -m benchmarks`; {os.cpu_count()} cores ({_processor()}), "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, PostgreSQL {version} ({described})."
    )


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def write(section: Section, postgres: dict[str, str]) -> None:
    """Put a section in the place of the one before it."""
    page = PAGE.read_text()
    begin, end = f"<!-- {section.name} -->", f"<!-- /{section.name} -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n{section.text(postgres)}{end}{after}")
