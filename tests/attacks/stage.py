"""A namespace with its people and their rights, and requests that are prepared in it in every phase."""

import itertools
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.attacks.calling import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ELSEWHERE_THIEF,
    JSON,
    LATE_THIEF,
    MERGE,
    MONITOR_THIEF,
    PROBE_THIEF,
    ROOT,
    SWEEPER_THIEF,
    THIEF,
    Answer,
    Call,
    Switchboard,
    Who,
)
from tests.integration.installed import RBAC, SYSTEM, Installed
from tests.support.api import succeed, until

Manifest = dict[str, Any]

LATER: Final = "2030-01-01T00:00:00Z"
EARLIER: Final = "2029-01-01T00:00:00Z"

HOW_TO_BE: Final[Mapping[str, tuple[str, ...]]] = {
    "": (),
    "Pending": ("Pending",),
    "Approved": ("Pending", "Approved"),
    "Active": ("Pending", "Active"),
    "Denied": ("Pending", "Denied"),
    "TimedOut": ("Pending", "TimedOut"),
    "Cancelled": ("Pending", "Cancelled"),
    "Expired": ("Pending", "Active", "Expired"),
    "Revoked": ("Pending", "Active", "Revoked"),
    "Failed": ("Failed",),
}
"""Each phase, and the phases through which a request comes to it."""

FINAL: Final = ("Denied", "TimedOut", "Cancelled", "Expired", "Revoked", "Failed")

FRANK: Final = ROOT.as_("frank@example.com", "approvers")
"""Has no rights but those of his group."""

_numbers = itertools.count(1)


class Stage:
    """A namespace that takes part, in which nearly everybody has far more rights than they should.

    It is admission that is attacked, so RBAC refuses people little: all of them may write requests, their status, policies and
    bindings, and bind `view` and the Role `support`. What they may ask for and decide is:

    - alice: request debug, other and own; approve stage owners of debug
    - bob: request debug; approve stages owners and status of debug
    - carol: approve and revoke all of debug, without a stage
    - dave: approve stage security of other; impersonate bob
    - the group approvers: approve all of debug
    - bot, a service account: request, approve and revoke debug
    - git and deploy, service accounts: request-on-behalf debug; deploy was deleted and created again
    - the operator, the sweeper and the monitor: what the chart gives them, nothing more
    """

    def __init__(self, cluster: Installed, folder: Path) -> None:
        """Make the namespace with its people, one more that takes part in nothing, and their tokens."""
        self.cluster = cluster
        self.namespace = cluster.make_namespace()
        self.elsewhere = cluster.make_namespace(opted_in=False)
        self.bot = Who("bot", f"system:serviceaccount:{self.namespace}:bot")
        self.git = Who("git", f"system:serviceaccount:{self.namespace}:git")
        self.deploy = Who("deploy", f"system:serviceaccount:{self.namespace}:deploy")
        self.former_deploy = Who("former-deploy", self.deploy.name)
        cluster.apply(*self._everything())
        tokens = {name: self._token(name) for name in ("bot", "git")}
        tokens |= {THIEF.login: cluster.operator_token(), SWEEPER_THIEF.login: cluster.sweeper_token()}
        tokens |= {MONITOR_THIEF.login: cluster.monitor_token()}
        tokens |= {PROBE_THIEF.login: cluster.environment.cluster.token("curfew-probe", SYSTEM)}
        tokens |= self._outdated_tokens()
        self._switchboard = Switchboard(cluster.environment.cluster, folder, tokens)
        self._await_rights()

    def close(self) -> None:
        """Take everything away, and return when it is gone: an operator of later tests would begin with 900 requests."""
        self._switchboard.close()
        self.cluster.kubectl("delete", "accesslocks", "--all")
        for kind in ("clusterrolebinding", "clusterrole"):
            self.cluster.kubectl("delete", kind, self._of_cluster, "--ignore-not-found")
        # A namespace with all its requests goes in ten seconds or more, and nobody needs to wait for what is empty.
        for namespace in (self.namespace, self.elsewhere):
            for plural in ("accessrequests", "accesspolicies", "rolebindings"):
                path = self.path(plural, namespace=namespace)
                succeed(self.cluster.api.ask("DELETE", path))
                until(partial(self._is_empty, path), f"that nothing is left of {path}")
            self.cluster.drop_namespace(namespace)

    def _is_empty(self, path: str) -> bool:
        return not json.loads(succeed(self.cluster.api.ask("GET", path, limit="1")))["items"]

    def send(self, call: Call) -> Answer:
        """Make a call."""
        return self._switchboard.send(call)

    def do(self, call: Call) -> Manifest:
        """Make a call that must succeed, and return what it returned."""
        answer = self.send(call)
        assert answer.accepted, f"{call}: {answer.message}"
        return dict(answer.body)

    def path(self, plural: str, name: str = "", *, namespace: str = "") -> str:
        """Return where objects are in the API, or one of them is."""
        group = {"rolebindings": RBAC, "roles": RBAC}.get(plural, "curfew.dev")
        version = "v1" if group == RBAC else "v1alpha1"
        collection = f"/apis/{group}/{version}/namespaces/{namespace or self.namespace}/{plural}"
        return f"{collection}/{name}" if name else collection

    def request(self, who: Who = ALICE, *, meta: Manifest | None = None, **spec: Any) -> Manifest:
        """Return a request of somebody's, of a new name."""
        return {
            "apiVersion": "curfew.dev/v1alpha1",
            "kind": "AccessRequest",
            "metadata": {"name": new_name("r"), **(meta or {})},
            "spec": {
                "policyName": "debug",
                "requester": who.name,
                "submittedBy": who.name,
                "duration": "1h",
                "reason": "worker crash-loops",
                **spec,
            },
        }

    def policy(self, *, meta: Manifest | None = None, **spec: Any) -> Manifest:
        """Return a policy of a new name that offers view."""
        return {
            "apiVersion": "curfew.dev/v1alpha1",
            "kind": "AccessPolicy",
            "metadata": {"name": new_name("p"), **(meta or {})},
            "spec": {"roleRef": {"kind": "ClusterRole", "name": "view"}, "maxDuration": "4h", **spec},
        }

    def binding(self, *, meta: Manifest | None = None, role: str = "view", kind: str = "ClusterRole") -> Manifest:
        """Return a binding of a new name, such as anybody may make for themselves whom RBAC lets."""
        return {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": new_name("b"), **(meta or {})},
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
            "subjects": [a_user(ALICE.name)],
        }

    def asked(self, who: Who = ALICE, **spec: Any) -> "Scene":
        """Have a request that nobody has looked at."""
        return Scene(self, self.do(Call(who, "POST", self.path("accessrequests"), self.request(who, **spec))))

    def in_phase(self, phase: str, who: Who = ALICE, *, spec: Manifest | None = None, **status: Any) -> "Scene":
        """Have a request in a phase, as the operator would have brought it there, with more in its status."""
        scene = self.asked(who, **(spec or {}))
        for number, step in enumerate(HOW_TO_BE[phase]):
            fields: Manifest = {"phase": step}
            if number == 0:
                fields |= {"decisions": [], "approvals": "0/1", "observedGeneration": 1, "decideBy": LATER, **status}
            if step == "Active":
                fields |= {"startsAt": EARLIER, "grantedAt": EARLIER, "expiresAt": LATER}
            if step in FINAL:
                fields |= {"endedAt": LATER, "endReason": step}
            scene.operator_writes(fields)
        return scene

    def granted(self) -> "Scene":
        """Have an active request with its binding, made by the operator's own token."""
        scene = self.in_phase("Active")
        self.do(Call(THIEF, "POST", self.path("rolebindings"), scene.grant()))
        return scene

    def _token(self, name: str) -> str:
        return self.cluster.environment.cluster.token(name, self.namespace)

    def _outdated_tokens(self) -> dict[str, str]:
        """Return tokens that are good for nothing, and the one of deploy that is, by login."""
        make, kubectl = self.cluster.environment.cluster.token, self.cluster.kubectl
        former = self._token("deploy")
        kubectl("delete", "serviceaccount", "deploy", "--namespace", self.namespace)
        kubectl("create", "serviceaccount", "deploy", "--namespace", self.namespace)
        pocket = ("secret", self._of_cluster, "--namespace", SYSTEM)
        kubectl("create", pocket[0], "generic", *pocket[1:])
        bound = make(
            "curfew", SYSTEM, options=["--bound-object-kind=Secret", f"--bound-object-name={self._of_cluster}"]
        )
        kubectl("delete", *pocket)
        return {
            self.former_deploy.login: former,
            self.deploy.login: self._token("deploy"),
            LATE_THIEF.login: bound,
            ELSEWHERE_THIEF.login: make("curfew", SYSTEM, options=["--audience=a-vault"]),
        }

    @property
    def _of_cluster(self) -> str:
        return f"attacks-{self.namespace}"

    def _everything(self) -> list[Manifest]:
        everybody = [
            *(a_user(who.name) for who in (ALICE, BOB, CAROL, DAVE, FRANK)),
            *map(self._account, ("bot", "git", "deploy")),
        ]
        writing = ["create", "get", "list", "watch", "update", "patch", "delete", "deletecollection"]
        broad = [
            _rule("curfew.dev", ["accessrequests", "accesspolicies"], writing),
            _rule("curfew.dev", ["accessrequests/status", "accesspolicies/status"], ["get", "patch", "update"]),
            _rule(RBAC, ["rolebindings"], writing),
            _rule(RBAC, ["clusterroles"], ["bind"], "view"),
            _rule(RBAC, ["roles"], ["bind"], "support"),
        ]
        support = [_rule("", ["pods"], ["get"])]
        approvers = {"apiGroup": RBAC, "kind": "Group", "name": "approvers"}
        bot, git, deploy = map(self._account, ("bot", "git", "deploy"))
        alice, bob, carol, dave = (a_user(who.name) for who in (ALICE, BOB, CAROL, DAVE))
        return [
            *(self._in(self.namespace, "v1", "ServiceAccount", name) for name in ("bot", "git", "deploy")),
            self._in(self.namespace, f"{RBAC}/v1", "Role", "support", rules=support),
            self._in(self.namespace, f"{RBAC}/v1", "Role", "view", rules=support),
            *self._role(self.namespace, "everybody", broad, everybody),
            *self._role(self.elsewhere, "everybody", broad, everybody),
            *self._role(self.namespace, "ask-debug", [_on("accesspolicies", "request", "debug")], [alice, bob, bot]),
            *self._role(
                self.namespace,
                "ask-others",
                [_on("accesspolicies", "request", name) for name in ("other", "own")],
                [alice],
            ),
            *self._role(self.namespace, "behalf", [_on("accesspolicies", "request-on-behalf", "debug")], [git, deploy]),
            *self._role(self.namespace, "owners", [_on("accesspolicies/owners", "approve", "debug")], [alice, bob]),
            *self._role(self.namespace, "security", [_on("accesspolicies/security", "approve", "other")], [dave]),
            *self._role(
                self.namespace,
                "all-of-debug",
                [_on("accesspolicies", verb, "debug") for verb in ("approve", "revoke")],
                [carol, bot, approvers],
            ),
            *self._impersonating(dave),
        ]

    def _impersonating(self, subject: Manifest) -> list[Manifest]:
        meta = {"name": self._of_cluster}
        rules = [_rule("", ["users"], ["impersonate"], BOB.name)]
        role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": self._of_cluster}
        return [
            {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": meta, "rules": rules},
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": meta,
                "roleRef": role,
                "subjects": [subject],
            },
        ]

    def _role(self, namespace: str, name: str, rules: list[Manifest], subjects: Sequence[Manifest]) -> list[Manifest]:
        ref = {"apiGroup": RBAC, "kind": "Role", "name": name}
        return [
            self._in(namespace, f"{RBAC}/v1", "Role", name, rules=rules),
            self._in(namespace, f"{RBAC}/v1", "RoleBinding", name, roleRef=ref, subjects=list(subjects)),
        ]

    def _in(self, namespace: str, version: str, kind: str, name: str, **fields: Any) -> Manifest:
        meta = {"name": name, "namespace": namespace}
        return {"apiVersion": version, "kind": kind, "metadata": meta, **fields}

    def _account(self, name: str) -> Manifest:
        return {"kind": "ServiceAccount", "name": name, "namespace": self.namespace}

    def _await_rights(self) -> None:
        """Return when the API server knows of the rights that were stored last."""
        for user, question, namespace in [
            (CAROL.name, ("approve", "accesspolicies.curfew.dev/debug"), self.namespace),
            (CAROL.name, ("patch", "accessrequests.curfew.dev"), self.elsewhere),
            (DAVE.name, ("impersonate", f"users/{BOB.name}"), self.namespace),
        ]:
            self.cluster.await_right(user, *question, namespace=namespace)


@dataclass
class Scene:
    """One prepared request, as it was when it was last read."""

    stage: Stage
    body: Manifest

    @property
    def name(self) -> str:
        """Return the request's name."""
        return str(self.body["metadata"]["name"])

    @property
    def uid(self) -> str:
        """Return the request's UID."""
        return str(self.body["metadata"]["uid"])

    @property
    def path(self) -> str:
        """Return where the request is."""
        return self.stage.path("accessrequests", self.name)

    @property
    def status(self) -> str:
        """Return where its status is."""
        return f"{self.path}/status"

    @property
    def grant_name(self) -> str:
        """Return the name that its binding has or would have."""
        return f"curfew-{self.uid}"

    @property
    def grant_path(self) -> str:
        """Return where its binding is or would be."""
        return self.stage.path("rolebindings", self.grant_name)

    def versions(self) -> list[str]:
        """Return the versions of the request and of its binding that are stored now; empty for what is not there."""
        answers = [self.stage.send(Call(ROOT, "GET", path)) for path in (self.path, self.grant_path)]
        return [str(answer.body["metadata"]["resourceVersion"]) if answer.accepted else "" for answer in answers]

    def operator_writes(self, fields: Manifest) -> "Scene":
        """Write status as the operator does, with its token."""
        self.body = self.stage.do(Call(THIEF, "PATCH", self.status, {"status": fields}, MERGE))
        return self

    def decided(self, who: Who, decision: str = "Approve", **more: str) -> "Scene":
        """Have somebody's decision on it."""
        self.body = self.stage.do(decide(self, who, decision, **more))
        return self

    def labelled(self, **labels: str) -> "Scene":
        """Have labels of alice's own on it."""
        self.body = self.stage.do(Call(ALICE, "PATCH", self.path, {"metadata": {"labels": labels}}, MERGE))
        return self

    def made_anew(self) -> "Scene":
        """Have the request deleted and another made under its name, which waits for decisions; this is still the old one."""
        stage = self.stage
        stage.do(Call(ALICE, "DELETE", self.path))
        again = stage.request(ALICE, meta={"name": self.name})
        Scene(stage, stage.do(Call(ALICE, "POST", stage.path("accessrequests"), again))).operator_writes(
            {"phase": "Pending", "decisions": []}
        )
        return self

    def changed(self, change: Callable[[Manifest], object]) -> Manifest:
        """Return the request with something changed in it, for a replacement of the whole."""
        changed = deepcopy(self.body)
        change(changed)
        return changed

    def grant(self, *, meta: Manifest | None = None, **annotations: str | None) -> Manifest:
        """Return the grant of this request as the operator would write it; an annotation can be changed or left out (None)."""
        marks = {
            "expires_at": in_hours(1),
            "starts_at": in_hours(0),
            "receipt": f"main/7/8/{'0' * 64}",
            "request": self.name,
            "policy": "debug",
            "terms": "0" * 64,
            **annotations,
        }
        owner = {
            "apiVersion": "curfew.dev/v1alpha1",
            "kind": "AccessRequest",
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": False,
        }
        return {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {
                "name": self.grant_name,
                "labels": {"curfew.dev/request-uid": self.uid},
                "annotations": {
                    f"curfew.dev/{key.replace('_', '-')}": mark for key, mark in marks.items() if mark is not None
                },
                "ownerReferences": [owner],
                **(meta or {}),
            },
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"},
            "subjects": [a_user(ALICE.name)],
        }


def decide(
    scene: Scene, who: Who, decision: str = "Approve", *, by: str | None = None, uid: str | None = None, **more: str
) -> Call:
    """Return the patch with which somebody decides, on a request of a certain UID where that is given."""
    tests = [] if uid is None else [{"op": "test", "path": "/metadata/uid", "value": uid}]
    added = {"by": who.name if by is None else by, "decision": decision, **more}
    return Call(
        who, "PATCH", scene.status, [*tests, {"op": "add", "path": "/status/decisions/-", "value": added}], JSON
    )


def a_user(name: str) -> Manifest:
    """Return a subject."""
    return {"apiGroup": RBAC, "kind": "User", "name": name}


def in_hours(hours: float) -> str:
    """Return the time in so many hours, as the API server's clock, which is ours, has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + hours * 3600))


def new_name(prefix: str) -> str:
    """Return a name that nothing else has."""
    return f"{prefix}-{next(_numbers)}-{uuid.uuid4().hex[:6]}"


def _rule(group: str, resources: list[str], verbs: list[str], *names: str) -> Manifest:
    rule: Manifest = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    return {**rule, "resourceNames": list(names)} if names else rule


def _on(resource: str, verb: str, name: str) -> Manifest:
    return _rule("curfew.dev", [resource], [verb], name)
