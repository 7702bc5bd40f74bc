"""Reads the monitor's log in a store in memory, and fails for one that does not verify."""

from curfew.audit.places import in_order
from curfew.audit.record import Record
from curfew.audit.segment import Head, follow
from curfew.trail.recovery import records_of
from tests.support.logs import a_signer
from tests.support.monitoring import LOG
from tests.support.stores import MemoryStore


def records_in(store: MemoryStore) -> list[Record]:
    """Return all records, in order, each once."""
    head, found = Head.genesis(LOG), list[Record]()
    for name in in_order(LOG, store.objects):
        segment, head = follow(head, name, store.objects[name], a_signer(LOG).verifier)
        found += records_of(segment)
    assert len({record.id for record in found}) == len(found)
    return found
