"""Places of a log that are empty or hold an object that does not belong there, until it is known what follows them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from curfew.audit.damage import in_words
from curfew.audit.findings import Finding, Kind


@dataclass(frozen=True, slots=True)
class Trouble:
    """One place with a fault, or several empty places in a row."""

    kind: Kind
    what: str
    why: str
    seq: int
    name: str
    records: range | None
    is_settled: bool = False  # the sentence already names the records at fault


def missing(first: int, last: int, name: str) -> Trouble:
    """Return the trouble for empty places; `name` is the name of the first, or empty if it is not known."""
    where = f"segment {first}{f' ({name})' if name else ''}"
    if first == last:
        return Trouble(Kind.MISSING, where, "is missing", first, name, None)
    what = f"segments{where.removeprefix('segment')} to {last}"
    return Trouble(Kind.MISSING, what, "are missing", first, name, None)


def settled(troubles: Sequence[Trouble], start: int, first: int | None) -> Iterator[Finding]:
    """Yield a finding for each of several troubles in a row, with the records that are lost.

    The log is good up to its first `start` records, and goes on with record `first`, or does not go on if that is None.
    """
    lost = range(start, first) if first is not None and first >= start else None
    for trouble in troubles:
        why, records = trouble.why, trouble.records
        if not trouble.is_settled:
            records = records if records is not None else lost
            if lost is None:
                why += f"; no good segment follows it, and the log is good up to its first {start} records"
            elif len(troubles) == 1:
                why += f"; {'they' if trouble.why.startswith('are') else 'it'} held {in_words(lost)}"
            else:
                why += f"; the segments at fault here held {in_words(lost)} together"
        yield Finding(trouble.kind, trouble.what, why, trouble.seq, trouble.name, records)
