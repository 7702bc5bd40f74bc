"""Somebody who has stolen the operator's own token, and writes statuses as it could."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from tests.integration.installed import Installed
from tests.integration.operator.people import Answer, Person
from tests.integration.operator.place import Asked

MERGE: Final = "application/merge-patch+json"


@asynccontextmanager
async def a_thief(cluster: Installed) -> AsyncIterator[Person]:
    """Return whoever has stolen the operator's own token."""
    async with bearing(cluster, await asyncio.to_thread(cluster.operator_token)) as thief:
        yield thief


@asynccontextmanager
async def bearing(cluster: Installed, token: str) -> AsyncIterator[Person]:
    """Return whoever has a token."""
    at = cluster.environment.cluster
    tls = ssl.create_default_context(cafile=str(at.ca))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls), trust_env=False) as session:
        yield Person("bearer", at.server, session, {"Authorization": f"Bearer {token}"})


async def patch_status(thief: Person, path: str, **status: object) -> Answer:
    """Write fields of the status of an object, and return what the API server says to that."""
    return await thief._ask("PATCH", f"{path}/status", {"status": status}, MERGE)


async def write_status(thief: Person, asked: Asked, **status: object) -> None:
    """Write the status of a request, as the operator could."""
    (await patch_status(thief, asked.path, **status)).done()
