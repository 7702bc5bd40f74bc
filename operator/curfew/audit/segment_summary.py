"""The summary of a segment: the part that is needed to verify the log, in a few bytes a record.

A segment's own checks need only the key, and are nearly all of the work. So they can be done anywhere and in any order;
only the summaries have to be processed in order.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from curfew.audit.beginning import EVENT as BEGINS
from curfew.audit.beginning import Beginning, stated_in
from curfew.audit.checkpoint import Verifier
from curfew.audit.record import RecordRefused, identity
from curfew.audit.rotation import EVENT, successor
from curfew.audit.segment import ChainBroken, Link, Segment, open_segment

ID_BYTES = 16
"""How much of a record's id is kept: enough that two ids never have the same part."""


@dataclass(frozen=True, slots=True)
class SegmentSummary:
    """A segment that is good by itself."""

    verifier: Verifier  # the key that sealed it
    successor: Verifier  # the key that seals the next one
    link: Link
    ids: bytes  # `ID_BYTES` for each record
    unread: tuple[int, ...]  # the indexes of the lines that this version cannot read as records
    stated: tuple[Beginning, ...] = ()  # where the log begins, by its own statement


def open_summary(
    name: str, stored: bytes, verifier: Verifier, log: str, visit: Callable[[int, Any], None] | None = None
) -> tuple[SegmentSummary, Segment]:
    """Return a segment that is good by itself, and its summary, or raise `ChainBroken`.

    `visit` is called as by `open_segment`, for the records that this version can read.
    """
    ids: list[str] = []
    events: set[str] = set()
    unread: list[int] = []
    stated: list[Beginning] = []

    def note(index: int, body: Any) -> None:
        try:
            id_, event, _ = identity(body)
        except RecordRefused:
            ids.append(f"line {index}")  # no other line has this text
            unread.append(index)
            return
        ids.append(id_)
        events.add(event)
        if event == BEGINS and (beginning := stated_in(log, body)) is not None:
            stated.append(beginning)
        if visit is not None:
            visit(index, body)

    segment, link = open_segment(name, stored, verifier, log, note)
    following = successor(segment, verifier) if EVENT in events else verifier
    return SegmentSummary(verifier, following, link, _packed(ids), tuple(unread), tuple(stated)), segment


def _packed(ids: Sequence[str]) -> bytes:
    """Return `ID_BYTES` for each id: its decoded bytes, if it has the form of our ids, and a hash of it otherwise."""
    together = "".join(ids)
    if {len(id_) for id_ in ids} == {2 * ID_BYTES} and _HEX.fullmatch(together):
        return bytes.fromhex(together)
    return b"".join(
        bytes.fromhex(id_)
        if len(id_) == 2 * ID_BYTES and _HEX.fullmatch(id_)
        else hashlib.sha256(id_.encode()).digest()[:ID_BYTES]
        for id_ in ids
    )


_HEX = re.compile("[0-9a-f]*")


def summaries(objects: Sequence[tuple[str, bytes]], verifier: Verifier, log: str) -> list[SegmentSummary | None]:
    """Return the summary of each object, or None for one that is not good by itself, or not sealed by this key.

    The reason is found later, when the object is checked in its place.
    """
    found: list[SegmentSummary | None] = []
    for name, stored in objects:
        try:
            found.append(open_summary(name, stored, verifier, log)[0])
        except ChainBroken:
            found.append(None)
    return found
