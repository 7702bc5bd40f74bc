"""Where a log is written is not as it was."""

from typing import Any

from curfew.audit.record import CURFEW, Record, make_record
from curfew.core.detectors.alert import Severity, WhichLog
from tests.support.builders import NOON
from tests.support.findings import Fold

DAY = 86_400


def attested(*, sufficient: bool = True, store: str = "s3://audit/curfew") -> Record:
    findings = [] if sufficient else ["The bucket has no Object Lock."]
    return about("audit.attested", sufficient=sufficient, store=store, findings=findings)


def about(event: str, **detail: Any) -> Record:
    return make_record(event, at=NOON, actor=CURFEW, message=f"{event}.", subject="main", detail=detail)


def test_a_store_that_is_not_write_once_any_more() -> None:
    fold = Fold("SinkChanged")
    fold.learn(attested(), attested(), attested(sufficient=False), attested())

    (alert,) = fold.alerts
    assert alert.severity is Severity.HIGH
    assert alert.message == "audit.attested."
    assert alert.quiet is None
    assert fold.ends[-1].key == alert.key


def test_a_store_that_never_was_is_less_bad() -> None:
    fold = Fold("SinkChanged")
    fold.learn(attested(sufficient=False))
    assert [alert.severity for alert in fold.alerts] == [Severity.LOW]


def test_another_store() -> None:
    fold = Fold("SinkChanged")
    fold.learn(attested(), attested(store="s3://mine"))
    assert [alert.message for alert in fold.alerts] == [
        "the log of activity is written to s3://mine now, and no longer to s3://audit/curfew"
    ]


def test_the_two_logs_have_each_their_store() -> None:
    fold = Fold("SinkChanged")
    fold.learn(attested())
    fold.learn(attested(store="s3://other"), log=WhichLog.TRAIL)
    assert fold.alerts == []


def test_records_that_are_kept_for_less_time() -> None:
    fold = Fold("SinkChanged")
    fold.learn(*(about("audit.begins_at", keep_for=days * DAY) for days in (400, 400, 500)))
    assert fold.alerts == []
    fold.learn(about("audit.begins_at", keep_for=30 * DAY))
    assert [alert.message for alert in fold.alerts] == [
        "the log of activity keeps its records for 30 days now, and kept them for 500 days before"
    ]


def test_another_key_and_a_part_that_does_not_read_back() -> None:
    fold = Fold("SinkChanged")
    fold.learn(about("audit.key_rotated"), about("audit.verification_failed", segment="a"))
    fold.learn(about("audit.verification_failed", segment="b"))
    assert [alert.severity for alert in fold.alerts] == [Severity.MEDIUM, Severity.CRITICAL, Severity.CRITICAL]
    assert len({alert.key for alert in fold.alerts}) == 3
