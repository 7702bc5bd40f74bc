"""A search finds what was done with the access beside how it was given: in both logs, each verified with its own key."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curfew.audit.wording import NO_KEY
from curfew.cli import main
from curfew.cli.audit.both_logs import NO_ACTIVITY_KEY
from tests.support.logs import ALog, a_signer, alter
from tests.support.watching import ACTIVITY, records_of, the_activity, the_trail

DEFAULTS: dict[str, object] = {}
MAIN = [("main", index) for index in range(1, 9)]


@pytest.fixture(autouse=True, params=["with an index", "without one"])
def index(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Search in both ways: all that is here holds for each."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(DEFAULTS, "no_index", request.param == "without one")


@pytest.fixture
def trail() -> ALog:
    """Return the log of the story."""
    return the_trail()


@pytest.fixture
def activity() -> ALog:
    """Return the log of what was done with its access."""
    return the_activity()


@pytest.fixture
def folder(trail: ALog, activity: ALog, tmp_path: Path) -> Path:
    """Return the folder that both lie in."""
    return activity.lay(trail.lay(tmp_path / "copy"))


def search(*arguments: object) -> Result:
    """Run `curfew audit search`."""
    defaults = {"audit": {"search": DEFAULTS}}
    return CliRunner().invoke(main, ["audit", "search", *map(str, arguments)], prog_name="curfew", default_map=defaults)


def places(result: Result) -> list[tuple[str, int]]:
    """Return log and index of each record that was printed as JSON lines."""
    assert result.exit_code == 0, result.output
    return [(one.get("log", ""), one["index"]) for one in map(json.loads, result.stdout.splitlines())]


def test_both_logs_are_searched_in_the_order_of_time_and_each_line_names_its_log(folder: Path) -> None:
    found = places(search(folder, "--request", "payments/inc-4711", "-o", "jsonl"))

    assert found == [*MAIN[:6], *((ACTIVITY, index) for index in (1, 2, 3, 4, 5)), *MAIN[6:], (ACTIVITY, 7)]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (["--verb", "get"], [2]),
        (["--resource", "secrets"], [2]),
        (["--resource", "secrets/db"], [2]),
        (["--resource", "pods/exec"], [5]),
        (["--resource", "deployments/*", "--verb", "patch"], [3]),
        (["--event", "call.*", "--person", "alice@*"], [1, 2, 3, 4, 5]),
        (["--event", "7005W"], [5]),
        (["--correlation", "*-patch-deployments"], [3]),
        (["--event", "coverage.*"], [6]),
        (["--event", "session.assessed", "--policy", "debug"], [7]),
    ],
)
def test_calls_are_found_by_what_was_done_to_what(folder: Path, asked: list[str], found: list[int]) -> None:
    assert places(search(folder, *asked, "-o", "jsonl")) == [(ACTIVITY, index) for index in found]


def test_log_chooses_one_of_them(folder: Path) -> None:
    of_trail = search(folder, "--log", "main", "--request", "inc-4711", "-o", "jsonl")
    of_activity = search(folder, "--log", ACTIVITY, "--request", "inc-4711", "-o", "jsonl")

    assert [index for _, index in places(of_trail)] == list(range(1, 9))
    assert [index for _, index in places(of_activity)] == [1, 2, 3, 4, 5, 7]


def test_without_a_log_of_activity_nothing_is_different(trail: ALog, tmp_path: Path) -> None:
    result = search(trail.lay(tmp_path / "alone"), "--event", "grant.expired", "-o", "jsonl")

    assert places(result) == [("", 7)]
    assert ACTIVITY not in result.stderr


def test_the_log_of_activity_may_be_elsewhere_under_another_name(trail: ALog, tmp_path: Path) -> None:
    signer = a_signer("watched", seed=8)
    other = ALog("watched", signer)
    other.append([record for record in records_of(the_activity()) if record.event == "call.read"])
    where = ("--activity-at", other.lay(tmp_path / "b"), "--activity-log", "watched", "--activity-key", signer.verifier)

    result = search(trail.lay(tmp_path / "a"), "--log", "main", *where, "--verb", "list", "-o", "jsonl")

    assert places(result) == [("watched", 0)]


def test_a_log_of_activity_that_is_asked_for_has_to_be_there(trail: ALog, tmp_path: Path) -> None:
    result = search(trail.lay(tmp_path / "alone"), "--activity-log", "watched")

    assert result.exit_code == 3
    assert "There is no log watched at " in result.stderr


def test_a_table_has_a_column_for_the_log(folder: Path) -> None:
    lines = search(folder, "--since", "2026-11-23 23:59:40", "--until", "2026-11-23 23:59:59").stdout.splitlines()

    assert lines[1] == (
        "main-activity        2  23:59:40  call.read                   alice@example.com read secrets/db in payments, under "
        "request inc-4711"
    )


def test_csv_has_a_column_for_the_log(folder: Path) -> None:
    head, *rows = search(folder, "--event", "call.updated", "-o", "csv").stdout.splitlines()

    assert head.startswith("log,index,time,")
    assert [row.split(",")[:2] for row in rows] == [[ACTIVITY, "3"]]


def test_one_story_is_told_from_both_logs(folder: Path) -> None:
    lines = search(folder, "--request", "payments/inc-4711").stdout.splitlines()

    assert "  Outcome   the story ends as Expired (DurationElapsed)" in lines
    assert any(line.endswith("holds ClusterRole payments-debug in payments until 00:00:31  [6]") for line in lines)
    assert any(
        line.endswith("later  alice@example.com read secrets/db in payments, under request inc-4711  [main-activity 2]")
        for line in lines
    )
    assert any(line.startswith("  Changes   ") for line in lines)
    assert lines[-1].endswith("With --log main-activity, it takes those of that log.")


def test_a_long_story_shows_the_newest_calls_and_the_whole_trail(folder: Path) -> None:
    result = search(folder, "--request", "payments/inc-4711", "--limit", "1")

    assert result.stdout.count("[main-activity ") == 1
    assert "[main-activity 7]" in result.stdout
    assert all(f"[{index}]" in result.stdout for index in range(1, 9))
    assert "5 older records of activity not shown; --limit 0 shows all" in result.stderr


def test_each_log_is_verified_with_its_own_key(trail: ALog, activity: ALog, folder: Path, tmp_path: Path) -> None:
    keys = tmp_path / "curfew.pub"
    keys.write_text(f"{trail.verifier}\n{activity.verifier}\n")
    with_both = search(folder, "--key-file", keys)
    with_one = search(folder, "--key", trail.verifier)
    wrong = search(folder, "--key", trail.verifier, "--activity-key", a_signer(ACTIVITY, seed=9).verifier)

    assert with_both.exit_code == with_one.exit_code == 0
    assert "No key was given" not in with_both.stderr
    assert f"Note: {NO_ACTIVITY_KEY.format(log=ACTIVITY)}" in with_one.stderr
    assert f"Note: {NO_KEY}" not in with_one.stderr
    assert wrong.exit_code == 1


def test_a_key_of_another_log_is_refused(folder: Path) -> None:
    result = search(folder, "--key", a_signer("other").verifier)

    assert result.exit_code == 2
    assert "The key belongs to curfew.dev/log/other; log main needs a key of curfew.dev/log/main." in result.stderr


@pytest.mark.parametrize("broken", ["the trail", "the log of activity"])
def test_a_log_that_does_not_verify_hides_nothing_of_the_other(
    broken: str, trail: ALog, activity: ALog, tmp_path: Path
) -> None:
    alter(trail if broken == "the trail" else activity, 1)
    whole = [(ACTIVITY, index) for index in range(8)] if broken == "the trail" else [("main", i) for i in range(9)]

    result = search(activity.lay(trail.lay(tmp_path / "copy")), "-o", "jsonl")

    assert result.exit_code == 1
    found = [(one["log"], one["index"]) for one in map(json.loads, result.stdout.splitlines())]
    assert set(whole) <= set(found)
    assert f"v1/log={'main' if broken == 'the trail' else ACTIVITY}/" in result.stderr
