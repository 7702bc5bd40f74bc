"""What the page shows of the cluster: each view reads it with the person's own kubectl, in at most a few calls."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from curfew.api.names import GROUP
from curfew.api.time_text import parse_time
from curfew.cli.kubectl import Kubectl, KubectlFailed
from curfew.cli.page.rendering import Viewer
from curfew.cli.page.scope import EVERYWHERE, PageScope
from curfew.cli.requests.access import POLICIES, RBAC, REQUESTS, ClusterAccess
from curfew.cli.requests.explain import approver_lines
from curfew.core.guidance import rules
from curfew.core.guidance.approvers import question
from curfew.core.guidance.objects import (
    FINAL_PHASES,
    Json,
    ShownPolicy,
    ShownRequest,
    parts,
    read_policy,
    read_request,
)
from curfew.core.guidance.waiting import in_order

SECONDS: Final = 20.0
ANSWER_BYTES: Final = 16 * 1024 * 1024
"""Bounds of one call of kubectl: how long it may take, and how much it may answer."""

_OPEN: Final = f"--field-selector={','.join(f'status.phase!={phase}' for phase in FINAL_PHASES)}"
_ALERT: Final = re.compile(r"alert ([0-9a-f]{6,64}) \(([A-Za-z]{1,12})\): (.*)", re.DOTALL)
_REPORTER: Final = "curfew.dev/curfew"


class EventAlert(NamedTuple):
    """An alert, as its Event in the cluster tells it."""

    id: str
    severity: str
    detector: str
    message: str
    namespace: str
    at: datetime | None


class PolicyChoice(NamedTuple):
    """A policy, and whether the caller may ask for it."""

    policy: ShownPolicy
    may_ask: bool


@dataclass(frozen=True, slots=True)
class PolicyPage:
    """Everything about one policy. `rules` is None if the caller may not read the role."""

    choice: PolicyChoice
    rules: Sequence[str] | None
    approvers: Sequence[str]


class PageCluster:
    """The cluster as the caller sees it. Each method raises `KubectlFailed`."""

    def __init__(self, access: ClusterAccess) -> None:
        """`access` is what was typed: its namespace is where a page looks that names none."""
        bounded = replace(access.kubectl, seconds=SECONDS, answer_bytes=ANSWER_BYTES)
        self._access = replace(access, kubectl=bounded)

    def viewer(self) -> Viewer:
        """Return who looks."""
        kubectl = self._access.kubectl
        context, namespace = _context(kubectl)
        return Viewer(kubectl.who_am_i(), context, self._access.namespace or namespace)

    def requests(self, scope: PageScope) -> tuple[list[ShownRequest], list[ShownRequest]]:
        """Return the open requests, and those that are over if everything is asked for."""
        return in_order(read_request(body) for body in self.bodies(scope))

    def bodies(self, scope: PageScope) -> Sequence[Json]:
        """Return the requests as the API server has them."""
        few = [] if scope.everything else [_OPEN]
        return parts(self._access.kubectl.read(["get", REQUESTS, *self._where(scope), *few]), "items")

    def request(self, scope: PageScope) -> ShownRequest:
        """Return the request that is named."""
        return replace(self._access, namespace=scope.namespace).request(scope.name)

    def policies(self, scope: PageScope) -> list[PolicyChoice]:
        """Return the policies, those first that are open to the caller."""
        found = self._access.kubectl.read(["get", POLICIES, *self._where(scope)])
        policies = [read_policy(body) for body in parts(found, "items")]
        mine = self._access.may([question(one.namespace, one.name, "request") for one in policies]) if policies else []
        choices = [PolicyChoice(one, may) for one, may in zip(policies, mine, strict=True)]
        return sorted(choices, key=lambda one: (not one.may_ask, one.policy.namespace, one.policy.name))

    def policy(self, scope: PageScope) -> PolicyPage:
        """Return the policy that is named."""
        access = replace(self._access, namespace=scope.namespace)
        found = read_policy(access.kubectl.read(["get", POLICIES, scope.name, *access.within()]))
        if not found.uid:
            raise KubectlFailed("kubectl did not answer with an AccessPolicy; check that KUBECTL_PATH names kubectl")
        questions = [
            question(found.namespace, found.name, "request"),
            _may_read(f"{found.role.kind.lower()}s", found.namespace, found.role.name),
            *(_may_read(kind, found.namespace) for kind in ("rolebindings", "roles")),
            *(_may_read(kind) for kind in ("clusterrolebindings", "clusterroles")),
        ]
        # What is refused would be recorded as tried, each time that the page loads.
        may_ask, may_read_role, *may_read = access.may(questions)
        role = access.rules(found.role, found.namespace) if may_read_role else None
        told = list(rules.in_words(role[1])) if role is not None else None
        return PolicyPage(PolicyChoice(found, may_ask), told, approver_lines(access, found, may_read=all(may_read)))

    def receipts(self, scope: PageScope) -> Sequence[Json]:
        """Return the requests that hold receipts: of all namespaces, or of one if the caller may not read all."""
        (may_read,) = self._access.may([_may_read("accessrequests", group=GROUP)])
        return self.bodies((scope.everywhere() if may_read else scope)._replace(everything=True))

    def alerts(self, scope: PageScope) -> list[EventAlert]:
        """Return the alerts that the cluster has Events of, the last first."""
        wanted = f"--field-selector=type=Warning,reportingComponent={_REPORTER}"
        found = self._access.kubectl.read(["get", "events", *self._where(scope), wanted])
        alerts = [told for body in parts(found, "items") if (told := _alert(body)) is not None]
        return sorted(alerts, key=lambda one: one.at.timestamp() if one.at is not None else 0.0, reverse=True)

    def _where(self, scope: PageScope) -> list[str]:
        return ["--all-namespaces"] if scope.within == EVERYWHERE else self._access.within(scope.within)


def _context(kubectl: Kubectl) -> tuple[str, str]:
    """Return the context and its namespace; nothing inside a pod, where kubectl needs no context."""
    try:
        config = kubectl.read(["config", "view", "--minify"])
    except KubectlFailed:
        return "", ""
    named = parts(config, "contexts")[:1]
    inside = named[0].get("context") if named else None
    return _text(named[0] if named else {}, "name"), _text(inside if isinstance(inside, Mapping) else {}, "namespace")


def _may_read(resource: str, namespace: str = "", name: str = "", group: str = RBAC) -> dict[str, Any]:
    """Return the question whether the caller may read an object, or list them if it has no name."""
    attributes = {"group": group, "resource": resource, "verb": "get" if name else "list"}
    named = {key: value for key, value in (("namespace", namespace), ("name", name)) if value}
    if resource.startswith("cluster"):
        named.pop("namespace", None)
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes | named},
    }


def _alert(body: Json) -> EventAlert | None:
    told = _ALERT.fullmatch(_text(body, "message"))
    if told is None:
        return None
    meta = body.get("metadata")
    where = _text(meta, "namespace") if isinstance(meta, Mapping) else ""
    at = next((time for key in ("eventTime", "lastTimestamp") if (time := _time(_text(body, key)))), None)
    return EventAlert(told[1], told[2], _text(body, "reason"), told[3], where, at)


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _time(text: str) -> datetime | None:
    try:
        return parse_time(text)
    except ValueError:
        return None
