"""Who decides, and whether anybody who could was there when a request came."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from curfew.audit.record import Record
from curfew.audit.timespan import Span
from curfew.evidence.stats.groups import cut, grouped
from curfew.evidence.stats.journey import LOOKS, RequestJourney, part, text
from curfew.evidence.stats.table import Cell, CellKind, StatsColumn, StatsTable, number

AROUND: Final = timedelta(hours=8)
"""How long before and after a request an approver's decision shows that somebody was there."""

_AROUND_MS: Final = AROUND // timedelta(milliseconds=1)


@dataclass(slots=True)
class ApproverCount:
    """The decisions of one person in the period."""

    approvals: int = 0
    denials: int = 0
    policies: set[str] = field(default_factory=set)


class Decisions:
    """All decisions that the log holds: those of the period are counted, and all show who was there."""

    def __init__(self, span: Span) -> None:
        """Know no decision."""
        self.by_person: dict[str, ApproverCount] = {}
        self._span = span
        self._times: dict[str, list[int]] = defaultdict(list)  # when each person decided anything
        self._approvers: dict[str, set[str]] = defaultdict(set)  # who ever approved or denied under each policy

    def learn(self, record: Record, policy: str) -> None:
        """Take the record of a decision that had an effect, about a request for a policy."""
        person, decision = text(record.block, "actor"), part(record, "detail").get("decision")
        self._times[person].append(int(record.body["time"]))
        if decision not in LOOKS:
            return
        self._approvers[policy].add(person)
        if record.at not in self._span:
            return
        counted = self.by_person.setdefault(person, ApproverCount())
        counted.policies.add(policy)
        if decision == "Approve":
            counted.approvals += 1
        else:
            counted.denials += 1

    def unattended(self, journeys: Iterable[RequestJourney]) -> tuple[RequestJourney, ...]:
        """Return the requests for which no approver of their policy decided anything in the hours around."""
        found = []
        for policy, asked in grouped(journeys, lambda one: one.policy).items():
            times = sorted(at for person in self._approvers.get(policy, ()) for at in self._times[person])
            for one in asked:
                place = bisect_left(times, one.created - _AROUND_MS)
                if place == len(times) or times[place] > one.created + _AROUND_MS:
                    found.append(one)
        return tuple(found)


def approver_table(decisions: Decisions, most: int) -> StatsTable:
    """Return who decided most."""
    total = sum(one.approvals + one.denials for one in decisions.by_person.values())
    rows: list[tuple[Cell, ...]] = [
        (
            person,
            one.approvals + one.denials,
            one.approvals,
            one.denials,
            len(one.policies),
            (one.approvals + one.denials, total),
        )
        for person, one in decisions.by_person.items()
    ]
    shown, others, rest = cut(rows, most, by=_second, numbers=(1, 2, 3, 5))
    return StatsTable(
        "approvers",
        "Who decides most",
        (
            StatsColumn("person", "person", CellKind.TEXT),
            StatsColumn("decisions", "decisions"),
            StatsColumn("approvals", "approvals"),
            StatsColumn("denials", "denials"),
            StatsColumn("policies", "policies"),
            StatsColumn("share", "of all", CellKind.SHARE),
        ),
        shown,
        others,
        _whole_of(rest, total),
    )


def unattended_table(asked: Iterable[RequestJourney], alone: Iterable[RequestJourney], most: int) -> StatsTable:
    """Return by policy how many requests came while no approver was there."""
    by_policy = grouped(asked, lambda one: one.policy)
    counted = grouped(alone, lambda one: one.policy)
    rows: list[tuple[Cell, ...]] = [
        (policy, len(found), len(counted.get(policy, ())), (len(counted.get(policy, ())), len(found)))
        for policy, found in by_policy.items()
    ]
    shown, others, rest = cut(rows, most, by=lambda row: number(row[2]), numbers=(1, 2, 3))
    return StatsTable(
        "unattended",
        "Requests that came while no approver was there",
        (
            StatsColumn("policy", "policy", CellKind.TEXT),
            StatsColumn("requests", "requests"),
            StatsColumn("unattended", "no approver"),
            StatsColumn("share", "share", CellKind.SHARE),
        ),
        shown,
        others,
        rest,
        "No approver of the policy decided anything from eight hours before to eight hours after the request.",
    )


def _second(row: tuple[Cell, ...]) -> int:
    return number(row[1])


def _whole_of(rest: tuple[Cell, ...], total: int) -> tuple[Cell, ...]:
    """Return the row of the others, whose share has the same whole as each of the rows."""
    return (*rest[:-1], (number(rest[1]), total)) if rest else rest
