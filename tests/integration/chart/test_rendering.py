"""What the chart makes of values, good and bad."""

import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from curfew.settings.operator import load_settings
from tests.integration.chart.helm import STAMPING, kinds, one, rendered, template
from tests.integration.installed import CHART, SYSTEM

DELETES = {"apiGroups": ["curfew.dev"], "resources": ["accessrequests"], "verbs": ["delete"]}
"""The rule with which finished requests are deleted."""


def test_the_defaults_are_whole() -> None:
    """One of everything that there is to be one of, and no right to grant anything."""
    manifests = rendered()
    policies = len(list((CHART / "templates/policies").glob("*.yaml"))) - 1  # who asks is filled in by another kind

    assert kinds(manifests) == {
        "CustomResourceDefinition": 4,
        "ValidatingAdmissionPolicy": policies,
        "ValidatingAdmissionPolicyBinding": policies,
        "ServiceAccount": 4,
        "ClusterRole": 6,
        "ClusterRoleBinding": 3,
        "Role": 7,
        "RoleBinding": 6,
        "ConfigMap": 2,
        "Secret": 1,
        "Deployment": 1,
        "Job": 1,
        "Service": 1,
        "CronJob": 1,
        "PodDisruptionBudget": 1,
        "PriorityClass": 1,
        "FlowSchema": 1,
        "PriorityLevelConfiguration": 1,
    }
    rules = one(manifests, "ClusterRole", "curfew-granter")["rules"]
    assert [rule["verbs"] for rule in rules] == [["create"], ["delete"]]


def test_everything_is_labelled_as_ours() -> None:
    """So that it can be listed; but the definitions, which outlive the release."""
    for manifest in rendered("--set", "roles={a}", "--set", "namespaces[0].name=n", STAMPING):
        if manifest["kind"] != "CustomResourceDefinition":
            assert manifest["metadata"]["labels"]["app.kubernetes.io/name"] == "curfew", manifest["metadata"]["name"]


def test_every_policy_is_enforced() -> None:
    """Each has a binding of its own name that denies."""
    manifests = rendered()
    names = {one["metadata"]["name"] for one in manifests if one["kind"] == "ValidatingAdmissionPolicy"}
    enforced = {
        one["spec"]["policyName"]
        for one in manifests
        if one["kind"] == "ValidatingAdmissionPolicyBinding" and one["spec"]["validationActions"] == ["Deny", "Audit"]
    }

    assert names == enforced


def test_service_accounts_and_namespace_can_have_other_names() -> None:
    """The policies mean them, and nobody else."""
    done = template(
        "--set", "serviceAccount.name=op", "--set", "sweeper.serviceAccount.name=broom", "--namespace", "elsewhere"
    )

    assert "system:serviceaccount:elsewhere:op'" in done.stdout
    assert "system:serviceaccount:elsewhere:broom'" in done.stdout
    assert "system:serviceaccount:curfew-system" not in done.stdout


def test_the_longest_grant_is_the_api_servers_business() -> None:
    """What the settings say, admission enforces."""
    manifests = rendered("--set", "config.limits.maxGrant=8h")

    policy = one(manifests, "ValidatingAdmissionPolicy", "curfew-operator-containment")
    assert "duration('8h')" in json.dumps(policy)
    assert "24h" not in json.dumps(policy)
    assert yaml.safe_load(one(manifests, "ConfigMap")["data"]["config.yaml"])["limits"] == {"maxGrant": "8h"}


def test_the_operator_is_told_where_it_is() -> None:
    """There it tries whether the policies are in force, as often as the values say."""
    manifests = rendered("--namespace", "elsewhere", "--set", "config.enforcement.every=1m")

    assert yaml.safe_load(one(manifests, "ConfigMap")["data"]["config.yaml"])["enforcement"] == {
        "namespace": "elsewhere",
        "serviceAccount": "curfew-probe",
        "every": "1m",
    }
    assert one(manifests, "ServiceAccount", "curfew-probe")["automountServiceAccountToken"] is False
    assert one(manifests, "Role", "curfew-probe")["rules"] == []


def test_who_asks_is_filled_in_where_the_api_server_can() -> None:
    """By itself the chart looks; false and true are obeyed."""
    assert "MutatingAdmissionPolicy" not in kinds(rendered())
    assert kinds(rendered(STAMPING))["MutatingAdmissionPolicy"] == 3
    assert kinds(rendered(STAMPING, "--set", "stampIdentity=true"))["MutatingAdmissionPolicy"] == 3
    assert "MutatingAdmissionPolicy" not in kinds(rendered(STAMPING, "--set", "stampIdentity=false"))


def test_the_signing_key_is_one() -> None:
    """Ed25519, as the audit trail wants it, under the name that the settings give."""
    manifests = rendered()

    pem = base64.b64decode(one(manifests, "Secret", "curfew-signing-key")["data"]["key.pem"])
    config = yaml.safe_load(one(manifests, "ConfigMap")["data"]["config.yaml"])
    pod = one(manifests, "Deployment")["spec"]["template"]["spec"]
    (mount,) = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "signing-key"]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "signing-key"]
    assert isinstance(load_pem_private_key(pem, None), Ed25519PrivateKey)
    assert f"{mount['mountPath']}/{volume['secret']['items'][0]['path']}" == config["audit"]["keyFile"]
    assert volume["secret"]["secretName"] == "curfew-signing-key"


def test_a_signing_key_of_ones_own() -> None:
    """Then none is made."""
    manifests = rendered("--set", "signingKey.existingSecret=mine")

    pod = one(manifests, "Deployment")["spec"]["template"]["spec"]
    assert "Secret" not in kinds(manifests)
    assert [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume] == ["mine"]


def test_a_key_that_is_exchanged_is_mounted_beside_the_one_before_it(tmp_path: Path) -> None:
    """And the settings name both."""
    manifests = rendered("--set", "signingKey.existingSecret=new,signingKey.previousSecret=curfew-signing-key")

    pod = one(manifests, "Deployment")["spec"]["template"]["spec"]
    config = yaml.safe_load(one(manifests, "ConfigMap")["data"]["config.yaml"])
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    secrets = {volume["name"]: volume["secret"] for volume in pod["volumes"] if "secret" in volume}
    assert {name: secret["secretName"] for name, secret in secrets.items()} == {
        "signing-key": "new",
        "previous-key": "curfew-signing-key",
    }
    assert config["audit"]["keyFile"] == f"{mounts['signing-key']}/{secrets['signing-key']['items'][0]['path']}"
    assert config["audit"]["previousKeyFile"] == (
        f"{mounts['previous-key']}/{secrets['previous-key']['items'][0]['path']}"
    )


def test_a_key_that_somebody_else_holds_is_not_mounted(tmp_path: Path) -> None:
    """No Secret is made either."""
    values = {"config": {"audit": {"signer": {"uri": "hv:curfew/1", "publicKey": "-----BEGIN PUBLIC KEY-----\nx"}}}}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))

    manifests = rendered("--values", str(tmp_path / "values.yaml"))

    pod = one(manifests, "Deployment")["spec"]["template"]["spec"]
    config = yaml.safe_load(one(manifests, "ConfigMap")["data"]["config.yaml"])
    assert "Secret" not in kinds(manifests)
    assert [volume for volume in pod["volumes"] if "secret" in volume] == []
    assert "keyFile" not in config["audit"]
    assert config["audit"]["signer"]["uri"] == "hv:curfew/1"


def test_headers_for_a_collector_come_from_a_secret() -> None:
    """They are not in the settings, which anybody may read."""
    manifests = rendered(
        "--set", "config.audit.forward.url=https://c/v1/logs,config.audit.forward.format=otlp,audit.forwardSecret=otel"
    )

    pod = one(manifests, "Deployment")["spec"]["template"]["spec"]
    config = yaml.safe_load(one(manifests, "ConfigMap")["data"]["config.yaml"])
    assert config["audit"]["forward"] == {
        "url": "https://c/v1/logs",
        "format": "otlp",
        "headersFile": "/etc/curfew/forward/headers",
    }
    assert {"name": "forward", "mountPath": "/etc/curfew/forward", "readOnly": True} in pod["containers"][0][
        "volumeMounts"
    ]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "forward"]
    assert (volume["secret"]["secretName"], volume["secret"]["items"]) == (
        "otel",
        [{"key": "headers", "path": "headers"}],
    )


def test_the_operator_runs_the_command_with_the_settings() -> None:
    """The pod's command and its probes."""
    manifests = rendered("--set", "config.audit.url=s3://trail/curfew")

    (container,) = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["curfew", "operator", "--config", "/etc/curfew/config.yaml"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert "trail" not in {mount["name"] for mount in container["volumeMounts"]}


def test_a_trail_in_a_folder_has_a_place_to_be() -> None:
    """The root of the pod is read-only."""
    manifests = rendered(
        "--set", "config.audit.url=file:///var/lib/curfew", "--set", "config.audit.worm=advisory", "--set", "replicas=1"
    )
    (container,) = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]

    assert {"name": "trail", "mountPath": "/var/lib/curfew"} in container["volumeMounts"]


def test_the_sweeper_runs_on_its_own() -> None:
    """Each minute, as somebody who can only list and delete."""
    manifests = rendered()

    job = one(manifests, "CronJob", "curfew-sweeper")["spec"]
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    assert job["schedule"] == "* * * * *"
    assert pod["serviceAccountName"] == "curfew-sweeper"
    assert pod["containers"][0]["command"] == ["curfew", "sweep"]
    assert "volumes" not in pod


@pytest.mark.parametrize(
    ("url", "worm"),
    [
        ("file:///var/lib/curfew", "advisory"),
        ("s3://trail/curfew", "required"),
        ("gs://trail", "required"),
        ("az://trail/a/b", "required"),
    ],
)
def test_the_operator_understands_its_settings(tmp_path: Path, url: str, worm: str) -> None:
    """What the chart writes is what the operator reads, to the last key."""
    manifests = rendered("--set", f"config.audit.url={url},config.audit.worm={worm},replicas=1")
    text = one(manifests, "ConfigMap")["data"]["config.yaml"]
    key = tmp_path / "key.pem"
    key.touch()
    (tmp_path / "config.yaml").write_text(text.replace("/etc/curfew/key/key.pem", str(key)))

    settings = load_settings(tmp_path / "config.yaml")

    assert settings.audit.url == url
    assert settings.audit.worm == worm
    assert settings.audit.retention == timedelta(days=400)
    assert settings.audit.attest_every == timedelta(minutes=15)
    assert settings.limits.max_grant == timedelta(hours=24)
    assert settings.enforcement.every == timedelta(seconds=30)


def test_settings_that_change_restart_the_pod() -> None:
    """They are read at start."""

    def checksum(*arguments: str) -> str:
        pod = one(rendered(*arguments), "Deployment")["spec"]["template"]
        return str(pod["metadata"]["annotations"]["checksum/config"])

    assert checksum() == checksum()
    assert checksum() != checksum("--set", "config.log.level=debug")


WRONG: Final = {
    "no place for the trail": ("config.audit.url=", "/config/audit/url"),
    "a place that cannot be": ("config.audit.url=http://bucket", "/config/audit/url"),
    "worm maybe": ("config.audit.worm=maybe", "value must be one of 'required', 'advisory'"),
    "a retention of less than a day": ("config.audit.retention=9h", "/config/audit/retention"),
    "a proof now and then": ("config.audit.attestEvery=2h", "/config/audit/attestEvery"),
    "a log with a blank": ("config.audit.log=Main Log", "/config/audit/log"),
    "a heartbeat that is no duration": ("config.audit.heartbeat=often", "/config/audit/heartbeat"),
    "a signer nobody can check": ("config.audit.signer.uri=hv:x", "missing property 'publicKey'"),
    "no collector": ("config.audit.forward.url=collector:4318", "/config/audit/forward/url"),
    "a secret in its address": ("config.audit.forward.url=https://me:x@c/", "/config/audit/forward/url"),
    "sent nowhere": ("config.audit.forward.stdout=false", "/config/audit/forward/stdout"),
    "a misspelt setting": ("config.audit.kyeFile=/k", "additional properties 'kyeFile' not allowed"),
    "grants of more than a month": ("config.limits.maxGrant=745h", "/config/limits/maxGrant"),
    "grants of a month and a minute": ("config.limits.maxGrant=744h1m", "/config/limits/maxGrant"),
    "grants of no time": ("config.limits.maxGrant=0h", "/config/limits/maxGrant"),
    "days, which Go does not know": ("config.finished.keepFor=30d", "/config/finished/keepFor"),
    "kept for less than no time": ("config.finished.keepFor=-1h", "/config/finished/keepFor"),
    "kept for more than ten years": ("config.finished.keepFor=87601h", "/config/finished/keepFor"),
    "kept for 30 of something": ("config.finished.keepFor=30", "/config/finished/keepFor"),
    "credentials in an address": ("config.audit.url=s3://key@bucket", "/config/audit/url"),
    "grants of no duration": ("config.limits.maxGrant=soon", "/config/limits/maxGrant"),
    "a look now and then": ("config.enforcement.every=6m", "/config/enforcement/every"),
    "a look now and then, in seconds": ("config.enforcement.every=301s", "/config/enforcement/every"),
    "another namespace": ("config.enforcement.namespace=x", "additional properties 'namespace'"),
    "a port that is a word": ("config.server.port=http", "/config/server/port"),
    "a loud log": ("config.log.level=loud", "value must be one of 'debug'"),
    "roles that are no list": ("roles=view", "/roles"),
    "all roles": ("roles={*}", "/roles/0"),
    "namespaces by name only": ("namespaces={payments}", "/namespaces/0"),
    "a namespace without a name": ("namespaces[0].roles={x}", "missing property 'name'"),
    "stamping perhaps": ("stampIdentity=perhaps", "/stampIdentity"),
    "a value that is not ours": ("replicaCount=2", "additional properties 'replicaCount' not allowed"),
}
"""Values that the schema does not allow, and how each is named, by what is wrong with it."""


def rounds(wrong: Mapping[str, tuple[str, str]]) -> list[dict[str, tuple[str, str]]]:
    """Return what can be wrong at once: in each round, a section has one value of a name, and lists are of one form."""
    made: list[dict[str, tuple[str, str]]] = []
    taken: list[set[str]] = []
    for what, (value, complaint) in wrong.items():
        name = value.partition("=")[0].partition("[")[0]
        number = next((number for number, names in enumerate(taken) if name not in names), len(taken))
        if number == len(taken):
            made.append({})
            taken.append(set())
        made[number][what] = (value, complaint)
        taken[number].add(name)
    return made


@pytest.mark.parametrize("wrong", rounds(WRONG))
def test_wrong_values_are_named(wrong: Mapping[str, tuple[str, str]]) -> None:
    """Before anything is installed, each with its path, if there are several."""
    done = template(*(part for value, _ in wrong.values() for part in ("--set", value)))

    assert done.returncode != 0
    for what, (_, complaint) in wrong.items():
        assert (f"at '{complaint}'" if complaint.startswith("/") else complaint) in done.stderr, what


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        pytest.param(
            "config.audit.url=file:///var/lib/curfew",
            "config.audit.worm is required, and config.audit.url is file:///var/lib/curfew: a folder is never write-once, so "
            "nothing would ever be granted. Set a bucket with Object Lock (--set config.audit.url=s3://BUCKET/PREFIX), or, for "
            "a trial, accept the folder (--set config.audit.worm=advisory).",
            id="a place that can never be write-once, where that is required",
        ),
        pytest.param("config.audit.keyFile=null", "/config/audit", id="no key at all"),
        pytest.param(
            "audit.forwardSecret=x", "set the collector's address in config.audit.forward.url", id="headers for nobody"
        ),
        pytest.param(
            "stampIdentity=true", "does not serve MutatingAdmissionPolicy v1", id="stamping where it cannot be"
        ),
    ],
)
def test_a_wrong_value_is_named(value: str, complaint: str) -> None:
    """What only a template can know, or what is missing."""
    done = template("--set", value)

    assert done.returncode != 0
    assert complaint in done.stderr


@pytest.mark.parametrize(
    ("longest", "keep_for"),
    [("744h", "87600h"), ("743h59m", "720h"), ("99h", "168h"), ("1h30m", "90m"), ("1m", "10s")],
)
def test_whole_hours_and_minutes_can_be(longest: str, keep_for: str) -> None:
    """The operator may delete where it may grant, and is told after how long."""
    manifests = rendered("--set", f"config.limits.maxGrant={longest},config.finished.keepFor={keep_for}")

    assert DELETES in one(manifests, "ClusterRole", "curfew-granter")["rules"]
    assert DELETES not in one(manifests, "ClusterRole", "curfew")["rules"]
    settings = yaml.safe_load(one(manifests, "ConfigMap")["data"]["config.yaml"])
    assert (settings["limits"], settings["finished"]) == ({"maxGrant": longest}, {"keepFor": keep_for})


@pytest.mark.parametrize("nothing", ["--set=config.finished.keepFor=0", "--set-string=config.finished.keepFor=0h"])
def test_what_never_deletes_has_no_right_to(nothing: str, tmp_path: Path) -> None:
    """`keepFor: 0` takes the right away as well; the settings that come of it are read as such."""
    manifests = rendered(nothing)

    assert DELETES not in one(manifests, "ClusterRole", "curfew-granter")["rules"]
    key = tmp_path / "key.pem"
    key.touch()
    text = one(manifests, "ConfigMap")["data"]["config.yaml"].replace("/etc/curfew/key/key.pem", str(key))
    (tmp_path / "config.yaml").write_text(text)
    assert load_settings(tmp_path / "config.yaml").finished.keep_for == timedelta(0)


def test_the_namespace_of_the_release_is_everywhere() -> None:
    """Rendered for GitOps, nothing may land in whatever namespace is current."""
    cluster_wide = {
        "CustomResourceDefinition",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ClusterRole",
        "ClusterRoleBinding",
        "PriorityClass",
        "FlowSchema",
        "PriorityLevelConfiguration",
    }
    for manifest in rendered():
        if manifest["kind"] not in cluster_wide:
            assert manifest["metadata"]["namespace"] == SYSTEM, manifest["metadata"]["name"]
