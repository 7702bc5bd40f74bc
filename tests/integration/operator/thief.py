"""Somebody who has stolen the operator's own token, and writes statuses as it could."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
import yaml

from tests.integration.installed import Installed
from tests.integration.operator.people import Answer, Person
from tests.integration.operator.place import Asked

MERGE: Final = "application/merge-patch+json"


@asynccontextmanager
async def a_thief(cluster: Installed, folder: Path) -> AsyncIterator[Person]:
    """Return whoever has stolen the operator's own token."""
    known = yaml.safe_load(cluster.operator_kubeconfig(folder / "stolen").read_text())
    server, token = known["clusters"][0]["cluster"]["server"], known["users"][0]["user"]["token"]
    tls = ssl.create_default_context(cafile=str(cluster.environment.cluster.ca))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls), trust_env=False) as session:
        yield Person("thief", server, session, {"Authorization": f"Bearer {token}"})


async def patch_status(thief: Person, path: str, **status: object) -> Answer:
    """Write fields of the status of an object, and return what the API server says to that."""
    return await thief._ask("PATCH", f"{path}/status", {"status": status}, MERGE)


async def write_status(thief: Person, asked: Asked, **status: object) -> None:
    """Write the status of a request, as the operator could."""
    (await patch_status(thief, asked.path, **status)).done()
