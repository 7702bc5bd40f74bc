"""Each detector has a page, and the page explains all that can be set, with the values that are usual."""

import re
from pathlib import Path
from typing import Final

import pytest

from curfew.core.detectors.all import DETECTORS
from curfew.core.detectors.tuning import DetectorSettings

PAGES: Final = Path(__file__).parents[2] / "docs" / "detectors"
PARTS: Final = ("What it means.", "Why it matters.", "Innocent causes.", "What to do.", "How to tune it.")


@pytest.mark.parametrize("name", DETECTORS)
def test_each_detector_has_a_page_with_all_its_parts(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert [part for part in PARTS if f"**{part}**" not in page] == []


@pytest.mark.parametrize("name", DETECTORS)
def test_each_setting_is_explained_with_what_is_usual(name: str) -> None:
    """A setting that every detector has is explained once, unless another value is usual here."""
    page = " ".join((PAGES / f"{name}.md").read_text().split())
    _, model = DETECTORS[name]
    common = DetectorSettings().to_json()
    missing = []
    for setting, value in model().to_json().items():
        usual = (
            ", ".join(value)
            if isinstance(value, list)
            else str(value).lower()
            if value is True or value is False
            else str(value)
        )
        told = rf"`{re.escape(setting)}` (\(|\| )`?{re.escape(usual)}\b"
        if common.get(setting) != value and not re.search(told, page):
            missing.append(f"{setting} ({usual})")
    assert missing == []


def test_the_table_lists_each_detector_once() -> None:
    table = re.findall(r"^\| \[(\w+)\]\(\1\.md\) \|", (PAGES / "README.md").read_text(), re.MULTILINE)
    assert sorted(table) == sorted(DETECTORS)
    assert sorted(path.stem for path in PAGES.glob("*.md") if path.stem in DETECTORS) == sorted(DETECTORS)
