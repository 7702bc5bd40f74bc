"""The faults that are planted, each with the codes by which the doctor finds it."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from tests.integration.doctor.ground import (
    BATCH,
    DEPLOYMENTS,
    LEASE,
    NAMESPACE,
    OPERATORS_POD,
    Body,
    Vandal,
    pod,
    policy,
)
from tests.integration.installed import SYSTEM
from tests.support.api import MERGE, succeed, until
from tests.support.ending import certificate, web_token
from tools.policy_probes import RBAC

ADMISSION_GROUP: Final = "admissionregistration.k8s.io"
ADMISSION: Final = f"/apis/{ADMISSION_GROUP}/v1"
POLICIES: Final = f"{ADMISSION}/validatingadmissionpolicies"
BINDINGS: Final = f"{ADMISSION}/validatingadmissionpolicybindings"
ROLES: Final = f"/apis/{RBAC}/v1/clusterroles"
DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ONLY_WARNS: Final[Body] = {"spec": {"validationActions": ["Warn"]}}
HERE: Final = {"matchLabels": {"kubernetes.io/metadata.name": SYSTEM}}
NARROWED: Final[Body] = {"spec": {"matchResources": {"namespaceSelector": HERE}}}
ACCOUNT_TOKEN: Final = "kubernetes.io/service-account"
ALICE: Final = {"apiGroup": RBAC, "kind": "User", "name": "alice@example.com"}
SIGNER: Final = "kubernetes.io/kube-apiserver-client"
OPERATOR: Final = {"kind": "ServiceAccount", "name": "curfew", "namespace": SYSTEM}


class Fault(NamedTuple):
    """What is done to the cluster, and what the doctor has to find: these codes, and no others."""

    name: str
    codes: tuple[str, ...]
    plant: Callable[[Vandal], object]
    is_still: bool = False  # with an operator that stands still: no other fault than such at the same time


def rule(verbs: str, resources: str, group: str = "", *names: str) -> Body:
    """Return a rule of a role."""
    limited = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split(), **limited}


def may(*rules: Body, where: str = "", subject: Body = ALICE) -> Callable[[Vandal], None]:
    """Give somebody a role with these rules, everywhere or in a namespace."""
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": "planted"}, "rules": list(rules)}
    return lambda vandal: vandal.put(role, holds("planted", where, subject))


def holds(role: str, where: str = "", subject: Body = ALICE) -> Body:
    """Return the binding that gives somebody a ClusterRole."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding" if where else "ClusterRoleBinding",
        "metadata": {"name": "planted", **({"namespace": where} if where else {})},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }


def secret(name: str, type_: str = "Opaque", annotations: Body | None = None, **data: bytes) -> Body:
    """Return a Secret in Curfew's namespace; `_` in a key is a dot."""
    meta = {"name": name, "namespace": SYSTEM, "annotations": annotations or {}}
    held = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "type": type_, "metadata": meta, "data": held}


def tls_secret(vandal: Vandal) -> None:
    """Put a certificate that ends in ten days where the monitor's could be."""
    made, key = certificate(timedelta(days=10))
    vandal.put(secret("planted", "kubernetes.io/tls", tls_crt=made, tls_key=key))


def in_another_namespace(kind: str, name: str) -> Callable[[Vandal], None]:
    """Put a copy of something of Curfew's in a namespace of its own."""

    def plant(vandal: Vandal) -> None:
        path = {"ConfigMap": f"/api/v1/namespaces/{SYSTEM}/configmaps", "Deployment": DEPLOYMENTS}[kind]
        found = json.loads(succeed(vandal.api.ask("GET", f"{path}/{name}")))
        meta = {"name": name, "namespace": NAMESPACE, "labels": found["metadata"]["labels"]}
        rest = {key: value for key, value in found.items() if key not in ("metadata", "status")}
        vandal.put({**rest, "metadata": meta})

    return plant


def not_ready(vandal: Vandal) -> None:
    """Offer a role with which access could be made permanent."""
    vandal.put(policy("powerful", "edit"))
    until(lambda: vandal.ground.condition("powerful") == "False", "that the policy is refused")


def not_to_be_granted(vandal: Vandal) -> None:
    """Offer a role that the chart's values do not name."""
    vandal.put(policy("unbound", "system:node-bootstrapper"))
    until(lambda: vandal.ground.condition("unbound") == "False", "that the policy is refused")


def over_and_there(vandal: Vandal) -> None:
    """Leave a grant past its end, while nobody ends it and nobody refuses it."""
    vandal.pause_operator()
    meta = {
        "name": "curfew-planted",
        "namespace": NAMESPACE,
        "labels": {"curfew.dev/request-uid": "planted"},
        "annotations": {"curfew.dev/expires-at": "2026-01-01T00:00:00Z"},
    }
    vandal.take(f"{BINDINGS}/curfew-managed-bindings")
    grant = {**holds("view", NAMESPACE), "metadata": meta}
    until(lambda: vandal.api.create(grant).returncode == 0, "that nothing refuses the grant")
    vandal.undo.callback(vandal.api.ask, "DELETE", vandal.api.path_of(grant))


def led_by_nobody(vandal: Vandal) -> None:
    """Stop the operator, and take its Lease."""
    vandal.pause_operator()
    succeed(vandal.api.ask("DELETE", LEASE))


def another_leader(vandal: Vandal) -> None:
    """Have a second pod show the same numbers."""
    first = json.loads(succeed(vandal.api.ask("GET", f"/api/v1/namespaces/{SYSTEM}/pods/{OPERATORS_POD}")))
    port = first["spec"]["containers"][0]["ports"][0]["containerPort"]
    vandal.put(pod("curfew-1", "operator", port))
    path = f"/api/v1/namespaces/{SYSTEM}/pods/curfew-1/status"
    succeed(vandal.api.ask("PATCH", path, {"status": first["status"]}, content_type=MERGE))


def advisory(vandal: Vandal) -> None:
    """Have the settings accept any bucket."""
    path = f"/api/v1/namespaces/{SYSTEM}/configmaps/curfew"
    held = json.loads(succeed(vandal.api.ask("GET", path)))["data"]["config.yaml"]
    vandal.change(path, {"data": {"config.yaml": held.replace("worm: required", "worm: advisory")}})


def shows(line: str) -> Callable[[Vandal], None]:
    """Plant a number in the metrics, in place of all series of its name."""
    name = line.partition("{")[0].partition(" ")[0]
    return lambda vandal: vandal.show(name, line)


def no_monitor(vandal: Vandal) -> None:
    """Take the monitor; when it is back, it is ready."""
    vandal.undo.callback(vandal.ground.show_ready, "curfew-monitor", 1)
    vandal.take(f"{DEPLOYMENTS}/curfew-monitor")


def no_definition(vandal: Vandal) -> None:
    """Take a definition; when it is back, it is served."""

    def is_served() -> bool:
        found = json.loads(succeed(vandal.api.ask("GET", path)))
        conditions = found.get("status", {}).get("conditions") or []
        return any((one["type"], one["status"]) == ("Established", "True") for one in conditions)

    path = f"{DEFINITIONS}/alertresponses.curfew.dev"
    vandal.undo.callback(until, is_served, "that the definition is served")
    vandal.take(path)


def a_right_less(vandal: Vandal) -> None:
    """Take the last rule from the operator's role."""
    rules = json.loads(succeed(vandal.api.ask("GET", f"{ROLES}/curfew")))["rules"]
    vandal.change(f"{ROLES}/curfew", {"rules": rules[:-1]})


FAULTS: Final = (
    # --- what the API server enforces -------------------------------------------------------------------------------
    Fault("a policy deleted", ("D101",), lambda v: v.take(f"{POLICIES}/curfew-request-decision")),
    Fault("a binding deleted", ("D102",), lambda v: v.take(f"{BINDINGS}/curfew-managed-bindings")),
    Fault(
        "a binding that warns",
        ("D102",),
        lambda v: v.change(f"{BINDINGS}/curfew-locks", ONLY_WARNS),
    ),
    Fault(
        "a binding for Curfew's namespace alone",
        ("D103",),
        lambda v: v.change(
            f"{BINDINGS}/curfew-operator-containment", {"spec": {"matchResources": {"namespaceSelector": HERE}}}
        ),
    ),
    Fault(
        "a policy whose errors are ignored",
        ("D103",),
        lambda v: v.change(f"{POLICIES}/curfew-request-identity", {"spec": {"failurePolicy": "Ignore"}}),
    ),
    Fault(
        "a policy that was edited",
        ("D104",),
        lambda v: v.change(
            f"{POLICIES}/curfew-locks", {"spec": {"validations": [{"expression": "true"}]}}, "kubectl-edit"
        ),
    ),
    Fault("a policy that refuses nothing", ("D105",), shows('curfew_enforced{policy="curfew-locks"} 0.0')),
    Fault("a definition deleted", ("D106",), no_definition),
    # --- rights -----------------------------------------------------------------------------------------------------
    Fault("a right less", ("D201",), a_right_less),
    Fault("a right more", ("D202",), lambda v: v.put(holds("view", "", OPERATOR))),
    Fault(
        "a role that may not be granted",
        ("D203", "D407"),
        not_to_be_granted,
    ),
    Fault(
        "a token for ever",
        ("D204",),
        lambda v: v.put(
            secret("planted", "kubernetes.io/service-account-token", {"kubernetes.io/service-account.name": "curfew"})
        ),
    ),
    # --- who can go around ------------------------------------------------------------------------------------------
    Fault("another cluster admin", ("D300",), lambda v: v.put(holds("cluster-admin"))),
    Fault(
        "who can unbind policies",
        ("D301",),
        may(rule("delete", "validatingadmissionpolicybindings", ADMISSION_GROUP)),
    ),
    Fault("who can bind all roles", ("D302",), may(rule("bind", "clusterroles", RBAC), where=NAMESPACE)),
    Fault("who can escalate", ("D302",), may(rule("escalate", "clusterroles", RBAC))),
    Fault("who can impersonate", ("D303",), may(rule("impersonate", "users"))),
    Fault(
        "who can sign",
        ("D304",),
        may(rule("approve", "signers", "certificates.k8s.io", SIGNER)),
    ),
    Fault("who can mint a token", ("D305",), may(rule("create", "serviceaccounts/token"), where=SYSTEM)),
    Fault("who can exec", ("D306",), may(rule("create", "pods/exec"), where=SYSTEM)),
    Fault("who can deploy", ("D306",), may(rule("patch", "deployments", "apps"), where=SYSTEM)),
    Fault("who can read secrets", ("D307",), may(rule("get", "secrets"))),
    Fault("who can change settings", ("D308",), may(rule("patch", "configmaps", "", "curfew"), where=SYSTEM)),
    Fault("who can write policies", ("D309",), may(rule("patch", "accesspolicies", "curfew.dev"), where=NAMESPACE)),
    Fault("who holds a governed role", ("D310",), lambda v: v.put(holds("view", NAMESPACE))),
    # --- whether it runs --------------------------------------------------------------------------------------------
    Fault("no operator ready", ("D401",), lambda v: v.ready("curfew", 0, 2)),
    Fault("nobody leads", ("D402",), led_by_nobody, is_still=True),
    Fault("a clock that is off", ("D403",), shows("curfew_clock_ahead_seconds 2.5")),
    Fault("no sweeper", ("D404",), lambda v: v.take(BATCH), is_still=True),
    Fault("a sweeper suspended", ("D405",), lambda v: v.change(BATCH, {"spec": {"suspend": True}})),
    Fault("a sweeper that fails", ("D405",), lambda v: v.sweep_last(datetime.now(UTC) - timedelta(hours=1))),
    Fault("a grant that is over", ("D102", "D406"), over_and_there, is_still=True),
    Fault("a policy that is refused", ("D407",), not_ready),
    Fault("locks unknown", ("D408",), shows("curfew_locks_known 0.0")),
    Fault("two leaders", ("D409",), another_leader),
    Fault("two installations", ("D003",), in_another_namespace("Deployment", "curfew")),
    # --- the record -------------------------------------------------------------------------------------------------
    Fault("a bucket without locks", ("D501",), shows('curfew_worm_attested{evidence="RefusedAttempt"} 0.0')),
    Fault("any bucket accepted", ("D502",), advisory),
    Fault("a log that takes nothing", ("D503",), shows('curfew_trail_healthy{reason="StoreUnavailable"} 0.0')),
    Fault("a segment altered", ("D504",), shows("curfew_audit_verification_failures_total 1.0")),
    Fault("a log cut off", ("D505",), shows('curfew_audit_anchor_failures_total{reason="Ahead"} 1.0')),
    Fault("two logs of one name", ("D506",), in_another_namespace("ConfigMap", "curfew")),
    Fault("no monitor", ("D507",), no_monitor),
    Fault("a feed with holes", ("D508",), shows("curfew_activity_covered 0.0")),
    Fault("a monitor that reads nothing", ("D509",), shows("curfew_activity_trail_followed 0.0")),
    # --- what ends --------------------------------------------------------------------------------------------------
    Fault("a certificate near its end", ("D601",), tls_secret),
    Fault("a token near its end", ("D602",), lambda v: v.put(secret("planted", token=web_token(timedelta(days=2))))),
)
