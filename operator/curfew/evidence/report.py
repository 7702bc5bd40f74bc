"""The report of a period: a page of HTML that needs nothing else, and its tables as CSV."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from markupsafe import Markup

from curfew.api.activity import Changes
from curfew.audit.proof import Proof
from curfew.audit.wording import NO_ANCHOR, NO_KEY, printable
from curfew.evidence import charts, figures, sampling, tables
from curfew.evidence.attributes import ATTRIBUTES, verdict
from curfew.evidence.exception_kinds import Exceptional, ExceptionKind, ExceptionSeverity
from curfew.evidence.figures import DECIDED_WITHIN, LATE_BY, Figures, Spread
from curfew.evidence.frameworks import Framework
from curfew.evidence.grants import GrantMode
from curfew.evidence.page import environment
from curfew.evidence.sampling import SampledGrant
from curfew.evidence.sessions import ALERT_COLUMNS, ANSWER_COLUMNS, SessionFigures, alert_row, answer_row
from curfew.evidence.stats.figures import RequestStats
from curfew.evidence.stats.pictures import pictures

SHOWN = 500
"""The most rows of a table in the report itself. The whole table is always in its CSV file."""


@dataclass(frozen=True, slots=True)
class Basis:
    """The basis of a report: which log, how far it was verified, with which keys, by which version, and the draw."""

    location: str
    log: str
    key: str  # the log was verified from the beginning with this key
    proof_key: str  # the newest checkpoint was verified with this key: another one if the key was rotated
    key_was_given: bool
    anchors: tuple[tuple[str, int], ...]  # each anchor's name for people, and how many records it covers
    records: int  # how many records are there
    segments: int
    size: int  # how many records the log has had
    begins: str | None  # where the log begins, in words, if its oldest segments were removed
    root: str
    checkpoint: str
    made_at: datetime
    version: str
    seed: str
    seed_was_given: bool
    asked_for: int  # how many samples were asked for
    anchors_before: int  # how many anchors cover records that were removed

    @property
    def notes(self) -> Iterator[str]:
        """Yield what the verification does not show."""
        if self.begins is not None:
            yield f"The log begins {self.begins}. Earlier records were removed, as the log itself states, and are not shown."
        if self.anchors_before:
            yield (
                "Anchors that could not be compared, because the records that they cover were removed: "
                f"{self.anchors_before:,}."
            )
        if not self.key_was_given:
            yield NO_KEY
        if not self.anchors:
            yield NO_ANCHOR
        elif (after := self.size - max(size for _, size in self.anchors)) > 0:
            yield (
                f"The anchors cover all records except the last {after:,}. If these were cut off, nothing would show it."
            )


@dataclass(frozen=True, repr=False)  # asyncio prints what a task returns, and this is long
class Pack:
    """Everything that a report contains."""

    basis: Basis
    framework: Framework
    figures: Figures
    stats: RequestStats
    exceptions: Sequence[Exceptional]
    samples: Sequence[SampledGrant]
    proofs: Sequence[Proof]
    sessions: SessionFigures | None = None  # None if there is no log of activity

    @cached_property
    def tables(self) -> dict[str, str]:
        """The CSV files, by name."""
        account = self.figures.account
        numbered = enumerate(self.exceptions, 1)
        drawn = enumerate(self.samples, 1)
        made = {
            "population.csv": tables.to_csv(
                tables.GRANT_COLUMNS, (tables.grant_row(grant, account) for grant in self.figures.population)
            ),
            "approvals.csv": tables.to_csv(tables.DECISION_COLUMNS, map(tables.decision_row, account.decisions)),
            "exceptions.csv": tables.to_csv(
                tables.EXCEPTION_COLUMNS, (tables.exception_row(number, one) for number, one in numbered)
            ),
            "samples.csv": tables.to_csv(
                tables.SAMPLE_COLUMNS, (tables.sample_row(place, sample, account) for place, sample in drawn)
            ),
            "controls.csv": tables.to_csv(tables.CONTROL_COLUMNS, tables.control_rows(self.framework, self.figures)),
        }
        if self.sessions is not None:
            made["sessions.csv"] = tables.to_csv(ANSWER_COLUMNS, map(answer_row, self.sessions.answers))
            made["alerts.csv"] = tables.to_csv(ALERT_COLUMNS, map(alert_row, self.sessions.alerts))
        return made


def render(pack: Pack) -> str:
    """Return the report as HTML."""
    numbers = pack.figures
    return (
        environment()
        .get_template("report.html")
        .render(
            pack=pack,
            basis=pack.basis,
            framework=pack.framework,
            figures=numbers,
            account=numbers.account,
            period=numbers.account.period,
            groups=_groups(pack.exceptions),
            charts=_charts(numbers, pack.sessions) | _marked(pictures(pack.stats)),
            stats=pack.stats,
            decided=Spread.of(numbers.decision_times),
            late=Spread.of(numbers.latenesses),
            files={name: (content.count("\r\n") - 1, _digest(content)) for name, content in pack.tables.items()},
            ATTRIBUTES=ATTRIBUTES,
            Kind=ExceptionKind,
            METHOD=sampling.METHOD,
            PHASES=_PHASES,
            Mode=GrantMode,
            SHOWN=SHOWN,
            Severity=ExceptionSeverity,
            outcome=lambda attribute, grant: tables.outcome(verdict(attribute, grant, numbers.account)),
        )
    )


_PHASES = {
    "Cancelled": "cancelled",
    "Deleted": "deleted while open",
    "Denied": "denied",
    "Expired": "expired",
    "Failed": "failed",
    "Open": "still open",
    "Revoked": "revoked",
    "TimedOut": "timed out",
}


def _groups(exceptions: Sequence[Exceptional]) -> list[tuple[ExceptionKind, list[tuple[int, Exceptional]]]]:
    """Return the exceptions by kind, numbered over all kinds."""
    groups: dict[ExceptionKind, list[tuple[int, Exceptional]]] = {}
    for number, one in enumerate(exceptions, 1):
        groups.setdefault(one.kind, []).append((number, one))
    return list(groups.items())


def _charts(numbers: Figures, sessions: SessionFigures | None) -> dict[str, Markup]:
    period = numbers.account.period
    step = "day" if period.days <= 35 else "week"
    drawn = {
        "time": charts.columns(
            charts.Frame(
                f"Grants by {step}",
                f"{step}s, each named after its first day; only days of the period count",
                height=190,
            ),
            numbers.by_time,
        ),
        "decided": charts.columns(
            charts.Frame("Time from request to decision", "time from request to decision"),
            figures.histogram(numbers.decision_times, DECIDED_WITHIN),
        ),
        "late": charts.columns(
            charts.Frame(
                "How late access ended", "time after the promised end; each class is ten times the one before"
            ),
            figures.histogram(numbers.latenesses, LATE_BY),
            alert="over 60 s",
        ),
        "role": charts.rows(charts.Frame("Grants by role", "grants in force"), _top(numbers.by_role)),
        "namespace": charts.rows(charts.Frame("Grants by namespace", "grants in force"), _top(numbers.by_namespace)),
    }
    if sessions is not None:
        drawn["changes"] = charts.rows(
            charts.Frame("Was anything changed?", "grants in force"),
            [(str(changes), sessions.by_changes[changes]) for changes in Changes],
        )
    return _marked(drawn)


def _marked(drawn: Mapping[str, str]) -> dict[str, Markup]:
    return {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704  `charts` escapes its input


def _top(bars: Sequence[tuple[str, int]], most: int = 10) -> list[tuple[str, int]]:
    shown = [(printable(name), value) for name, value in bars[:most]]
    rest = sum(value for _, value in bars[most:])
    return [*shown, (f"{len(bars) - most} others", rest)] if rest else shown


def _digest(content: str) -> str:
    return hashlib.sha256(b"\xef\xbb\xbf" + content.encode()).hexdigest()
