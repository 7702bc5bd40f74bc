"""The questions that people can type: options of a command, and the query that the options make."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from curfew.audit.events import EVENTS
from curfew.audit.query import PHASES, Query, events_like
from curfew.audit.timespan import FORMS, NotUnderstood, Span, parse_span

_PATTERNS = {
    "person": "The person who asked, decided or acted.",
    "request": "A request: its name, NAMESPACE/NAME or UID.",
    "role": "The role: its name or KIND/NAME.",
    "policy": "The AccessPolicy.",
    "namespace": "The namespace of the request.",
    "event": "What happened: an event or its code, such as grant.* or 3002I.",
    "ticket": "The ticket.",
    "verb": "The verb of a call, such as delete.",
    "resource": "The resource of a call: its name, NAME/SUBRESOURCE or NAME/OBJECT, such as secrets or deployments/web.",
}


def questions(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that make a query."""
    options = [
        *(
            click.option(f"--{name}", metavar="PATTERN", multiple=True, help=f"{what}")
            for name, what in _PATTERNS.items()
        ),
        click.option(
            "--phase",
            type=click.Choice(list(PHASES), case_sensitive=False),
            multiple=True,
            help="The phase that the request reached.",
        ),
        click.option(
            "--correlation",
            "--audit-id",
            metavar="PATTERN",
            multiple=True,
            help="An id from another system, anywhere in a record: a Kubernetes auditID, a trace, a UID.",
        ),
        click.option(
            "--since", metavar="TIME", help="Only records from this time on; a day or a week counts from its beginning."
        ),
        click.option(
            "--until", metavar="TIME", help="Only records up to this time; a day or a week counts to its end."
        ),
        click.option(
            "--period",
            metavar="SPAN",
            help='Only records of this period: "yesterday", "last week", 2026-11-01..2026-11-07.',
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def read_query(asked: Mapping[str, Any], now: datetime) -> Query:
    """Return the query that the options of `questions` make. Raise `click.UsageError` for options that make no query."""
    patterns = {name: tuple(asked[name]) for name in _PATTERNS if asked[name]}
    for pattern in patterns.get("event", ()):
        if not events_like(pattern):
            raise click.UsageError(f"No event matches {pattern}.{_near(pattern)} docs/audit-record.md lists all.")
    if asked["phase"]:
        events = tuple(event for phase in asked["phase"] for event in PHASES[phase])
        patterns["event"] = (*patterns.get("event", ()), *events)
    if asked["correlation"]:
        patterns["anything"] = tuple(asked["correlation"])
    return Query(patterns, tuple(asked.get("words", ())), read_times(asked, now))


def read_times(asked: Mapping[str, Any], now: datetime) -> Span:
    """Return the span that --period, --since and --until give together. Raise `click.UsageError` if they give none."""
    since, until, period = asked["since"], asked["until"], asked["period"]
    if period is not None and (since is not None or until is not None):
        raise click.UsageError("Give --period, or --since and --until, not both.")
    if period is not None:
        span = _span("period", period, now)
        if span.is_instant:
            raise click.UsageError(f"--period {period!r} is a point in time, not a period; use --since or --until.")
        return span
    begin = _edge("since", since, now).begin if since is not None else None
    end = _edge("until", until, now).end if until is not None else None
    if begin is not None and end is not None and end <= begin:
        raise click.UsageError(f"--until {until} is before --since {since}. Give a --since that is before --until.")
    return Span(begin, end)


def _edge(option: str, text: str, now: datetime) -> Span:
    if ".." in text or text.lower().startswith("since "):
        raise click.UsageError(f"--{option} {text!r} is a period; give it with --period.")
    return _span(option, text, now)


def _span(option: str, text: str, now: datetime) -> Span:
    try:
        return parse_span(text, now)
    except NotUnderstood as error:
        raise click.UsageError(f"--{option}: {error}.") from error


def _near(pattern: str) -> str:
    near: Sequence[str] = difflib.get_close_matches(pattern, EVENTS)
    return f" Did you mean {' or '.join(near)}?" if near else ""


TIMES = f"Times are in UTC. You can write: {FORMS}."
"""The paragraph about times in the help."""
