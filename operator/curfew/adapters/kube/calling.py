"""One call to the API server: how it is sent, when it is given up, and what its failure means."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import aiohttp

from curfew.adapters.kube.failures import FAILURES, ErrorResponse, cluster_error
from curfew.api import names
from curfew.ports import ClusterError, Json, TooLarge

CallObserver = Callable[[str, str, float], None]
"""Told of each call: the method's name, "Ok" or the kind of failure, and the seconds it took."""

CORE = "/api/v1"
OURS = f"/apis/{names.GROUP}/{names.VERSION}"
BATCH = "/apis/batch/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
EVENTS = "/apis/events.k8s.io/v1"

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

ANSWER_BYTES = 2**26
"""How many bytes of an answer are read unless a call says otherwise: more than any page of a list has."""

_CONNECT_DEADLINE = 2.0  # seconds to reach the API server, out of a call's deadline


def nobody(_call: str, _outcome: str, _seconds: float) -> None:
    """Tell nobody."""


def path_to(group: str, namespace: str, plural: str, *rest: str) -> str:
    """Return a resource's path. An empty namespace: the kind is cluster-scoped."""
    scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return "/".join((f"{group}{scope}/{plural}", *(quote(part, safe="") for part in rest)))


async def ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    body: Json | None,
    content_type: str,
    deadline: float,
    most: int = ANSWER_BYTES,
) -> dict[str, Any]:
    """Return the JSON object that the API server answers with, or raise one of `FAILURES`.

    The deadline is in seconds; `most` is how many bytes of an answer are read.
    """
    async with session.request(
        method,
        url,
        headers={"Accept": JSON, "Content-Type": content_type},
        data=None if body is None else encoded(body),
        timeout=aiohttp.ClientTimeout(total=deadline, sock_connect=_CONNECT_DEADLINE),
    ) as response:
        raw = await _read(response, most)
    if response.status >= 300:
        raise ErrorResponse(response.status, raw)
    answer = json.loads(raw)
    if not isinstance(answer, dict):
        raise ValueError(f"it is a JSON {type(answer).__name__}, not an object")  # noqa: TRY004  FAILURES knows this one
    return answer


def encoded(body: Json) -> bytes:
    r"""Return a body as it is sent: in UTF-8, as `\ud83d\ude00` for one character would make a long status too long."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return the whole answer; raise `TooLarge` and leave the rest of it unread if it has more than `most` bytes."""
    read = bytearray()
    async for part in response.content.iter_any():
        read += part
        if len(read) > most:
            response.close()
            raise TooLarge(f"the answer is larger than {most // 1024} KiB")
    return bytes(read)


async def observed(observe: CallObserver, call: str, what: str, answering: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """Wait for an answer, tell the observer, and return it or raise the `ClusterError` that its failure stands for."""
    loop = asyncio.get_running_loop()
    started, outcome = loop.time(), "Cancelled"
    try:
        answer = await answering
        outcome = "Ok"
    except FAILURES as cause:
        error = cluster_error(what, cause)
        outcome = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == ClusterError.__module__)
        raise error from cause
    finally:
        observe(call, outcome, loop.time() - started)
    return answer
