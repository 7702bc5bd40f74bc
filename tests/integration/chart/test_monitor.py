"""The monitor as the chart runs it: off unless it is asked for, with keys of its own, and all it needs mounted."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store

from curfew.core.activity.canary_calls import LEASE, SECRET
from curfew.settings.detection import DetectionSettings
from curfew.settings.monitor import load_monitor_settings
from curfew.settings.outside import OutsideSettings
from tests.integration.chart.helm import kinds, one, rendered, template
from tests.integration.installed import SYSTEM

ON: Final = ("--set", "monitor.enabled=true")
NAME: Final = "curfew-monitor"

DIFFERS: Final = '{"policy": "payments/debug", "ManyRequests": {"requests": 9}}'
ALLOWED: Final = (
    '[{"role": "ClusterRole/view", "subject": "Group platform-team"}, {"binding": "RoleBinding/payments/ops"}]'
)
LINK: Final = "https://portal.example.com/{namespace}/{request}"
TUNED: Final = (
    *ON,
    *("--set", "config.audit.log=prod,config.audit.retention=500d,config.audit.people=s3://people"),
    *("--set", "audit.credentialsSecret=trail,monitor.credentialsSecret=activity"),
    *("--set", "monitor.deletePods={payments,shop},monitor.signingKey.previousSecret=old"),
    *("--set", "monitor.webhook.clusterIP=10.96.0.77,monitor.notifications.secret=routes"),
    *("--set-json", f'monitor.config.notifications={{"link":"{LINK}"}}'),
    *("--set-json", f"monitor.config.detection.policies=[{DIFFERS}]"),
    *("--set", "monitor.config.detection.ManyRequests.requests=7"),
    *("--set-json", f"monitor.config.outside.allow={ALLOWED}"),
)
"""What has nothing to do with each other, in one rendering."""

Manifests = list[dict[str, Any]]


def settings(manifests: Manifests) -> dict[str, Any]:
    """Return the monitor's settings."""
    found: dict[str, Any] = yaml.safe_load(one(manifests, "ConfigMap", NAME)["data"]["config.yaml"])
    return found


def pod(manifests: Manifests) -> dict[str, Any]:
    """Return the spec of the monitor's pod."""
    found: dict[str, Any] = one(manifests, "Deployment", NAME)["spec"]["template"]["spec"]
    return found


def files(manifests: Manifests) -> dict[str, Any]:
    """Return each file that is mounted from a Secret or ConfigMap with named keys, by its path, with the source's name."""
    spec = pod(manifests)
    mounts = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    found: dict[str, Any] = {}
    for volume in spec["volumes"]:
        source = volume.get("secret") or volume.get("configMap") or {}
        for item in source.get("items", ()):
            found[f"{mounts[volume['name']]}/{item['path']}"] = source.get("secretName") or source.get("name")
    return found


def secret(manifests: Manifests, name: str) -> Mapping[str, bytes]:
    """Return what is in a Secret."""
    data = one(manifests, "Secret", name)["data"]
    return {key: base64.b64decode(value) for key, value in data.items()}


def test_it_is_off_unless_it_is_asked_for() -> None:
    """But for the admission policy: with no monitor, nobody writes an activity."""
    ours = [manifest for manifest in rendered() if NAME in manifest["metadata"]["name"]]

    assert {manifest["metadata"]["name"] for manifest in ours} == {"curfew-monitor-containment"}


def test_it_is_a_process_of_its_own() -> None:
    without, manifests = kinds(rendered()), rendered(*ON)

    more = {kind: number - without.get(kind, 0) for kind, number in kinds(manifests).items()}
    assert {kind: number for kind, number in more.items() if number} == {
        "ServiceAccount": 1,
        "ClusterRole": 3,
        "ClusterRoleBinding": 1,
        "Role": 2,
        "RoleBinding": 2,
        "Lease": 1,
        "ConfigMap": 1,
        "Secret": 3,
        "Deployment": 1,
        "Service": 1,
    }
    spec = pod(manifests)
    assert spec["serviceAccountName"] == NAME
    assert spec["containers"][0]["command"] == ["curfew", "monitor", "--config", "/etc/curfew/config.yaml"]


def test_it_may_delete_pods_where_the_values_say_so_and_nothing_else() -> None:
    manifests = rendered(*TUNED)

    roles = [one for one in manifests if one["metadata"]["name"] == "curfew-monitor-delete-pods"]
    assert {(one["kind"], one["metadata"]["namespace"]) for one in roles} == {
        (kind, namespace) for namespace in ("payments", "shop") for kind in ("Role", "RoleBinding")
    }
    assert [one["rules"] for one in roles if one["kind"] == "Role"] == [
        [{"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]}]
    ] * 2
    assert [one["subjects"] for one in roles if one["kind"] == "RoleBinding"] == [
        [{"kind": "ServiceAccount", "name": NAME, "namespace": SYSTEM}]
    ] * 2
    assert "curfew-monitor-delete-pods" not in {one["metadata"]["name"] for one in rendered(*ON)}


def test_it_is_as_confined_as_the_operator() -> None:
    manifests = rendered(*ON)

    operator = one(manifests, "Deployment")["spec"]["template"]["spec"]
    monitor = pod(manifests)
    assert monitor["securityContext"] == operator["securityContext"]
    assert monitor["containers"][0]["securityContext"] == operator["containers"][0]["securityContext"]


def test_no_selector_matches_the_pod_of_another() -> None:
    manifests = rendered(*ON)

    for name, other in ((NAME, "curfew"), ("curfew", NAME)):
        selector = one(manifests, "Service", name)["spec"]["selector"]
        labels = one(manifests, "Deployment", name)["spec"]["template"]["metadata"]["labels"]
        others = one(manifests, "Deployment", other)["spec"]["template"]["metadata"]["labels"]
        assert selector.items() <= labels.items()
        assert not selector.items() <= others.items()


def test_it_reads_the_trail_and_writes_a_log_beside_it() -> None:
    """Kept as the trail is, unless the values have it otherwise."""
    config = settings(rendered(*TUNED))

    assert config["trail"] == {"url": "s3://curfew-trail/main", "log": "prod"}
    assert {key: config["audit"][key] for key in ("url", "log", "retention", "people", "worm")} == {
        "url": "s3://curfew-trail/main",
        "log": "prod-activity",
        "retention": "500d",
        "people": "s3://people",
        "worm": "required",
    }
    assert config["limits"] == {"maxGrant": "24h"}
    assert config["coverage"] == {"namespace": SYSTEM, "every": "60s", "servers": "Leases"}


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("monitor.credentialsSecret=x,config.audit.people=s3://people,config.audit.keepFor=500d",),
        ("monitor.webhook.clientCaConfigMap=x,monitor.config.coverage.servers=3",),
        ("monitor.notifications.secret=x",),
        ("monitor.config.intake.files[0].path=/var/log/audit.log,monitor.config.intake.files[0].source=node-1",),
    ],
)
def test_the_monitor_reads_the_settings_of_the_chart(tmp_path: Path, values: tuple[str, ...]) -> None:
    config = settings(rendered(*ON, *(part for value in values for part in ("--set", value))))
    text = yaml.safe_dump(config).replace("/etc/curfew", str(tmp_path))
    for path in re.findall(rf"File: ({tmp_path}/\S+)", text):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text("something")
    (tmp_path / "credentials").mkdir()
    (tmp_path / "config.yaml").write_text(text)

    read = load_monitor_settings(tmp_path / "config.yaml")

    assert (read.trail.log, read.audit.log) == ("main", "main-activity")
    assert read.coverage.namespace == SYSTEM
    assert read.intake.webhook is not None
    assert read.intake.webhook.port == 8443


def test_its_test_calls_are_those_that_the_chart_lets_it_make() -> None:
    manifests = rendered(*ON)
    role = next(
        each
        for each in manifests
        if each["kind"] == "Role" and each["metadata"].get("namespace") == SYSTEM and each["metadata"]["name"] == NAME
    )

    assert one(manifests, "Lease", LEASE)
    assert {rule["resources"][0]: rule["resourceNames"] for rule in role["rules"]} == {
        "leases": [LEASE],
        "secrets": [SECRET],
    }


def test_its_log_can_be_elsewhere(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "trail": {"key": "curfew.dev/log/main+0a1b2c3d+AbCd="},
        "audit": {"url": "gs://activity/x", "log": "used", "retention": "800d"},
        "intake": {"files": [{"path": "/var/log/kubernetes/audit.log", "source": "node-1"}]},
    }
    (tmp_path / "values.yaml").write_text(json.dumps({"monitor": {"enabled": True, "config": values}}))
    config = settings(rendered("--values", str(tmp_path / "values.yaml")))

    assert config["trail"] == {
        "url": "s3://curfew-trail/main",
        "log": "main",
        "key": "curfew.dev/log/main+0a1b2c3d+AbCd=",
    }
    assert {key: config["audit"][key] for key in ("url", "log", "retention")} == values["audit"]
    assert config["intake"]["files"] == values["intake"]["files"]
    assert config["intake"]["webhook"]["port"] == 8443


def test_every_file_that_its_settings_name_is_mounted() -> None:
    manifests = rendered(*ON)
    config = settings(manifests)

    webhook = config["intake"]["webhook"]
    named = [config["audit"]["keyFile"], webhook["certFile"], webhook["keyFile"], webhook["tokenFile"]]
    mounted = files(manifests)
    assert [mounted[path] for path in named] == [
        "curfew-monitor-signing-key",
        "curfew-monitor-tls",
        "curfew-monitor-tls",
        "curfew-monitor-token",
    ]
    assert secret(manifests, "curfew-monitor-token").keys() == {"token"}
    service = one(manifests, "Service", NAME)["spec"]
    ports = {port["name"]: port["containerPort"] for port in pod(manifests)["containers"][0]["ports"]}
    (port,) = [port for port in service["ports"] if port["port"] == 443]
    assert ports[port["targetPort"]] == webhook["port"]


def test_the_keys_that_are_made_are_good_ones() -> None:
    manifests = rendered(*ON)

    signing = load_pem_private_key(secret(manifests, "curfew-monitor-signing-key")["key.pem"], None)
    assert isinstance(signing, Ed25519PrivateKey)
    assert len(secret(manifests, "curfew-monitor-token")["token"]) >= 32
    tls = secret(manifests, "curfew-monitor-tls")
    authority, certificate = (x509.load_pem_x509_certificate(tls[name]) for name in ("ca.crt", "tls.crt"))
    verifier = PolicyBuilder().store(Store([authority])).build_server_verifier(x509.DNSName(f"{NAME}.{SYSTEM}.svc"))
    verifier.verify(certificate, [])
    assert load_pem_private_key(tls["tls.key"], None).public_key() == certificate.public_key()


def test_keys_of_ones_own_are_used() -> None:
    """Then none is made."""
    manifests = rendered(
        *ON,
        "--set",
        "monitor.signingKey.existingSecret=a,monitor.webhook.tlsSecret=b,monitor.webhook.tokenSecret=c",
    )

    assert [manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == "Secret"] == [
        "curfew-signing-key"
    ]
    assert set(files(manifests).values()) == {"a", "b", "c"}


def test_a_client_certificate_takes_the_place_of_the_token() -> None:
    manifests = rendered(*ON, "--set", "monitor.webhook.clientCaConfigMap=apiservers")

    webhook = settings(manifests)["intake"]["webhook"]
    assert "tokenFile" not in webhook
    assert files(manifests)[webhook["clientCaFile"]] == "apiservers"
    assert "curfew-monitor-token" not in {manifest["metadata"]["name"] for manifest in manifests}


def with_mappings(tmp_path: Path, **webhook: str) -> Manifests:
    """Return what the chart makes if there is a mapping."""
    intake = {"mappings": ["/etc/curfew/mappings/postgresql.yaml"]}
    monitor = {"enabled": True, "config": {"intake": intake}, "webhook": webhook}
    (tmp_path / "values.yaml").write_text(json.dumps({"monitor": monitor}))
    return rendered("--values", str(tmp_path / "values.yaml"))


def test_lines_of_other_systems_have_a_token_in_a_secret_of_its_own(tmp_path: Path) -> None:
    manifests = with_mappings(tmp_path)

    intake = settings(manifests)["intake"]
    assert intake["mappings"] == ["/etc/curfew/mappings/postgresql.yaml"]
    assert files(manifests)[intake["webhook"]["linesTokenFile"]] == "curfew-monitor-lines-token"
    lines, events = (secret(manifests, f"curfew-monitor-{name}")["token"] for name in ("lines-token", "token"))
    assert len(lines) >= 32
    assert lines != events


def test_without_mappings_there_is_no_token_for_them() -> None:
    manifests = rendered(*ON, "--set", "monitor.webhook.linesTokenSecret=a")

    assert "linesTokenFile" not in settings(manifests)["intake"]["webhook"]
    assert "lines-token" not in {volume["name"] for volume in pod(manifests)["volumes"]}
    assert "a" not in files(manifests).values()


@pytest.mark.parametrize("more", [{}, {"clientCaConfigMap": "apiservers"}])
def test_a_token_of_ones_own_for_lines_is_used(tmp_path: Path, more: dict[str, str]) -> None:
    manifests = with_mappings(tmp_path, linesTokenSecret="a", **more)

    assert files(manifests)[settings(manifests)["intake"]["webhook"]["linesTokenFile"]] == "a"
    assert "curfew-monitor-lines-token" not in {manifest["metadata"]["name"] for manifest in manifests}


def test_a_change_of_keys_hands_the_log_over() -> None:
    manifests = rendered(*TUNED)

    assert files(manifests)[settings(manifests)["audit"]["previousKeyFile"]] == "old"


def test_it_has_credentials_of_its_own() -> None:
    """The operator's would let it write the trail."""
    manifests = rendered(*TUNED)

    assert settings(manifests)["audit"]["credentialsFolder"] == "/etc/curfew/credentials"
    (volume,) = [volume for volume in pod(manifests)["volumes"] if volume["name"] == "credentials"]
    assert volume["secret"]["secretName"] == "activity"


def test_routes_of_notifications_are_a_folder_that_need_not_be_there() -> None:
    """A file by itself would stay as it was when the pod was started."""
    manifests = rendered(*TUNED)

    assert settings(manifests)["notifications"] == {"routes": "/etc/curfew/notifications/routes.yaml", "link": LINK}
    assert files(manifests)["/etc/curfew/notifications/routes.yaml"] == "routes"
    (volume,) = [volume for volume in pod(manifests)["volumes"] if volume["name"] == "notifications"]
    assert volume["secret"]["optional"] is True
    (mount,) = [one for one in pod(manifests)["containers"][0]["volumeMounts"] if one["name"] == "notifications"]
    assert "subPath" not in mount
    assert "notifications" not in settings(rendered(*ON))


def test_it_counts_api_servers_only_if_it_is_to() -> None:
    """Otherwise it has no right in kube-system."""
    manifests = rendered(*ON, "--set", "monitor.config.coverage.servers=3")

    assert settings(manifests)["coverage"]["servers"] == 3
    assert "kube-system" not in {manifest["metadata"].get("namespace") for manifest in manifests}


def test_nothing_makes_the_secret_that_its_test_call_lists() -> None:
    manifests = rendered(*ON)

    roles = [each for each in manifests if each["kind"] == "Role" and each["metadata"]["name"] == NAME]
    (rule,) = [rule for role in roles for rule in role["rules"] if rule["resources"] == ["secrets"]]
    assert (rule["verbs"], rule["resourceNames"]) == (["list"], ["curfew-monitor-canary"])
    assert "curfew-monitor-canary" not in {manifest["metadata"]["name"] for manifest in manifests}


def test_a_fixed_address_can_be_chosen() -> None:
    assert one(rendered(*TUNED), "Service", NAME)["spec"]["clusterIP"] == "10.96.0.77"
    assert "clusterIP" not in one(rendered(*ON), "Service", NAME)["spec"]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (("config.audit.url=file:///trail", "config.audit.worm=advisory"), "cannot read a folder of another pod"),
        (("monitor.config.audit.url=file:///x",), "monitor.config.audit.url is a folder"),
    ],
)
def test_a_monitor_that_would_lose_its_log_is_refused(values: tuple[str, ...], why: str) -> None:
    done = template(*ON, *(part for value in values for part in ("--set", value)))

    assert done.returncode != 0
    assert why in done.stderr


def test_the_detectors_are_tuned_by_values() -> None:
    """What the values hold is what the monitor reads, also for single policies."""
    found = settings(rendered(*TUNED))["detection"]

    read = DetectionSettings.model_validate(found)
    assert read.look_back == timedelta(days=90)
    assert read.tuned["ManyRequests"].usual.requests == 7
    assert read.tuned["ManyRequests"].of("payments", "debug").requests == 9


def test_a_misspelt_setting_of_detection_is_refused() -> None:
    done = template(*ON, "--set", "monitor.config.detection.lookback=30d")

    assert done.returncode != 0
    assert "lookback" in done.stderr


def test_it_may_read_bindings_and_change_none() -> None:
    role = one(rendered(*ON), "ClusterRole", NAME)

    (rule,) = (rule for rule in role["rules"] if "rbac.authorization.k8s.io" in rule.get("apiGroups", ()))
    assert rule["resources"] == ["rolebindings", "clusterrolebindings"]
    assert rule["verbs"] == ["get", "list"]


def test_bindings_are_allowed_by_the_values() -> None:
    read = OutsideSettings.model_validate(settings(rendered(*TUNED))["outside"])
    assert read.every == timedelta(minutes=5)
    assert [one.role or one.binding for one in read.allowances] == ["ClusterRole/view", "RoleBinding/payments/ops"]


@pytest.mark.parametrize(
    "entry", ["{}", '{"role": "view"}', '{"subject": "team"}', '{"binding": "ops"}', '{"user": "x"}', '"x"']
)
def test_what_would_allow_everything_or_nothing_is_refused(entry: str) -> None:
    done = template(*ON, "--set-json", f"monitor.config.outside.allow=[{entry}]")

    assert done.returncode != 0
    assert "/monitor/config/outside/allow/0" in done.stderr
