"""How much may wait in a status: its records are bounded in bytes, so that the API server takes it (promises P3 and P7).

The log takes the records away. While it cannot, what does not fit waits: first the records of decisions, then the end of
a story. Access ends anyway.
"""

import json
from collections.abc import Iterable, Sequence

from curfew.audit.record import Record

OUTBOX_BYTES = 416 * 1024
"""Bytes of an outbox as etcd stores it. A test adds up the rest of an object and compares with etcd's limit of 1.5 MiB."""

OUTBOX_FOR_DECISIONS = OUTBOX_BYTES // 2
"""Bytes of the outbox that decisions, each in a record of its own, may fill. The rest is for the story."""

WITH_A_CHANGE = 24 * 1024
"""Bytes of decisions that may be written together with a change of phase. If there are more, they are written before."""

_ESCAPED = "<>&"
"""Characters that the API server writes as six characters: for example a backslash and then u003c."""


def stored_bytes(records: Iterable[Record]) -> int:
    """Return how many bytes the records take in a status, as etcd stores it."""
    return sum(_entry_bytes(record.line().decode()) for record in records)


def _entry_bytes(line: str) -> int:
    quoted = len(json.dumps(line, ensure_ascii=False).encode())
    return quoted + 5 * sum(line.count(character) for character in _ESCAPED) + _SEAL


_SEAL = len('{"record":,"seal":""},') + 64


def to_tell_first(told: Sequence[Record], waiting: Sequence[Record]) -> int:
    """Return how many of the records of new decisions must be written before anything else is done with the request.

    The last one is never included: it is written together with what the decisions change.
    """
    sizes = [stored_bytes((record,)) for record in told]
    if sum(sizes) <= WITH_A_CHANGE:
        return 0
    left, first = OUTBOX_FOR_DECISIONS - stored_bytes(waiting), 0
    for size in sizes[:-1]:
        if size > left and (waiting or first):
            break
        left, first = left - size, first + 1
    return first


def has_room(told: Sequence[Record], waiting: Sequence[Record], *, is_end: bool) -> bool:
    """Whether the records of new decisions may be written together with what they change. An end may take all the room."""
    return not waiting or stored_bytes((*waiting, *told)) <= (OUTBOX_BYTES if is_end else OUTBOX_FOR_DECISIONS)
