"""Whatever records hold and whatever is asked, a search that uses its index finds what a plain reading of the log finds."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from curfew.audit.canonical import canonical
from curfew.audit.query import FIELDS, Query, answers
from curfew.audit.timespan import Span
from curfew.cli.audit import finding
from curfew.reader.search_index.index import index_path
from curfew.reader.stream import read_record
from tests.support.logs import BEGIN, ALog, a_record, opened
from tests.support.stores import MemoryStore

TRICKY = (
    "",
    "a",
    "a/b",
    "A",
    "%",
    "_",
    "a%b",
    "*",
    "?",
    "a*b",
    "'",
    '"',
    "\\",
    "\x00",
    "a\x00b",
    "\n",
    "ß",
    "İ",
    "😀",
    "[",
    "null",
)
texts = st.sampled_from(TRICKY) | st.text(max_size=8)
values = texts | st.none() | st.sampled_from([0, 7, True, [], ["a"], {"a": "b"}])  # what a later version might write


@st.composite
def lines(draw: st.DrawFn, number: int) -> bytes:
    """Draw a record's line, or one that this version cannot read."""
    if draw(st.integers(0, 9)) == 0:
        return canonical({"of": "a later version", "number": number, "text": draw(texts)})
    body = a_record(number, at=BEGIN + timedelta(seconds=draw(st.integers(0, 3)))).body
    block = {**body["unmapped"]["curfew"], "actor": draw(texts), "code": draw(texts), "subject": draw(texts)}
    story: dict[str, Any] = {
        name: draw(texts) for name in ("namespace", "request", "requester", "submitted_by", "ticket")
    }
    story["policy"], story["role"] = {"name": draw(texts)}, {"kind": draw(texts), "name": draw(texts)}
    story["decisions"] = [{"by": draw(texts)} for _ in range(draw(st.integers(0, 3)))]
    for name in draw(st.lists(st.sampled_from(sorted(story)), max_size=2)):
        part = story[name]
        inside = st.sampled_from([part, {"name": 7}, [part], [{"by": 7}, *part] if isinstance(part, list) else 7])
        story[name] = draw(values | inside)
    block["story"] = draw(st.sampled_from([story] * 5 + [None, "", [], {}]))
    parts = dict.fromkeys(("namespace", "user", "verb", "resource", "subresource", "name"), values)
    block["detail"] = draw(st.none() | st.just({}) | st.fixed_dictionaries({}, optional=parts))
    block |= draw(st.just({}) | st.fixed_dictionaries({"actor": values, "code": values}))
    return canonical({**body, "unmapped": {**body["unmapped"], "curfew": block}})


@st.composite
def logs(draw: st.DrawFn) -> tuple[ALog, int]:
    """Draw a log, and of how many of its segments the index is made first."""
    log = ALog()
    log.append([opened(log.signer)])
    number = 0
    for size in draw(st.lists(st.integers(0, 4), min_size=1, max_size=4)):
        log.append_lines([draw(lines(number + offset)) for offset in range(size)])
        number += size
    return log, draw(st.integers(1, len(log.objects)))


@st.composite
def queries(draw: st.DrawFn, log: ALog) -> Query:
    """Draw a question, mostly about what the log holds."""
    bodies = [record.body for record in map(read_record, log.lines) if record is not None]
    patterns = {}
    for name in draw(st.lists(st.sampled_from([*sorted(FIELDS), "person"]), min_size=1, max_size=2, unique=True)):
        held = sorted({text for body in bodies for text in answers(name, body)})
        found = draw(st.lists(st.sampled_from(held or TRICKY), min_size=1, max_size=2))
        patterns[name] = tuple(draw(cut(text)) for text in found)
    if draw(st.booleans()):
        return Query(patterns)
    edge = st.none() | st.integers(-1, 4).map(lambda seconds: BEGIN + timedelta(seconds=seconds))
    return Query(patterns, tuple(draw(st.lists(st.sampled_from(TRICKY), max_size=1))), Span(draw(edge), draw(edge)))


@st.composite
def cut(draw: st.DrawFn, text: str) -> str:
    """Draw a pattern that fits a text."""
    at = draw(st.integers(0, len(text)))
    parts = [f"{text[:at]}*", f"*{text[at:]}", f"{text[:at]}*{text[at + 1 :]}", f"{text[:at]}?"]
    return draw(st.sampled_from([text] * 4 + parts))


@contextmanager
def a_cache() -> Iterator[None]:
    """Use a cache folder that is nobody's."""
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, {"XDG_CACHE_HOME": folder}):
        yield


async def found(log: ALog, names: Sequence[str], query: Query) -> list[tuple[int, bytes]]:
    """Return what a search with an index finds in some objects of a log."""
    store = MemoryStore({name: log.objects[name] for name in names})
    source = finding.SearchedLog(store, "main", log.verifier, {}, has_index=True)
    async with aclosing(finding.find(source, query)) as records:
        return [(record.index, record.line) async for record in records]


@given(st.data())
async def test_with_an_index_the_same_is_found_as_in_the_plain_log(data: st.DataObject) -> None:
    log, many = data.draw(logs())
    records = [read_record(line) for line in log.lines]

    def expected(query: Query) -> list[tuple[int, bytes]]:
        return [
            (index, log.lines[index])
            for index, record in enumerate(records)
            if record is not None and query.matches(record)
        ]

    first, *others = data.draw(st.lists(queries(log), min_size=1, max_size=8))
    with a_cache():
        begun = await found(log, log.names[:many], first)  # which makes the index
        assert begun == expected(first)[: len(begun)]
        assert await found(log, log.names, first) == expected(first)  # which adds the rest to it
        for query in (first, *others):  # which find all of it there
            assert await found(log, log.names, query) == expected(query)
        assert index_path("memory://", "main", log.verifier).exists()
