"""Each command of Curfew on a page is one that can be typed: the command is there, and so are its options."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from curfew.audit.events import EVENTS
from curfew.cli import main
from curfew.cli.plugin import plugin

CHECKOUT: Final = Path(__file__).parents[2]
PAGES: Final = sorted(
    page
    for page in [CHECKOUT / "README.md", *(CHECKOUT / "docs").rglob("*.md")]
    if page.parent.name not in {"decisions", "reference"}  # what was, and what is generated
)
COMMAND: Final = re.compile(r"(?:kubectl )?curfew [a-z]")
ENDS: Final = re.compile(r"\s(?:\||\|\||&&|;|>|>>|\d?>&?\d?)\s.*|\s#\s.*", re.DOTALL)
"""What follows a command in the shell."""


NONE: Final = re.compile(r" v1$|<TAB>")
"""What looks like a command and is none: what signatures begin with, and a key that is pressed."""


def typed_on(page: Path) -> Iterator[str]:
    """Yield the commands of Curfew on a page: in blocks and in sentences."""
    text = page.read_text()
    blocks = "".join(re.findall(r"^ *```(?:sh|shell|console)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL))
    lines = re.sub(r"\\\n", " ", blocks).splitlines()
    sentences = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)
    inline = [re.sub(r"\s+", " ", code) for code in re.findall(r"`([^`]+)`", sentences)]
    for line in (*lines, *inline):
        for part in re.split(r"\s\|\s|\$\(|<\(|^\$ ", line):
            if COMMAND.match(part.strip()) and not NONE.search(part):
                yield ENDS.sub("", part.strip()).rstrip(")")


TYPED: Final = {page: sorted(set(typed_on(page))) for page in PAGES}


def wrong_with(typed: str) -> str:
    """Return what of a command is not there, or nothing."""
    try:
        words = shlex.split(typed)
    except ValueError:  # a pipe within quotes ended it
        words = typed.split()
    command: click.Command = main
    if words.pop(0) == "kubectl":
        words.pop(0)
        command = plugin
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        name = words.pop(0)
        found = command.get_command(click.Context(command), name)
        if found is None:
            return name
        command = found
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    said = {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"}
    return " ".join(said - known - {"--help"})


def test_there_are_commands() -> None:
    """A typo in a pattern would make the tests below say yes to nothing."""
    assert sum(map(len, TYPED.values())) > 150


@pytest.mark.parametrize("page", [page for page in PAGES if TYPED[page]], ids=lambda page: page.stem)
def test_each_command_is_there_with_its_options(page: Path) -> None:
    assert {typed: wrong for typed in TYPED[page] if (wrong := wrong_with(typed))} == {}


def test_each_event_that_is_searched_for_is_one() -> None:
    searched = {
        event for page in PAGES for typed in TYPED[page] for event in re.findall(r"--event ([a-z_.]+)(?:\s|$)", typed)
    }

    assert searched
    assert searched <= EVENTS.keys()
