"""What an auditor gets from `curfew audit report`: a report, its tables, and a proof for what it leans on."""

import csv
import hashlib
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curfew.audit.checkpoint import sign_note
from curfew.audit.proof import Proof
from curfew.audit.record import Story
from curfew.cli import main
from curfew.evidence.exception_kinds import ExceptionKind
from curfew.evidence.frameworks import FRAMEWORKS
from curfew.evidence.page import LONGEST
from curfew.evidence.report import SHOWN
from tests.support.logs import ALog, a_signer
from tests.support.quarter import PERIOD, Quarter, a_quarter, company, tell
from tests.support.scale import soaks
from tests.unit.evidence.telling import NOON

FETCHING = ("src", "srcset", "data", "action", "background", "poster")
"""Attributes that make a browser fetch something."""

DOCS = Path(__file__).parents[3] / "docs" / "evidence.md"

Rows = list[dict[str, str]]


def stored(log: ALog, folder: Path) -> Path:
    """Write a log into a folder."""
    for name, content in log.objects.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def run(location: Path, to: Path, *more: str, framework: str = "soc2", period: str = PERIOD) -> Result:
    arguments = ["audit", "report", str(location), "--framework", framework, "--period", period, "--to", str(to)]
    return CliRunner().invoke(main, [*arguments, "--heartbeat", "6h", *more], prog_name="curfew")


def rows(folder: Path, table: str) -> Rows:
    with (folder / f"{table}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def listed(folder: Path) -> list[tuple[str, str]]:
    """Return kind and request of each exception that a report lists."""
    return sorted((row["kind"], row["request"]) for row in rows(folder, "exceptions"))


def planted(quarter: Quarter) -> list[tuple[str, str]]:
    return sorted((one.kind, one.request) for one in quarter.planted)


@dataclass
class Page(HTMLParser):
    """What is in a report's HTML: its elements, what it refers to, and its text."""

    tags: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        """Begin to parse."""
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        told = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.ids += [told["id"]] if "id" in told else []
        self.links += [told["href"]] if "href" in told else []
        self.sources += [value for name, value in told.items() if name in FETCHING or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data


def page(folder: Path) -> Page:
    parsed = Page()
    parsed.feed((folder / "report.html").read_text())
    return parsed


@pytest.fixture(scope="module")
def quarter() -> Quarter:
    """Return a small quarter with an exception of each kind."""
    return a_quarter(120)


@pytest.fixture(scope="module")
def location(quarter: Quarter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where it lies."""
    return stored(quarter.log, tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def made(quarter: Quarter, location: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the evidence that is made of it."""
    to = tmp_path_factory.mktemp("evidence")
    last = quarter.log.receipt(quarter.log.head.range.size - 1).compact()
    result = run(location, to, "--key", str(quarter.log.verifier), "--anchor", last)
    assert result.exit_code == 0, result.output
    return to


# --- what it lists


def test_of_many_requests_it_lists_exactly_what_is_wrong_and_proves_each_row(tmp_path: Path) -> None:
    quarter = a_quarter(20_000 if soaks() else 500)

    result = run(stored(quarter.log, tmp_path / "log"), tmp_path / "evidence", "--key", str(quarter.log.verifier))

    assert result.exit_code == 0, result.output
    assert listed(tmp_path / "evidence") == planted(quarter)
    assert_each_row_is_proved(quarter, tmp_path / "evidence")
    assert int(rows(tmp_path / "evidence", "samples")[-1]["draw"]) == 25


def test_of_a_quarter_in_which_all_went_well_it_lists_nothing(tmp_path: Path) -> None:
    quarter = a_quarter(120, seed=2, plant=False)

    run(stored(quarter.log, tmp_path / "log"), tmp_path / "evidence")

    assert listed(tmp_path / "evidence") == []
    assert "the tests of this report found no exception" in page(tmp_path / "evidence").text


def test_each_kind_of_exception_is_planted_somewhere(quarter: Quarter) -> None:
    never_planted = {ExceptionKind.NOT_COVERED, ExceptionKind.UNREAD}  # of the whole log; they have tests of their own

    assert {str(kind) for kind in set(ExceptionKind) - never_planted} == {one.kind for one in quarter.planted}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_of_a_log_without_requests_there_is_a_report_too(framework: str, tmp_path: Path) -> None:
    quarter = a_quarter(0, plant=False)

    result = run(stored(quarter.log, tmp_path / "log"), tmp_path / "evidence", framework=framework)

    assert result.exit_code == 0, result.output
    assert listed(tmp_path / "evidence") == []
    assert rows(tmp_path / "evidence", "samples") == []
    assert all(control.id in page(tmp_path / "evidence").text for control in FRAMEWORKS[framework].controls)


def test_the_whole_population_is_in_its_table(made: Path, quarter: Quarter) -> None:
    population = rows(made, "population")
    activated = {record["id"] for record in population}

    assert len(population) == len(activated)
    assert {one.request for one in quarter.planted if one.kind == "late-end"} <= {row["request"] for row in population}
    (late,) = (row for row in population if row["seconds_late"] == "600")
    assert late["promised_end"] < late["ended_at"]
    assert late["approved_by"].endswith("@example.com")
    assert re.fullmatch(r"\d+:request.created .* \d+:request.closed", late["records"])


# --- how it is tied to the log


def assert_each_row_is_proved(quarter: Quarter, folder: Path) -> None:
    """Check every proof with the log's key alone, and that no row of the exceptions or the samples lacks one."""
    proved = {}
    for path in (folder / "proofs").iterdir():
        told = Proof.from_bytes(path.read_bytes()).check(quarter.log.verifier)
        assert told.record is not None
        assert path.name == f"{told.index}.json"
        proved[told.index] = told.record
    for row in rows(folder, "exceptions"):
        mentioned = [int(one.partition(":")[0]) for one in row["records"].split()]
        assert mentioned
        assert [proved[index].id for index in mentioned] == row["ids"].split()
    for row in rows(folder, "samples"):
        assert proved[int(row["index"])].id == row["id"]
        assert {int(one.partition(":")[0]) for one in row["records"].split()} <= set(proved)


def test_each_row_is_proved(made: Path, quarter: Quarter) -> None:
    assert_each_row_is_proved(quarter, made)


def test_a_proof_is_checked_by_the_command_that_the_report_names(made: Path, quarter: Quarter) -> None:
    proof = next((made / "proofs").iterdir())

    result = CliRunner().invoke(main, ["audit", "check-proof", str(proof), "--key", str(quarter.log.verifier)])

    assert result.exit_code == 0, result.output
    assert f"record {proof.stem} of log main" in result.output


def test_samples_are_drawn_again_as_the_docs_say(
    made: Path, quarter: Quarter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    root = quarter.log.head.range.root().hex()
    (tmp_path / "evidence").symlink_to(made)
    monkeypatch.chdir(tmp_path)

    exec(code.replace("1c1a4f45…", root), {})  # noqa: S102  it is our page

    assert capsys.readouterr().out.strip() == str([row["index"] for row in rows(made, "samples")])


def test_the_report_names_its_files_by_their_hashes(made: Path) -> None:
    text = page(made).text

    for path in made.glob("*.csv"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in text


def test_it_says_what_it_was_verified_with(made: Path, location: Path, quarter: Quarter, tmp_path: Path) -> None:
    run(location, tmp_path / "evidence")

    assert "with a key that was given to it, and 1 anchor kept elsewhere agrees" in page(made).text
    assert quarter.log.head.range.root().hex() in page(made).text
    assert "No key was given" in page(tmp_path / "evidence").text
    assert "No anchor was given" in page(tmp_path / "evidence").text


def test_a_seed_draws_the_samples_that_the_same_seed_drew_before(location: Path, tmp_path: Path) -> None:
    drawn = []
    for name, seed in (("a", "one"), ("b", "one"), ("c", "two")):
        run(location, tmp_path / name, "--seed", seed, "--sample", "7")
        drawn.append([row["id"] for row in rows(tmp_path / name, "samples")])

    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 7


# --- the page


def test_the_page_needs_nothing_else_and_its_references_lead_somewhere(made: Path) -> None:
    parsed = page(made)
    inside = {link[1:] for link in parsed.links if link.startswith("#")}
    beside = {link for link in parsed.links if not link.startswith("#")}

    assert not {"script", "link", "img", "iframe", "object", "base"} & set(parsed.tags)
    assert parsed.sources == []
    assert "url(http" not in (made / "report.html").read_text()
    assert inside - set(parsed.ids) == set()
    assert [link for link in beside if not (made / link).is_file()] == []
    assert len(parsed.ids) == len(set(parsed.ids))


def test_every_exception_is_on_the_page(made: Path) -> None:
    text = page(made).text

    for row in rows(made, "exceptions"):
        assert row["what"] in text
        assert all(id_ in text for id_ in row["ids"].split())


def test_a_small_population_is_printed_whole(made: Path) -> None:
    text, population = page(made).text, rows(made, "population")

    assert len(population) <= SHOWN
    assert all(row["id"] in text for row in population)


HOSTILE = {
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>",
    "turned": "looks \u202egnihtemos\u202c else",
    "unseen": "a\u200bb\x1b[31mred\x00",
    "long": "reason " * 400,
    "unbroken": "x" * 3000,
    "template": "{{ 7 * 7 }}{% raw %}",
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the evidence of a log in which people wrote what they should not."""
    quarter = a_quarter(0, plant=False)
    log, people = quarter.log, company()
    records = []
    for name, text in HOSTILE.items():
        for at, record in people.granted(NOON, late=timedelta(hours=1)):
            story = replace(Story.of(record), requester=text, reason=text, ticket=text, request=name)
            actor = text if record.event == "request.created" else record.block["actor"]
            records.append(tell(record.event, at, story, actor=actor, **record.block.get("detail", {}))[1])
    log.append(records, log.head.at)
    to = tmp_path_factory.mktemp("hostile")
    assert run(stored(log, to / "log"), to / "evidence").exit_code == 0
    return to / "evidence"


def test_what_people_wrote_cannot_become_part_of_the_page(hostile: Path) -> None:
    parsed = page(hostile)

    assert not {"script", "img"} & set(parsed.tags)
    assert parsed.sources == []
    assert HOSTILE["markup"] in parsed.text
    assert HOSTILE["template"] in parsed.text
    assert len(rows(hostile, "exceptions")) == len(HOSTILE)


def test_what_cannot_be_seen_is_made_visible(hostile: Path) -> None:
    text = (hostile / "report.html").read_text()

    assert not set("\u202e\u202c\u200b\x1b\x00") & set(text)
    assert r"looks \u202egnihtemos\u202c else" in text


def test_what_is_long_is_cut_on_the_page_and_whole_in_the_table(hostile: Path) -> None:
    assert "x" * LONGEST in page(hostile).text
    assert "x" * (LONGEST + 1) not in page(hostile).text
    assert HOSTILE["unbroken"] in {row["reason"] for row in rows(hostile, "population")}


# --- what is refused


@pytest.fixture
def tampered(quarter: Quarter, tmp_path: Path) -> Path:
    """Return a log in which one byte is another."""
    folder = stored(quarter.log, tmp_path / "log")
    path = folder / quarter.log.names[40]
    content = bytearray(path.read_bytes())
    content[30] ^= 1
    path.write_bytes(content)
    return folder


def test_of_a_log_that_does_not_verify_no_report_is_made(tampered: Path, tmp_path: Path) -> None:
    result = run(tampered, tmp_path / "evidence")

    assert result.exit_code == 1
    assert "The log does not verify. Segment 40 " in result.output
    assert not (tmp_path / "evidence").exists()


def test_of_a_log_that_another_key_signed_no_report_is_made(location: Path, tmp_path: Path) -> None:
    result = run(location, tmp_path / "evidence", "--key", str(a_signer(seed=9).verifier))

    assert result.exit_code == 1
    assert not (tmp_path / "evidence").exists()


def test_of_a_log_that_an_anchor_contradicts_no_report_is_made(location: Path, tmp_path: Path) -> None:
    result = run(location, tmp_path / "evidence", "--anchor", f"main/0/99999999/{'0' * 64}")

    assert result.exit_code == 1
    assert "was cut off at its end" in result.output
    assert not (tmp_path / "evidence").exists()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (("--period", "Q3"), "'Q3' is not a time that Curfew understands; write 2026"),
        (("--framework", "sox"), "'sox' is not one of 'soc2', 'iso27001', 'gdpr', 'pci-dss', 'nist-800-53'"),
        (("--heartbeat", "often"), "'often' is not a duration such as 30m"),
        (("--heartbeat", "0s"), "The interval must be longer than zero"),
        (("--sample", "-1"), "-1 is not in the range x>=0"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_would_be_right(
    wrong: tuple[str, ...], sentence: str, location: Path, tmp_path: Path
) -> None:
    result = run(location, tmp_path / "evidence", *wrong)

    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())


def test_a_folder_that_holds_something_is_not_written_to(location: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    result = run(location, tmp_path)

    assert result.exit_code == 2
    assert "already exists and is not an empty folder; choose another." in " ".join(result.output.split())
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_of_a_checkpoint_that_the_log_did_not_sign_no_report_is_made(
    location: Path, quarter: Quarter, tmp_path: Path
) -> None:
    (tmp_path / "note").write_text(sign_note(quarter.log.head.checkpoint, a_signer(seed=9)))

    result = run(location, tmp_path / "evidence", "--anchor", str(tmp_path / "note"))

    assert result.exit_code == 1
    assert "does not belong to this log" in result.output
    assert not (tmp_path / "evidence").exists()
