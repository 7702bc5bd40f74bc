"""What the demo shows is what it runs, and what it runs is checked."""

import io
import os
from pathlib import Path

import pytest

from tools.demo.narration import Narrator, Unmet


@pytest.fixture
def told() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def narrator(told: io.StringIO, tmp_path: Path) -> Narrator:
    narrator = Narrator(tmp_path, told)
    narrator.environ = {"PATH": "/usr/bin:/bin", "WHO": "alice"}
    narrator.title("A step")
    return narrator


def test_a_command_is_shown_as_it_is_typed_and_with_what_it_says(narrator: Narrator, told: io.StringIO) -> None:
    narrator.run('echo "this is $WHO"', says="alice")

    assert '$ echo "this is $WHO"\n   this is alice\n' in told.getvalue()


def test_lines_of_a_long_command_can_be_copied(narrator: Narrator, told: io.StringIO) -> None:
    narrator.run("echo 'one\n  two'")

    assert "   $ echo 'one\n     two'\n" in told.getvalue()


def test_what_goes_wrong_is_shown_too(narrator: Narrator, told: io.StringIO) -> None:
    narrator.run("echo refused >&2; exit 3", says="refused", fails=True)

    assert "   refused\n" in told.getvalue()


@pytest.mark.parametrize(
    ("command", "says", "fails", "complaint"),
    [
        pytest.param("exit 3", "", False, "ended with 3", id="it fails and should not"),
        pytest.param("true", "", True, "expected: that it fails", id="it succeeds and should not"),
        pytest.param("echo no", "yes", False, "did not print 'yes'", id="it says something else"),
    ],
)
def test_a_step_that_does_not_show_what_it_should_is_named(
    narrator: Narrator, command: str, says: str, fails: bool, complaint: str
) -> None:
    with pytest.raises(Unmet, match=rf"Step 1 \(A step\) went wrong: .*{complaint}"):
        narrator.run(command, says=says, fails=fails)


def test_long_output_is_cut(narrator: Narrator, told: io.StringIO) -> None:
    said = narrator.run("seq 9", lines=2)

    assert told.getvalue().endswith("   1\n   2\n   ...\n")
    assert said.endswith("9")


def test_a_file_gets_no_colours(narrator: Narrator, told: io.StringIO) -> None:
    narrator.run("true")

    assert "\x1b" not in told.getvalue()


def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(
    narrator: Narrator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell that is killed would leave its children behind."""
    monkeypatch.setattr("tools.demo.narration.COMMAND_SECONDS", 0.2)
    os.mkfifo(tmp_path / "held")

    with pytest.raises(Unmet, match="had not ended"):
        narrator.quietly("exec 3<>held; sleep 20 & sleep 20; true")

    # When nobody is left who has it open to read, it cannot be opened to write.
    with pytest.raises(OSError, match="No such device"):
        os.open(tmp_path / "held", os.O_WRONLY | os.O_NONBLOCK)
