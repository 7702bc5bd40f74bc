"""What people answer to alerts becomes records, each once; answers that nobody may give have no effect."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from curfew.audit.record import Record
from curfew.core.detectors.alert import Alert, Seen, Severity, WhichLog
from curfew.core.detectors.engine import Engine
from curfew.core.detectors.records import alert_id, raised
from curfew.core.detectors.responses import Answers

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LOG = "main-activity"
ALICE, CAROL = "alice@example.com", "carol@example.com"


def an_alert(at: datetime = NOW, key: str = "k") -> Alert:
    """Return an alert about alice."""
    return Alert(
        detector="ManyRequests",
        key=key,
        at=at,
        severity=Severity.MEDIUM,
        title="Many requests by one person",
        message="alice asked often",
        trigger=None,
        people=(ALICE,),
    )


ALERT = alert_id(an_alert(), LOG)


class Log:
    """The log of activity, as the engine and the answers learn it."""

    def __init__(self, *before: Record) -> None:
        self.engine = Engine((), log=LOG, now=NOW)
        self.answers = Answers(self.engine, LOG)
        self.records: list[Record] = []
        self.append(raised(an_alert(), LOG), *before)
        self.engine.begin(NOW)
        self.append(*self.engine.take())

    def append(self, *records: Record) -> None:
        """Append records, and learn them as a monitor does."""
        for record in records:
            self.engine.learn(Seen(record, WhichLog.ACTIVITY, len(self.records)))
            self.answers.learn(record)
            self.records.append(record)

    def look(self, *manifests: Mapping[str, Any], at: datetime = NOW) -> tuple[str, ...]:
        """Look at the answers in the cluster, and return what has no effect and why."""
        answered = self.answers.look(manifests, at)
        self.append(*answered.records)
        self.append(*self.engine.take())
        return answered.refused

    def events(self) -> list[str]:
        """Return what happened since the alert."""
        return [record.event for record in self.records[1:]]


def response(uid: str = "u-1", *, by: str = CAROL, **spec: Any) -> dict[str, Any]:
    """Return an AlertResponse."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AlertResponse",
        "metadata": {"name": f"answer-{uid}", "uid": uid},
        "spec": {"reason": "a drill", "submittedBy": by, **spec},
    }


def resolve(uid: str = "u-1", alert: str = ALERT, **more: Any) -> dict[str, Any]:
    """Return an answer that resolves an alert."""
    return response(uid, action="Resolve", alert=alert, **more)


def silence(uid: str = "u-1", **more: Any) -> dict[str, Any]:
    """Return an answer that silences a detector for an hour."""
    ends = (NOW + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    return response(uid, action="Silence", **{"detector": "ManyRequests", "endsAt": ends, **more})


def test_a_person_resolves_an_alert_once() -> None:
    log = Log()

    assert log.look(resolve()) == ()
    assert log.look(resolve(), resolve("u-2")) == ()

    assert log.events() == ["alert.resolved"]
    assert log.records[-1].block["actor"] == CAROL
    assert log.records[-1].block["detail"]["reason"] == "a drill"
    assert log.engine.open() == ()


def test_an_answer_that_the_log_holds_has_no_second_effect_after_a_restart() -> None:
    log = Log()
    log.look(resolve(), silence("u-2"))

    again = Log(*log.records[1:])

    assert again.look(resolve(), silence("u-2")) == ()
    assert again.records == log.records


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (resolve(by=ALICE), "alice@example.com cannot resolve an alert about themselves"),
        (resolve(alert="0" * 32), "is not open"),
        (silence(person=ALICE, by=ALICE), "nobody can silence alerts about themselves"),
        (resolve(by="ALICE@example.com"), "ALICE@example.com cannot resolve an alert about themselves"),
        (silence(person="Alice@example.com", by=ALICE), "nobody can silence alerts about themselves"),
        (silence(endsAt="9999-12-31T00:00:00Z"), "would silence for more than 90 days"),
        (silence(detector=None), "names nothing that it silences"),
        (response(action="Forget"), "cannot be read"),
        ({"metadata": None, "spec": []}, "cannot be read"),
    ],
    ids=[
        "own alert",
        "no alert",
        "own alerts",
        "own alert, other spelling",
        "own alerts, other spelling",
        "for ever",
        "everything",
        "no action",
        "rubbish",
    ],
)
def test_some_answers_have_no_effect(answer: dict[str, Any], why: str) -> None:
    """Admission refuses most of them already. Each is reported once."""
    log = Log()

    (said,) = log.look(answer)

    assert why in said
    assert log.look(answer) == ()
    assert log.events() == []


def test_a_silence_holds_until_its_end() -> None:
    log = Log()

    log.look(silence())
    held = log.engine.silences.covering(an_alert(NOW + timedelta(minutes=30)))
    log.look(silence(), at=NOW + timedelta(hours=1))

    assert held is not None
    assert held.by == CAROL
    assert log.events() == ["alert.silenced", "alert.silence_ended"]
    assert "its time has come" in log.records[-1].message
    assert log.engine.silences.all() == ()


def test_nobody_silences_alerts_about_themselves_by_another_spelling() -> None:
    log = Log()

    log.look(silence(by="Alice@Example.com"))

    assert log.events() == ["alert.silenced"]
    assert log.engine.silences.covering(an_alert()) is None


def test_a_silence_ends_when_its_object_is_deleted() -> None:
    log = Log()

    log.look(silence(), silence("u-2", detector="OffHours"))
    log.look(silence("u-2", detector="OffHours"))

    assert log.events() == ["alert.silenced", "alert.silenced", "alert.silence_ended"]
    assert [one.uid for one in log.engine.silences.all()] == ["u-2"]
    assert "was deleted" in log.records[-1].message


def test_a_silence_that_is_over_before_it_is_seen_is_not_recorded() -> None:
    log = Log()

    log.look(silence(), at=NOW + timedelta(hours=2))

    assert log.events() == []
