"""docs/correlation.md has each field of a mapping, each strength and each reason, and its commands are commands."""

import re
from pathlib import Path

from click.testing import CliRunner
from pydantic.alias_generators import to_camel

from curfew.cli import main
from curfew.core.activity.external.mapping import LineMapping
from curfew.core.activity.external.reading import LineRefusal
from curfew.core.activity.external.tying import Strength

PAGE = (Path(__file__).parents[2] / "docs" / "correlation.md").read_text()


def first_column(heading: str) -> set[str]:
    """Return the names in the first column of the table under a heading."""
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return {name for row in re.findall(r"^\| (`.*?) \|", part, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}


def test_each_field_of_a_mapping_is_explained() -> None:
    assert first_column("A mapping") == {to_camel(name) for name in LineMapping.model_fields}


def test_each_strength_is_explained() -> None:
    assert first_column("How a line is tied") == set(Strength)


def test_each_reason_is_explained() -> None:
    assert first_column("Sending lines") == set(LineRefusal)


def test_each_option_that_is_shown_is_one() -> None:
    helped = CliRunner().invoke(main, ["audit", "import", "--help"]).stdout
    commands = re.findall(r"^curfew audit import (.*(?:\\\n.*)*)$", PAGE, re.MULTILINE)

    assert len(commands) == 2
    assert all(option in helped for command in commands for option in re.findall(r"--[a-z-]+", command))
