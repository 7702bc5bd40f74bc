"""Rows on a terminal: wrapped under themselves, and colored if they should worry a reader."""

import contextlib
import io
from datetime import date

import pytest

from curfew.audit.wording import plain_times
from curfew.cli.audit.console import show_row


class Terminal(io.StringIO):
    """A terminal that keeps what is printed."""

    def isatty(self) -> bool:
        """Return true, as a terminal does."""
        return True


def on_a_terminal(*row: str) -> str:
    """Return what a terminal gets of a row."""
    with contextlib.redirect_stdout(Terminal()) as shown:
        show_row(*row)
    return shown.getvalue()


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.delenv("NO_COLOR", raising=False)


TEXT = "alice@example.com holds ClusterRole payments-debug in payments"


def test_a_row_is_wrapped_under_itself() -> None:
    assert on_a_terminal("15:12:38  ", TEXT).splitlines() == [
        "15:12:38  alice@example.com holds ClusterRole",
        "          payments-debug in payments",
    ]


@pytest.mark.parametrize(
    ("event", "color"), [("grant.removal_failed", "\x1b[31m"), ("review.refused", "\x1b[33m"), ("grant.expired", "")]
)
def test_what_should_worry_a_reader_is_colored(event: str, color: str) -> None:
    assert on_a_terminal("", "it happened", event).startswith(f"{color}it happened")


def test_nobody_gets_colors_who_does_not_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    assert on_a_terminal("", "it happened", "grant.removal_failed") == "it happened\n"


def test_what_is_read_by_a_program_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    show_row("15:12:38  ", TEXT, "grant.removal_failed")

    assert capsys.readouterr().out == f"15:12:38  {TEXT}\n"


def test_times_are_as_in_the_rest_of_the_table() -> None:
    text = "held until 2026-11-29T16:12:38Z, and then until 2026-11-30T09:00:00.123Z"

    assert plain_times(text, date(2026, 11, 29)) == "held until 16:12:38, and then until 2026-11-30 09:00:00 UTC"
