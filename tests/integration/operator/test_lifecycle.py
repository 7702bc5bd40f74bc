"""The life of a request on real servers, every course of it: access begins, ends on time, and each step is told once."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
import yaml

from curfew.api.names import is_self_test
from curfew.api.times import parse_time
from curfew.evidence.account import Account
from curfew.evidence.exception_kinds import Exceptional
from curfew.evidence.findings import find
from tests.integration.installed import Installed
from tests.integration.operator.courses import COURSES, Course
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.minute import Minute, Told
from tests.integration.operator.place import SECRET
from tests.recorded.comparing import shown, wanted
from tests.recorded.recording import Named, account_of
from tests.recorded.stories import OF_COURSES
from tests.support.operator_process import OperatorProcess

A_SECOND = timedelta(seconds=1)

Report = tuple[Account, Sequence[Exceptional]]
Measured = Callable[[str, timedelta], None]


@pytest.fixture(scope="module")
def evidence(minute: Minute, read_log: Callable[[OperatorProcess], Evidence]) -> Evidence:
    """Return the log of the minute; one that does not verify fails every test here (promise P7)."""
    return read_log(minute.operator)


@pytest.fixture(scope="module")
def report(evidence: Evidence) -> Report:
    """Return what a report is made of, and what it lists."""
    account = account_of(evidence.objects, evidence.key)
    assert account.last_at is not None
    return account, find(account, now=account.last_at)


@pytest.fixture
def bare(minute: Minute) -> Told:
    """Return what was seen of the request that was made and approved with kubectl alone."""
    assert minute.bare is not None
    return minute.bare


def test_access_is_there_within_a_second_of_the_approval(minute: Minute, bare: Told, measured: Measured) -> None:
    """A bare kubectl patch of bob's is all that it takes; kubectl, the reviews and a real call go from no to yes."""
    assert minute.patched is not None
    assert minute.patch_began is not None
    for told in (minute.access.can_i, minute.access.real_call):
        (_, before), (since, meanwhile), *_ = told

        assert (before, meanwhile) == (False, True)
        assert since - minute.patched < minute.within_a_second(minute.patched, since)
    assert minute.can_i[:2] == ["no", "yes"]

    made = bare.bindings[0]
    decided = next(
        sight.at
        for sight in bare.asked.place.sights.requests.history[bare.asked.uid]
        if sight.body.get("status", {}).get("decisions")
    )
    measured("from the approval seen to the binding seen", made.at - decided)
    assert made.at - decided < minute.within_a_second(decided, made.at)


def test_access_is_gone_within_a_second_of_its_end(minute: Minute, bare: Told, measured: Measured) -> None:
    """Promise P1, on the API server's answers to alice herself."""
    expires_at = bare.asked.time("expiresAt")
    for told in (minute.access.can_i, minute.access.real_call):
        (*_, (until, afterwards)) = told

        assert len(told) == 3  # it went once, and did not come back
        assert not afterwards
        assert timedelta(0) <= until - expires_at < minute.within_a_second(expires_at, until)
        measured("from expiresAt to the first no", until - expires_at)
    assert minute.can_i[2] == "no"
    begin = expires_at - timedelta(minutes=1)
    measured("the longest that a write took to be seen in that minute", minute.place.sights.pulse.slowest(begin, until))


def test_a_grant_lasts_as_long_as_was_asked_for(minute: Minute, bare: Told) -> None:
    """The window is what the announcement says, whatever the making of the binding took."""
    status = bare.asked
    assert status.time("expiresAt") - status.time("startsAt") == timedelta(minutes=1)
    expires_at, ended_at = status.time("expiresAt"), status.time("endedAt")
    assert ended_at - expires_at < minute.within_a_second(expires_at, ended_at)


@pytest.mark.parametrize("course", COURSES, ids=str)
def test_each_course_ends_as_it_should(minute: Minute, course: Course) -> None:
    """The last phase and its reason; a request that is over has no binding, owes no record and is out of the watch."""
    told = minute.courses[course.name]
    if course.phase is not None:
        assert (told.status["phase"], told.status["endReason"]) == (course.phase, course.reason)
        assert told.status["outbox"] == []
        assert told.is_closed
    assert [sight.type for sight in told.bindings if sight.type != "MODIFIED"] == (
        ["ADDED", "DELETED"] if course.is_granted else []
    )


@pytest.mark.parametrize("course", [course for course in COURSES if course.reason == "DurationElapsed"], ids=str)
def test_no_binding_outlives_its_end(minute: Minute, course: Course, measured: Measured) -> None:
    """Promise P1, as somebody sees it who watches the bindings."""
    told = minute.courses[course.name]
    made, removed = told.bindings[0], told.bindings[-1]
    expires_at = parse_time(made.body["metadata"]["annotations"]["curfew.dev/expires-at"])
    late = removed.at - expires_at

    assert expires_at == told.asked.time("expiresAt")
    measured("from expiresAt to the binding gone", late)
    assert timedelta(0) <= late < minute.within_a_second(expires_at, removed.at)


@pytest.mark.parametrize("course", COURSES, ids=str)
def test_each_step_is_in_the_log_once_and_in_order(minute: Minute, evidence: Evidence, course: Course) -> None:
    """Promise P7: the story of each request is complete, and nothing is told twice."""
    assert evidence.story(minute.courses[course.name].asked.uid) == course.story


@pytest.mark.parametrize("course", COURSES, ids=str)
def test_the_report_shows_each_course_as_it_was(minute: Minute, report: Report, course: Course) -> None:
    """The recorded log (tests/recorded) and the operator of today tell each course alike; if not, record it anew."""
    asked = minute.courses[course.name].asked
    named = Named(asked.place.namespace, asked.name, asked.uid)

    assert shown(*report, named) == wanted(OF_COURSES[course.name])


def test_the_report_counts_each_request_once(minute: Minute, evidence: Evidence, report: Report) -> None:
    """Those of the courses, the one of kubectl alone, the one that was approved too late, and two that are no good."""
    others = Counter({"Expired": 1, "TimedOut": 1, "Failed": 2})
    expected = Counter(expected.outcome for expected in OF_COURSES.values()) + others

    assert dict(report[0].phases) == dict(expected + left_by_others(evidence, minute.operator.lives[0].started))


def left_by_others(evidence: Evidence, started: datetime) -> Counter[str]:
    """Count, by the last word on each, the requests of other tests that the operator found at its start."""
    found: Counter[str] = Counter()
    for records in evidence.by_request.values():
        if records[0].event != "request.created" or records[0].at >= started:
            continue
        told = records[0].block["story"]
        if is_self_test(told["namespace"], told["request"], told["submitted_by"]):
            continue
        last = next((record for record in records if record.event == "request.closed"), None)
        found[last.block["detail"].get("phase", "Deleted") if last is not None else "Open"] += 1
    return found


def test_the_audit_log_shows_who_deleted_a_request(minute: Minute, evidence: Evidence, cluster: Installed) -> None:
    """Where the record says that the name is: under the UID, in what the API server answered."""
    asked = minute.courses["is deleted while active"].asked
    lines = cluster.environment.control_plane.audit_log.read_text().splitlines()
    found = [
        line for line in map(json.loads, (line for line in lines if asked.uid in line)) if line["verb"] == "delete"
    ]
    by_uid = {
        line["user"]["username"] for line in found if line["responseStatus"].get("details", {}).get("uid") == asked.uid
    }

    assert by_uid == {"alice@example.com"}
    message = evidence.record(asked.uid, "request.deleted").message
    assert message.endswith(f"it was deleted; the API server's audit log shows by whom; look in it for {asked.uid}")


def test_the_log_tells_nothing_twice(evidence: Evidence) -> None:
    """Promise P7, over all that is in the bucket."""
    assert evidence.twice == []
    assert evidence.verified.unread == ()


@pytest.mark.parametrize("course", [course for course in COURSES if course.is_granted], ids=str)
def test_no_access_without_a_record(minute: Minute, evidence: Evidence, course: Course) -> None:
    """Promise P2: the binding carries the receipt of the record that announced it, made before it."""
    told = minute.courses[course.name]
    log, index, size, root = told.bindings[0].body["metadata"]["annotations"]["curfew.dev/receipt"].split("/")
    intended = evidence.record(told.asked.uid, "grant.intended")

    assert log == "main"
    assert evidence.records[int(index)] == intended
    assert int(index) < int(size)
    assert len(root) == 64
    assert intended.at <= parse_time(told.bindings[0].body["metadata"]["creationTimestamp"]) + A_SECOND
    if course.phase is not None:
        receipt = told.status["grant"]["receipt"]
        assert (receipt["index"], receipt["size"], receipt["root"]) == (int(index), int(size), root)


@pytest.mark.parametrize("course", COURSES, ids=str)
def test_each_step_is_told_as_an_event(minute: Minute, course: Course) -> None:
    """Promise P11: people who watch Kubernetes Events see each step, once."""
    told = minute.courses[course.name]

    assert Counter(event["reason"] for event in told.events) == Counter(course.events.split())
    assert all(event["regarding"]["name"] == told.asked.name for event in told.events)


def test_an_event_names_who_approved(minute: Minute) -> None:
    """`kubectl describe` shows it in the one Event of the grant."""
    (granted,) = (event for event in minute.courses["takes two"].events if event["reason"] == "Granted")

    assert granted["note"].endswith("; approved by bob@example.com, dave@example.com")


def test_one_who_waits_for_the_start_gets_nothing_before(minute: Minute, measured: Measured) -> None:
    """A notBefore is kept to the second, and the window counts from there."""
    asked = minute.courses["waits for its start"].asked
    not_before = parse_time(asked.body["spec"]["notBefore"])
    binding = minute.courses["waits for its start"].bindings[0]

    limit = minute.within_a_second(not_before, binding.at)
    assert timedelta(0) <= asked.time("startsAt") - not_before < limit
    assert timedelta(0) <= binding.at - not_before < limit
    measured("from notBefore to the binding", binding.at - not_before)


def test_nobody_decided_means_no(minute: Minute) -> None:
    """The time-out comes when it was announced, and nothing was granted."""
    asked = minute.courses["times out"].asked

    decide_by, ended_at = asked.time("decideBy"), asked.time("endedAt")
    assert timedelta(0) <= ended_at - decide_by < minute.within_a_second(decide_by, ended_at)


def test_an_approval_after_the_time_is_up_is_refused_whoever_was_slow(minute: Minute, evidence: Evidence) -> None:
    """An approver decides while the operator is away, after decideBy; the operator that comes back does not make it good."""
    late = minute.late
    assert late is not None
    assert minute.late_approved is not None
    assert minute.late_approved > late.asked.time("decideBy")

    assert (late.status["phase"], late.status["endReason"]) == ("TimedOut", "NobodyDecided")
    assert [review["effect"] for review in late.status["reviews"]] == ["TooLate"]
    assert late.bindings == []
    assert evidence.story(late.asked.uid) == [
        *("request.created", "request.accepted", "review.refused", "request.timed_out", "request.closed"),
    ]


def test_no_secret_is_told_anywhere(minute: Minute, evidence: Evidence, cluster: Installed) -> None:
    """Promise P12: not what the operator was given, and not what stands on what it reads."""
    operator = minute.operator
    token = yaml.safe_load(operator.kubeconfig.read_text())["users"][0]["user"]["token"]
    key = operator.signing_key.splitlines()[1]
    secrets = {"token": token, "key": key, "S3": cluster.environment.s3.env()["AWS_SECRET_ACCESS_KEY"], "mark": SECRET}
    told = minute.courses.values()
    written = {
        "log": operator.log_file.read_text(),
        "records": b"".join(record.line() for record in evidence.records).decode(),
        "Events": json.dumps([minute.namespace_events, *(one.events for one in told)]),
        "status": json.dumps([dict(one.status) for one in told]),
        "metrics": str(minute.metrics),
    }

    assert [
        (what, where) for what, secret in secrets.items() for where, text in written.items() if secret in text
    ] == []
    assert SECRET in json.dumps([one.asked.body for one in told])


def test_the_operator_ends_when_it_is_asked_to(minute: Minute, measured: Measured) -> None:
    """SIGTERM: exit code 0, in a time that Kubernetes allows, with nothing lost (`OperatorProcess.stop` sees to both)."""
    assert minute.stopped_in is not None
    measured("from SIGTERM to the end", minute.stopped_in)


def test_the_numbers_tell_of_it(minute: Minute) -> None:
    """Promise P11, and P12: the metrics count what happened and name nobody."""

    def total(name: str, **labels: str) -> float:
        return sum(v for (known, set_), v in minute.metrics.items() if known == name and labels.items() <= set(set_))

    granted = 1 + sum(course.is_granted for course in COURSES)
    assert total("curfew_transitions_total", event="grant") >= granted
    assert total("curfew_revocation_lateness_seconds_count") >= granted - 1  # one was collected with its request
    assert total("curfew_past_expiry") == 0
    assert total("curfew_trail_healthy") == 1
    assert not [key for key in minute.metrics if "example.com" in str(key)]
