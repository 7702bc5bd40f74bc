"""What is in the outbox of a request and not in the log."""

from collections.abc import Callable
from dataclasses import replace

from curfew.api.access_request import AccessRequest
from curfew.audit.record import Record
from curfew.core.seals import Outbox, Seals
from curfew.processes.operator.memory import Memories


def open_outbox(
    request: AccessRequest, memories: Memories, seals: Seals | None, is_told: Callable[[Record], bool]
) -> Outbox | None:
    """Return the records in a status that the log lacks, and what is strange there; None while the seals are not known.

    `is_told` returns whether the log holds a record. If nothing waits, that is remembered for this version of the status.
    Somebody can put back an old record with its seal when the log has already forgotten its receipt (promise P7).
    """
    if seals is None:
        return None
    meta = request.metadata
    if not request.status.outbox or memories.of(meta.uid).settled_version == meta.resource_version:
        return Outbox()
    found = seals.open(meta.uid, request.status.outbox)
    waiting = tuple(one for one in found.records if not is_told(one))
    if not waiting and found.strange is None and not found.is_older:
        memories.settled(meta.uid, meta.resource_version)
    return replace(found, records=waiting)
