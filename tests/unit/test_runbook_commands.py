"""Each command of Curfew on a runbook is one that can be typed: the command is there, and so are its options."""

import re
from pathlib import Path
from typing import Final

import click
import pytest

from curfew.audit.events import EVENTS
from curfew.cli import main

RUNBOOKS: Final = Path(__file__).parents[2] / "docs" / "runbooks"
TYPED: Final = sorted(
    {
        code
        for page in RUNBOOKS.glob("*.md")
        for code in re.findall(r"`(curfew [a-z][^`]*)`", re.sub(r"\n +", " ", page.read_text()))
    }
)


@pytest.mark.parametrize("typed", TYPED)
def test_each_command_is_there_with_its_options(typed: str) -> None:
    words = typed.split()[1:]
    command: click.Command = main
    context = click.Context(main)
    while words and isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, typed
        command = found
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}

    assert {word for word in words if word.startswith("-")} <= options


def test_each_event_that_is_searched_for_is_one() -> None:
    searched = {event for typed in TYPED for event in re.findall(r"--event (\S+)", typed)}

    assert searched
    assert searched <= EVENTS.keys()
