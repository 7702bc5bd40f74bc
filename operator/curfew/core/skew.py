"""How far our clock is from the API server's, as the `Date` of its answers bounds it (promises P1 and P7).

An answer was dated somewhere between our sending the request and our receiving the answer, and its date is cut to the
second. So one answer bounds the difference between two values. Several answers together give closer bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

from curfew.core.facts import ClockState

NOTICED: Final = timedelta(seconds=1)
"""Beyond this difference, people are told."""

TOO_FAR: Final = timedelta(seconds=5)
"""Beyond this difference, nothing is granted: one of two machines has a wrong time, and the times in records may be wrong."""

RESOLUTION: Final = timedelta(seconds=1)

_LONGEST: Final = 40  # characters of a Date header: it has 29
_YEARS: Final = range(1970, 2200)  # our time follows the date, and time cannot be added to the last year that there is


class ClockReason(StrEnum):
    """The words for the state: in conditions, Events, metrics and logs."""

    AGREES = "ClockAgrees"
    OFF = "ClockOff"
    WRONG = "ClockWrong"
    NOT_YET_COMPARED = "NotYetCompared"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far our clock is ahead of the API server's, at least and at most. Below zero, our clock is behind."""

    least: timedelta
    most: timedelta

    @property
    def certain(self) -> timedelta:
        """The difference that is certain: of all possible values, the one nearest to zero."""
        return max(self.least, min(self.most, timedelta(0)))

    def meets(self, other: "Bounds") -> bool:
        """Whether some difference is within both bounds."""
        return self.least <= other.most and other.least <= self.most


def read_date(text: str | None) -> datetime | None:
    """Return the time that a Date header names, or None if it names none that a clock can show."""
    try:
        at = parsedate_to_datetime(text or "") if len(text or "") <= _LONGEST else None
        return at.astimezone(UTC) if at is not None and at.tzinfo is not None and at.year in _YEARS else None
    except (ValueError, TypeError, OverflowError):
        return None


def bound(sent: datetime, received: datetime, date: datetime) -> Bounds:
    """Return the bounds that one answer gives. `sent` and `received` are by our clock, `date` is by the API server's."""
    return Bounds(least=sent - date - RESOLUTION, most=received - date)


def narrow(answers: Sequence[Bounds]) -> tuple[Bounds, Sequence[Bounds]]:
    """Return the bounds that the answers give together, and the answers that still count. The last answer is the newest.

    If a clock was set, the difference is another one from then on. The newest answer that contradicts the later ones, and
    all answers before it, do not count any more.
    """
    whole, counted = answers[-1], [answers[-1]]
    for older in reversed(answers[:-1]):
        if not older.meets(whole):
            break
        whole = Bounds(max(whole.least, older.least), min(whole.most, older.most))
        counted.append(older)
    return whole, counted[::-1]


def judge(bounds: Bounds | None, before: ClockState | None, *, now: datetime) -> ClockState:
    """Return what a difference means for grants. The result is the state before if its meaning has not changed."""
    if bounds is None:
        reason, message = (
            ClockReason.NOT_YET_COMPARED,
            "The clock has not been compared with the API server's yet: no answer had a readable Date.",
        )
    else:
        reason, message = _said(bounds.certain)
    if before is not None and before.reason == reason:
        return before
    return ClockState(ok=reason in (ClockReason.AGREES, ClockReason.OFF), reason=reason, message=message, since=now)


def _said(difference: timedelta) -> tuple[ClockReason, str]:
    seconds, is_ahead = abs(difference).total_seconds(), difference > timedelta(0)
    found = f"Curfew's clock is {seconds:.1f} s {'ahead of' if is_ahead else 'behind'} the API server's"
    # The later of the two clocks ends access (`adapters.clock.LaterClock`).
    ends = "access ends early by as much" if is_ahead else "access ends by the API server's clock"
    if abs(difference) > TOO_FAR:
        return ClockReason.WRONG, (
            f"{found}: nothing is granted until the clocks agree to within {TOO_FAR.seconds} s, and {ends}. Synchronise "
            "the clocks of both machines (NTP)."
        )
    if abs(difference) > NOTICED:
        return ClockReason.OFF, (
            f"{found}: {ends}. Synchronise the clocks of both machines (NTP); beyond {TOO_FAR.seconds} s, nothing is granted."
        )
    return ClockReason.AGREES, "The clock agrees with the API server's."
