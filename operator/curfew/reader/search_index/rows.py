"""The index entries of a segment's records: the texts of the fields of a query, packed as JSON.

They are made in the process that verifies the segment, and added by `index.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from curfew.audit.segment import Segment

Row = list[Any]
"""For a record: its index in the log, time in milliseconds since 1970, id, event, code, actor, and what a call did:
its verb, resource, subresource and object."""


@dataclass(frozen=True, slots=True)
class Packed:
    """The index entries of a segment."""

    texts: bytes  # lines of JSON: first all rows, then for each of them its story, which is empty if there is none
    leaves: bytes  # the leaf hash of each record, one after the other

    def unpacked(self) -> tuple[list[Row], list[bytes]]:
        """Return the rows, and the story of each, still packed."""
        rows, *stories = self.texts.split(b"\n")
        return orjson.loads(rows), stories


def story_of(packed: bytes) -> tuple[list[str | None], list[str]]:
    """Return the texts in a row of `stories` for a request, as it was then, and the people who had decided."""
    texts = orjson.loads(packed)
    return texts[:_TEXTS], [person for person in texts[_TEXTS:] if person is not None]


class Rows:
    """Makes the index entries of the records of a segment."""

    def __init__(self) -> None:
        """Hold no records yet."""
        self._rows: list[Row] = []
        self._stories: list[bytes] = []

    def add(self, index: int, body: Mapping[str, Any]) -> None:
        """Add a record, from its JSON object."""
        get = body["unmapped"]["curfew"].get
        detail = get("detail")
        row = [index, body["time"], get("id"), get("event"), _text(get("code")), _text(get("actor"))]
        self._rows.append(row + (_call(detail) if type(detail) is dict else _NO_CALL))
        texts = _story(get("subject"), get("story"), detail)
        if not _ARE_TEXTS.issuperset(map(type, texts)):
            texts = [_text(one) for one in texts]
        self._stories.append(orjson.dumps(texts))

    def of(self, segment: Segment) -> Packed:
        """Return the entries of the segment: a row for each of its lines, without texts for one that cannot be read."""
        rows, stories = self._rows, self._stories
        if len(rows) != len(segment.lines):
            read = {row[0]: (row, story) for row, story in zip(rows, stories, strict=True)}
            every = range(segment.first, segment.first + len(segment.lines))
            both = [read.get(index, ([index, *[None] * 9], b"")) for index in every]
            rows, stories = [row for row, _ in both], [story for _, story in both]
        return Packed(b"\n".join([orjson.dumps(rows), *stories]), b"".join(segment.leaves))


def _story(subject: Any, story: Any, detail: Any) -> list[Any]:
    """Return the texts of a record's request by `query.FIELDS`: first `_TEXTS`, then the people who decided.

    They are written out here, because this runs for each record, and following the paths takes four times as long. The
    tests of the index check that the two agree.
    """
    other, user = (detail.get("namespace"), detail.get("user")) if type(detail) is dict else (None, None)
    if type(story) is not dict:
        return [subject, None, None, None, None, None, None, None, None, other, user]
    get = story.get
    policy, role, decisions = get("policy"), get("role"), get("decisions")
    if type(policy) is not dict:
        policy = {}
    if type(role) is not dict:
        role = {}
    texts = [
        subject,
        get("namespace"),
        get("request"),
        get("requester"),
        get("submitted_by"),
        get("ticket"),
        policy.get("name"),
        role.get("kind"),
        role.get("name"),
        other,
        user,
    ]
    if type(decisions) is list:
        texts += [one.get("by") for one in decisions if type(one) is dict]
    return texts


def _call(detail: Mapping[str, Any]) -> list[str | None]:
    """Return the texts of a call by `query.FIELDS`."""
    get = detail.get
    return [_text(get("verb")), _text(get("resource")), _text(get("subresource")), _text(get("name"))]


_NO_CALL: list[str | None] = [None] * 4
_TEXTS = 11
_ARE_TEXTS = frozenset((str, type(None)))


def _text(value: Any) -> str | None:
    return value if type(value) is str else None
