"""The whole story of one request, written like prose: who, what, why, who agreed, and each step with the time before it."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from curfew.audit.activity_events import ACTIVITY_EVENTS
from curfew.audit.noticed_events import NOTICED_EVENTS
from curfew.audit.record import Record, Story
from curfew.audit.stories import joined
from curfew.audit.wording import in_utc, plain_times

Row = tuple[str, str, str]
"""The beginning of a row, which also sets the indent of its other lines; the text; and its event, which may be empty."""


def tell(records: Sequence[tuple[str, Record]], activity: str = "") -> Iterator[Row]:
    """Yield the rows of a story. `records` are all records of one request, in order, each with its place for people.

    The place is the index in the log. Records of the log of activity, if there is one, have the name of that log too.
    """
    of_trail = [record for _, record in records if record.event not in _OF_ACTIVITY]
    told = joined(of_trail or (record for _, record in records))
    if told is not None:
        yield from _summary(told, of_trail, [record for _, record in records])
        yield _EMPTY
    yield from _timeline(records, told, activity)


_OF_ACTIVITY = frozenset(event.name for event in (*ACTIVITY_EVENTS, *NOTICED_EVENTS))

_EMPTY: Row = ("", "", "")


def _summary(told: Story, of_trail: Sequence[Record], records: Sequence[Record]) -> Iterator[Row]:
    yield "", f"Request {told.request} in {told.namespace}, UID {told.uid}", ""
    yield _EMPTY
    asker = told.requester or "somebody"
    by = f", through {told.submitted_by}" if told.submitted_by not in (None, told.requester) else ""
    yield _named("Who", f"{asker} asked{by}")
    role = f"{told.role.kind} {told.role.name}" if told.role else "what the policy offers"
    policy = f" by policy {told.policy.name} (generation {told.policy.generation})" if told.policy else ""
    length = f" for {in_words(timedelta(seconds=told.duration))}" if told.duration is not None else ""
    yield _named("What", f"{role}{policy}{length}")
    if told.reason or told.ticket:
        yield _named("Why", " ".join(filter(None, [told.reason, f"({told.ticket})" if told.ticket else None])))
    for number, decision in enumerate(told.decisions):
        stage = f" for {decision.stage}" if decision.stage else ""
        reason = f": {decision.reason}" if decision.reason else ""
        said = f"{decision.by} said {decision.decision}{stage}, {in_utc(decision.seen_at)}{reason}"
        yield _named("Decided" if number == 0 else "", said)
    if told.granted_at is not None:
        end = told.ended_at or told.expires_at
        until = f" to {_until(told.granted_at, end)}, {in_words(end - told.granted_at)}" if end else ""
        yield _named("Access", f"from {in_utc(told.granted_at)}{until}{'' if told.ended_at else ' (announced)'}")
    if of_trail:
        reason = f" ({told.end_reason})" if told.end_reason else ""
        yield _named("Outcome", f"{_of_the_request(of_trail[-1].message, told)}{reason}")
    assessed = next((record for record in reversed(records) if record.event == "session.assessed"), None)
    if assessed is not None:
        yield _named("Changes", _of_the_request(assessed.message, told))


def _named(name: str, text: str) -> Row:
    return f"  {name:<9} ", text, ""


def _timeline(records: Sequence[tuple[str, Record]], told: Story | None, activity: str) -> Iterator[Row]:
    day: date | None = None
    gaps = ["" if at == 0 else gap(records[at - 1][1].at, record.at) for at, (_, record) in enumerate(records)]
    width = max(map(len, gaps), default=0)
    for (place, record), after in zip(records, gaps, strict=True):
        if record.at.date() != day:
            day = record.at.date()
            yield "", f"{day:%A, %d %B %Y} (UTC)", ""
        message = plain_times(_of_the_request(record.message, told), day)
        yield f"  {record.at:%H:%M:%S}  {after:>{width}}  ", f"{message}  [{place}]", record.event
    if records:
        yield _EMPTY
        with_log = f" With --log {activity}, it takes those of that log." if activity else ""
        yield "  ", f"The numbers in brackets are indexes: `curfew audit prove` takes them.{with_log}", ""


def _of_the_request(message: str, told: Story | None) -> str:
    """Return a message without the request's name at its beginning: the whole story is about that request."""
    return message.removeprefix(f"request {told.request} of {told.requester}: ") if told is not None else message


def gap(before: datetime, at: datetime) -> str:
    """Return in words how long after `before` something happened."""
    length = at - before
    if length < timedelta():
        return f"{in_words(-length)} before"  # the event was recorded later than it happened
    return "at once" if length < timedelta(milliseconds=1) else f"{in_words(length)} later"


def in_words(length: timedelta) -> str:
    """Return a length of time in at most two units."""
    milliseconds = length // timedelta(milliseconds=1)
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = round(length.total_seconds())
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{seconds} s"


def _until(begin: datetime, end: datetime) -> str:
    return f"{end:%H:%M:%S}" if begin.date() == end.date() else in_utc(end)
