"""A question is answered by the records that fulfil it, and the sieve never loses one of them."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curfew.api.access_request import Phase
from curfew.audit.events import EVENTS
from curfew.audit.query import FIELDS, PHASES, Query, answers, events_like
from curfew.audit.record import DecisionRef, PolicyRef, Record, RoleRef, Story, make_record
from curfew.audit.timespan import Span
from tests.support.logs import BEGIN

STORY = Story(
    uid="6f1e8c1e",
    namespace="payments",
    request="inc-4711",
    requester="alice@example.com",
    submitted_by="argo",
    reason='Zahlungen "hängen" seit 14:00\n🙂',
    ticket="INC-4711",
    policy=PolicyRef("debug", "uid-p", 3),
    role=RoleRef("ClusterRole", "payments-debug", "uid-r", "5e"),
    decisions=(DecisionRef("bob@example.com", "Approve", "owners", "on call", BEGIN),),
)


def a_record(event: str = "grant.activated", story: Story | None = STORY, detail: Any = None) -> Record:
    """Return a record; without a story it is about the log."""
    about = "" if story else "main"
    return make_record(
        event, at=BEGIN, actor="carol@example.com", message="Alice holds it", story=story, subject=about, detail=detail
    )


RECORD = a_record(detail={"calls": [{"audit_id": "0e6c-11"}], "traceparent": "00-4bf9-01"})


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("person", "alice@example.com"),
        ("person", "argo"),
        ("person", "bob@example.com"),
        ("person", "carol@example.com"),
        ("person", "*@example.com"),
        ("person", "b?b@*"),
        ("request", "inc-4711"),
        ("request", "payments/inc-4711"),
        ("request", "pay*/inc-*"),
        ("request", "6f1e8c1e"),
        ("role", "payments-debug"),
        ("role", "ClusterRole/payments-debug"),
        ("policy", "debug"),
        ("namespace", "pay*"),
        ("event", "grant.activated"),
        ("event", "grant.*"),
        ("event", "3002I"),
        ("ticket", "INC-*"),
        ("anything", "0e6c-11"),
        ("anything", "00-4bf9-*"),
        ("anything", "6f1e8c1e"),
    ],
)
def test_a_record_answers_to_what_is_in_it(name: str, pattern: str) -> None:
    query = Query({name: (pattern,)})

    assert query.matches(RECORD)
    assert query.sieve()(RECORD.line())


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("person", "alice"),
        ("person", "ALICE@example.com"),
        ("person", "alice@exampleXcom"),
        ("request", "inc-471"),
        ("request", "other/inc-4711"),
        ("role", "Role/payments-debug"),
        ("policy", "payments-debug"),
        ("namespace", "inc-4711"),
        ("event", "grant"),
        ("ticket", "INC"),
        ("anything", "ticket"),
    ],
)
def test_a_record_does_not_answer_to_what_is_not(name: str, pattern: str) -> None:
    assert not Query({name: (pattern,)}).matches(RECORD)


def test_of_several_patterns_one_is_enough_and_of_several_fields_none_may_fail() -> None:
    assert Query({"person": ("nobody", "bob@*")}).matches(RECORD)
    assert not Query({"person": ("bob@*",), "ticket": ("INC-1",)}).matches(RECORD)
    assert not Query({"person": ("bob@*",), "ticket": ("INC-1",)}).sieve()(RECORD.line())


@pytest.mark.parametrize(
    "words", [["zahlungen"], ["HÄNGEN"], ['"hängen"'], ["alice", "holds"], ["14:00\n🙂"], ["on call"]]
)
def test_words_are_found_wherever_they_stand(words: list[str]) -> None:
    query = Query(words=tuple(words))

    assert query.matches(RECORD)
    assert query.sieve()(RECORD.line())


def test_two_texts_hold_no_word_together() -> None:
    assert Query(words=("\n",)).matches(RECORD)  # the reason has two lines
    for word in ("\n", "curfew\n", "\n1.8.0"):
        assert not Query(words=(word,)).matches(a_record("audit.opened", None)), word


def test_the_names_of_fields_are_no_words() -> None:
    assert not Query(words=("rules_digest",)).matches(RECORD)


def test_the_span_counts() -> None:
    assert Query(span=Span(BEGIN, BEGIN + timedelta(seconds=1))).matches(RECORD)
    assert not Query(span=Span(None, BEGIN)).matches(RECORD)


def test_a_record_without_a_story_can_be_asked_for_too() -> None:
    record = a_record("audit.opened", None)

    assert Query({"event": ("audit.*",)}).matches(record)
    assert Query({"anything": ("main",)}).matches(record)
    for name in ("role", "policy", "namespace", "ticket"):
        assert not Query({name: ("*",)}).matches(record)


def test_a_namespace_finds_what_was_counted_in_it_and_how_its_policies_changed() -> None:
    record = a_record("request.rejections_counted", None, detail={"namespace": "payments", "rejected": 280})
    query = Query({"namespace": ("payments",)})

    assert query.matches(record)
    assert query.sieve()(record.line())
    assert not Query({"namespace": ("orders",)}).matches(record)


def test_what_cannot_be_asked_for_is_refused() -> None:
    with pytest.raises(ValueError, match="a record cannot be asked for colour"):
        Query({"colour": ("red",)})


def test_each_phase_has_its_events() -> None:
    assert PHASES.keys() == set(Phase)
    assert {event for events in PHASES.values() for event in events} <= EVENTS.keys()


def test_events_are_found_by_name_and_code() -> None:
    assert events_like("grant.activated") == events_like("3002I") == ["grant.activated"]
    assert events_like("audit.*") == [name for name in EVENTS if name.startswith("audit.")]
    assert events_like("grant.actived") == []


names = st.text(min_size=1, max_size=8)


@given(names, names, names, names, st.data())
def test_the_sieve_never_loses_an_answer(who: str, reason: str, role: str, word: str, data: st.DataObject) -> None:
    """Whatever people are called, and whatever they write."""
    story = Story("u", "n", "r", who, who, reason, role=RoleRef("Role", role, "u", "d"))
    record = a_record(story=story)
    name = data.draw(st.sampled_from(sorted(FIELDS)))
    text = data.draw(st.sampled_from(sorted(set(answers(name, record.body))) or ["*"]))
    cut = data.draw(st.integers(0, len(text)))
    pattern = data.draw(st.sampled_from([text, f"{text[:cut]}*", f"*{text[cut:]}", f"{text[:cut]}?{text[cut + 1 :]}"]))
    query = Query({name: (pattern,)}, words=data.draw(st.sampled_from([(), (word,), (who,), (reason,)])))

    assert query.sieve()(record.line()) or not query.matches(record)
