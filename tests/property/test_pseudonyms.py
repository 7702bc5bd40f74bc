"""For every record: hidden and revealed again it is the same, and hidden it has no name in it."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from curfew.audit.pseudonyms import Person, hidden, names_in, revealed
from curfew.audit.record import DecisionRef, Record, Story, make_record
from tests.support.logs import BEGIN

names = st.sampled_from(
    ["alice", "alice@example.com", "bob", "Bob", "sso:bob", "a.b-c_d", "admin", "Zo\u00eb", "x", "日本"]
)
words = st.lists(st.one_of(names, st.text(max_size=8)), max_size=6).map(" ".join)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Return a record that names people here and there."""
    decisions = tuple(
        DecisionRef(draw(names), "Approve", None, draw(words), BEGIN) for _ in range(draw(st.integers(0, 3)))
    )
    story = Story(
        uid="u",
        namespace="admin",
        request="bob",
        requester=draw(names),
        submitted_by=draw(st.one_of(st.none(), names)),
        reason=draw(words),
        decisions=decisions,
    )
    detail = {"said": draw(words), "list": [draw(words)], "terms": "0" * 64}
    return make_record("review.submitted", at=BEGIN, actor=draw(names), message=draw(words), story=story, detail=detail)


@given(records())
def test_hiding_loses_nothing_and_tells_nothing(record: Record) -> None:
    people = {name: Person(name, hashlib.sha256(name.encode()).digest()) for name in names_in(record)}

    stored = hidden(record, people)

    assert names_in(stored) == {person.pseudonym for person in people.values()}
    assert not names_in(stored) & set(people)
    assert revealed(stored, {person.pseudonym: person for person in people.values()}) == record
