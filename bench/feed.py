"""Audit events as an API server sends them: recorded ones, varied. Most are nobody's; some are calls under grants."""

import json
import random
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

import orjson

from curfew.api.times import format_time
from curfew.core.activity.session import Session
from tools.installation import CHECKOUT

RECORDED: Final = CHECKOUT / "tests" / "recorded" / "audit_events" / "webhook.json"
"""A body that a real kube-apiserver sent to its webhook. It holds the calls of one person."""

BATCH: Final = 400
"""Most events that kube-apiserver sends at once (--audit-webhook-batch-max-size)."""

_VERBS: Final = ("get", "list", "watch", "update", "patch", "create", "delete")
_NOBODYS: Final = 400
_NEAR: Final = 0.1
"""How many of nobody's calls are made by controllers in namespaces in which somebody holds a grant."""


class AuditEvents:
    """Makes EventLists, each event once."""

    def __init__(self, sessions: Sequence[Session], share: float, seed: int = 1) -> None:
        """Let a `share` of the events be calls under these grants."""
        self._sessions = sessions
        self._share = share
        self._chance = random.Random(seed)  # noqa: S311  to be had again, not secret
        items = json.loads(RECORDED.read_bytes())["items"]
        self._templates = [item for item in items if item["stage"] == "ResponseComplete"]
        self._nobodys = [self._nobody(number) for number in range(_NOBODYS)]
        self._numbers = count()

    def body(self, events: int, at: datetime) -> tuple[bytes, int]:
        """Return an EventList of calls that were made just before an instant, and how many of them belong to a session."""
        items: list[dict[str, Any]] = []
        attributed = 0
        for _ in range(events):
            is_sessions = self._chance.random() < self._share
            attributed += is_sessions
            item = self._of_session() if is_sessions else self._chance.choice(self._nobodys)
            received = at - timedelta(microseconds=self._chance.randrange(100_000, 900_000))
            items.append(
                {
                    **item,
                    "auditID": str(uuid.UUID(int=self._chance.getrandbits(128), version=4)),
                    "requestReceivedTimestamp": format_time(received),
                    "stageTimestamp": format_time(received + timedelta(milliseconds=5)),
                }
            )
        made = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items}
        return orjson.dumps(made), attributed

    def _of_session(self) -> dict[str, Any]:
        session, item = self._chance.choice(self._sessions), self._chance.choice(self._templates[:1])
        role = f'{session.role.kind} "{session.role.name}"' if session.role else ""
        binding = f'RoleBinding "{session.binding}/{session.namespace}"'
        reason = f'RBAC: allowed by {binding} of {role} to User "{session.requester}"'
        return self._varied(item, session.requester, session.namespace, f"pod-{next(self._numbers) % 5000}", reason)

    def _nobody(self, number: int) -> dict[str, Any]:
        """Return a call of a controller or of a person who holds no grant."""
        namespace = f"team-{number % 50}"
        if self._sessions and self._chance.random() < _NEAR:
            namespace = self._chance.choice(self._sessions).namespace
        user = f"system:serviceaccount:{namespace}:controller-{number}"
        reason = (
            f'RBAC: allowed by ClusterRoleBinding "controller-{number}" of ClusterRole "controller" to ServiceAccount '
        )
        item = self._varied(
            self._chance.choice(self._templates),
            user,
            namespace,
            f"pod-{number}",
            f'{reason}"controller-{number}/{namespace}"',
        )
        verb = self._chance.choice(_VERBS)
        return {**item, "verb": verb, "userAgent": f"controller-{number}/v1.37.2 (linux/amd64) kubernetes/$Format"}

    def _varied(self, item: dict[str, Any], user: str, namespace: str, name: str, reason: str) -> dict[str, Any]:
        target = {**item["objectRef"], "namespace": namespace, "name": name}
        return {
            **item,
            "requestURI": f"/api/v1/namespaces/{namespace}/{target['resource']}/{name}",
            "user": {**item["user"], "username": user},
            "objectRef": target,
            "annotations": {
                "authorization.k8s.io/decision": "allow",
                "authorization.k8s.io/reason": reason,
            },
        }
