"""What the index keeps of a segment's records: the texts that can be asked for by themselves, packed as JSON.

They are made where the segment is verified, which may be in another process, and taken in by `index.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from curfew.audit.segment import Segment

Row = list[Any]
"""Of a record its index in the log, time in milliseconds since 1970, id, event, code and actor."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What is kept of a segment."""

    texts: bytes  # lines of JSON: first all rows, then for each of them its story, which is empty for none
    leaves: bytes  # the leaf hash of each record, one after the other

    def unpacked(self) -> tuple[list[Row], list[bytes]]:
        """Return the rows, and the story of each, still packed."""
        rows, *stories = self.texts.split(b"\n")
        return orjson.loads(rows), stories


def story_of(packed: bytes) -> tuple[list[str | None], list[str]]:
    """Return of a request, as it was then, the texts that a row of `stories` holds, and who had decided."""
    texts, people = orjson.loads(packed)
    return texts, people


class Rows:
    """Takes in the records of a segment."""

    def __init__(self) -> None:
        """Hold no records yet."""
        self._rows: list[Row] = []
        self._stories: list[bytes] = []

    def add(self, index: int, body: Mapping[str, Any]) -> None:
        """Take in a record, from its JSON object."""
        get = body["unmapped"]["curfew"].get
        self._rows.append([index, body["time"], get("id"), get("event"), _text(get("code")), _text(get("actor"))])
        self._stories.append(orjson.dumps(_story(get("subject"), get("story"))))

    def of(self, segment: Segment) -> Packed:
        """Return what is kept of the segment: a row for each of its lines, without texts for one that cannot be read."""
        rows, stories = self._rows, self._stories
        if len(rows) != len(segment.lines):
            read = {row[0]: (row, story) for row, story in zip(rows, stories, strict=True)}
            every = range(segment.first, segment.first + len(segment.lines))
            both = [read.get(index, ([index, None, None, None, None, None], b"")) for index in every]
            rows, stories = [row for row, _ in both], [story for _, story in both]
        return Packed(b"\n".join([orjson.dumps(rows), *stories]), b"".join(segment.leaves))


def _story(subject: Any, story: Any) -> tuple[list[str | None], list[str]]:
    """Return what `query.FIELDS` names of the request that a record is about.

    Written out, because it is done for each record, and to follow the paths takes four times as long. The tests of the
    index hold the two together.
    """
    if type(story) is not dict:
        return [_text(subject), None, None, None, None, None, None, None, None], []
    get = story.get
    policy, role, decisions = get("policy"), get("role"), get("decisions")
    texts = [
        _text(subject),
        _text(get("namespace")),
        _text(get("request")),
        _text(get("requester")),
        _text(get("submitted_by")),
        _text(get("ticket")),
        _text(policy.get("name")) if type(policy) is dict else None,
        _text(role.get("kind")) if type(role) is dict else None,
        _text(role.get("name")) if type(role) is dict else None,
    ]
    by = [one.get("by") for one in decisions if type(one) is dict] if type(decisions) is list else []
    return texts, [one for one in by if type(one) is str]


def _text(value: Any) -> str | None:
    return value if type(value) is str else None
