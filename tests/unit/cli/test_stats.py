"""What `curfew stats` shows equals what SQL computes from the exported records, and its parts are the whole."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from curfew.audit.checkpoint import sign_note
from curfew.cli import main
from tests.support.logs import a_signer, alter
from tests.support.quarter_activity import WatchedQuarter, watched
from tests.support.scale import times
from tests.support.stats_in_sql import InSql
from tests.support.waiting import a_waiting_quarter
from tests.support.watching import ACTIVITY

ZONE: Final = "America/St_Johns"
"""Half an hour beside the others, and with summer time."""

SINCE, UNTIL = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC)
PERIOD: Final = "2026-07-01..2026-10-01"

Row = dict[str, Any]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a cache folder that is nobody's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def run(*arguments: object) -> Result:
    """Run a command; a traceback fails the test."""
    result = CliRunner().invoke(main, [*map(str, arguments)], prog_name="curfew")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def stats(folder: Path, *arguments: object) -> Result:
    return run("stats", folder, "--no-index", *arguments)


@pytest.fixture(scope="module")
def quarter() -> WatchedQuarter:
    """Return a quarter in which requests wait for all that there is to wait for."""
    return watched(a_waiting_quarter(times(5000)))


@pytest.fixture(scope="module")
def folder(quarter: WatchedQuarter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where both logs lie."""
    return quarter.log.lay(quarter.quarter.log.lay(tmp_path_factory.mktemp("logs")))


@pytest.fixture(scope="module")
def found(folder: Path) -> Row:
    """Return what is shown to programs."""
    result = stats(folder, "--period", PERIOD, "--tz", ZONE, "--rows", 10_000, "-o", "json")
    assert result.exit_code == 0, result.output
    shown: Row = json.loads(result.stdout)
    return shown


@pytest.fixture(scope="module")
def in_sql(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> InSql:
    """Return the second computation."""
    to = tmp_path_factory.mktemp("exported")
    for log in ("main", ACTIVITY):
        result = run("audit", "export", folder, "--log", log, "--to", to / log)
        assert result.exit_code == 0, result.output
    since, until = (int(at.timestamp() * 1000) for at in (SINCE, UNTIL))
    return InSql(to / "main" / "records.jsonl", to / ACTIVITY / "records.jsonl", zone=ZONE, since=since, until=until)


def ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def test_the_quarter_has_all_that_there_is_to_wait_for(found: Row) -> None:
    assert found["outcomes"].keys() >= {"Granted", "Denied", "TimedOut", "Cancelled", "Rejected", "Revoked"}
    assert all(row["sum_ms"] > 0 for row in found["waiting"]["rows"])
    assert 0 < found["unattended_requests"] < found["need_people"]
    for table in ("by_stage", "timed_out", "approvers", "again", "unused_by_person", "used"):
        assert found[table]["rows"], table
    assert any(0 < row["used"] < row["permissions"] for row in found["used"]["rows"])


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("by_policy", "coalesce(policy, '')"),
        ("by_hour", "strftime(here, '%H')"),
        ("by_weekday", "strftime(here, '%a')"),
    ],
)
def test_the_waits_are_those_of_sql(table: str, key: str, found: Row, in_sql: InSql) -> None:
    rows = found[table]["rows"]

    assert ordered(rows) == ordered(in_sql.waits(key, table.removeprefix("by_")))
    assert sum(row["requests"] for row in rows) == sum(
        number for outcome, number in found["outcomes"].items() if outcome not in ("Open", "Rejected")
    )


def test_each_part_is_that_of_sql_and_the_parts_are_the_whole(found: Row, in_sql: InSql) -> None:
    *parts, whole = found["waiting"]["rows"]
    names = ("nobody_looked", "other_stages", "record_or_rules", "start_time", "whole")

    assert [{k: v for k, v in row.items() if k != "part"} for row in (*parts, whole)] == [
        in_sql.part(name) for name in names
    ]
    assert sum(part["sum_ms"] for part in parts) == whole["sum_ms"]


@pytest.mark.parametrize("table", ["timed_out", "approvers", "unattended", "again", "used"])
def test_each_table_is_that_of_sql(table: str, found: Row, in_sql: InSql) -> None:
    assert ordered(found[table]["rows"]) == ordered(getattr(in_sql, table)())


def test_the_stages_are_those_of_sql(found: Row, in_sql: InSql) -> None:
    assert ordered(found["by_stage"]["rows"]) == ordered(in_sql.stages())


def test_the_unused_grants_are_those_of_sql(found: Row, in_sql: InSql) -> None:
    assert ordered(found["unused"]["rows"]) == ordered(in_sql.unused("policy"))
    people = [row for row in in_sql.unused("requester", "policy") if row["unused"]]
    assert ordered(found["unused_by_person"]["rows"]) == ordered(
        {"person": row.pop("requester"), **row} for row in people
    )


def test_the_totals_are_those_of_sql(found: Row, in_sql: InSql) -> None:
    totals = in_sql.totals()

    assert {name: found[name] for name in ("requests", "need_people", "outcomes")} == {
        name: totals[name] for name in ("requests", "need_people", "outcomes")
    }
    assert found["unattended_requests"] == sum(row["unattended"] for row in found["unattended"]["rows"])
    assert found["open"]["longest_ms"] == totals["longest_open"]


# --- what people see


def test_rows_are_bounded_and_the_rest_is_summed(folder: Path, found: Row) -> None:
    result = stats(folder, "--period", PERIOD, "--tz", ZONE, "--rows", 2, "-o", "json")
    short = json.loads(result.stdout)

    for table in ("by_policy", "by_stage", "timed_out", "approvers", "unattended", "again", "unused", "used"):
        cut, whole = short[table], found[table]["rows"]
        assert cut["rows"] == whole[:2]
        assert cut["others"]["rows"] == len(whole) - 2
        counted = next(name for name in ("requests", "agreed", "decisions", "grants") if name in whole[0])
        assert cut["others"][counted] == sum(row[counted] for row in whole[2:]), table


def test_the_table_shows_the_same(folder: Path, found: Row) -> None:
    shown = stats(folder, "--period", PERIOD, "--tz", ZONE).stdout

    assert f"{found['requests']:,} requests: {found['outcomes']['Granted']:,} Granted" in shown
    for title in ("What requests wait for", "Waiting, by stage", "Where requests time out", "Grants that nobody used"):
        assert f"\n{title}\n" in shown
    assert f"{len(found['by_policy']['rows']) - 20:,} others" in shown
    assert max(map(len, shown.splitlines())) < 150


def test_without_a_log_of_activity_nothing_is_said_of_use(quarter: WatchedQuarter, tmp_path: Path) -> None:
    result = stats(quarter.quarter.log.lay(tmp_path))

    assert result.exit_code == 0
    assert "Grants that nobody used" not in result.stdout
    assert "There is no log of activity" in result.stderr
    assert "used" not in json.loads(stats(tmp_path, "-o", "json").stdout)


def test_a_period_without_requests(folder: Path) -> None:
    assert stats(folder, "--until", "2026-01-01").stdout == "No requests.\n"
    empty = json.loads(stats(folder, "--until", "2026-01-01", "-o", "json").stdout)
    assert empty["requests"] == 0
    assert empty["by_policy"]["rows"] == []
    assert empty["waiting"]["rows"][0]["p50_ms"] is None


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "/etc/localtime"])
def test_a_zone_that_is_none_is_refused(zone: str, folder: Path) -> None:
    result = stats(folder, "--tz", zone)

    assert result.exit_code == 2
    assert "There is no time zone" in result.output


def test_a_log_that_does_not_verify_shows_nothing(tmp_path: Path) -> None:
    log = a_waiting_quarter(60, seed=2).log
    alter(log, 1)

    result = stats(log.lay(tmp_path))

    assert result.exit_code == 1
    assert result.stdout == ""


def test_a_damaged_log_of_activity_shows_nothing_either(tmp_path: Path) -> None:
    quarter = watched(a_waiting_quarter(60, seed=2))
    alter(quarter.log, 1)

    result = stats(quarter.log.lay(quarter.quarter.log.lay(tmp_path)))

    assert result.exit_code == 1
    assert result.stdout == ""


def test_an_anchor_shows_that_nothing_was_cut_off(folder: Path, quarter: WatchedQuarter, tmp_path: Path) -> None:
    log = quarter.quarter.log
    last = log.receipt(log.head.range.size - 1).compact()
    foreign = tmp_path / "note"
    foreign.write_text(sign_note(log.head.checkpoint, a_signer(seed=9)))

    assert stats(folder, "--anchor", last).exit_code == 0
    for anchor in (f"main/0/99999999/{'0' * 64}", foreign):
        result = stats(folder, "--anchor", anchor)
        assert result.exit_code == 1
        assert result.stdout == ""
        assert "The log does not verify." in result.stderr


def test_a_place_without_a_log_cannot_be_read(tmp_path: Path) -> None:
    assert stats(tmp_path).exit_code == 3
