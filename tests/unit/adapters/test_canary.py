"""What a store answers to an attempt to delete the canary, and what is made of it, for stores that know nothing of S3."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import cast
from urllib.parse import unquote

import pytest

from curfew.adapters.objectstore import open_store
from curfew.ports import Attestation, LockEvidence, StoreUnavailable

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FOUND = (
    "HTTP/1.1 200 OK\r\nLast-Modified: Tue, 24 Nov 2026 12:00:00 GMT\r\nETag: 1\r\nConnection: close\r\n"
    "Content-Length: 1\r\n\r\nx"
)
TAKEN = "HTTP/1.1 412 Precondition Failed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
CANNOT_BE_READ = "How the bucket trail locks its objects cannot be read; Curfew can read that only from S3 and Azure."


@asynccontextmanager
async def a_bucket(monkeypatch: pytest.MonkeyPatch, to_delete: str) -> AsyncIterator[list[str]]:
    """Serve a bucket in which each name is taken, and note what is asked of it."""
    asked: list[str] = []

    serving: list[asyncio.Task[None]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(cast("asyncio.Task[None]", asyncio.current_task()))
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path = head.split(maxsplit=2)[:2]
        length = re.search(r"content-length: (\d+)", head.lower())
        await reader.readexactly(int(length[1]) if length else 0)
        asked.append(f"{method} {unquote(path)}")
        writer.write({"GET": FOUND, "PUT": TAKEN, "DELETE": to_delete}[method].encode())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        monkeypatch.setenv("GOOGLE_BASE_URL", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "token")
        monkeypatch.setenv("GOOGLE_ALLOW_HTTP", "true")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield asked
    await asyncio.gather(*serving)


def answer(status: str) -> str:
    """Return an answer without more."""
    return f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


async def attest() -> Attestation:
    """Return what is proved."""
    return await open_store("gs://trail/curfew").attest("v1/log=main/sample", NOON)


async def test_only_the_canary_is_tried_to_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_bucket(monkeypatch, answer("403 Forbidden")) as asked:
        await attest()

    assert [one for one in asked if one.startswith("DELETE")] == ["DELETE /trail/curfew/canary/2026-11-24.txt"]


@pytest.mark.parametrize(
    ("to_delete", "findings"),
    [
        pytest.param(answer("403 Forbidden"), (CANNOT_BE_READ,), id="refused"),
        pytest.param(answer("404 Not Found"), (CANNOT_BE_READ,), id="not there to be tried"),
        pytest.param(
            answer("204 No Content"),
            (
                "An object in the bucket trail could be deleted: what is written there can be removed.",
                CANNOT_BE_READ,
            ),
            id="deleted",
        ),
    ],
)
async def test_a_refusal_proves_little_and_a_success_is_said(
    monkeypatch: pytest.MonkeyPatch, to_delete: str, findings: tuple[str, ...]
) -> None:
    async with a_bucket(monkeypatch, to_delete):
        attestation = await attest()

    assert (attestation.evidence, attestation.sufficient) == (LockEvidence.REFUSED, False)
    assert attestation.findings == findings


async def test_no_answer_is_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_bucket(monkeypatch, answer("503 Service Unavailable")):
        with pytest.raises(StoreUnavailable, match="503"):
            await attest()
