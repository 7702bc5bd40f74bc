"""How long a request waits, split by what it waits for. Times are in whole milliseconds since 1970, as in the records."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WaitParts:
    """The wait of one request, or the sum over several, in milliseconds. The four parts add up to the whole."""

    nobody_looked: int = 0  # nobody had decided anything about it
    other_stages: int = 0  # some had agreed, and others had still to agree
    record_or_rules: int = 0  # until it was accepted, and from the agreement or the wanted start to the access
    start_time: int = 0  # all had agreed, and the start that was asked for had not come

    @property
    def whole(self) -> int:
        """The whole wait."""
        return self.nobody_looked + self.other_stages + self.record_or_rules + self.start_time

    @classmethod
    def sum(cls, parts: Iterable["WaitParts"]) -> "WaitParts":
        """Return the sum of waits, part by part."""
        found = list(parts)
        return cls(
            sum(one.nobody_looked for one in found),
            sum(one.other_stages for one in found),
            sum(one.record_or_rules for one in found),
            sum(one.start_time for one in found),
        )


@dataclass(frozen=True, slots=True)
class WaitMarks:
    """The times between which a request waits for one thing; None for what did not happen."""

    created: int
    over: int  # the access began, or the request ended without it
    accepted: int | None = None
    looked: int | None = None  # the first decision by a person that had an effect
    decided: int | None = None  # enough people had agreed, or one had denied
    not_before: int | None = None  # the start that was asked for
    needs_nobody: bool = False  # the policy waives approval, or the glass was broken

    def split(self) -> WaitParts:
        """Return the parts of the time from `created` to `over`. Clocks differ, so each mark is moved into that time."""
        end = max(self.created, self.over)
        accepted = _between(self.created, self.accepted, end)
        decided = accepted if self.needs_nobody else _between(accepted, self.decided, end)
        looked = _between(accepted, self.looked, decided)
        start = min(max(decided, self.not_before), end) if self.not_before is not None else decided
        return WaitParts(
            nobody_looked=looked - accepted,
            other_stages=decided - looked,
            record_or_rules=(accepted - self.created) + (end - start),
            start_time=start - decided,
        )


@dataclass(frozen=True, slots=True)
class WaitSpread:
    """The median, the 90th percentile and the longest of some waits, by nearest rank; None if there are none."""

    count: int
    p50: int | None
    p90: int | None
    worst: int | None

    @classmethod
    def of(cls, waits: Iterable[int]) -> "WaitSpread":
        """Return the spread of waits in milliseconds."""
        ordered = sorted(waits)
        if not ordered:
            return cls(0, None, None, None)
        return cls(len(ordered), ordered[_rank(50, ordered)], ordered[_rank(90, ordered)], ordered[-1])


def _rank(percent: int, ordered: list[int]) -> int:
    return -(-percent * len(ordered) // 100) - 1


def _between(least: int, mark: int | None, most: int) -> int:
    """Return a mark, moved to the nearer limit if it is outside; the later limit if it is None."""
    return most if mark is None else min(max(least, mark), most)
