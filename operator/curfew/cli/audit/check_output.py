"""What a history shows, for people, as rows of text, and for programs, as JSON."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from curfew.api.times import format_time
from curfew.audit.wording import NO_KEY, count, duration, in_utc, printable
from curfew.cli.audit.console import show_row
from curfew.cli.audit.reading import note
from curfew.evidence.history.breach import Breach, JudgedPromise
from curfew.evidence.history.judgement import HistoryJudgement
from curfew.evidence.history.lateness import LatenessHistogram
from curfew.evidence.history.lines import ReadingCounts
from curfew.evidence.history.terms import Reach

_SHOWN: Final = 10
"""Most breaches of a promise that are shown to people; the others are counted."""

_MARGIN: Final = timedelta(minutes=1)  # a source that is shorter by less is not worth a note
_BAR: Final = 40  # columns of the longest bar of the histogram


@dataclass(frozen=True, slots=True)
class Checked:
    """What was judged, and by what."""

    log: str
    location: str
    judgement: HistoryJudgement
    counts: ReadingCounts
    unread: int  # records that this version cannot read
    key_was_given: bool


def show_check(checked: Checked) -> None:
    """Print what the promises are worth."""
    judgement = checked.judgement
    held = (count(judgement.requests, "request"), count(judgement.bindings, "binding"))
    show_row("", f"{'Checked' if judgement.holds else 'BROKEN'}: {held[0]} and {held[1]} of log {checked.log}")
    show_row("  Trail    ", f"{_reach(judgement.sources.trail)}, {count(judgement.records, 'record')} of requests")
    calls = f"{count(checked.counts.lines, 'line')}, {checked.counts.facts:,} of them about requests and bindings"
    show_row("  Calls    ", f"{_reach(judgement.sources.calls)}, {calls}")
    show_row("", "")
    for promise in JudgedPromise:
        _show_promise(judgement, promise)
    if judgement.lateness.total:
        show_row("", "")
        for row in histogram(judgement.lateness):
            show_row("  ", row)
    for text in _notes(checked):
        note(printable(f"Note: {text}"))


def _show_promise(judgement: HistoryJudgement, promise: JudgedPromise) -> None:
    broken = judgement.number(promise)
    unclear = judgement.number(promise, is_certain=False)
    word = f"BROKEN {broken:,} times" if broken > 1 else "BROKEN once" if broken else "holds"
    if judgement.sources.calls is None and promise is JudgedPromise.P1:
        word = "not judged"
    if unclear and not broken:
        word = f"not clear {'once' if unclear == 1 else f'{unclear:,} times'}"
    show_row(f"  {promise:<4} ", f"{promise.meaning}: {word}")
    for breaches, total, label in (
        (judgement.breaches[promise], broken, ""),
        (judgement.unclear[promise], unclear, "not clear: "),
    ):
        for breach in breaches[:_SHOWN]:
            show_row("         ", f"{label}{breach.sentence}.")
        if total > _SHOWN:
            show_row("         ", f"{label}and {total - _SHOWN:,} more; -o json lists the first {len(breaches):,}")


def histogram(lateness: LatenessHistogram) -> Iterator[str]:
    """Yield how late ends were, as rows."""
    middle, most = lateness.percentile(0.5), lateness.percentile(0.99)
    yield (
        f"{count(lateness.total, 'end')} at the promised time: half of them at most {duration(middle)} late, "
        f"99 % at most {duration(most)}, the latest {duration(lateness.latest)}"
    )
    rows = lateness.rows()
    longest = max(number for _, number in rows)
    bound = 0
    for milliseconds, number in rows:
        name = f"up to {milliseconds:,} ms" if milliseconds is not None else f"over {bound:,} ms"
        bound = milliseconds or bound
        if number:
            yield f"  {name:<16} {number:>9,}  {'#' * max(1, round(_BAR * number / longest))}"


def _notes(checked: Checked) -> Iterator[str]:
    counts, sources = checked.counts, checked.judgement.sources
    if counts.unreadable:
        more = counts.unreadable - len(counts.places)
        places = "; ".join(counts.places) + (f"; and {more:,} more" if more else "")
        yield f"{count(counts.unreadable, 'line')} of the audit logs cannot be read, and were left out: {places}."
    if checked.unread:
        yield f"{count(checked.unread, 'record')} of the log cannot be read by this version. Use a newer version."
    if sources.calls is None:
        yield "The audit logs hold no event, so only the trail was judged. Give the audit log of each API server."
    elif sources.trail is not None:
        if sources.calls.since - sources.trail.since > _MARGIN:
            yield f"The audit logs begin at {in_utc(sources.calls.since)}; calls before that were not judged."
        if sources.calls.until - sources.trail.until > _MARGIN:
            yield f"The trail ends at {in_utc(sources.trail.until)}; what was done after that was not judged by it."
    if not checked.key_was_given:
        yield NO_KEY


def to_json(checked: Checked) -> str:
    """Return all of it as JSON. Times are RFC 3339 in UTC, durations are in milliseconds."""
    judgement, lateness = checked.judgement, checked.judgement.lateness
    told: dict[str, Any] = {
        "holds": judgement.holds,
        "log": checked.log,
        "location": checked.location,
        "keyWasGiven": checked.key_was_given,
        "requests": judgement.requests,
        "bindings": judgement.bindings,
        "records": judgement.records,
        "unreadRecords": checked.unread,
        "promises": {promise.value: _promise_to_json(judgement, promise) for promise in JudgedPromise},
        "lateness": {
            "ends": lateness.total,
            "p50": _ms(lateness.percentile(0.5)),
            "p99": _ms(lateness.percentile(0.99)),
            "latest": _ms(lateness.latest),
            "histogram": [{"upTo": bound, "ends": number} for bound, number in lateness.rows()],
        },
        "trail": _reach_to_json(judgement.sources.trail),
        "calls": _reach_to_json(judgement.sources.calls),
        "lines": {
            "read": checked.counts.lines,
            "used": checked.counts.facts,
            "unreadable": checked.counts.unreadable,
            "first": checked.counts.places,
        },
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def _promise_to_json(judgement: HistoryJudgement, promise: JudgedPromise) -> dict[str, Any]:
    return {
        "meaning": promise.meaning,
        "broken": judgement.number(promise),
        "notClear": judgement.number(promise, is_certain=False),
        "breaches": [_breach_to_json(one) for one in judgement.breaches[promise]],
        "unclear": [_breach_to_json(one) for one in judgement.unclear[promise]],
    }


def _breach_to_json(breach: Breach) -> dict[str, str]:
    return {"at": format_time(breach.at), "subject": breach.subject, "sentence": f"{breach.sentence}."}


def _reach(reach: Reach | None) -> str:
    return f"from {in_utc(reach.since)} to {in_utc(reach.until)}" if reach is not None else "nothing"


def _reach_to_json(reach: Reach | None) -> dict[str, str] | None:
    return {"since": format_time(reach.since), "until": format_time(reach.until)} if reach is not None else None


def _ms(length: timedelta) -> int:
    return round(length.total_seconds() * 1000)
