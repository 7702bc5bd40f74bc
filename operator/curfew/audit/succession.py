"""Which key has sealed which part of a log, and how the trusted key is connected with them."""

from collections.abc import Iterator
from dataclasses import dataclass

from curfew.audit.checkpoint import KeyRefused, Verifier
from curfew.audit.segment import announced_key
from curfew.audit.segment_summary import SegmentSummary


@dataclass(frozen=True, slots=True)
class Tenure:
    """A part of a log that one key has sealed: from a segment and a record on, up to the next tenure."""

    verifier: Verifier
    segment: int
    record: int


class Succession:
    """Follows the keys of a log, from the one that its first record names.

    The trusted key may be any of them. The segments after its own are sealed by keys to which it has handed the log
    over, directly or through other keys. The segments before its own are committed to by each of its segments, as by
    any segment. So it is enough if it has sealed one segment of an unbroken chain.
    """

    def __init__(
        self,
        trusted: Verifier,
        tenures: tuple[Tenure, ...] = (),
        current: Verifier | None = None,
        *,
        named: Verifier | None = None,
    ) -> None:
        """Begin with the trusted key, or continue after some tenures.

        `named` is the key that sealed the first segment, as stated by a log whose first record is gone.
        """
        self.trusted = trusted
        self._named = named
        self.current = current or trusted  # the key that must have sealed the next segment
        self.tenures = list(tenures)

    @property
    def is_proven(self) -> bool:
        """Whether the trusted key has sealed a segment so far."""
        return any(tenure.verifier == self.trusted for tenure in self.tenures)

    def first(self, stored: bytes) -> Verifier | None:
        """Return the key that an object names for itself, if the log can begin with it and now has another key."""
        if self.tenures:
            return None
        try:
            named = self._named or Verifier.parse(announced_key(stored) or "")
        except KeyRefused:
            return None
        return named if named.name == self.trusted.name and named != self.trusted else None

    def hopes(self) -> tuple[Verifier, ...]:
        """Return the keys that may continue the log after a gap in which it may have been handed over."""
        return (self.current,) if self.current == self.trusted else (self.current, self.trusted)

    def known(self) -> Iterator[Verifier]:
        """Yield all keys that have sealed a segment, or should have."""
        yield from dict.fromkeys((*self.hopes(), *(tenure.verifier for tenure in self.tenures)))

    def follow(self, summary: SegmentSummary) -> None:
        """Add the next segment."""
        if not self.tenures or self.tenures[-1].verifier != summary.verifier:
            self.tenures.append(Tenure(summary.verifier, summary.link.after.seq, summary.link.first))
        self.current = summary.successor
