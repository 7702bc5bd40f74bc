"""For which time the feed of audit events was known to be whole: intervals, folded from the records of the monitor's log.

Confirmed intervals are joined where they touch. What was lost afterwards counts, also inside a confirmed interval: an API
server may report later that it dropped events.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from curfew.audit.record import Record

MOST_INTERVALS: Final = 10_000
"""How many intervals of each kind are remembered. The oldest are forgotten, and count as not confirmed."""

UNCONFIRMED: Final = "no round of test calls confirmed it"


@dataclass(frozen=True, slots=True, order=True)
class Hole:
    """An interval for which the feed is not known to be whole, and why, as a clause for people."""

    since: datetime
    until: datetime
    why: str


class Coverage:
    """The intervals of one log. The order in which they are learnt makes no difference."""

    def __init__(self) -> None:
        """Know of no interval: nothing is covered."""
        self._confirmed: list[tuple[datetime, datetime]] = []  # apart from each other, in order
        self._lost: list[Hole] = []  # in order

    def learn(self, record: Record) -> None:
        """Learn a record of the activity log. One that cannot be read confirms nothing."""
        detail = record.block.get("detail")
        if not isinstance(detail, Mapping):
            return
        since = _time(detail, "since")
        if record.event == "coverage.confirmed":
            until = _time(detail, "until")
            if since is not None and until is not None and since < until:
                self._confirm(since, until)
        elif record.event == "coverage.lost":
            # A beginning that cannot be read may be any; then nothing that was confirmed before counts.
            begin = since or (self._confirmed[0][0] if self._confirmed else record.at)
            lost = Hole(min(begin, record.at), record.at, str(detail.get("why", "")))
            if lost not in self._lost:
                insort(self._lost, lost)
        self._bound()

    def holes(self, since: datetime, until: datetime) -> tuple[Hole, ...]:
        """Return the parts of an interval that are not known to be whole, in order; nothing if all of it is."""
        if until < since:
            return ()
        found = [*self._gaps(since, until), *self._losses(since, until)]
        return tuple(sorted(_joined(sorted(found))))

    def whole_until(self, since: datetime) -> datetime | None:
        """Return until when the feed is whole without a hole from an instant on; None if it is not whole there."""
        for begin, end in self._confirmed:
            if begin <= since <= end:
                holes = self.holes(since, end)
                reached = holes[0].since if holes else end
                return reached if reached > since else None
        return None

    def forget(self, before: datetime) -> None:
        """Forget the intervals that were over before an instant."""
        self._confirmed = [one for one in self._confirmed if one[1] >= before]
        self._lost = [one for one in self._lost if one.until >= before]

    def _confirm(self, since: datetime, until: datetime) -> None:
        touching = [one for one in self._confirmed if one[0] <= until and since <= one[1]]
        for one in touching:
            self._confirmed.remove(one)
        joined = min(since, *(one[0] for one in touching)) if touching else since
        insort(self._confirmed, (joined, max(until, *(one[1] for one in touching)) if touching else until))

    def _bound(self) -> None:
        del self._confirmed[: max(len(self._confirmed) - MOST_INTERVALS, 0)]
        if len(self._lost) > MOST_INTERVALS:
            # What was lost must not be forgotten before what was confirmed then.
            forgotten = self._lost[len(self._lost) - MOST_INTERVALS - 1]
            self._lost = self._lost[-MOST_INTERVALS:]
            self._confirmed = [one for one in self._confirmed if one[0] > forgotten.until]

    def _gaps(self, since: datetime, until: datetime) -> Iterator[Hole]:
        reached = since
        start = max(bisect_left(self._confirmed, (since, since)) - 1, 0)
        for begin, end in self._confirmed[start:]:
            if begin > until:
                break
            if begin > reached:
                yield Hole(reached, begin, UNCONFIRMED)
            reached = max(reached, end)
        if reached < until or (since == until and not self._is_confirmed(since)):
            yield Hole(min(reached, until), until, UNCONFIRMED)

    def _losses(self, since: datetime, until: datetime) -> Iterator[Hole]:
        for lost in self._lost:
            if lost.since <= until and since <= lost.until:
                yield Hole(max(lost.since, since), min(lost.until, until), lost.why)

    def _is_confirmed(self, at: datetime) -> bool:
        return any(begin <= at <= end for begin, end in self._confirmed)


def _joined(holes: list[Hole]) -> Iterator[Hole]:
    """Yield holes without those for which another one gives the reason."""
    told = [hole for hole in holes if hole.why != UNCONFIRMED]
    for hole in holes:
        if hole in told or not any(other.since <= hole.since and hole.until <= other.until for other in told):
            yield hole


def _time(detail: Mapping[str, Any], name: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(detail[name])
    except (KeyError, TypeError, ValueError):
        return None
    return at if at.tzinfo is not None else None
