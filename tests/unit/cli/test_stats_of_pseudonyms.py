"""Statistics of a log that holds pseudonyms: the same numbers, with names for those who may know them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from curfew.adapters.clock import SystemClock
from curfew.adapters.objectstore import open_store
from curfew.audit.record import Record
from curfew.cli import main
from curfew.storage.people import People
from tests.support.logs import ALog, opened
from tests.support.quarter import BEGIN
from tests.support.waiting import a_waiting_quarter
from tests.support.watching import records_of


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Return the records of some requests, with names."""
    return [one for one in records_of(a_waiting_quarter(60).log) if not one.event.startswith("audit.")]


def found(folder: Path, *more: str) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["stats", str(folder), "--no-index", "-o", "json", *more])
    assert result.exit_code == 0, result.output
    shown: dict[str, Any] = json.loads(result.stdout)
    return shown


def laid(records: list[Record], folder: Path) -> Path:
    log = ALog()
    log.append([opened(log.signer)], BEGIN)
    log.append(records, records[-1].at)
    folder.mkdir()
    return log.lay(folder)


def test_the_numbers_are_the_same_and_names_are_shown_to_those_who_have_them(
    records: list[Record], tmp_path: Path
) -> None:
    people = People(open_store(f"file://{tmp_path / 'people'}"), SystemClock())
    hidden = laid(list(asyncio.run(people.hide(records))), tmp_path / "hidden")
    plain = found(laid(records, tmp_path / "plain"))

    assert found(hidden, "--people", str(tmp_path / "people")) == plain
    pseudonymous = found(hidden)
    assert "@" in str(plain["approvers"])
    assert "@" not in str(pseudonymous)
    assert {name: pseudonymous[name] for name in ("waiting", "by_policy", "timed_out", "unattended")} == {
        name: plain[name] for name in ("waiting", "by_policy", "timed_out", "unattended")
    }
