"""`curfew audit import`: what is sent, what is shown, and what a script learns from the exit code."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curfew.cli import main
from curfew.cli.audit.import_ import BATCH_BYTES, BATCH_LINES
from curfew.core.activity.external.reading import LONGEST_LINE
from tests.support.foreign import UID, a_line
from tests.support.taking import Answer, Intake, listening_beside

TOP = Path(__file__).parents[3]
POSTGRESQL = TOP / "examples" / "correlation" / "postgresql.yaml"
MAPPING = """\
system: ledger
time: {field: at}
person: who
names: {alice: alice@example.com}
action: did
object: to
outcome: {field: ended, failure: [refused]}
grant: grant
ticket: ticket
only: {kind: [call]}
"""
EARLIER = datetime(2020, 1, 2, 12, tzinfo=UTC)  # the command compares with the real clock


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.yaml"
    path.write_text(MAPPING)
    return path


def run(*arguments: object, given: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["audit", "import", *map(str, arguments)], input=given, prog_name="curfew")


def send(intake: Intake, mapping: object, given: bytes, *more: object) -> Result:
    with listening_beside(intake):
        address = ("--to", intake.url, "--token-file", intake.token_file, "--ca", intake.ca)
        return run("-", "--mapping", mapping, *address, *more, given=given)


def test_a_dry_run_shows_how_each_line_is_read_and_why_not(mapping: Path) -> None:
    lines = [
        a_line(at=EARLIER, grant=UID, ticket="INC-1", ended="refused"),
        b"",
        b"rubbish \x1b[31m",
        a_line(at=EARLIER, kind="ping"),
        a_line(at=EARLIER, who=None, did=None, to="a\x1b[2Jb"),
        a_line(at=EARLIER, to="x" * LONGEST_LINE),
    ]

    result = run("-", "--mapping", mapping, "--dry-run", given=b"\n".join(lines))

    shown = result.stdout.splitlines()
    assert shown[0] == (
        "line 1       2020-01-02 12:00:00 UTC  alice (alice@example.com): transfer on account 7, Failure "
        f"[grant {UID}, ticket INC-1]"
    )
    assert shown[1].startswith("line 3       cannot be read: it is not JSON: ")
    assert shown[2] == "line 4       left out: the mapping leaves out such lines"
    assert shown[3] == r"line 5       2020-01-02 12:00:00 UTC  somebody: something on a\x1b[2Jb"
    assert shown[4] == "line 6       cannot be read: it has more than 65,536 bytes"
    assert shown[5:] == [
        "Read: 5 lines",
        "  Left out by the mapping: 1",
        "  Cannot be read: 2 (NotJson 1, TooLong 1)",
    ]
    assert result.exit_code == 3


def test_a_real_postgresql_log_is_read_in_a_dry_run() -> None:
    recorded = (TOP / "tests/recorded/postgresql/statements.jsonl").read_bytes()
    (day,) = re.findall(rb"\A\{\"timestamp\":\"([0-9-]+) ", recorded)

    result = run("-", "--mapping", POSTGRESQL, "--dry-run", given=recorded.replace(day, b"2020-01-02"))

    assert "cannot be read" not in result.stdout
    assert "alice (alice@example.com): insert on payments [grant 6f1e8c1e-" in result.stdout
    assert result.exit_code == 0


def test_only_what_the_mapping_wants_leaves_the_machine(tmp_path: Path, mapping: Path) -> None:
    wanted = [a_line(at=EARLIER), a_line(at=EARLIER, to="account 8")]
    intake = Intake(tmp_path)

    result = send(intake, mapping, b"\n".join([wanted[0], b"rubbish", a_line(at=EARLIER, kind="ping"), wanted[1]]))

    assert intake.lines == wanted
    assert intake.addresses == ["/lines/import?mapping=ledger"]
    assert result.stdout == (
        f"Sent: 2 lines to {intake.url}\n  Left out by the mapping: 1\n  Cannot be read: 1 (NotJson 1)\n"
    )
    assert result.stderr.startswith("line 2 cannot be read: it is not JSON")
    assert result.exit_code == 3


def test_with_a_name_alone_the_monitor_reads_all_lines(tmp_path: Path) -> None:
    intake = Intake(tmp_path)

    result = send(intake, "ledger", b"rubbish\r\n\n{}\n", "--source", "db-1")

    assert (intake.lines, intake.addresses) == ([b"rubbish", b"{}"], ["/lines/db-1?mapping=ledger"])
    assert (result.exit_code, result.stdout) == (0, f"Sent: 2 lines to {intake.url}\n")


def test_many_lines_are_sent_in_bounded_batches(tmp_path: Path) -> None:
    intake = Intake(tmp_path)
    lines = [b"%d" % number for number in range(BATCH_LINES + 1)] + [b"x" * (LONGEST_LINE - 1)] * 40

    result = send(intake, "ledger", b"\n".join(lines))

    assert intake.lines == lines
    assert max(map(len, intake.bodies)) <= BATCH_BYTES + LONGEST_LINE
    assert intake.bodies[0].count(b"\n") == BATCH_LINES
    assert result.exit_code == 0


def test_a_monitor_that_is_busy_is_asked_again(tmp_path: Path) -> None:
    intake = Intake(tmp_path, lambda number: (429, "", {"Retry-After": "0"}) if number == 0 else (200, "", {}))

    result = send(intake, "ledger", b"{}")

    assert (result.exit_code, intake.lines) == (0, [b"{}"])


def test_a_refusal_shows_what_was_sent_before(tmp_path: Path) -> None:
    def answer(number: int) -> Answer:
        return (200, "", {}) if number == 0 else (404, "There is no mapping ledger.\x1b[2J", {})

    result = send(Intake(tmp_path, answer), "ledger", b"{}\n" * (BATCH_LINES + 1))

    assert result.exit_code == 2
    assert (
        "The monitor refused the lines. It answered 404: There is no mapping ledger.\\x1b[2J. 1,000 lines were sent before. "
        "The same command sends them again, and records nothing twice." in result.stderr
    )


def test_a_refusal_of_the_first_lines_proposes_no_second_try(tmp_path: Path) -> None:
    result = send(Intake(tmp_path, lambda _: (401, "Nobody is known by that token.", {})), "ledger", b"{}\n")

    assert result.exit_code == 2
    assert result.stderr.endswith("It answered 401: Nobody is known by that token. No line was sent before.\n")


def test_a_certificate_that_is_not_trusted_is_no_accusation(tmp_path: Path) -> None:
    intake = Intake(tmp_path)
    with listening_beside(intake):
        result = run("-", "--mapping", "x", "--to", intake.url, "--token-file", intake.token_file, given=b"{}")

    assert result.exit_code == 3
    assert "certificate is not trusted" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--mapping", "ledger", "--dry-run"), "--dry-run reads the lines here, so it needs the file"),
        (("--mapping", "ledger"), "Give --to URL and --token-file FILE, or --dry-run to send nothing."),
        (("--mapping", "missing.yaml", "--dry-run"), "There is no file missing.yaml."),
        (("--mapping", __file__, "--dry-run"), "The mapping cannot be used:"),
        (
            ("--mapping", "x", "--to", "http://host", "--token-file", __file__),
            "is not the address of a monitor's intake",
        ),
        (
            ("--mapping", "x", "--to", "https://a@b", "--token-file", __file__),
            "is not the address of a monitor's intake",
        ),
        (
            ("--mapping", "x", "--to", "https://b/x", "--token-file", __file__),
            "is not the address of a monitor's intake",
        ),
    ],
)
def test_a_wrong_command_shows_what_to_write(arguments: tuple[str, ...], problem: str) -> None:
    result = run("-", *arguments)

    assert result.exit_code == 2
    assert problem in result.stderr
