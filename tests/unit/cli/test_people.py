"""`curfew audit who` and `forget`: who is behind a pseudonym, until nobody knows any more."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curfew.adapters.clock import SystemClock
from curfew.adapters.objectstore import open_store
from curfew.audit.pseudonyms import Person
from curfew.cli import main
from curfew.storage.people import People
from tests.support.trail import a_record

ALICE = "alice@example.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that knows alice and bob."""
    asyncio.run(People(open_store(f"file://{tmp_path / 'people'}"), SystemClock()).hide([a_record(1)]))
    return tmp_path / "people"


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner(env={"CURFEW_PEOPLE": None}).invoke(main, ["audit", *arguments], input=answer, prog_name="curfew")


def alice(folder: Path) -> Person:
    """Return alice."""
    found = asyncio.run(People(open_store(f"file://{folder}"), SystemClock()).find(ALICE))
    assert found is not None
    return found


def test_who_goes_both_ways(folder: Path) -> None:
    pseudonym = alice(folder).pseudonym

    assert run("who", pseudonym, "--people", str(folder)).stdout == f"{ALICE}\n"
    assert run("who", ALICE, "--people", str(folder)).stdout == f"{pseudonym}\n"


def test_where_the_names_lie_can_be_set_once(folder: Path) -> None:
    result = CliRunner(env={"CURFEW_PEOPLE": str(folder)}).invoke(main, ["audit", "who", ALICE], prog_name="curfew")

    assert result.exit_code == 0


def test_forgetting_leaves_nobody_to_tell(folder: Path) -> None:
    pseudonym = alice(folder).pseudonym

    result = run("forget", ALICE, "--people", str(folder), "--yes")

    assert (result.exit_code, result.stdout) == (0, f"Nobody can find out any more that {pseudonym} was {ALICE}.\n")
    assert run("who", pseudonym, "--people", str(folder)).exit_code == 1
    again = run("forget", ALICE, "--people", str(folder), "--yes")
    assert (again.exit_code, again.stderr) == (
        1,
        f"{ALICE} is not known at file://{folder}: it was never recorded, or was erased.\n",
    )


def test_forgetting_asks_first(folder: Path) -> None:
    result = run("forget", ALICE, "--people", str(folder), answer="n\n")

    assert result.exit_code == 1
    assert "to everybody. Erase the name? [y/N]" in result.output
    assert alice(folder)


@pytest.mark.parametrize("command", ["who", "forget"])
def test_without_a_place_it_says_which(command: str) -> None:
    result = run(command, ALICE)

    assert result.exit_code == 2
    assert "--people LOCATION, the value of audit.people" in result.stderr


@pytest.mark.parametrize("command", ["who", "forget"])
def test_a_place_that_is_not_there_is_said(command: str, tmp_path: Path) -> None:
    result = run(command, ALICE, "--people", str(tmp_path / "absent"))

    assert result.exit_code == 3
    assert "There is no folder" in result.stderr
