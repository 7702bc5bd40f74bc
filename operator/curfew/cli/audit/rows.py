"""The rows of an index: for each segment a line that says where it is, and a line for each of its records.

A record's row holds the texts that can be asked for by themselves. All lines are JSON: objects for segments, lists for records.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, floor
from mmap import mmap
from typing import Any

import orjson

from curfew.audit.query import FIELDS
from curfew.audit.segment import Segment
from curfew.audit.when import ALWAYS, Span

_Branch = tuple[tuple[str, ...], tuple[tuple[str, Any], ...]]
"""What is looked for in an object: texts by their keys, and by theirs objects, or lists of objects, with more of them."""


def _branch(paths: Iterable[list[str]]) -> _Branch:
    texts = sorted(path[0] for path in paths if len(path) == 1)
    inner: dict[str, list[list[str]]] = {}
    for path in paths:
        if len(path) > 1:
            inner.setdefault(path[0].removesuffix("[*]"), []).append(path[1:])
    return tuple(texts), tuple((key, _branch(rest)) for key, rest in sorted(inner.items()))


_PLACES = {part for paths in FIELDS.values() for path in paths for part in path.split("/")}
_TREE = _branch([place.split(".") for place in _PLACES])


class Rows:
    """The rows of a segment: for each record its index, where its line begins and how long it is, and its texts."""

    def __init__(self) -> None:
        """There are no records yet."""
        self._rows: list[list[Any]] = []
        self._times: list[int] = []

    @property
    def span(self) -> tuple[int, int]:
        """From when to when the records are, in ms since 1970."""
        return min(self._times, default=0), max(self._times, default=0)

    def add(self, index: int, body: Mapping[str, Any]) -> None:
        """Take in a record, from its JSON object."""
        row: list[Any] = [index, 0, 0]
        _gather(row, _TREE, body["unmapped"]["curfew"])
        self._rows.append(row)
        self._times.append(body["time"])

    def of(self, segment: Segment) -> bytes:
        """Return the rows of the segment whose records were taken in."""
        begins = list(accumulate((len(line) + 1 for line in segment.lines), initial=0))
        for row in self._rows:
            number = row[0] - segment.first
            row[1:3] = begins[number], len(segment.lines[number])
        return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in self._rows)


def _gather(row: list[Any], branch: _Branch, value: Mapping[str, Any]) -> None:
    texts, inner = branch
    row += map(value.get, texts)
    for key, further in inner:
        part = value.get(key)
        if type(part) is dict:
            _gather(row, further, part)
        elif type(part) is list:
            for one in part:
                if type(one) is dict:
                    _gather(row, further, one)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment is among the others, from when to when its records are, and how long its rows are."""

    start: int
    length: int
    begin: int  # in ms since 1970
    end: int
    rows: int

    def may_have(self, span: Span) -> bool:
        """Whether a record of the segment may be from a span of time."""
        if span == ALWAYS:
            return True
        return (span.begin is None or self.end >= floor(span.begin.timestamp() * 1000)) and (
            span.end is None or self.begin <= ceil(span.end.timestamp() * 1000)
        )


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of a segment, or some of them."""

    place: Place
    rows: bytes


def blocks(rows: mmap) -> Iterator[Block]:
    """Yield all rows of each segment."""
    position = 0
    while position < len(rows):
        place, begin = _place_at(rows, position)
        position = begin + place.rows
        yield Block(place, rows[begin:position])


def blocks_with(rows: mmap, needle: bytes) -> Iterator[Block]:
    """Yield the rows of each segment that hold a text, without looking at any others."""
    position = rows.find(needle)
    while position >= 0:
        place, begin = _place_at(rows, rows.rfind(b"\n{", 0, position) + 1)
        end, found = begin + place.rows, []
        position = max(position, begin)  # it may be in what says where the segment is
        while (position := rows.find(needle, position, end)) >= 0:
            start = rows.rfind(b"\n", 0, position) + 1
            position = rows.find(b"\n", position) + 1
            found.append(rows[start:position])
        yield Block(place, b"".join(found))
        position = rows.find(needle, end)


def _place_at(rows: mmap, position: int) -> tuple[Place, int]:
    """Return what the line at a position says of a segment, and where its rows begin."""
    begin = rows.find(b"\n", position) + 1
    return Place(**orjson.loads(rows[position:begin])), begin
