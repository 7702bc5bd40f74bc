"""A writer as a process of its own: `python -m tests.support.appending URL WRITER FIRST LAST`.

When it has read the log back it says `ready`, and begins when it is told to by a line. It hands over the records of these
numbers one by one, says the number of each that becomes durable, and ends.
"""

import asyncio
import sys
from collections.abc import Sequence
from functools import partial

from curfew.adapters.clock import SystemClock
from curfew.adapters.objectstore import open_store
from curfew.audit.record import Record
from curfew.processes.operator.recall import Trail
from tests.support.trail import Observer, a_trail, records, running, until


def say(word: str) -> None:
    """Tell whoever started us."""
    print(word, flush=True)  # noqa: T201  a pipe is how we are heard


class Printer(Observer):
    """Says what becomes durable, at once."""

    def durable(self, records: Sequence[Record]) -> None:
        """Print the numbers of the records of requests."""
        super().durable(records)
        for record in records:
            if not record.event.startswith("audit."):
                say(record.message.rsplit(" ", 1)[1])


def is_durable(trail: Trail, record: Record) -> bool:
    """Whether there is a receipt for a record."""
    return trail.receipt(record.id) is not None


async def append(url: str, writer: str, first: int, last: int) -> None:
    """Append these records and return when all of them are durable."""
    observer = Printer()
    trail = a_trail(open_store(url), observer, writer=writer, clock=SystemClock(), worm_required=False)
    told = records(first, last)
    async with running(trail):
        await until(observer, lambda: trail.health.ok, within=60)
        say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        for number, record in enumerate(told):
            trail.submit([record])
            if number % 3 == 0:  # some are alone in their segment, others are not
                await until(observer, partial(is_durable, trail, record), within=60)
        await until(observer, lambda: all(is_durable(trail, record) for record in told), within=60)


if __name__ == "__main__":
    _, url_, writer_, first_, last_ = sys.argv
    asyncio.run(append(url_, writer_, int(first_), int(last_)))
