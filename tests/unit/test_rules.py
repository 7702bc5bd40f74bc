"""The rules for Prometheus and the dashboard name metrics that are there, and each alert has a page that helps."""

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from curfew.adapters.telemetry import MonitorTelemetry, Telemetry
from curfew.core.activity.formats.forms import Why

CHECKOUT: Final = Path(__file__).parents[2]
MONITORING: Final = CHECKOUT / "charts" / "curfew" / "monitoring"
RUNBOOKS: Final = CHECKOUT / "docs" / "runbooks"
PROCESSES: Final = ("operator", "monitor")

Rule = dict[str, Any]


def rules(*processes: str) -> list[Rule]:
    """Return all rules about these processes."""
    files = [yaml.safe_load((MONITORING / f"{name}.yaml").read_text()) for name in processes]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


ALERTS: Final[dict[str, Rule]] = {rule["alert"]: rule for rule in rules(*PROCESSES) if "alert" in rule}


def expressions() -> Iterator[str]:
    """Return every expression of a rule or of the dashboard."""
    yield from (rule["expr"] for rule in rules(*PROCESSES))
    for panel in json.loads((MONITORING / "dashboard.json").read_text())["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


@functools.cache
def exposed() -> frozenset[str]:
    """Return the names of all samples that either process shows, and of what is recorded from them."""
    families = [family for process in (Telemetry(), MonitorTelemetry()) for family in process.registry.collect()]
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    shown = {family.name + suffix for family in families for suffix in suffixes.get(family.type, ("",))}
    return frozenset(shown | {rule["record"] for rule in rules(*PROCESSES) if "record" in rule})


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_each_metric_that_is_asked_for_is_there(expression: str) -> None:
    words = re.findall(r"[a-z_]*:?curfew[a-z_]*(?::\w+)*|process_[a-z_]+", re.sub(r'"[^"]*"', "", expression))

    assert words
    assert set(words) <= exposed()


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_tells_what_has_happened_and_where_to_look(name: str) -> None:
    alert = ALERTS[name]
    page = (RUNBOOKS / f"{name}.md").read_text()

    assert alert["labels"].keys() == {"severity"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
    assert page.startswith(f"# {name}\n\n")
    assert [line for line in page.splitlines() if line.startswith("## ")] == ["## Causes", "## What to do"]
    row = f"| [{name}]({name}.md) | {alert['labels']['severity']} | {alert['annotations']['summary']} |"
    assert row in (RUNBOOKS / "README.md").read_text().splitlines()


def test_each_page_is_about_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == ALERTS.keys() | {"README"}


def test_each_metric_on_a_page_is_there() -> None:
    named = {
        name
        for path in RUNBOOKS.glob("*.md")
        for code in re.findall(r"`([^`]*)`", path.read_text())
        for name in re.findall(r"curfew_[a-z_]+", code)
    }

    assert named <= exposed() | {name.rpartition("_")[0] for name in exposed() if name.endswith("_bucket")}


def test_each_alert_is_shown_to_fire_and_to_be_silent() -> None:
    """`promtool test rules` runs these."""
    samples = [
        sample
        for path in (CHECKOUT / "tests" / "rules").glob("*.yaml")
        for test in yaml.safe_load(path.read_text())["tests"]
        for sample in test.get("promql_expr_test", ())
    ]
    shown = {
        (found[1], bool(sample.get("exp_samples")))
        for sample in samples
        if (found := re.match(r'ALERTS\{alertname="(\w+)"', sample["expr"]))
    }
    recorded = {sample["expr"] for sample in samples if sample.get("exp_samples")}

    every = [rule for process in PROCESSES for rule in rules(process)]
    assert shown == {(rule["alert"], fires) for rule in every if "alert" in rule for fires in (True, False)}
    assert {rule["record"] for rule in every if "record" in rule} - {"curfew:activation_seconds:p90_15m"} <= recorded


def test_unreadable_events_that_are_no_loss_raise_no_alert() -> None:
    expression = ALERTS["CurfewAuditEventsUnreadable"]["expr"]
    left_out = set(re.findall(r'reason!~"([^"]*)"', expression).pop().split("|"))

    assert left_out == {str(why) for why in Why if not why.hides} | {str(Why.OLD)}


def test_no_query_asks_for_a_name_of_a_person() -> None:
    labels = {
        label for text in expressions() for part in re.findall(r"by \(([^)]*)\)", text) for label in part.split(", ")
    }

    assert not labels & {"user", "person", "requester", "actor", "username"}
