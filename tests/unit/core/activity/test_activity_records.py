"""The records of calls, alerts, coverage and verdicts: OCSF, the catalogue, sentences for people, and nothing secret."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from curfew.audit.activity_events import ACTIVITY_EVENTS
from curfew.audit.pseudonyms import Person, hidden, names_in, revealed
from curfew.audit.record import CURFEW, Record
from curfew.core.activity.call import Call, Caller, CallStage
from curfew.core.activity.cutting import OpenPod
from curfew.core.activity.effect import Effect, How
from curfew.core.activity.recorded import RecordedCall
from curfew.core.activity.records import assessed, coverage_lost, pod_deleted, pod_not_deleted, stream_open_at_end
from tests.support.activity import (
    END,
    STANDING,
    UID,
    AMonitor,
    a_call,
    announced,
    of_account,
    reason,
    refused,
    whole,
)
from tests.support.builders import ALICE, BOB, NOON
from tests.support.ocsf import validate

EXEC = a_call(
    "create", "pods/web-0 (exec)", code=101, lasted=timedelta(minutes=4), uri="/exec?command=cat&command=/etc/passwd"
)


def every_record() -> Iterator[Record]:
    """Yield a record of each kind that there is."""
    monitor = AMonitor()
    begun = a_call("watch", "pods/", stage=CallStage.RESPONSE_STARTED)
    monitor.arrives(
        a_call("get", audit_id="mine"),
        a_call("create", "pods/debug", audit_id="mine"),
        a_call("patch", "deployments.apps/web", user="mallory@example.com", impersonated=ALICE),
        a_call("delete", "configmaps/settings", reason=STANDING),
        EXEC,
        begun,
        refused(),
        a_call("patch", "pods/web-0", code=422),
        a_call("create", "configmaps/a", dry_run=True),
        a_call("create", "configmaps/a", code=504),
        a_call("delete", "pods/debug", user=BOB, reason="his", at=NOON + timedelta(minutes=20)),
        a_call(at=END + timedelta(seconds=30)),
        a_call(reason=reason(namespace="default")),
    )
    yield from monitor.log.values()
    yield assessed(monitor.session(), monitor.verdict(), covered_until=END, at=END)
    yield stream_open_at_end(monitor.session(), monitor.tally().open_streams[0])
    pod = OpenPod("payments", "web-0", "exec")
    yield pod_deleted(monitor.session(), pod, uid="u-1", at=END)
    yield pod_not_deleted(monitor.session(), pod, problem="no right", at=END)
    yield whole()
    yield coverage_lost("main-activity", since=NOON, at=END, why="no source was heard")


RECORDS = {record.id: record for record in every_record()}.values()


def test_there_is_one_of_each_event() -> None:
    assert {record.event for record in RECORDS} == {event.name for event in ACTIVITY_EVENTS} - {"external.called"}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.event)
def test_each_is_an_ocsf_event_with_the_details_of_the_catalogue(record: Record) -> None:
    validate(record)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.event)
def test_each_can_be_written_and_read_back(record: Record) -> None:
    assert Record.parse(json.loads(record.line())).line() == record.line()


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.event)
def test_none_holds_a_query(record: Record) -> None:
    assert b"passwd" not in record.line()
    assert b"command" not in record.line()


def message(call: Call) -> str:
    """Return the sentence about a call."""
    monitor = AMonitor()
    monitor.arrives(
        a_call("create", "serviceaccounts/deployer (token)", issued_credential="JTI=1"), a_call("create", "pods/debug")
    )
    before = set(monitor.log)
    monitor.arrives(call)
    return next(record.message for id_, record in monitor.log.items() if id_ not in before)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (a_call(), f"{ALICE} read pods/web-0 in payments, under request inc-6f1e"),
        (a_call("list", "secrets/"), f"{ALICE} listed secrets/* in payments, under request inc-6f1e"),
        (a_call("watch", "pods/"), f"{ALICE} watched pods/* in payments, under request inc-6f1e"),
        (a_call("get", "pods/web-0 (log)"), f"{ALICE} read pods/web-0 (log) in payments, under request inc-6f1e"),
        (a_call("create", "jobs.batch/once"), f"{ALICE} created jobs.batch/once in payments, under request inc-6f1e"),
        (a_call("create", "pods/"), f"{ALICE} created pods/(a generated name) in payments, under request inc-6f1e"),
        (
            a_call("patch", "deployments.apps/web (scale)"),
            f"{ALICE} changed deployments.apps/web (scale) in payments, under request inc-6f1e",
        ),
        (a_call("deletecollection", "pods/"), f"{ALICE} deleted pods/* in payments, under request inc-6f1e"),
        (EXEC, f"{ALICE} opened exec to pods/web-0 in payments for 4 min, under request inc-6f1e"),
        (
            a_call("watch", "pods/", stage=CallStage.RESPONSE_STARTED),
            f"{ALICE} watched pods/* in payments (it has begun), under request inc-6f1e",
        ),
        (
            refused(),
            f"{ALICE} was refused: delete secrets/db in payments (answer 403), while request inc-6f1e gave access",
        ),
        (
            a_call("patch", "pods/a", code=409),
            f"{ALICE} failed: patch pods/a in payments (answer 409), under request inc-6f1e",
        ),
        (
            a_call("create", "pods/a", dry_run=True),
            f"{ALICE} tried without effect (dry run): create pods/a in payments, under request inc-6f1e",
        ),
        (
            a_call("create", "pods/a", code=504),
            f"{ALICE} may have created pods/a in payments (answer 504), under request inc-6f1e",
        ),
        (
            a_call("delete", "pods/a", reason=STANDING),
            f"{ALICE} deleted pods/a in payments, by other access, which request inc-6f1e would have allowed too",
        ),
        (
            of_account("list", "nodes/", namespace="", credential="JTI=1"),
            "system:serviceaccount:payments:deployer listed nodes/*, with a token from request inc-6f1e",
        ),
        (
            of_account("get", "", uri="/metrics?verbose", namespace="", credential="JTI=1"),
            "system:serviceaccount:payments:deployer read /metrics, with a token from request inc-6f1e",
        ),
        (
            of_account("get", "pods/a", pod=("debug", "u"), at=NOON + timedelta(minutes=11)),
            "system:serviceaccount:payments:deployer read pods/a in payments, from a pod that was made under request inc-6f1e",
        ),
        (
            a_call(user="mallory@example.com", impersonated=ALICE),
            f"mallory@example.com as {ALICE} read pods/web-0 in payments, under request inc-6f1e",
        ),
        (
            a_call(at=END + timedelta(seconds=30)),
            f"{ALICE} read pods/web-0 in payments, under request inc-6f1e, after its end",
        ),
        (
            a_call("delete", "pods/debug", user=BOB, reason="his", at=END),
            f"{BOB} deleted pods/debug in payments, which request inc-6f1e had left behind",
        ),
        (
            a_call("delete", "namespaces/payments", user=BOB, reason="his", at=END),
            f"{BOB} deleted the namespace payments, with what request inc-6f1e had left behind in it",
        ),
        (
            a_call("deletecollection", "pods/", user=BOB, reason="his", at=END, uri="/pods"),
            f"{BOB} deleted all pods in payments, also what request inc-6f1e had left behind",
        ),
    ],
)
def test_a_record_says_who_did_what_on_which_object_with_what_outcome(call: Call, sentence: str) -> None:
    assert message(call) == sentence


def test_alerts_say_what_to_know() -> None:
    told = {record.event: record.message for record in RECORDS}

    assert told["alert.audit_id_reused"] == (
        f"{ALICE} made two different calls with one Audit-ID under request inc-6f1e; both are kept"
    )
    assert told["alert.used_after_end"] == (
        f"{ALICE} used the access of request inc-6f1e 30 s after its end, with its binding"
    )
    assert told["alert.binding_name_reused"] == (
        f"{ALICE} was allowed by RoleBinding curfew-{UID} in default, which has the name of a grant's binding and is none; "
        "find out who made it"
    )
    assert told["alert.stream_open_at_end"] == (
        f"the watch of {ALICE} on pods/* in payments, under request inc-6f1e, was still open when the access ended; "
        "the API server does not close it"
    )


def test_the_verdict_is_a_sentence() -> None:
    monitor = AMonitor()
    record = assessed(monitor.session(), monitor.verdict(EXEC), covered_until=END, at=END)

    assert record.message == (
        f"request inc-6f1e of {ALICE}: whether anything was changed is not known: one exec of 4 min (no change through the "
        "API; 1 exec of 4 min cannot be seen into)"
    )
    assert record.block["detail"]["covered_until"] == "2026-11-23T13:00:00Z"
    assert record.block["detail"]["changes"] == "Unknown"


def test_the_same_verdict_is_one_record_and_another_one_is_another() -> None:
    monitor = AMonitor()
    first = assessed(monitor.session(), monitor.verdict(), covered_until=END, at=END)
    again = assessed(monitor.session(), monitor.verdict(now=END + timedelta(hours=1)), covered_until=END, at=NOON)
    other = assessed(monitor.session(), monitor.verdict(EXEC), covered_until=END, at=END)

    assert first.id == again.id != other.id


def test_a_call_is_read_back_as_it_was() -> None:
    call = a_call(
        "create",
        "serviceaccounts/deployer (token)",
        issued_credential="JTI=1",
        caller=Caller(ALICE, credential="X509SHA256=05fb", pod=("shell", "uid-1")),
        at=datetime(2026, 11, 23, 12, 10, 0, 123456, tzinfo=UTC),
    )
    (found,) = AMonitor().arrives(call)

    seen = RecordedCall.of(found.record)

    assert seen is not None
    assert (seen.how, seen.effect, seen.has_ended) == (How.BINDING, Effect.CHANGED, True)
    assert (seen.verb, seen.resource, seen.subresource, seen.name) == ("create", "serviceaccounts", "token", "deployer")
    assert (seen.at, seen.lasted, seen.call) == (call.received_at, timedelta(milliseconds=4), call.identity)
    assert (seen.credential, seen.issued_credential, seen.pod) == ("X509SHA256=05fb", "JTI=1", ("shell", "uid-1"))
    assert seen.addresses == ("192.0.2.7",)


def test_an_address_with_a_zone_is_none_because_a_zone_may_be_any_text() -> None:
    (found,) = AMonitor().arrives(a_call(source_addresses=("fe80::1%\x1b[2Jhello", "192.0.2.7")))

    seen = RecordedCall.of(found.record)
    assert seen is not None
    assert seen.addresses == ("192.0.2.7",)


@pytest.mark.parametrize(
    "detail",
    [
        None,
        {},
        {"how": "Binding"},
        {"how": "Binding", "effect": "Read", "call": "c", "received_at": "noon"},
        {"how": "Binding", "effect": "Read", "call": "c", "received_at": "2026-11-23T12:00:00"},
        {"how": "Binding", "effect": "Read", "call": "c", "received_at": 7},
        {"how": "Binding", "effect": "Read", "call": "c", "received_at": "2026-11-23T12:00:00Z", "pod": "p"},
        {
            "how": "Binding",
            "effect": "Read",
            "call": "c",
            "received_at": "2026-11-23T12:00:00Z",
            "milliseconds": 10**300,
        },
    ],
)
def test_a_record_that_cannot_be_read_is_none(detail: object) -> None:
    (found,) = AMonitor().arrives(a_call())
    body = {**found.record.body, "unmapped": {"curfew": {**found.record.block, "detail": detail}}}

    assert RecordedCall.of(Record("", "call.read", UID, body)) is None


class TestPseudonyms:
    """In a log without names."""

    PEOPLE: ClassVar = {
        name: Person(name, bytes([n]) * 32) for n, name in enumerate((ALICE, BOB, "mallory@example.com"))
    }

    @pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.event)
    def test_no_name_is_left_and_all_come_back(self, record: Record) -> None:
        people = {name: self.PEOPLE[name] for name in names_in(record)}

        stored = hidden(record, people)

        assert not any(name.encode() in stored.line() for name in self.PEOPLE)
        assert revealed(stored, {person.pseudonym: person for person in people.values()}) == record

    def test_both_people_of_an_impersonated_call_are_people(self) -> None:
        (found,) = AMonitor().arrives(a_call(user="mallory@example.com", impersonated=ALICE))

        assert names_in(found.record) == {"mallory@example.com", ALICE}

    def test_the_person_that_a_machine_acts_as_is_one_too(self) -> None:
        (found,) = AMonitor().arrives(a_call(user="system:serviceaccount:ci:deployer", impersonated=ALICE))

        stored = hidden(found.record, {ALICE: self.PEOPLE[ALICE]})

        assert names_in(found.record) == {ALICE}
        assert stored.id != found.record.id

    def test_the_identity_of_a_call_cannot_be_guessed_at(self) -> None:
        """It is a hash of a text with names in it; whoever knows the rest could try names until it fits."""
        for record in RECORDS:
            people = {name: self.PEOPLE[name] for name in names_in(record)}
            told, stored = record.block["detail"], hidden(record, people).block["detail"]
            for name in {"call", "other"} & set(told):
                assert stored[name] == self.PEOPLE[ALICE].seal(told[name]) != told[name]


def test_what_no_person_did_is_curfews() -> None:
    (found,) = AMonitor(trail=[announced(requester="x")]).arrives(
        a_call("delete", "pods/debug", reason=reason(user="x"), user="x")
    )

    assert found.record.block["actor"] == "x"
    assert {record.block["actor"] for record in RECORDS if record.event.startswith("coverage.")} == {CURFEW}


def test_odd_texts_are_written_as_they_are() -> None:
    odd = 'a "\n\x1b[31mé\ufffd'
    (found,) = AMonitor().arrives(a_call("get", f"pods/{odd}", user_agent=odd, audit_id=odd))

    assert json.loads(found.record.line())["unmapped"]["curfew"]["detail"]["name"] == odd
