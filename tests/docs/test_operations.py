"""The page for whoever runs Curfew speaks of what there is."""

import re
from pathlib import Path

import pytest
import yaml

from curfew.adapters.telemetry import MonitorTelemetry, Telemetry
from curfew.audit.events import EVENTS
from curfew.ports import LockEvidence
from curfew.settings.audit import AuditSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()


def told(pattern: str) -> set[str]:
    """Return what the page says in code of a kind."""
    return set(re.findall(pattern, PAGE))


def test_each_metric_is_one() -> None:
    families = {family.name for process in (Telemetry(), MonitorTelemetry()) for family in process.registry.collect()}

    assert told(r"`(curfew_[a-z_]+)") <= families | {f"{name}_total" for name in families}


def test_each_event_of_the_log_is_one() -> None:
    assert told(r"`(audit\.[a-z]+_[a-z]+|audit\.attested)`") <= set(EVENTS)


def test_each_setting_is_one() -> None:
    """Of the operator, or of the chart alone."""
    chart = yaml.safe_load((ROOT / "charts" / "curfew" / "values.yaml").read_text())["audit"]
    known = {f"audit.{name}" for name in (*(field.alias for field in AuditSettings.model_fields.values()), *chart)}

    assert told(r"`(audit\.[a-zA-Z]+)[:`]") - set(EVENTS) <= known


def test_each_grade_of_evidence_is_explained() -> None:
    _, _, grades = PAGE.partition("### What the grades mean\n")

    assert set(re.findall(r"^\| `(\w+)` \|", grades.partition("\n###")[0], re.MULTILINE)) == set(LockEvidence)


@pytest.mark.parametrize("said", re.findall(r'\*"([^"]+)"\*', PAGE))
def test_each_message_that_is_quoted_is_in_the_code(said: str) -> None:
    """Numbers and names are filled in where it is said."""
    code = "".join(path.read_text() for path in (ROOT / "operator/curfew/adapters/objectstore").glob("*.py"))

    parts = re.split(r"\d+ days|Suspended|unlocked ahead of its time|deleted", said)
    assert all(part.strip(" ();") in code for part in parts), said
