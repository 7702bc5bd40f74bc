"""Reads a log back as a start of the operator does, in a process of its own, so that its memory can be measured.

python -m tests.support.starting LOCATION VERIFIER-KEY
"""

import asyncio
import sys
from datetime import timedelta
from functools import partial

from curfew.adapters.objectstore import open_store
from curfew.audit.checkpoint import Verifier
from curfew.processes.operator.recall import Recall
from curfew.storage.time_limits import PunctualStore
from curfew.trail.recovery import recover
from tests.support.logs import BEGIN


async def main(location: str, key: str) -> None:
    """Print the number of the last segment."""
    store = PunctualStore(open_store(location), timedelta(seconds=12))
    now, remember = BEGIN + timedelta(hours=1), partial(Recall, "main", "curfew-1")
    recovered = await recover(store, "main", [Verifier.parse(key)], timedelta(hours=25), now, remember)
    print(f"segment {recovered.head.seq}")  # noqa: T201  it is a command


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
