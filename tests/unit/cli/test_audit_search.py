"""An auditor finds what there is in a log, in the form that is wanted, and reads one request's story."""

import asyncio
import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curfew.adapters.clock import SystemClock
from curfew.adapters.objectstore import open_store
from curfew.audit.record import Record, Story, make_record
from curfew.audit.wording import NO_KEY
from curfew.cli import main
from curfew.cli.audit.story import gap, in_words
from curfew.storage.people import People
from tests.support.logs import BEGIN, ALog, opened
from tests.vectors.make_vectors import the_story

NOBODY = Story(uid="uid-2", namespace="search", request="inc-4712", requester="dora@example.com", reason="=1+1")


def audit(*arguments: object) -> Result:
    """Run `curfew audit`."""
    defaults = {"audit": {"search": DEFAULTS}}
    return CliRunner().invoke(main, ["audit", *map(str, arguments)], prog_name="curfew", default_map=defaults)


DEFAULTS: dict[str, object] = {}


@pytest.fixture(autouse=True, params=["with an index", "without one"])
def index(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Search in both ways: all that is here holds for each."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(DEFAULTS, "no_index", request.param == "without one")


def another(event: str = "request.created", story: Story = NOBODY, days: int = 7) -> Record:
    """Return a record of another request, a week later."""
    message = f"dora@example.com asks\x1b[31m ({story.request})"
    return make_record(
        event,
        at=BEGIN + timedelta(days=days),
        actor="dora@example.com",
        message=message,
        story=story,
        detail={"calls": [{"audit_id": "0e6c-11"}]},
    )


@pytest.fixture
def log() -> ALog:
    """Return a log with the story of inc-4711 (records 1 to 8), and what was asked a week later (record 9)."""
    log = ALog()
    log.append([opened(log.signer)])
    told = the_story()
    log.append(told[:3])
    log.append(told[3:])
    log.append([another()], at=BEGIN + timedelta(days=7))
    return log


@pytest.fixture
def folder(log: ALog, tmp_path: Path) -> Path:
    """Return the folder that the log lies in."""
    return log.lay(tmp_path / "trail")


def indexes(result: Result) -> list[int]:
    """Return the indexes of the records that were printed as JSON lines."""
    assert result.exit_code == 0, result.output
    return [json.loads(line)["index"] for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (["--person", "bob@example.com"], [3, 4, 5, 6, 7, 8]),
        (["--person", "dora*"], [9]),
        (["--person", "dora*", "--person", "bob@example.com", "--event", "request.*"], [8, 9]),
        (["--request", "payments/inc-4711", "--event", "3002I"], [6]),
        (["--role", "payments-debug", "--phase", "expired"], [7]),
        (["--policy", "debug", "--event", "review.*"], [3, 4]),
        (["--namespace", "search"], [9]),
        (["--phase", "Active", "--event", "grant.intended"], [5, 6]),
        (["--ticket", "INC-4711", "--event", "request.closed"], [8]),
        (["--audit-id", "0e6c-11"], [9]),
        (["--correlation", "6f1e8c1e-*", "--event", "request.created"], [1]),
        (["--since", "2026-11-24"], [7, 8, 9]),
        (["--until", "2026-11-23", "--event", "grant.*"], [5, 6]),
        (["--period", "2026-11-24..2026-11-25"], [7, 8]),
        (["hängen", "ALICE", "--event", "request.created"], [1]),
        (["dora", "alice"], []),
        ([], list(range(10))),
        (["--limit", "2"], [8, 9]),
        (["--limit", "0"], list(range(10))),
    ],
)
def test_what_is_asked_for_is_found(folder: Path, asked: list[str], found: list[int]) -> None:
    assert indexes(audit("search", folder, *asked, "-o", "jsonl")) == found


def test_a_table_shows_the_index_the_day_and_a_sentence_that_cannot_command_the_terminal(folder: Path) -> None:
    result = audit("search", folder, "--since", "2026-11-24", "--event", "request.*")

    assert [line.split("  ")[-1].strip() for line in result.stdout.splitlines()] == [
        "Tuesday, 24 November 2026 (UTC)",
        "request inc-4711 of alice@example.com: the story ends as Expired",
        "Monday, 30 November 2026 (UTC)",
        "dora@example.com asks\\x1b[31m (inc-4712)",
    ]
    assert result.stdout.splitlines()[1].startswith("      8  00:00:31  request.closed  ")


def test_nothing_found_is_said_and_is_no_failure(folder: Path) -> None:
    result = audit("search", folder, "--person", "eve@example.com")

    assert result.exit_code == 0
    assert result.stdout == "No matching records. The log verifies.\n"


def test_json_is_one_list_whatever_is_found(log: ALog, folder: Path) -> None:
    found = json.loads(audit("search", folder, "--event", "grant.*", "-o", "json").stdout)

    assert [one["index"] for one in found] == [5, 6, 7]
    assert [one["record"] for one in found] == [json.loads(log.lines[index]) for index in (5, 6, 7)]
    assert json.loads(audit("search", folder, "--person", "eve", "-o", "json").stdout) == []


def test_json_lines_hold_the_records_as_they_are_stored(log: ALog, folder: Path) -> None:
    assert audit("search", folder, "--limit", "1", "-o", "jsonl").stdout_bytes == (
        b'{"index":9,"record":%s}\n' % log.lines[9]
    )


def test_csv_has_a_row_for_each_and_no_cell_that_is_a_formula(log: ALog, folder: Path) -> None:
    log.append([another(story=Story("uid-3", "=cmd", "@x", "+1", ticket="a,b"), days=8)])
    log.lay(folder)

    rows = list(csv.DictReader(io.StringIO(audit("search", folder, "--since", "2026-11-30", "-o", "csv").stdout)))

    assert [row["index"] for row in rows] == ["9", "10"]
    assert rows[0] | {"message": "", "id": ""} == {
        "index": "9",
        "time": "2026-11-30T23:58:30Z",
        "event": "request.created",
        "code": "1001I",
        "actor": "dora@example.com",
        "requester": "dora@example.com",
        "namespace": "search",
        "request": "inc-4712",
        "policy": "",
        "role": "",
        "ticket": "",
        "message": "",
        "id": "",
        "subject": "uid-2",
    }
    assert [rows[1][name] for name in ("namespace", "request", "requester", "ticket")] == ["'=cmd", "'@x", "'+1", "a,b"]


def test_a_table_has_the_newest_and_says_how_many_are_older(folder: Path) -> None:
    result = audit("search", folder, "--limit", "3")

    assert len([line for line in result.stdout.splitlines() if line.startswith(" ")]) == 3
    assert "7 older records not shown; --limit 0 shows all." in result.stderr


def test_without_a_key_it_says_what_is_not_shown(log: ALog, folder: Path) -> None:
    assert f"Note: {NO_KEY}" in audit("search", folder, "dora").stderr
    assert audit("search", folder, "dora", "--key", log.verifier).stderr == ""


def test_what_comes_before_a_bad_place_is_shown_and_the_place_is_named(log: ALog, folder: Path) -> None:
    (folder / log.names[2]).write_bytes(log.objects[log.names[2]][:-1])

    result = audit("search", folder, "--person", "bob@example.com", "-o", "jsonl")

    assert result.exit_code == 1
    assert [json.loads(line)["index"] for line in result.stdout.splitlines()] == [3]
    assert f"The log does not verify. Segment 2 ({log.names[2]}) does not end with a signature" in result.stderr


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (["--event", "grant.actived"], "No event matches grant.actived. Did you mean grant.activated"),
        (["--event", "xyz"], "No event matches xyz. docs/audit-record.md lists all."),
        (["--phase", "Ended"], "'Ended' is not one of"),
        (["--since", "soon"], "--since: 'soon' is not a time that Curfew understands; write today"),
        (["--since", "2026-11-01..2026-11-07"], "is a period; give it with --period."),
        (["--period", "3 days ago"], "--period '3 days ago' is a point in time, not a period; use --since or --until."),
        (["--period", "today", "--since", "today"], "Give --period, or --since and --until, not both."),
        (["--since", "2026-11-08", "--until", "2026-11-01"], "Give a --since that is before --until."),
    ],
)
def test_a_question_that_cannot_be_asked_is_told_why(folder: Path, asked: list[str], why: str) -> None:
    result = audit("search", folder, *asked)

    assert result.exit_code == 2
    assert why in " ".join(result.stderr.split())


# --- a log that holds pseudonyms


@pytest.fixture
def people(folder: Path, log: ALog, tmp_path: Path) -> Path:
    """Let the log hold pseudonyms, and return where the names lie."""
    names = tmp_path / "people"
    for path in folder.rglob("*.zst"):
        path.unlink()
    told = asyncio.run(People(open_store(f"file://{names}"), SystemClock()).hide([*the_story(), another()]))
    hidden = ALog()
    hidden.append([opened(hidden.signer)])
    hidden.append(told)
    hidden.lay(folder)
    assert not any(b"alice@" in line for line in hidden.lines)
    return names


@pytest.mark.parametrize("asked", [["--person", "alice@example.com"], ["--person", "alice*"], ["ALICE@example"]])
def test_a_person_is_found_by_name_until_forgotten(folder: Path, people: Path, asked: list[str]) -> None:
    def found() -> str:
        return audit("search", folder, *asked, "--event", "grant.activated", "--people", people).stdout

    assert "alice@example.com holds ClusterRole payments-debug" in found()
    assert "No matching record" in audit("search", folder, *asked).stdout
    CliRunner().invoke(main, ["audit", "forget", "alice@example.com", "--people", str(people), "--yes"])
    assert "No matching record" in found()
    assert audit("verify", folder).exit_code == 0


def test_a_story_is_told_with_names_to_whoever_may_read_them(folder: Path, people: Path) -> None:
    assert (
        "  Who       alice@example.com asked\n"
        in audit("search", folder, "--request", "inc-4711", "--people", people).stdout
    )
    assert "  Who       person:" in audit("search", folder, "--request", "inc-4711").stdout


# --- the story of one request


def test_one_request_is_told_as_a_story(folder: Path) -> None:
    result = audit("search", folder, "--request", "payments/inc-4711")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "Request inc-4711 in payments, UID 6f1e8c1e-7d6b-4b86-a5a5-0c6b0f3f5a11",
        "",
        "  Who       alice@example.com asked",
        "  What      ClusterRole payments-debug by policy debug (generation 3) for 1 min",
        "  Why       Zahlungen hängen seit 14:00 🙂 (INC-4711)",
        "  Decided   bob@example.com said Approve for owners, 2026-11-23 23:59:31 UTC: on call",
        "  Access    from 2026-11-23 23:59:31 UTC to 2026-11-24 00:00:31 UTC, 1 min",
        "  Outcome   the story ends as Expired (DurationElapsed)",
        "",
        "Monday, 23 November 2026 (UTC)",
        "  23:58:50               alice@example.com asks for AccessPolicy debug in payments for 1m  [1]",
        "  23:58:50      at once  it was accepted and needs 1 to agree  [2]",
        "  23:59:31   41 s later  bob@example.com approved request inc-4711 of alice@example.com: on call  [3]",
        "  23:59:31      at once  request inc-4711 of alice@example.com is approved: approved by bob@example.com  [4]",
        "  23:59:31      at once  alice@example.com will hold ClusterRole payments-debug in payments  [5]",
        "  23:59:31  30 ms later  alice@example.com holds ClusterRole payments-debug in payments until 00:00:31  [6]",
        "Tuesday, 24 November 2026 (UTC)",
        "  00:00:31  1 min later  its time is over  [7]",
        "  00:00:31      at once  the story ends as Expired  [8]",
        "",
        "  The numbers in brackets are indexes: `curfew audit prove` takes them.",
    ]


@pytest.mark.parametrize(
    "asked",
    [
        ["--request", "6f1e8c1e-7d6b-4b86-a5a5-0c6b0f3f5a11"],
        ["--ticket", "INC-4711", "--story"],
        ["--request", "inc-4711", "--since", "2026-11-24"],
        ["--request", "inc-4711", "hängen", "bob"],
        ["--story", "hängen", "--event", "grant.expired"],
        ["--story", "--person", "bob@example.com", "--since", "2026-11-24"],
    ],
)
def test_a_story_is_whole_however_its_request_was_found(folder: Path, asked: list[str]) -> None:
    assert audit("search", folder, *asked).stdout == audit("search", folder, "--request", "inc-4711").stdout


def test_a_story_ends_where_the_log_does_not_verify(log: ALog, folder: Path) -> None:
    (folder / log.names[2]).write_bytes(log.objects[log.names[2]][:-1])

    result = audit("search", folder, "--request", "inc-4711")

    assert result.exit_code == 1
    assert "bob@example.com approved request inc-4711 of alice@example.com: on call  [3]" in result.stdout
    assert "[4]" not in result.stdout
    assert "The log does not verify. Segment 2 " in result.stderr


def test_a_short_story_says_what_it_knows(folder: Path) -> None:
    assert audit("search", folder, "--request", "inc-4712").stdout.splitlines()[:5] == [
        "Request inc-4712 in search, UID uid-2",
        "",
        "  Who       dora@example.com asked",
        "  What      what the policy offers",
        "  Why       =1+1",
    ]


def test_a_story_is_of_one_request(folder: Path) -> None:
    result = audit("search", folder, "--story", "--event", "request.created")

    assert result.exit_code == 2
    assert "2 requests match, but --story shows one." in result.stderr
    assert "  --request uid-2  search/inc-4712" in result.stderr


def test_requests_that_share_a_name_are_listed(log: ALog, folder: Path) -> None:
    log.append([another(story=Story("uid-3", "payments", "inc-4712"), days=8)])
    log.lay(folder)

    result = audit("search", folder, "--request", "inc-4712")

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 4
    assert "These are records of 2 requests" in result.stderr


def test_a_story_is_listed_on_request(folder: Path) -> None:
    assert audit("search", folder, "--request", "inc-4712", "--list").stdout.splitlines()[1].startswith("      9  ")


def test_a_story_of_nothing_is_told_so(folder: Path) -> None:
    result = audit("search", folder, "--story", "--event", "audit.*")

    assert result.exit_code == 0
    assert result.stdout.startswith("No matching request")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ms"),
        (0.25, "250 ms"),
        (59.4, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (90000, "1 d 1 h"),
        (172800, "2 d"),
    ],
)
def test_lengths_of_time_have_two_units_at_most(seconds: float, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words


def test_what_happened_before_the_step_before_it_is_told_so() -> None:
    assert gap(BEGIN, BEGIN - timedelta(seconds=3)) == "3 s before"
    assert gap(BEGIN, BEGIN) == "at once"
