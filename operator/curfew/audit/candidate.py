"""An object that claims a place in the chain, to be opened with the keys that may have sealed it."""

from collections.abc import Iterable
from dataclasses import dataclass

from curfew.audit.checkpoint import Verifier
from curfew.audit.places import place
from curfew.audit.segment import ChainBroken, Segment
from curfew.audit.segment_summary import SegmentSummary, open_summary


@dataclass(frozen=True, slots=True)
class Candidate:
    """An object in the log's folder, and its summary if another process has made it."""

    name: str
    stored: bytes
    summary: SegmentSummary | None = None

    def open(self, verifier: Verifier, log: str) -> tuple[SegmentSummary, Segment]:
        """Open it with one key, or raise `ChainBroken`."""
        return open_summary(self.name, self.stored, verifier, log)

    def open_alone(self, keys: Iterable[Verifier], log: str) -> tuple[SegmentSummary, Segment]:
        """Open it with the first key that fits, without the segment before it, or raise `ChainBroken`."""
        refusal: ChainBroken | None = None
        for verifier in keys:
            try:
                summary, segment = self.open(verifier, log)
                summary.link.check_name()
            except ChainBroken as broken:
                refusal = refusal or broken.with_traceback(None)
            else:
                return summary, segment
        try:
            raise refusal or ChainBroken(place(log, self.name), self.name, "has no key that could have sealed it")
        finally:
            # It would keep its frame, and with that the object, until the garbage collector runs: hundreds may accumulate
            # by then.
            del refusal
