"""The page for whoever runs Curfew names metrics that are there, and shows values that the chart takes."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from curfew.adapters.telemetry import MonitorTelemetry, Telemetry
from curfew.core.trail_state import TrailReason

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs" / "operations.md").read_text()
CHART = CHECKOUT / "charts" / "curfew"


def merged(values: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with others laid over them, as helm does."""
    both = {key: merged(values[key], more[key]) for key in values.keys() & more.keys() if isinstance(more[key], dict)}
    return {**values, **more, **both}


def test_each_metric_on_the_page_is_there() -> None:
    metrics = {metric.name for each in (Telemetry(), MonitorTelemetry()) for metric in each.registry.collect()}
    named = set(re.findall(r"`(curfew_[a-z_]+)", PAGE))

    assert named
    assert {name.removesuffix("_total") for name in named} <= metrics


def test_what_is_sent_on_and_put_up_is_measured_on_the_page() -> None:
    metrics = {metric.name for metric in Telemetry().registry.collect()}

    for name in metrics:
        if name.startswith(("curfew_audit_forward", "curfew_audit_anchor")):
            assert f"`{name}" in PAGE, name


def test_each_number_is_on_a_page() -> None:
    pages = "".join(path.read_text() for path in (CHECKOUT / "docs").glob("*.md"))
    own = {metric.name for each in (Telemetry(), MonitorTelemetry()) for metric in each.registry.collect()}

    assert {name for name in own if "curfew_" in name and not re.search(rf"`{name}(_total)?`", pages)} == set()


def test_each_number_of_the_monitor_is_on_the_page() -> None:
    own = {metric.name for metric in MonitorTelemetry().registry.collect() if "_activity_" in metric.name}

    assert own
    assert {name for name in own if not re.search(rf"`{name}(_total)?`", PAGE)} == set()


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_the_values_on_the_page_are_what_the_chart_takes(block: str) -> None:
    values = merged(yaml.safe_load((CHART / "values.yaml").read_text()), yaml.safe_load(block))

    jsonschema.validate(values, json.loads((CHART / "values.schema.json").read_text()))


def test_the_reasons_on_the_page_are_those_of_the_health() -> None:
    assert set(re.findall(r"`(KeyUnknown|SigningFailed|ChainBroken\w*|Key[A-Z]\w+)`", PAGE)) <= set(TrailReason)
    assert {"KeyUnknown", "SigningFailed"} <= set(re.findall(r"`(\w+)`", PAGE))
