"""Sends lines of other systems to a monitor, which alone writes to its log."""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp

from curfew.settings.files import read_given

DEADLINE: Final = 40.0
"""Seconds for one batch: more than a monitor gives itself."""

PATIENCE: Final = 300.0
"""Seconds for which one batch is sent again and again."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two attempts, if the monitor does not say how long."""

_AGAIN: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}
)
_MOST_TOKEN: Final = 64 * 1024
_TOKEN: Final = re.compile(r"[!-~]+")
_SECONDS: Final = re.compile(r"\d{1,4}", re.ASCII)
_ANSWER_BYTES: Final = 2048  # how much of an answer is read


class LinesNotSent(Exception):
    """The monitor cannot be reached, or could not take the lines for a long time. `str(error)` is a sentence."""


class LinesNotWanted(Exception):
    """The monitor refuses the lines, and would refuse them again. `str(error)` is one or more sentences for people."""


class LineSender:
    """Sends batches to one address, in order, for as long as its context lasts."""

    def __init__(
        self,
        address: str,
        token_file: Path,
        ca: Path | None = None,
        *,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`address` begins with https://. `ca` is a file with the authorities to trust, in PEM; else the system's.

        Raise `LinesNotWanted` if that file cannot be used.
        """
        self._address = address
        self._token_file = token_file
        self._pause = pause
        try:
            self._tls = ssl.create_default_context(cafile=ca)
        except OSError as error:  # which SSLError is
            raise LinesNotWanted(f"{ca} holds no certificates in PEM: {error}.") from error

    async def __aenter__(self) -> Self:
        """Prepare; nothing is sent yet."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=DEADLINE),
            connector=aiohttp.TCPConnector(ssl=self._tls),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self._session.close()

    async def send(self, body: bytes) -> None:
        """Return when the monitor has taken the lines. Raise `LinesNotSent` or `LinesNotWanted`.

        After an error the lines may have been taken. To send them again is harmless.
        """
        waited, pause = 0.0, FIRST_PAUSE
        while True:
            try:
                wanted = await self._try(body)
                if wanted is None:
                    return
                problem, seconds = wanted
            except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
                raise LinesNotSent(
                    f"The monitor's certificate is not trusted: {error}. Give its authority with --ca."
                ) from error
            except (aiohttp.ClientError, OSError) as error:  # a deadline is an OSError
                problem, seconds = f"It cannot be reached: {error or type(error).__name__}", None
            seconds = pause if seconds is None else seconds
            if waited + seconds > PATIENCE:
                raise LinesNotSent(f"The monitor has not taken the lines for {waited:.0f} s. {problem.rstrip('.')}.")
            await self._pause(seconds)
            waited, pause = waited + seconds, min(2 * pause, LONGEST_PAUSE)

    async def _try(self, body: bytes) -> tuple[str, float | None] | None:
        """Send a batch once. Return None if it was taken, else the problem, and the seconds to wait if they are known."""
        headers = {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/x-ndjson"}
        # No redirects: the token is for this address only.
        async with self._session.post(self._address, data=body, headers=headers, allow_redirects=False) as response:
            if response.status == HTTPStatus.OK:
                return None
            told = (await response.content.read(_ANSWER_BYTES)).decode(errors="replace").strip()
            problem = f"It answered {response.status}: {told or response.reason}"
            if response.status not in _AGAIN:
                raise LinesNotWanted(f"The monitor refused the lines. {problem.rstrip('.')}.")
            after = response.headers.get("Retry-After", "")
            return problem, max(1.0, min(float(after), LONGEST_PAUSE)) if _SECONDS.fullmatch(after) else None

    def _token(self) -> str:
        """Read the token; it may change. It is the first line of its file that holds something."""
        try:
            lines = read_given(self._token_file, _MOST_TOKEN).decode().split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise LinesNotWanted(f"{self._token_file} cannot be read: {error}.") from error
        token = next((line.strip() for line in lines if line.strip()), "")
        if not _TOKEN.fullmatch(token):  # it is not quoted: it may be a secret
            raise LinesNotWanted(f"{self._token_file} holds no token: a line of visible ASCII characters.")
        return token
