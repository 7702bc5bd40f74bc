"""What the monitor's token is good for, if it is stolen: to write what was done with an access, true or not, and nothing else.

A verdict that is written with it contradicts the monitor's log, which the token gives no way to.
"""

from collections.abc import Callable
from typing import Any, Final

from tests.attacks.attack import Attack, Refusal, policies, policy
from tests.attacks.calling import ALICE, ALMIGHTY_MONITOR, CAROL, MERGE, MONITOR_THIEF, Call, Who
from tests.attacks.families.credentials import reading
from tests.attacks.families.stealing import CORE, cannot, of_core
from tests.attacks.stage import LATER, Manifest, Scene, Stage, in_hours
from tests.attacks.ways import (
    adding,
    apply_status,
    ask,
    bind,
    create,
    delete,
    merge,
    merge_status,
    replace_status,
    status_operations,
    step,
)
from tests.integration.installed import RBAC, SYSTEM
from tests.support.api import until
from tests.support.node import a_pod

NOTHING_ELSE: Final = policy("monitor-containment", "the monitor changes nothing but status.activity")
OF_ANOTHER: Final = Refusal(422, ("the server rejected our request",))
LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces"
RBAC_PATH: Final = f"/apis/{RBAC}/v1"
ADMINISTRATOR: Final[Manifest] = {
    "apiVersion": f"{RBAC}/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "owners"},
    "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"apiGroup": RBAC, "kind": "User", "name": CAROL.name}],
}
ACTIVITY: Final = {"changes": "Yes", "summary": "changed 2 objects", "writes": 2, "changed": ["configmaps/x"]}


def active(stage: Stage) -> Scene:
    """Have an active request."""
    return stage.in_phase("Active")


def granted(stage: Stage) -> Scene:
    """Have an active request with its binding."""
    return stage.granted()


def made_anew(stage: Stage) -> Scene:
    """Have a request that was deleted, and another one under its name."""
    return stage.in_phase("Pending").made_anew()


def uid_now(scene: Scene) -> str:
    """Return the UID of the request that has the name now."""
    return str(scene.stage.do(Call(ALICE, "GET", scene.path))["metadata"]["uid"])


def assess(scene: Scene, uid: str = "", who: Who = MONITOR_THIEF) -> Call:
    """Return what the monitor is there for: the activity, of exactly the request that it means."""
    return status_operations(
        scene,
        who,
        step("test", "/metadata/uid", uid or scene.uid),
        step("add", "/status/activity", ACTIVITY),
    )


def strays(title: str, attempt: Callable[[Scene], Call], refused: Refusal = NOTHING_ELSE) -> Attack:
    """Have the token write something else."""
    return Attack(f"the monitor {title}", active, attempt, refused, assess)


def beyond(title: str, attempt: Callable[[Scene], Call], refused: Refusal) -> Attack:
    """Have the token do what the chart gives it no right to."""
    return Attack(f"the monitor {title}", granted, attempt, refused, assess)


def look(path: str, **query: str) -> Callable[[Scene], Call]:
    """Return a look at something."""
    return lambda _: Call(MONITOR_THIEF, "GET", path, query=query)


def lease(name: str, namespace: str = SYSTEM) -> Call:
    """Return the renewal of a lease."""
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"holderIdentity": "x"},
    }
    return Call(MONITOR_THIEF, "PUT", f"{LEASES}/{namespace}/leases/{name}", body)


def _status(**fields: Any) -> Callable[[Scene], Call]:
    return lambda scene: merge_status(scene, MONITOR_THIEF, fields)


def _decided(body: Manifest) -> None:
    body["status"]["decisions"].append({"by": CAROL.name, "decision": "Approve"})


WRITING: Final = [
    strays("decides for somebody", lambda s: status_operations(s, MONITOR_THIEF, adding(CAROL, "Revoke"))),
    strays("decides itself", lambda s: status_operations(s, MONITOR_THIEF, adding(MONITOR_THIEF, "Revoke"))),
    strays("ends an access", _status(phase="Revoked", endedAt=LATER, endReason="Revoked")),
    strays("moves an end to earlier", _status(expiresAt="2029-06-01T00:00:00Z")),
    strays("puts a record into the outbox", _status(outbox=[{"record": "{}", "seal": "0" * 64}])),
    strays("says that all is well", _status(conditions=[])),
    strays("forges a grant", _status(grant={"binding": "owners", "uid": "u"})),
    strays("writes more beside the activity", _status(activity=ACTIVITY, approvals="1/1")),
    strays(
        "writes by server-side apply",
        lambda s: apply_status(s, MONITOR_THIEF, {"approvals": "1/1"}, manager="curfew", force=True),
    ),
    strays(
        "replaces the status, were RBAC to let it",
        lambda s: replace_status(s, ALMIGHTY_MONITOR, s.changed(_decided)),
    ),
    strays(
        "labels a request closed, were RBAC to let it",
        lambda s: merge(s, ALMIGHTY_MONITOR, {"metadata": {"labels": {"curfew.dev/closed": "true"}}}),
        policies("monitor-containment", "request-immutable"),
    ),
    strays("deletes a request, were RBAC to let it", lambda s: delete(s.path, ALMIGHTY_MONITOR)),
    strays(
        "asks, were RBAC to let it",
        lambda s: ask(s, ALMIGHTY_MONITOR, s.stage.request(ALMIGHTY_MONITOR)),
        policies("monitor-containment", "request-identity"),
    ),
    Attack(
        "the monitor writes about a request that is gone into the next of its name",
        made_anew,
        assess,
        OF_ANOTHER,
        lambda s: assess(s, uid_now(s)),
    ),
]

RIGHTS: Final = [
    beyond(
        "replaces a status",
        lambda s: replace_status(s, MONITOR_THIEF, s.body),
        cannot("update", "accessrequests/status"),
    ),
    beyond(
        "changes a request",
        lambda s: merge(s, MONITOR_THIEF, {"metadata": {"labels": {"x": "y"}}}),
        cannot("patch", "accessrequests"),
    ),
    beyond("deletes a request", lambda s: delete(s.path, MONITOR_THIEF), cannot("delete", "accessrequests")),
    beyond(
        "asks for access", lambda s: ask(s, MONITOR_THIEF, s.stage.request(ALICE)), cannot("create", "accessrequests")
    ),
    beyond(
        "lists requests",
        lambda s: Call(MONITOR_THIEF, "GET", s.stage.path("accessrequests")),
        cannot("list", "accessrequests"),
    ),
    beyond(
        "reads policies",
        lambda s: Call(MONITOR_THIEF, "GET", s.stage.path("accesspolicies", "debug")),
        cannot("get", "accesspolicies"),
    ),
    beyond(
        "writes the status of a policy",
        lambda s: Call(
            MONITOR_THIEF, "PATCH", f"{s.stage.path('accesspolicies', 'debug')}/status", {"status": {}}, MERGE
        ),
        cannot("patch", "accesspolicies/status"),
    ),
    beyond(
        "offers a role",
        lambda s: create(s.stage, MONITOR_THIEF, "accesspolicies", s.stage.policy()),
        cannot("create", "accesspolicies"),
    ),
    beyond("makes a grant", lambda s: bind(s, MONITOR_THIEF, s.grant()), cannot("create", "rolebindings")),
    beyond(
        "replaces a grant",
        lambda s: Call(MONITOR_THIEF, "PUT", s.grant_path, s.grant()),
        cannot("update", "rolebindings"),
    ),
    beyond(
        "watches grants",
        lambda s: Call(MONITOR_THIEF, "GET", s.grant_path.rpartition("/")[0], query={"watch": "1"}),
        cannot("watch", "rolebindings"),
    ),
    beyond(
        "makes somebody an administrator",
        lambda s: Call(MONITOR_THIEF, "POST", f"{RBAC_PATH}/clusterrolebindings", ADMINISTRATOR),
        cannot("create", "clusterrolebindings"),
    ),
    beyond("reads roles", look(f"{RBAC_PATH}/clusterroles/view"), cannot("get", "clusterroles")),
    beyond("deletes a grant", lambda s: delete(s.grant_path, MONITOR_THIEF), cannot("delete", "rolebindings")),
    beyond(
        "moves an end",
        lambda s: Call(
            MONITOR_THIEF,
            "PATCH",
            s.grant_path,
            {"metadata": {"annotations": {"curfew.dev/expires-at": in_hours(20)}}},
            MERGE,
        ),
        cannot("patch", "rolebindings"),
    ),
    beyond(
        "makes its test call that is refused",
        look(of_core("configmaps", "curfew-monitor-refused")),
        cannot("get", "configmaps"),
    ),
    beyond("reads the settings", look(of_core("configmaps", "curfew-monitor")), cannot("get", "configmaps")),
    beyond(
        "reads the Secret of its test calls",
        look(of_core("secrets", "curfew-monitor-canary")),
        cannot("get", "secrets"),
    ),
    beyond(
        "reads the token of API servers", look(of_core("secrets", "curfew-monitor-token")), cannot("get", "secrets")
    ),
    beyond("lists the secrets beside its test call's", look(of_core("secrets")), cannot("list", "secrets")),
    beyond(
        "lists another secret as its test call does",
        look(of_core("secrets"), fieldSelector="metadata.name=curfew-signing-key"),
        cannot("list", "secrets"),
    ),
    beyond(
        "lists a secret of that name elsewhere",
        look(of_core("secrets", namespace="kube-system"), fieldSelector="metadata.name=curfew-monitor-canary"),
        cannot("list", "secrets"),
    ),
    beyond("watches secrets", look(f"{CORE}/secrets", watch="true"), cannot("watch", "secrets")),
    beyond("renews another lease", lambda _: lease("other"), cannot("update", "leases")),
    beyond(
        "renews the lease of a component",
        lambda _: lease("kube-controller-manager", "kube-system"),
        cannot("update", "leases"),
    ),
    beyond("lists leases beside its own", look(f"{LEASES}/{SYSTEM}/leases"), cannot("list", "leases")),
    beyond(
        "runs a command in a pod",
        lambda _: Call(MONITOR_THIEF, "POST", f"{of_core('pods', 'x')}/exec", query={"command": "id"}),
        cannot("create", "pods/exec"),
    ),
    beyond("deletes a pod", lambda _: delete(of_core("pods", "x"), MONITOR_THIEF), cannot("delete", "pods")),
    beyond(
        "makes a role",
        lambda s: create(
            s.stage, MONITOR_THIEF, "roles", {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "x"}}
        ),
        cannot("create", "roles"),
    ),
    *(beyond(title, attempt, refused) for title, refused, attempt in reading(MONITOR_THIEF)),
]


def with_a_pod(stage: Stage) -> Scene:
    """Have a pod where the monitor may delete pods."""
    stage.cluster.let_pods_be_deleted(stage.elsewhere)
    body = a_pod("web", stage.elsewhere)
    until(
        lambda: stage.cluster.api.create(body).returncode == 0 or "exists" in stage.cluster.api.create(body).stderr,
        "the service account of pods",
    )
    return stage.granted()


def pod_of(scene: Scene, *rest: str) -> str:
    """Return where that pod is."""
    return "/".join((of_core("pods", "web", scene.stage.elsewhere), *rest))


def delete_pod(scene: Scene) -> Call:
    """Return what the monitor may do there."""
    return Call(MONITOR_THIEF, "DELETE", pod_of(scene), query={"dryRun": "All"})


def besides(title: str, attempt: Callable[[Scene], Call], refused: Refusal) -> Attack:
    """Have the token do more than delete pods where it may do that."""
    return Attack(f"the monitor {title} where it may delete pods", with_a_pod, attempt, refused, delete_pod)


DELETING: Final = [
    besides("reads a pod", lambda s: Call(MONITOR_THIEF, "GET", pod_of(s)), cannot("get", "pods")),
    besides(
        "lists pods",
        lambda s: Call(MONITOR_THIEF, "GET", of_core("pods", namespace=s.stage.elsewhere)),
        cannot("list", "pods"),
    ),
    besides(
        "deletes all pods at once",
        lambda s: Call(MONITOR_THIEF, "DELETE", of_core("pods", namespace=s.stage.elsewhere)),
        cannot("deletecollection", "pods"),
    ),
    besides(
        "runs a command",
        lambda s: Call(MONITOR_THIEF, "POST", pod_of(s, "exec"), query={"command": "id"}),
        cannot("create", "pods/exec"),
    ),
    besides(
        "changes a pod",
        lambda s: Call(MONITOR_THIEF, "PATCH", pod_of(s), {"metadata": {"labels": {"x": "y"}}}, MERGE),
        cannot("patch", "pods"),
    ),
    besides(
        "makes a pod",
        lambda s: Call(
            MONITOR_THIEF,
            "POST",
            of_core("pods", namespace=s.stage.elsewhere),
            a_pod("mine", s.stage.elsewhere),
        ),
        cannot("create", "pods"),
    ),
    besides(
        "deletes a Secret",
        lambda s: Call(MONITOR_THIEF, "DELETE", of_core("secrets", "x", s.stage.elsewhere)),
        cannot("delete", "secrets"),
    ),
    besides(
        "deletes a pod elsewhere",
        lambda s: Call(MONITOR_THIEF, "DELETE", of_core("pods", "web", s.stage.namespace)),
        cannot("delete", "pods"),
    ),
]

ATTACKS: Final = [*WRITING, *RIGHTS, *DELETING]
