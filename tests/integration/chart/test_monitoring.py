"""What the chart installs for Prometheus and Grafana: nothing unless it is asked for, and then what the files hold."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.integration.chart.helm import kinds, one, rendered, template
from tests.integration.installed import CHART, SYSTEM

RULES: Final = ("--set", "monitoring.rules.enabled=true")
SCRAPED: Final = ("--set", "monitoring.serviceMonitor.enabled=true")
DASHBOARD: Final = ("--set", "monitoring.dashboard.enabled=true")
MONITOR: Final = ("--set", "monitor.enabled=true")
ALL: Final = (*RULES, *SCRAPED, *DASHBOARD, *MONITOR)
LABELS: Final = ("rules.labels.release=p", "serviceMonitor.labels.release=q", "dashboard.labels.release=r")
ELSEWHERE: Final = (*LABELS, "rules.runbooks=https://wiki.example/curfew/")
CHANGED: Final = (*ALL, *(part for value in ELSEWHERE for part in ("--set", f"monitoring.{value}")))
FOLDER: Final = CHART / "monitoring"

Manifest = dict[str, Any]


def groups(*processes: str) -> list[Manifest]:
    """Return the groups of rules in the files."""
    return [group for name in processes for group in yaml.safe_load((FOLDER / f"{name}.yaml").read_text())["groups"]]


def test_nothing_is_installed_unless_it_is_asked_for() -> None:
    """A cluster without the Prometheus Operator does not know these kinds."""
    more = {*kinds(rendered(*ALL))} - {*kinds(rendered(*MONITOR))}

    assert more == {"PrometheusRule", "ServiceMonitor"}
    assert "curfew-dashboard" not in {each["metadata"]["name"] for each in rendered()}


def test_the_rules_are_those_of_the_files() -> None:
    """The monitor's only if there is one: an alert about its absence would never end."""
    alone, both = rendered(*RULES), rendered(*ALL)

    assert one(alone, "PrometheusRule")["spec"]["groups"] == groups("operator")
    assert one(both, "PrometheusRule")["spec"]["groups"] == groups("operator", "monitor")


def test_the_runbooks_can_be_published_elsewhere() -> None:
    rule = one(rendered(*CHANGED), "PrometheusRule")
    alerts = [rule for group in rule["spec"]["groups"] for rule in group["rules"] if "alert" in rule]

    assert {alert["alert"]: alert["annotations"]["runbook_url"] for alert in alerts} == {
        alert["alert"]: f"https://wiki.example/curfew/{alert['alert']}.md" for alert in alerts
    }


def test_what_is_scraped_is_the_port_of_each_process() -> None:
    manifests = rendered(*ALL)

    for name, component in (("curfew", "operator"), ("curfew-monitor", "monitor")):
        monitor, service = one(manifests, "ServiceMonitor", name), one(manifests, "Service", name)
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert service["metadata"]["labels"]["app.kubernetes.io/component"] == component
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert endpoint["honorLabels"] is True, "the namespace of a policy would be renamed"
    others = [
        service
        for service in manifests
        if service["kind"] == "Service" and service["metadata"]["name"] not in ("curfew", "curfew-monitor")
    ]
    assert others == []


def test_labels_by_which_others_select_are_added() -> None:
    manifests = rendered(*CHANGED)

    assert one(manifests, "PrometheusRule")["metadata"]["labels"]["release"] == "p"
    assert one(manifests, "ServiceMonitor")["metadata"]["labels"]["release"] == "q"
    found = one(manifests, "ConfigMap", "curfew-dashboard")["metadata"]["labels"]
    assert (found["release"], found["grafana_dashboard"]) == ("r", "1")


def test_the_dashboard_is_the_one_of_the_file() -> None:
    data = one(rendered(*ALL), "ConfigMap", "curfew-dashboard")["data"]

    assert json.loads(data["curfew.json"]) == json.loads((FOLDER / "dashboard.json").read_text())


@pytest.mark.parametrize(
    "value",
    ["rules.runbooks=a b", "serviceMonitor.interval=soon", "rules.enabled=perhaps", "rules.labels.helm\\.sh/chart=x"],
)
def test_other_values_are_refused(value: str) -> None:
    assert template("--set", f"monitoring.{value}").returncode != 0


def test_values_of_an_older_chart_have_none_of_it(tmp_path: Path) -> None:
    """With `--reuse-values`, there is no `monitoring` at all."""
    (tmp_path / "values.yaml").write_text("monitoring: null\n")

    assert kinds(rendered("--values", str(tmp_path / "values.yaml"))) == kinds(rendered())


def test_everything_is_in_the_namespace_of_the_release() -> None:
    manifests = rendered(*ALL)

    added = [each for each in manifests if re.search("monitoring.coreos.com", each["apiVersion"])]
    assert {each["metadata"]["namespace"] for each in added} == {SYSTEM}
