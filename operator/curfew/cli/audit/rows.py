"""What an index keeps of each record: the texts that can be asked for by themselves, in a line of JSON."""

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

import orjson

from curfew.audit.query import FIELDS
from curfew.audit.segment import Segment

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
