"""What an API server writes of the calls around one grant: lines of audit.k8s.io/v1, for the log of the specification."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from curfew.api.times import format_time
from tests.support.logs import BEGIN, ALog, opened
from tests.vectors.make_vectors import ALICE, ASKED, BEGUN, BOB, DECIDED, ENDED, the_story

UID = "6f1e8c1e-7d6b-4b86-a5a5-0c6b0f3f5a11"
OPERATOR = "system:serviceaccount:curfew-system:curfew"
MS = timedelta(milliseconds=1)


def event(verb: str, what: str, at: datetime, user: str, code: int = 200, **more: Any) -> dict[str, Any]:
    """Return the event of a call that the API server got at a time; `what` is resource[/name[/subresource]]."""
    resource, _, rest = what.partition("/")
    name, _, subresource = rest.partition("/")
    group, version = ("curfew.dev", "v1alpha1") if resource == "accessrequests" else ("rbac.authorization.k8s.io", "v1")
    target = {"resource": resource, "namespace": "payments", "name": name, "apiGroup": group, "apiVersion": version}
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"{verb}-{what}-{at:%H%M%S%f}",
        "stage": "ResponseComplete",
        "requestURI": f"/apis/{group}/{version}/namespaces/payments/{what}",
        "verb": verb,
        "user": {"username": user, "groups": ["system:authenticated"]},
        "objectRef": {**target, **({"subresource": subresource} if subresource else {})},
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": format_time(at),
        "stageTimestamp": format_time(at + 3 * MS),
        "annotations": {"authorization.k8s.io/decision": "allow"},
        **more,
    }


def the_events() -> list[dict[str, Any]]:
    """Return what the API server writes of the specification's request, from asking to the end."""
    binding, request = f"rolebindings/curfew-{UID}", "accessrequests/inc-4711"
    decision = {"curfew-request-decision/decision": "Approve"}
    return [
        event("get", "pods/web", BEGIN, ALICE),
        event("create", request, ASKED + 4 * MS, ALICE, 201),
        event("patch", f"{request}/status", DECIDED - 9 * MS, BOB, annotations=decision),
        event("create", binding, BEGUN, OPERATOR, 201),
        event("delete", binding, ENDED, OPERATOR),
        event("get", "pods/web", ENDED + timedelta(minutes=2), ALICE),
    ]


def as_lines(events: Sequence[dict[str, Any]]) -> bytes:
    """Return events as the API server writes them into a file."""
    return b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in events)


def sealed_on_time(*, without: Sequence[str] = ()) -> ALog:
    """Return the specification's request in a log whose segments were sealed when the records were made."""
    log = ALog()
    log.append([opened(log.signer)], BEGIN)
    told = [record for record in the_story() if record.event not in without]
    for record in told:
        log.append([record], max(record.at + 8 * MS, log.head.at or BEGIN))
    for minutes in range(1, 4):
        log.append([], ENDED + timedelta(minutes=minutes))
    return log
