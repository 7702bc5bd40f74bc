"""The judges of the doctor, on objects as the API server lists them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from curfew.core.doctor.accounts import NEEDED, Right, judge_rights, judge_tokens
from curfew.core.doctor.around import ways_around
from curfew.core.doctor.diagnosis import CODES, Diagnosis, Gravity
from curfew.core.doctor.facts import ClusterFacts, Expiry, Unread
from curfew.core.doctor.guards import DEFINITIONS, POLICIES, judge_guards
from curfew.core.doctor.judging import NotAReport, compare, diagnose, exit_code
from curfew.core.doctor.record import judge_expiries, judge_log, judge_monitor, judge_settings
from curfew.core.doctor.running import judge_clocks, judge_grants, judge_installation, judge_leader, judge_sweeping
from curfew.core.doctor.series import points, value

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOME = "curfew-system"
RBAC = "rbac.authorization.k8s.io"


def facts(**read: Any) -> ClusterFacts:
    return ClusterFacts(namespace=HOME, now=NOON, **read)


def codes(found: Any) -> list[str]:
    return [one.code for one in found]


def role(*rules: dict[str, Any], kind: str = "ClusterRole", name: str = "r", namespace: str = "") -> dict[str, Any]:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"kind": kind, "metadata": meta, "rules": list(rules)}


def rule(verbs: str, resources: str, group: str = "", names: str = "") -> dict[str, Any]:
    limited = {"resourceNames": names.split()} if names else {}
    return {"verbs": verbs.split(), "resources": resources.split(), "apiGroups": [group], **limited}


def user(name: str, kind: str = "User") -> dict[str, str]:
    return {"kind": kind, "name": name}


ALICE = user("alice")


def binding(
    *subjects: dict[str, str], namespace: str = "", ref: str = "ClusterRole/r", labels: Any = ()
) -> dict[str, Any]:
    kind, _, name = ref.partition("/")
    where = {"namespace": namespace} if namespace else {}
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": "b", "labels": dict(labels), **where},
        "roleRef": {"kind": kind, "name": name},
        "subjects": list(subjects),
    }


POLICY = {
    "kind": "AccessPolicy",
    "metadata": {"name": "debug", "namespace": "pay"},
    "spec": {"roleRef": {"kind": "ClusterRole", "name": "payments-debug"}},
}


def around(*rules: dict[str, Any], namespace: str = "", who: dict[str, str] = ALICE) -> list[Diagnosis]:
    bound = binding(who, namespace=namespace)
    here = ([role(*rules)], [bound]) if namespace else ([role(*rules), bound], [])
    return ways_around(facts(cluster_rbac=here[0], namespace_rbac=here[1], policies=[POLICY]))[0]


ADMISSION = "admissionregistration.k8s.io"


@pytest.mark.parametrize(
    ("given", "where", "expected"),
    [
        (rule("*", "*", "*"), "", ["D300"]),
        (rule("delete", "validatingadmissionpolicybindings", ADMISSION), "", ["D301"]),
        (rule("patch", "validatingadmissionpolicies", ADMISSION, "curfew-managed-bindings"), "", ["D301"]),
        (rule("patch", "validatingadmissionpolicies", ADMISSION, "other"), "", []),
        (rule("get list watch create", "validatingadmissionpolicies", ADMISSION), "", []),
        (rule("delete", "customresourcedefinitions", "apiextensions.k8s.io"), "", ["D301"]),
        (rule("delete", "customresourcedefinitions", "apiextensions.k8s.io", "others.example.com"), "", []),
        (rule("create", "apiservices", "apiregistration.k8s.io"), "", ["D301"]),
        (rule("bind", "clusterroles", RBAC), "pay", ["D302"]),
        (rule("bind", "clusterroles", RBAC, "payments-debug"), "pay", ["D302"]),
        (rule("bind", "clusterroles", RBAC, "view"), "pay", []),
        (rule("bind", "clusterroles", RBAC), "elsewhere", []),
        (rule("escalate", "roles", RBAC), "", ["D302"]),
        (rule("create update patch delete", "rolebindings clusterrolebindings", RBAC), "", []),
        (rule("impersonate", "users"), "", ["D303"]),
        (rule("impersonate", "serviceaccounts"), "pay", []),
        (rule("impersonate", "serviceaccounts", "", "curfew"), HOME, ["D303"]),
        (rule("impersonate:user-info", "users", "authentication.k8s.io"), "", ["D303"]),
        (rule("*", "pods"), "pay", []),
        (rule("approve", "signers", "certificates.k8s.io", "kubernetes.io/kube-apiserver-client"), "", ["D304"]),
        (rule("approve", "signers", "certificates.k8s.io", "example.com/x"), "", []),
        (rule("create", "serviceaccounts/token"), HOME, ["D305"]),
        (rule("create", "serviceaccounts/token", "", "curfew"), HOME, ["D305"]),
        (rule("create", "serviceaccounts/token", "", "other"), HOME, []),
        (rule("create", "serviceaccounts/token"), "pay", []),
        (rule("create", "secrets"), HOME, ["D305"]),
        (rule("create", "pods/exec"), HOME, ["D306"]),
        (rule("create", "*/exec"), HOME, ["D306"]),
        (rule("patch", "deployments", "apps"), HOME, ["D306"]),
        (rule("patch", "deployments", "apps"), "pay", []),
        (rule("create", "nodes/proxy"), "", ["D306"]),
        (rule("get", "secrets"), "", ["D307"]),
        (rule("get", "secrets"), "pay", []),
        (rule("patch", "configmaps", "", "curfew"), HOME, ["D308"]),
        (rule("patch", "configmaps", "", "curfew-checkpoint"), HOME, []),
        (rule("update", "accesspolicies", "curfew.dev"), "pay", ["D309"]),
        (rule("get list watch", "pods configmaps services"), "", []),
    ],
)
def test_the_ways_around_curfew(given: dict[str, Any], where: str, expected: list[str]) -> None:
    assert codes(around(given, namespace=where)) == expected


def test_a_way_has_its_path() -> None:
    (found,) = around(rule("get", "secrets"))
    assert found.path == "ClusterRoleBinding b → ClusterRole r → get secrets"
    assert (found.about, found.gravity) == ("alice by ClusterRoleBinding b", Gravity.WARNING)


@pytest.mark.parametrize("group", ["system:authenticated", "system:serviceaccounts", "system:serviceaccounts:pay"])
def test_what_everybody_may_is_critical(group: str) -> None:
    assert [one.gravity for one in around(rule("get", "secrets"), who=user(group, "Group"))] == [Gravity.CRITICAL]


def test_parts_of_kubernetes_are_listed_apart() -> None:
    own = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    controller = {"kind": "ServiceAccount", "namespace": "kube-system", "name": "collector"}
    objects = [
        role(rule("*", "*", "*")),
        binding(controller, ALICE, labels=own),
        binding(user("system:masters", "Group")),
    ]
    found, built_in = ways_around(facts(cluster_rbac=objects))
    assert [one.about for one in found] == ["alice by ClusterRoleBinding b"]
    assert built_in == ["group system:masters", "system:serviceaccount:kube-system:collector"]
    assert codes(ways_around(facts(cluster_rbac=[objects[0], binding(controller)]))[0]) == ["D300"]


@pytest.mark.parametrize(
    ("where", "labels", "expected"),
    [("pay", {}, ["D310"]), ("", {}, ["D310"]), ("elsewhere", {}, []), ("pay", {"curfew.dev/request-uid": "u"}, [])],
)
def test_a_governed_role_is_held_only_by_a_grant(where: str, labels: dict[str, str], expected: list[str]) -> None:
    bound = binding(ALICE, namespace=where, ref="ClusterRole/payments-debug", labels=labels)
    here = (
        {"cluster_rbac": [bound], "namespace_rbac": []}
        if not where
        else {"cluster_rbac": [], "namespace_rbac": [bound]}
    )
    assert codes(ways_around(facts(**here, policies=[POLICY]))[0]) == expected


# --- what the API server enforces ---------------------------------------------------------------------------------------


def guards(**changed: Any) -> list[dict[str, Any]]:
    meta: dict[str, Any] = {"managedFields": [{"manager": "helm", "fieldsV1": {"f:spec": {"f:x": {}}}}]}
    found: list[dict[str, Any]] = []
    for name in POLICIES:
        found.append(
            {"kind": "ValidatingAdmissionPolicy", "metadata": {**meta, "name": name}, "spec": {"failurePolicy": "Fail"}}
        )
        spec = {"policyName": name, "validationActions": ["Deny", "Audit"]}
        found.append({"kind": "ValidatingAdmissionPolicyBinding", "metadata": {**meta, "name": name}, "spec": spec})
    first = {"ValidatingAdmissionPolicy": "policy", "ValidatingAdmissionPolicyBinding": "binding"}
    for one in found[:2]:
        one["spec"] = {**one["spec"], **changed.get(first[one["kind"]], {})}
        one["metadata"] = {**one["metadata"], **changed.get("meta", {})}
    return [one for one in found if (one["kind"], one["metadata"]["name"]) != (changed.get("without"), POLICIES[0])]


SELECTS = {"namespaceSelector": {"matchLabels": {"a": "b"}}}
EDITED: list[dict[str, Any]] = [
    {"manager": name, "fieldsV1": {"f:spec": {"f:x": {}}}} for name in ("helm", "kubectl-edit")
]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"without": "ValidatingAdmissionPolicy"}, ["D101"]),
        ({"without": "ValidatingAdmissionPolicyBinding"}, ["D102"]),
        ({"binding": {"validationActions": ["Warn"]}}, ["D102"]),
        ({"binding": {"matchResources": SELECTS}}, ["D103"]),
        ({"binding": {"matchResources": {"namespaceSelector": {}, "matchPolicy": "Equivalent"}}}, []),
        ({"binding": {"matchResources": {"excludeResourceRules": [{}]}}}, ["D103"]),
        ({"policy": {"failurePolicy": "Ignore"}}, ["D103"]),
        ({"policy": {"matchConstraints": SELECTS}}, ["D103"]),
        ({"meta": {"managedFields": EDITED}}, ["D104", "D104"]),
    ],
)
def test_admission_policies(changed: dict[str, Any], expected: list[str]) -> None:
    assert codes(judge_guards(facts(guards=guards(**changed)))) == expected


def test_definitions() -> None:
    served = [{"type": "Established", "status": "True"}]
    found = [{"metadata": {"name": name}, "status": {"conditions": served}} for name in DEFINITIONS]
    assert codes(judge_guards(facts(definitions=found))) == []
    assert codes(judge_guards(facts(definitions=found[1:]))) == ["D106"]
    assert codes(judge_guards(facts(definitions=[{**found[0], "status": {}}, *found[1:]]))) == ["D106"]


# --- Curfew's own accounts ----------------------------------------------------------------------------------------------


def rbac(**more: Any) -> dict[str, Any]:
    """Return roles and bindings that give each account what it needs, without one right and with others."""
    everywhere: list[dict[str, Any]] = []
    here: list[dict[str, Any]] = []
    for part, account in {"operator": "curfew", "probe": "curfew-probe", "sweeper": "curfew-sweeper"}.items():
        for place, rights in NEEDED[part].items():
            given = [
                rule(right.verb, right.resource, right.group, right.name)
                for right in rights
                if right != more.get("without")
            ]
            name = f"{part}-{place}"
            subject = {"kind": "ServiceAccount", "namespace": HOME, "name": account}
            everywhere.append(role(*given, name=name))
            (here if place else everywhere).append(
                binding(subject, namespace=HOME if place else "", ref=f"ClusterRole/{name}")
            )
    return {"cluster_rbac": [*everywhere, *more.get("more", [])], "namespace_rbac": [*here, *more.get("here", [])]}


OPERATOR = {"kind": "ServiceAccount", "namespace": HOME, "name": "curfew"}


def test_the_rights_of_curfews_accounts() -> None:
    assert codes(judge_rights(facts(**rbac()))) == []
    (lacks,) = judge_rights(facts(**rbac(without=Right(RBAC, "rolebindings", "delete"))))
    assert (lacks.code, lacks.gravity) == ("D201", Gravity.CRITICAL)
    assert lacks.what == f"The operator's account curfew may not: delete rolebindings.{RBAC}."
    more = [role(rule("get", "secrets")), binding(OPERATOR)]
    (too_many,) = judge_rights(facts(**rbac(more=more)))
    assert too_many.what == "The operator's account curfew may also: get secrets."
    everybodys = [role(rule("get", "secrets")), binding(user(f"system:serviceaccounts:{HOME}", "Group"))]
    assert codes(judge_rights(facts(**rbac(more=everybodys)))).count("D202") == 4


def test_what_is_to_be_granted_is_no_right_too_many() -> None:
    grants = [role(rule("create", "rolebindings", RBAC), rule("bind", "clusterroles", RBAC, "payments-debug"))]
    bound = binding(OPERATOR, namespace="pay")
    assert codes(judge_rights(facts(**rbac(more=grants, here=[bound]), policies=[POLICY]))) == []
    assert codes(judge_rights(facts(**rbac(), policies=[POLICY]))) == ["D203"]
    all_roles = [role(rule("create", "rolebindings", RBAC), rule("bind", "clusterroles", RBAC))]
    assert codes(judge_rights(facts(**rbac(more=all_roles, here=[bound]), policies=[POLICY]))) == ["D202"]


def test_a_token_that_never_ends() -> None:
    secrets = [{"metadata": {"name": "s"}, "account": name} for name in ("curfew", "other")]
    assert codes(judge_tokens(facts(token_secrets=secrets))) == ["D204"]


# --- whether it runs ----------------------------------------------------------------------------------------------------


def deployment(component: str = "operator", *, ready: int = 2, namespace: str = HOME) -> dict[str, Any]:
    labels = {"app.kubernetes.io/component": component}
    meta = {"name": "curfew", "namespace": namespace, "labels": labels}
    return {"kind": "Deployment", "metadata": meta, "spec": {"replicas": 2}, "status": {"readyReplicas": ready}}


def test_installed_once_and_ready() -> None:
    assert codes(judge_installation(facts(deployments=[deployment()]))) == []
    assert codes(judge_installation(facts(deployments=[]))) == ["D001"]
    assert codes(judge_installation(facts(deployments=[deployment(), deployment(namespace="b")]))) == ["D003"]
    graves = [[one.gravity for one in judge_installation(facts(deployments=[deployment(ready=n)]))] for n in (0, 1)]
    assert graves == [[Gravity.CRITICAL], [Gravity.WARNING]]


def lease(renewed: str = "2026-11-23T11:59:59.5Z", written: str = "2026-11-23T11:59:59Z") -> dict[str, Any]:
    fields = {"manager": "curfew", "time": written, "fieldsV1": {"f:spec": {"f:renewTime": {}}}}
    return {"metadata": {"managedFields": [fields]}, "spec": {"holderIdentity": "pod", "renewTime": renewed}}


def test_the_leader_and_its_clock() -> None:
    assert codes(judge_leader(facts(lease=[lease()]))) == []
    assert codes(judge_leader(facts(lease=[]))) == ["D402"]
    assert codes(judge_leader(facts(lease=[lease("2026-11-23T11:59:00Z")]))) == ["D402"]
    leads = "curfew_leader 1.0\n"
    assert codes(judge_leader(facts(lease=[lease()], metrics={"a": leads, "b": leads}))) == ["D409"]
    assert codes(judge_clocks(facts(lease=[lease()]))) == []
    assert [one.gravity for one in judge_clocks(facts(lease=[lease("2026-11-23T12:00:09Z")]))] == [Gravity.CRITICAL]
    assert codes(judge_clocks(facts(metrics={"a": "curfew_clock_ahead_seconds -2.5\n"}))) == ["D403"]
    assert codes(judge_clocks(facts(own_clock_ahead=timedelta(minutes=-1)))) == ["D004"]


def cron_job(last: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {}, "spec": {"schedule": "* * * * *", **spec}, "status": {"lastSuccessfulTime": last}}


def test_the_sweeper() -> None:
    assert codes(judge_sweeping(facts(cron_job=[cron_job("2026-11-23T11:59:30Z")]))) == []
    assert codes(judge_sweeping(facts(cron_job=[]))) == ["D404"]
    assert codes(judge_sweeping(facts(cron_job=[cron_job("2026-11-23T11:30:00Z")]))) == ["D405"]
    assert codes(judge_sweeping(facts(cron_job=[cron_job("2026-11-23T11:59:30Z", suspend=True)]))) == ["D405"]


@pytest.mark.parametrize(
    ("ends", "expected"), [("2026-11-23T12:30:00Z", []), ("2026-11-23T11:58:00Z", ["D406"]), ("x", ["D406"])]
)
def test_a_grant_that_outlives_its_end(ends: str, expected: list[str]) -> None:
    grant = binding(ALICE, namespace="pay", labels={"curfew.dev/request-uid": "u"})
    grant["metadata"]["annotations"] = {"curfew.dev/expires-at": ends}
    assert codes(judge_grants(facts(namespace_rbac=[grant]))) == expected


def test_a_policy_that_is_not_ready() -> None:
    conditions = [{"type": "Ready", "status": "False", "message": "the role is missing"}]
    (found,) = judge_grants(facts(policies=[{**POLICY, "status": {"conditions": conditions}}]))
    assert (found.code, found.what) == ("D407", "AccessPolicy pay/debug is not ready: the role is missing")


# --- the record ---------------------------------------------------------------------------------------------------------

HEALTHY = """# HELP curfew_trail_healthy whether
curfew_trail_healthy{reason=""} 1.0
curfew_worm_attested{evidence="Stamped"} 1.0
curfew_audit_verification_failures_total 0.0
curfew_audit_anchor_failures_total{reason="Ahead"} 0.0
"""


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "", []),
        ('reason=""} 1.0', 'reason="StoreUnavailable"} 0.0', ["D503"]),
        ('reason=""} 1.0', 'reason="NotLeading"} 0.0', []),
        ('"Stamped"} 1.0', '"None"} 0.0', ["D501"]),
        ("failures_total 0.0", "failures_total 1.0", ["D504"]),
        ('"Ahead"} 0.0', '"Ahead"} 3.0', ["D505"]),
    ],
)
def test_the_log(before: str, after: str, expected: list[str]) -> None:
    assert codes(judge_log(facts(metrics={"curfew-0": HEALTHY.replace(before, after)}))) == expected


def test_series() -> None:
    text = 'a{x="1}\\"",y="2"} 3 1700000000\na_b 4\na 5\na{bad 6\na x\n'
    assert [(dict(one.labels), one.value) for one in points(text, "a")] == [({"x": '1}\\"', "y": "2"}, 3.0), ({}, 5.0)]
    assert value(text, "a_b") == 4.0
    assert value(text, "c") is None


def test_settings() -> None:
    def settings(**audit: str) -> dict[str, Any]:
        return {"audit": {"url": "s3://b/p", "log": "main", "worm": "required", **audit}}

    there: dict[str, Any] = {"config_maps": [{"metadata": {"name": "curfew-checkpoint"}}]}
    of_monitor = {f"{HOME}/curfew-monitor": settings(log="main-activity")}
    assert codes(judge_settings(facts(**there, settings={f"{HOME}/curfew": settings(), **of_monitor}))) == []
    assert codes(judge_settings(facts(**there, settings={f"{HOME}/curfew": settings(worm="advisory")}))) == ["D502"]
    twice = {f"{HOME}/curfew": settings(), "other/curfew": settings(url="s3://b/p/")}
    assert codes(judge_settings(facts(**there, settings=twice))) == ["D506"]
    assert codes(judge_settings(facts(config_maps=[]))) == ["D505"]


def test_the_monitor() -> None:
    read = {"deployments": [deployment("monitor")]}
    assert codes(judge_monitor(facts(deployments=[]))) == ["D507"]
    assert codes(judge_monitor(facts(deployments=[deployment("monitor", ready=0)]))) == ["D509"]
    told = (
        "curfew_activity_covered 0\ncurfew_activity_api_servers 3\ncurfew_activity_sources 2\ncurfew_detection_up 0\n"
    )
    found = list(judge_monitor(facts(**read, monitor_metrics={"m": told})))
    assert codes(found) == ["D508", "D509"]
    assert "2 of 3 API servers" in found[0].what


@pytest.mark.parametrize(
    ("left", "is_token", "expected"),
    [
        (timedelta(days=31), False, None),
        (timedelta(days=29), False, ("D601", Gravity.WARNING)),
        (timedelta(days=-1), False, ("D601", Gravity.CRITICAL)),
        (timedelta(days=8), True, None),
        (timedelta(days=6), True, ("D602", Gravity.WARNING)),
    ],
)
def test_what_ends_soon(left: timedelta, is_token: bool, expected: Any) -> None:
    found = [
        (one.code, one.gravity) for one in judge_expiries(facts(expiries=[Expiry("Secret s", NOON + left, is_token)]))
    ]
    assert found == ([expected] if expected else [])


# --- the whole ----------------------------------------------------------------------------------------------------------


def test_of_nothing_that_could_be_read_nothing_is_said() -> None:
    report = diagnose(facts(unread=[Unread("Roles", "forbidden")]))
    assert codes(report.findings) == ["D002"]
    assert exit_code(report.findings, fail_on=[Gravity.WARNING]) == 2


def test_rubbish_raises_nothing() -> None:
    odd = [
        {"kind": "ClusterRoleBinding", "metadata": [], "subjects": {"x": 1}, "roleRef": 3},
        {"kind": "Role", "rules": [1]},
    ]
    names = ("deployments", "config_maps", "lease", "cron_job", "guards", "definitions", "cluster_rbac", "policies")
    diagnose(facts(**dict.fromkeys(names, odd), namespace_rbac=odd))


def test_what_is_new_and_what_is_gone() -> None:
    before = diagnose(facts(deployments=[])).to_json()
    now = diagnose(facts(deployments=[deployment(ready=0)]))
    difference = compare(now, before)
    assert sorted(difference.new) == ["D401 Deployment curfew-system/curfew"]
    assert list(difference.gone) == ["D001 curfew-system"]
    with pytest.raises(NotAReport):
        compare(now, {"version": 0})


def test_exit_codes() -> None:
    grave = {gravity: Diagnosis("D002", "x", "", "", grave=gravity) for gravity in Gravity}
    all_ = [Gravity.CRITICAL, Gravity.WARNING]
    assert exit_code([grave[Gravity.NOTE]], fail_on=all_) == 0
    assert exit_code([grave[Gravity.WARNING], grave[Gravity.UNCHECKED]], fail_on=all_) == 1
    assert exit_code([grave[Gravity.WARNING]], fail_on=[Gravity.CRITICAL]) == 0
    assert set(CODES) >= {"D001"}
