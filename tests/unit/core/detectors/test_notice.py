"""The Event for an alert is on what it is about, whatever the names in it are."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from curfew.audit.record import Story
from curfew.core.detectors.alert import Severity
from curfew.core.detectors.notice import about_alert
from curfew.core.detectors.records import ToldAlert

STORY = Story(uid="uid-1", namespace="payments", request="inc-4711")
ALERT = ToldAlert(
    id="6f1b0a4c9d2e4f5a8b7c6d5e4f3a2b1c",
    detector="RefusedDecision",
    key="k",
    severity=Severity.HIGH,
    title="A decision was refused",
    message="alice@example.com tried to approve her own request",
    at=datetime(2026, 11, 24, 12, tzinfo=UTC),
    people=("alice@example.com",),
    namespace="payments",
    policy="debug",
    story=STORY,
)


@pytest.mark.parametrize(
    ("alert", "kind", "namespace"),
    [
        (ALERT, "AccessRequest", "payments"),
        (replace(ALERT, story=None), "Namespace", "payments"),
        (replace(ALERT, story=None, namespace=""), "Namespace", "curfew-system"),
        (replace(ALERT, story=None, namespace="../kube-system"), "Namespace", "curfew-system"),
        (replace(ALERT, story=replace(STORY, request="a/b")), "Namespace", "payments"),
    ],
    ids=["request", "namespace", "neither", "no name of a namespace", "no name of a request"],
)
def test_it_is_on_what_the_alert_is_about(alert: ToldAlert, kind: str, namespace: str) -> None:
    notice = about_alert(alert, "curfew-system")

    assert (notice.regarding.kind, notice.namespace, notice.regarding.namespace) == (kind, namespace, namespace)
    assert (notice.type, notice.reason, notice.action) == ("Warning", "RefusedDecision", "Alert")
    assert notice.key == f"alert/{ALERT.id}"


def test_its_sentence_begins_with_the_id_and_hides_nothing() -> None:
    """A name may hold what a terminal obeys."""
    notice = about_alert(replace(ALERT, message="\x1b[2J\u202emallory" + "x" * 2000), "curfew-system")

    assert notice.note.startswith(f"alert {ALERT.id} (High): ")
    assert "\x1b" not in notice.note
    assert "\u202e" not in notice.note
    assert len(notice.note) <= 1024
