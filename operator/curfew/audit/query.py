"""A question about records, as an auditor asks it: who, what, where, when. Each condition has to hold.

A pattern is a text in which `*` stands for any characters and `?` for any one; upper and lower case count, except in words.
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from curfew.audit.canonical import canonical
from curfew.audit.events import EVENTS
from curfew.audit.record import Record
from curfew.audit.when import ALWAYS, Span

Texts = Iterator[str]


def _people(body: Mapping[str, Any]) -> Texts:
    block = body["unmapped"]["curfew"]
    story = block.get("story", {})
    yield from _texts(block.get("actor"), story.get("requester"), story.get("submitted_by"))
    for decision in story.get("decisions", ()):
        yield from _texts(decision.get("by"))


def _request(body: Mapping[str, Any]) -> Texts:
    block = body["unmapped"]["curfew"]
    story = block.get("story", {})
    yield from _texts(block.get("subject"), story.get("request"))
    if "request" in story:
        yield f"{story.get('namespace')}/{story['request']}"


def _role(body: Mapping[str, Any]) -> Texts:
    role = body["unmapped"]["curfew"].get("story", {}).get("role", {})
    yield from _texts(role.get("name"))
    if "name" in role:
        yield f"{role.get('kind')}/{role['name']}"


def _event(body: Mapping[str, Any]) -> Texts:
    block = body["unmapped"]["curfew"]
    yield from _texts(block.get("event"), block.get("code"))


def _in_story(*path: str) -> Callable[[Mapping[str, Any]], Texts]:
    def look(body: Mapping[str, Any]) -> Texts:
        value: Any = body["unmapped"]["curfew"].get("story", {})
        for key in path:
            value = value.get(key, {}) if isinstance(value, Mapping) else {}
        yield from _texts(value)

    return look


def _texts(*values: Any) -> Texts:
    return (value for value in values if isinstance(value, str))


def every_text(value: Any) -> Texts:
    """Yield every text in a JSON value that is not the name of a field."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from every_text(part)
    elif isinstance(value, list):
        for part in value:
            yield from every_text(part)


FIELDS: Mapping[str, Callable[[Mapping[str, Any]], Texts]] = {
    "person": _people,  # asked, submitted, decided, or did it
    "request": _request,  # its name, namespace/name, or UID
    "role": _role,  # its name, or kind/name
    "policy": _in_story("policy", "name"),
    "namespace": _in_story("namespace"),
    "event": _event,  # its name or its code
    "ticket": _in_story("ticket"),
    "anything": every_text,  # an id of another system, wherever it stands
}
"""What can be asked for, and which texts of a record answer it."""

PHASES: Mapping[str, tuple[str, ...]] = {
    "Pending": ("request.accepted",),
    "Approved": ("review.approved", "review.auto_approved", "review.break_glass_invoked"),
    "Active": ("grant.activated",),
    "Denied": ("review.denied",),
    "TimedOut": ("request.timed_out",),
    "Cancelled": ("request.cancelled",),
    "Expired": ("grant.expired",),
    "Revoked": ("grant.revoked", "grant.binding_removed", "grant.drifted"),
    "Failed": ("request.rejected", "grant.activation_failed"),
}
"""The events that say that a request has come to a phase."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: of each field that is named any of the patterns, all of the words, and the span."""

    patterns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    span: Span = ALWAYS

    def __post_init__(self) -> None:
        """Refuse fields that there are not."""
        if unknown := self.patterns.keys() - FIELDS.keys():
            raise ValueError(f"a record cannot be asked for {', '.join(sorted(unknown))}")

    def matches(self, record: Record) -> bool:
        """Whether a record is an answer."""
        if record.at not in self.span:
            return False
        for name, patterns in self.patterns.items():
            compiled = [as_regex(pattern) for pattern in patterns]
            if not any(regex.fullmatch(text) for text in FIELDS[name](record.body) for regex in compiled):
                return False
        if self.words:
            text = "\n".join(every_text(record.body)).casefold()
            return all(word.casefold() in text for word in self.words)
        return True

    def sieve(self) -> Callable[[bytes], bool]:
        """Return what tells from a record's line, quickly and without reading it, that it can be no answer."""
        needles = [[_needles(pattern) for pattern in patterns] for patterns in self.patterns.values()]
        words = [canonical(word.casefold())[1:-1].decode() for word in self.words]

        def may_match(line: bytes) -> bool:
            for alternatives in needles:
                if not any(all(needle in line for needle in alternative) for alternative in alternatives):
                    return False
            if words:
                text = line.decode().casefold()
                return all(word in text for word in words)
            return True

        return may_match


@functools.lru_cache(maxsize=256)
def as_regex(pattern: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression."""
    return re.compile("".join(_WILD.get(part) or re.escape(part) for part in re.split(r"([*?])", pattern)), re.DOTALL)


_WILD = {"*": ".*", "?": "."}


def _needles(pattern: str) -> list[bytes]:
    """Return what a line has to hold: the parts of a pattern that are no wildcards, as canonical JSON writes them.

    A slash parts too: `namespace/name` and `kind/name` do not stand in one piece in every record.
    """
    return [canonical(part)[1:-1] for part in re.split(r"[*?/]", pattern) if part]


def events_like(pattern: str) -> list[str]:
    """Return the events whose name or code a pattern fits."""
    regex = as_regex(pattern)
    return [event.name for event in EVENTS.values() if regex.fullmatch(event.name) or regex.fullmatch(event.code)]
