"""The table: what was seen of Curfew beside the floor of the same run, and what is to be reached."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bench.figures import Bound, Figure, amount, at_least, at_most
from bench.lives.age import measure_age
from bench.lives.measuring import Choice, Seen, measure
from bench.plan import Plan

ABOUT = "give and end access on real servers, beside the least that any operator must do; 6 minutes"
ABOUT_AGE = "start where 50,000 requests are over and 1,000 grants are active, on real servers; 5 minutes"

FLOOR: Final = "floor"
SUBJECT: Final = "curfew"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, and its bound: so many times the floor's, a number, or none."""

    name: str
    what: str
    unit: str
    times: float | None = None
    limit: float | None = None
    more_is_better: bool = False

    def bound(self, floor: float | None) -> Bound | None:
        """Return what is to be reached in a run in which the floor's value was this."""
        limit = self.limit if self.times is None or floor is None else self.times * floor
        if limit is None:
            return None
        return at_least(limit) if self.more_is_better else at_most(limit)


TABLE: Final = (
    Row("slow_p50_ms", "approval to access at 5/s, p50", "ms", times=1.6),
    Row("slow_p99_ms", "approval to access at 5/s, p99", "ms", times=2),
    Row("fast_p50_ms", "approval to access at 50/s, p50", "ms", times=2.5),
    Row("fast_p99_ms", "approval to access at 50/s, p99", "ms", times=5),
    Row("burst_per_s", "grants from approvals as fast as they are taken", "/s", times=0.4, more_is_better=True),
    Row("begins_max_s", "grants with one notBefore, last access after", "s", times=3),
    Row("gone_p50_s", "grants with one end, p50 gone after", "s", times=1.5),
    Row("gone_max_s", "grants with one end, last gone after", "s", times=2),
    Row("alone_late_p50_ms", "lateness of ends, nothing else to do, p50", "ms", times=1.4),
    Row("alone_late_p99_ms", "lateness of ends, nothing else to do, p99", "ms", times=1.25),
    Row("beside_late_p50_ms", "lateness of ends beside 50 approvals/s, p50", "ms", limit=20),
    Row("beside_late_p99_ms", "lateness of ends beside 50 approvals/s, p99", "ms", limit=30),
    Row("ends_late_p50_ms", "lateness of 50 ends/s, p50", "ms"),
    Row("ends_late_p99_ms", "lateness of 50 ends/s, p99", "ms"),
    Row("calls", "API calls in a request's life", "", limit=9),
    Row("processor_ms", "operator's processor time for a life", "ms", limit=5),
    Row("server_ms", "API server's processor time for a life", "ms"),
    Row("policies_ms", "of it for admission policies, measured apart", "ms"),
    Row("rules_ms", "of it for the rules of the schema, measured apart", "ms"),
    Row("memory_mb", "memory after {memory_requests:.0f} requests", "MB", limit=150),
)

AGE: Final = (
    Row("first_end_s", "start to first end, among {finished:,.0f} finished and {active:,.0f} active", "s", limit=10),
    Row("idle_percent", "processor time with them while nothing happens", "%", limit=1),
    Row("aged_mb", "memory with them", "MB", limit=150),
    Row("aged_peak_mb", "memory with them, the most since the start", "MB"),
)
"""What is measured of an operator that starts in an old cluster."""


def table(seen: Mapping[str, Seen]) -> Iterator[Figure]:
    """Yield the figures of what was measured, in the order of the table."""
    floor = seen[FLOOR].values if FLOOR in seen else {}
    values = seen[SUBJECT].values
    for row in TABLE:
        if row.name in values:
            yield Figure(
                "lives",
                row.what.format(**values),
                values[row.name],
                row.unit,
                _against(values[row.name], floor.get(row.name), row),
                row.bound(floor.get(row.name)),
            )


def measured(plan: Plan) -> Iterator[Figure]:
    """Measure all rows, the floor first."""
    with plan.progress("giving and ending access") as progress:
        seen = measure(Choice(plan.seconds), progress.tick)
    yield from table(seen)


def age_figures(values: Mapping[str, float]) -> Iterator[Figure]:
    """Yield the figures of an operator in an old cluster."""
    for row in AGE:
        against = _against(values[row.name], None, row)
        yield Figure("age", row.what.format(**values), values[row.name], row.unit, against, row.bound(None))


def aged(plan: Plan) -> Iterator[Figure]:
    """Measure them."""
    with plan.progress("starting in an old cluster") as progress:
        values = measure_age(plan.records // 20, max(1, plan.records // 1000), progress.tick)
    yield from age_figures(values)


def _against(value: float, floor: float | None, row: Row) -> str:
    if floor is None:
        return "the floor was not measured"
    goal = "" if row.times is None else f", to reach {row.times:g}"
    return f"floor: {amount(floor, row.unit)}, ratio {value / floor:.2f}{goal}" if floor else "floor: 0"
