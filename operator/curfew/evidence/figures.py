"""The numbers of a period: counts, distributions, and who decided for whom."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from curfew.api.names import is_self_test_policy
from curfew.evidence.account import Account, Happening
from curfew.evidence.attributes import Tested, examine
from curfew.evidence.exception_kinds import Exceptional, ExceptionKind, ExceptionSeverity
from curfew.evidence.grants import GrantMode, ReviewedGrant

DECIDED_WITHIN = (
    (timedelta(minutes=1), "under 1 min"),
    (timedelta(minutes=5), "1 to 5 min"),
    (timedelta(minutes=15), "5 to 15 min"),
    (timedelta(hours=1), "15 to 60 min"),
    (timedelta(hours=4), "1 to 4 h"),
    (timedelta(days=1), "4 to 24 h"),
    (timedelta.max, "over 24 h"),
)
"""The classes of the histogram of decisions: upper limit and name."""

LATE_BY = (
    (timedelta(0), "not late"),
    (timedelta(milliseconds=10), "up to 10 ms"),
    (timedelta(milliseconds=100), "10 to 100 ms"),
    (timedelta(seconds=1), "0.1 to 1 s"),
    (timedelta(seconds=10), "1 to 10 s"),
    (timedelta(seconds=60), "10 to 60 s"),
    (timedelta.max, "over 60 s"),
)
"""The classes of the histogram of ends, each ten times as wide as the one before it."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, a high percentile and the maximum of some durations; None if there are none."""

    count: int
    median: timedelta | None
    p95: timedelta | None
    most: timedelta | None

    @classmethod
    def of(cls, durations: Iterable[timedelta]) -> "Spread":
        """Return the spread, by nearest rank."""
        ordered = sorted(durations)
        if not ordered:
            return cls(0, None, None, None)
        return cls(len(ordered), ordered[_rank(ordered, 50)], ordered[_rank(ordered, 95)], ordered[-1])


@dataclass(frozen=True, slots=True)
class Pair:
    """How often one person approved for another, and how often the other approved for the first."""

    approver: str
    requester: str
    approvals: int
    returned: int


@dataclass(frozen=True)
class Figures:
    """All numbers of one report."""

    account: Account
    exceptions: Sequence[Exceptional]

    @cached_property
    def population(self) -> tuple[ReviewedGrant, ...]:
        """The grants in force in the period."""
        return self.account.population

    @cached_property
    def began(self) -> int:
        """How many of these grants began in the period."""
        return len(self.account.began)

    @cached_property
    def tests(self) -> tuple[Tested, ...]:
        """The attributes, tested on the whole population."""
        return tuple(examine(self.account))

    def outcome(self, kind: ExceptionKind) -> tuple[int, int]:
        """Return how many grants were tested for a kind of exception, and how many passed."""
        one = next(one for one in self.tests if one.attribute.kind is kind)
        return one.tested, one.tested - len(one.failed)

    @cached_property
    def modes(self) -> Counter[GrantMode]:
        """How the grants came about."""
        return Counter(grant.mode for grant in self.population)

    @cached_property
    def decision_times(self) -> list[timedelta]:
        """How long people took to agree, for each grant that began in the period."""
        return [grant.time_to_decision for grant in self.account.began if grant.time_to_decision is not None]

    @cached_property
    def latenesses(self) -> list[timedelta]:
        """For each grant that ended in the period, and not early: how long after its promised end it was over."""
        zero = timedelta(0)
        ended = (grant for grant in self.population if self.account.period.has(grant.ended_at))
        return [late for grant in ended if (late := grant.lateness) is not None and late >= zero]

    @cached_property
    def ended_early(self) -> int:
        """How many grants of the period were over before their promised end."""
        ended = (grant.lateness for grant in self.population if self.account.period.has(grant.ended_at))
        return sum(late is not None and late < timedelta(0) for late in ended)

    @cached_property
    def durations(self) -> Spread:
        """For how long access was given."""
        stories = (grant.story for grant in self.population)
        return Spread.of(timedelta(seconds=story.duration) for story in stories if story.duration is not None)

    @cached_property
    def people(self) -> int:
        """How many people held access."""
        return len({grant.story.requester for grant in self.population})

    @cached_property
    def approvers(self) -> int:
        """How many people approved access."""
        return len({approver for grant in self.population for approver in grant.approvers})

    @cached_property
    def by_role(self) -> list[tuple[str, int]]:
        """Grants by role, most first."""
        return _most(grant.role for grant in self.population)

    @cached_property
    def by_namespace(self) -> list[tuple[str, int]]:
        """Grants by namespace, most first."""
        return _most(grant.story.namespace for grant in self.population)

    @cached_property
    def by_time(self) -> list[tuple[str, int]]:
        """Grants that began, by day; by week, named after its Monday, for a period longer than 35 days."""
        period = self.account.period
        step = 1 if period.days <= 35 else 7
        first = period.begin.date()
        first -= timedelta(days=first.weekday() if step == 7 else 0)
        starts = [first + timedelta(days=step * place) for place in range((period.last_day - first).days // step + 1)]
        counts = Counter((grant.began_at.date() - first).days // step for grant in self.account.began)
        return [(_day(start), counts[place]) for place, start in enumerate(starts)]

    @cached_property
    def pairs(self) -> list[Pair]:
        """Who approved for whom, most first."""
        counts = Counter(
            (approver, grant.story.requester or "") for grant in self.population for approver in grant.approvers
        )
        ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        return [Pair(by, of, count, counts[of, by]) for (by, of), count in ordered]

    @cached_property
    def by_kind(self) -> Counter[ExceptionKind]:
        """Exceptions by kind."""
        return Counter(one.kind for one in self.exceptions)

    @cached_property
    def by_severity(self) -> Counter[ExceptionSeverity]:
        """Exceptions by severity."""
        return Counter(one.kind.severity for one in self.exceptions)

    @cached_property
    def policy_changes(self) -> int:
        """How many changes of policies were recorded, without those of the self-test."""
        return self.event("policy.created", "policy.updated", "policy.weakened", "policy.deleted") - self.policy_tests

    @cached_property
    def policy_tests(self) -> int:
        """How many records report the creation or deletion of Curfew's own policy for testing the admission policies."""
        return sum(_is_of_self_test(one) for one in self.account.happenings)

    def event(self, *names: str) -> int:
        """Return how many records of these events the period has."""
        return sum(self.account.events.get(name, 0) for name in names)


def histogram(durations: Iterable[timedelta], classes: Sequence[tuple[timedelta, str]]) -> list[tuple[str, int]]:
    """Return how many durations fall into each class. A class holds durations of at most its limit."""
    counts: Counter[str] = Counter()
    for one in durations:
        counts[next(name for limit, name in classes if one <= limit)] += 1
    return [(name, counts[name]) for _, name in classes]


def _is_of_self_test(one: Happening) -> bool:
    """Whether a record reports the creation or deletion of the self-test's policy. Changes of it are counted."""
    spec = one.detail.get("spec")
    ref = spec.get("roleRef") if isinstance(spec, Mapping) else None
    if one.record.event not in ("policy.created", "policy.deleted") or not isinstance(ref, Mapping):
        return False
    return is_self_test_policy(*(str(name) for name in (one.detail.get("policy"), ref.get("kind"), ref.get("name"))))


def _most(names: Iterable[str]) -> list[tuple[str, int]]:
    return sorted(Counter(names).items(), key=lambda one: (-one[1], one[0]))


def _rank(ordered: Sequence[object], percent: int) -> int:
    return max(0, -(-len(ordered) * percent // 100) - 1)


def _day(day: date) -> str:
    return f"{day:%d %b}".lstrip("0")
