"""The statistics of the requests of a period: tables, for people, programs and charts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cached_property
from typing import Any, Final

from curfew.audit.timespan import Span
from curfew.evidence.stats.deciding import Decisions, approver_table, unattended_table
from curfew.evidence.stats.groups import cut, grouped, wait_table
from curfew.evidence.stats.journey import GRANTED, OPEN, TIMED_OUT, RequestJourney
from curfew.evidence.stats.table import MOST_ROWS, Cell, CellKind, StatsColumn, StatsTable
from curfew.evidence.stats.times import local
from curfew.evidence.stats.using import UsedRules, again_table, unused_tables, used_table
from curfew.evidence.stats.waits import WaitParts, WaitSpread

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

WAITED_FOR: Final = (
    ("nobody_looked", "nobody had looked"),
    ("other_stages", "others had still to agree"),
    ("record_or_rules", "the record, or Curfew's rules"),
    ("start_time", "the start that was asked for"),
)
"""The parts of a wait: name and words."""

_POLICY: Final = StatsColumn("policy", "policy", CellKind.TEXT)


@dataclass(frozen=True)
class RequestStats:
    """All statistics. Times without a type are in milliseconds since 1970."""

    span: Span
    zone: tzinfo
    as_of: int  # the time of the last record that was read; 0 if there was none
    journeys: Sequence[RequestJourney]  # the requests of the period, in the order of the log
    decisions: Decisions
    answers: Mapping[str, bool]  # by UID: whether the grant was unused, if that is known
    used: Sequence[UsedRules] | None  # None if there is no log of activity

    @cached_property
    def outcomes(self) -> Counter[str]:
        """Requests by outcome."""
        return Counter(one.outcome for one in self.journeys)

    @cached_property
    def waited(self) -> tuple[tuple[RequestJourney, WaitParts], ...]:
        """The requests that were accepted and wait no longer, each with its wait."""
        return tuple(
            (one, one.wait(self.as_of)) for one in self.journeys if one.accepted is not None and one.outcome != OPEN
        )

    @cached_property
    def waits(self) -> tuple[WaitParts, ...]:
        """Their waits."""
        return tuple(wait for _, wait in self.waited)

    @cached_property
    def still_open(self) -> WaitSpread:
        """How long the requests have waited that still wait."""
        return WaitSpread.of(one.wait(self.as_of).whole for one in self.journeys if one.outcome == OPEN)

    @cached_property
    def need_people(self) -> tuple[RequestJourney, ...]:
        """The accepted requests that people have to agree to."""
        return tuple(one for one in self.journeys if one.accepted is not None and not one.needs_nobody)

    @cached_property
    def unattended(self) -> tuple[RequestJourney, ...]:
        """Those of them that came while no approver of their policy was there."""
        return self.decisions.unattended(self.need_people)

    def parts(self) -> StatsTable:
        """Return how long requests wait for what."""
        total = WaitParts.sum(self.waits).whole
        rows = [
            (
                words,
                *_spread(getattr(one, name) for one in self.waits),
                (sum(getattr(o, name) for o in self.waits), total),
            )
            for name, words in WAITED_FOR
        ]
        whole = ("all", *_spread(one.whole for one in self.waits), (total, total))
        columns = (
            StatsColumn("part", "waiting for", CellKind.TEXT),
            StatsColumn("p50", "p50", CellKind.WAIT),
            StatsColumn("p90", "p90", CellKind.WAIT),
            StatsColumn("worst", "worst", CellKind.WAIT),
            StatsColumn("sum_ms", "of all waiting", CellKind.SHARE),
        )
        return StatsTable("waiting", "What requests wait for", columns, [*rows, whole])

    def by_policy(self, most: int = MOST_ROWS) -> StatsTable:
        """Return the waits by policy, the longest sums first."""
        groups = _waits_by((one.policy, wait) for one, wait in self.waited)
        return wait_table("by_policy", "Waiting, by policy", _POLICY, groups, most=most)

    def by_hour(self) -> StatsTable:
        """Return the waits by the hour in which the request was made."""
        found = _waits_by((f"{local(one.created, self.zone):%H}", wait) for one, wait in self.waited)
        hours = {hour: found[hour] for hour in sorted(found)}
        return wait_table("by_hour", "Waiting, by the hour of the request", _text("hour"), hours)

    def by_weekday(self) -> StatsTable:
        """Return the waits by the weekday on which the request was made."""
        found = _waits_by((WEEKDAYS[local(one.created, self.zone).weekday()], wait) for one, wait in self.waited)
        days = {day: found[day] for day in WEEKDAYS if day in found}
        return wait_table("by_weekday", "Waiting, by the weekday of the request", _text("weekday"), days)

    def by_stage(self, most: int = MOST_ROWS) -> StatsTable:
        """Return how long each stage took to agree, and how many requests timed out without it."""
        agreed: dict[tuple[str, str], list[int]] = {}
        missed: Counter[tuple[str, str]] = Counter()
        for one in self.need_people:
            for stage, wait in one.stage_waits().items():
                agreed.setdefault((one.policy, stage), []).append(wait)
            if one.outcome == TIMED_OUT:
                missed.update((one.policy, stage) for stage in one.stages if stage not in one.agreed)
        rows = []
        for key in dict.fromkeys((*agreed, *missed)):
            found = WaitSpread.of(agreed.get(key, ()))
            rows.append((*key, found.count, found.p50, found.p90, found.worst, missed[key]))
        shown, others, rest = cut(rows, most, by=_third, numbers=(2, 6))
        columns = (
            _POLICY,
            _text("stage"),
            StatsColumn("agreed", "agreed"),
            StatsColumn("p50", "p50", CellKind.WAIT),
            StatsColumn("p90", "p90", CellKind.WAIT),
            StatsColumn("worst", "worst", CellKind.WAIT),
            StatsColumn("timed_out", "timed out"),
        )
        about = "From the acceptance of a request to the last approval that named the stage."
        return StatsTable("by_stage", "Waiting, by stage", columns, shown, others, rest, about)

    def timed_out(self, most: int = MOST_ROWS) -> StatsTable:
        """Return where requests time out, and how many of these nobody had looked at."""
        rows: list[tuple[Cell, ...]] = []
        for policy, asked in grouped(self.need_people, lambda one: one.policy).items():
            late = [one for one in asked if one.outcome == TIMED_OUT]
            if late:
                unseen = sum(one.looked is None for one in late)
                rows.append((policy, len(asked), len(late), (len(late), len(asked)), unseen))
        shown, others, rest = cut(rows, most, by=_third, numbers=(1, 2, 3, 4))
        columns = (
            _POLICY,
            StatsColumn("requests", "requests"),
            StatsColumn("timed_out", "timed out"),
            StatsColumn("share", "share", CellKind.SHARE),
            StatsColumn("nobody_looked", "nobody looked"),
        )
        return StatsTable("timed_out", "Where requests time out", columns, shown, others, rest)

    def tables(self, most: int = MOST_ROWS) -> tuple[StatsTable, ...]:
        """Return all tables, in the order in which people read them."""
        granted = [one for one in self.journeys if one.outcome == GRANTED]
        found = [
            self.parts(),
            self.by_policy(most),
            self.by_stage(most),
            self.by_hour(),
            self.by_weekday(),
            self.timed_out(most),
            approver_table(self.decisions, most),
            unattended_table(self.need_people, self.unattended, most),
            again_table(self.journeys, self.zone, most),
        ]
        if self.used is not None:
            found += [*unused_tables(granted, self.answers, most), used_table(self.used, most)]
        return tuple(found)

    def to_json(self, most: int = MOST_ROWS) -> dict[str, Any]:
        """Return all statistics for programs."""
        return {
            "since": _instant(self.span.begin),
            "until": _instant(self.span.end),
            "time_zone": str(self.zone),
            "as_of": _instant(local(self.as_of, self.zone)) if self.as_of else None,
            "requests": len(self.journeys),
            "outcomes": dict(sorted(self.outcomes.items())),
            "need_people": len(self.need_people),
            "unattended_requests": len(self.unattended),
            "open": {"requests": self.still_open.count, "longest_ms": self.still_open.worst},
            **{table.name: table.to_json() for table in self.tables(most)},
        }


def _text(name: str) -> StatsColumn:
    return StatsColumn(name, name, CellKind.TEXT)


def _waits_by(found: Iterable[tuple[str, WaitParts]]) -> Mapping[str, list[WaitParts]]:
    groups: dict[str, list[WaitParts]] = {}
    for name, wait in found:
        groups.setdefault(name, []).append(wait)
    return groups


def _spread(waits: Iterable[int]) -> tuple[Cell, ...]:
    found = WaitSpread.of(waits)
    return found.p50, found.p90, found.worst


def _third(row: tuple[Cell, ...]) -> int:
    return row[2] if isinstance(row[2], int) else 0


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
