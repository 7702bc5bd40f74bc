"""Reads what a report needs of both logs: the sessions in the trail, and then what the log of activity holds about them."""

from collections.abc import Iterator
from contextlib import aclosing, suppress
from datetime import datetime

from curfew.audit.findings import Verified
from curfew.audit.record import Record, RecordRefused
from curfew.audit.segment import Segment
from curfew.audit.wording import count, in_utc
from curfew.cli.audit.both_logs import LogPlace
from curfew.cli.audit.console import progress
from curfew.cli.audit.seen import outcome_of
from curfew.core.activity.recount import Recount, Recounted
from curfew.core.activity.wording import kind_of
from curfew.evidence.account import Account
from curfew.evidence.grants import ReviewedGrant
from curfew.evidence.period import Period
from curfew.evidence.sessions import GrantAnswer, SessionFigures, SessionLedger, unknown_answer
from curfew.reader.stream import known_key, verified_segments

_FORGET_EVERY = 1000  # segments of the trail


class SessionReading:
    """The sessions of a period. Memory grows with the sessions of the period, not with the logs."""

    def __init__(self, period: Period) -> None:
        self._period = period
        self._recount = Recount()
        self._segments = 0

    def take_trail(self, segment: Segment) -> None:
        """Take the next verified segment of the trail."""
        for _, record in records_in(segment):
            if record.at < self._period.end or self._recount.sessions.get(record.subject) is not None:
                self._recount.learn_trail(record)
        self._segments += 1
        if self._segments % _FORGET_EVERY == 0:
            self._recount.sessions.forget(self._period.begin)

    async def figures(self, place: LogPlace, account: Account, now: datetime) -> SessionFigures:
        """Verify the log of activity, and return what it shows about the grants. Raise as `verified_segments` does."""
        verifier = await known_key(place.store, place.log, place.given)
        ledger = SessionLedger(self._period, frozenset(grant.story.uid for grant in account.population))
        verified: Verified | None = None
        async with aclosing(verified_segments(place.store, place.log, verifier, progress=progress)) as links:
            async for link in links:
                verified = link.verified
                for index, record in records_in(link.segment):
                    self._recount.learn_activity(index, record)
                    ledger.take(index, record, outcome_of(record))
        assert verified is not None  # noqa: S101  a log without segments is no log, and was refused
        return SessionFigures(
            log=place.log,
            location=place.store.url,
            key=str(verifier),
            root=verified.head.range.root().hex(),
            size=verified.records,
            answers=[self._answer(grant, now) for grant in account.population],
            outcomes=dict(ledger.outcomes),
            others=ledger.others,
            alerts=ledger.alerts,
            records=ledger.records,
        )

    def _answer(self, grant: ReviewedGrant, now: datetime) -> GrantAnswer:
        found = self._recount.answer(grant.story.uid, now)
        if found is None:
            return GrantAnswer(grant, unknown_answer(now), 0, 0, None, None, (), (), is_announced=False)
        return GrantAnswer(
            grant=grant,
            answer=found.answer,
            holes=len(found.holes),
            open_streams=len(found.tally.open_streams),
            recorded=found.recorded,
            recorded_in=found.recorded_in,
            differs=found.differs,
            remains=left_behind(found),
        )


def records_in(segment: Segment) -> Iterator[tuple[int, Record]]:
    """Yield index and record of each line that this version can read."""
    for index, body in enumerate(segment.bodies, segment.first):
        with suppress(RecordRefused):
            yield index, Record.parse(body)


def left_behind(found: Recounted) -> tuple[str, ...]:
    """Return what a session left behind, each as a clause, and who keeps it."""
    remains, kept = found.tally.remains, found.session.kept
    told = [
        f"{kind_of(one.key.group, one.key.resource)}/{one.key.name if one.is_named else '(a generated name)'} in "
        f"{one.key.namespace or 'the cluster'}, since {in_utc(one.at)}"
        f"{f', kept by {kept.by}: {kept.reason}' if kept is not None and one.at <= kept.at else ''}"
        for one in remains.left
    ]
    return (*told, f"up to {count(remains.more, 'more object')}") if remains.more else tuple(told)
