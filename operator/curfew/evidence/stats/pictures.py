"""The statistics as charts of the report."""

from collections.abc import Callable, Iterable
from typing import Final

from curfew.audit.wording import printable
from curfew.evidence.charts import Bars, Frame, columns, rows
from curfew.evidence.stats.figures import WEEKDAYS, RequestStats
from curfew.evidence.stats.table import StatsTable, number

_MOST_BARS: Final = 10
_UNITS: Final = (("seconds", 1000), ("minutes", 60_000), ("hours", 3_600_000))
_LONG: Final = 1000
"""How large a value gets before the next larger unit is used."""


def pictures(stats: RequestStats) -> dict[str, str]:
    """Return the charts as SVG, by name."""
    parts = stats.parts()
    sums = [(str(row[0]), _part(row[-1])) for row in parts.rows[:-1]]
    hours = _p90(stats.by_hour())
    days = _p90(stats.by_weekday())
    policies = [(printable(str(row[0])), number(row[3])) for row in stats.by_policy(_MOST_BARS).rows]
    zone = printable(str(stats.zone))
    return {
        "waited_for": _drawn(rows, "What requests wait for", "{unit}, the sum over all requests", sums),
        "wait_by_hour": _drawn(
            columns,
            "Wait by hour",
            f"hour of the request ({zone}); the bar is what 9 of 10 requests waited at most, in {{unit}}",
            [(f"{hour:02}", hours.get(f"{hour:02}", 0)) for hour in range(24)],
        ),
        "wait_by_weekday": _drawn(
            columns,
            "Wait by weekday",
            f"weekday of the request ({zone}); the bar is what 9 of 10 requests waited at most, in {{unit}}",
            [(day, days.get(day, 0)) for day in WEEKDAYS],
        ),
        "wait_by_policy": _drawn(rows, "Wait by policy", "{unit}: what 9 of 10 requests waited at most", policies),
    }


def _drawn(draw: Callable[[Frame, Bars], str], title: str, unit: str, bars: Bars) -> str:
    """Draw waits in milliseconds. A part of a unit is drawn as a whole one, so that no wait looks like none."""
    name, size = _unit(value for _, value in bars)
    return draw(Frame(title, unit.replace("{unit}", name), height=190), [(one, -(-wait // size)) for one, wait in bars])


def _unit(waits: Iterable[int]) -> tuple[str, int]:
    """Return the smallest unit in which waits in milliseconds are short numbers."""
    longest = max(waits, default=0)
    return next((one for one in _UNITS if longest < _LONG * one[1]), _UNITS[-1])


def _p90(table: StatsTable) -> dict[str, int]:
    return {str(row[0]): number(row[3]) for row in table.rows}


def _part(cell: object) -> int:
    return number(cell[0]) if isinstance(cell, tuple) else 0
