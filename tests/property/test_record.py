"""Canonical JSON and records: equal values have equal bytes, and what was written is read back."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

import orjson
import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curfew.audit.api_call import ApiCall
from curfew.audit.canonical import NotCanonical, canonical, digest, parse_all, parse_canonical, parse_carefully
from curfew.audit.events import EVENTS
from curfew.audit.record import BindingRef, DecisionRef, PolicyRef, Record, RoleRef, Story, make_record, record_id
from tests.support.scale import times

# All of Unicode but lone surrogates, which no UTF-8 can hold; the ends of the planes more often than chance would.
characters = st.characters(codec="utf-8") | st.sampled_from('\x00\x1f"\\/\x7f\u2028\ud7ff\ue000\uffff\U00010000')
texts = st.text(characters, max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


START = datetime(2026, 11, 24, 12, tzinfo=UTC)
NESTED_IN_ITSELF: dict[str, Any] = {}
NESTED_IN_ITSELF["a"] = [NESTED_IN_ITSELF]


@given(values)
@example({"\ue000": 1, "\U00010000": 2})  # by code point the first comes first, in UTF-16 the second
@example({"\U0001f600": {"\uffff": {}}})
@example(2**53 - 1)
def test_the_fast_way_and_rfc_8785_say_the_same(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(values)
@example({"\ue000": 1, "\U00010000": 2})
@example([123456789012345, -(2**53) + 1])
def test_canonical_bytes_are_read_back(value: Any) -> None:
    line = canonical(value)

    assert parse_canonical(line) == value
    assert canonical(parse_canonical(line)) == line


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
anything = st.recursive(
    values | numbers, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)


@settings(max_examples=times(400))
@given(st.dictionaries(texts, anything, max_size=4), st.booleans(), st.data())
@example({"\ue000": 1, "\U00010000": 2}, False, None)
@example({"\ue000": 1, '\U00010000"b': 2}, False, None)
@example({"a": [1, 2.5]}, False, None)
@example({"a": -1e-9}, False, None)
@example({"a": {"b": [True, 1e16]}}, False, None)
@example({"a": 2**53}, False, None)
@example({"a": "\U00010000", "e": "1.5"}, False, None)
def test_the_fast_way_refuses_what_the_careful_way_refuses(value: Any, sorted_: bool, data: Any) -> None:
    """Whatever orjson would write: both ways read it as the same, or neither reads it."""
    try:
        line = orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sorted_ else None)
    except TypeError:  # a number that no JSON of orjson's holds
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    if data is not None and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(line)))
        line = line[:at] + data.draw(st.binary(max_size=2)) + line[at + data.draw(st.integers(0, 2)) :]

    assert reading(parse_canonical, line) == reading(parse_carefully, line)


def reading(parse: Callable[[bytes], Any], line: bytes) -> str:
    """Return what comes of reading a line; 1 and 1.0 and true are not the same."""
    try:
        return repr(parse(line))
    except NotCanonical as error:
        return str(error)


bodies = st.dictionaries(texts, values, max_size=3).map(canonical)


@given(st.lists(bodies | anything.map(lambda value: json.dumps(value, ensure_ascii=False).encode()), max_size=6))
@example([b'{"a":1}'] * 8 + [b'{"a": 1}', b'{"a":1}'])
@example([b'{"a":1},{"b":2}', b'{"a":[{}', b"{}]}"])
@example([b'{"a":[{}', b"{}]}"])
@example([b'{"a":1}', b'{"a":2} '])
@example([b'{"a":1}', b"2"])
def test_lines_are_read_together_as_each_by_itself(lines: list[bytes]) -> None:
    assert all_of(parse_all(lines)) == all_of(map(parse_canonical, lines))


def all_of(parsed: Iterator[Any]) -> list[str]:
    """Return what comes out of it, up to what is refused."""
    read = []
    try:
        for value in parsed:
            read.append(repr(value))  # noqa: PERF401  what was read before an error counts
    except NotCanonical as error:
        read.append(str(error))
    return read


@given(values, st.data())
def test_bytes_that_are_read_are_the_only_ones_for_their_value(value: Any, data: st.DataObject) -> None:
    """Whatever one byte of a canonical line becomes: it is refused, or it is the canonical form of another value."""
    line = bytearray(canonical(value))
    line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = parse_canonical(bytes(line))
    except NotCanonical:
        return

    assert rfc8785.dumps(read) == line


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"a": 1}', id="a space"),
        pytest.param(b'{"b":1,"a":2}', id="keys out of order"),
        pytest.param('{"\ue000":1,"\U00010000":2}'.encode(), id="keys in the order of code points"),
        pytest.param(b'{"a":1,"a":2}', id="a key twice"),
        pytest.param(b'{"a":1.0}', id="a whole number as a fraction"),
        pytest.param(b'{"a":1.5}', id="a fraction"),
        pytest.param(b'{"a":1e2}', id="an exponent"),
        pytest.param(b'{"a":-0}', id="minus zero"),
        pytest.param(b'{"a":01}', id="a leading zero"),
        pytest.param(b'{"a":9007199254740993}', id="a number that a double does not hold"),
        pytest.param(b"1" * 5000, id="a number of 5,000 digits"),
        pytest.param(b'{"a":NaN}', id="not a number"),
        pytest.param(b'"\\u0041"', id="an escape without need"),
        pytest.param(b'"\\/"', id="an escaped slash"),
        pytest.param(b'"\\ud800"', id="half a character"),
        pytest.param(b'"\xff"', id="not UTF-8"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', id="a byte order mark"),
        pytest.param(b'{"a":1}\n', id="a newline"),
        pytest.param(b'{"a":1}{}', id="more than one value"),
        pytest.param(b"[" * 100_000, id="deep nesting, never closed"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="deep nesting"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_not_in_canonical_form_is_refused(line: bytes) -> None:
    with pytest.raises(NotCanonical):
        parse_canonical(line)


@pytest.mark.parametrize(
    "value",
    [
        {1: "a"},
        {"a": {True: 1}},
        {"a": object()},
        {"a": 1.0},
        {"é": [1.5]},
        {"\U00010000": {"a": 1.5}},
        {"a": START},
        UUID(int=1),
        NESTED_IN_ITSELF,
        b"bytes",
        float("nan"),
        float("inf"),
        2**53,
        -(2**53),
        "\ud800",
        {1, 2},
    ],
    ids=lambda value: repr(value).partition(" at 0x")[0],  # the same in every process
)
def test_what_not_every_json_reader_understands_has_no_canonical_form(value: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical(value)


def test_a_fraction_is_refused_at_any_depth() -> None:
    value: Any = 1.5
    for _ in range(300):  # deeper than the fast way goes
        value = [value]

    with pytest.raises(NotCanonical, match="not a whole number"):
        canonical(value)


def test_named_words_and_numbers_are_written_as_what_they_are() -> None:
    class Word(StrEnum):
        YES = "yes"

    class Number(IntEnum):
        ONE = 1

    assert canonical({"a": Word.YES, "b": Number.ONE, "c": (True,)}) == b'{"a":"yes","b":1,"c":[true]}'


def test_a_digest_is_of_the_canonical_bytes() -> None:
    assert digest({"b": 1, "a": []}) == digest({"a": (), "b": 1})
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # printf '{}' | sha256sum


instants = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis adds the zone
names = st.text(characters, min_size=1, max_size=12)
decisions = st.builds(
    DecisionRef, names, st.sampled_from(("Approve", "Deny")), st.none() | names, st.none() | names, instants
)
stories = st.builds(
    Story,
    uid=names,
    namespace=names,
    request=names,
    requester=st.none() | names,
    reason=st.none() | texts,
    duration=st.none() | st.integers(1, 10**6),
    policy=st.none() | st.builds(PolicyRef, names, names, st.integers(1, 9)),
    role=st.none() | st.builds(RoleRef, names, names, names, names),
    binding=st.none() | st.builds(BindingRef, names, names),
    decisions=st.lists(decisions, max_size=2).map(tuple),
    starts_at=st.none() | instants,
    expires_at=st.none() | instants,
    end_reason=st.none() | names,
)
records = st.builds(
    make_record,
    st.sampled_from(sorted(EVENTS)),
    at=instants,
    actor=names,
    message=names,
    story=stories,
    qualifier=texts,
    success=st.booleans(),
    detail=st.none() | st.dictionaries(texts, texts | st.integers(0, 9) | st.lists(texts, max_size=2), max_size=3),
    call=st.builds(ApiCall, names, names, resource=texts, name=texts, code=st.none() | st.integers(0, 599)),
)


@given(records)
def test_a_record_is_read_back_from_its_line(record: Record) -> None:
    assert Record.parse(json.loads(record.line())) == record
    assert b"\n" not in record.line()
    assert Record.parse(parse_canonical(record.line())).line() == record.line()


@given(stories, instants)
def test_a_story_is_read_back_from_its_record(story: Story, at: datetime) -> None:
    record = make_record("grant.activated", at=at, actor="curfew", message="it is told", story=story)

    assert Story.of(Record.parse(json.loads(record.line()))) == story


@given(st.tuples(texts, texts, texts), st.tuples(texts, texts, texts))
@example(("ab", "c", ""), ("a", "bc", ""))
@example(("a", "", "b"), ("a", "b", ""))
def test_different_things_have_different_ids(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert (record_id(*one) == record_id(*other)) == (one == other)
