"""What the page shows of the logs: read and verified as the commands of `curfew` do it. These functions run in threads."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from curfew.audit.findings import Anchor
from curfew.audit.pseudonyms import Person, revealed
from curfew.audit.query import Query
from curfew.audit.receipt import Receipt
from curfew.audit.record import Record
from curfew.audit.timespan import Span
from curfew.audit.wording import NO_ANCHOR, NO_KEY
from curfew.cli.alerts.reading import open_logs, read_history
from curfew.cli.audit.both_logs import NO_ACTIVITY_KEY, Asked, LogPlace, open_both
from curfew.cli.audit.finding import SearchedLog
from curfew.cli.audit.reading import known_people, unreadable
from curfew.cli.audit.session import ReadSession, read_session
from curfew.cli.audit.tail import show_newest
from curfew.cli.audit.verdict import Report
from curfew.cli.audit.verify import Comparison, verify_log
from curfew.cli.stats_reading import read_stats
from curfew.core.detectors.history import KnownAlert
from curfew.evidence.session_page import CALLS_SHOWN
from curfew.evidence.stats.figures import RequestStats
from curfew.reader.anchors import Kept, anchors_in
from curfew.reader.errors import CannotRead, NotVerified
from curfew.reader.parallel import processors
from curfew.reader.stream import read_record

NEWEST: Final = 15
"""How many records of each log are shown."""


@dataclass(frozen=True, slots=True)
class ShownLog:
    """A log: whether it verifies, and its newest records, the last first."""

    report: Report
    newest: Sequence[tuple[int, Record]]
    is_trail: bool

    @property
    def notes(self) -> Iterator[str]:
        """Yield what the verification does not show. Only of the trail does the page have anchors."""
        for note in self.report.notes():
            if self.is_trail:
                yield note
            elif note != NO_ANCHOR:
                yield NO_ACTIVITY_KEY.format(log=self.report.log) if note == NO_KEY else note


@dataclass(frozen=True, slots=True)
class PageLogs:
    """Where the logs are, as it was typed."""

    asked: Asked
    anchors: Sequence[Kept]
    people: str | None

    def verified(self, seen: Sequence[Kept]) -> Sequence[ShownLog]:
        """Verify both logs, the trail also with what the cluster shows of it. Raise `CannotRead`."""
        return asyncio.run(self._verified(seen))

    async def _verified(self, seen: Sequence[Kept]) -> Sequence[ShownLog]:
        with unreadable():
            both = await open_both(self.asked)
            known = await known_people(self.people)
            anchors = [*self.anchors, *seen]
            return [await _shown(place, anchors, known, is_trail=place is both.trail) for place in both.places]

    def alerts(self) -> tuple[Sequence[KnownAlert], NotVerified | None]:
        """Return the alerts, the last first; if the log does not verify, why there are no more. Raise `CannotRead`."""
        return asyncio.run(self._alerts())

    async def _alerts(self) -> tuple[Sequence[KnownAlert], NotVerified | None]:
        with unreadable():
            _, logs = await open_logs(self.asked, self.people)
            history, refused = await read_history(logs[-1])
        return list(history.all())[::-1], refused

    def stats(self, span: Span) -> RequestStats:
        """Return the statistics of a period. Raise `CannotRead` or `NotVerified`."""
        return asyncio.run(self._stats(span))

    async def _stats(self, span: Span) -> RequestStats:
        with unreadable():
            both = await open_both(self.asked)
            known = await known_people(self.people)
            trail, activity = (
                _searched(one, known) if one is not None else None for one in (both.trail, both.activity)
            )
            assert trail is not None  # noqa: S101  both have a trail
            return await read_stats(trail, activity, span, UTC)

    def session(self, uid: str) -> ReadSession | None:
        """Return what was done with a grant, or None without a log of activity.

        Raise `CannotRead`, `NotVerified`, or `NotOneGrant` for a request without a grant.
        """
        return asyncio.run(self._session(uid))

    async def _session(self, uid: str) -> ReadSession | None:
        with unreadable():
            both = await open_both(self.asked)
            if both.activity is None:
                return None
            return await read_session(both, uid, self.people, CALLS_SHOWN, has_index=True)


async def _shown(place: LogPlace, anchors: Sequence[Kept], people: Mapping[str, Person], *, is_trail: bool) -> ShownLog:
    compared = Comparison(place.given, anchors if is_trail else (), None, processors())
    report, _ = await verify_log(place.store, place.log, compared)
    lines: list[tuple[int, bytes]] = []
    try:
        await show_newest(
            place.store,
            place.log,
            place.given,
            NEWEST,
            Query(),
            lambda index, line: lines.append((index, line)),
            is_followed=False,
        )
    except CannotRead:  # an anchor says that there was a log, and the report that it is gone
        lines = []
    records = [(index, record) for index, line in lines[::-1] if (record := read_record(line)) is not None]
    return ShownLog(report, [(index, revealed(record, people)) for index, record in records], is_trail)


def _searched(place: LogPlace, people: Mapping[str, Person]) -> SearchedLog:
    return SearchedLog(place.store, place.log, place.given, people, has_index=True)


def receipts_in(requests: Iterable[object], log: str) -> list[Kept]:
    """Return the receipts that AccessRequests hold of a log. One that cannot be read is left out."""
    found = []
    for body in requests:
        with suppress(ValueError):
            receipts = [one for one in anchors_in(json.dumps(body)) if isinstance(one, Receipt) and one.log == log]
            found += [Kept(Anchor.of_receipt(one, f"the receipt of record {one.index}")) for one in receipts]
    return found
