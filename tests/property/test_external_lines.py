"""Whatever another system writes: nothing raises, nothing grows without bound, and nothing good is lost."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from curfew.audit.canonical import parse_canonical
from curfew.audit.record import Record
from curfew.core.activity.external.reading import LineRefusal
from curfew.core.activity.external.taking import take_lines
from curfew.core.activity.external.tying import MOST_TIES
from tests.support.builders import NOON
from tests.support.foreign import LEDGER, UID, a_line, a_session
from tests.support.scale import times

SESSIONS = [a_session(), a_session("u2", ticket="INC-2"), a_session("u3", minutes=1)]
GOOD = a_line(grant=UID)

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=40) | st.just(UID),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(["kind", "at", "who", "did", "to", "ended", "grant", "ticket", "trace", "source"])
almost_good = st.dictionaries(fields, values, max_size=4).map(
    lambda changes: a_line() if not changes else _changed(changes)
)
lines = st.binary(max_size=60).map(lambda line: line.replace(b"\n", b" ")) | almost_good


def _changed(changes: dict[str, Any]) -> bytes:
    told = {**json.loads(a_line()), **changes}
    return json.dumps(told).encode(errors="replace")


@settings(max_examples=times(1000), deadline=None)
@given(before=st.lists(lines, max_size=4), after=st.lists(lines, max_size=4))
def test_a_good_line_is_taken_whatever_is_around_it(before: list[bytes], after: list[bytes]) -> None:
    body = b"\n".join([*before, GOOD, *after])

    records, not_taken = take_lines(body, LEDGER, SESSIONS, NOON)

    (alone,), _ = take_lines(GOOD, LEDGER, SESSIONS, NOON)
    assert alone in records
    assert set(not_taken) <= {reason.value for reason in LineRefusal}
    assert len(records) <= MOST_TIES * (len(before) + len(after) + 1)


@settings(max_examples=times(1000), deadline=None)
@given(line=lines)
def test_each_record_is_one_and_bounded(line: bytes) -> None:
    records, not_taken = take_lines(line, LEDGER, SESSIONS, NOON)

    for record in records:
        assert Record.parse(parse_canonical(record.line())) == record
        assert len(record.line()) < 16 * 1024
    assert not_taken.total() == (0 if records or not line.strip() else 1)


@settings(max_examples=times(500), deadline=None)
@given(batch=st.lists(lines, max_size=6), cut=st.integers(0, 6))
def test_it_makes_no_difference_how_lines_are_batched(batch: list[bytes], cut: int) -> None:
    whole, whole_not = take_lines(b"\n".join(batch), LEDGER, SESSIONS, NOON)
    first, first_not = take_lines(b"\n".join(batch[:cut]), LEDGER, SESSIONS, NOON)
    second, second_not = take_lines(b"\r\n".join(batch[cut:]), LEDGER, SESSIONS, NOON)

    assert whole == first + second
    assert whole_not == first_not + second_not
