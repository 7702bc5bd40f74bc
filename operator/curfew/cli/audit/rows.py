"""The rows of an index: for each segment a line that says where it and its records are, and a line for each of these.

A record's row holds its index and the texts that can be asked for by themselves. All lines are JSON: objects for segments,
lists for records.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, floor
from mmap import mmap
from typing import Any

import orjson

from curfew.audit.merkle import leaf_hash
from curfew.audit.segment import Segment
from curfew.audit.when import ALWAYS, Span

_MARK = 16  # hex digits of a leaf hash: enough to see that a disk has returned something else


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment is among the others, and where its records are in it."""

    start: int
    length: int  # as it is stored
    first: int  # the index of the first record
    begins: Sequence[int]  # where the line of each begins, once the segment is unpacked, and where the seal does
    marks: str  # `_MARK` digits of each one's leaf hash
    since: int  # from when the earliest of them is, in ms since 1970
    until: int  # and the latest
    rows: int  # how long their rows are

    def may_have(self, span: Span) -> bool:
        """Whether a record of the segment may be from a span of time."""
        if span == ALWAYS:
            return True
        return (span.begin is None or self.until >= floor(span.begin.timestamp() * 1000)) and (
            span.end is None or self.since <= ceil(span.end.timestamp() * 1000)
        )

    def end_of(self, index: int) -> int:
        """Return where a record ends in the segment, with its newline."""
        return self.begins[index - self.first + 1]

    def line(self, index: int, lines: bytes) -> bytes:
        """Return a record from the lines of the segment, or raise `ValueError` where it is not what was verified."""
        number = index - self.first
        line = lines[self.begins[number] : self.begins[number + 1] - 1]
        if leaf_hash(line).hex()[:_MARK] != self.marks[number * _MARK : (number + 1) * _MARK]:
            raise ValueError(f"Record {index} is not what was verified.")
        return line


class Rows:
    """Takes in the records of a segment."""

    def __init__(self) -> None:
        """There are no records yet."""
        self._rows: list[bytes] = []
        self._times: list[int] = []

    def add(self, index: int, body: Mapping[str, Any]) -> None:
        """Take in a record, from its JSON object."""
        row = [index, *_texts(body["unmapped"]["curfew"])]
        self._rows.append(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        self._times.append(body["time"])

    def of(self, segment: Segment, length: int) -> bytes:
        """Return the rows of the segment, which is stored in so many bytes; `placed` says where."""
        lines = b"".join(self._rows)
        place = {
            "length": length,
            "first": segment.first,
            "begins": list(accumulate([len(line) + 1 for line in segment.lines], initial=0)),
            "marks": b"".join([leaf[: _MARK // 2] for leaf in segment.leaves]).hex(),
            "since": min(self._times, default=0),
            "until": max(self._times, default=0),
            "rows": len(lines),
        }
        return orjson.dumps(place, option=orjson.OPT_APPEND_NEWLINE) + lines


def placed(rows: bytes, start: int) -> bytes:
    """Return the rows of a segment that begins there among the others. Nothing is read or written anew for that."""
    return b'{"start":%d,%b' % (start, rows[1:])


def _texts(block: Mapping[str, Any]) -> list[Any]:
    """Return what `query.FIELDS` names in our block of a record. The tests of the index hold the two together.

    Written out, because it is done for each record, and to follow the paths takes four times as long.
    """
    get = block.get
    texts = [get("actor"), get("code"), get("event"), get("id"), get("subject")]
    story = get("story")
    if type(story) is not dict:
        return texts
    get = story.get
    texts += (get("namespace"), get("request"), get("requester"), get("submitted_by"), get("ticket"))
    policy, role, decisions = get("policy"), get("role"), get("decisions")
    if type(policy) is dict:
        texts.append(policy.get("name"))
    if type(role) is dict:
        texts += (role.get("kind"), role.get("name"))
    if type(decisions) is list:
        texts += [one.get("by") for one in decisions if type(one) is dict]
    return texts


def index_of(row: bytes) -> int:
    """Return the index of the record whose row it is, or raise `ValueError`."""
    return int(row[1 : row.index(b",")])


def blocks(rows: mmap) -> Iterator[tuple[Place, bytes]]:
    """Yield the place and the rows of each segment."""
    position = 0
    while position < len(rows):
        place, begin = _place_at(rows, position)
        position = begin + place.rows
        yield place, rows[begin:position]


def blocks_with(rows: mmap, needle: bytes) -> Iterator[tuple[Place, bytes]]:
    """Yield the place and some rows of each segment: those that hold a text, without looking at any others."""
    position = rows.find(needle)
    while position >= 0:
        place, begin = _place_at(rows, rows.rfind(b"\n{", 0, position) + 1)
        end, found = begin + place.rows, []
        position = max(position, begin)  # it may be in what says where the segment is
        while (position := rows.find(needle, position, end)) >= 0:
            start = rows.rfind(b"\n", 0, position) + 1
            position = rows.find(b"\n", position) + 1
            found.append(rows[start:position])
        yield place, b"".join(found)
        position = rows.find(needle, end)


def _place_at(rows: mmap, position: int) -> tuple[Place, int]:
    """Return what the line at a position says of a segment, and where its rows begin."""
    begin = rows.find(b"\n", position) + 1
    return Place(**orjson.loads(rows[position:begin])), begin
