"""What a thief of the operator's own token tries: its rights are the chart's, and no policy of ours looks away."""

from collections.abc import Callable
from typing import Any

from tests.attacks.attack import Attack, Refusal, policy, rights
from tests.attacks.calling import ALICE, ALMIGHTY_OPERATOR, BOB, CAROL, DAVE, MERGE, THIEF, Call
from tests.attacks.stage import Manifest, Scene, Stage, a_user, decide, in_hours
from tests.attacks.ways import apply_new, ask, bind, create, delete, merge_status, status_operations, step
from tests.integration.installed import RBAC, SYSTEM

NAMED = policy("operator-containment", "a grant binds a role that Curfew was given by name")
ONE_PERSON = policy("operator-containment", "exactly one person per grant")
OWNED = policy("operator-containment", "a grant is owned by its request, and by nothing else")
RECEIPT = policy("operator-containment", "no grant without the receipt of its record")
TERMS = policy("operator-containment", "a grant names its policy and the digest of its terms")
TIMES = policy("operator-containment", "a grant carries its start and its end, at most 24h apart")
DEAD = policy("operator-containment", "a grant is not over before it begins")
EARLY = policy("operator-containment", "a grant does not begin later than its binding")
AWAY = policy("operator-containment", "a grant carries its end, at most 24h away")
# What an expression cannot make sense of is refused too.
FAILS_CLOSED = Refusal(
    422, ("ValidatingAdmissionPolicy 'curfew-operator-containment'",), "type conversion error from 'string' to"
)
NAME = policy("operator-containment", "a grant is named after its request")
LABEL = policy("operator-containment", "only bindings that carry the label curfew.dev/request-uid")
ESCALATION = rights("is attempting to grant RBAC permissions not currently held")
CORE = "/api/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def pending(stage: Stage) -> Scene:
    """Have a request of alice's for which there is no binding yet."""
    return stage.in_phase("Pending")


def a_grant(scene: Scene) -> Call:
    """Return the binding as the operator makes it."""
    return bind(scene, THIEF, scene.grant())


def tampered(title: str, refused: Refusal, change: Callable[[Scene, Manifest], object], **marks: Any) -> Attack:
    """Have the token bind, with something about the grant that is not as it should be; the twin is the grant as it is."""

    def attempt(scene: Scene) -> Call:
        grant = scene.grant(**marks)
        change(scene, grant)
        return bind(scene, THIEF, grant)

    return Attack(title, pending, attempt, refused, a_grant)


def marked(title: str, refused: Refusal, **marks: str | None) -> Attack:
    """Have the token bind with other annotations."""
    return tampered(title, refused, lambda _, __: None, **marks)


def subject(title: str, *subjects: Manifest) -> Attack:
    """Have the token bind somebody other than one person."""
    return tampered(title, ONE_PERSON, lambda _, grant: grant.update(subjects=list(subjects)))


def role(title: str, refused: Refusal, name: str, kind: str = "ClusterRole") -> Attack:
    """Have the token bind a role that the chart did not give it by name."""
    return tampered(title, refused, lambda _, grant: grant["roleRef"].update(name=name, kind=kind))


def owner(title: str, **fields: Any) -> Attack:
    """Have the token make a binding with another owner."""
    return tampered(title, OWNED, lambda _, grant: grant["metadata"]["ownerReferences"][0].update(fields))


def meta(title: str, refused: Refusal, change: Callable[[Scene], Manifest]) -> Attack:
    """Have the token make a binding with other metadata."""
    return tampered(title, refused, lambda scene, grant: grant["metadata"].update(change(scene)))


def beyond(title: str, attempt: Callable[[Scene], Call], refused: Refusal) -> Attack:
    """Have the token do what the chart gives it no right to; the twin is what it is there for."""
    return Attack(title, pending, attempt, refused, a_grant)


def cannot(verb: str, resource: str) -> Refusal:
    """Expect RBAC to refuse."""
    return rights(f'cannot {verb} resource "{resource}"')


BINDING = [
    role("its own role, whose rights it has", NAMED, "curfew"),
    role("the role with which it grants, whose rights it has here", NAMED, "curfew-granter"),
    role("the sweeper's role, whose rights it has", NAMED, "curfew-sweeper"),
    role("a role that everybody has anyway", NAMED, "system:basic-user"),
    role("a role that is not there", Refusal(404, ('"no-such-role" not found',)), "no-such-role"),
    role("a Role of the name of a ClusterRole that it may bind", ESCALATION, "view", "Role"),
    role("a Role that the namespace did not name", ESCALATION, "support", "Role"),
    role("the cluster admin's role", ESCALATION, "cluster-admin"),
    role("the namespace admin's role", ESCALATION, "admin"),
    subject("nobody"),
    subject("two people", a_user(ALICE.name), a_user(DAVE.name)),
    subject("the same person twice", a_user(ALICE.name), a_user(ALICE.name)),
    subject("everybody", {"apiGroup": RBAC, "kind": "Group", "name": "system:authenticated"}),
    subject("a group of people", {"apiGroup": RBAC, "kind": "Group", "name": "approvers"}),
    subject("a person and a group", a_user(ALICE.name), {"apiGroup": RBAC, "kind": "Group", "name": "approvers"}),
    subject("a service account", {"kind": "ServiceAccount", "name": "bot", "namespace": "default"}),
    subject("itself, as a user", a_user(THIEF.name)),
    subject("nobody in particular", a_user("system:anonymous")),
    marked("a receipt of spaces", RECEIPT, receipt=" "),
    marked("a receipt that only says yes", RECEIPT, receipt="yes"),
    marked("a receipt without a root", RECEIPT, receipt="main/7/8/"),
    marked("a receipt with half a root", RECEIPT, receipt=f"main/7/8/{'0' * 32}"),
    marked("a receipt with a root in capitals", RECEIPT, receipt=f"main/7/8/{'A' * 64}"),
    marked("a receipt of a log of nothing", RECEIPT, receipt=f"main/0/0/{'0' * 64}"),
    marked("a receipt below zero", RECEIPT, receipt=f"main/-1/8/{'0' * 64}"),
    marked("a receipt of no log", RECEIPT, receipt=f"/7/8/{'0' * 64}"),
    marked("no receipt", RECEIPT, receipt=None),
    marked("terms in capitals", TERMS, terms="A" * 64),
    marked("terms of half the length", TERMS, terms="0" * 32),
    marked("no policy", TERMS, policy=""),
    marked("the name of another request", OWNED, request="other"),
    marked("a day and an hour", TIMES, expires_at=in_hours(25.5)),
    marked("an end where it starts", TIMES, starts_at="2030-01-01T00:00:00Z", expires_at="2030-01-01T00:00:00Z"),
    marked("an hour in a year", AWAY, starts_at=in_hours(8760), expires_at=in_hours(8761)),
    marked("an hour that is over", DEAD, starts_at=in_hours(-2), expires_at=in_hours(-1)),
    tampered(
        "an hour that is over, by a binding that claims to be older",
        DEAD,
        lambda _, grant: grant["metadata"].update(creationTimestamp=in_hours(-1.5)),
        starts_at=in_hours(-2),
        expires_at=in_hours(-1),
    ),
    marked("an hour that is to come", EARLY, starts_at=in_hours(8), expires_at=in_hours(9)),
    marked("an end in another zone", TIMES, expires_at="2030-01-01T00:00:00+01:00"),
    marked("an end with a space", TIMES, expires_at=f"{in_hours(1)} "),
    marked("an end in seconds since 1970", TIMES, expires_at="1900000000"),
    marked("an end that is no day", FAILS_CLOSED, expires_at="2030-02-31T00:00:00Z"),
    marked("an end at the end of all calendars", TIMES, expires_at="9999-12-31T23:59:59Z"),
    owner("owned by another request of this name", uid="11111111-1111-1111-1111-111111111111"),
    owner("owned by something of a kind that stays", kind="Namespace", apiVersion="v1"),
    owner("owned by a policy", kind="AccessPolicy"),
    owner("owned by a version that does not exist", apiVersion="curfew.dev/v1"),
    owner("owned, but not controlled", controller=None),
    meta("under a name of its own choice", NAME, lambda s: {"name": f"grant-{s.uid}"}),
    meta("under our name in other words", NAME, lambda s: {"name": f"curfew-{s.uid}-2"}),
    meta("without a label", LABEL, lambda _: {"labels": {}}),
    meta("with an empty label", LABEL, lambda _: {"labels": {"curfew.dev/request-uid": ""}}),
    meta("with the label of another request", NAME, lambda _: {"labels": {"curfew.dev/request-uid": "other"}}),
    meta("without an owner", OWNED, lambda _: {"ownerReferences": []}),
    meta(
        "with a finalizer",
        policy("operator-containment", "a grant has no finalizers; nothing may block its end"),
        lambda _: {"finalizers": ["foregroundDeletion"]},
    ),
    Attack(
        "under a generated name",
        pending,
        lambda s: bind(
            s,
            THIEF,
            {
                **(grant := s.grant()),
                "metadata": {**{k: v for k, v in grant["metadata"].items() if k != "name"}, "generateName": "curfew-"},
            },
        ),
        NAME,
        a_grant,
    ),
    Attack(
        "in a namespace that did not opt in",
        pending,
        lambda s: create(s.stage, THIEF, "rolebindings", s.grant(), namespace=s.stage.elsewhere),
        cannot("create", "rolebindings"),
        a_grant,
    ),
    Attack(
        "in the namespace that it lives in",
        pending,
        lambda s: create(s.stage, THIEF, "rolebindings", s.grant(), namespace=SYSTEM),
        cannot("create", "rolebindings"),
        a_grant,
    ),
    Attack(
        "by server-side apply",
        pending,
        lambda s: apply_new(s.stage, THIEF, "rolebindings", s.grant(), manager="curfew"),
        cannot("patch", "rolebindings"),
        a_grant,
    ),
]

CHANGING = [
    Attack(
        "a grant's end is moved",
        lambda stage: stage.granted(),
        lambda s: Call(
            THIEF,
            "PATCH",
            s.grant_path,
            {"metadata": {"annotations": {"curfew.dev/expires-at": in_hours(20)}}},
            MERGE,
        ),
        cannot("patch", "rolebindings"),
        lambda s: delete(s.grant_path, THIEF),
    ),
    Attack(
        "a grant is replaced by a longer one",
        lambda stage: stage.granted(),
        lambda s: Call(THIEF, "PUT", s.grant_path, s.grant(expires_at=in_hours(20))),
        cannot("update", "rolebindings"),
        lambda s: delete(s.grant_path, THIEF),
    ),
    Attack(
        "a grant is replaced by a longer one, were RBAC to let it",
        lambda stage: stage.granted(),
        lambda s: Call(ALMIGHTY_OPERATOR, "PUT", s.grant_path, s.grant(expires_at=in_hours(20))),
        policy("operator-containment", "a grant is made once and never changed"),
        lambda s: delete(s.grant_path, ALMIGHTY_OPERATOR),
    ),
    Attack(
        "a grant is made again while it is there",
        lambda stage: stage.granted(),
        lambda s: bind(s, THIEF, s.grant(expires_at=in_hours(20))),
        Refusal(409, ("already exists",)),
        lambda s: delete(s.grant_path, THIEF),
    ),
    Attack(
        "all bindings are deleted at once",
        lambda stage: stage.granted(),
        lambda s: Call(THIEF, "DELETE", s.stage.path("rolebindings")),
        cannot("deletecollection", "rolebindings"),
        lambda s: delete(s.grant_path, THIEF),
    ),
    Attack(
        "all bindings are deleted at once, were RBAC to let it",
        lambda stage: stage.granted(),
        lambda s: Call(
            ALMIGHTY_OPERATOR, "DELETE", s.stage.path("rolebindings"), query={"fieldSelector": "metadata.name=owners"}
        ),
        LABEL,
        lambda s: Call(
            ALMIGHTY_OPERATOR,
            "DELETE",
            s.stage.path("rolebindings"),
            query={"fieldSelector": f"metadata.name={s.grant_name}"},
        ),
    ),
    Attack(
        "somebody's own binding is deleted",
        lambda stage: stage.granted(),
        lambda s: delete(s.stage.path("rolebindings", "owners"), THIEF),
        LABEL,
        lambda s: delete(s.grant_path, THIEF),
    ),
    Attack(
        "the binding with which the namespace takes part is deleted",
        lambda stage: stage.granted(),
        lambda s: delete(s.stage.path("rolebindings", "curfew-granter"), THIEF),
        LABEL,
        lambda s: delete(s.grant_path, THIEF),
    ),
    Attack(
        "a later end is written into the status",
        lambda stage: stage.in_phase("Active"),
        lambda s: merge_status(s, THIEF, {"expiresAt": "2031-01-01T00:00:00Z"}),
        Refusal(422, ("expiresAt can never be extended",)),
        lambda s: merge_status(s, THIEF, {"expiresAt": "2029-06-01T00:00:00Z"}),
    ),
]

DECIDING = [
    Attack(
        f"a decision is {what}",
        lambda stage: stage.in_phase("Pending").decided(BOB, stage="owners"),
        attempt,
        refused,
        lambda s: merge_status(s, THIEF, {"approvals": "1/1"}),
    )
    for what, attempt, refused in [
        (
            "made in carol's name",
            lambda s: decide(s, THIEF, by=CAROL.name),
            policy("operator-decides-nothing", "the operator makes no decisions"),
        ),
        (
            "made in its own name",
            lambda s: decide(s, THIEF),
            policy("operator-decides-nothing", "the operator makes no decisions"),
        ),
        (
            "made along with a change of phase",
            lambda s: status_operations(
                s,
                THIEF,
                step("add", "/status/decisions/-", {"by": CAROL.name, "decision": "Approve"}),
                step("replace", "/status/phase", "Approved"),
            ),
            policy("operator-decides-nothing", "the operator makes no decisions"),
        ),
        (
            "taken away",
            lambda s: merge_status(s, THIEF, {"decisions": []}),
            Refusal(422, ("decisions are append-only",)),
        ),
        (
            "turned round",
            lambda s: status_operations(s, THIEF, step("replace", "/status/decisions/0/decision", "Deny")),
            Refusal(422, ("decisions are append-only",)),
        ),
        (
            "given another reason",
            lambda s: status_operations(s, THIEF, step("add", "/status/decisions/0/reason", "because")),
            Refusal(422, ("decisions are append-only",)),
        ),
        (
            "made by replacing the status, were RBAC to let it",
            lambda s: Call(
                ALMIGHTY_OPERATOR,
                "PUT",
                s.status,
                s.changed(lambda r: r["status"]["decisions"].append({"by": CAROL.name, "decision": "Approve"})),
            ),
            policy("operator-decides-nothing", "the operator makes no decisions"),
        ),
    ]
]


TOKEN = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}


def plural(kind: str) -> str:
    """Return the resource of an admission kind."""
    return f"{kind.removesuffix('y')}ies" if kind.endswith("y") else f"{kind}s"


def body(method: str) -> Manifest | None:
    """Return a patch that takes a policy out of force; nothing for a deletion."""
    return {"spec": {"validationActions": ["Warn"]}} if method == "PATCH" else None


def of_core(kind: str, name: str = "", namespace: str = SYSTEM) -> str:
    """Return where objects of the core group are."""
    return f"{CORE}/namespaces/{namespace}/{kind}" + (f"/{name}" if name else "")


def read(path: str) -> Callable[[Scene], Call]:
    """Return a look at something."""
    return lambda _: Call(THIEF, "GET", path)


RIGHTS = [
    beyond("reads its own signing key", read(of_core("secrets", "curfew-signing-key")), cannot("get", "secrets")),
    beyond("lists all secrets", read(f"{CORE}/secrets"), cannot("list", "secrets")),
    beyond(
        "watches all secrets",
        lambda _: Call(THIEF, "GET", f"{CORE}/secrets", query={"watch": "true"}),
        cannot("watch", "secrets"),
    ),
    beyond(
        "reads secrets where it may grant",
        lambda s: Call(THIEF, "GET", of_core("secrets", namespace=s.stage.namespace)),
        cannot("list", "secrets"),
    ),
    beyond("reads config maps", read(of_core("configmaps")), cannot("list", "configmaps")),
    beyond("lists pods", read(f"{CORE}/pods"), cannot("list", "pods")),
    beyond(
        "runs a command in a pod",
        lambda _: Call(THIEF, "POST", f"{of_core('pods', 'x')}/exec", query={"command": "id"}),
        cannot("create", "pods/exec"),
    ),
    beyond(
        "mints a token of its own account",
        lambda _: Call(THIEF, "POST", f"{of_core('serviceaccounts', 'curfew')}/token", TOKEN),
        cannot("create", "serviceaccounts/token"),
    ),
    beyond(
        "mints a token of another account",
        lambda s: Call(THIEF, "POST", f"{of_core('serviceaccounts', 'bot', s.stage.namespace)}/token", TOKEN),
        cannot("create", "serviceaccounts/token"),
    ),
    beyond(
        "creates a namespace",
        lambda _: Call(
            THIEF, "POST", f"{CORE}/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
        ),
        cannot("create", "namespaces"),
    ),
    beyond("asks for access", lambda s: ask(s, THIEF, s.stage.request(ALICE)), cannot("create", "accessrequests")),
    beyond(
        "deletes all requests",
        lambda s: Call(THIEF, "DELETE", s.stage.path("accessrequests")),
        cannot("deletecollection", "accessrequests"),
    ),
    beyond("replaces a request", lambda s: Call(THIEF, "PUT", s.path, s.body), cannot("update", "accessrequests")),
    beyond(
        "asks for access, were RBAC to let it",
        lambda s: ask(s, ALMIGHTY_OPERATOR, s.stage.request(ALMIGHTY_OPERATOR, requester=DAVE.name)),
        policy("operator-labels-only", "the operator makes no requests"),
    ),
    beyond(
        "deletes a finished request where nobody opted in",
        lambda s: delete(s.stage.path("accessrequests", s.name, namespace=s.stage.elsewhere), THIEF),
        cannot("delete", "accessrequests"),
    ),
    beyond(
        "offers a role",
        lambda s: create(s.stage, THIEF, "accesspolicies", s.stage.policy()),
        cannot("create", "accesspolicies"),
    ),
    beyond(
        "changes a policy",
        lambda s: Call(
            THIEF, "PATCH", s.stage.path("accesspolicies", "debug"), {"spec": {"maxDuration": "24h"}}, MERGE
        ),
        cannot("patch", "accesspolicies"),
    ),
    beyond(
        "deletes a policy",
        lambda s: delete(s.stage.path("accesspolicies", "debug"), THIEF),
        cannot("delete", "accesspolicies"),
    ),
    beyond(
        "makes a role",
        lambda s: create(
            s.stage, THIEF, "roles", {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "x"}}
        ),
        cannot("create", "roles"),
    ),
    beyond(
        "gives a role that it may bind more rights",
        lambda _: Call(THIEF, "PATCH", f"/apis/{RBAC}/v1/clusterroles/view", {"rules": []}, MERGE),
        cannot("patch", "clusterroles"),
    ),
    beyond(
        "opts a namespace in",
        lambda s: create(
            s.stage,
            THIEF,
            "rolebindings",
            s.stage.binding(meta={"name": "curfew-granter"}, role="curfew-granter"),
            namespace=s.stage.elsewhere,
        ),
        cannot("create", "rolebindings"),
    ),
    beyond(
        "binds for the whole cluster",
        lambda s: Call(
            THIEF, "POST", f"/apis/{RBAC}/v1/clusterrolebindings", {**s.grant(), "kind": "ClusterRoleBinding"}
        ),
        cannot("create", "clusterrolebindings"),
    ),
    beyond(
        "binds for the whole cluster, were RBAC to let it",
        lambda s: Call(
            ALMIGHTY_OPERATOR,
            "POST",
            f"/apis/{RBAC}/v1/clusterrolebindings",
            {**s.grant(), "kind": "ClusterRoleBinding"},
        ),
        policy("operator-containment", "no ClusterRoleBindings"),
    ),
    beyond(
        "deletes the binding of its own rights, were RBAC to let it",
        lambda _: delete(f"/apis/{RBAC}/v1/clusterrolebindings/curfew", ALMIGHTY_OPERATOR),
        policy("operator-containment", "no ClusterRoleBindings"),
    ),
    *(
        beyond(
            f"{verb}s an admission {kind.removeprefix('validatingadmission')}",
            lambda _, method=method, kind=kind: Call(  # type: ignore[misc]
                THIEF, method, f"{ADMISSION}/{plural(kind)}/curfew-operator-containment", body(method), MERGE
            ),
            cannot(verb, plural(kind)),
        )
        for verb, method in (("patch", "PATCH"), ("delete", "DELETE"))
        for kind in ("validatingadmissionpolicy", "validatingadmissionpolicybinding")
    ),
    beyond(
        "puts a webhook in front of everything",
        lambda _: Call(
            THIEF,
            "POST",
            f"{ADMISSION}/mutatingwebhookconfigurations",
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingWebhookConfiguration",
                "metadata": {"name": "x"},
            },
        ),
        cannot("create", "mutatingwebhookconfigurations"),
    ),
    beyond(
        "changes the definition of a request",
        lambda _: Call(
            THIEF,
            "PATCH",
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/accessrequests.curfew.dev",
            {"metadata": {"labels": {"x": "y"}}},
            MERGE,
        ),
        cannot("patch", "customresourcedefinitions"),
    ),
    beyond(
        "signs a certificate",
        lambda _: Call(
            THIEF,
            "POST",
            "/apis/certificates.k8s.io/v1/certificatesigningrequests",
            {
                "apiVersion": "certificates.k8s.io/v1",
                "kind": "CertificateSigningRequest",
                "metadata": {"name": "x"},
                "spec": {"request": "", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]},
            },
        ),
        cannot("create", "certificatesigningrequests"),
    ),
]
