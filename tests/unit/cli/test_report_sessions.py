"""What a report shows of the sessions of a period: one answer for each grant, and sums that are the sums of their parts."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curfew.cli import main
from curfew.core.activity.recorded import RecordedCall
from tests.support.quarter import PERIOD, a_quarter
from tests.support.quarter_activity import WatchedQuarter, watched
from tests.support.scale import times
from tests.support.watching import ACTIVITY, records_of
from tests.unit.cli.test_report import Page, page

Rows = list[dict[str, str]]


def run(location: Path, to: Path, *more: str) -> Result:
    arguments = ["audit", "report", str(location), "--framework", "soc2", "--period", PERIOD, "--to", str(to)]
    return CliRunner().invoke(main, [*arguments, "--heartbeat", "6h", *more], prog_name="curfew")


def rows(folder: Path, table: str) -> Rows:
    with (folder / f"{table}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def quarter() -> WatchedQuarter:
    """Return a quarter with exceptions planted, and what was done with its grants."""
    return watched(a_quarter(times(3000)))


@pytest.fixture(scope="module")
def location(quarter: WatchedQuarter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where both logs lie."""
    return quarter.log.lay(quarter.quarter.log.lay(tmp_path_factory.mktemp("logs")))


@pytest.fixture(scope="module")
def made(location: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the evidence that is made of it."""
    to = tmp_path_factory.mktemp("evidence")
    result = run(location, to)
    assert result.exit_code == 0, result.output
    return to


def test_each_grant_of_the_period_has_one_answer(made: Path) -> None:
    population, sessions = rows(made, "population"), rows(made, "sessions")

    assert [row["request_uid"] for row in sessions] == [row["request_uid"] for row in population]
    assert [row["index"] for row in sessions] == [row["index"] for row in population]


def test_each_answer_is_what_was_done(made: Path, quarter: WatchedQuarter) -> None:
    found = {row["request_uid"]: row["changes"] for row in rows(made, "sessions")}
    over = {uid: answer for uid, answer in quarter.answers.items() if uid in found}

    assert {uid: (answer, found[uid]) for uid, answer in over.items() if found[uid] != answer} == {}
    assert set(Counter(found.values())) == {"Yes", "No", "Unknown"}
    assert all(row["reasons"] for row in rows(made, "sessions") if row["changes"] == "Unknown")
    assert not any(row["reasons"] for row in rows(made, "sessions") if row["changes"] == "No")


def test_the_monitor_recorded_the_same_answers(made: Path) -> None:
    recorded = [row for row in rows(made, "sessions") if row["recorded"]]

    assert len(recorded) > len(rows(made, "sessions")) / 2
    assert [row for row in recorded if row["recorded"] != row["changes"] or row["differs"]] == []


def text_of(parsed: Page) -> str:
    return " ".join(parsed.text.split())


def test_the_numbers_on_the_page_are_the_sums_of_the_rows(made: Path, quarter: WatchedQuarter) -> None:
    text = text_of(page(made))
    sessions = rows(made, "sessions")
    counts = Counter(row["changes"] for row in sessions)

    assert f"Yes for {counts['Yes']:,}, No for {counts['No']:,}, Unknown for {counts['Unknown']:,} grants" in text
    assert sum(counts.values()) == len(sessions)
    # Who holds two grants at once makes calls that are tied to both, so there may be more records than calls.
    recorded = [call.audit_id for record in records_of(quarter.log) if (call := RecordedCall.of(record)) is not None]
    assert len(set(recorded)) == quarter.calls
    assert f"{len(recorded):,} records of calls in the log" in text
    assert "do not add up" not in text


def test_the_section_lists_connections_and_alerts(made: Path) -> None:
    parsed = page(made)

    assert "Sessions" in parsed.ids
    opaque = [row for row in rows(made, "sessions") if int(row["opaque"])]
    assert opaque
    assert all(f"{row['namespace']}/{row['request']}" in parsed.text for row in opaque)
    assert [row for row in rows(made, "alerts") if row["what"] not in parsed.text] == []


def test_without_a_log_of_activity_there_is_no_section(quarter: WatchedQuarter, tmp_path: Path) -> None:
    result = run(quarter.quarter.log.lay(tmp_path / "log"), tmp_path / "evidence")

    assert result.exit_code == 0, result.output
    assert "Sessions" not in page(tmp_path / "evidence").ids
    assert not (tmp_path / "evidence" / "sessions.csv").exists()


def test_of_a_log_of_activity_that_does_not_verify_no_report_is_made(
    quarter: WatchedQuarter, location: Path, tmp_path: Path
) -> None:
    name = next(name for name in quarter.log.names if f"log={ACTIVITY}/" in name)
    stored = (location / name).read_bytes()
    try:
        alter_file(location / name)
        result = run(location, tmp_path / "evidence")
    finally:
        (location / name).write_bytes(stored)

    assert result.exit_code == 1
    assert "does not verify" in result.output
    assert not (tmp_path / "evidence").exists()


def alter_file(path: Path) -> None:
    """Change a byte."""
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)


def test_the_page_shows_how_long_requests_waited(made: Path, location: Path) -> None:
    """Each number is that of `curfew stats` for the same period."""
    shown = page(made)
    result = CliRunner().invoke(main, ["stats", str(location), "--period", PERIOD, "--no-index", "-o", "json"])
    found = json.loads(result.stdout)

    assert (
        f"{sum(row['requests'] for row in found['by_hour']['rows']):,} requests of the period were accepted"
        in shown.text
    )
    for row in found["by_policy"]["rows"][:10]:
        assert f"{row['policy']}{row['requests']:,}" in shown.text
