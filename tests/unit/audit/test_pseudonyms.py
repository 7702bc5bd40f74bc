"""A log without names: what is hidden, what stays, and that only the key brings a name back."""

import json
from datetime import timedelta

import pytest

from curfew.api.activity import Activity, Changes
from curfew.audit.carried import make_part
from curfew.audit.pseudonyms import Person, hidden, is_person, names_in, revealed
from curfew.audit.record import CURFEW, DecisionRef, Entity, Record, Story, make_record, record_id
from curfew.core.activity.records import assessed
from curfew.core.activity.session import Session
from curfew.core.detectors.alert import Alert, Severity
from curfew.core.detectors.records import raised, resolved
from tests.support.logs import BEGIN

ALICE = Person("alice@example.com", bytes(range(32)))
BOB = Person("bob@example.com", bytes(range(32, 64)))
PEOPLE = {person.name: person for person in (ALICE, BOB)}
KNOWN = {person.pseudonym: person for person in (ALICE, BOB)}


def told(event: str = "review.submitted", *, actor: str = BOB.name, **changes: object) -> Record:
    """Return a record that names alice and bob wherever a record can."""
    story = Story(
        uid="6f1e8c1e",
        namespace="payments",
        request="inc-4711",
        requester=ALICE.name,
        submitted_by=ALICE.name,
        reason="alice@example.com asks, as agreed with bob@example.com; not alice@example.com.au",
        decisions=(DecisionRef(BOB.name, "Approve", "owners", "I know alice@example.com.", BEGIN),),
    )
    detail = {"terms": "ab" * 32, "reason": "for alice@example.com", "count": 2, **changes}
    message = "bob@example.com approved request inc-4711 of alice@example.com"
    return make_record(
        event, at=BEGIN, actor=actor, message=message, story=story, qualifier=f"{BOB.name}/Approve", detail=detail
    )


def test_no_name_is_left() -> None:
    text = hidden(told(), PEOPLE).line().decode()

    assert BOB.name not in text
    assert text.replace("alice@example.com.au", "").count(ALICE.name) == 0
    assert text.count(ALICE.pseudonym) == 6
    assert text.count(BOB.pseudonym) == 5


def test_who_is_named_is_found_wherever_a_name_can_stand() -> None:
    assert names_in(told()) == {ALICE.name, BOB.name}


def test_a_name_in_the_middle_of_another_stays() -> None:
    al = Person("al", bytes(32))
    record = told(note="al, alfred, al@example.com and (al)")

    text = hidden(record, {"al": al}).block["detail"]["note"]

    assert text == f"{al.pseudonym}, alfred, al@example.com and ({al.pseudonym})"


def test_only_people_are_hidden() -> None:
    robot = "system:serviceaccount:argocd:argocd"

    assert names_in(told(actor=robot)) == {ALICE.name, BOB.name}
    assert [is_person(name) for name in (ALICE.name, robot, CURFEW, "unknown", "")] == [
        True,
        False,
        False,
        False,
        False,
    ]


def test_what_names_of_things_say_stays() -> None:
    """A person may be called like a role; what was granted has to stay readable."""
    view = Person("inc-4711", bytes(32))

    story = hidden(told(), {view.name: view}).block["story"]

    assert (story["request"], story["namespace"]) == ("inc-4711", "payments")


def test_strangers_in_a_binding_are_people_too() -> None:
    record = told("grant.orphan_removed", actor=CURFEW, subjects=["User mallory@example.com", "Group ops"])

    assert names_in(record) == {ALICE.name, BOB.name, "mallory@example.com"}


def test_the_key_brings_everything_back() -> None:
    record = told()

    assert revealed(hidden(record, PEOPLE), KNOWN) == record


def test_without_the_key_a_name_stays_hidden_and_others_do_not() -> None:
    text = revealed(hidden(told(), PEOPLE), {BOB.pseudonym: BOB}).line().decode()

    assert BOB.name in text
    assert ALICE.pseudonym in text
    assert f'"{ALICE.name}"' not in text


def test_what_could_be_guessed_at_is_enciphered() -> None:
    """Whoever knows request and event could try names until a hash fits."""
    record = told()
    stored = hidden(record, PEOPLE)

    assert record.id == record_id("6f1e8c1e", "review.submitted", f"{BOB.name}/Approve")
    assert stored.id == stored.body["metadata"]["uid"] == stored.block["id"] == BOB.seal(record.id) != record.id
    assert stored.block["detail"]["terms"] == ALICE.seal("ab" * 32)


def test_the_same_record_is_hidden_the_same_way_each_time() -> None:
    assert hidden(told(), PEOPLE).line() == hidden(told(), PEOPLE).line()


def test_the_record_at_hand_is_not_changed() -> None:
    record = told()
    before = json.dumps(record.body, sort_keys=True)

    hidden(record, PEOPLE)

    assert json.dumps(record.body, sort_keys=True) == before


def test_a_pseudonym_says_nothing_about_the_name() -> None:
    assert Person("somebody else", ALICE.key).pseudonym == ALICE.pseudonym
    assert Person(ALICE.name, BOB.key).pseudonym != ALICE.pseudonym


def test_a_key_has_a_length() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 3"):
        Person("alice", b"abc")


def test_who_keeps_what_was_left_behind_is_hidden_too() -> None:
    """In the answer of the monitor, where the reason may hold names as well; the id does not depend on them."""
    session = the_session_of_alice()
    answer = Activity(changes=Changes.YES, remains=0, kept_by=BOB.name, kept_reason=f"it is {ALICE.name}'s")
    record = assessed(session, answer, covered_until=None, at=BEGIN)

    assert names_in(record) == {ALICE.name, BOB.name}
    stored = hidden(record, PEOPLE)
    text = stored.line().decode()
    assert BOB.name not in text
    assert ALICE.name not in text
    assert revealed(stored, KNOWN).line() == record.line()
    other = assessed(
        session, answer.model_copy(update={"kept_by": "x", "kept_reason": None}), covered_until=None, at=BEGIN
    )
    assert other.id == record.id


def the_session_of_alice() -> Session:
    """Return a grant to alice."""
    hour = timedelta(hours=1)
    return Session("6f1e8c1e", "payments", "inc-4711", ALICE.name, "curfew-6f1e8c1e", BEGIN, BEGIN + hour)


def an_alert() -> Alert:
    return Alert(
        detector="ReciprocalApproval",
        key=f"{ALICE.name}/{BOB.name}",
        at=BEGIN,
        severity=Severity.MEDIUM,
        title="Two people approve each other",
        message=f"{ALICE.name} and {BOB.name} approved each other",
        trigger=None,
        people=(ALICE.name, BOB.name),
    )


def an_alert_and_its_end() -> tuple[Record, Record]:
    alert = raised(an_alert(), "main-activity")
    end = resolved(
        "main-activity",
        alert.id,
        detector="ReciprocalApproval",
        key=f"{ALICE.name}/{BOB.name}",
        title="Two people approve each other",
        people=(ALICE.name, BOB.name),
        at=BEGIN,
        why=f"{BOB.name} resolved it",
        by=BOB.name,
    )
    return alert, end


def test_an_alert_names_nobody_and_its_end_still_belongs_to_it() -> None:
    for record in an_alert_and_its_end():
        stored = hidden(record, PEOPLE)

        assert ALICE.name not in stored.line().decode()
        assert BOB.name not in stored.line().decode()
        assert stored.id not in (record.id, ALICE.seal(record.id), BOB.seal(record.id))
        assert revealed(stored, KNOWN) == record
    alert, end = (hidden(record, PEOPLE) for record in an_alert_and_its_end())
    assert alert.id == alert.body["finding_info"]["uid"] == end.body["finding_info"]["uid"]
    assert alert.id == end.block["detail"]["alert"]


def test_an_alert_about_somebody_forgotten_stays_enciphered_and_keeps_its_end() -> None:
    known = {BOB.pseudonym: BOB}
    alert, end = (revealed(hidden(record, PEOPLE), known) for record in an_alert_and_its_end())

    assert alert.block["detail"]["people"] == [ALICE.pseudonym, BOB.name]
    assert alert.id == BOB.seal(ALICE.seal(an_alert_and_its_end()[0].id)) == end.block["detail"]["alert"]


def test_the_locks_that_a_log_carries_name_nobody() -> None:
    lock = make_record(
        "lock.created",
        at=BEGIN,
        actor=BOB.name,
        message=f"access of {ALICE.name} is locked (AccessLock lock of {BOB.name}): ask bob@example.com",
        entity=Entity("lock", "AccessLock", "uid-lock"),
        detail={"lock": "lock", "person": ALICE.name, "submitted_by": BOB.name, "reason": f"ask {BOB.name}"},
    )
    part = make_part(
        "main",
        set_="w/x",
        number=0,
        is_last=True,
        began=BEGIN,
        since=BEGIN,
        at=BEGIN,
        stories=[],
        policies=[],
        locks=[lock],
    )

    assert names_in(lock) == names_in(part) == {ALICE.name, BOB.name}
    stored = hidden(part, PEOPLE)
    assert "example.com" not in stored.line().decode()
    assert revealed(stored, KNOWN) == part
