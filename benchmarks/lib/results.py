"""Figures become three files in benchmarks/results: `<name>.json`, `<name>.md`, `<name>.png`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.lib import machine
from benchmarks.lib.options import FULL
from benchmarks.lib.stats import spread

MISSED, MET, UNKNOWN = "**missed**", "met", "not measured"


@dataclass(frozen=True)
class Target:
    """What must hold. relation: `>=` or `<=`. measured None: its peer was not there."""

    what: str
    relation: str
    limit: float
    measured: float | None
    unit: str = "x"

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return UNKNOWN
        is_met = self.measured >= self.limit if self.relation == ">=" else self.measured <= self.limit
        return MET if is_met else MISSED


@dataclass
class Table:
    title: str
    columns: Sequence[str]
    rows: list[Sequence[Any]] = field(default_factory=list)


@dataclass
class Chart:
    """Bars with the range of the rounds; bars: label -> (smallest, median, largest)."""

    title: str
    unit: str
    bars: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def add(self, label: str, values: Sequence[float]) -> None:
        if (found := spread([value for value in values if value is not None])) is not None:
            self.bars[label] = found


class Results:
    """What one program found, with the state of the machine before and after."""

    def __init__(self, name: str, title: str, options: argparse.Namespace, folder: Path) -> None:
        suffix = "" if options.size == FULL else f"-{options.size}"
        self.path = options.results / f"{name}{suffix}"
        self.title, self.options = title, options
        self.machine = machine.describe(folder)
        self.tables: list[Table] = []
        self.targets: list[Target] = []
        self.charts: list[Chart] = []
        self.notes: list[str] = []
        self.raw: dict[str, Any] = {}
        self._began, self._before = time.monotonic(), machine.Moment.now()

    def table(self, title: str, *columns: str) -> Table:
        self.tables.append(Table(title, columns))
        return self.tables[-1]

    def chart(self, title: str, unit: str) -> Chart:
        self.charts.append(Chart(title, unit))
        return self.charts[-1]

    def target(self, what: str, relation: str, limit: float, measured: float | None, unit: str = "x") -> None:
        self.targets.append(Target(what, relation, limit, measured, unit))

    def note(self, text: str) -> None:
        """Said at once and kept below the tables: a skipped peer, an answer that was not expected."""
        say(f"  note: {text}")
        if text not in self.notes:
            self.notes.append(text)

    def write(self) -> list[Target]:
        """The three files are written, the tables are on stdout; returns the targets that were missed."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.busy = machine.busy_between(self._before, machine.Moment.now())
        text = self.as_markdown()
        self.json_file.write_text(json.dumps(self.as_json(), indent=1) + "\n")
        self._file("md").write_text(text)
        self._draw()
        say(f"\n{text}\n{self._file('md')}")
        return [target for target in self.targets if target.verdict == MISSED]

    @property
    def json_file(self) -> Path:
        return self._file("json")

    def _file(self, extension: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{extension}")

    def as_json(self) -> dict[str, Any]:
        given = {
            k: v for k, v in vars(self.options).items() if isinstance(v, (int, float, str, list, type(None)))
        }
        return {
            "title": self.title,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "took_s": round(time.monotonic() - self._began, 1),
            "options": {name: value for name, value in given.items() if "://" not in str(value)},
            "machine": self.machine,
            "busy": self.busy,
            "targets": [{**asdict(target), "verdict": target.verdict} for target in self.targets],
            "tables": [asdict(table) for table in self.tables],
            "notes": self.notes,
            "raw": self.raw,
        }

    def as_markdown(self) -> str:
        parts = [f"**{self.title}**", self._setting()]
        if self.targets:
            rows = [(t.what, _limit(t), _number(t.measured), t.verdict) for t in self.targets]
            parts.append(markdown_table(Table("Targets", ("target", "limit", "measured", ""), rows)))
        parts += [markdown_table(table) for table in self.tables]
        parts += ["\n".join(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n\n".join(parts) + "\n"

    def _setting(self) -> str:
        m, b = self.machine, self.busy
        size = "" if self.options.size == FULL else f" A {self.options.size} run: an indication, no proof."
        return (
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {time.monotonic() - self._began:.0f} s;{size} "
            f"{m['cores']} cores of {m['cpu']}, {m['memory_gib']} GiB, {m['file_system']}, "
            f"Linux {m['kernel']}, Python {m['python']}. "
            f"Load average before {b['load_before']}, after {b['load_after']}; "
            f"cores busy {b['busy_percent']} %, stolen by the host {b['steal_percent']} %."
        )

    def _draw(self) -> None:
        if not self.charts:
            return
        try:
            import matplotlib

            matplotlib.use("Agg")
            from matplotlib import pyplot
        except ImportError:
            say("no chart: matplotlib is not installed (requirements-bench.txt)")
            return
        bars = sum(len(chart.bars) for chart in self.charts)
        figure, axes = pyplot.subplots(
            len(self.charts), 1, figsize=(9, 1.0 * len(self.charts) + 0.42 * bars), squeeze=False,
            layout="constrained",  # or the title lies on that of the first chart
            gridspec_kw={"height_ratios": [len(chart.bars) + 1 for chart in self.charts]},
        )  # fmt: skip
        for axis, chart in zip(axes[:, 0], self.charts, strict=True):
            _draw_bars(axis, chart)
        figure.suptitle(self.title, fontsize=11)
        figure.savefig(self._file("png"), dpi=110, metadata={"Software": ""})
        pyplot.close(figure)


def _draw_bars(axis, chart: Chart) -> None:
    labels = list(chart.bars)
    medians = [chart.bars[label][1] for label in labels]
    low = [chart.bars[label][1] - chart.bars[label][0] for label in labels]
    high = [chart.bars[label][2] - chart.bars[label][1] for label in labels]
    colours = ["#2f6f8f" if label.startswith("ours") else "#b8c4cc" for label in labels]
    axis.barh(labels, medians, xerr=[low, high], color=colours, ecolor="#555555", capsize=2)
    axis.margins(y=0.01)
    axis.invert_yaxis()
    axis.set_title(f"{chart.title} ({chart.unit})", fontsize=9, loc="left")
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    for position, label in enumerate(labels):
        _, value, most = chart.bars[label]
        axis.text(most, position, f" {_number(value)}", va="center", fontsize=8)


def markdown_table(table: Table) -> str:
    lines = [f"*{table.title}*", "", f"| {' | '.join(table.columns)} |", "|" + "---|" * len(table.columns)]
    lines += [f"| {' | '.join(_number(value) for value in row)} |" for row in table.rows]
    return "\n".join(lines)


def _limit(target: Target) -> str:
    return f"{target.relation} {_number(target.limit)} {target.unit}"


def _number(value: Any) -> str:
    """Three figures that count, and no more."""
    if value is None:
        return "–"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3g}"


def say(text: str) -> None:
    print(text, flush=True)
