"""The answer to a sender whose batch is not taken.

kube-apiserver repeats a batch after every error, but only 429 and 5xx with a whole number of seconds in Retry-After are
repeated at once, ten times within the 30 seconds that it gives one attempt (client-go, rest/with_retry.go). So three
seconds make the best of each attempt.
"""

import math
from http import HTTPStatus
from typing import Final

from aiohttp import web

from curfew.ports import IntakeError, IntakeRefusal, Overloaded

RETRY_SECONDS: Final = 3
_MOST_RETRY_SECONDS: Final = 30

_STATUSES: Final = {
    IntakeRefusal.NOT_AUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    IntakeRefusal.NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    IntakeRefusal.MALFORMED: HTTPStatus.BAD_REQUEST,
    IntakeRefusal.TOO_SLOW: HTTPStatus.REQUEST_TIMEOUT,
    IntakeRefusal.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    IntakeRefusal.COMPRESSED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    IntakeRefusal.USELESS: HTTPStatus.BAD_REQUEST,
    IntakeRefusal.OVERLOADED: HTTPStatus.TOO_MANY_REQUESTS,
    IntakeRefusal.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    IntakeRefusal.DISCONNECTED: HTTPStatus.BAD_REQUEST,  # nobody will read it
}


class NotTaken(Exception):
    """A request whose batch is not taken. `str(error)` is a sentence for the sender."""

    def __init__(
        self,
        reason: IntakeRefusal,
        sentence: str,
        *,
        status: HTTPStatus | None = None,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """`status` is the reason's own if it is left out; `retry_seconds` is sent with 429 and 503."""
        super().__init__(sentence)
        self.reason = reason
        self._status = status or _STATUSES[reason]
        self._retry_seconds = min(max(1, math.ceil(retry_seconds)), _MOST_RETRY_SECONDS)

    @classmethod
    def by_sink(cls, error: IntakeError) -> "NotTaken":
        """Return the answer to a batch that the sink does not take."""
        seconds = error.retry_after if isinstance(error, Overloaded) else RETRY_SECONDS
        return cls(error.reason, str(error), retry_seconds=seconds)

    def answer(self) -> web.Response:
        """Return the response."""
        response = web.Response(status=self._status, text=f"{self}\n")
        if self._status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            response.headers["Retry-After"] = str(self._retry_seconds)
        if self._status is HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = "Bearer"
            response.force_close()
        return response
