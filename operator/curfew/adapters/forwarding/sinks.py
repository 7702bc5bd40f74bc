"""The destinations of forwarded records: an HTTP collector, or the standard output of this process."""

import asyncio
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp

from curfew.adapters.forwarding.formats import FORMATS, Forwarded, stdout_line
from curfew.settings.audit import ForwardSettings

DEADLINE = 10.0
"""Seconds for one batch."""

_ANSWER_BYTES = 64 * 1024  # how much of an answer is read
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")  # RFC 9110, section 5.1 and 5.5
# The fault is in what was sent, so the same would be refused again. Every other failure may pass, or be fixed.
_REFUSALS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})


class SinkUnavailable(Exception):
    """The records could not be sent; the same records may be sent again. `str(error)` is a sentence for people."""


class SinkRefused(Exception):
    """The records were refused for their content; they would be refused again. `str(error)` is the reason."""


class Sink(Protocol):
    """Takes records."""

    async def send(self, batch: Sequence[Forwarded]) -> int:
        """Send records, and return how many were not taken. Raise `SinkUnavailable` or `SinkRefused`.

        Even if it raises, the records may have arrived.
        """
        ...

    async def close(self) -> None:
        """Close all connections. A later `send` opens them again."""
        ...


def open_sink(settings: ForwardSettings) -> Sink:
    """Return the sink that the settings name."""
    if settings.url is None:
        return StandardOutput()
    return HttpCollector(settings.url, settings.format, settings.headers_file)


class HttpCollector:
    """A collector that takes batches by POST."""

    def __init__(self, url: str, format_: str, headers_file: Path | None = None) -> None:
        """`headers_file` holds a header a line. It is read for each batch, because credentials may change."""
        self._url = url
        self._format = FORMATS[format_]
        self._headers_file = headers_file
        self._name = urlsplit(url).netloc
        self._session: aiohttp.ClientSession | None = None

    async def send(self, batch: Sequence[Forwarded]) -> int:
        """POST a batch."""
        headers = {**self._headers(), "Content-Type": self._format.content_type}
        session = self._session = self._session or aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=DEADLINE), cookie_jar=aiohttp.DummyCookieJar()
        )
        try:
            # No redirects: the credentials are for this address only.
            async with session.post(
                self._url, data=io.BytesIO(self._format.render(batch)), headers=headers, allow_redirects=False
            ) as response:
                status = response.status
                answer = await response.content.read(_ANSWER_BYTES)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a deadline is an OSError
            raise SinkUnavailable(f"The collector {self._name} cannot be reached: {_said(error)}.") from error
        if status in _REFUSALS:
            raise SinkRefused(f"The collector {self._name} refused the records: {_status(status)}.")
        if not 200 <= status < 300:
            raise SinkUnavailable(f"The collector {self._name} answered {_status(status)}.")
        return self._format.rejected(answer)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _headers(self) -> dict[str, str]:
        if self._headers_file is None:
            return {}
        try:
            lines = self._headers_file.read_text().splitlines()
        except (OSError, ValueError) as error:
            raise SinkUnavailable(f"{self._headers_file} cannot be read: {_said(error)}.") from error
        headers = {}
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            found = _HEADER.fullmatch(line.rstrip())
            if found is None:
                # The line is not quoted: it may be a secret.
                raise SinkUnavailable(f"{self._headers_file}: line {number} is not a header; write NAME: VALUE.")
            headers[found[1]] = found[2]
        return headers


class StandardOutput:
    """Standard output, a line a record. It is written in a thread, because its reader may be slow."""

    def __init__(self, write: Callable[[bytes], object] | None = None) -> None:
        """`write` takes whole lines; tests pass their own."""
        self._write = write or _write
        self._thread: ThreadPoolExecutor | None = None

    async def send(self, batch: Sequence[Forwarded]) -> int:
        """Write a batch."""
        text = b"".join(stdout_line(one) for one in batch)
        thread = self._thread = self._thread or ThreadPoolExecutor(1, "forwarding")
        try:
            await asyncio.get_running_loop().run_in_executor(thread, self._write, text)
        except OSError as error:
            raise SinkUnavailable(f"Standard output cannot be written: {_said(error)}.") from error
        return 0

    async def close(self) -> None:
        """Stop waiting for a slow reader."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None


def _write(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"it has not answered within {DEADLINE:g} s"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name cannot be resolved"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return type(error).__name__


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
