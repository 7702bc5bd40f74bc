"""Honest histories keep every promise, and each kind of breach that is planted into one is found."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curfew.evidence.history.breach import JudgedPromise
from curfew.evidence.history.facts import BindingGone, BindingMade, HistoryFact, RecordTold
from curfew.evidence.history.merged import MergedHistory
from curfew.evidence.history.terms import JudgingTerms, UnreachableTime
from tests.support.lived import MS, NOON, OPERATOR, WAYS, LivedStory, in_order, judged

P1, P2, P7, P10 = JudgedPromise

stories = st.lists(
    st.tuples(st.sampled_from(WAYS), st.integers(0, 1_200_000), st.integers(0, 900)), min_size=1, max_size=5
).map(
    lambda drawn: [
        LivedStory(number, way, NOON + began * MS, late * MS) for number, (way, began, late) in enumerate(drawn)
    ]
)

granted = st.sampled_from(("expired", "automatic", "revoked"))


def facts_of(*told: LivedStory) -> list[HistoryFact]:
    return in_order([fact for story in told for fact in story.facts])


def events(facts: list[HistoryFact], *wanted: str) -> list[RecordTold]:
    return [fact for fact in facts if isinstance(fact, RecordTold) and fact.record.event in wanted]


@given(stories)
def test_an_honest_history_keeps_every_promise(told: list[LivedStory]) -> None:
    judgement = judged(facts_of(*told))

    assert judgement.holds
    assert not any(judgement.number(promise, is_certain=False) for promise in JudgedPromise)
    assert judgement.requests == len(told)
    late = [story for story in told if story.way in ("expired", "automatic")]
    assert judgement.lateness.total == len(late)
    assert judgement.lateness.latest == max((story.late + 4 * MS for story in late), default=timedelta(0))


# --- what is planted: each changes the facts of one story so that one promise is broken


def deleted_late(facts: list[HistoryFact], uid: str) -> None:
    (gone,) = (one for one in facts if isinstance(one, BindingGone) and one.request_uid == uid)
    facts[facts.index(gone)] = replace(gone, at=gone.at + timedelta(minutes=2))


def never_deleted(facts: list[HistoryFact], uid: str) -> None:
    drop(facts, uid, "grant.expired", "grant.revoked", "request.closed")
    facts[:] = [one for one in facts if not isinstance(one, BindingGone) or one.request_uid != uid]


def bound_first(facts: list[HistoryFact], uid: str) -> None:
    (made,) = (one for one in facts if isinstance(one, BindingMade) and one.request_uid == uid)
    early = timedelta(seconds=2)
    facts[facts.index(made)] = replace(made, at=made.at - early, received_at=made.received_at - early)


def never_announced(facts: list[HistoryFact], uid: str) -> None:
    drop(facts, uid, "grant.intended")


def bound_twice(facts: list[HistoryFact], uid: str) -> None:
    (made,) = (one for one in facts if isinstance(one, BindingMade) and one.request_uid == uid)
    later = timedelta(minutes=3)
    facts.append(replace(made, at=made.at + later, received_at=made.received_at + later, call="again"))
    facts.append(BindingGone(made.at + later + MS, made.at + later, uid, "payments", "bob", was_deleted=True))


def told_twice(facts: list[HistoryFact], uid: str) -> None:
    told = next(one for one in facts if isinstance(one, RecordTold) and one.record.subject == uid)
    facts.insert(facts.index(told), told)


def without_beginning_of_access(facts: list[HistoryFact], uid: str) -> None:
    drop(facts, uid, "grant.activated")


def without_end_of_access(facts: list[HistoryFact], uid: str) -> None:
    drop(facts, uid, "grant.expired", "grant.revoked")


def without_decision(facts: list[HistoryFact], uid: str) -> None:
    drop(facts, uid, "review.submitted")


def without_request(facts: list[HistoryFact], uid: str) -> None:
    facts[:] = [one for one in facts if not isinstance(one, RecordTold) or one.record.subject != uid]


def never_closed(facts: list[HistoryFact], uid: str) -> None:
    drop(facts, uid, "request.closed")


def goes_on(facts: list[HistoryFact], uid: str) -> None:
    (closed,) = (one for one in events(facts, "request.closed") if one.record.subject == uid)
    accepted = next(one for one in events(facts, "request.accepted") if one.record.subject == uid)
    facts.remove(accepted)
    facts.append(replace(accepted, sealed_at=closed.sealed_at + MS))


def drop(facts: list[HistoryFact], uid: str, *names: str) -> None:
    dropped = [one for one in events(facts, *names) if one.record.subject == uid]
    facts[:] = [one for one in facts if one not in dropped]


PLANTED = (
    pytest.param(deleted_late, P1, ("expired", "automatic"), id="deleted late"),
    pytest.param(never_deleted, P1, ("expired", "automatic", "revoked"), id="never deleted"),
    pytest.param(bound_first, P2, ("expired", "automatic", "revoked", "deleted"), id="bound before the announcement"),
    pytest.param(never_announced, P2, ("expired", "automatic", "revoked", "deleted"), id="never announced"),
    pytest.param(bound_twice, P2, ("expired", "automatic", "revoked"), id="bound twice"),
    pytest.param(told_twice, P7, WAYS, id="told twice"),
    pytest.param(without_beginning_of_access, P7, ("expired", "automatic"), id="the beginning not told"),
    pytest.param(without_end_of_access, P7, ("expired", "automatic", "revoked"), id="the end not told"),
    pytest.param(without_decision, P7, ("expired", "revoked", "denied", "cancelled"), id="a decision not told"),
    pytest.param(without_request, P7, tuple(way for way in WAYS if way != "deleted"), id="a request not told"),
    pytest.param(never_closed, P10, WAYS, id="never closed"),
    pytest.param(goes_on, P10, ("expired", "revoked", "denied"), id="goes on after its end"),
)


@pytest.mark.parametrize(("plant", "promise", "ways"), PLANTED)
@given(told=stories, data=st.data())
def test_what_is_planted_is_found(
    plant: Callable[[list[HistoryFact], str], None],
    promise: JudgedPromise,
    ways: tuple[str, ...],
    told: list[LivedStory],
    data: st.DataObject,
) -> None:
    broken = LivedStory(100, data.draw(st.sampled_from(ways)), NOON + data.draw(st.integers(0, 1_000_000)) * MS)
    facts = facts_of(*told, broken)
    plant(facts, broken.uid)

    judgement = judged(in_order(facts))

    assert judgement.number(promise) >= 1
    assert {one.subject for one in judgement.breaches[promise]} <= {broken.uid, "payments/inc-100"}
    assert "inc-100" in judgement.breaches[promise][0].sentence


def test_what_happened_while_nobody_could_reach_the_api_server_is_not_late() -> None:
    story = LivedStory(1, "expired", NOON, timedelta(seconds=40))
    gone = next(one for one in story.facts if isinstance(one, BindingGone))
    outage = UnreachableTime(gone.at - timedelta(seconds=50), gone.at - 100 * MS)

    assert judged(facts_of(story)).number(P1) == 1
    excused = judged(facts_of(story), JudgingTerms(outages=(outage,)))
    assert excused.number(P1) == 0
    assert excused.lateness.latest == 100 * MS


def test_an_end_that_only_the_trail_tells_is_not_clear() -> None:
    """An API server that is killed loses the event of a call that it has carried out."""
    story = LivedStory(1, "expired", NOON)
    facts = [one for one in facts_of(story) if not isinstance(one, BindingGone)]

    judgement = judged(facts)

    assert judgement.holds
    assert judgement.number(P1, is_certain=False) == 1


def uncertain(facts: list[HistoryFact], call: str | None = None) -> None:
    """Let a call that made the binding end with an error of the server."""
    made = next(one for one in facts if isinstance(one, BindingMade) and call in (None, one.call))
    facts[facts.index(made)] = replace(made, is_certain=False)


@given(way=granted, late=st.sampled_from([10, 10_000]))
def test_a_binding_whose_call_ended_with_an_error_is_judged_as_any(way: str, late: int) -> None:
    """If a client is killed, its call gets the code 504, and the API server stores the binding all the same."""
    story = LivedStory(1, way, NOON, late * MS)
    facts = facts_of(story)
    expected = judged(in_order(facts))
    uncertain(facts)

    judgement = judged(in_order(facts))

    assert judgement.bindings == 1
    assert judgement.breaches == expected.breaches
    assert judgement.unclear == expected.unclear
    assert judgement.lateness.latest == expected.lateness.latest
    assert judgement.number(P1) == (1 if late > 5_000 and way != "revoked" else 0)


@given(way=granted)
def test_a_call_that_ended_with_an_error_made_nothing_if_another_one_made_the_binding(way: str) -> None:
    facts = facts_of(LivedStory(1, way, NOON))
    (made,) = (one for one in facts if isinstance(one, BindingMade))
    facts.append(replace(made, at=made.at - MS, received_at=made.received_at - MS, call="tried", is_certain=False))

    judgement = judged(in_order(facts))

    assert (judgement.bindings, judgement.holds) == (1, True)


def test_a_call_that_ended_with_an_error_and_made_a_binding_again_is_a_breach() -> None:
    facts = facts_of(LivedStory(1, "expired", NOON))
    (made,) = (one for one in facts if isinstance(one, BindingMade))
    bound_twice(facts, made.request_uid)
    uncertain(facts, call="again")

    assert judged(in_order(facts)).number(P2) == 1


@pytest.mark.parametrize("way", ["denied", "cancelled", "failed"])
def test_a_call_that_ended_with_an_error_and_made_nothing_is_no_binding(way: str) -> None:
    story = LivedStory(1, way, NOON)
    tried = BindingMade(NOON, NOON, story.uid, "payments", OPERATOR, "tried", is_certain=False)

    judgement = judged(in_order([*facts_of(story), tried]))

    assert (judgement.bindings, judgement.holds) == (0, True)


def test_a_binding_that_only_its_record_shows_may_have_been_made_by_a_call_that_ended_with_an_error() -> None:
    story = LivedStory(1, "expired", NOON)
    facts = facts_of(story)
    facts[:] = [one for one in facts if not isinstance(one, BindingGone)]
    uncertain(facts)

    judgement = judged(facts)

    assert judgement.bindings == 1
    assert [one.promise for promise in JudgedPromise for one in judgement.unclear[promise]] == [P1]


@pytest.mark.parametrize("is_told", [True, False])
def test_a_late_call_that_makes_a_binding_again_is_no_breach_if_it_is_ended_at_once_and_told(*, is_told: bool) -> None:
    story = LivedStory(1, "revoked", NOON)
    facts = facts_of(story)
    bound_twice(facts, story.uid)
    if is_told:
        story.facts.clear()
        story.tell("grant.orphan_removed", NOON + timedelta(minutes=3, seconds=10))
        facts += story.facts

    assert judged(in_order(facts)).number(P2) == (0 if is_told else 1)


def test_what_is_over_is_forgotten() -> None:
    """Memory grows with what is open, not with the logs."""
    history = MergedHistory(JudgingTerms())
    for number in range(200):
        story = LivedStory(number, "expired", NOON + number * timedelta(minutes=2))
        for fact in facts_of(story):
            history.take(fact)
            if isinstance(fact, RecordTold):
                history.cover_trail(fact.at)

    assert len(history._traces) < 20
    assert len(history._named._slots) < 80
    assert history.judge().lateness.total == 200
