"""How much may wait in a status: its records are bounded in bytes, so that the API server takes it (promises P3 and P7).

The log takes them away. While it cannot, what does not fit waits: decisions to be told, and then the end of a story. Access
ends all the same.
"""

import json
from collections.abc import Iterable, Sequence

from curfew.audit.record import Record

OUTBOX_BYTES = 480 * 1024
"""Bytes of an outbox as etcd holds it. A test adds up what else an object can hold, beside the 1.5 MiB that etcd takes."""

OUTBOX_FOR_DECISIONS = OUTBOX_BYTES // 2
"""Bytes of it that decisions may fill, each told by itself: the rest is for the story."""

WITH_A_CHANGE = 24 * 1024
"""Bytes of decisions that a change of phase may bring with it. More are told before it."""

_ESCAPED = "<>&"
"""Characters that the API server writes as six, such as a backslash, u003c."""


def stored_bytes(records: Iterable[Record]) -> int:
    """Return how many bytes records are in a status, as etcd holds it."""
    return sum(_entry_bytes(record.line().decode()) for record in records)


def _entry_bytes(line: str) -> int:
    quoted = len(json.dumps(line, ensure_ascii=False).encode())
    return quoted + 5 * sum(line.count(character) for character in _ESCAPED) + _SEAL


_SEAL = len('{"record":,"seal":""},') + 64


def to_tell_first(told: Sequence[Record], waiting: Sequence[Record]) -> int:
    """Return how many of the records of new decisions are to be written before anything else is done with the request.

    The last is never among them: with it comes what the decisions change.
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
    """Whether the records of new decisions may be written, with what they change; an end may take all the room."""
    return not waiting or stored_bytes((*waiting, *told)) <= (OUTBOX_BYTES if is_end else OUTBOX_FOR_DECISIONS)
