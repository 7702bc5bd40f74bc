"""A record says who did what, when and why, in words that a SIEM reads and an auditor understands."""

import json
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from types import MappingProxyType
from typing import Any

import jsonschema
import pytest

from curfew.audit.api_call import ApiCall
from curfew.audit.event_type import CREATE, OTHER, RAISE, RESOLVE, EventType, OcsfClass
from curfew.audit.events import EVENTS
from curfew.audit.finding_info import FindingInfo
from curfew.audit.record import (
    BindingRef,
    DecisionRef,
    Entity,
    PolicyRef,
    Record,
    RecordRefused,
    RoleRef,
    Source,
    Story,
    make_record,
    record_id,
    with_end,
)
from tests.support.ocsf import validate
from tests.support.scale import soaks

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
STORY = Story(
    uid="6f1e8c1e-7d6b-4b86-a5a5-0c6b0f3f5a11",
    namespace="payments",
    request="inc-4711",
    requester="alice@example.com",
    submitted_by="alice@example.com",
    reason="payment workers crash-loop",
    ticket="INC-4711",
    duration=3600,
    policy=PolicyRef("debug", "p-1", 3),
    role=RoleRef("ClusterRole", "payments-debug", "r-1", "ab" * 32),
    binding=BindingRef("curfew-6f1e", "b-1"),
    decisions=(
        DecisionRef("bob@example.com", "Approve", "owners", "on call", NOON),
        DecisionRef("carol@example.com", "Approve", None, None, NOON + timedelta(seconds=1)),
    ),
    not_before=NOON,
    decide_by=NOON,
    decided_at=NOON,
    starts_at=NOON,
    granted_at=NOON,
    expires_at=NOON + timedelta(hours=1),
)
MINIMAL = Story(uid="u", namespace="n", request="r")


def a_record(event: str = "grant.activated", **changes: Any) -> Record:
    """Return a good record; a test changes the one thing it is about."""
    told: dict[str, Any] = {"at": NOON, "actor": "bob@example.com", "message": "it happened", "story": STORY}
    return make_record(event, **{**told, **changes})


POLICY = Entity("payments/debug", "AccessPolicy", "p-1")
SOURCE = Source(addresses=("2001:db8::7", "192.0.2.7"), user_agent="kubectl/v1.37.2", audit_ids=("a-1", "a-2"))
ALERTS = {
    "alert.raised": EventType(
        "alert.raised", "6001W", OcsfClass.DETECTION_FINDING, RAISE, "A pattern was seen.", ("detector",)
    ),
    "alert.resolved": EventType("alert.resolved", "6002I", OcsfClass.DETECTION_FINDING, RESOLVE, "It is over."),
    "alert.noted": EventType("alert.noted", "6003I", OcsfClass.DETECTION_FINDING, OTHER, "Somebody looks at it."),
}
"""Alerts are no part of the catalogue yet; that they can be told is shown before."""


def everything(event: str) -> dict[str, Any]:
    """Return a value of each kind for each detail that an event can have."""
    values = ("text", 7, True, ["a", {"b": 1}], {"c": [False]})
    return {name: values[place % len(values)] for place, name in enumerate(EVENTS[event].detail)}


ABOUT: dict[str, dict[str, Any]] = {
    "a whole story": {"story": STORY, "source": SOURCE},
    "the least of a story": {"story": MINIMAL},
    "an object": {"story": None, "entity": POLICY},
    "the log": {"story": None},
}
ACTORS = ("bob@example.com", "system:curfew")


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize(
    ("about", "actor"), list(product(ABOUT, ACTORS) if soaks() else zip(ABOUT, (*ACTORS, *ACTORS), strict=True))
)
def test_each_event_is_ocsf(event: str, about: str, actor: str) -> None:
    given = ABOUT[about]
    if EVENTS[event].ocsf_class is OcsfClass.API_ACTIVITY:
        given = {**given, "call": ApiCall("delete", "a-1", group="apps", resource="deployments", name="web", code=200)}
    details = everything(event), None
    for success, detail in product((True, False), details) if soaks() else zip((True, False), details, strict=True):
        validate(a_record(event, actor=actor, subject="main", success=success, detail=detail, **given))


@pytest.mark.parametrize(
    ("event", "status", "activity"), [("alert.raised", 1, 1), ("alert.resolved", 4, 3), ("alert.noted", 2, 99)]
)
def test_an_alert_is_a_detection_finding(
    event: str, status: int, activity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("curfew.audit.record", "tests.support.ocsf"):
        monkeypatch.setattr(f"{module}.EVENTS", MappingProxyType({**EVENTS, **ALERTS}))
    told = a_record(event, story=STORY, finding=FindingInfo("alert-1", "Requests in a burst"), source=SOURCE)

    validate(told)
    validate(a_record(event, story=None, subject="alert-1"))
    assert told.body["finding_info"] == {"uid": "alert-1", "title": "Requests in a burst"}
    assert (told.body["class_uid"], told.body["category_uid"], told.body["type_uid"]) == (2004, 2, 200400 + activity)
    assert (told.body["status_id"], told.body["activity_id"]) == (status, activity)


def test_what_an_event_may_have_in_its_detail_is_in_the_catalogue() -> None:
    with pytest.raises(AssertionError, match="not in the catalogue"):
        validate(a_record("grant.activated", detail={"mood": "good"}))


def test_a_record_says_from_where_somebody_acted_if_that_is_known() -> None:
    known, unknown = a_record(source=SOURCE), a_record(source=Source())

    assert known.body["src_endpoint"] == {"ip": "2001:db8::7", "name": "2001:db8::7"}
    assert known.body["http_request"] == {"user_agent": "kubectl/v1.37.2"}
    assert known.block["source"] == {
        "addresses": ["2001:db8::7", "192.0.2.7"],
        "user_agent": "kubectl/v1.37.2",
        "audit_ids": ["a-1", "a-2"],
    }
    assert unknown.line() == a_record().line()


def test_a_record_about_an_object_names_it() -> None:
    told = a_record("policy.created", story=None, entity=POLICY)

    assert told.body["entity"] == {"name": "payments/debug", "type": "AccessPolicy", "type_id": 99, "uid": "p-1"}
    assert told.subject == told.body["metadata"]["correlation_uid"] == "p-1"
    assert told.body["activity_id"] == CREATE


def test_the_schema_refuses_what_is_not_ocsf() -> None:
    record = a_record()
    for change in ({"extra": 1}, {"severity_id": 17}, {"time": "noon"}, {"type_uid": 1}):
        with pytest.raises(jsonschema.ValidationError):
            validate(Record(record.id, record.event, record.subject, {**record.body, **change}))


def test_a_record_says_all_of_the_story() -> None:
    body = json.loads(a_record("grant.expired", detail={"late_ms": 3}).line())

    assert body["message"] == "it happened"
    assert body["time"] == 1795435200123
    assert body["actor"] == {"user": {"name": "bob@example.com"}}
    assert body["user"] == {"name": "alice@example.com"}
    assert body["privileges"] == ["ClusterRole/payments-debug"]
    assert body["metadata"]["correlation_uid"] == STORY.uid
    assert body["unmapped"]["curfew"] == {
        "schema": "curfew.audit/v1",
        "id": record_id(STORY.uid, "grant.expired"),
        "event": "grant.expired",
        "code": "3004I",
        "subject": STORY.uid,
        "actor": "bob@example.com",
        "at": "2026-11-23T12:00:00.123456Z",
        "detail": {"late_ms": 3},
        "story": {
            "uid": STORY.uid,
            "namespace": "payments",
            "request": "inc-4711",
            "requester": "alice@example.com",
            "submitted_by": "alice@example.com",
            "reason": "payment workers crash-loop",
            "ticket": "INC-4711",
            "duration": 3600,
            "policy": {"name": "debug", "uid": "p-1", "generation": 3},
            "role": {"kind": "ClusterRole", "name": "payments-debug", "uid": "r-1", "rules_digest": "ab" * 32},
            "binding": {"name": "curfew-6f1e", "uid": "b-1"},
            "decisions": [
                {
                    "by": "bob@example.com",
                    "decision": "Approve",
                    "stage": "owners",
                    "reason": "on call",
                    "seen_at": "2026-11-23T12:00:00.123456Z",
                },
                {"by": "carol@example.com", "decision": "Approve", "seen_at": "2026-11-23T12:00:01.123456Z"},
            ],
            "not_before": "2026-11-23T12:00:00.123456Z",
            "decide_by": "2026-11-23T12:00:00.123456Z",
            "decided_at": "2026-11-23T12:00:00.123456Z",
            "starts_at": "2026-11-23T12:00:00.123456Z",
            "granted_at": "2026-11-23T12:00:00.123456Z",
            "expires_at": "2026-11-23T13:00:00.123456Z",
        },
    }


def test_what_is_not_known_is_left_out() -> None:
    line = a_record(story=MINIMAL).line()

    assert b"null" not in line
    assert json.loads(line)["unmapped"]["curfew"]["story"] == {"uid": "u", "namespace": "n", "request": "r"}


def test_times_are_in_utc_wherever_they_come_from() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert a_record(at=there, story=MINIMAL).line() == a_record(at=NOON, story=MINIMAL).line()


def test_a_time_is_cut_to_the_millisecond_and_never_rounded_up() -> None:
    record = a_record(at=datetime(2026, 11, 23, 23, 59, 59, 999999, tzinfo=UTC))

    assert record.at == datetime(2026, 11, 23, 23, 59, 59, 999000, tzinfo=UTC)


def test_the_same_thing_told_again_has_the_same_id() -> None:
    one, again = a_record(at=NOON), a_record(at=NOON + timedelta(seconds=9), message="told again")

    assert one.id == again.id
    assert a_record(qualifier="another").id != one.id
    assert a_record("grant.revoked").id != one.id
    assert a_record(story=MINIMAL).id != one.id


def test_an_id_is_a_digest_of_what_it_is_about() -> None:
    """docs/audit-record.md shows how sha256sum says the same."""
    assert record_id("6f1e8c1e", "grant.intended", "") == "6f4a1b422f5b76b3f70cb73a03a51307"


def test_a_record_about_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="is about nothing"):
        a_record("audit.opened", story=None)


def test_an_event_outside_the_catalogue_is_refused() -> None:
    with pytest.raises(KeyError):
        a_record("grant.forgotten")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(lambda body: body.pop("unmapped"), "unmapped", id="no block"),
        pytest.param(lambda body: body.pop("message"), "message", id="no message"),
        pytest.param(lambda body: body.update(message=1), "are strings", id="a message that is none"),
        pytest.param(lambda body: body.update(time="noon"), "time", id="a time that is none"),
        pytest.param(lambda body: body.update(time=True), "time", id="a time that is true"),
        pytest.param(lambda body: body.update(time=2**53), "time", id="a time after all times"),
        pytest.param(lambda body: body.update(time=-1), "time", id="a time before all times"),
        pytest.param(lambda body: body["unmapped"].update(curfew=[]), "not a record", id="a list for a block"),
        pytest.param(lambda body: body["unmapped"]["curfew"].pop("id"), "id", id="no id"),
        pytest.param(lambda body: body["unmapped"]["curfew"].update(event=7), "are strings", id="no word for an event"),
        pytest.param(
            lambda body: body["unmapped"]["curfew"].update(schema="curfew.audit/v2"), "v2", id="a later version"
        ),
    ],
)
def test_what_is_not_a_record_is_refused_and_says_why(change: Any, why: str) -> None:
    body = json.loads(a_record().line())
    change(body)

    with pytest.raises(RecordRefused, match=why):
        Record.parse(body)


@pytest.mark.parametrize("body", [[], "text", 7, None, {"unmapped": "curfew"}, {"unmapped": {"curfew": "text"}}])
def test_what_is_not_even_an_object_is_refused(body: Any) -> None:
    with pytest.raises(RecordRefused):
        Record.parse(body)


def test_a_story_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    body = json.loads(a_record().line())
    body["unmapped"]["curfew"]["story"]["mood"] = "good"
    body["unmapped"]["curfew"]["story"]["policy"]["colour"] = "red"

    assert Story.of(Record.parse(body)) == STORY


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda story: story.pop("uid"), id="without the request"),
        pytest.param(lambda story: story.update(expires_at="soon"), id="with an end that is no time"),
        pytest.param(lambda story: story.update(expires_at=7), id="with an end that is a number"),
        pytest.param(lambda story: story.update(policy="debug"), id="with a policy that is text"),
        pytest.param(lambda story: story["role"].pop("kind"), id="with half a role"),
        pytest.param(lambda story: story.update(decisions=[{"by": "bob"}]), id="with half a decision"),
    ],
)
def test_a_story_that_cannot_be_read_is_refused(change: Any) -> None:
    body = json.loads(a_record().line())
    change(body["unmapped"]["curfew"]["story"])

    with pytest.raises(RecordRefused, match="cannot be read"):
        Story.of(Record.parse(body))


def test_a_record_about_the_log_tells_no_story() -> None:
    with pytest.raises(RecordRefused, match="not about a request"):
        Story.of(a_record("audit.opened", story=None, subject="main"))


def test_a_story_can_be_ended() -> None:
    ended = with_end(STORY, ended_at=NOON, end_reason="RequestDeleted")

    assert (ended.ended_at, ended.end_reason, ended.uid) == (NOON, "RequestDeleted", STORY.uid)


_OF_ACTIVITY = {"call", "stream", "session", "coverage", "external", "detection"}
_OF_ACTIVITY |= {"decision", "binding", "guard", "role", "person", "notification"}


def test_events_have_a_stable_code_each_and_an_honest_tense() -> None:
    codes = [event.code for event in EVENTS.values()]

    assert len(set(codes)) == len(codes)
    for name, event in EVENTS.items():
        noun, _, verb = name.partition(".")
        family = {
            "request": "1",
            "review": "2",
            "grant": "3",
            "policy": "5",
            "enforcement": "5",
            "lock": "5",
            "alert": "6",
            "audit": "9",
        }.get(noun, "7")
        assert family != "7" or noun in _OF_ACTIVITY
        assert event.code[0] == family
        assert event.code[1:4].isdigit()
        assert event.code[4:] in ("I", "W", "E")
        assert verb.replace("_", "").isalpha()
        assert event.meaning.endswith(".")


def test_nothing_is_said_to_be_assigned_before_it_is() -> None:
    """A SIEM counts OCSF activities: an announcement is not an assignment."""
    assigned = [
        event.name
        for event in EVENTS.values()
        if event.ocsf_class is OcsfClass.USER_ACCESS_MANAGEMENT and event.activity_id == 1
    ]

    assert assigned == ["grant.activated", "grant.activation_failed"]
