"""One call to the API server: how it is sent, when it is given up, and which error its failure becomes."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import orjson

from curfew.adapters.kube.failures import FAILURES, ErrorResponse, cluster_error
from curfew.api import names
from curfew.ports import ClusterError, Json, TooLarge

T = TypeVar("T")

CallObserver = Callable[[str, str, float], None]
"""Called for each call, with the method's name, "Ok" or the kind of failure, and the seconds it took."""

CORE = "/api/v1"
OURS = f"/apis/{names.GROUP}/{names.VERSION}"
BATCH = "/apis/batch/v1"
LEASES = "/apis/coordination.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
EVENTS = "/apis/events.k8s.io/v1"

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"

ANSWER_BYTES = 2**26
"""Most bytes of an answer that are read, unless a call sets another limit: more than any page of a list has."""

_CONNECT_DEADLINE = 2.0  # seconds to connect to the API server; part of a call's deadline


def nobody(_call: str, _outcome: str, _seconds: float) -> None:
    """Observe nothing."""


def path_to(group: str, namespace: str, plural: str, *rest: str) -> str:
    """Return the path of a resource. If the namespace is empty, the kind is cluster-scoped."""
    scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return "/".join((f"{group}{scope}/{plural}", *(quote(part, safe="") for part in rest)))


async def ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    body: Json | Sequence[Json] | None,
    content_type: str,
    deadline: float,
    most: int = ANSWER_BYTES,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the JSON object in the API server's answer, or raise one of `FAILURES`.

    The deadline is in seconds; `most` is the most bytes of an answer that are read. A JSON patch is a list.
    """
    async with session.request(
        method,
        url,
        headers={"Accept": JSON, "Content-Type": content_type, **headers},
        data=None if body is None else encoded(body),
        timeout=aiohttp.ClientTimeout(total=deadline, sock_connect=_CONNECT_DEADLINE),
    ) as response:
        raw = await read_answer(response, most)
    if response.status >= 300:
        raise ErrorResponse(response.status, raw)
    answer = orjson.loads(raw)
    if not isinstance(answer, dict):
        raise ValueError(f"it is a JSON {type(answer).__name__}, not an object")  # noqa: TRY004  FAILURES knows this one
    return answer


async def ask_for_lines(session: aiohttp.ClientSession, url: str, deadline: float, most: int) -> AsyncGenerator[bytes]:
    """Yield the lines of the API server's answer in plain text, or raise one of `FAILURES`.

    The deadline is in seconds; `most` is the most bytes that are read.
    """
    async with session.get(
        url,
        headers={"Accept": "text/plain"},
        timeout=aiohttp.ClientTimeout(total=deadline, sock_connect=_CONNECT_DEADLINE),
    ) as response:
        if response.status >= 300:
            raise ErrorResponse(response.status, await read_answer(response, ANSWER_BYTES))
        read = 0
        async for line in response.content:
            read += len(line)
            if read > most:
                response.close()
                raise TooLarge(f"the answer is larger than {most // 1024} KiB")
            yield line


def encoded(body: Json | Sequence[Json]) -> bytes:
    r"""Return a body in UTF-8: with `\ud83d\ude00` for one character, a long status would become too long."""
    with suppress(orjson.JSONEncodeError):
        return orjson.dumps(body)
    # Half of a surrogate pair is not in UTF-8, and orjson refuses it.
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


async def read_answer(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return the whole answer; if it has more than `most` bytes, raise `TooLarge` and leave the rest unread."""
    read = bytearray()
    async for part in response.content.iter_any():
        read += part
        if len(read) > most:
            response.close()
            raise TooLarge(f"the answer is larger than {most // 1024} KiB")
    return bytes(read)


async def observed(observe: CallObserver, call: str, what: str, answering: Awaitable[T]) -> T:
    """Wait for an answer, call the observer, and return the answer or raise the `ClusterError` for its failure."""
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


def items_of(page: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the objects in a page of a list, without what nothing here reads: somebody may have made it large."""
    # The items of built-in kinds do not have their kind in them; their list does.
    about = {"apiVersion": page.get("apiVersion", ""), "kind": str(page.get("kind", "")).removesuffix("List")}
    for item in page.get("items") or ():
        meta = item["metadata"]
        if about["kind"] != "AccessPolicy":  # only of a policy it matters who wrote which field
            meta.pop("managedFields", None)  # half of an object, and a list has a thousand at once
        if annotations := meta.get("annotations"):
            meta["annotations"] = {key: one for key, one in annotations.items() if key.startswith(f"{names.GROUP}/")}
        yield about | item
