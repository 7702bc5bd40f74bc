"""HTTP/1.1 messages on a stream, passed on byte by byte as they are: what is signed stays signed."""

from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

MOST_HEAD: Final = 64 * 1024
PIECE: Final = 64 * 1024

END: Final = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class MessageHead:
    """The first line and the fields of a message."""

    raw: bytes

    @property
    def first(self) -> list[str]:
        """Return the parts of the first line."""
        return self.raw.partition(b"\r\n")[0].decode("latin-1").split(" ", 2)

    def field(self, name: str) -> str:
        """Return a field's value, or an empty text."""
        for line in self.raw.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.strip().lower() == name:
                return value.strip()
        return ""

    @property
    def is_chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return "chunked" in self.field("transfer-encoding").lower()

    @property
    def length(self) -> int | None:
        """Return how long the body is; None if that is not said."""
        told = self.field("content-length")
        return int(told) if told.isdigit() else None


async def read_head(stream: StreamReader) -> MessageHead:
    """Return the head of the next message. Raise `EOFError` (`IncompleteReadError`) if there is none."""
    return MessageHead(await stream.readuntil(END))


async def body(stream: StreamReader, head: MessageHead, *, until_end: bool = False) -> AsyncIterator[bytes]:
    """Yield the bytes of a body as they come, with the sizes of its chunks. `until_end`: one without length ends there.

    Raise `EOFError` if the sender dies between two chunks, or within one.
    """
    if head.is_chunked:
        while True:
            size = await stream.readline()
            if not size:
                raise EOFError(
                    "the sender died"
                )  # an end made up here would be no chunk, and aiohttp would wait for more
            yield size
            left = int(size.split(b";")[0] or b"0", 16)
            if left == 0:
                while (line := await stream.readline()) not in (b"\r\n", b""):
                    yield line
                yield line
                return
            yield await stream.readexactly(left + 2)
    elif head.length is not None:
        left = head.length
        while left and (piece := await stream.read(min(left, PIECE))):
            left -= len(piece)
            yield piece
    elif until_end:
        while piece := await stream.read(PIECE):
            yield piece


def has_body(method: str, status: int) -> bool:
    """Whether an answer has a body."""
    return method != "HEAD" and status not in (204, 304) and status >= 200


async def close(writer: StreamWriter) -> None:
    """Hang up at once: what is lost is part of the play."""
    writer.transport.abort()
