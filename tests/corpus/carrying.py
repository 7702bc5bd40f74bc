"""What the trail carries forward: now and then, all stories that are open and all policies, as the operator repeats them."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from curfew.audit.carried import CarriedStory, cut, make_part
from curfew.audit.record import Record

EVERY: Final = timedelta(days=3)


def with_carried(records: Iterable[Record], begin: datetime) -> Iterator[Record]:
    """Yield the records of a trail, and in between the sets of what is open."""
    stories: dict[str, tuple[Record, Record | None]] = {}  # the latest record of each, and its announcement
    policies: dict[str, Record] = {}
    due = begin + EVERY
    for record in records:
        if record.at >= due:
            yield _set(due, stories.values(), policies.values())
            due += EVERY
        if record.event.startswith("policy."):
            policies[record.subject] = cut(record)
        elif record.event == "request.closed":
            stories.pop(record.subject, None)
        elif "story" in record.block:
            _, intent = stories.get(record.subject, (None, None))
            stories[record.subject] = record, record if record.event == "grant.intended" else intent
        yield record


def _set(at: datetime, stories: Iterable[tuple[Record, Record | None]], policies: Iterable[Record]) -> Record:
    carried = [CarriedStory(cut(latest), cut(intent) if intent is not None else None) for latest, intent in stories]
    return make_part(
        "main",
        set_=f"{at:%Y%m%d}",
        number=0,
        is_last=True,
        began=at,
        since=at,
        at=at,
        stories=carried,
        policies=list(policies),
    )
