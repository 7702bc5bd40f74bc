"""The statistics of the log that the real operator wrote are those of the stories that were played."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from curfew.cli import main
from tests.recorded.acts import EXPECTED as EACH
from tests.recorded.recording import Recording

EXPECTED = {name: EACH[name] for name in Recording.load().stories}


@pytest.fixture(scope="session")
def found(recording: Recording, location: Path) -> dict[str, Any]:
    """Return what is shown to programs."""
    result = CliRunner().invoke(
        main, ["stats", str(location), "--key", recording.key, "--rows", "1000", "--no-index", "-o", "json"]
    )
    assert result.exit_code == 0, result.output
    shown: dict[str, Any] = json.loads(result.stdout)
    return shown


def test_each_request_is_counted_once_and_as_it_came_out(found: dict[str, Any]) -> None:
    """Not counted are those by which Curfew tests its own admission policies."""
    came_out = Counter("Granted" if one.is_granted else one.outcome for one in EXPECTED.values())
    failed = found["outcomes"].pop("Rejected") + found["outcomes"].pop("Failed", 0)

    assert found["requests"] == len(EXPECTED)
    assert {**found["outcomes"], "Failed": failed} == came_out


def test_each_decision_is_counted_for_who_made_it(found: dict[str, Any]) -> None:
    decisions = [one.split() for expected in EXPECTED.values() for one in filter(None, expected.decided.split(", "))]
    approvals = Counter(f"{by}@example.com" for by, *what in decisions if what == ["Approve", "Counted"])
    denials = Counter(f"{by}@example.com" for by, *what in decisions if what == ["Deny", "TookEffect"])

    shown = {row["person"]: row for row in found["approvers"]["rows"]}
    assert {person: row["approvals"] for person, row in shown.items() if row["approvals"]} == approvals
    assert {person: row["denials"] for person, row in shown.items() if row["denials"]} == denials


def test_what_timed_out_is_known_and_whether_anybody_had_looked(found: dict[str, Any]) -> None:
    late = [one for one in EXPECTED.values() if one.outcome == "TimedOut"]

    rows = found["timed_out"]["rows"]
    assert sum(row["timed_out"] for row in rows) == len(late)
    assert sum(row["nobody_looked"] for row in rows) == sum("Approve Counted" not in one.decided for one in late)


def test_the_parts_of_all_waits_add_up_to_them(found: dict[str, Any]) -> None:
    *parts, whole = found["waiting"]["rows"]

    assert sum(part["sum_ms"] for part in parts) == whole["sum_ms"] > 0
    assert all(part["sum_ms"] > 0 for part in parts), parts
