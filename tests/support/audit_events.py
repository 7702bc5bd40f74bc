"""Audit events for tests: what a real API server wrote, by the step that caused it, and one event to alter."""

import copy
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from curfew.core.activity.call import Call
from curfew.core.activity.formats.forms import Form
from curfew.core.activity.formats.reading import Events, read_lines

_RECORDED: Final = Path(__file__).parents[1] / "recorded" / "audit_events"
LINES: Final = (_RECORDED / "log.jsonl").read_bytes()
"""The log of a real API server."""

BODY: Final = (_RECORDED / "webhook.json").read_bytes()
"""What it sent to its webhook at once."""

SAMPLES: Final = Path(__file__).parents[1] / "vectors" / "audit_events"

RECORDED_AT: Final = datetime.fromisoformat(json.loads(LINES.splitlines()[-1])["stageTimestamp"])
AT: Final = datetime(2026, 11, 30, 10, 0, 40, tzinfo=UTC)
"""Soon after the events of the samples, and after `an_event`."""


def read_recorded() -> Events:
    """Return the calls of the recorded log."""
    return read_lines(LINES, Form.KUBERNETES, now=RECORDED_AT)


def recorded(step: str) -> Call:
    """Return the last event of a step, as a call."""
    return recorded_all(step)[-1]


def recorded_all(step: str) -> Sequence[Call]:
    """Return all events of a step but RequestReceived, as calls, in the order of the log."""
    return [call for call in read_recorded().calls if call.user_agent == f"recording/{step}"]


_EVENT: Final[dict[str, Any]] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "Metadata",
    "auditID": "0f1e2d3c-0000-4000-8000-000000000001",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/team-a/pods/web",
    "verb": "get",
    "user": {"username": "alice@example.com", "groups": ["system:authenticated"], "extra": {}},
    "sourceIPs": ["192.0.2.10"],
    "userAgent": "kubectl/v1.37.2",
    "objectRef": {"resource": "pods", "namespace": "team-a", "name": "web", "apiVersion": "v1"},
    "responseStatus": {"metadata": {}, "code": 200},
    "requestReceivedTimestamp": "2026-11-30T10:00:00.100000Z",
    "stageTimestamp": "2026-11-30T10:00:00.200000Z",
    "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
}


def an_event(**fields: Any) -> dict[str, Any]:
    """Return an event that can be used, with other fields; None leaves one out."""
    event = {**copy.deepcopy(_EVENT), **fields}
    return {name: value for name, value in event.items() if value is not None}
