"""The page on statistics: its commands can be typed, its options and tables are all that there are."""

import json
import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from curfew.cli import main
from curfew.cli.stats import stats
from curfew.evidence.stats.figures import WAITED_FOR
from curfew.evidence.stats.table import MOST_ROWS
from tests.support.quarter_activity import watched
from tests.support.waiting import a_waiting_quarter

PAGE: Final = (Path(__file__).parents[2] / "docs" / "stats.md").read_text()
COMMANDS: Final = re.findall(r"^curfew stats .*$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where both logs lie."""
    quarter = watched(a_waiting_quarter(200))
    return quarter.log.lay(quarter.quarter.log.lay(tmp_path_factory.mktemp("logs")))


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_can_be_typed(command: str, location: Path) -> None:
    words = shlex.split(command.partition(" | ")[0])[1:]
    typed = [str(location) if word.startswith(("s3://", "./")) else word for word in words]

    result = CliRunner().invoke(main, [*typed, "--no-index"])

    assert result.exit_code == 0, result.output


def test_the_example_is_what_the_command_shows(location: Path) -> None:
    ((command, shown),) = re.findall(r"^\$ (curfew stats .*)\n((?:.*\n)*?)\.\.\.\n", PAGE, re.MULTILINE)

    result = CliRunner().invoke(main, [*command.replace("./copy", str(location)).split()[1:], "--no-index"])

    assert result.stdout.startswith(shown)


def test_each_table_of_the_output_is_explained_and_no_other(location: Path) -> None:
    result = CliRunner().invoke(main, ["stats", str(location), "--no-index", "-o", "json"])
    shown: dict[str, Any] = json.loads(result.stdout)
    tables = {name for name, value in shown.items() if isinstance(value, dict) and "rows" in value}

    rows = PAGE.partition("## The tables")[2].partition("## ")[0]
    explained = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in rows.splitlines() if row.startswith("| `")]
    assert {name for names in explained for name in names} == tables
    parts = re.findall(r"^\| ([^|]+) \| `(\w+)_ms` \|", PAGE, re.MULTILINE)
    assert {(name, words) for words, name in parts} == set(WAITED_FOR)
    assert set(shown["by_policy"]["rows"][0]) >= {f"{name}_ms" for name, _ in WAITED_FOR}


def test_each_option_is_there() -> None:
    options = {max(parameter.opts, key=len) for parameter in stats.params if parameter.opts[0].startswith("-")}
    named = {"--output" if one == "-o" else one for one in re.findall(r"`(--?[\w-]+)(?: json)?`", PAGE)}

    assert named == options
    assert f"Default {MOST_ROWS} |" in PAGE
