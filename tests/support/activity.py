"""A monitor without servers: a trail, a feed of calls, a log that holds each record once, and what follows from them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from curfew.api.activity import Activity
from curfew.api.names import binding_name
from curfew.audit.record import CURFEW, Record, RoleRef, Story, make_record
from curfew.core.activity import records
from curfew.core.activity.attribution import Attribution, Found
from curfew.core.activity.call import Call, Caller, CallStage
from curfew.core.activity.coverage import Coverage
from curfew.core.activity.session import Session
from curfew.core.activity.sessions import Sessions
from curfew.core.activity.tally import SessionTally
from curfew.core.activity.verdict import assess
from tests.support.builders import ALICE, BOB, NOON

UID = "6f1e8c1e-7d6b-4b86-a5a5-0c6b0f3f5a11"
OTHER_UID = "9d2c7a4b-1e3f-4c55-8d6e-2b7f8a9c0d1e"
END = NOON + timedelta(hours=1)

EDIT = (
    {"apiGroups": ["", "apps", "batch"], "resources": ["*"], "verbs": ["*"]},
    {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings"], "verbs": ["create", "patch", "delete"]},
)
"""The rules of the role that is granted: nearly everything in the namespace."""


def announced(
    uid: str = UID,
    *,
    at: datetime = NOON,
    rules: Sequence[Mapping[str, Any]] = EDIT,
    on_end: str | None = None,
    **told: Any,
) -> Record:
    """Return the announcement of a grant to alice in payments, for an hour."""
    story = Story(
        **{
            "uid": uid,
            "namespace": "payments",
            "request": f"inc-{uid[:4]}",
            "requester": ALICE,
            "ticket": "INC-4711",
            "duration": 3600,
            "role": RoleRef("ClusterRole", "payments-debug", "role-uid", "5e" * 32),
            "starts_at": at,
            "expires_at": at + timedelta(hours=1),
            **told,
        }
    )
    detail = {"terms": "ab" * 32, "rules": [dict(rule) for rule in rules]}
    if on_end is not None:
        detail["on_end"] = on_end
    return make_record("grant.intended", at=at, actor=CURFEW, message="it will be held", story=story, detail=detail)


def ended(uid: str = UID, *, at: datetime = END, event: str = "grant.expired") -> Record:
    """Return the record of a grant's end."""
    story = Story(uid=uid, namespace="payments", request=f"inc-{uid[:4]}", requester=ALICE, duration=3600, ended_at=at)
    return make_record(event, at=at, actor=CURFEW, message="it is over", story=story)


def kept(
    uid: str = UID, *, by: str = BOB, at: datetime = END, reason: str = "it is the fix", event: str = "review.submitted"
) -> Record:
    """Return the record of a decision to keep what is left."""
    story = Story(uid=uid, namespace="payments", request=f"inc-{uid[:4]}", requester=ALICE, duration=3600)
    detail = {"decision": "Keep", "effect": "TookEffect", "reason": reason}
    return make_record(event, at=at, actor=by, message="kept", story=story, qualifier=f"{by}/Keep", detail=detail)


def reason(
    uid: str = UID, *, namespace: str = "payments", role: str = "payments-debug", user: str = ALICE, binding: str = ""
) -> str:
    """Return the reason that RBAC gives for a call that a grant's binding allowed."""
    name = binding or binding_name(uid)
    return f'RBAC: allowed by RoleBinding "{name}/{namespace}" of ClusterRole "{role}" to User "{user}"'


STANDING = f'RBAC: allowed by ClusterRoleBinding "admins" of ClusterRole "admin" to User "{ALICE}"'

_number = 0


def a_call(verb: str = "get", what: str = "pods/web-0", **changes: Any) -> Call:
    """Return a call of alice under her grant. `what` is resource.group/name, and its subresource: `pods/web (exec)`."""
    global _number
    _number += 1
    place, _, subresource = what.removesuffix(")").partition(" (")
    kind, _, name = place.partition("/")
    resource, _, group = kind.partition(".")
    at = changes.pop("at", NOON + timedelta(minutes=10))
    caller = changes.pop("caller", None) or Caller(changes.pop("user", ALICE), credential="X509SHA256=05fb")
    lasted = changes.pop("lasted", timedelta(milliseconds=4))
    code = changes.pop("code", {"create": 201}.get(verb, 200))
    known = {
        "audit_id": f"audit-{_number}",
        "stage": CallStage.RESPONSE_COMPLETE,
        "received_at": at,
        "at": at + lasted,
        "verb": verb,
        "uri": f"/api/{resource}/{name}",
        "group": group,
        "version": "v1",
        "resource": resource,
        "subresource": subresource,
        "namespace": "payments",
        "name": name,
        "code": code,
        "uid": f"uid-{_number}" if verb == "delete" and code in (200, 202) else "",  # the API server names what is gone
        "source_addresses": ("192.0.2.7",),
        "user_agent": "kubectl/v1.37.2",
        "decision": "allow",
        "reason": reason(),
        **changes,
    }
    return Call(caller=caller, **known)


def refused(verb: str = "delete", what: str = "secrets/db", **changes: Any) -> Call:
    """Return a call that RBAC refused."""
    return a_call(verb, what, **{"code": 403, "decision": "forbid", "reason": "", **changes})


def of_account(
    verb: str = "get",
    what: str = "configmaps/settings",
    *,
    credential: str | None = None,
    pod: tuple[str, str] | None = None,
    **changes: Any,
) -> Call:
    """Return a call of a service account, with a credential of its own, perhaps from a pod."""
    name = changes.pop("account", "system:serviceaccount:payments:deployer")
    why = 'RBAC: allowed by RoleBinding "deployer/payments" of ClusterRole "edit" to ServiceAccount "deployer/payments"'
    return a_call(verb, what, **{"caller": Caller(name, credential=credential, pod=pod), "reason": why, **changes})


def whole(since: datetime = NOON - timedelta(minutes=5), until: datetime = END + timedelta(minutes=5)) -> Record:
    """Return the record of a feed that was whole."""
    return records.coverage_confirmed(
        "main-activity",
        since=since,
        until=until,
        sources=["node-1"],
        servers=1,
        classes=["Get", "List", "Update", "Refused"],
    )


@dataclass
class AMonitor:
    """Attributes calls and keeps a log. Its verdicts follow from the trail and that log."""

    trail: list[Record] = field(default_factory=lambda: [announced(), ended()])
    log: dict[str, Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start with what trail and log hold."""
        self.restart()

    def restart(self) -> None:
        """Forget everything that is not in trail or log."""
        self.sessions = Sessions()
        for record in self.trail:
            self.sessions.learn(record)
        self.attribution = Attribution(self.sessions)
        self.tallies: dict[str, SessionTally] = {}
        for record in self.log.values():
            self.attribution.learn(record)
            self._count(record)

    def arrives(self, *calls: Call) -> list[Found]:
        """Attribute calls, and write down what they lead to."""
        return [found for call in calls for found in self.keep(self.attribution.attribute(call))]

    def keep(self, found: Iterable[Found]) -> list[Found]:
        """Write down what calls led to."""
        kept = list(found)
        for one in kept:
            if one.record.id not in self.log:
                self.log[one.record.id] = one.record
                self._count(one.record)
        return kept

    def announce(self, *told: Record) -> None:
        """Let the trail have more records."""
        for record in told:
            self.trail.append(record)
            self.sessions.learn(record)

    def session(self, uid: str = UID) -> Session:
        """Return a grant."""
        session = self.sessions.get(uid)
        assert session is not None
        return session

    def tally(self, uid: str = UID) -> SessionTally:
        """Return the counts of a grant."""
        if uid not in self.tallies:
            self.tallies[uid] = SessionTally()
        return self.tallies[uid]

    def verdict(
        self,
        *calls: Call,
        uid: str = UID,
        coverage: Iterable[Record] = (whole(),),
        now: datetime = END + timedelta(minutes=1),
        given_up: bool = False,
    ) -> Activity:
        """Return the verdict on a grant after these calls."""
        self.arrives(*calls)
        known = Coverage()
        for record in coverage:
            known.learn(record)
        return assess(self.session(uid), self.tally(uid), known, now, given_up=given_up)

    def events(self) -> list[str]:
        """Return the events of the log."""
        return [record.event for record in self.log.values()]

    def _count(self, record: Record) -> None:
        self.tally(record.subject).learn(record)
