"""How service accounts use their rights, read in the API server's audit log."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.integration.admission.test_rights import Right
from tools.servers.control_plane import ControlPlane


@dataclass(frozen=True, slots=True)
class Use:
    """One call of a service account of ours, as the API server wrote it down."""

    user: str
    right: Right
    is_ours: bool  # it was one of the chart's bindings by which it was allowed
    is_allowed: bool  # by RBAC; admission may have refused it after that
    code: int
    message: str


def uses(control_plane: ControlPlane, since: datetime, users: Collection[str]) -> Iterator[Use]:
    """Yield the calls of these users, also those that have only begun, such as watches."""
    for path in control_plane.audit_log.parent.glob("audit*.log"):  # a big one is continued in another
        for line in path.read_text().splitlines(keepends=True):
            if not line.endswith("\n"):
                break  # it is being written
            event = json.loads(line)
            if (
                event["user"].get("username") in users  # whoever could not say who they are has none
                and datetime.fromisoformat(event["requestReceivedTimestamp"]) >= since
            ):
                yield _use(event)


def _use(event: Mapping[str, Any]) -> Use:
    on, marks = event.get("objectRef", {}), event.get("annotations", {})
    resource = "/".join(filter(None, (on.get("resource", ""), on.get("subresource", ""))))
    response = event.get("responseStatus", {})
    return Use(
        event["user"]["username"],
        (on.get("apiGroup", ""), resource, event["verb"], on.get("name", "")),
        'Binding "curfew' in marks.get("authorization.k8s.io/reason", ""),
        marks.get("authorization.k8s.io/decision") == "allow",
        response.get("code", 0),
        response.get("message", ""),
    )
