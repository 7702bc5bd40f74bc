"""A session for people, as rows of text, and for programs, as JSON."""

import dataclasses
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from curfew.api.times import format_duration, format_time
from curfew.audit.wording import count, in_utc
from curfew.cli.audit.both_logs import BothLogs
from curfew.cli.audit.console import show_row
from curfew.cli.audit.story import in_words
from curfew.evidence.calls import CallGroup
from curfew.evidence.session_page import ToldSession

_SHOWN = 20
"""Most holes, alerts and left objects that are listed; the rest is counted."""


def show_session(told: ToldSession, activity: str, *, has_calls: bool) -> None:
    """Print a session. `activity` is the name of the log of activity."""
    story = told.story
    show_row("", f"Session {story.request} in {story.namespace}, UID {story.uid}")
    show_row("", "")
    for name, text in _summary(told, activity):
        show_row(f"  {name:<9} ", text)
    show_row("", "")
    for row in _groups(told.seen.groups):
        show_row("  ", row)
    if told.seen.alerts:
        show_row("", "")
        for alert in told.seen.alerts[:_SHOWN]:
            show_row(f"  {alert.at:%H:%M:%S}  ", f"{alert.message}  [{alert.index}]", alert.event)
        _show_rest(len(told.seen.alerts))
    if has_calls:
        show_row("", "")
        for call in told.seen.calls:
            show_row(f"  {call.at:%H:%M:%S}  {call.outcome:<8}  ", f"{call.message}  [{call.index}]", call.event)
        for one in told.seen.elsewhere:
            show_row(f"  {one.at:%H:%M:%S}  elsewhere ", f"{one.message}  [{one.index}]")
    show_row("", "")
    show_row("  ", f"Indexes are of log {activity}: `curfew audit prove --log {activity}` takes them.")


def _summary(told: ToldSession, activity: str) -> Iterator[tuple[str, str]]:
    story, answer = told.story, told.answer
    role = f" with {story.role.kind} {story.role.name}" if story.role else ""
    policy = f" by policy {story.policy.name} (generation {story.policy.generation})" if story.policy else ""
    yield "Who", f"{story.requester or 'somebody'}{role}{policy}"
    if story.reason or story.ticket:
        yield "Why", " ".join(filter(None, [story.reason, f"({story.ticket})" if story.ticket else None]))
    over = "" if story.ended_at is not None else ", not over"
    yield "Access", f"from {in_utc(told.begin)} to {in_utc(told.end)}, {in_words(told.end - told.begin)}{over}"
    yield "Changes", f"{answer.changes}{'' if answer.final else ' (not final)'}: {answer.summary}"
    for number, reason in enumerate(answer.reasons):
        yield "Because" if number == 0 else "", reason
    yield "Recorded", _recorded(told, activity)
    if not told.holes:
        yield "Feed", "whole over the time of the access"
    for number, hole in enumerate(told.holes[:_SHOWN]):
        length = in_words(hole.until - hole.since)
        yield (
            "Feed" if number == 0 else "",
            f"not known to be whole from {in_utc(hole.since)} on for {length}: {hole.why}",
        )
    if answer.sources:
        yield "From", ", ".join(answer.sources)
    if answer.sensitive:
        yield "Sensitive", ", ".join(answer.sensitive)
    for number, one in enumerate(told.remains[:_SHOWN]):
        yield "Left" if number == 0 else "", one
    if not told.remains:
        yield "Left", "nothing is known to be left behind"
    if told.seen.by_system:
        numbers = sorted(told.seen.by_system.items())
        yield (
            "Elsewhere",
            ", ".join(f"{system}: {number:,} {strength.lower()}" for (system, strength), number in numbers),
        )
    yield "Calls", count(told.seen.number, "call")


def _recorded(told: ToldSession, activity: str) -> str:
    if told.recorded_in is None:
        return "no answer of the monitor is in the log"
    where = f"[{told.recorded_in}]"
    if told.recorded is None:
        return f"the monitor's answer in record {told.recorded_in} of {activity} cannot be read by this version"
    if told.differs:
        return (
            f"DIFFERS: the monitor recorded {told.recorded.changes}; other values in {', '.join(told.differs)}  {where}"
        )
    return f"the monitor recorded the same  {where}"


def _groups(groups: tuple[CallGroup, ...]) -> Iterator[str]:
    if not groups:
        yield "No call was made with it."
        return
    verb, resource = (max(len(getattr(one, part)) for one in groups) for part in ("verb", "resource"))
    verb, resource = min(max(verb, 4), 20), min(max(resource, 8), 40)
    yield f"{'calls':>7}  {'first':<8}  {'last':<8}  {'verb':<{verb}}  {'resource':<{resource}}  outcome   tied by   objects"
    for one in groups:
        names = ", ".join(one.names) + (" and others" if one.has_more_names else "")
        yield (
            f"{one.count:>7,}  {one.first:%H:%M:%S}  {one.last:%H:%M:%S}  {one.verb:<{verb}}  {one.resource:<{resource}}  "
            f"{one.outcome:<8}  {one.how:<8}  {names}"
        ).rstrip()


def _show_rest(number: int) -> None:
    if number > _SHOWN:
        show_row("  ", f"and {number - _SHOWN:,} more")


def to_json(told: ToldSession, both: BothLogs, *, has_calls: bool) -> str:
    """Return a session as JSON. Times are RFC 3339 in UTC, and durations are in Go's notation, such as 1m30s."""
    held: dict[str, Any] = {
        "session": {**told.story.to_json(), "begin": told.begin, "end": told.end},
        "answer": told.answer.model_dump(mode="json"),
        "recorded": told.recorded.model_dump(mode="json") if told.recorded is not None else None,
        "recordedIn": told.recorded_in,
        "differs": told.differs,
        "coverage": {"whole": not told.holes, "holes": [dataclasses.asdict(hole) for hole in told.holes]},
        "groups": [dataclasses.asdict(group) for group in told.seen.groups],
        "elsewhere": [dataclasses.asdict(one) for one in told.seen.elsewhere],
        "remains": told.remains,
        "alerts": [dataclasses.asdict(alert) for alert in told.seen.alerts],
        "logs": [
            {"log": one.log, "location": one.store.url, "keyWasGiven": one.given is not None} for one in both.places
        ],
    }
    if has_calls:
        held["calls"] = [dataclasses.asdict(call) for call in told.seen.calls]
    return json.dumps(held, indent=2, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, timedelta):
        return format_duration(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
