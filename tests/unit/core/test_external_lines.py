"""A line of another system becomes an event, or is refused for one of a few reasons."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from curfew.core.activity.external.event import ExternalEvent, ExternalOutcome
from curfew.core.activity.external.fields import parse_path, text_of, value_at
from curfew.core.activity.external.moments import MomentFormat, parse_moment
from curfew.core.activity.external.reading import (
    LONGEST_LINE,
    LONGEST_TEXT,
    LineRefusal,
    LineRefused,
    lines_of,
    read_line,
)
from tests.support.builders import ALICE, NOON
from tests.support.foreign import LEDGER, a_line

LATER = NOON + timedelta(hours=1)


def read(line: bytes) -> ExternalEvent:
    return read_line(line, LEDGER, LATER)


def refusal(line: bytes) -> LineRefusal:
    with pytest.raises(LineRefused) as caught:
        read(line)
    assert str(caught.value)
    return caught.value.reason


def test_an_event_has_what_the_mapping_takes() -> None:
    line = a_line(trace=[{"id": "t-1"}], ticket="INC-4711", grant="g-1", source="192.0.2.7")

    assert read(line) == ExternalEvent(
        system="ledger",
        line=hashlib.sha256(line).hexdigest(),
        at=NOON + timedelta(minutes=5),
        person="alice",
        user=ALICE,
        action="transfer",
        object="account 7",
        outcome=ExternalOutcome.SUCCESS,
        grant="g-1",
        ticket="INC-4711",
        correlation="t-1",
        address="192.0.2.7",
    )


def test_what_a_line_does_not_have_is_not_known() -> None:
    event = read(a_line(who=None, did=None, to=None, ended=None))

    assert (event.person, event.user, event.action, event.object, event.outcome) == (None, None, None, None, None)
    assert (event.grant, event.ticket, event.correlation, event.address) == (None, None, None, None)


def test_a_person_without_another_name_keeps_their_own() -> None:
    assert (read(a_line(who="bob")).person, read(a_line(who="bob")).user) == ("bob", "bob")


@pytest.mark.parametrize(
    ("ended", "outcome"),
    [
        ("ok", ExternalOutcome.SUCCESS),
        ("refused", ExternalOutcome.FAILURE),
        (500, ExternalOutcome.FAILURE),
        ("OK", None),
        ({"ok": True}, None),
    ],
)
def test_an_outcome_is_known_only_by_its_values(ended: Any, outcome: ExternalOutcome | None) -> None:
    assert read(a_line(ended=ended)).outcome is outcome


def test_the_first_selector_that_finds_something_wins() -> None:
    assert read(a_line(who="for-g-2")).grant == "g-2"
    assert read(a_line(who="for-g-2", grant="g-1")).grant == "g-1"
    assert read(a_line(who="for-g-2", grant="")).grant == "g-2"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b"not JSON", LineRefusal.NOT_JSON, id="it is not JSON"),
        pytest.param(b"[1]", LineRefusal.NOT_JSON, id="it is a list"),
        pytest.param(b'{"kind": "call", "at": NaN}', LineRefusal.NOT_JSON, id="it has a number that is none"),
        pytest.param(b"[" * 5000, LineRefusal.NOT_JSON, id="it is nested deep"),
        pytest.param(b'{"a": "\xff"}', LineRefusal.NOT_JSON, id="it is not UTF-8"),
        pytest.param(b'{"a": "\\ud800"}', LineRefusal.NOT_JSON, id="it has half a character"),
        pytest.param(a_line(to="x" * LONGEST_LINE), LineRefusal.TOO_LONG, id="it is huge"),
        pytest.param(a_line().replace(b'"at"', b'"when"'), LineRefusal.NO_TIME, id="it has no time"),
        pytest.param(a_line().replace(b"2026-", b"26-"), LineRefusal.NO_TIME, id="its time is none"),
        pytest.param(a_line(at=LATER + timedelta(minutes=6)), LineRefusal.FAR_TIME, id="it is from the future"),
        pytest.param(a_line(kind="ping"), LineRefusal.NOT_SELECTED, id="the mapping leaves it out"),
        pytest.param(a_line(kind=None), LineRefusal.NOT_SELECTED, id="it lacks what the mapping wants"),
    ],
)
def test_a_line_is_refused_for_one_of_a_few_reasons(line: bytes, reason: LineRefusal) -> None:
    assert refusal(line) is reason


def test_a_filter_compares_truth_values_as_json_writes_them() -> None:
    assert read(a_line(kind=True)).action == "transfer"
    assert refusal(a_line(kind="True")) is LineRefusal.NOT_SELECTED


def test_texts_for_people_are_one_line_and_bounded() -> None:
    event = read(a_line(did="two\n  lines", to="x " * LONGEST_TEXT + "hunter2"))

    assert event.action == "two lines"
    assert event.object is not None
    assert len(event.object) == LONGEST_TEXT
    assert event.object.endswith("…")


@pytest.mark.parametrize(
    "text",
    [
        "curl -H 'Authorization: Bearer S3CRETS3CRET'",
        "https://me:S3CRET@host/",
        "ALTER ROLE bob PASSWORD 'S3CRET'",
        "create user x identified by 'it''s S3CRET'",
        "set password = 'x', password='S3CRET'",
        f"{'long ' * 30} token={'S3CRET' * 200}",
        f"{'y' * (2 * LONGEST_TEXT - 10)} token=S3CRET",
        f"{'a ' * 200}{'b' * 108} eyJS3CRET.S3CRET.S3CRET{'S3CRET' * 90}",
    ],
)
def test_no_secret_is_taken(text: str) -> None:
    event = read(a_line(did=text, to=text, who=text, ticket=text, trace=[{"id": text}]))

    assert "S3CRET" not in repr(event)


def test_an_id_that_is_too_long_equals_no_other() -> None:
    assert read(a_line(ticket="T" * LONGEST_TEXT)).ticket == "T" * LONGEST_TEXT
    assert read(a_line(ticket="T" * (LONGEST_TEXT + 1))).ticket == "T" * (LONGEST_TEXT - 1) + "…"


@pytest.mark.parametrize("address", ["localhost", "[local]", "1.2.3", 7, "192.0.2.7; drop"])
def test_only_an_address_is_one(address: Any) -> None:
    assert read(a_line(source=address)).address is None


def test_empty_lines_and_other_ends_make_no_difference() -> None:
    assert lines_of(b"\n a \r\n\n\nb") == [b"a", b"b"]
    assert lines_of(b"") == []


@pytest.mark.parametrize(
    ("form", "text", "at"),
    [
        (MomentFormat.RFC3339, "2026-11-23T13:00:00.5+01:00", NOON + timedelta(milliseconds=500)),
        (MomentFormat.UNIX_SECONDS, "1795435200", NOON),
        (MomentFormat.UNIX_SECONDS, "1795435200.25", NOON + timedelta(milliseconds=250)),
        (MomentFormat.UNIX_MILLISECONDS, "1795435200001", NOON + timedelta(milliseconds=1)),
        (MomentFormat.POSTGRESQL, "2026-11-23 12:00:00.123 UTC", NOON + timedelta(milliseconds=123)),
        (MomentFormat.POSTGRESQL, "2026-11-23 12:00:00 GMT", NOON),
        (MomentFormat.POSTGRESQL, "2026-11-23 15:00:00.000 +03", NOON),
        (MomentFormat.POSTGRESQL, "2026-11-23 15:30:00.000 +0330", NOON),
        (MomentFormat.POSTGRESQL, "2026-11-23 08:00:00 -04:00", NOON),
    ],
)
def test_each_form_of_a_time_is_read(form: MomentFormat, text: str, at: datetime) -> None:
    assert parse_moment(text, form) == at
    assert parse_moment(text, form).tzinfo is UTC


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (MomentFormat.RFC3339, "2026-11-23T12:00:00"),
        (MomentFormat.RFC3339, "now"),
        (MomentFormat.UNIX_SECONDS, "-1"),
        (MomentFormat.UNIX_SECONDS, "1e9"),
        (MomentFormat.UNIX_SECONDS, "99999999999999"),
        (MomentFormat.UNIX_SECONDS, "9" * 400),
        (MomentFormat.POSTGRESQL, "2026-11-23 12:00:00.123"),
        (MomentFormat.POSTGRESQL, "2026-11-23 12:00:00.123 CST"),
        (MomentFormat.POSTGRESQL, "2026-02-30 12:00:00.123 UTC"),
        (MomentFormat.POSTGRESQL, "2026-11-23 12:00:00.123 +99"),
    ],
)
def test_what_is_no_time_is_refused(form: MomentFormat, text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_moment(text, form)


def test_a_time_zone_with_several_meanings_is_refused_with_what_to_set() -> None:
    with pytest.raises(ValueError, match="CST can mean several; set log_timezone = 'UTC'"):
        parse_moment("2026-11-23 12:00:00 CST", MomentFormat.POSTGRESQL)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b", 1),
        ("list[1].c", 2),
        ('a["x.y/z"]', 3),
        ('["top.level"]', 4),
        ("list[9].c", None),
        ("list.c", None),
        ("a[0]", None),
        ("a.b.c", None),
        ("nothing", None),
    ],
)
def test_a_path_leads_to_a_value_or_to_none(path: str, value: int | None) -> None:
    line = {"a": {"b": 1, "x.y/z": 3}, "list": [0, {"c": 2}], "top.level": 4}

    assert value_at(line, parse_path(path)) == value


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "a b", 'a["x', "a" + ".a" * 16])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        parse_path(path)


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), ("", None), (1, "1"), (1.5, "1.5"), (True, "true"), (None, None), ([], None), ({}, None)],
)
def test_single_values_are_texts(value: Any, text: str | None) -> None:
    assert text_of(value) == text
