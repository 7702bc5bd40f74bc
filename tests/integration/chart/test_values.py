"""Values that are hostile, old or confused: none gives more than it says."""

import json
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.chart.helm import kinds, one, rendered, template
from tests.integration.installed import CHART
from tests.support.scale import drawn

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
NAMES = {
    "serviceAccount.name": {"serviceAccount": {"name": ...}},
    "monitor.serviceAccount.name": {"monitor": {"serviceAccount": {"name": ...}}},
    "monitor.signingKey.existingSecret": {"monitor": {"signingKey": {"existingSecret": ...}}},
    "monitor.signingKey.previousSecret": {"monitor": {"signingKey": {"previousSecret": ...}}},
    "monitor.credentialsSecret": {"monitor": {"credentialsSecret": ...}},
    "monitor.webhook.clusterIP": {"monitor": {"webhook": {"clusterIP": ...}}},
    "monitor.webhook.tlsSecret": {"monitor": {"webhook": {"tlsSecret": ...}}},
    "monitor.webhook.tokenSecret": {"monitor": {"webhook": {"tokenSecret": ...}}},
    "monitor.webhook.linesTokenSecret": {"monitor": {"webhook": {"linesTokenSecret": ...}}},
    "monitor.webhook.clientCaConfigMap": {"monitor": {"webhook": {"clientCaConfigMap": ...}}},
    "monitor.config.audit.log": {"monitor": {"config": {"audit": {"log": ...}}}},
    "monitor.config.coverage.every": {"monitor": {"config": {"coverage": {"every": ...}}}},
    "monitor.config.outside.every": {"monitor": {"config": {"outside": {"every": ...}}}},
    "monitor.config.trail.key": {"monitor": {"config": {"trail": {"key": ...}}}},
    "monitor.podLabels": {"monitor": {"podLabels": {"x": ...}}},
    "sweeper.serviceAccount.name": {"sweeper": {"serviceAccount": {"name": ...}}},
    "signingKey.existingSecret": {"signingKey": {"existingSecret": ...}},
    "signingKey.previousSecret": {"signingKey": {"previousSecret": ...}},
    "audit.credentialsSecret": {"audit": {"credentialsSecret": ...}},
    "audit.ca.name": {"audit": {"ca": {"name": ...}}},
    "audit.ca.key": {"audit": {"ca": {"key": ...}}},
    "audit.forwardSecret": {"audit": {"forwardSecret": ...}},
    "config.audit.keyFile": {"config": {"audit": {"keyFile": ...}}},
    "config.audit.log": {"config": {"audit": {"log": ...}}},
    "config.limits.maxGrant": {"config": {"limits": {"maxGrant": ...}}},
    "config.finished.keepFor": {"config": {"finished": {"keepFor": ...}}},
    "image.repository": {"image": {"repository": ...}},
    "image.tag": {"image": {"tag": ...}},
    "namespaces[].name": {"namespaces": [{"name": ...}]},
    "namespaces[].roles": {"namespaces": [{"roles": [...]}]},
    "roles": {"roles": [...]},
    "optIn.label": {"optIn": {"enabled": True, "label": ...}},
    "optIn.value": {"optIn": {"enabled": True, "value": ...}},
    "priorityClassName": {"priorityClassName": ...},
    "sweeper.schedule": {"sweeper": {"schedule": ...}},
    "podLabels": {"podLabels": {"x": ...}},
    "monitoring.rules.labels": {"monitoring": {"rules": {"enabled": True, "labels": {"x": ...}}}},
    "monitoring.rules.runbooks": {"monitoring": {"rules": {"enabled": True, "runbooks": ...}}},
    "monitoring.serviceMonitor.labels": {"monitoring": {"serviceMonitor": {"enabled": True, "labels": {"x": ...}}}},
    "monitoring.serviceMonitor.interval": {"monitoring": {"serviceMonitor": {"enabled": True, "interval": ...}}},
    "monitoring.dashboard.labels": {"monitoring": {"dashboard": {"enabled": True, "labels": {"x": ...}}}},
}
"""The strings that a template writes, each by what values hold it."""

HOSTILE = (
    "x}, {name: more",
    "x\n      hostPath: {path: /}",
    "x\n",
    "x' || true || 'x",
    'x" || true || "x',
    "x\\",
    "{{ .Values }}",
    "file:///x}, {name: y, mountPath: /etc",
    "/etc/x}/y",
    "",
)
MAY_BE_EMPTY = {
    "signingKey.existingSecret",
    "signingKey.previousSecret",
    "audit.credentialsSecret",
    "audit.forwardSecret",
    "audit.ca.name",
    "image.tag",
    "priorityClassName",
    "podLabels",
    "monitoring.rules.labels",
    "monitoring.serviceMonitor.labels",
    "monitoring.dashboard.labels",
    "monitor.signingKey.existingSecret",
    "monitor.signingKey.previousSecret",
    "monitor.credentialsSecret",
    "monitor.webhook.clusterIP",
    "monitor.webhook.tlsSecret",
    "monitor.webhook.tokenSecret",
    "monitor.webhook.linesTokenSecret",
    "monitor.webhook.clientCaConfigMap",
    "monitor.podLabels",
}


def filled(form: Any, value: str) -> Any:
    """Return values in which the dots are this value."""
    if form is ...:
        return value
    if isinstance(form, Mapping):
        return {key: filled(inner, value) for key, inner in form.items()}
    if isinstance(form, list):
        return [filled(inner, value) for inner in form]
    return form


def together(one: Any, other: Any) -> Any:
    """Return values that hold what both hold."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        shared = {key: together(one[key], other[key]) for key in one.keys() & other.keys()}
        return {**one, **other, **shared}
    if isinstance(one, list) and isinstance(other, list):
        return [together(*each) for each in zip(one, other, strict=True)]
    assert one == other
    return one


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_becomes_structure(tmp_path: Path, value: str) -> None:
    """What is no name is refused, by the path of each value that has it, before a template sees it."""
    names = [name for name in NAMES if value or name not in MAY_BE_EMPTY]
    file = tmp_path / "values.yaml"
    file.write_text(json.dumps(reduce(together, (filled(NAMES[name], value) for name in names))))

    done = template("--values", str(file), "--set-literal", f"config.audit.url={value}")

    assert done.returncode != 0
    for name in (*names, "config.audit.url"):
        assert f"'/{name.replace('[].', '/0/').replace('.', '/')}" in done.stderr, name


@pytest.mark.parametrize("name", ["null", "true", "1e3", "12", "0x1"])
def test_a_name_that_yaml_takes_for_something_else_stays_a_name(name: str) -> None:
    manifests = rendered(
        *(
            "--set-string",
            f"serviceAccount.name={name},signingKey.existingSecret={name},audit.credentialsSecret={name}",
        ),
        *("--set-string", f"namespaces[0].name={name}", "--set-string", f"roles={{{name}}}"),
    )

    pod = one(manifests, "Deployment")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == name
    assert one(manifests, "ServiceAccount", name)["metadata"]["name"] == name
    assert {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume} == {name}
    assert one(manifests, "RoleBinding", "curfew-granter")["metadata"]["namespace"] == name
    assert one(manifests, "ClusterRole", "curfew-granter")["rules"][1]["resourceNames"] == [name]


@pytest.mark.parametrize(
    "values",
    [
        "serviceAccount.name=curfew-sweeper",
        "serviceAccount.name=x,sweeper.serviceAccount.name=x",
        "serviceAccount.name=curfew-probe",
        "sweeper.serviceAccount.name=curfew-probe",
        "serviceAccount.name=default",
        "serviceAccount.name=curfew-monitor",
        "monitor.serviceAccount.name=curfew",
        "monitor.serviceAccount.name=curfew-probe",
    ],
)
def test_operator_sweeper_monitor_and_probe_are_four(values: str) -> None:
    done = template("--set", values)

    assert done.returncode != 0
    assert "serviceAccount.name, sweeper.serviceAccount.name and monitor.serviceAccount.name must differ" in done.stderr


def test_nothing_can_be_granted_where_curfew_is_installed() -> None:
    done = template("--set", "namespaces[0].name=curfew-system,namespaces[0].roles={curfew-probe-token}")

    assert done.returncode != 0
    assert "namespaces must not contain curfew-system" in done.stderr


@pytest.mark.parametrize("schedule", ["* * * * *", "*/5 * * * *", "0,30 * * * *", "7 * * * *"])
def test_the_sweeper_comes_at_least_once_an_hour(schedule: str, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(json.dumps({"sweeper": {"schedule": schedule}}))
    assert template("--values", str(tmp_path / "values.yaml")).returncode == 0


@pytest.mark.parametrize("schedule", ["0 0 31 2 *", "@yearly", "60 * * * *", "*/0 * * * *", "* 3 * * *", "* * * *"])
def test_a_sweeper_that_hardly_ever_comes_is_refused(schedule: str, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(json.dumps({"sweeper": {"schedule": schedule}}))
    assert "/sweeper/schedule" in template("--values", str(tmp_path / "values.yaml")).stderr


@pytest.mark.parametrize(
    "value",
    [
        "podLabels.app\\.kubernetes\\.io/component=sweeper",
        "sweeper.podLabels.helm\\.sh/chart=x",
        "podAnnotations.checksum/config=x",
    ],
)
def test_what_the_chart_sets_on_a_pod_cannot_be_set_again(value: str) -> None:
    assert template("--set-string", value).returncode != 0


def paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the path of each value, of sections too."""
    for key, value in values.items():
        yield prefix + key
        if isinstance(value, Mapping):
            yield from paths(value, f"{prefix}{key}.")


@pytest.mark.parametrize("path", drawn(list(paths(VALUES)), "values of an older chart"))
def test_values_of_an_older_chart_work_or_are_named(path: str) -> None:
    """`helm upgrade --reuse-values` over a value that is new comes without it."""
    done = template("--set", f"{path}=null")

    assert done.returncode == 0 or "missing propert" in done.stderr, done.stderr


def test_the_platform_may_choose_the_user() -> None:
    """As OpenShift does, which refuses pods that choose their own."""
    ids = ("runAsUser", "runAsGroup", "fsGroup")
    unset = rendered("--set", ",".join(f"podSecurityContext.{each}=null" for each in ids))
    ours = rendered("--set", "podSecurityContext=null")

    for pod in pods(unset):
        assert pod["spec"]["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    for pod in pods(ours):
        assert {pod["spec"]["securityContext"][each] for each in ids} == {65532}
    assert "/podSecurityContext/runAsUser" in template("--set", "podSecurityContext.runAsUser=0").stderr


def pods(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the pods of the operator and of the sweeper."""
    job = one(manifests, "CronJob", "curfew-sweeper")["spec"]["jobTemplate"]["spec"]
    return [one(manifests, "Deployment")["spec"]["template"], job["template"]]


def test_without_a_cluster_it_is_said_that_nobody_fills_in_who_asks() -> None:
    """`helm template` has no notes, so it is beside the policy that checks."""
    assert "# Rendered without a cluster, so nothing fills in who asks" in template().stdout
    assert "Rendered without a cluster" not in template("--set", "stampIdentity=false").stdout


def test_a_namespace_that_opts_in_by_label_needs_no_binding() -> None:
    manifests = rendered("--set", "roles={view},optIn.enabled=true,optIn.label=x.example/jit,optIn.value=yes-please")

    policy = json.dumps(one(manifests, "ValidatingAdmissionPolicy", "curfew-operator-containment"))
    assert "RoleBinding" not in kinds([m for m in manifests if m["metadata"]["name"] == "curfew-granter"])
    assert one(manifests, "ClusterRoleBinding", "curfew-granter")["roleRef"]["name"] == "curfew-granter"
    assert "x.example/jit" in policy
    assert "yes-please" in policy


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_a_private_authority_is_trusted_by_all_clients(kind: str) -> None:
    manifests = rendered("--set", f"audit.ca.kind={kind},audit.ca.name=roots,audit.ca.key=all.pem")

    pod = one(manifests, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "ca"]
    items = [{"key": "all.pem", "path": "ca.crt"}]
    named = {"configMap": {"name": "roots", "items": items}, "secret": {"secretName": "roots", "items": items}}
    inner = "secret" if kind == "Secret" else "configMap"
    assert volume == {"name": "ca", inner: named[inner]}
    trusted = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    assert set(trusted.values()) == {"/etc/curfew/ca/ca.crt"}
    assert set(trusted) == {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}


def test_credentials_are_files_that_may_change(tmp_path: Path) -> None:
    """Variables of a pod stay as they were when it was started."""
    manifests = rendered("--set", "audit.credentialsSecret=keys")

    pod = one(manifests, "Deployment")["spec"]["template"]["spec"]
    config = yaml.safe_load(one(manifests, "ConfigMap")["data"]["config.yaml"])
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "credentials"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "credentials"]
    assert config["audit"]["credentialsFolder"] == mount["mountPath"]
    assert volume["secret"] == {"secretName": "keys", "defaultMode": 0o440}
    assert "envFrom" not in pod["containers"][0]
