"""What the values add to the pods, Jobs and objects of the chart, and what they must not take from it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.chart.helm import one, rendered, template

EXTRAS: dict[str, Any] = {
    "podLabels": {"team": "iam", "shared": "pod"},
    "podAnnotations": {"pod": "yes"},
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "extraVolumes": [{"name": "more", "configMap": {"name": "more"}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/etc/curfew/extra"}],
    "resources": {"limits": {"memory": "300Mi"}},
}
WORKLOADS = {
    "curfew": "Deployment",
    "curfew-monitor": "Deployment",
    "curfew-sweeper": "CronJob",
    "curfew-uninstall": "Job",
    "curfew-test": "Job",
}
VALUES: dict[str, Any] = {
    **EXTRAS,
    "deploymentAnnotations": {"workload": "yes"},
    "monitor": {"enabled": True, **EXTRAS, "deploymentAnnotations": {"workload": "yes"}},
    "sweeper": {**EXTRAS, "jobAnnotations": {"workload": "yes"}},
    "hooks": {**EXTRAS, "jobAnnotations": {"workload": "yes"}},
    "uninstall": {"endGrants": "true"},
    "commonLabels": {"cost-center": "4711", "shared": "all"},
    "hostUsers": False,
    "priorityClassName": "urgent",
    "imagePullSecrets": [{"name": "registry"}],
    "nodeSelector": {"pool": "system"},
    "tolerations": [{"key": "system", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "podSecurityContext": {
        "runAsUser": 1000,
        "supplementalGroups": [2000],
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "Localhost", "localhostProfile": "curfew.json"},
    },
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "extraEgress": [{"ports": [{"port": 4318}]}],
    },
}


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the chart with all of it."""
    file = tmp_path_factory.mktemp("values") / "values.json"
    file.write_text(json.dumps(VALUES))
    return rendered("--values", str(file))


def workloads(manifests: list[dict[str, Any]]) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return each workload of the release, and the template of its pods."""
    found = {}
    for name, kind in WORKLOADS.items():
        workload = one(manifests, kind, name)
        spec = workload["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else workload["spec"]
        found[name] = workload, spec["template"]
    return found


@pytest.mark.parametrize("name", WORKLOADS)
def test_each_workload_takes_what_the_values_add(manifests: list[dict[str, Any]], name: str) -> None:
    workload, pod = workloads(manifests)[name]
    (container,) = pod["spec"]["containers"]

    assert workload["metadata"]["annotations"]["workload"] == "yes"
    assert pod["metadata"]["annotations"]["pod"] == "yes"
    assert pod["metadata"]["labels"].items() >= {"team": "iam", "shared": "pod", "cost-center": "4711"}.items()
    assert EXTRAS["extraEnv"][0] in container["env"]
    assert EXTRAS["extraVolumes"][0] in pod["spec"]["volumes"]
    assert EXTRAS["extraVolumeMounts"][0] in container["volumeMounts"]
    assert container["resources"]["limits"]["memory"] == "300Mi"
    for field in ("nodeSelector", "tolerations", "affinity", "imagePullSecrets", "hostUsers", "priorityClassName"):
        assert pod["spec"][field] == VALUES[field], field


def test_security_is_what_the_values_leave_open(manifests: list[dict[str, Any]]) -> None:
    for _, pod in workloads(manifests).values():
        (container,) = pod["spec"]["containers"]
        assert pod["spec"]["securityContext"] == {
            "runAsNonRoot": True,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            **VALUES["podSecurityContext"],
        }
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_common_labels_are_on_everything(manifests: list[dict[str, Any]]) -> None:
    """But on the definitions, which outlive the release, and in no selector, which cannot be changed."""
    for manifest in manifests:
        if manifest["kind"] != "CustomResourceDefinition":
            assert manifest["metadata"]["labels"]["cost-center"] == "4711", manifest["metadata"]["name"]
        assert "cost-center" not in json.dumps(manifest.get("spec", {}).get("selector", {}))


def test_the_network_lets_in_and_out_what_is_named(manifests: list[dict[str, Any]]) -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in manifests if one["kind"] == "NetworkPolicy"}
    out = [each["port"] for rule in policies["curfew-sweeper"]["egress"] for each in rule["ports"]]

    assert policies.keys() == WORKLOADS.keys()
    assert all(each["policyTypes"] == ["Ingress", "Egress"] for each in policies.values())
    assert out == [53, 53, 443, 6443, 4318]
    assert all("ingress" not in policies[name] for name in ("curfew-sweeper", "curfew-uninstall", "curfew-test"))
    (metrics,) = policies["curfew"]["ingress"]
    assert [each["port"] for each in metrics["ports"]] == ["http"]
    assert metrics["from"][0] == VALUES["networkPolicy"]["metricsFrom"][0]
    webhook = policies["curfew-monitor"]["ingress"][1]
    assert webhook == {"ports": [{"port": "webhook", "protocol": "TCP"}]}
    for name, (_, pod) in workloads(manifests).items():
        assert policies[name]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


TAKEN = {
    "a variable": (
        {"extraEnv": [{"name": "POD_NAME", "value": "x"}]},
        "extraEnv must not set POD_NAME: the chart does",
    ),
    "a variable for a private authority": (
        {"audit": {"ca": {"name": "roots"}}, "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/x"}]},
        "extraEnv must not set SSL_CERT_FILE",
    ),
    "a volume": (
        {"extraVolumes": [{"name": "signing-key", "emptyDir": {}}]},
        "extraVolumes must not have the name signing-key: the chart's own volumes are config, signing-key, tmp",
    ),
    "the folder above a key": (
        {"extraVolumeMounts": [{"name": "x", "mountPath": "/etc/curfew/"}]},
        "it would hide what is at /etc/curfew/config.yaml. Choose another, such as /etc/curfew/extra/x.",
    ),
    "a folder by a way round": (
        {"extraVolumeMounts": [{"name": "x", "mountPath": "/etc//curfew/x/../key"}]},
        "it would hide what is at /etc/curfew/key",
    ),
    "the token of a sweeper": (
        {"sweeper": {"extraVolumeMounts": [{"name": "x", "mountPath": "/var/run/secrets"}]}},
        "sweeper.extraVolumeMounts must not have the path /var/run/secrets",
    ),
    "a label that adds our roles to others": (
        {"commonLabels": {"rbac.authorization.k8s.io/aggregate-to-admin": "true"}},
        "commonLabels must not have the key rbac.authorization.k8s.io/aggregate-to-admin",
    ),
    "a label that makes our bindings grants": (
        {"commonLabels": {"curfew.dev/request-uid": "x"}},
        "commonLabels must not have the key curfew.dev/request-uid",
    ),
    "an annotation that makes a hook of the operator": (
        {"deploymentAnnotations": {"helm.sh/hook": "post-delete"}},
        "deploymentAnnotations must not have the key helm.sh/hook",
    ),
    "an account that stays": (
        {"serviceAccount": {"annotations": {"helm.sh/resource-policy": "keep"}}},
        "serviceAccount.annotations must not have the key helm.sh/resource-policy",
    ),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_the_chart_sets_is_not_taken(case: str, tmp_path: Path) -> None:
    values, complaint = TAKEN[case]
    (tmp_path / "values.json").write_text(json.dumps(values))

    done = template("--values", str(tmp_path / "values.json"))

    assert done.returncode != 0
    assert complaint in done.stderr


WRONG: dict[str, Any] = {
    "/podSecurityContext/runAsUser": {"podSecurityContext": {"runAsUser": 0}},
    "/podSecurityContext/supplementalGroups/0": {"podSecurityContext": {"supplementalGroups": [0]}},
    "/podSecurityContext/seccompProfile/type": {"podSecurityContext": {"seccompProfile": {"type": "Unconfined"}}},
    "/podSecurityContext/seLinuxOptions": {"podSecurityContext": {"seLinuxOptions": {"user": "root"}}},
    "/podSecurityContext'": {"podSecurityContext": {"privileged": True}},
    "/extraEnv/0/value": {"extraEnv": [{"name": "N", "value": 1}]},
    "/extraVolumeMounts/0/mountPropagation": {
        "extraVolumeMounts": [{"name": "x", "mountPath": "/x", "mountPropagation": "Bidirectional"}]
    },
    "/resources'": {"resources": {"memory": "1Gi"}},
    "/sweeper/resources/limits/memory": {"sweeper": {"resources": {"limits": {"memory": "a lot"}}}},
    "/tolerations/0'": {"tolerations": [{"keys": "x"}]},
    "/nodeSelector/pool": {"nodeSelector": {"pool": 1}},
    "/affinity'": {"affinity": {"podAffinities": {}}},
    "/imagePullSecrets/0'": {"imagePullSecrets": [{"secret": "x"}]},
    "/networkPolicy/ports/0": {"networkPolicy": {"ports": ["https"]}},
    "/networkPolicy/metricsFrom/0'": {"networkPolicy": {"metricsFrom": [{"cidr": "10.0.0.0/8"}]}},
}


def test_what_kubernetes_would_refuse_or_drop_is_named_at_once(tmp_path: Path) -> None:
    """Each by its path, in one answer."""
    values: dict[str, Any] = {}
    for more in WRONG.values():
        for key, value in more.items():
            values[key] = {**values[key], **value} if isinstance(values.get(key), dict) else value
    (tmp_path / "values.json").write_text(json.dumps(values))

    done = template("--values", str(tmp_path / "values.json"))

    assert done.returncode != 0
    for path in WRONG:
        assert f"at '{path}" in done.stderr, path


def test_users_of_their_own_are_refused_where_they_would_be_dropped() -> None:
    done = template("--set", "hostUsers=false", "--kube-version", "1.32")

    assert done.returncode != 0
    assert "hostUsers is false, but Kubernetes v1.32 does not know it: 1.33 and later do" in done.stderr


def test_a_job_ends_all_grants_only_where_helm_asks_the_cluster_or_is_told_to() -> None:
    """What `helm template` prints is applied as it is: there the Job would end all grants at once."""
    assert "curfew-uninstall" not in {one["metadata"]["name"] for one in rendered()}
    hooks = [
        one
        for one in rendered("--set", "uninstall.endGrants=true", "--namespace", "elsewhere")
        if one["metadata"].get("annotations", {}).get("helm.sh/hook") == "pre-delete"
    ]

    assert {one["kind"] for one in hooks} == {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Job"}
    for manifest in hooks:
        assert manifest["metadata"].get("namespace") in (None, "elsewhere")
    assert one(hooks, "ClusterRoleBinding", "curfew-uninstall")["subjects"][0]["namespace"] == "elsewhere"
