"""What the tokens of the sweeper and of the probe are good for, if they are stolen: for what they are there for.

The operator's is in `stealing.py`, the monitor's in `monitoring.py`, the bucket's in `tests/attacks/test_bucket.py`.
"""

from collections.abc import Callable
from typing import Final

from curfew.core.probes import CANARY_POLICY, attempts
from tests.attacks.attack import Attack, Refusal, policy, rights
from tests.attacks.calling import ALICE, CAROL, MERGE, PROBE_THIEF, SWEEPER_THIEF, Call, Who
from tests.attacks.families.stealing import (
    CORE,
    ESCALATION,
    LABEL,
    TOKEN,
    cannot,
    of_core,
    pending,
    plural,
)
from tests.attacks.families.stealing import body as weakening
from tests.attacks.stage import LATER, Manifest, Scene, Stage, a_user, in_hours
from tests.attacks.ways import apply_new, ask, bind, create, delete, merge, merge_status
from tests.integration.installed import RBAC, SYSTEM

ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
DRY: Final = {"dryRun": "All"}


def granted(stage: Stage) -> Scene:
    """Have a grant."""
    return stage.granted()


def sweeps(scene: Scene) -> Call:
    """Return what the sweeper is there for."""
    return delete(scene.grant_path, SWEEPER_THIEF)


def swept(title: str, refused: Refusal, attempt: Callable[[Scene], Call]) -> Attack:
    """Have the sweeper's token do something else."""
    return Attack(f"the sweeper {title}", granted, attempt, refused, sweeps)


def probes(scene: Scene) -> Call:
    """Return what the probe is there for: the request on which it tries things. It is made for nobody, and only tried here."""
    return create(scene.stage, PROBE_THIEF, "accessrequests", _canary("accessrequests"), namespace=SYSTEM, **DRY)


def probed(title: str, refused: Refusal, attempt: Callable[[Scene], Call]) -> Attack:
    """Have the probe's token do something else."""
    return Attack(f"the probe {title}", pending, attempt, refused, probes)


def _canary(kind: str) -> Manifest:
    """Return the object of a kind that Curfew makes to try things on, under another name."""
    found = [one.canary for one in attempts(SYSTEM, "curfew-probe") if one.canary is not None]
    manifest = dict(next(one.manifest for one in found if one.plural == kind))
    return {**manifest, "metadata": {**manifest["metadata"], "name": "curfew-stolen"}}


def _request(scene: Scene, **spec: str) -> Call:
    """Return a request of the probe's in Curfew's own namespace."""
    manifest = _canary("accessrequests")
    body = {**manifest, "spec": {**manifest["spec"], **spec}}
    return create(scene.stage, PROBE_THIEF, "accessrequests", body, namespace=SYSTEM)


def _policy(scene: Scene, kind: str, role: str) -> Call:
    """Return a policy of the probe's in Curfew's own namespace."""
    manifest = _canary("accesspolicies")
    body = {**manifest, "spec": {**manifest["spec"], "roleRef": {"kind": kind, "name": role}}}
    return create(scene.stage, PROBE_THIEF, "accesspolicies", body, namespace=SYSTEM)


def _binding(scene: Scene, kind: str, role: str, **meta: object) -> Call:
    """Return a binding of the probe's in Curfew's own namespace, which is only tried."""
    body = {**scene.stage.binding(meta=meta, role=role, kind=kind), "subjects": [a_user(ALICE.name)]}
    body["metadata"] = {"name": "curfew-stolen", **meta}
    return create(scene.stage, PROBE_THIEF, "rolebindings", body, namespace=SYSTEM, **DRY)


def _of_system(kind: str, name: str = "") -> Callable[[Scene], str]:
    return lambda scene: scene.stage.path(kind, name, namespace=SYSTEM)


def reading(who: Who) -> list[tuple[str, Refusal, Callable[[Scene], Call]]]:
    """Return what none of them may look at, nor make a token of, nor put in front of everything."""
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "x"},
    }
    return [
        (
            "reads the signing key",
            cannot("get", "secrets"),
            lambda _: Call(who, "GET", of_core("secrets", "curfew-signing-key")),
        ),
        ("lists all secrets", cannot("list", "secrets"), lambda _: Call(who, "GET", f"{CORE}/secrets")),
        ("lists pods", cannot("list", "pods"), lambda _: Call(who, "GET", f"{CORE}/pods")),
        ("reads a request", cannot("get", "accessrequests"), lambda s: Call(who, "GET", s.path)),
        (
            "mints the operator's token",
            cannot("create", "serviceaccounts/token"),
            lambda _: Call(who, "POST", f"{of_core('serviceaccounts', 'curfew')}/token", TOKEN),
        ),
        (
            "mints its own token",
            cannot("create", "serviceaccounts/token"),
            lambda _: Call(who, "POST", f"{of_core('serviceaccounts', who.name.rpartition(':')[2])}/token", TOKEN),
        ),
        (
            "binds for the whole cluster",
            cannot("create", "clusterrolebindings"),
            lambda s: Call(
                who, "POST", f"/apis/{RBAC}/v1/clusterrolebindings", {**s.grant(), "kind": "ClusterRoleBinding"}
            ),
        ),
        (
            "takes a policy out of force",
            cannot("patch", plural("validatingadmissionpolicybinding")),
            lambda _: Call(
                who,
                "PATCH",
                f"{ADMISSION}/validatingadmissionpolicybindings/curfew-managed-bindings",
                weakening("PATCH"),
                MERGE,
            ),
        ),
        (
            "puts a webhook in front of everything",
            cannot("create", "mutatingwebhookconfigurations"),
            lambda _: Call(who, "POST", f"{ADMISSION}/mutatingwebhookconfigurations", hook),
        ),
        (
            "impersonates the operator",
            rights("cannot impersonate"),
            lambda s: Call(who.as_(f"system:serviceaccount:{SYSTEM}:curfew"), "GET", s.path),
        ),
    ]


SWEEPER: Final = [
    swept(
        "deletes somebody's own binding", LABEL, lambda s: delete(s.stage.path("rolebindings", "owners"), SWEEPER_THIEF)
    ),
    swept(
        "deletes the binding by which a namespace takes part",
        LABEL,
        lambda s: delete(s.stage.path("rolebindings", "curfew-granter"), SWEEPER_THIEF),
    ),
    swept("makes a grant", cannot("create", "rolebindings"), lambda s: bind(s, SWEEPER_THIEF, s.grant())),
    swept(
        "makes a grant by server-side apply",
        cannot("patch", "rolebindings"),
        lambda s: apply_new(s.stage, SWEEPER_THIEF, "rolebindings", s.grant()),
    ),
    swept(
        "moves an end",
        cannot("patch", "rolebindings"),
        lambda s: Call(
            SWEEPER_THIEF,
            "PATCH",
            s.grant_path,
            {"metadata": {"annotations": {"curfew.dev/expires-at": in_hours(20)}}},
            MERGE,
        ),
    ),
    swept(
        "replaces a grant",
        cannot("update", "rolebindings"),
        lambda s: Call(SWEEPER_THIEF, "PUT", s.grant_path, s.grant(expires_at=in_hours(20))),
    ),
    swept(
        "deletes all bindings at once",
        cannot("deletecollection", "rolebindings"),
        lambda s: Call(SWEEPER_THIEF, "DELETE", s.stage.path("rolebindings")),
    ),
    swept(
        "asks for access",
        cannot("create", "accessrequests"),
        lambda s: ask(s, SWEEPER_THIEF, s.stage.request(SWEEPER_THIEF)),
    ),
    swept(
        "decides",
        cannot("patch", "accessrequests/status"),
        lambda s: merge_status(s, SWEEPER_THIEF, {"decisions": [{"by": CAROL.name, "decision": "Approve"}]}),
    ),
    swept(
        "closes a request",
        cannot("patch", "accessrequests"),
        lambda s: merge(s, SWEEPER_THIEF, {"metadata": {"labels": {"curfew.dev/closed": "true"}}}),
    ),
    swept("deletes a request", cannot("delete", "accessrequests"), lambda s: delete(s.path, SWEEPER_THIEF)),
    swept(
        "offers a role",
        cannot("create", "accesspolicies"),
        lambda s: create(s.stage, SWEEPER_THIEF, "accesspolicies", s.stage.policy()),
    ),
    *(swept(*rest) for rest in reading(SWEEPER_THIEF)),
]

PROBE: Final = [
    probed(
        "asks for access where people do",
        cannot("create", "accessrequests"),
        lambda s: ask(s, PROBE_THIEF, s.stage.request(ALICE)),
    ),
    probed(
        "asks for alice, for what a policy offers",
        policy("request-identity", "spec.requester must be system:serviceaccount:"),
        lambda s: _request(s, requester=ALICE.name, policyName="debug"),
    ),
    probed(
        "asks for alice, for what Curfew's own policy offers",
        policy("request-identity", "spec.requester must be system:serviceaccount:"),
        lambda s: _request(s, requester=ALICE.name, policyName=CANARY_POLICY),
    ),
    probed(
        "asks for an account",
        policy("request-identity", "only people may hold a grant"),
        lambda s: _request(s, requester="system:admin"),
    ),
    probed(
        "offers the cluster admin's role",
        policy("policy-no-escalation", "you need the verb bind on ClusterRole/cluster-admin"),
        lambda s: _policy(s, "ClusterRole", "cluster-admin"),
    ),
    probed(
        "offers its own rights",
        policy("policy-no-escalation", "you need the verb bind on Role/curfew-probe-attempts"),
        lambda s: _policy(s, "Role", "curfew-probe-attempts"),
    ),
    probed(
        "offers a role where people are",
        cannot("create", "accesspolicies"),
        lambda s: create(s.stage, PROBE_THIEF, "accesspolicies", s.stage.policy()),
    ),
    probed("binds the namespace admin's role", ESCALATION, lambda s: _binding(s, "ClusterRole", "admin")),
    probed("binds the operator's role", ESCALATION, lambda s: _binding(s, "ClusterRole", "curfew")),
    probed("binds the right to its own token", ESCALATION, lambda s: _binding(s, "Role", "curfew-probe-token")),
    probed("binds where people are", cannot("create", "rolebindings"), lambda s: bind(s, PROBE_THIEF, s.grant())),
    probed(
        "makes what looks like a grant",
        policy("managed-bindings", "bindings labelled curfew.dev/request-uid are written by Curfew alone"),
        lambda s: _binding(s, "Role", "curfew-probe", labels={"curfew.dev/request-uid": s.uid}),
    ),
    probed(
        "changes a binding",
        cannot("patch", "rolebindings"),
        lambda s: Call(PROBE_THIEF, "PATCH", _of_system("rolebindings", "curfew-probe")(s), {"subjects": []}, MERGE),
    ),
    probed(
        "deletes a binding",
        cannot("delete", "rolebindings"),
        lambda s: delete(_of_system("rolebindings", "curfew-probe")(s), PROBE_THIEF),
    ),
    probed(
        "makes a role",
        cannot("create", "roles"),
        lambda s: create(
            s.stage,
            PROBE_THIEF,
            "roles",
            {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "x"}},
            namespace=SYSTEM,
        ),
    ),
    probed(
        "gives its role more rights",
        cannot("patch", "roles"),
        lambda s: Call(PROBE_THIEF, "PATCH", _of_system("roles", "curfew-probe")(s), {"rules": []}, MERGE),
    ),
    probed(
        "decides on somebody's request",
        cannot("patch", "accessrequests/status"),
        lambda s: merge_status(s, PROBE_THIEF, {"decisions": [{"by": CAROL.name, "decision": "Approve"}]}),
    ),
    probed(
        "forges the phase of somebody's request",
        cannot("patch", "accessrequests/status"),
        lambda s: merge_status(s, PROBE_THIEF, {"phase": "Active", "expiresAt": LATER}),
    ),
    probed(
        "changes somebody's request",
        cannot("patch", "accessrequests"),
        lambda s: merge(s, PROBE_THIEF, {"metadata": {"labels": {"x": "y"}}}),
    ),
    probed("deletes somebody's request", cannot("delete", "accessrequests"), lambda s: delete(s.path, PROBE_THIEF)),
    probed(
        "rewrites what Curfew's own policy asks",
        cannot("patch", "accesspolicies"),
        lambda s: Call(
            PROBE_THIEF,
            "PATCH",
            _of_system("accesspolicies", CANARY_POLICY)(s),
            {"spec": {"maxDuration": "24h"}},
            MERGE,
        ),
    ),
    probed(
        "lists requests",
        cannot("list", "accessrequests"),
        lambda s: Call(PROBE_THIEF, "GET", _of_system("accessrequests")(s)),
    ),
    probed(
        "moves the checkpoint",
        cannot("patch", "configmaps"),
        lambda _: Call(PROBE_THIEF, "PATCH", of_core("configmaps", "curfew-checkpoint"), {"data": {}}, MERGE),
    ),
    *(probed(*rest) for rest in reading(PROBE_THIEF)),
]
