"""Objects that are good by default; a test changes the one thing it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from curfew.api.times import format_duration, format_time

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
ALICE, BOB, CAROL, DAVE = ("alice@example.com", "bob@example.com", "carol@example.com", "dave@example.com")


def a_request(name: str = "inc-4711", *, created: datetime = NOON, **spec: Any) -> dict[str, Any]:
    """Return an AccessRequest by alice for the policy debug, as she would apply it."""
    body = {
        "policyName": "debug",
        "requester": ALICE,
        "submittedBy": ALICE,
        "duration": "1h",
        "reason": "payment workers crash-loop",
        "ticket": "INC-4711",
        **spec,
    }
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": name, "namespace": "payments", "creationTimestamp": format_time(created)},
        "spec": {key: value for key, value in body.items() if value is not None},
    }


def a_policy(name: str = "debug", *, created: datetime = NOON, **spec: Any) -> dict[str, Any]:
    """Return an AccessPolicy for the ClusterRole payments-debug that needs one other person."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": name, "namespace": "payments", "creationTimestamp": format_time(created)},
        "spec": {
            "roleRef": {"kind": "ClusterRole", "name": "payments-debug"},
            "maxDuration": format_duration(timedelta(hours=4)),
            "decideWithin": "1h",
            "approval": {"mode": "Review", "count": 1},
            "limits": {"activePerRequester": 10, "pendingPerRequester": 10},
            **spec,
        },
    }


def a_role(name: str = "payments-debug", **changes: Any) -> dict[str, Any]:
    """Return a ClusterRole that reads pods."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "creationTimestamp": format_time(NOON)},
        "rules": [{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]}],
        **changes,
    }


def a_lock(name: str = "lock", *, created: datetime = NOON, **spec: Any) -> dict[str, Any]:
    """Return carol's AccessLock on alice, without an end."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessLock",
        "metadata": {"name": name, "creationTimestamp": format_time(created)},
        "spec": {"target": {"person": ALICE}, "reason": "credentials leaked", "submittedBy": CAROL, **spec},
    }


def a_decision(by: str = BOB, decision: str = "Approve", **more: str) -> dict[str, str]:
    """Return bob's approval."""
    return {"by": by, "decision": decision, **more}
