"""Logs that were written at given hours, to be read back."""

import functools
from collections.abc import Sequence
from datetime import timedelta

from curfew.audit.checkpoint import Verifier
from curfew.audit.record import Record
from curfew.audit.segment import Head, seal
from curfew.ports import ObjectStore
from curfew.processes.operator.recall import Recall
from curfew.trail.recovery import Recovered, recover
from tests.support.stores import MemoryStore
from tests.support.trail import (
    LOG,
    SIGNER,
    START,
    a_record,
)

HOUR = timedelta(hours=1)
WINDOW = 25 * HOUR
RECALL = functools.partial(Recall, LOG, "curfew-1")


class History:
    """A log that was written at given hours from the start on."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.head = Head.genesis(LOG)
        self.names: list[str] = []

    def write(self, told: Sequence[Record], hours: float) -> str:
        name = self.head.next_name()
        lines = [record.line() for record in told]
        body, self.head = seal(self.head, lines, at=START + hours * HOUR, writer="curfew-0", signer=SIGNER)
        self.store.objects[name] = body
        self.names.append(name)
        return name

    async def recover(
        self, store: ObjectStore | None = None, verifier: Verifier = SIGNER.verifier
    ) -> Recovered[Recall]:
        return await recover(store or self.store, LOG, [verifier], WINDOW, self.head.at or START, RECALL)


@functools.cache
def six_days() -> History:
    """Return the same, made once."""
    made = History()
    for hour in range(6 * 24):
        made.write([a_record(hour)], hour)
        made.write([], hour + 0.5)
    return made
