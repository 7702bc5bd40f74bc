"""Steps told on a terminal: a title, the commands as a reader could type them, what they said, and what that means."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TextIO

WIDTH: Final = 112
INDENT: Final = "   "
COMMAND_SECONDS: Final = 60.0

BOLD, COMMAND, DIM, PLAIN = "\x1b[1m", "\x1b[36m", "\x1b[2m", "\x1b[0m"


class Unmet(Exception):
    """A step did not show what it is there to show."""

    def __init__(self, step: str, what: str) -> None:
        """Say which step, and what was expected and seen instead."""
        super().__init__(f"{step} went wrong: {what}.")


class Narrator:
    """Tells one step after the other, and raises `Unmet` as soon as something is not as it should be."""

    def __init__(self, folder: Path, stream: TextIO = sys.stdout) -> None:
        """Run commands in `folder`."""
        self.environ: Mapping[str, str] = {}
        self.commands = 0
        self.checks = 0
        self._folder = folder
        self._stream = stream
        self._colours = stream.isatty() and "NO_COLOR" not in os.environ
        self._started = time.monotonic()
        self._number = 0
        self._title = "before the first step"

    @property
    def elapsed(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self._started

    @property
    def step(self) -> str:
        """Return which step it is, in words."""
        return f"Step {self._number} ({self._title})" if self._number else self._title

    def title(self, text: str) -> None:
        """Begin a step."""
        self._number += 1
        self._title = text
        head = f"{self._number:2}. {text}"
        self._write(
            f"\n{self._in(BOLD, head)}{' ' * (WIDTH - len(head) - 7)}{self._in(DIM, f'{self.elapsed:5.1f} s')}\n"
        )

    def end(self, text: str) -> None:
        """Say how it ended."""
        self._write(f"\n{self._in(BOLD, text)} {self.elapsed:.0f} s\n")

    @property
    def steps(self) -> int:
        """Return how many steps were begun."""
        return self._number

    def say(self, sentence: str) -> None:
        """Say what was seen, so that nobody takes it for a command's words."""
        for paragraph in sentence.split("\n"):
            self._write(
                textwrap.fill(paragraph, WIDTH, initial_indent=f"{INDENT}=> ", subsequent_indent=INDENT * 2) + "\n"
            )

    def show(self, lines: Sequence[str]) -> None:
        """Show lines as they are."""
        self._write("".join(f"{INDENT}{self._in(DIM, line)}\n" for line in lines))

    def run(self, command: str, *, says: str | Sequence[str] = (), fails: bool = False, lines: int = 40) -> str:
        """Run a command of the shell, show what it says (so many lines of it), and return that.

        Raise `Unmet` unless it says what it should, and fails if it should.
        """
        self.announce(command)
        done = self.quietly(command)
        said = done.stdout.rstrip("\n")
        shown = said.splitlines()
        self.show([*shown[:lines], *(["..."] if len(shown) > lines else [])])
        expected = "that it fails" if fails else "that it succeeds"
        self.expect((done.returncode != 0) is fails, f"`{command}` ended with {done.returncode}; expected: {expected}")
        for words in [says] if isinstance(says, str) else says:
            self.expect(words in said, f"`{command}` did not print {words!r}")
        return said

    def announce(self, command: str) -> None:
        """Show a command as a reader would type it."""
        self.commands += 1
        first, *more = command.split("\n")
        self._write(f"{INDENT}$ {self._in(COMMAND, first)}\n")
        self._write("".join(f"{INDENT}{self._in(COMMAND, line)}\n" for line in more))

    def quietly(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of the shell without a word; its output is what it said on either stream."""
        with subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environ,
            cwd=self._folder,
            start_new_session=True,  # so that the shell and all that it started can be ended together
        ) as process:
            try:
                said, _ = process.communicate(timeout=COMMAND_SECONDS)
            except BaseException as error:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()  # returns when nobody is left who could say anything
                if isinstance(error, subprocess.TimeoutExpired):
                    raise Unmet(self.step, f"`{command}` had not ended after {COMMAND_SECONDS:.0f} s") from error
                raise
        return subprocess.CompletedProcess(command, process.returncode, said, "")

    def expect(self, is_so: bool, otherwise: str) -> None:
        """Raise `Unmet` with a sentence unless something is so."""
        self.checks += 1
        if not is_so:
            raise Unmet(self.step, otherwise)

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{PLAIN}" if self._colours and text else text

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
