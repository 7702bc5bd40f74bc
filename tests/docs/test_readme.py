"""What the README says to type is typed, and what it says to be seen is seen."""

import re
import subprocess

import pytest
import yaml

from tests.docs.pages import CHECKOUT
from tests.docs.telling import Told

README = CHECKOUT / "README.md"
PAGES = sorted([README, *(CHECKOUT / "docs").rglob("*.md")])
EVENT_FIELDS = {"reason", "reportingComponent", "source", "type", "metadata.name", "metadata.namespace"}
"""By what the API server selects Events, besides `involvedObject.*`. Any other field is an error."""


def blocks(language: str) -> list[str]:
    """Return the README's fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def squeezed(text: str) -> str:
    """Return a text with single spaces."""
    return " ".join(text.split())


def masked(text: str) -> str:
    """Return a text without what differs from run to run."""
    return re.sub(r"[0-9]+", "#", squeezed(text))


def test_it_is_short_and_there_is_something_to_type() -> None:
    """A typo in a fence would make the tests below say yes to nothing."""
    assert len(README.read_text().splitlines()) < 120
    assert blocks("sh")
    assert blocks("console")
    assert blocks("yaml")


def test_it_counts_the_detectors() -> None:
    pages = {page.stem for page in (CHECKOUT / "docs" / "detectors").glob("*.md")} - {"README", "public-rules"}

    assert f"{len(pages)} detectors" in README.read_text()


@pytest.mark.parametrize("command", "".join(blocks("sh")).splitlines())
def test_make_knows_its_commands(command: str) -> None:
    """The demo runs all else that is to be typed, or a page that the README leads to."""
    assert command.startswith("make ")
    asked = [*command.split(), "--dry-run"]
    done = subprocess.run(asked, cwd=CHECKOUT, capture_output=True, text=True, check=False)  # noqa: S603  it is our README

    assert done.returncode == 0, done.stderr


@pytest.mark.integration
@pytest.mark.parametrize("line", [line for block in blocks("console") for line in block.splitlines()])
def test_the_demo_says_what_is_shown(told: Told, line: str) -> None:
    """But for times and counts."""
    assert masked(line) in masked(told.output)


@pytest.mark.parametrize("block", blocks("yaml"))
def test_manifests_are_those_of_the_examples(block: str) -> None:
    examples = {
        path.name: list(yaml.safe_load_all(path.read_text())) for path in (CHECKOUT / "examples").glob("*.yaml")
    }

    assert list(yaml.safe_load_all(block)) in examples.values()


def test_events_are_selected_by_fields_that_the_api_server_knows() -> None:
    asked = [
        (page.name, field)
        for page in PAGES
        for selector in re.findall(r"get events .*--field-selector[ =](\S+)", page.read_text())
        for field, _, _ in (term.partition("=") for term in selector.split(","))
    ]

    assert asked
    assert [found for found in asked if found[1] not in EVENT_FIELDS and "involvedObject." not in found[1]] == []


def test_each_decision_is_listed_once_and_in_order() -> None:
    folder = CHECKOUT / "docs" / "decisions"
    listed = re.findall(r"^\| \[\d{4}\]\(([^)]+)\)", (folder / "README.md").read_text(), re.MULTILINE)

    assert listed == sorted(page.name for page in folder.glob("0*.md"))
