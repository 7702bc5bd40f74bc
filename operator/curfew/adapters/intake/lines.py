"""Lines, as a file or a stream of bytes has them: where they end, how many go into one batch, and how long one may be."""

from collections.abc import Iterator
from typing import Final

from curfew.adapters.intake.shortening import StringShortener

BATCH_BYTES: Final = 1024 * 1024
BATCH_LINES: Final = 1000
"""The most that is handed over at a time; one line may be longer than that, up to `MOST_LINE`."""

MOST_LINE: Final = 8 * 1024 * 1024
"""Most bytes of a line, with its long strings cut if it is longer than a batch. A line that is longer is skipped."""

MOST_SENT: Final = 64 * 1024 * 1024
"""Most bytes of a line as it is written. At level Metadata, the API server writes none that is half as long."""


def whole_lines(data: bytes) -> int:
    """Return how many bytes at the beginning of `data` are whole lines, at most `BATCH_LINES`."""
    if data.count(b"\n") <= BATCH_LINES:
        return data.rfind(b"\n") + 1
    end = 0
    for _ in range(BATCH_LINES):
        end = data.index(b"\n", end) + 1
    return end


class LongLine:
    """One line that is longer than a batch, with its long strings cut."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self._shortener = StringShortener()
        self._kept = bytearray()
        self._seen = 0
        self.is_whole = False
        self.is_too_long = False

    @property
    def body(self) -> bytes:
        """What is kept of it."""
        return bytes(self._kept)

    def add(self, data: bytes) -> None:
        """Take the next bytes; none come after a newline."""
        self._seen += len(data)
        self.is_whole = data.endswith(b"\n")
        self._keep(self._shortener.feed(data) if not self.is_too_long else b"")

    def end(self) -> None:
        """Take it as it is: nothing comes any more."""
        self._keep(self._shortener.end() if not self.is_too_long else b"")

    def _keep(self, data: bytes) -> None:
        self._kept += data
        self.is_too_long |= len(self._kept) - self.is_whole > MOST_LINE or self._seen > MOST_SENT
        if self.is_too_long:
            self._kept.clear()


class LineCutter:
    """Makes batches of whole lines from a stream."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self.too_long = 0
        """How many lines were skipped."""
        self._rest = bytearray()
        self._long: LongLine | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the batches that are complete with these bytes. Consume it all before the next call."""
        if self._long is not None:
            end = data.find(b"\n") + 1 or len(data)
            self._long.add(data[:end])
            data = data[end:]
            if self._long.is_whole:
                yield from self._end_long(self._long)
        self._rest += data
        complete = self._rest.rfind(b"\n") + 1
        yield from self._batches(bytes(self._rest[:complete]))
        del self._rest[:complete]
        if len(self._rest) > BATCH_BYTES:
            self._long = LongLine()
            self._long.add(bytes(self._rest))
            self._rest.clear()

    def end(self) -> Iterator[bytes]:
        """Yield the last line if it has no newline: nothing comes any more."""
        if self._long is not None:
            self._long.end()
            yield from self._end_long(self._long)
        if self._rest:
            yield bytes(self._rest)
            self._rest.clear()

    def _batches(self, lines: bytes) -> Iterator[bytes]:
        begin = 0
        while begin < len(lines):
            size = whole_lines(lines[begin : begin + BATCH_BYTES])
            if size:
                yield lines[begin : begin + size]
            else:
                size = lines.index(b"\n", begin) + 1 - begin
                line = LongLine()
                line.add(lines[begin : begin + size])
                yield from self._end_long(line)
            begin += size

    def _end_long(self, line: LongLine) -> Iterator[bytes]:
        self._long = None
        if line.is_too_long:
            self.too_long += 1
        else:
            yield line.body
