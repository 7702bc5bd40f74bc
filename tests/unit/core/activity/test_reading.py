"""A batch is read within bounds; what cannot be used is counted, and its neighbours stay."""

import json
from datetime import timedelta
from typing import Any

import pytest

from curfew.core.activity.formats.documents import shallow
from curfew.core.activity.formats.forms import EventRefused, Form, Why
from curfew.core.activity.formats.reading import (
    AHEAD,
    OLDEST,
    Events,
    ReadLimits,
    read_event_list,
    read_line,
    read_lines,
)
from tests.support.audit_events import AT, an_event

HEAD = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":'


def a_list(*events: Any) -> bytes:
    """Return a body with these items."""
    return HEAD + json.dumps(events).encode() + b"}"


def read_list(*events: Any, **more: Any) -> Events:
    """Read a body with these items."""
    return read_event_list(a_list(*events), now=AT, **more)


def test_a_batch_without_events() -> None:
    assert read_list() == Events()
    assert read_event_list(HEAD + b"null}", now=AT) == Events()


def test_the_good_events_of_a_batch_stay() -> None:
    bad = [an_event(verb=1), an_event(stage="RequestReceived"), 7, None, [], {}, an_event(kind="Pod")]

    events = read_list(an_event(auditID="1"), *bad, an_event(auditID="2"))

    assert [call.audit_id for call in events.calls] == ["1", "2"]
    assert events.refused == {Why.WRONG_FIELD: 1, Why.REQUEST_RECEIVED: 1, Why.NOT_AN_EVENT: 5}


def test_the_good_lines_of_a_file_stay() -> None:
    lines = [
        json.dumps(an_event(auditID="1")).encode(),
        b"",
        b"  ",
        b"not JSON",
        b"\xff\xfe",
        b'{"cut": "of',
        b'"\\ud800"',
        b"7",
        b"1e999",
        json.dumps(an_event(auditID="2")).encode() + b"\r",
    ]

    events = read_lines(b"\n".join(lines), Form.KUBERNETES, now=AT)

    assert [call.audit_id for call in events.calls] == ["1", "2"]
    assert events.refused == {Why.NOT_JSON: 5, Why.NOT_AN_EVENT: 1}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(b"", Why.NOT_JSON, id="nothing"),
        pytest.param(b"not JSON", Why.NOT_JSON, id="not JSON"),
        pytest.param(b"[]", Why.NOT_AN_EVENT, id="a list"),
        pytest.param(json.dumps(an_event()).encode(), Why.NOT_AN_EVENT, id="one event"),
        pytest.param(HEAD.replace(b"/v1", b"/v1beta1") + b"[]}", Why.NOT_AN_EVENT, id="another version"),
        pytest.param(HEAD + b"{}}", Why.WRONG_FIELD, id="items that are no list"),
        pytest.param(HEAD + b"[" * 2000, Why.NOT_JSON, id="brackets without an end"),
        pytest.param(a_list(an_event()) + b"]", Why.NOT_JSON, id="a bracket too many"),
    ],
)
def test_what_is_no_event_list_is_refused_whole(body: bytes, why: Why) -> None:
    with pytest.raises(EventRefused) as refused:
        read_event_list(body, now=AT)
    assert refused.value.why is why


def test_a_body_that_is_too_large_is_refused_whole() -> None:
    limits = ReadLimits(body=100)

    with pytest.raises(EventRefused, match="more than 100 bytes") as of_list:
        read_event_list(b"x" * 101, now=AT, limits=limits)
    with pytest.raises(EventRefused, match="more than 100 bytes") as of_lines:
        read_lines(b"x" * 101, Form.KUBERNETES, now=AT, limits=limits)
    assert of_list.value.why is of_lines.value.why is Why.TOO_LARGE


def test_a_line_that_is_too_large_is_counted() -> None:
    line = json.dumps(an_event()).encode()

    events = read_lines(line + b"\n" + line + b" " * 9, Form.KUBERNETES, now=AT, limits=ReadLimits(line=len(line)))

    assert (len(events.calls), events.refused) == (1, {Why.TOO_LARGE: 1})


def test_events_beyond_the_bound_are_counted_and_hide_something() -> None:
    events = read_list(*[an_event()] * 5, limits=ReadLimits(events=3))

    assert (len(events.calls), events.refused) == (3, {Why.TOO_MANY: 2})
    assert Why.TOO_MANY.hides


@pytest.mark.parametrize(
    ("late", "why"),
    [
        (-AHEAD, None),
        (-AHEAD - timedelta(seconds=1), Why.FUTURE),
        (OLDEST, None),
        (OLDEST + timedelta(seconds=1), Why.OLD),
    ],
)
def test_events_from_the_future_and_from_long_ago_are_refused(late: timedelta, why: Why | None) -> None:
    at = (AT - late).isoformat()

    events = read_list(an_event(requestReceivedTimestamp=at, stageTimestamp=at), an_event())

    assert events.refused == ({why: 1} if why else {})
    assert len(events.calls) == (1 if why else 2)


def test_a_stream_may_have_begun_long_ago() -> None:
    assert read_list(an_event(requestReceivedTimestamp="2026-09-01T00:00:00Z")).calls


def test_only_reasons_that_can_have_hidden_a_call_put_the_silence_in_doubt() -> None:
    harmless = {why for why in Why if not why.hides}

    assert harmless == {Why.NOT_AN_EVENT, Why.REQUEST_RECEIVED, Why.OTHER_CLUSTER}


BODIES = [
    pytest.param("[" * 3000 + "]" * 3000, id="deeper"),
    pytest.param(f"[{'[],' * 300_000}0]", id="wider, in many parts"),
    pytest.param(f"[{'0,' * 600_000}0]", id="wider, in one part"),
]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_deeper_or_wider_than_parsers_go_hides_neither_its_call_nor_others(body: str) -> None:
    hostile = json.dumps(an_event(auditID="hostile", verb="create")).replace(
        '"level"', f'"requestObject":{body},"level"'
    )
    whole = a_list(an_event(auditID="1"), "here", an_event(auditID="2")).replace(b'"here"', hostile.encode())

    assert [call.audit_id for call in read_event_list(whole, now=AT).calls] == ["1", "hostile", "2"]
    assert [call.audit_id for call in read_line(hostile.encode(), Form.KUBERNETES, now=AT).calls] == ["hostile"]


@pytest.mark.parametrize("body", BODIES)
def test_a_dry_run_is_not_proved_by_a_body_that_had_to_be_left_out(body: str) -> None:
    deletion = an_event(
        verb="delete", level="Request", requestURI="/x?dryRun=All", requestObject={"kind": "DeleteOptions"}
    )
    other = json.dumps(an_event()).replace('"level"', f'"requestObject":{body},"level"')
    whole = a_list(deletion, "here").replace(b'"here"', other.encode())

    assert read_list(deletion).calls[0].dry_run is False
    assert read_event_list(whole, now=AT).calls[0].dry_run is None


def test_signs_in_a_text_are_no_values() -> None:
    events = read_list(an_event(requestURI="/x?" + ",[{:" * 300_000), an_event())

    assert (len(events.calls), events.refused) == (2, {})


def test_a_batch_with_more_values_than_fit_into_memory_is_refused() -> None:
    with pytest.raises(EventRefused) as refused:
        read_event_list(HEAD + b"[" + b"0," * 600_000 + b"0]}", now=AT)
    assert refused.value.why is Why.TOO_LARGE


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":{"b":{"c":1}},"d":[[2]]}', b'{"a":{"b":""},"d":[""]}'),
        (b'{"a":"{[\\"]}","b":[[[]]]}', b'{"a":"{[\\"]}","b":[""]}'),
        (b'{"a":[[1],[2]]}', b'{"a":["",""]}'),
        (b'{"requestObject":{"a":[1]},"b":1,"responseObject":[]}', b'{"requestObject":"","b":1,"responseObject":""}'),
        (b'{"verb":"requestObject","user":{"a":1}}', b'{"verb":"requestObject","user":{"a":1}}'),
        (b"[[[", b"[[["),
        (b"]]]", b"]]]"),
        (b'["]', b'["]'),
        (b'["\\', b'["\\'),
    ],
)
def test_bodies_and_what_lies_deep_are_left_out(data: bytes, expected: bytes) -> None:
    assert shallow(data, 2) == expected


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(
    "line", [b"{}", b"[]", b"null", b'{"message":"","logEvents":{},"records":7}', b'{"records":[1]}']
)
def test_no_line_is_more_than_refused(form: Form, line: bytes) -> None:
    events = read_line(line, form, now=AT)

    assert not events.calls
    assert events.refused.total() == 1
