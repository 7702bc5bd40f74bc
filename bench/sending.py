"""Sends audit events to a monitor, as kube-apiserver does: batches side by side, each again until it is taken.

`python -m bench.sending PORT CA TOKEN-FILE SECONDS` sends as fast as it goes.
"""

import asyncio
import ssl
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final

import aiohttp

from bench.feed import BATCH, AuditEvents
from tools.servers.audit import MONITOR_HOST
from tools.servers.ports import LOOPBACK

TRIES: Final = 50
"""How often a batch is tried that is to be taken; one in 3 s is longer than an API server has patience."""

FLOOD_BODIES: Final = 100
FLOOD_AT_ONCE: Final = 100
"""Batches under way in a flood: more than the monitor keeps waiting."""


@dataclass
class Sender:
    """Who sends, over connections of its own. It counts the answers, by status."""

    session: aiohttp.ClientSession
    url: str
    pause: float = 1.0  # seconds until the next try, as the last answer asked for
    answers: Counter[int] = field(default_factory=Counter)

    async def send(self, body: bytes) -> int:
        """Send a batch once, and return the answer; 0 if there was none."""
        try:
            async with self.session.post(self.url, data=body, server_hostname=MONITOR_HOST) as answer:
                await answer.read()
                status, self.pause = answer.status, float(answer.headers.get("Retry-After", 1))
        except (aiohttp.ClientError, TimeoutError):
            status, self.pause = 0, 1.0
        self.answers[status] += 1
        return status

    async def insist(self, body: bytes) -> bool:
        """Send a batch until it is taken, or too often; return whether it was."""
        for _ in range(TRIES):
            if await self.send(body) == HTTPStatus.OK:
                return True
            await asyncio.sleep(self.pause)
        return False

    async def flood(self, bodies: Sequence[bytes], seconds: float) -> None:
        """Send these again and again as fast as it goes, whatever the answers are."""
        until = asyncio.get_running_loop().time() + seconds

        async def one(number: int) -> None:
            while asyncio.get_running_loop().time() < until:
                await self.send(bodies[number % len(bodies)])
                number += 1

        await asyncio.gather(*map(one, range(FLOOD_AT_ONCE)))


def flood_of(events: AuditEvents) -> Sequence[bytes]:
    """Return batches for a flood."""
    return [events.body(BATCH, datetime.now(UTC))[0] for _ in range(FLOOD_BODIES)]


@asynccontextmanager
async def sending(port: int, ca: Path, token: str, source: str = "control-plane-1") -> AsyncIterator[Sender]:
    """Send as one API server."""
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(ca)), limit=0)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(
        connector=connector, headers=headers, timeout=aiohttp.ClientTimeout(30)
    ) as session:
        yield Sender(session, f"https://{LOOPBACK}:{port}/audit/{source}?timeout=30s")


async def _flood(port: int, ca: Path, token: str, seconds: float) -> Counter[int]:
    async with sending(port, ca, token) as sender:
        bodies = flood_of(AuditEvents((), 0))
        print("sending", flush=True)
        await sender.flood(bodies, seconds)
        return sender.answers


def main(port: str, ca: str, token: str, seconds: str) -> None:
    """Print that it begins, send nobody's calls as fast as it goes for so long, and print how often each answer came."""
    print(dict(asyncio.run(_flood(int(port), Path(ca), Path(token).read_text().strip(), float(seconds)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
