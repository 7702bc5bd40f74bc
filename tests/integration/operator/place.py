"""A namespace that takes part, with policies in it, people who ask and people who decide."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from curfew.api.times import parse_time
from tests.integration.installed import Installed
from tests.integration.operator.people import GROUP, RBAC, Answer, Body, People, Person
from tests.integration.operator.sights import Sights

T = TypeVar("T")

REASON: Final = "payment workers crash-loop"
SECRET: Final = "S3cr3tOfAnAnnotation"
"""What stands on every request, and is nobody's to read in what the operator writes."""

SOON: Final = 30.0
"""Seconds within which what is no matter of a minute has to happen, also on a machine that is busy."""

AGAIN_SECONDS: Final = 0.1
REVIEWS: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

FINAL: Final = frozenset({"Denied", "TimedOut", "Cancelled", "Expired", "Revoked", "Failed"})

POLICIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "debug": {},
    "staged": {"approval": {"mode": "Review", "stages": [{"name": "owners"}, {"name": "security"}]}},
    "automatic": {"approval": {"mode": "Automatic"}},
    "hurried": {"decideWithin": "1m"},
    "ticketed": {"ticket": {"required": True, "pattern": "INC-[0-9]+"}},
}
"""What can be asked for in each place, and what is special about it."""


class Place:
    """The namespace. alice and carol ask; bob and dave decide, bob for the owners, dave for security."""

    def __init__(
        self, cluster: Installed, people: People, sights: Sights, *, named: str = "", opted_in: bool = True
    ) -> None:
        """Make the namespace, of a new name unless one is given."""
        self.cluster = cluster
        self.people = people
        self.sights = sights
        self.namespace = cluster.make_namespace(named, opted_in=opted_in)
        self._numbers = itertools.count(1)
        cluster.apply(*self.rights(), *self.offers())

    @property
    def path(self) -> str:
        """Return where its requests are."""
        return f"{GROUP}/namespaces/{self.namespace}/accessrequests"

    def policy(self, name: str, *, role: str = "view", **spec: object) -> Body:
        """Return a policy."""
        return {
            "apiVersion": "curfew.dev/v1alpha1",
            "kind": "AccessPolicy",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "roleRef": {"kind": "ClusterRole", "name": role},
                "maxDuration": "4h",
                "reason": {"minLength": 10},
                "limits": {"activePerRequester": 100, "pendingPerRequester": 100},
                **spec,
            },
        }

    def request(self, by: Person, policy: str = "debug", *, name: str = "", **spec: Any) -> Body:
        """Return a request, for a minute."""
        return {
            "apiVersion": "curfew.dev/v1alpha1",
            "kind": "AccessRequest",
            "metadata": {
                "name": name or f"r-{next(self._numbers)}",
                "namespace": self.namespace,
                "annotations": {"vault.example.com/token": SECRET},
            },
            "spec": {
                "policyName": policy,
                "requester": by.name,
                "submittedBy": by.name,
                "duration": "1m",
                "reason": REASON,
                **spec,
            },
        }

    async def ask(self, by: Person, policy: str = "debug", *, name: str = "", **spec: Any) -> "Asked":
        """Create a request as somebody."""
        body = self.request(by, policy, name=name, **spec)
        answer = await by.post(self.path, body)
        async with asyncio.timeout(SOON):
            while answer.status == 503:  # an API server that has just started is ready before it knows of our kinds
                await asyncio.sleep(AGAIN_SECONDS)
                answer = await by.post(self.path, body)
        return Asked(self, answer.done())

    async def pending(self, by: Person, policy: str = "debug", **spec: Any) -> "Asked":
        """Create a request and return it when it waits for decisions."""
        asked = await self.ask(by, policy, **spec)
        await asked.phase("Pending")
        return asked

    async def active(self, by: Person, **spec: Any) -> "Asked":
        """Have a request that bob agreed to and that is granted."""
        asked = await self.pending(by, **spec)
        (await asked.decide(self.people.bob)).done()
        await asked.phase("Active")
        return asked

    async def kubectl(self, *args: str, user: str, stdin: object = None, check: bool = True) -> str:
        """Run kubectl in the namespace as a person with their certificate, and return what it says."""
        done = await asyncio.to_thread(
            self.cluster.kubectl,
            *("--namespace", self.namespace, *args),
            user=user,
            stdin=None if stdin is None else json.dumps(stdin),
            check=check,
        )
        return done.stdout + done.stderr

    async def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Apply manifests as the admin."""
        await asyncio.to_thread(self.cluster.apply, *manifests)

    async def events(self, uid: str = "") -> list[Body]:
        """Return the Events about an object, or all of the namespace, in the order in which they happened."""
        answer = await self.people.admin.get(f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events?limit=5000")
        items: list[Body] = answer.done()["items"]
        found = [item for item in items if not uid or item.get("regarding", {}).get("uid") == uid]
        return sorted(found, key=lambda item: str(item["eventTime"]))

    async def events_with(self, reasons: Sequence[str], uid: str = "", seconds: float = SOON) -> list[Body]:
        """Return the Events about an object, or all, once these reasons are among them: an Event waits for everything else."""
        deadline = now() + timedelta(seconds=seconds)
        while True:
            found = await self.events(uid)
            missing = Counter(reasons) - Counter(event["reason"] for event in found)
            if not missing:
                return found
            assert now() < deadline, f"{self.namespace} {uid}: no Event {', '.join(missing)} within {seconds:g} s"
            await asyncio.sleep(AGAIN_SECONDS)

    def offers(self) -> list[Body]:
        """Return what can be asked for here."""
        return [self.policy(name, **spec) for name, spec in POLICIES.items()]

    def rights(self) -> list[Body]:
        """Return who may ask and who may decide."""
        everybody = [
            person.name for person in (self.people.alice, self.people.carol, self.people.bob, self.people.dave)
        ]
        deciders = everybody[2:]
        rules = [
            rule("accessrequests", "get", "list", "watch"),
            rule("accessrequests/status", "get", "patch"),
            rule("accesspolicies", "get", "list"),
        ]
        asking = [rule("accessrequests", "create", "delete", "patch"), rule("accesspolicies", "request")]
        return [
            *self.role("people", rules, everybody),
            *self.role("asking", asking, everybody[:2]),
            *self.role("deciding", [rule("accesspolicies", "approve", "revoke")], deciders),
            *self.role("owners", [rule("accesspolicies/owners", "approve")], [self.people.bob.name]),
            *self.role("security", [rule("accesspolicies/security", "approve")], [self.people.dave.name]),
        ]

    def role(self, name: str, rules: list[Body], users: list[str]) -> list[Body]:
        """Return a Role and the RoleBinding that gives it to people."""
        meta = {"name": name, "namespace": self.namespace}
        group = "rbac.authorization.k8s.io"
        return [
            {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": rules},
            {
                "apiVersion": f"{group}/v1",
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
                "subjects": [{"apiGroup": group, "kind": "User", "name": user} for user in users],
            },
        ]


class Asked:
    """A request that was made, and what has become of it as far as was seen."""

    def __init__(self, place: Place, body: Body) -> None:
        """Take the request as the API server answered it."""
        self.place = place
        self.uid = str(body["metadata"]["uid"])
        self.name = str(body["metadata"]["name"])
        self._first = body

    def __str__(self) -> str:
        """Return what identifies it to somebody who reads a failure."""
        return f"{self.place.namespace}/{self.name} ({self.uid})"

    @property
    def path(self) -> str:
        """Return where it is."""
        return f"{self.place.path}/{self.name}"

    @property
    def body(self) -> Body:
        """Return it as last seen, also when it is gone."""
        history = self.place.sights.requests.history[self.uid]
        return history[-1].body if history else self._first

    @property
    def status(self) -> Body:
        """Return its status as last seen."""
        status: Body = self.body.get("status", {})
        return status

    @property
    def is_closed(self) -> bool:
        """Tell whether it is out of the operator's watch."""
        return "curfew.dev/closed" in self.body["metadata"].get("labels", {})

    def condition(self, type_: str) -> Body:
        """Return one of its conditions."""
        (found,) = (c for c in self.status.get("conditions", ()) if c["type"] == type_)
        result: Body = found
        return result

    def time(self, field: str) -> datetime:
        """Return one of the times in its status."""
        return parse_time(self.status[field])

    async def phase(self, *phases: str, seconds: float = SOON) -> str:
        """Return when it was seen to be in one of the phases."""
        await self.until(lambda: self.status.get("phase") in phases, f"{' or '.join(phases)}", seconds)
        return str(self.status["phase"])

    async def answered(self, seconds: float = SOON) -> None:
        """Return when Curfew has looked at it; before that it takes no decisions."""
        await self.until(lambda: "phase" in self.status, "answered", seconds)

    async def closed(self, seconds: float = SOON) -> None:
        """Return when its story is told and it is out of the watch."""
        await self.until(lambda: self.is_closed, "closed", seconds)

    async def said(self, type_: str, reason: str, seconds: float = SOON) -> str:
        """Return the message of a condition, once that has this reason."""

        def found() -> str | None:
            conditions = self.status.get("conditions", ())
            return next((c["message"] for c in conditions if (c["type"], c["reason"]) == (type_, reason)), None)

        return await self.until(found, f"condition {type_} with reason {reason}", seconds)

    async def events(self, *reasons: str, seconds: float = SOON) -> list[Body]:
        """Return the Events about it once these are among them: an Event waits for everything else."""
        return await self.place.events_with(reasons, self.uid, seconds)

    async def until(self, told: Callable[[], T | None], what: str, seconds: float = SOON) -> T:
        """Return what `told` returns once that is neither None nor False."""
        try:
            return await self.place.sights.requests.until(told, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{self}: {error}; its status is {json.dumps(self.status, indent=1)}") from None

    async def bound(self, seconds: float = SOON) -> Body:
        """Return its binding as soon as that was seen."""
        return await self.place.sights.bindings.until(
            lambda: self.place.sights.binding(self.uid), f"the binding of {self}", seconds
        )

    async def usable(self, verb: str = "list", resource: str = "pods", subresource: str = "") -> None:
        """Return when the API server allows a call by its binding: the authorizer learns of one a moment after it is stored."""
        where = {"namespace": self.place.namespace, "verb": verb, "resource": resource, "subresource": subresource}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": self.body["spec"]["requester"], "resourceAttributes": where},
        }
        binding = f'RoleBinding "curfew-{self.uid}/{self.place.namespace}"'
        deadline = now() + timedelta(seconds=SOON)
        while True:
            said = (await self.place.people.admin.post(REVIEWS, review)).done()["status"]
            if binding in said.get("reason", ""):
                return
            assert now() < deadline, f"{self}: its binding allows nothing within {SOON:g} s: {said}"
            await asyncio.sleep(AGAIN_SECONDS)

    async def unbound(self, seconds: float = SOON, *, uid: str = "") -> datetime:
        """Return when its binding, or one that claims to be for another UID, was seen to be deleted."""

        def ended() -> datetime | None:
            sights = self.place.sights.bindings_of(uid or self.uid)
            return sights[-1].at if sights and sights[-1].type == "DELETED" else None

        return await self.place.sights.bindings.until(ended, f"the end of the binding of {self}", seconds)

    async def decide(self, by: Person, decision: str = "Approve", **more: str) -> Answer:
        """Decide as a person does: one JSON patch of the status."""
        operations: list[Body] = [
            {"op": "test", "path": "/metadata/uid", "value": self.uid},
            {"op": "add", "path": "/status/decisions/-", "value": {"by": by.name, "decision": decision, **more}},
        ]
        return await by.patch(f"{self.path}/status", operations)

    async def delete(self, by: Person) -> None:
        """Delete it."""
        (await by.delete(self.path)).done()
        await self.place.sights.requests.gone(self.uid, SOON)

    async def binding_now(self) -> Answer:
        """Read its binding from the API server, past the watch."""
        path = f"{RBAC}/namespaces/{self.place.namespace}/rolebindings/curfew-{self.uid}"
        return await self.place.people.admin.get(path)


def rule(resource: str, *verbs: str) -> Body:
    """Return a rule about one of our kinds."""
    return {"apiGroups": ["curfew.dev"], "resources": [resource], "verbs": list(verbs)}


def now() -> datetime:
    """Return this instant."""
    return datetime.now(UTC)
