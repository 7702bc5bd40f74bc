"""Bounds what a send may do over HTTP, and keeps what the receiver answered: Apprise itself only tells yes or no.

Each of Apprise's plugins calls `requests` by itself. So the transport of `requests` is wrapped, once in a process, and the
wrapper does something only in a thread that has an exchange.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 10.0
"""How long a receiver may be silent."""

MOST_ANSWER: Final = 64 * 1024
"""Most bytes of an answer."""

LONGEST_RETRY_AFTER: Final = 3600.0

_SUCCESS: Final = range(200, 300)
_threads: Final = threading.local()


class Exchange:
    """One send: what it may take, and what came of it."""

    def __init__(self, seconds: float, now: datetime) -> None:
        """It may take so many seconds from now on."""
        self._deadline = time.monotonic() + seconds
        self._now = now
        self.status: int | None = None
        """The last answer's status, if it was not a success; else the last status."""
        self.retry_after: float | None = None
        """After how many seconds the receiver wants to be asked again."""
        self.problem = ""
        """Why there was no answer, in a few words without an address."""

    @property
    def left(self) -> float:
        """How many seconds are left."""
        return self._deadline - time.monotonic()

    def answered(self, status: int, retry_after: str | None) -> None:
        """Note an answer."""
        if self.status is None or self.status in _SUCCESS:
            self.status = status
        if status not in _SUCCESS and retry_after:
            self.retry_after = _seconds(retry_after, self._now)

    def failed(self, error: Exception) -> None:
        """Note that there was no answer."""
        self.problem = type(error).__name__


@contextmanager
def exchanging(exchange: Exchange) -> Iterator[None]:
    """Have all that this thread sends over HTTP be part of an exchange."""
    _wrap_transport()
    _threads.exchange = exchange
    try:
        yield
    finally:
        del _threads.exchange


def _seconds(retry_after: str, now: datetime) -> float | None:
    """Return the value of a Retry-After header in seconds (RFC 9110, section 10.2.3), or None if it is neither of its forms."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
        return min(max(0.0, (at - now).total_seconds()), LONGEST_RETRY_AFTER)
    except (TypeError, ValueError, OverflowError):
        return None


@cache
def _wrap_transport() -> None:
    import requests
    from requests.adapters import HTTPAdapter

    plain = HTTPAdapter.send

    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        exchange: Exchange | None = getattr(_threads, "exchange", None)
        if exchange is None:
            return plain(self, request, *args, **kwargs)
        if exchange.left <= 0:
            raise requests.Timeout("the time for this message is over")
        kwargs |= {"stream": True, "timeout": (min(CONNECT_SECONDS, exchange.left), min(READ_SECONDS, exchange.left))}
        try:
            response = plain(self, request, **kwargs)
            _read(response, exchange)
        except requests.RequestException as error:
            exchange.failed(error)
            raise
        exchange.answered(response.status_code, response.headers.get("Retry-After"))
        return response

    def _read(response: Any, exchange: Exchange) -> None:
        body = bytearray()
        for chunk in response.iter_content(4096):
            body += chunk
            if len(body) > MOST_ANSWER or exchange.left <= 0:
                response.close()
                raise requests.ConnectionError("the answer is too long")
        response._content = bytes(body)  # noqa: SLF001  as requests itself does when it is not asked to stream

    HTTPAdapter.send = send
