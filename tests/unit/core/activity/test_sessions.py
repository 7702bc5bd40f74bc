"""The grants, as the trail has them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from curfew.api.access_policy import OnEnd
from curfew.audit.carried import CarriedStory, cut, make_part
from curfew.audit.record import CURFEW, PolicyRef, Record, Story, make_record
from curfew.core.activity.session import KeepDecision, Session
from curfew.core.activity.sessions import Sessions
from tests.support.activity import EDIT, END, OTHER_UID, UID, announced, ended, kept
from tests.support.builders import ALICE, BOB, CAROL, NOON


def known(*trail: Record) -> Sessions:
    """Return the grants of a trail."""
    sessions = Sessions()
    for record in trail:
        sessions.learn(record)
    return sessions


def the(*trail: Record) -> Session:
    """Return the only grant of a trail."""
    (session,) = known(*trail).all()
    return session


def activated(uid: str = UID, **told: Any) -> Record:
    """Return the record that a binding was made."""
    story = Story.of(announced(uid, **told))
    at = NOON + timedelta(milliseconds=20)
    return make_record(
        "grant.activated", at=at, actor=CURFEW, message="it is held", story=replace(story, granted_at=at)
    )


def test_a_grant_begins_with_its_announcement_and_has_what_was_approved() -> None:
    session = the(announced(policy=PolicyRef("debug", "p", 3)))

    assert (session.uid, session.namespace, session.requester, session.ticket) == (UID, "payments", ALICE, "INC-4711")
    assert session.binding == f"curfew-{UID}"
    assert (session.announced_at, session.expires_at, session.granted_at) == (NOON, END, None)
    assert session.rules == EDIT
    assert session.policy == PolicyRef("debug", "p", 3)
    assert session.role is not None
    assert session.story.binding is not None
    assert session.story.duration is None  # so it only fills gaps in a joined story


def test_its_activation_is_noted() -> None:
    assert the(announced(), activated()).granted_at == NOON + timedelta(milliseconds=20)


def test_an_activation_whose_announcement_is_not_known_begins_it() -> None:
    session = the(activated())

    assert (session.announced_at, session.rules) == (NOON, ())


@pytest.mark.parametrize(
    "event", ["grant.expired", "grant.revoked", "grant.binding_removed", "grant.activation_failed", "request.closed"]
)
def test_it_ends_when_its_binding_is_gone(event: str) -> None:
    early = NOON + timedelta(minutes=20)
    session = the(announced(), ended(at=early, event=event))

    assert (session.until, session.is_over) == (early, True)
    assert the(announced(), ended(at=early, event=event), ended(at=END, event="request.closed")).until == early


def test_without_an_end_it_lasts_until_its_promised_end_as_far_as_is_known_and_may_last_longer() -> None:
    session = the(announced())

    assert (session.until, session.is_over) == (END, False)
    assert session.was_open(END)
    assert not session.was_open(END + timedelta(milliseconds=1))
    assert session.may_be_open(END + timedelta(days=1))
    assert not the(announced(), ended()).may_be_open(END + timedelta(minutes=1))


def test_what_announces_nothing_begins_nothing() -> None:
    assert known(announced(expires_at=None), announced(requester=None), ended()).all() == ()


def test_stories_that_the_log_carries_forward_are_known_without_their_rules() -> None:
    carried = CarriedStory(latest=cut(activated()), intent=cut(announced()))
    part = make_part(
        "main", set_="s", number=0, is_last=True, began=NOON, since=NOON, at=NOON, stories=[carried], policies=[]
    )

    session = the(part)

    assert (session.uid, session.requester, session.rules) == (UID, ALICE, ())
    assert the(part, announced()).rules == EDIT


@pytest.mark.parametrize(
    "change",
    [
        {"story": {"uid": 7}},
        {"story": None},
        {"story": {"uid": UID, "namespace": "payments", "request": "r", "requester": ALICE, "expires_at": "soon"}},
        {"detail": None},
        {"detail": {"rules": [None, "all", 7]}},
        {"detail": {"rules": {"verbs": "*"}}},
        {"event": "audit.stories_open", "detail": {"stories": [None, {"records": 7}, {"records": [{}, None]}]}},
    ],
)
def test_a_record_that_cannot_be_read_is_passed_over(change: dict[str, object]) -> None:
    record = announced()
    body = {**record.body, "unmapped": {"curfew": {**record.block, **change}}}

    sessions = known(
        Record(record.id, str(change.get("event", record.event)), record.subject, body), announced(OTHER_UID)
    )

    assert sessions.get(OTHER_UID) is not None
    assert all(session.rules in ((), EDIT) for session in sessions.all())


def test_a_grant_is_found_by_its_binding_and_by_its_person() -> None:
    sessions = known(announced(), announced(OTHER_UID), announced("bobs", requester=BOB), ended())

    assert sessions.by_binding("payments", f"curfew-{UID}") == sessions.get(UID)
    assert sessions.by_binding("default", f"curfew-{UID}") is None
    assert [one.uid for one in sessions.of_person(ALICE, "payments", NOON)] == [UID, OTHER_UID]
    assert [one.uid for one in sessions.of_person(BOB, "payments", NOON)] == ["bobs"]
    assert [one.uid for one in sessions.of_person(ALICE, "payments", END + timedelta(minutes=1))] == [OTHER_UID]
    assert sessions.of_person(ALICE, "payments", NOON - timedelta(minutes=1)) == ()
    assert sessions.is_in("payments")
    assert not sessions.is_in("default")


def test_forgetting_leaves_no_trace_and_never_takes_what_is_not_over() -> None:
    sessions = known(announced(), ended(), announced(OTHER_UID))

    assert sessions.forget(END + timedelta(days=90)) == (UID,)
    assert [one.uid for one in sessions.all()] == [OTHER_UID]
    assert sessions.by_binding("payments", f"curfew-{UID}") is None
    sessions.learn(ended(OTHER_UID))
    assert sessions.forget(END + timedelta(days=90)) == (OTHER_UID,)
    assert not sessions.is_in("payments")
    assert len(sessions) == 0


@pytest.mark.parametrize(
    ("told", "on_end"),
    [
        (None, OnEnd.REPORT),
        ("DeletePods", OnEnd.DELETE_PODS),
        ("Report", OnEnd.REPORT),
        ("AWordOfTomorrow", OnEnd.REPORT),
    ],
)
def test_its_announcement_has_what_its_end_does(told: str | None, on_end: OnEnd) -> None:
    assert the(announced(on_end=told)).on_end is on_end
    assert the(cut(announced(on_end=told))).on_end is on_end  # as a log carries it forward


def test_the_last_decision_to_keep_what_is_left_is_noted() -> None:
    first, second = kept(), kept(by=CAROL, at=END + timedelta(hours=1), reason="for good")

    assert the(announced(), ended()).kept is None
    assert the(announced(), first, ended()).kept == KeepDecision(BOB, "it is the fix", END)
    assert the(announced(), ended(), first, second).kept == KeepDecision(CAROL, "for good", END + timedelta(hours=1))
    assert the(announced(), ended(), second, first).kept == KeepDecision(CAROL, "for good", END + timedelta(hours=1))


def test_a_decision_that_did_not_count_or_is_another_keeps_nothing() -> None:
    detail = {"decision": "Review", "effect": "TookEffect"}
    review = make_record("review.submitted", at=END, actor=BOB, message="m", story=Story.of(ended()), detail=detail)
    unreadable = make_record("review.submitted", at=END, actor=BOB, message="m", story=Story.of(ended()))

    assert the(announced(), ended(), kept(event="review.refused"), review, unreadable).kept is None
    assert known(kept()).all() == ()
