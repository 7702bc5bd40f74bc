"""`curfew audit check`: the API server's own log and the trail, side by side."""

import gzip
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from curfew.cli import main
from tests.support.api_events import MS, OPERATOR, UID, as_lines, event, sealed_on_time, the_events
from tests.support.logs import alter
from tests.vectors.make_vectors import ALICE, BEGUN, ENDED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the trail lies."""
    return sealed_on_time().lay(tmp_path / "copy")


def written(folder: Path, content: bytes, name: str = "audit.log") -> Path:
    path = folder.parent / name
    path.write_bytes(content)
    return path


def check(folder: Path, *arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["audit", "check", str(folder), *map(str, arguments)], input=stdin)


def told(folder: Path, *logs: Path) -> Any:
    result = check(folder, *(part for log in logs for part in ("--audit-log", log)), "-o", "json")
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


def broken(shown: Any) -> dict[str, int]:
    """Return how often each promise was broken, without those that were kept."""
    return {name: one["broken"] for name, one in shown["promises"].items() if one["broken"]}


def test_what_was_kept_is_shown_as_kept(folder: Path) -> None:
    result = check(folder, "--audit-log", written(folder, as_lines(the_events())))

    assert result.exit_code == 0, result.output
    assert "Checked: 1 request and 1 binding of log main" in result.stdout
    assert "  P1   No binding outlives its end: holds\n" in result.stdout
    shown = told(folder, folder.parent / "audit.log")
    assert (shown["holds"], broken(shown), shown["lateness"]["latest"]) == (True, {}, 6)
    assert (shown["lines"]["read"], shown["lines"]["used"], shown["lines"]["unreadable"]) == (6, 4, 0)


def without(verb: str, resource: str) -> list[dict[str, Any]]:
    """Return the events without the calls of a kind."""
    return [one for one in the_events() if (one["verb"], one["objectRef"]["resource"]) != (verb, resource)]


LATE = event("delete", f"rolebindings/curfew-{UID}", ENDED + timedelta(seconds=30), OPERATOR)
STRANGER = event("create", "rolebindings/curfew-00000000-0000-4000-8000-000000000000", BEGUN, "mallory", 201)
AGAIN = event("create", f"rolebindings/curfew-{UID}", ENDED + timedelta(seconds=5), OPERATOR, 201)
UNTOLD = event("create", "accessrequests/inc-9", BEGUN, ALICE, 201)
FORGOTTEN = event(
    "patch",
    "accessrequests/inc-4711/status",
    BEGUN,
    "dave@example.com",
    annotations={"curfew-request-decision/decision": "Deny"},
)
REMAINS = event("get", f"rolebindings/curfew-{UID}", ENDED + timedelta(minutes=1), ALICE)


@pytest.mark.parametrize(
    ("events", "promise", "sentence"),
    [
        pytest.param([*without("delete", "rolebindings"), LATE], "P1", "30.006 s too long", id="late"),
        pytest.param([*without("delete", "rolebindings"), REMAINS], "P1", "was still there at", id="still there"),
        pytest.param([*the_events(), STRANGER], "P2", "made by mallory", id="announced nowhere"),
        pytest.param([*the_events(), AGAIN], "P2", "made again", id="made again"),
        pytest.param([*the_events(), UNTOLD], "P7", "inc-9: it was made by alice", id="a request that is not told"),
        pytest.param([*the_events(), FORGOTTEN], "P7", "Deny of dave@example.com", id="a decision that is not told"),
    ],
)
def test_what_calls_show_is_found(folder: Path, events: Sequence[dict[str, Any]], promise: str, sentence: str) -> None:
    log = written(folder, as_lines(sorted(events, key=lambda one: str(one["stageTimestamp"]))))

    result = check(folder, "--audit-log", log)

    assert result.exit_code == 1
    assert result.stdout.startswith("BROKEN: ")
    assert sentence in result.stdout
    assert promise in broken(told(folder, log))


def test_what_the_trail_leaves_out_is_found(tmp_path: Path) -> None:
    folder = sealed_on_time(without=("grant.expired",)).lay(tmp_path / "copy")

    shown = told(folder, written(folder, as_lines(the_events())))

    assert broken(shown) == {"P7": 2}
    assert "no record of the end of it" in json.dumps(shown)


def test_a_lost_event_is_not_clear(folder: Path) -> None:
    result = check(folder, "--audit-log", written(folder, as_lines(without("delete", "rolebindings"))))

    assert result.exit_code == 0
    assert "P1   No binding outlives its end: not clear once" in result.stdout


def test_a_dry_run_and_a_refused_call_make_nothing(folder: Path) -> None:
    refused = STRANGER | {"responseStatus": {"code": 403}}
    dry = STRANGER | {"requestURI": f"{STRANGER['requestURI']}?dryRun=All"}

    assert told(folder, written(folder, as_lines([*the_events(), refused, dry])))["holds"]


def test_a_deleted_namespace_ends_what_is_in_it(folder: Path) -> None:
    cleared = event("deletecollection", "rolebindings", ENDED, "system:serviceaccount:kube-system:namespace-controller")

    shown = told(folder, written(folder, as_lines([*without("delete", "rolebindings"), cleared])))

    assert shown["holds"]
    assert shown["lateness"]["ends"] == 1


# --- files


def test_several_files_are_merged_in_whatever_order_and_however_packed(folder: Path) -> None:
    events = the_events()
    first = written(folder, gzip.compress(as_lines(events[:3])), "first.log.gz")
    second = written(folder, as_lines(events[3:]), "second.log")

    assert told(folder, second, first)["lines"]["used"] == 4
    assert told(folder, second, first, first)["holds"], "an event that comes twice is one"


def test_what_is_no_event_is_counted_with_its_place(folder: Path) -> None:
    garbage = b'{"kind":"Event"\n\nnothing\n[1]\n{"kind":"Event","objectRef":{"resource":"rolebindings"}}\n'
    result = check(folder, "--audit-log", written(folder, garbage + as_lines(the_events())))

    assert result.exit_code == 0
    assert "4 lines of the audit logs cannot be read, and were left out: audit.log, line 1: " in result.stderr
    assert "audit.log, line 5: stage is missing or has the wrong type" in result.stderr


def test_an_empty_log_shows_nothing_of_the_ends(folder: Path) -> None:
    result = check(folder, "--audit-log", written(folder, b""))

    assert result.exit_code == 0
    assert "P1   No binding outlives its end: not judged" in result.stdout
    assert "Give the audit log of each API server" in result.stderr


def test_a_bundle_is_checked_too(folder: Path, tmp_path: Path) -> None:
    to = tmp_path / "bundle.zip"
    exported = CliRunner().invoke(main, ["audit", "export", str(folder), "--to", str(to)])
    assert exported.exit_code == 0, exported.output

    shown = told(to, written(folder, as_lines(the_events())))

    assert (shown["holds"], shown["requests"], shown["bindings"]) == (True, 1, 1)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(gzip.compress(as_lines(the_events()))[:-20], "cannot be read to its end", id="cut off"),
        pytest.param(b"\x1f\x8bnot gzip", "cannot be read to its end", id="no gzip"),
        pytest.param(None, "No such file", id="not there"),
    ],
)
def test_a_file_that_cannot_be_read_is_no_evidence(folder: Path, content: bytes | None, why: str) -> None:
    path = written(folder, content) if content is not None else folder / "nothing"

    result = check(folder, "--audit-log", path)

    assert result.exit_code == 3
    assert why in result.stderr


def test_a_log_that_does_not_verify_is_not_judged(tmp_path: Path) -> None:
    log = sealed_on_time()
    alter(log, 2)
    folder = log.lay(tmp_path / "copy")

    result = check(folder, "--audit-log", written(folder, as_lines(the_events())))

    assert result.exit_code == 1
    assert "The log does not verify" in result.stderr
    assert not result.stdout


def test_wrong_commands_are_told_what_is_wrong(folder: Path) -> None:
    assert check(folder).exit_code == 2
    assert check(folder, "--audit-log", "-", "--audit-log", "-").exit_code == 2
    assert check(folder, "--audit-log", "x", "--late", "soon").exit_code == 2


def test_what_is_late_can_be_said(folder: Path) -> None:
    log = written(folder, as_lines(the_events()))

    assert check(folder, "--audit-log", log, "--late", "1ms").exit_code == 1
    assert (ENDED + 3 * MS) > ENDED
