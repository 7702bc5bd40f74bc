"""What is measured: a figure, the bound it has to keep, and what it was measured against in the same run."""

import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEADS = ("", "figure", "measured", "bound", "", "measured against, in this run")


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit that is still good itself."""

    limit: float
    is_upper: bool

    def holds(self, value: float) -> bool:
        """Whether a value keeps it."""
        return value <= self.limit if self.is_upper else value >= self.limit


def at_most(limit: float) -> Bound:
    """Return the bound of what should be small."""
    return Bound(limit, is_upper=True)


def at_least(limit: float) -> Bound:
    """Return the bound of what should be large."""
    return Bound(limit, is_upper=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number."""

    bench: str
    what: str
    value: float
    unit: str
    against: str
    bound: Bound | None = None

    @property
    def is_missed(self) -> bool:
        """Whether it has a bound and does not keep it."""
        return self.bound is not None and not self.bound.holds(self.value)

    def to_json(self) -> dict[str, Any]:
        """Return it as an object; `met` is null where there is no bound."""
        limit = {("at_most" if self.bound.is_upper else "at_least"): self.bound.limit} if self.bound else None
        return {
            "bench": self.bench,
            "what": self.what,
            "value": self.value,
            "unit": self.unit,
            "bound": limit,
            "met": None if self.bound is None else not self.is_missed,
            "against": self.against,
        }


def as_json(figures: Sequence[Figure]) -> str:
    """Return figures and the machine they were measured on, as JSON."""
    told = {"machine": machine(), "figures": [figure.to_json() for figure in figures]}
    return json.dumps(told, indent=2, ensure_ascii=False)


def as_table(figures: Sequence[Figure]) -> str:
    """Return figures as lines for people."""
    rows = [HEADS, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def machine() -> str:
    """Return what was measured on, in one line."""
    return f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"


def amount(value: float, unit: str) -> str:
    """Return a number as people read it: no more digits than mean something."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def _row(figure: Figure) -> tuple[str, ...]:
    bound = figure.bound
    limit = f"{'≤' if bound.is_upper else '≥'} {amount(bound.limit, figure.unit)}" if bound else ""
    verdict = "" if bound is None else "MISSED" if figure.is_missed else "met"
    return figure.bench, figure.what, amount(figure.value, figure.unit), limit, verdict, figure.against


def _processor() -> str:
    return next(_models(), platform.machine())


def _models() -> Iterator[str]:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            yield line.partition(":")[2].strip()
