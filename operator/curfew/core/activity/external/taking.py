"""Takes a batch of lines of another system."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from curfew.audit.record import Record
from curfew.core.activity.external.mapping import LineMapping
from curfew.core.activity.external.reading import LineRefusal, LineRefused, lines_of, read_line
from curfew.core.activity.external.recording import external_called
from curfew.core.activity.external.tying import MOST_TIES, KnownSessions
from curfew.core.activity.session import Session


def take_lines(
    body: bytes, mapping: LineMapping, sessions: Iterable[Session], now: datetime
) -> tuple[list[Record], Counter[str]]:
    """Return the records of JSON lines, and how many lines became none, by reason (a value of `LineRefusal`).

    A line that is bad does not stop another. The caller bounds the number of bytes. `sessions` are all that are known.
    """
    known = KnownSessions(sessions)
    records: list[Record] = []
    not_taken: Counter[str] = Counter()
    for line in lines_of(body):
        try:
            event = read_line(line, mapping, now)
        except LineRefused as error:
            not_taken[error.reason.value] += 1
            continue
        ties = known.ties(event)
        if not ties:
            not_taken[LineRefusal.NO_SESSION.value] += 1
        if len(ties) > MOST_TIES:
            not_taken[LineRefusal.TOO_MANY_SESSIONS.value] += 1
        records += (external_called(event, tie) for tie in ties[:MOST_TIES])
    return records, not_taken
