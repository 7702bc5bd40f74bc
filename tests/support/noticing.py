"""Calls that are noticed, and a monitor that notices them: its two logs are lists."""

import json
from datetime import datetime, timedelta
from typing import Any

from curfew.audit.record import CURFEW, Entity, Record, make_record
from curfew.core.activity.attribution import Attribution
from curfew.core.activity.call import AdmissionRefusal, Call
from curfew.core.activity.noticing.allowance import Allowance
from curfew.core.activity.noticing.binding import BindingKey, SeenBinding
from curfew.core.activity.noticing.noticing import Noticing
from curfew.core.activity.sessions import Sessions
from tests.support.activity import a_call
from tests.support.builders import NOON

LOG = "main-activity"
SYSTEM = "curfew-system"
OWN = "you cannot approve a request that you made"
ROLE = "payments-debug"


def offered(
    role: str = ROLE, *, kind: str = "ClusterRole", policy: str = "debug", event: str = "policy.created", **spec: Any
) -> Record:
    """Return the record of a policy in payments that offers a role."""
    return make_record(
        event,
        at=NOON,
        actor=CURFEW,
        message="it offers a role",
        entity=Entity(f"payments/{policy}", "AccessPolicy", f"uid-{policy}"),
        qualifier=f"{event}/{role}",
        detail={
            "namespace": "payments",
            "policy": policy,
            "generation": 1,
            "spec": {"roleRef": {"kind": kind, "name": role}, **spec},
        },
    )


def a_refusal(message: str = OWN, *, policy: str = "curfew-request-decision", **changes: Any) -> Call:
    """Return a decision that an admission policy refused: alice's, about a request in payments."""
    return a_call(
        "patch",
        "accessrequests.curfew.dev/inc-6f1e (status)",
        **{
            "code": 403,
            "refusals": (AdmissionRefusal(policy, message),),
            "decision_kind": "Approve",
            "reason": 'RBAC: allowed by RoleBinding "people/payments" of Role "people" to Group "people"',
            **changes,
        },
    )


def failure(policy: str, message: str) -> str:
    """Return the annotation that the API server makes of a failed validation."""
    return json.dumps([{"message": message, "policy": policy, "binding": policy, "expressionIndex": 0}])


def a_binding(
    name: str = "quick",
    *subjects: str,
    kind: str = "RoleBinding",
    role: str = ROLE,
    role_kind: str = "ClusterRole",
    uid: str = "uid-1",
    namespace: str = "payments",
    made_at: datetime | None = NOON,
    more: int = 0,
) -> SeenBinding:
    """Return a binding that gives a role to mallory, or to others."""
    return SeenBinding(
        key=BindingKey(kind, namespace if kind == "RoleBinding" else "", name),
        uid=uid,
        role_kind=role_kind,
        role=role,
        subjects=subjects or ("User mallory@example.com",),
        more_subjects=more,
        made_at=made_at,
    )


class ANoticing:
    """A monitor that notices; what it has written is learnt after a restart."""

    def __init__(self, *trail: Record, allowed: tuple[Allowance, ...] = ()) -> None:
        """Start with what the trail holds."""
        self.now = NOON + timedelta(minutes=20)
        self.trail = list(trail)
        self.log: list[Record] = []
        self._allowed = allowed
        self.restart()

    def restart(self, allowed: tuple[Allowance, ...] | None = None) -> None:
        """Forget everything that is not in the trail or the log."""
        self.sessions = Sessions()
        self._allowed = self._allowed if allowed is None else allowed
        self.noticing = Noticing(LOG, SYSTEM, self.sessions, self._allowed)
        self.attribution = Attribution(self.sessions)
        for record in self.trail:
            self.sessions.learn(record)
            self.noticing.learn_trail(record)
        for record in self.log:
            self.noticing.learn(record)

    def learn(self, *trail: Record) -> None:
        """Let the trail have more records."""
        self.trail += trail
        for record in trail:
            self.sessions.learn(record)
            self.noticing.learn_trail(record)

    def write(self, *records: Record) -> list[Record]:
        """Write records, each id once; return those that are new."""
        known = {record.id for record in self.log}
        new = [record for record in records if record.id not in known]
        self.log += new
        return new

    def arrives(self, *calls: Call) -> list[Record]:
        """Notice calls, and return what is new in the log."""
        return [
            record
            for call in calls
            for record in self.write(*self.noticing.notice(call, self.attribution.attribute(call), self.now))
        ]

    def later(self, by: timedelta = timedelta(minutes=1)) -> list[Record]:
        """Let time pass, and return what is new in the log."""
        self.now += by
        return self.write(*self.noticing.due(self.now))


def events(records: list[Record]) -> list[str]:
    """Return the events of records."""
    return [record.event for record in records]


def detail(record: Record) -> dict[str, Any]:
    """Return the detail of a record."""
    return dict(record.block["detail"])
