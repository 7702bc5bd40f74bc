"""What people, the operator and thieves of its token ask of the API server; each answer is returned as it came."""

import itertools
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.integration.installed import MASTERS, OPERATOR, SWEEPER, SYSTEM, Done, Installed
from tests.support.api import succeed as succeed

ALICE: Final = "alice@example.com"
BOB: Final = "bob@example.com"
CAROL: Final = "carol@example.com"
DAVE: Final = "dave@example.com"
ROOT: Final = "root@example.com"
GIT: Final = "system:serviceaccount:argocd:argocd-application-controller"
UNINSTALLER: Final = f"system:serviceaccount:{SYSTEM}:curfew-uninstall"
"""Who ends all grants before the release goes."""
EVERYBODY: Final = (ALICE, BOB, CAROL, DAVE, GIT, OPERATOR, SWEEPER, UNINSTALLER)
RBAC: Final = "rbac.authorization.k8s.io"

KINDS: Final = {
    "accessrequest": {"apiVersion": "curfew.dev/v1alpha1", "kind": "AccessRequest"},
    "accesspolicy": {"apiVersion": "curfew.dev/v1alpha1", "kind": "AccessPolicy"},
    "rolebinding": {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding"},
}
"""What is patched here, by the name that kubectl has for it."""

Manifest = dict[str, Any]
_numbers = itertools.count(1)


class World:
    """A namespace where alice and bob may ask for `debug`, and others may do other things.

    Everybody here has broad rights on requests, policies and bindings, the operator and the sweeper more than the chart
    gives them: it is admission that is asked, not RBAC.

    - alice, bob: `request` on debug, `approve` for stage owners
    - carol: `approve` on all of debug
    - dave: nothing more
    - git (a service account): `request-on-behalf`, `approve` for stage owners
    """

    def __init__(self, cluster: Installed) -> None:
        """Make the namespace with its people."""
        self.cluster = cluster
        self.namespace = cluster.make_namespace()
        cluster.apply(*self._rights())
        for user in EVERYBODY:
            cluster.await_right(user, "patch", "accessrequests.curfew.dev", namespace=self.namespace)
        # The last that is applied.
        cluster.await_right(CAROL, "approve", "accesspolicies.curfew.dev/debug", namespace=self.namespace)

    def _rights(self) -> list[Manifest]:
        rules = [
            _rule("curfew.dev", ["accessrequests"], ["create", "get", "list", "watch", "update", "patch", "delete"]),
            _rule("curfew.dev", ["accessrequests/status", "accesspolicies/status"], ["get", "patch", "update"]),
            _rule("curfew.dev", ["accesspolicies"], ["get", "list", "create", "update", "patch", "delete"]),
            _rule(RBAC, ["rolebindings"], ["get", "list", "create", "update", "patch", "delete"]),
            {**_rule(RBAC, ["clusterroles"], ["bind"]), "resourceNames": ["view"]},
        ]
        return [
            *self._role("users", rules, EVERYBODY),
            *self._role("ask", [_on_debug("accesspolicies", "request")], (ALICE, BOB)),
            *self._role("behalf", [_on_debug("accesspolicies", "request-on-behalf")], (GIT,)),
            *self._role("owners", [_on_debug("accesspolicies/owners", "approve")], (BOB, ALICE, GIT)),
            *self._role("any-stage", [_on_debug("accesspolicies", "approve")], (CAROL,)),
        ]

    def _role(self, name: str, rules: list[Manifest], users: Sequence[str]) -> list[Manifest]:
        meta = {"name": name, "namespace": self.namespace}
        return [
            {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": rules},
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
                "subjects": [a_user(user) for user in users],
            },
        ]

    def kubectl(self, user: str, *args: str, groups: Sequence[str] = (), stdin: str | None = None) -> Done:
        """Run kubectl in the namespace."""
        return self.cluster.kubectl_as(user, "--namespace", self.namespace, *args, groups=groups, stdin=stdin)

    def create(self, manifest: Manifest, user: str, groups: Sequence[str] = ()) -> Done:
        """Create an object."""
        return self.cluster.api.create(manifest, user=user, groups=groups)

    def replace(self, manifest: Manifest, user: str, groups: Sequence[str] = ()) -> Done:
        """Replace an object."""
        return self.cluster.api.replace(manifest, user=user, groups=groups)

    def request(
        self, requester: str | None = None, by: str | None = None, *, meta: Manifest | None = None, **spec: object
    ) -> Manifest:
        """Return an AccessRequest of a new name; who asks is left out unless given."""
        people = {"requester": requester, "submittedBy": by}
        return {
            "apiVersion": "curfew.dev/v1alpha1",
            "kind": "AccessRequest",
            "metadata": {"name": new_name("r"), "namespace": self.namespace, **(meta or {})},
            "spec": {
                "policyName": "debug",
                "duration": "1h",
                "reason": "worker crash-loops",
                **{key: value for key, value in people.items() if value is not None},
                **spec,
            },
        }

    def policy(self, **spec: object) -> Manifest:
        """Return an AccessPolicy of a new name."""
        return {
            "apiVersion": "curfew.dev/v1alpha1",
            "kind": "AccessPolicy",
            "metadata": {"name": new_name("p"), "namespace": self.namespace},
            "spec": {"roleRef": {"kind": "ClusterRole", "name": "view"}, "maxDuration": "4h", **spec},
        }

    def asked(self, user: str = ALICE, groups: Sequence[str] = ()) -> str:
        """Have a request that nobody has looked at, and return its name."""
        manifest = self.request(user, user)
        succeed(self.create(manifest, user, groups))
        return str(manifest["metadata"]["name"])

    def pending(self, user: str = ALICE, groups: Sequence[str] = ()) -> str:
        """Have a request that waits for decisions, and return its name."""
        name = self.asked(user, groups)
        self.status(name, phase="Pending", decisions=[])
        return name

    def approved(self) -> str:
        """Have a request of alice's that is approved, and return its name."""
        name = self.pending()
        self.status(name, phase="Approved")
        return name

    def active(self) -> str:
        """Have a request of alice's that is granted, and return its name."""
        name = self.pending()
        self.status(name, phase="Active", expiresAt="2030-01-01T00:00:00Z", grantedAt="2029-01-01T00:00:00Z")
        return name

    def finished(self) -> str:
        """Have a request of alice's that was denied, and return its name."""
        name = self.pending()
        self.status(name, phase="Denied")
        return name

    def status(self, name: str, **fields: object) -> None:
        """Write status as the operator."""
        succeed(self.merge(name, {"status": fields}, OPERATOR, MASTERS, "--subresource=status"))

    def write_status(self, name: str, fields: object, user: str = OPERATOR, groups: Sequence[str] = MASTERS) -> Done:
        """Try to write status, by default as the operator with all rights there are."""
        return self.merge(name, {"status": fields}, user, groups, "--subresource=status")

    def merge(self, name: str, body: Manifest, user: str, groups: Sequence[str] = (), *options: str) -> Done:
        """Merge-patch a request."""
        return self.patch("accessrequest", name, "merge", body, user, groups, options)

    def edit_status(self, name: str, user: str, *operations: Manifest) -> Done:
        """JSON-patch the status of a request, as people decide."""
        return self.patch("accessrequest", name, "json", list(operations), user, (), ("--subresource=status",))

    def edit_binding(self, name: str, user: str, *operations: Manifest) -> Done:
        """JSON-patch a RoleBinding."""
        return self.patch("rolebinding", name, "json", list(operations), user)

    def patch(
        self,
        kind: str,
        name: str,
        type_: str,
        body: object,
        user: str,
        groups: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> Done:
        """Patch an object; the type is merge or json."""
        subresource = "/status" if "--subresource=status" in options else ""
        query = {"dryRun": "All"} if "--dry-run=server" in options else {}
        return self.cluster.api.ask(
            "PATCH",
            self.path(kind, name) + subresource,
            body,
            user=user,
            groups=groups,
            content_type=f"application/{type_}-patch+json",
            **query,
        )

    def mark(
        self,
        user: str,
        kind: str,
        name: str,
        marks: Mapping[str, str | None],
        where: str = "labels",
        groups: Sequence[str] = (),
    ) -> Done:
        """Label or annotate an object as kubectl does; None takes a mark away."""
        return self.patch(kind, name, "merge", {"metadata": {where: marks}}, user, groups)

    def delete(self, user: str, kind: str, name: str, cascade: str = "Background") -> Done:
        """Delete an object as kubectl does, and do not wait for it."""
        return self.cluster.api.ask("DELETE", self.path(kind, name), user=user, propagationPolicy=cascade)

    def path(self, kind: str, name: str) -> str:
        """Return where an object of the namespace is in the API."""
        return self.cluster.api.path_of({**KINDS[kind], "metadata": {"name": name, "namespace": self.namespace}})

    def rewrite(
        self, kind: str, name: str, user: str, *options: str, change: Callable[[Manifest], None] | None = None
    ) -> Done:
        """Read an object and write it as it is, as a storage migrator does, or with a change."""
        manifest = json.loads(succeed(self.cluster.api.ask("GET", self.path(kind, name))))
        if change is not None:
            change(manifest)
        query = {"subresource": "status"} if "--subresource=status" in options else {}
        return self.cluster.api.replace(manifest, user=user, **query)

    def decide(
        self,
        name: str,
        user: str,
        decision: str = "Approve",
        *,
        by: str | None = None,
        groups: Sequence[str] = (),
        **more: str,
    ) -> Done:
        """Add one decision."""
        operation = add_decision(by or user, decision, **more)
        return self.patch("accessrequest", name, "json", [operation], user, groups, ("--subresource=status",))

    def binding(self, **annotations: str | None) -> Manifest:
        """Return a grant as the operator would write it; an annotation can be changed, or left out (None)."""
        return a_grant(self.namespace, **annotations)

    def granted(self) -> str:
        """Have a grant and return the binding's name. Its request does not exist, which only the collector would mind."""
        manifest = self.binding()
        # An owner that does not exist has its dependents collected; this one is of a live request.
        owner = self.pending()
        request = json.loads(succeed(self.cluster.api.ask("GET", self.path("accessrequest", owner))))
        claim(manifest, owner, request["metadata"]["uid"])
        succeed(self.create(manifest, OPERATOR))
        return str(manifest["metadata"]["name"])


def a_grant(namespace: str, **annotations: str | None) -> Manifest:
    """Return a grant in a namespace, with these annotations; one that is None is left out."""
    uid, name = str(uuid.uuid4()), new_name("r")
    marks = {
        "expires_at": in_hours(1),
        "starts_at": in_hours(0),
        "receipt": f"main/7/8/{'0' * 64}",
        "request": name,
        "policy": "debug",
        "terms": "0" * 64,
        **annotations,
    }
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {
            "name": f"curfew-{uid}",
            "namespace": namespace,
            "labels": {"curfew.dev/request-uid": uid},
            "annotations": {
                f"curfew.dev/{key.replace('_', '-')}": value for key, value in marks.items() if value is not None
            },
            "ownerReferences": [
                {
                    "apiVersion": "curfew.dev/v1alpha1",
                    "kind": "AccessRequest",
                    "name": name,
                    "uid": uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"},
        "subjects": [a_user(ALICE)],
    }


def claim(manifest: Manifest, name: str, uid: str) -> None:
    """Make a grant that of a certain request."""
    meta = manifest["metadata"]
    meta["name"] = f"curfew-{uid}"
    meta["labels"]["curfew.dev/request-uid"] = uid
    meta["annotations"]["curfew.dev/request"] = name
    meta["ownerReferences"][0].update(name=name, uid=uid)


def changed(manifest: Manifest, **fields: object) -> Manifest:
    """Return a manifest with fields replaced."""
    return {**manifest, **fields}


def with_meta(manifest: Manifest, **fields: object) -> Manifest:
    """Return a manifest with fields of its metadata replaced."""
    return {**manifest, "metadata": {**manifest["metadata"], **fields}}


def with_owner(manifest: Manifest, **fields: object) -> Manifest:
    """Return a grant with fields of its owner replaced."""
    (owner,) = manifest["metadata"]["ownerReferences"]
    return with_meta(manifest, ownerReferences=[{**owner, **fields}])


def a_user(name: str) -> Manifest:
    """Return a subject."""
    return {"apiGroup": RBAC, "kind": "User", "name": name}


def add_decision(by: str, decision: str = "Approve", **more: str) -> Manifest:
    """Return the JSON patch operation with which a person decides."""
    return {"op": "add", "path": "/status/decisions/-", "value": {"by": by, "decision": decision, **more}}


def in_hours(hours: float) -> str:
    """Return the time in so many hours, as the API server's clock, which is ours, has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + hours * 3600))


def new_name(prefix: str) -> str:
    """Return a name that no other test uses."""
    return f"{prefix}-{next(_numbers)}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that somebody tries, and what the API server should say to it: a piece of the refusal, or None.

    Where several policies refuse, the API server chooses whose words it gives: then there are several pieces.
    """

    title: str
    act: Callable[[World], Done]
    refused: str | tuple[str, ...] | None = None

    def __str__(self) -> str:
        """Return the title, which names the test."""
        return self.title

    def judge(self, world: World) -> None:
        """Try it, and fail unless it is answered as it should be, and for the reason meant."""
        done = self.act(world)
        said = f"{done.stdout}{done.stderr}"
        if self.refused is None:
            assert done.returncode == 0, said
        else:
            assert done.returncode != 0, f"allowed: {said}"
            pieces = (self.refused,) if isinstance(self.refused, str) else self.refused
            assert any(piece in said for piece in pieces), said


def _rule(group: str, resources: list[str], verbs: list[str]) -> Manifest:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _on_debug(resource: str, verb: str) -> Manifest:
    return {**_rule("curfew.dev", [resource], [verb]), "resourceNames": ["debug"]}
