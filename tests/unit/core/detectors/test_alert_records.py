"""What the records of alerts hold, and that they are read back as they were."""

from dataclasses import replace
from datetime import timedelta

import pytest

from curfew.audit.finding_info import FindingInfo
from curfew.audit.record import CURFEW, Record, make_record
from curfew.core.detectors.alert import Alert, Evidence, Severity, WhichLog
from curfew.core.detectors.all import DETECTORS, tunings
from curfew.core.detectors.privilege import Privilege
from curfew.core.detectors.records import (
    MOST_EVIDENCE,
    Position,
    alert_id,
    checked,
    configured,
    position_of,
    raised,
    resolved,
    told,
)
from curfew.core.detectors.silences import AlertSilence, silence_ended, silence_of, silenced
from curfew.core.detectors.tuning import TuningRefused
from tests.support.builders import ALICE, BOB, NOON
from tests.support.ocsf import validate
from tests.support.stories import a_story

LOG = "main-activity"
ALERT = Alert(
    detector="ManyRequests",
    key=ALICE,
    at=NOON,
    severity=Severity.CRITICAL,
    title="Many requests by one person",
    message=f"{ALICE} asked 4 times",
    trigger=None,
    evidence=tuple(Evidence(WhichLog.TRAIL, index, f"id-{index}") for index in range(80)),
    people=(ALICE, BOB),
    namespace="payments",
    policy="debug",
    values={"requests": 4, "long": "x" * 9999},
)


def every_record() -> list[Record]:
    silence = AlertSilence("s-1", "night", NOON, "a test", BOB, "ManyRequests", ALICE, "payments", "debug")
    return [
        raised(ALERT, LOG, silenced_by="s-1"),
        resolved(
            LOG, "ab" * 16, detector="X", key="k", title="t", people=(ALICE,), at=NOON, why="w", by=BOB, reason="r"
        ),
        silenced(silence, LOG, at=NOON),
        silence_ended(silence, LOG, at=NOON, why="its end has come"),
        checked(LOG, Position(NOON, 3, 4), at=NOON),
        configured(LOG, detectors={}, policies={}, off=["Probing"], changed=["Probing"], at=NOON),
    ]


@pytest.mark.parametrize("record", every_record(), ids=lambda record: record.event)
def test_each_is_an_ocsf_event_with_the_details_of_the_catalogue(record: Record) -> None:
    validate(record)


def test_an_alert_is_read_back() -> None:
    alert = told(raised(ALERT, LOG, silenced_by="s-1"))

    assert alert is not None
    assert alert.id == alert_id(ALERT, LOG)
    same = ("detector", "key", "severity", "title", "message", "at", "people", "namespace", "policy", "story")
    assert [getattr(alert, name) for name in same] == [getattr(ALERT, name) for name in same]
    assert alert.silenced_by == "s-1"
    assert alert.values == {"requests": 4, "long": "x" * 512}
    assert [one.index for one in alert.evidence] == [*range(10), *range(40, 80)]
    assert len(alert.evidence) == MOST_EVIDENCE


def test_an_alert_about_a_request_is_about_its_story() -> None:
    record = raised(replace(ALERT, story=a_story(1)), LOG)
    alert = told(record)

    assert record.subject == "uid-1"
    assert alert is not None
    assert alert.story == a_story(1)


def test_its_severity_and_its_detector_are_where_a_siem_looks() -> None:
    body = raised(ALERT, LOG).body
    assert (body["severity_id"], body["finding_info"]["types"]) == (5, ["ManyRequests"])
    assert body["finding_info"]["uid"] == body["metadata"]["uid"]


def test_the_same_alert_has_the_same_id_and_another_cause_another() -> None:
    assert alert_id(ALERT, LOG) == alert_id(replace(ALERT, message="else"), LOG)
    others = [replace(ALERT, key=BOB), replace(ALERT, at=NOON + timedelta(seconds=1)), replace(ALERT, detector="X")]
    assert len({alert_id(one, LOG) for one in (ALERT, *others)}) == 4


def test_an_alert_that_the_monitor_records_while_it_takes_calls_is_read_too() -> None:
    story = a_story(1)
    record = make_record(
        "alert.used_after_end", at=NOON, actor=BOB, message="m", story=story, finding=FindingInfo("u", "Used after")
    )
    alert = told(record)

    assert alert is not None
    assert (alert.detector, alert.severity, alert.people) == ("UsedAfterEnd", Severity.HIGH, (ALICE, BOB))
    assert (alert.namespace, alert.policy, alert.title) == ("payments", "debug", "Used after")


@pytest.mark.parametrize("detail", [{}, {"detector": 1}, {"detector": "X", "key": "k", "severity": "Odd"}])
def test_a_record_that_is_no_alert_is_none(detail: dict[str, object]) -> None:
    assert told(make_record("alert.raised", at=NOON, actor=CURFEW, message="m", subject=LOG, detail=detail)) is None
    assert told(checked(LOG, Position(NOON, 0, 0), at=NOON)) is None


def test_a_place_and_a_silence_are_read_back() -> None:
    position = Position(NOON, 3, 4)
    assert position_of(checked(LOG, position, at=NOON)) == position
    silence = AlertSilence("s-1", "night", NOON, "a test", BOB, person=ALICE)
    assert silence_of(silenced(silence, LOG, at=NOON)) == silence
    assert str(silence) == f"alerts about {ALICE}"


@pytest.mark.parametrize(
    ("usual", "by_policy", "message"),
    [
        ({"Nothing": {}}, {}, "there is no detector Nothing; there are ManyRequests, "),
        ({}, {("n", "p"): {"Nothing": {}}}, "there is no detector Nothing"),
        ({"Probing": {"refusal": 1}}, {}, "Probing has no setting refusal; it has different, enabled, quiet, refusals"),
        (
            {},
            {("n", "p"): {"Probing": {"within": "0s"}}},
            "Probing for n/p: within: is 0s; write a duration from 1s to",
        ),
        ({"Probing": {"refusals": "many"}}, {}, "Probing: refusals: Input should be a valid integer"),
    ],
)
def test_wrong_settings_name_what_is_wrong(
    usual: dict[str, dict[str, object]], by_policy: dict[tuple[str, str], dict[str, dict[str, object]]], message: str
) -> None:
    with pytest.raises(TuningRefused, match=message):
        tunings(usual, by_policy)


def test_what_is_not_written_for_a_policy_is_as_usual() -> None:
    tuned = tunings({"ManyRequests": {"requests": 9}}, {("n", "p"): {"ManyRequests": {"within": "5m"}}})["ManyRequests"]
    assert (tuned.of("n", "p").requests, tuned.of("n", "p").within) == (9, timedelta(minutes=5))
    assert tuned.of("n", "q") == tuned.usual


@pytest.mark.parametrize("name", DETECTORS)
def test_all_settings_can_be_recorded(name: str) -> None:
    settings = {name: model().to_json() for name, (_, model) in DETECTORS.items()}
    configured(LOG, detectors=settings, policies={}, off=[], changed=[], at=NOON).line()
    make, _ = DETECTORS[name]
    assert make(tunings({}, {})[name], Privilege()).name == name
