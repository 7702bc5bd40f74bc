"""All judges, and what came of an earlier look."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from curfew.api.time_text import format_time
from curfew.core.doctor.accounts import judge_rights, judge_tokens
from curfew.core.doctor.around import ways_around
from curfew.core.doctor.diagnosis import Diagnosis, Gravity
from curfew.core.doctor.facts import ClusterFacts
from curfew.core.doctor.guards import judge_guards
from curfew.core.doctor.record import judge_expiries, judge_log, judge_monitor, judge_settings
from curfew.core.doctor.running import (
    judge_clocks,
    judge_grants,
    judge_installation,
    judge_leader,
    judge_operators_words,
    judge_sweeping,
)

VERSION: Final = 1
"""Of the report in JSON: increased if an older reader would misread it."""

JUDGES: Final[Sequence[Callable[[ClusterFacts], Iterator[Diagnosis]]]] = (
    judge_installation,
    judge_leader,
    judge_clocks,
    judge_guards,
    judge_operators_words,
    judge_grants,
    judge_sweeping,
    judge_rights,
    judge_tokens,
    judge_log,
    judge_settings,
    judge_monitor,
    judge_expiries,
)

_ORDER: Final = (Gravity.CRITICAL, Gravity.WARNING, Gravity.UNCHECKED, Gravity.NOTE)


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """What one look found, the gravest first, and which parts of Kubernetes can go around Curfew, as they do everywhere."""

    checked_at: str
    namespace: str
    findings: tuple[Diagnosis, ...]
    built_in: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, for a later look to be compared with."""
        return {
            "version": VERSION,
            "checkedAt": self.checked_at,
            "namespace": self.namespace,
            "findings": [one.to_json() for one in self.findings],
            "builtIn": list(self.built_in),
        }


def diagnose(facts: ClusterFacts) -> DoctorReport:
    """Return what is wrong."""
    found = [one for judge in JUDGES for one in judge(facts)]
    around, built_in = ways_around(facts)
    unread = [
        Diagnosis("D002", one.what, f"Not checked: {one.what}. {one.why}", "Ask somebody with that right to run it.")
        for one in facts.unread
    ]
    ordered = sorted([*found, *around, *unread], key=lambda one: (_ORDER.index(one.gravity), one.code, one.about))
    return DoctorReport(format_time(facts.now), facts.namespace, tuple(ordered), tuple(built_in))


@dataclass(frozen=True, slots=True)
class ReportDifference:
    """What has changed since an earlier look: keys of findings."""

    new: frozenset[str]
    gone: tuple[str, ...]


class NotAReport(ValueError):
    """A text that is no report of the doctor's."""


def compare(report: DoctorReport, before: object) -> ReportDifference:
    """Return what has changed since a report in JSON. Raise `NotAReport` if it is none."""
    if (
        not isinstance(before, Mapping)
        or before.get("version") != VERSION
        or not isinstance(before.get("findings"), list)
    ):
        raise NotAReport("it is no report of this version of the doctor")
    keys = {f"{one.get('code')} {one.get('about')}" for one in before["findings"] if isinstance(one, Mapping)}
    now = {one.key for one in report.findings}
    return ReportDifference(frozenset(now - keys), tuple(sorted(keys - now)))


def exit_code(findings: Iterable[Diagnosis], *, fail_on: Collection[Gravity]) -> int:
    """Return 1 if a finding is as grave as one of those, else 2 if something could not be checked, else 0."""
    found = {one.gravity for one in findings}
    return 1 if found & set(fail_on) else 2 if Gravity.UNCHECKED in found else 0
