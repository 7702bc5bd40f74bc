"""The API servers' audit logs that `curfew audit check` reads: files, plain or packed with gzip, in the order of time."""

import gzip
import heapq
import io
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from curfew.audit.untrusted_json import GivenRefused, instant
from curfew.core.activity.formats import kubernetes
from curfew.core.activity.formats.documents import LEVELS, parse_document
from curfew.core.activity.formats.forms import EventRefused
from curfew.evidence.history.calls import fact_of
from curfew.evidence.history.facts import CallFact
from curfew.evidence.history.lines import ReadingCounts, ReadsLines, bounded_lines
from curfew.reader.errors import CannotRead

MOST_FILES: Final = 1_000
"""Most files of one command: all of them are open at a time."""

_GZIP: Final = b"\x1f\x8b"
_WANTED: Final = (b'"rolebindings"', b'"accessrequests"')
_AT: Final = b'"stageTimestamp":"'
_MINUTE: Final = len("2026-11-23T12:00")
_NONE = "it is no event of audit.k8s.io/v1"

Timed = tuple[datetime, CallFact | None]
"""When an event was written, and the fact in it."""


def read_api_logs(paths: Sequence[str], counts: ReadingCounts, stack: ExitStack) -> Iterator[Timed]:
    """Yield the events of audit logs in the order of time, as far as each log is in that order. `-` is the standard input.

    Raise `CannotRead` if a file cannot be opened, or is damaged.
    """
    opened = [(path, _open(path, stack)) for path in paths]
    return heapq.merge(*(_events(path, file, counts) for path, file in opened), key=lambda timed: timed[0])


def read_events(source: str, file: ReadsLines, counts: ReadingCounts) -> Iterator[Timed]:
    """Yield when events were written, and the fact in each. Of those without a fact, one a minute, and the last."""
    minute = last = b""
    for number, line in bounded_lines(file):
        counts.lines += 1
        if line is None:
            counts.refuse(source, number, "it is too long")
            continue
        try:
            if any(word in line for word in _WANTED):
                timed = _read(line)
            else:
                last = _glance(line)
                if last[:_MINUTE] == minute:
                    continue
                minute, timed = last[:_MINUTE], (_time(last), None)
        except (EventRefused, GivenRefused) as error:
            counts.refuse(source, number, str(error))
            continue
        if timed is not None:
            counts.facts += timed[1] is not None
            yield timed
    if last:
        with suppress(GivenRefused):
            yield _time(last), None


def _read(line: bytes) -> Timed | None:
    """Return an event, or None for one that shows nothing yet. Raise `EventRefused` or `GivenRefused`."""
    event = parse_document(line, LEVELS)
    if not isinstance(event, dict):
        raise GivenRefused(_NONE)
    if event.get("stage") in ("RequestReceived", "ResponseStarted", "Panic"):
        return None
    call = kubernetes.parse(event)
    return call.at, fact_of(call)


def _glance(line: bytes) -> bytes:
    """Return when an event was written that a history has no use for, without reading all of it."""
    place = line.find(_AT)
    if not line.startswith(b"{") or not line.endswith(b"}") or place < 0:
        raise GivenRefused(_NONE)
    begin = place + len(_AT)
    return line[begin : line.find(b'"', begin, begin + 40)]


def _time(text: bytes) -> datetime:
    return instant(text.decode(errors="replace"), "stageTimestamp")


def _events(path: str, file: ReadsLines, counts: ReadingCounts) -> Iterator[Timed]:
    try:
        yield from read_events(Path(path).name if path != "-" else "the standard input", file, counts)
    except (EOFError, OSError, zlib.error) as error:
        raise CannotRead(f"{path} cannot be read to its end: {error}. Copy it again, or leave it out.") from error


def _open(path: str, stack: ExitStack) -> ReadsLines:
    try:
        file = io.BufferedReader(io.FileIO(sys.stdin.fileno() if path == "-" else path, closefd=path != "-"))
        stack.callback(file.close)
        is_packed = file.peek(2)[:2] == _GZIP
    except OSError as error:
        raise CannotRead(f"{path} cannot be read: {error}.") from error
    return stack.enter_context(gzip.open(file)) if is_packed else file
