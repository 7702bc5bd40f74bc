"""How the monitor is set up: each flag, value and file that the page names is one, and the examples are what the page says."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.integration.chart.helm import one, rendered
from tools.servers import audit
from tools.servers.build import binary

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "activity.md").read_text()
SET_UP: Final = PAGE.partition("\n## Set it up\n")[2].partition("\n## ")[0]
FLAGS: Final = dict(re.findall(r"^--([a-z-]+)=(\S+)$", SET_UP, re.MULTILINE))
VALUES: Final = re.findall(r"--set (\S+=\S+)", SET_UP)


def named(values: Any, path: str) -> bool:
    """Tell whether the chart has such a value."""
    for part in path.split("."):
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def test_each_value_of_the_chart_is_one() -> None:
    values = yaml.safe_load((ROOT / "charts" / "curfew" / "values.yaml").read_text())
    spoken = re.findall(r"(?:`|--set )((?:monitor|config)\.[A-Za-z.]+)", SET_UP)

    known_to_the_schema_alone = {"monitor.config.audit.url"}
    assert len(spoken) > 5
    assert {path for path in spoken if not named(values, path)} <= known_to_the_schema_alone


def test_the_chart_takes_what_the_page_sets() -> None:
    manifests = rendered(*(part for value in VALUES for part in ("--set", value)))

    assert one(manifests, "Service", "curfew-monitor")["spec"]["clusterIP"] in audit.WEBHOOK.read_text()
    made = {manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == "Secret"}
    assert set(re.findall(r"kubectl get secret (\S+)", SET_UP)) <= made


@pytest.mark.integration
def test_each_flag_is_one_of_the_api_server() -> None:
    shown = subprocess.run([binary("kube-apiserver"), "--help"], check=True, capture_output=True, text=True)  # noqa: S603  built by us

    known = set(re.findall(r"--([a-z-]+)", shown.stdout))
    spoken = set(re.findall(r"`--([a-z-]+)`", SET_UP)) | FLAGS.keys()
    assert {"audit-policy-file", "audit-webhook-config-file"} < spoken
    assert spoken - known == set()


def test_kubeadm_is_told_the_same_flags() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", SET_UP, re.DOTALL)
    server = yaml.safe_load(block)["apiServer"]

    assert {arg["name"]: arg["value"] for arg in server["extraArgs"]} == FLAGS
    (volume,) = server["extraVolumes"]
    assert all(FLAGS[flag].startswith(f"{volume['mountPath']}/") for flag in FLAGS if flag.endswith("-file"))


def test_each_file_that_the_webhook_names_is_put_beside_it() -> None:
    config = yaml.safe_load(audit.WEBHOOK.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]

    for file in (cluster["certificate-authority"], user["tokenFile"]):
        assert f"/etc/kubernetes/audit/{file} " in SET_UP
    assert cluster["tls-server-name"] == audit.MONITOR_HOST
    assert f"`{cluster['tls-server-name']}`" in SET_UP


def test_the_policy_records_no_content_and_omits_nobody_who_can_have_a_grant() -> None:
    """A rule that omits something names accounts of the control plane, or URLs that no RoleBinding can allow."""
    policy = yaml.safe_load(audit.POLICY.read_text())

    assert policy["omitStages"] == ["RequestReceived"]
    assert {rule["level"] for rule in policy["rules"]} == {"None", "Metadata", "Request"}
    (with_bodies,) = (rule for rule in policy["rules"] if rule["level"] == "Request")
    assert with_bodies == {"level": "Request", "verbs": ["delete", "deletecollection"]}  # the options of the deletion
    assert policy["rules"][-1] == {"level": "Metadata"}
    for rule in policy["rules"]:
        if rule["level"] == "None":
            accounts = [*rule.get("users", ()), *rule.get("userGroups", ())]
            assert rule.keys() == {"level", "nonResourceURLs"} or accounts
            assert all(account.startswith("system:") for account in accounts)
            assert not {"system:authenticated", "system:serviceaccounts", "system:masters"} & set(accounts)
