"""Bytes as calls. An event that cannot be used is counted with its reason, and the others stay."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from curfew.core.activity.call import Call
from curfew.core.activity.formats import aks, eks, gke, kubernetes
from curfew.core.activity.formats.documents import LEVELS, parse_document
from curfew.core.activity.formats.fields import wrong
from curfew.core.activity.formats.forms import EventRefused, Form, Why

AHEAD: Final = timedelta(minutes=5)
"""How far the clock of an API server may be ahead of ours."""

OLDEST: Final = timedelta(hours=25)
"""How long after a call its event may come: a day, which CloudWatch tries to deliver, and an hour."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much is read at once."""

    body: int = 32 * 2**20  # bytes of a batch
    # Bytes. A caller has a megabyte, which is in an event up to four times, six bytes for each.
    line: int = 32 * 2**20
    events: int = 50_000


@dataclass(slots=True)
class Events:
    """What was read: calls in the order of their events, and how many events were refused for which reason."""

    calls: list[Call] = field(default_factory=list)
    refused: Counter[Why] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Format:
    parts: Callable[[Mapping[str, Any], str], Sequence[Any]]
    parse: Callable[[Mapping[str, Any], str], Call]


def _itself(line: Mapping[str, Any], _: str) -> Sequence[Any]:
    return [line]


_FORMATS: Final = {
    Form.KUBERNETES: _Format(_itself, lambda event, _: kubernetes.parse(event)),
    Form.EKS: _Format(eks.parts, eks.parse),
    Form.GKE: _Format(_itself, gke.parse),
    Form.AKS: _Format(aks.parts, aks.parse),
}


def read_event_list(body: bytes, *, now: datetime, limits: ReadLimits = ReadLimits()) -> Events:
    """Return the calls of an EventList, as the webhook backend sends it.

    Raise `EventRefused` if the body is none, or is too large; then nothing of it was read.
    """
    value = _object(_document(body, limits.body, LEVELS + 2))  # the list and its items
    if (value.get("kind"), value.get("apiVersion")) != ("EventList", kubernetes.VERSION):
        raise EventRefused(Why.NOT_AN_EVENT, f"it is no EventList of {kubernetes.VERSION}")
    items = value.get("items")
    if items is not None and not isinstance(items, list):
        raise wrong("items")
    reading = _Reading(Form.KUBERNETES, now, limits)
    reading.take_all(items or [])
    return reading.events


def read_lines(
    body: bytes, form: Form, *, now: datetime, limits: ReadLimits = ReadLimits(), cluster: str = ""
) -> Events:
    """Return the calls of JSON lines. Raise `EventRefused` if the body is too large; then nothing of it was read.

    `cluster` is the cloud's name of the cluster whose events are wanted: for EKS its name, for GKE project/location/name,
    for AKS its resource ID. Without one, the events of any cluster are taken.
    """
    _require_at_most(body, limits.body)
    reading = _Reading(form, now, limits, cluster)
    for line in body.split(b"\n"):
        reading.take_line(line)
    return reading.events


def read_line(
    line: bytes, form: Form, *, now: datetime, limits: ReadLimits = ReadLimits(), cluster: str = ""
) -> Events:
    """Return the calls of one JSON line, which may be a batch of a cloud's. Raise nothing."""
    reading = _Reading(form, now, limits, cluster)
    reading.take_line(line)
    return reading.events


@dataclass(frozen=True, slots=True)
class _Reading:
    form: Form
    now: datetime
    limits: ReadLimits
    cluster: str = ""
    events: Events = field(default_factory=Events)

    def take_line(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            value = _object(_document(line, self.limits.line, LEVELS))
            parts = _FORMATS[self.form].parts(value, self.cluster)
        except EventRefused as refusal:
            self.events.refused[refusal.why] += 1
        else:
            self.take_all(parts)

    def take_all(self, parts: Sequence[Any]) -> None:
        parse = _FORMATS[self.form].parse
        room = max(0, self.limits.events - len(self.events.calls) - self.events.refused.total())
        for part in parts[:room]:
            try:
                self.events.calls.append(_timely(parse(_object(part), self.cluster), self.now))
            except EventRefused as refusal:
                self.events.refused[refusal.why] += 1
        if len(parts) > room:
            self.events.refused[Why.TOO_MANY] += len(parts) - room


def _document(data: bytes, most: int, depth: int) -> Any:
    _require_at_most(data, most)
    return parse_document(data, depth)


def _require_at_most(data: bytes, most: int) -> None:
    if len(data) > most:
        raise EventRefused(Why.TOO_LARGE, f"it has more than {most:,} bytes")


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise EventRefused(Why.NOT_AN_EVENT, "it is no object")
    return value


def _timely(call: Call, now: datetime) -> Call:
    """Return the call if its event can be one of these days. A stream may have begun long before it ended."""
    if max(call.received_at, call.at) - now > AHEAD:
        raise EventRefused(Why.FUTURE, "it is from the future")
    if now - call.at > OLDEST:
        raise EventRefused(Why.OLD, "it is too old")
    return call
