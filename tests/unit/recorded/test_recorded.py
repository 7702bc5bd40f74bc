"""What reads a log is held to what the real operator wrote: one story for each way that a request can go."""

import csv
import html
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curfew.audit.checkpoint import Verifier
from curfew.audit.proof import Proof
from curfew.cli import main
from curfew.evidence.account import Account
from curfew.evidence.exception_kinds import Exceptional
from curfew.evidence.figures import Figures
from curfew.evidence.findings import find
from curfew.evidence.grants import GrantMode
from tests.recorded.acts import EXPECTED as EACH
from tests.recorded.acts import IN_A_NAMESPACE_OF_ITS_OWN, OF_THE_LOG, SELF_TESTS
from tests.recorded.comparing import shown, wanted
from tests.recorded.expected import Expected
from tests.recorded.recording import Recording
from tools.verify_independently import verify

EXPECTED = {name: EACH[name] for name in Recording.load().stories}
GRANTED = {name: expected for name, expected in EXPECTED.items() if expected.is_granted}
COVER = {"not-covered": 1}
"""A log of some minutes does not cover a day: as a report sees it that is made when the log ends."""


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["audit", *map(str, arguments)], prog_name="curfew")
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="session")
def exceptions(account: Account) -> tuple[Exceptional, ...]:
    """Return what a report lists that is made when the log ends."""
    assert account.last_at is not None
    return find(account, now=account.last_at)


@pytest.fixture(scope="session")
def figures(account: Account, exceptions: tuple[Exceptional, ...]) -> Figures:
    """Return the numbers of that report."""
    return Figures(account, exceptions)


# --- the report


def test_the_recording_has_a_request_for_each_story(recording: Recording) -> None:
    (other,) = EACH.keys() - recording.stories.keys()

    assert recording.stories.keys() <= EACH.keys()
    assert other in IN_A_NAMESPACE_OF_ITS_OWN.expected  # of these two, the API server chooses one


def test_each_request_is_counted_once_and_as_it_ended(account: Account) -> None:
    assert account.phases == Counter(expected.outcome for expected in EXPECTED.values())
    assert account.asked == len(EXPECTED)
    assert account.self_tests == SELF_TESTS
    assert account.events["request.created"] == account.asked + account.self_tests


@pytest.mark.parametrize("name", EXPECTED)
def test_the_report_shows_each_request_as_it_was(
    name: str, recording: Recording, account: Account, exceptions: tuple[Exceptional, ...]
) -> None:
    """Who decided and what it did, how access came about, who approved it, what ended it; and no other exception."""
    assert shown(account, exceptions, recording.stories[name]) == wanted(EXPECTED[name])


def test_it_lists_nothing_else(recording: Recording, exceptions: tuple[Exceptional, ...]) -> None:
    known = {(one.namespace, one.request) for one in recording.stories.values()}
    rest = Counter(str(one.kind) for one in exceptions if (one.namespace, one.request) not in known)

    assert rest == {**OF_THE_LOG, **COVER}


def test_its_figures_are_those_of_the_stories(figures: Figures, account: Account) -> None:
    modes = Counter(GrantMode(expected.how) for expected in GRANTED.values())
    approvers = {name for expected in GRANTED.values() for name in expected.approvers.split()}
    pairs = Counter((by, one.requester) for one in GRANTED.values() for by in one.approvers.split())

    assert figures.modes == modes
    assert figures.approvers == len(approvers)
    assert figures.people == len({expected.requester for expected in GRANTED.values()})
    assert {(p.approver, p.requester): p.approvals for p in figures.pairs} == {
        (f"{by}@example.com", f"{of}@example.com"): number for (by, of), number in pairs.items()
    }
    assert figures.began == len(figures.population) == len(GRANTED)
    assert len(account.decisions) == sum(len(e.decided.split(", ")) for e in EXPECTED.values() if e.decided)


def test_its_totals_are_the_sums_of_their_parts(figures: Figures, account: Account) -> None:
    granted = len(figures.population)

    assert sum(number for _, number in figures.by_role) == granted
    assert sum(number for _, number in figures.by_namespace) == granted
    assert sum(number for _, number in figures.by_time) == figures.began
    assert figures.modes.total() == granted
    assert figures.by_kind.total() == figures.by_severity.total() == len(figures.exceptions)
    assert sum(account.events.values()) == account.records
    ended = len(figures.latenesses) + figures.ended_early
    assert ended == sum(bool(expected.ended_by) for expected in GRANTED.values())


def test_the_page_says_so(recording: Recording, location: Path, account: Account, tmp_path: Path) -> None:
    assert account.first_at is not None
    period = f"{account.period.begin:%Y-%m-%d}..{account.period.last_day}"

    run("report", location, "--key", recording.key, "--framework", "soc2", "--period", period, "--to", tmp_path / "r")
    text = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", (tmp_path / "r/report.html").read_text())))

    (asked, parts) = re.findall(r"(\d+) requests for access were made in the period \(([^)]*)\)", text)[0]
    assert int(asked) == sum(int(part.split()[0]) for part in parts.split(", ")) == len(EXPECTED)
    assert "Not counted: 1 request that Curfew made to test its own admission policies." in text
    approvers = {name for expected in GRANTED.values() for name in expected.approvers.split()}
    assert f"{len(approvers)} people approved it" in text
    reviewed = sum(expected.how == "review" for expected in GRANTED.values())
    assert f"Of {len(GRANTED)} grants in force, {reviewed} were approved by other people" in text
    with (tmp_path / "r/population.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["request_uid"]: row for row in csv.DictReader(file)}
    assert {name: rows[recording.stories[name].uid]["approved_by"] for name in GRANTED} == {
        name: "; ".join(f"{by}@example.com" for by in expected.approvers.split()) for name, expected in GRANTED.items()
    }
    for path in (tmp_path / "r/proofs").glob("[0-9]*.json"):
        Proof.from_bytes(path.read_bytes()).check(Verifier.parse(recording.key))


# --- search and story


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items(), ids=list(EXPECTED))
def test_a_search_tells_each_story_to_its_end(
    name: str, expected: Expected, recording: Recording, location: Path
) -> None:
    named = recording.stories[name]
    text = run("search", location, "--key", recording.key, "--request", named.uid).output

    assert f"Request {named.request} in {named.namespace}, UID {named.uid}" in text
    said = re.findall(r"^ +(?:Decided)? +(\S+)@example.com said (\w+)", text, re.MULTILINE)
    assert said == [tuple(one.split()[:2]) for one in filter(None, expected.decided.split(", "))]
    assert expected.is_granted == ("  Access " in text)
    assert expected.reason in text
    if expected.outcome == "Deleted":
        assert f"look in it for {named.uid}" in " ".join(text.split())
    elif expected.outcome != "Open" and not name.startswith("breaks the glass and"):
        assert f"the story ends as {expected.outcome}" in " ".join(text.split())


def test_a_search_finds_each_record_once(recording: Recording, location: Path, account: Account) -> None:
    lines = run("search", location, "--key", recording.key, "--limit", 0, "--list", "-o", "jsonl").stdout.splitlines()
    found = Counter(json.loads(line)["record"]["unmapped"]["curfew"]["event"] for line in lines)

    assert found == account.events


# --- hand over, prove, verify


def test_an_export_holds_it_whole_and_verifies(
    recording: Recording, location: Path, account: Account, tmp_path: Path
) -> None:
    run("export", location, "--key", recording.key, "--to", tmp_path / "all.zip")

    assert (
        f"records 0 to {account.records - 1} of log main"
        in run("verify", tmp_path / "all.zip", "--key", recording.key).output
    )


def test_each_kind_of_event_can_be_proved(
    recording: Recording, location: Path, account: Account, tmp_path: Path
) -> None:
    lines = run("search", location, "--key", recording.key, "--limit", 0, "--list", "-o", "jsonl").stdout.splitlines()
    by_event = {json.loads(line)["record"]["unmapped"]["curfew"]["event"]: json.loads(line) for line in lines}

    for event, found in by_event.items():
        to = tmp_path / f"{event}.json"
        run("prove", location, found["index"], "--key", recording.key, "--to", to)
        proved = Proof.from_bytes(to.read_bytes()).check(Verifier.parse(recording.key)).record
        assert proved is not None
        assert proved.body == found["record"]


def test_the_second_verifier_agrees(recording: Recording, location: Path, account: Account) -> None:
    assert len(verify(location, key=recording.key).lines) == account.records
