"""The lines that `curfew audit import` reads: which of them are sent, and what people see of them."""

from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

import click

from curfew.adapters.clock import SystemClock
from curfew.audit.wording import count, in_utc, printable
from curfew.cli.audit.console import show_row
from curfew.core.activity.external.event import ExternalEvent
from curfew.core.activity.external.mapping import LineMapping
from curfew.core.activity.external.reading import LONGEST_LINE, LineRefusal, LineRefused, check_length, read_line


class ForeignLines:
    """The lines of a file, read by a mapping if there is one, and counted."""

    def __init__(self, file: BinaryIO, mapping: LineMapping | None, *, show: bool) -> None:
        """If `show`, each line is printed as it is read; else only what cannot be read."""
        self._file = file
        self._mapping = mapping
        self._shows = show
        self._now = SystemClock().now()
        self._read = 0
        self._refused: Counter[LineRefusal] = Counter()
        self.sent = 0

    @property
    def unreadable(self) -> int:
        """How many lines cannot be read; those that the mapping leaves out are none of them."""
        return self._refused.total() - self._refused[LineRefusal.NOT_SELECTED]

    def wanted(self) -> Iterator[bytes]:
        """Yield the lines to send."""
        for number, line in _numbered(self._file):
            self._read += 1
            try:
                event = self._event(line)
            except LineRefused as error:
                self._refused[error.reason] += 1
                if self._shows or error.reason is not LineRefusal.NOT_SELECTED:
                    kind = "left out" if error.reason is LineRefusal.NOT_SELECTED else "cannot be read"
                    self._tell(number, f"{kind}: {error}")
                continue
            if self._shows and event is not None:
                self._tell(number, _in_words(event))
            yield line

    def _event(self, line: bytes) -> ExternalEvent | None:
        if self._mapping is not None:
            return read_line(line, self._mapping, self._now)
        check_length(line)
        return None

    def _tell(self, number: int, text: str) -> None:
        if self._shows:
            show_row(f"line {number:<7} ", text)
        else:
            click.echo(printable(f"line {number} {text}"), err=True)

    def summary(self, to: str | None) -> Iterator[str]:
        """Yield what became of the lines."""
        yield f"Read: {count(self._read, 'line')}" if self._shows else f"Sent: {count(self.sent, 'line')} to {to}"
        if left_out := self._refused[LineRefusal.NOT_SELECTED]:
            yield f"  Left out by the mapping: {left_out:,}"
        if self.unreadable:
            reasons = sorted((str(reason), number) for reason, number in self._refused.items())
            told = ", ".join(f"{reason} {number:,}" for reason, number in reasons if reason != LineRefusal.NOT_SELECTED)
            yield f"  Cannot be read: {self.unreadable:,} ({told})"

    def sent_before(self) -> str:
        """Return what was sent before an error, and what to do."""
        if not self.sent:
            return "No line was sent before."
        return f"{count(self.sent, 'line')} were sent before. The same command sends them again, and records nothing twice."


def _numbered(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that hold something, without their ends, and at most a little more of one than is read."""
    number = 0
    while line := file.readline(LONGEST_LINE + 2):
        number += 1
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(LONGEST_LINE)):
            pass  # the rest of a line that is too long
        if line := line.strip():
            yield number, line


def _in_words(event: ExternalEvent) -> str:
    """Return how an event was read."""
    who = event.person or "somebody"
    if event.user != event.person:
        who = f"{who} ({event.user})"
    on = f" on {event.object}" if event.object is not None else ""
    ended = f", {event.outcome}" if event.outcome is not None else ""
    ids = (
        ("grant", event.grant),
        ("ticket", event.ticket),
        ("correlation", event.correlation),
        ("from", event.address),
    )
    told = ", ".join(f"{name} {value}" for name, value in ids if value is not None)
    return f"{in_utc(event.at)}  {who}: {event.action or 'something'}{on}{ended}{f' [{told}]' if told else ''}"
