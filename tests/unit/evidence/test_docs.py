"""What the page on evidence says is what the code does."""

import re
from pathlib import Path

import pytest

from curfew.cli.audit.report import report
from curfew.evidence.attributes import ATTRIBUTES
from curfew.evidence.exception_kinds import ExceptionKind, ExceptionSeverity
from curfew.evidence.frameworks import FRAMEWORKS

PAGE = (Path(__file__).parents[3] / "docs" / "evidence.md").read_text()


def row(begin: str) -> str:
    """Return the rest of the table row that begins so."""
    found = re.search(rf"^\| {re.escape(begin)}[^|]*\| (.*) \|$", PAGE, re.MULTILINE)
    assert found is not None, begin
    return found[1]


@pytest.mark.parametrize("severity", ExceptionSeverity)
def test_each_kind_of_exception_is_there_under_its_severity(severity: ExceptionSeverity) -> None:
    assert re.findall(r"`([^`]+)`", row(f"{severity}:")) == [
        str(kind) for kind in ExceptionKind if kind.severity is severity
    ]


def test_each_attribute_is_there() -> None:
    assert re.findall(r"^\| ([A-Z]) \|", PAGE, re.MULTILINE) == [attribute.letter for attribute in ATTRIBUTES]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_control_is_there(framework: str) -> None:
    assert row(f"`{framework}`") == ", ".join(control.id for control in FRAMEWORKS[framework].controls)


def test_each_option_is_there() -> None:
    options = {option for parameter in report.params for option in parameter.opts if option.startswith("--")}

    assert options == set(re.findall(r"`(--[\w-]+)`", PAGE.partition("## What is made")[0])) | {"--framework"}
