"""Reads a log back as a start of the operator does, in a process of its own, so that its memory can be measured.

python -m tests.support.starting LOCATION VERIFIER-KEY
"""

import asyncio
import sys
from datetime import timedelta

from curfew.adapters.objectstore import open_store
from curfew.audit.checkpoint import Verifier
from curfew.storage.time_limits import PunctualStore
from curfew.trail.recovery import recover
from tests.support.logs import BEGIN


async def main(location: str, key: str) -> None:
    """Print the number of the last segment."""
    store = PunctualStore(open_store(location), timedelta(seconds=12))
    recovered = await recover(store, "main", [Verifier.parse(key)], timedelta(hours=25), BEGIN + timedelta(hours=1))
    print(f"segment {recovered.head.seq}")  # noqa: T201  it is a command


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
