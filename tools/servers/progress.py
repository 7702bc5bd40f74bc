"""Tell people who wait what goes on: a line that moves on a terminal, a plain line now and then elsewhere."""

import shutil
import sys
import time
from types import TracebackType
from typing import Self, TextIO

PLAIN_LINE_SECONDS = 15.0
SPINNER = "|/-\\"


class Progress:
    """Something that takes a while. Call `tick` often."""

    def __init__(self, what: str, stream: TextIO = sys.stdout) -> None:
        """Say nothing yet."""
        self._what = what
        self._stream = stream
        self._moves = stream.isatty()
        self._started = time.monotonic()
        self._said = self._started
        self._ticks = 0

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Clear the moving line; say that it is done, unless it is not."""
        if self._moves:
            self._stream.write("\r\x1b[K")
        if kind is None:
            self.say(f"{self._what}: done in {minutes(self.elapsed)}")

    @property
    def elapsed(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self._started

    def tick(self, detail: str) -> None:
        """Show that it goes on."""
        self._ticks += 1
        if self._moves:
            mark = SPINNER[self._ticks % len(SPINNER)]
            width = shutil.get_terminal_size().columns - 1
            line = f"{mark} {self._what}  {minutes(self.elapsed)}  {detail}"
            self._stream.write(f"\r\x1b[K{line[:width]}")
            self._stream.flush()
        elif time.monotonic() - self._said >= PLAIN_LINE_SECONDS:
            self._said = time.monotonic()
            self.say(f"{self._what}: {minutes(self.elapsed)}, {detail}")

    def say(self, line: str) -> None:
        """Write a whole line."""
        self._stream.write(f"{line}\n")
        self._stream.flush()


def minutes(seconds: float) -> str:
    """Return a duration as people say it: 9 s, 2 min 5 s."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"
