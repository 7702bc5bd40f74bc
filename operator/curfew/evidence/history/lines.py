"""The lines of an audit log, bounded in bytes: a line that is too long is left out, and its place is kept."""

from collections.abc import Iterator
from typing import Final, Protocol

LONGEST: Final = 32 * 2**20
"""Most bytes of a line. A caller has a megabyte, which is in an event up to four times, six bytes for each."""

_PIECE: Final = 2**16


class ReadsLines(Protocol):
    """The part of a file that is needed."""

    def readline(self, size: int, /) -> bytes:
        """Return the next line, or its first `size` bytes; empty at the end."""


def bounded_lines(file: ReadsLines, longest: int = LONGEST) -> Iterator[tuple[int, bytes | None]]:
    """Yield the number of each line that holds something, from 1, and the line without its end; None if it is too long."""
    number = 0
    while line := file.readline(longest + 2):  # with \r\n
        number += 1
        is_too_long = False
        if not line.endswith(b"\n"):
            while (rest := file.readline(_PIECE)) and not rest.endswith(b"\n"):
                is_too_long = True
            is_too_long |= bool(rest) or len(line) > longest
        if line := line.strip():
            yield number, None if is_too_long or len(line) > longest else line


class ReadingCounts:
    """How many lines were read, and which could not be."""

    MOST_NAMED: Final = 5
    """So many unreadable lines are named; the others are counted."""

    def __init__(self) -> None:
        """Begin with none."""
        self.lines = 0
        self.facts = 0
        self.unreadable = 0
        self.places: list[str] = []

    def refuse(self, source: str, number: int, why: str) -> None:
        """Count a line that cannot be read."""
        self.unreadable += 1
        if len(self.places) < self.MOST_NAMED:
            self.places.append(f"{source}, line {number:,}: {why}")
