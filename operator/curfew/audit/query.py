"""A question about records, as an auditor asks it: who, what, where, when. Each condition must hold.

In a pattern, `*` matches any characters and `?` any one character; case matters, except in words.
"""

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from curfew.audit.canonical import canonical
from curfew.audit.events import EVENTS
from curfew.audit.record import Record
from curfew.audit.timespan import ALWAYS, Span

Texts = Iterator[str]


def every_text(value: Any) -> Texts:
    """Yield every text in a JSON value, but not the names of fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from every_text(part)
    elif isinstance(value, list):
        for part in value:
            yield from every_text(part)


FIELDS: Mapping[str, tuple[str, ...]] = {
    "id": ("id",),
    "person": ("actor", "story.requester", "story.submitted_by", "story.decisions[*].by", "detail.user"),
    "request": ("subject", "story.request", "story.namespace/story.request"),
    "role": ("story.role.name", "story.role.kind/story.role.name"),
    "policy": ("story.policy.name",),
    "namespace": ("story.namespace", "detail.namespace"),
    "event": ("event", "code"),
    "ticket": ("story.ticket",),
    "verb": ("detail.verb",),
    "resource": ("detail.resource", "detail.resource/detail.subresource", "detail.resource/detail.name"),
    "anything": (),
}
"""The fields of a query, and the places in our block of a record of the texts that answer them.

`[*]` is each item of a list, and a slash joins two texts. `anything` is every text of the record at any place: for
example the id of another system.
"""

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
"""The events that show that a request has reached a phase."""


def answers(name: str, body: Mapping[str, Any]) -> Texts:
    """Yield the texts of a record's JSON that answer a field of a query."""
    if name == "anything":
        yield from every_text(body)
        return
    block = body["unmapped"]["curfew"]
    for first, *others in _READERS[name]:
        texts = first(block)
        if others:
            texts = ["/".join(parts) for parts in itertools.product(texts, *(other(block) for other in others))]
        yield from texts


def _reader(keys: Sequence[str]) -> Callable[[Any], list[str]]:
    """Return a function that reads the texts at a place in a JSON value; it returns none if there is no such place."""
    if not keys:
        return lambda value: [value] if isinstance(value, str) else []
    key, is_list, _ = keys[0].partition("[")
    inner = _reader(keys[1:])

    def read(value: Any) -> list[str]:
        part = value.get(key) if isinstance(value, dict) else None
        if not is_list:
            return inner(part)
        return [text for one in part for text in inner(one)] if isinstance(part, list) else []

    return read


_READERS = {
    name: [[_reader(part.split(".")) for part in path.split("/")] for path in paths] for name, paths in FIELDS.items()
}


@dataclass(frozen=True, slots=True)
class Query:
    """The conditions: any of the patterns of each field that is named, all of the words, and the span."""

    patterns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    span: Span = ALWAYS
    also: Mapping[str, str] = field(default_factory=dict)  # the pseudonyms of people, by their names

    def __post_init__(self) -> None:
        """Refuse unknown fields."""
        if unknown := self.patterns.keys() - FIELDS.keys():
            raise ValueError(f"a record cannot be asked for {', '.join(sorted(unknown))}")

    def matches(self, record: Record) -> bool:
        """Whether a record is an answer."""
        return self.matcher()(record)

    def matcher(self) -> Callable[[Record], bool]:
        """Return a function that checks whether a record is an answer; for many records it is faster than `matches`."""
        fields = [(name, _fits(self.patterns_of(name))) for name in self.patterns]
        words = [self._forms(word) for word in self.words]

        def matches(record: Record) -> bool:
            if record.at not in self.span:
                return False
            for name, fits in fields:
                if not any(map(fits, answers(name, record.body))):
                    return False
            if words:
                # Each text by itself: joined, two texts that follow each other would hold a word that neither holds.
                texts = [text.casefold() for text in every_text(record.body)]
                return all(any(form in text for text in texts for form in forms) for forms in words)
            return True

        return matches

    def patterns_of(self, name: str) -> tuple[str, ...]:
        """Return the patterns of a field, with the pseudonyms of the people whose names match them."""
        patterns = self.patterns[name]
        if name not in ("person", "anything") or not self.also:
            return patterns
        fits = [as_regex(pattern).fullmatch for pattern in patterns]
        return (*patterns, *(self.also[person] for person in self.also if any(fit(person) for fit in fits)))

    def _forms(self, word: str) -> list[str]:
        """Return the forms of a word in a log: itself, and the pseudonyms of people with the word in their names."""
        folded = word.casefold()
        return [folded, *(self.also[person] for person in self.also if folded in person.casefold())]

    def parts(self) -> tuple["Query", "Query"]:
        """Return two queries: the part that asks for fields, and the part that any text of a record can answer."""
        anything = {name: patterns for name, patterns in self.patterns.items() if name == "anything"}
        fields = {name: patterns for name, patterns in self.patterns.items() if name != "anything"}
        return replace(self, patterns=fields, words=()), Query(anything, self.words, also=self.also)

    def needles(self, name: str) -> list[list[bytes]]:
        """Return, for each pattern of a field, the texts that a line must hold to match.

        A slash also separates a pattern: not every record has `namespace/name` or `kind/name` in one piece.
        """
        return [
            [canonical(part)[1:-1] for literal in literals(pattern) for part in literal.split("/") if part]
            for pattern in self.patterns_of(name)
        ]

    def sieve(self) -> Callable[[bytes], bool]:
        """Return a quick check of a record's line, without parsing: if it returns False, the record is no answer."""
        tests = [_holds(self.needles(name)) for name in self.patterns]
        words = [[canonical(form)[1:-1] for form in self._forms(word)] for word in self.words]

        def may_match(line: bytes) -> bool:
            for test in tests:
                if not test(line):
                    return False
            if words:
                # For ASCII both give the same result, and `lower` is ten times as fast.
                text = line.lower() if line.isascii() else line.decode().casefold().encode()
                return all(any(form in text for form in forms) for forms in words)
            return True

        return may_match


def _holds(alternatives: Sequence[Sequence[bytes]]) -> Callable[[bytes], bool]:
    """Return a function that checks whether a line holds all needles of any alternative."""
    match alternatives:
        case [[needle]]:  # by far the most common case, and much faster
            return lambda line: needle in line
        case _:
            return lambda line: any(all(needle in line for needle in alternative) for alternative in alternatives)


def _fits(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Return a function that checks whether a text matches any of the patterns."""
    plain = frozenset(pattern for pattern in patterns if not _WILD.keys() & set(pattern))
    wild = [as_regex(pattern).fullmatch for pattern in patterns if pattern not in plain]
    return lambda text: text in plain or any(fit(text) for fit in wild)


@functools.lru_cache(maxsize=256)
def as_regex(pattern: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression."""
    return re.compile("".join(_WILD.get(part) or re.escape(part) for part in re.split(r"([*?])", pattern)), re.DOTALL)


_WILD = {"*": ".*", "?": "."}


def literals(pattern: str) -> list[str]:
    """Return the parts of a pattern between its wildcards, in order."""
    return [part for part in re.split(r"[*?]", pattern) if part]


def events_like(pattern: str) -> list[str]:
    """Return the events whose name or code matches a pattern."""
    regex = as_regex(pattern)
    return [event.name for event in EVENTS.values() if regex.fullmatch(event.name) or regex.fullmatch(event.code)]
