"""The controls of each framework: complete, and pointing only at what a report has."""

import re
from itertools import chain
from pathlib import Path

import pytest

import curfew.evidence
from curfew.evidence.exception_kinds import ExceptionKind
from curfew.evidence.figures import Figures
from curfew.evidence.frameworks import FRAMEWORKS, Framework
from tests.unit.evidence.telling import granted, told

TEMPLATES = Path(curfew.evidence.__file__).parent / "templates"
SECTIONS = set(re.findall(r'id="(\w+)"', "".join(page.read_text() for page in TEMPLATES.glob("*.html"))))
NUMBERS = {
    "soc2": r"CC\d\.\d",
    "iso27001": r"A\.[5-8]\.\d+",
    "gdpr": r"Art\. \d+(\(\d\)(\(\w\)(, \(\w\))?)?)?",
    "pci-dss": r"\d+\.\d\.\d(\.\d)?(, \d+\.\d\.\d)*",
    "nist-800-53": r"[A-Z]{2}-\d+(\(\d+\))?(, [A-Z]{2}-\d+(\(\d+\))?)*",
}

every_framework = pytest.mark.parametrize("framework", FRAMEWORKS.values(), ids=FRAMEWORKS)


def test_there_are_the_five_frameworks() -> None:
    assert list(FRAMEWORKS) == list(NUMBERS)


@every_framework
def test_each_control_has_a_number_of_its_framework_and_no_other_has_it(framework: Framework) -> None:
    ids = [control.id for control in framework.controls]

    assert [id_ for id_ in ids if not re.fullmatch(NUMBERS[framework.key], id_)] == []
    assert len(ids) == len(set(ids))


@every_framework
def test_each_control_says_what_the_log_shows_in_whole_sentences(framework: Framework) -> None:
    for figures in (Figures(told(), ()), Figures(told(granted()), ())):
        for control in framework.controls:
            sentences = [control.asks, *control.shows(figures), *control.cannot]

            assert [text for text in sentences if not re.fullmatch(r"[A-Z0-9][^\N{EN DASH}]*[.]", text)] == []


@every_framework
def test_each_control_points_at_sections_that_a_report_has(framework: Framework) -> None:
    for control in framework.controls:
        assert set(control.tables) - SECTIONS == set(), control.id


@every_framework
def test_what_the_log_says_nothing_to_is_named(framework: Framework) -> None:
    assert framework.silent


def test_each_kind_of_exception_bears_on_a_control_of_some_framework() -> None:
    controls = chain.from_iterable(framework.controls for framework in FRAMEWORKS.values())

    assert set(ExceptionKind) - {kind for control in controls for kind in control.kinds} == set()
