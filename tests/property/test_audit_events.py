"""Whatever arrives as audit events, reading it raises nothing but the refusal, and good neighbours are never lost."""

import contextlib
import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from curfew.audit.canonical import canonical
from curfew.core.activity.call import Call
from curfew.core.activity.formats.forms import EventRefused, Form
from curfew.core.activity.formats.reading import read_event_list, read_line, read_lines
from curfew.core.activity.reason import parse
from tests.support.audit_events import AT, LINES, RECORDED_AT, SAMPLES, an_event

REAL = [line for line in LINES.splitlines() if b'"RequestReceived"' not in line]
CLOUDS = [
    (form, line)
    for form in (Form.EKS, Form.GKE, Form.AKS)
    for line in (SAMPLES / f"{form.lower()}.jsonl").read_bytes().splitlines()
]
EVENTS = [*[(Form.KUBERNETES, line) for line in REAL], *CLOUDS]

CHOKING = [
    *(b"[" * 1500, b'{"a":' * 1500, b"1e999", b"9" * 500, b"-0.5", b"null", b"true", b'""', b"[]", b"{}", b"NaN"),
    *(b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b"\\ud800", b"\\", b'"', b"\n", b"\x1b[31m", b",", b"}", b"]"),
    *(b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59.999999Z", b"2026-11-30T10:00:00"),
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def assert_usable(call: Call) -> None:
    """Hold a call to its bounds, and to what canonical JSON takes."""
    held: list[Any] = [getattr(call, name) for name in Call.__slots__]
    held += [*call.caller.groups, *call.source_addresses, call.identity, call.caller.name]
    for value in held:
        if isinstance(value, str):
            assert len(value) <= 16_384
            canonical(value)
        elif isinstance(value, int):
            canonical(value)
    found = parse(call.reason or "")
    if found is not None:
        canonical([found.binding, found.namespace, found.role, found.subject])


@st.composite
def mutations(draw: st.DrawFn) -> tuple[Form, bytes]:
    """Return an event that was altered, cut or spoilt in a few places, and its form."""
    form, line = draw(st.sampled_from(EVENTS))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(line)))
        gone = draw(st.sampled_from([0, 1, 2, 8, 64, len(line)]))
        line = line[:at] + draw(st.sampled_from(CHOKING) | st.binary(max_size=8)) + line[at + gone :]
    return form, line


GOOD = json.dumps(an_event(auditID="good")).encode()
NEIGHBOUR = an_event(auditID="good")


@given(st.sampled_from(Form), st.binary())
def test_any_bytes_are_read_or_refused(form: Form, data: bytes) -> None:
    for call in read_lines(data, form, now=AT).calls:
        assert_usable(call)
    with contextlib.suppress(EventRefused):
        read_event_list(data, now=AT)


@given(mutations())
def test_an_event_that_was_altered_is_a_call_or_is_counted(mutation: tuple[Form, bytes]) -> None:
    form, line = mutation
    events = read_line(line, form, now=RECORDED_AT)

    for call in events.calls:
        assert_usable(call)
    if form is Form.KUBERNETES and line.strip():
        assert len(events.calls) + events.refused.total() == 1


@given(mutations())
def test_good_lines_around_an_altered_one_stay(mutation: tuple[Form, bytes]) -> None:
    _, line = mutation

    calls = read_lines(b"\n".join([GOOD, line, GOOD]), Form.KUBERNETES, now=AT).calls

    assert (calls[0].audit_id, calls[-1].audit_id) == ("good", "good")
    assert len(calls) >= 2


@given(st.sampled_from(EVENTS), st.integers(0, 2**16))
def test_a_line_that_is_cut_off_is_counted(event: tuple[Form, bytes], at: int) -> None:
    form, line = event
    events = read_line(line[: at % len(line)], form, now=AT)

    assert not events.calls
    assert events.refused.total() <= 1


@given(st.sampled_from(REAL), st.data())
def test_good_items_around_one_with_any_value_anywhere_stay(line: bytes, data: st.DataObject) -> None:
    event = json.loads(line)
    holder, key = data.draw(st.sampled_from(list(places(event))))
    holder[key] = data.draw(JSON)
    body = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [NEIGHBOUR, event, NEIGHBOUR]}

    events = read_event_list(json.dumps(body).encode(errors="replace"), now=AT)

    assert [events.calls[0].audit_id, events.calls[-1].audit_id] == ["good", "good"]
    assert len(events.calls) + events.refused.total() == 3
    for call in events.calls:
        assert_usable(call)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place of a JSON value, as what holds it and its key there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, held in list(inner):
        yield value, key
        yield from places(held)


@given(st.sampled_from(CLOUDS), st.data())
def test_any_value_anywhere_in_the_batch_of_a_cloud_ends_nothing(
    event: tuple[Form, bytes], data: st.DataObject
) -> None:
    form, line = event
    batch = copy.deepcopy(json.loads(line))
    holder, key = data.draw(st.sampled_from(list(places(batch))))
    holder[key] = data.draw(JSON)

    for call in read_line(json.dumps(batch).encode(errors="replace"), form, now=AT).calls:
        assert_usable(call)
