"""The API server's refusals and missing answers, turned into the few kinds of failure that the rest of Curfew knows."""

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from curfew.core.masking import mask
from curfew.ports import AlreadyExists, ClusterError, Conflict, Forbidden, Invalid, NotFound, TooLarge, Unavailable


class NoCluster(ClusterError):
    """There is no API server to talk to: no setting names one, or the setting cannot be read."""


class Absent(NotFound):
    """The API server knows the kind, and has no object of this name. No other 404 proves that."""


class ErrorResponse(Exception):
    """An answer that is not a success: its HTTP status and, if it is a Kubernetes Status, its message and reason."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        said = _status(body)
        details = said.get("details")
        self.reason: str = said.get("reason") or ""  # such as AlreadyExists
        # An answer that is no Status comes from a proxy. It may hold anything, even the request, so it is not quoted.
        foreign = f"an answer that is not the API server's own ({len(body)} bytes)" if body.strip() and not said else ""
        self.message: str = said.get("message") or foreign
        self.details: Mapping[str, Any] = details if isinstance(details, Mapping) else {}
        super().__init__(f"HTTP {status}: {self.message}")


FAILURES = (aiohttp.ClientError, OSError, RuntimeError, TimeoutError, ValueError, ErrorResponse, TooLarge)
"""What a call to the API server may raise. RuntimeError: the session is closed; ValueError: the answer is not JSON."""

_BY_STATUS: Mapping[int, type[ClusterError]] = {
    403: Forbidden,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    410: Conflict,  # the version, or the page of the list, is no longer kept
    425: Unavailable,
    429: Unavailable,
}


def cluster_error(what: str, cause: Exception) -> ClusterError:
    """Return the error for `cause`; `what` is the operation that failed, for example "create RoleBinding payments/x".

    People read it in conditions, Events, logs and records, so text that looks like a secret is masked.
    """
    error = _meaning(what, cause)
    return type(error)(mask(str(error)))


def _meaning(what: str, cause: Exception) -> ClusterError:
    if isinstance(cause, ErrorResponse):
        return _refused(what, cause)
    if isinstance(cause, TooLarge):
        return TooLarge(f"cannot {what}: {cause}")
    if isinstance(cause, TimeoutError):
        return Unavailable(f"cannot {what}: the API server did not answer in time")
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        return Unavailable(f"cannot {what}: the API server's certificate is not one that our CA signed: {cause}")
    if isinstance(cause, ValueError):
        return Unavailable(f"cannot {what}: the API server's answer cannot be understood: {cause}")
    return Unavailable(f"cannot {what}: no answer from the API server: {cause or type(cause).__name__}")


def _refused(what: str, refusal: ErrorResponse) -> ClusterError:
    """Return the error for an answer."""
    status, message = refusal.status, refusal.message or f"HTTP {refusal.status}"
    if status == 401:
        return Unavailable(
            f"cannot {what}: the API server does not accept our credentials ({message}); "
            "is the token or certificate expired, or made for another cluster?"
        )
    if status == 404 and refusal.reason == "NotFound" and refusal.details.get("name"):
        return Absent(message)
    if status == 404:
        return NotFound(f"cannot {what}: the API server does not serve this kind ({message})")
    if status == 409 and refusal.reason == "AlreadyExists":
        return AlreadyExists(message)
    if status == 422 and any(cause.get("field") == "metadata.uid" for cause in refusal.details.get("causes") or ()):
        return Conflict(message)  # a patch that names a UID met another object of that name
    kind = _BY_STATUS.get(status, Invalid if 400 <= status < 500 else Unavailable)
    if kind is Unavailable:
        return Unavailable(f"cannot {what}: the API server answered {status}: {message}")
    return kind(message)


def _status(body: bytes) -> Mapping[str, Any]:
    """Return the Kubernetes Status in a body, or nothing."""
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, Mapping) and said.get("kind") == "Status" else {}
