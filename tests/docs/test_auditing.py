"""What docs/auditing.md shows of each command is what it prints, for the log that comes with the specification."""

import json
import re
import shlex
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from curfew.audit.receipt import Receipt
from curfew.cli import main
from tests.support.api_events import as_lines, sealed_on_time, the_events
from tests.support.watching import the_activity, the_trail

CHECKOUT = Path(__file__).parents[2]
VECTORS = CHECKOUT / "tests" / "vectors"
PAGE = (CHECKOUT / "docs" / "auditing.md").read_text()


def blocks() -> list[str]:
    """Return what the page shows of a terminal."""
    return re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder with a copy of the log, the key, a request with a receipt, a log of activity, and an audit log."""
    told = json.loads((VECTORS / "log_v1.json").read_text())
    shutil.copytree(VECTORS / "log_v1", tmp_path / "copy")
    (tmp_path / "curfew.pub").write_text(told["verifierKey"])
    receipt = Receipt.parse(told["receipts"][-1]).to_json()
    (tmp_path / "request.json").write_text(json.dumps({"status": {"grant": {"receipt": receipt}}}))
    trail, activity = the_trail(), the_activity()
    activity.lay(trail.lay(tmp_path / "watched"))
    sealed_on_time().lay(tmp_path / "prod-copy")
    (tmp_path / "audit.log").write_bytes(as_lines(the_events()))
    (tmp_path / "keys.pub").write_text(f"{trail.verifier}\n{activity.verifier}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_there_is_something_to_type() -> None:
    """A typo in a fence would make the test below say yes to nothing."""
    assert len(blocks()) >= 5


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.partition("\n")[0][2:40])
def test_each_command_prints_what_is_shown(here: Path, block: str) -> None:
    """To the letter, but for the folder, of which only the end is shown."""
    for shown in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = shown.partition("\n")
        program, *arguments = shlex.split(command)

        result = CliRunner().invoke(main, arguments, prog_name=program)

        assert result.exit_code == 0, result.output
        assert result.stdout.replace(f"file://{here}", "file:///…") == expected


def test_the_index_answers_the_question_that_is_shown(here: Path) -> None:
    """With Python's SQLite: the program that the page calls is not on every machine."""
    (sql,) = re.findall(r'^sqlite3 .*\\\n +"(SELECT [^"]+)"$', PAGE, re.MULTILINE)
    path = CliRunner().invoke(main, ["audit", "index", "./copy", "--key-file", "curfew.pub"]).stdout.strip()

    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute(sql).fetchall()

    assert [event for _, event, _ in rows][:2] == ["request.created", "request.accepted"]


@pytest.mark.parametrize("name", re.findall(r"^\| `([a-z-]+)` \|", PAGE.partition("## Exit codes")[2], re.MULTILINE))
def test_each_command_says_the_same_exit_codes(name: str) -> None:
    told = CliRunner().invoke(main, ["audit", name, "--help"]).stdout

    assert [code for code in "0123" if f"{code}: " in told.partition("Exit code")[2]] == list("0123")
