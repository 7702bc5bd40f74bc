"""Answers for each session: what was done with the access, and whether anything was changed.

While a grant lasts, the answer on the request follows the calls. When it has ended, one more round of test calls shows that
everything up to its end has arrived; then the answer is final and goes into the log. If that is not shown within `GIVE_UP`,
the answer is final all the same, and is Unknown unless there was a change. What arrives later gives a new answer.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from curfew.api.activity import Activity
from curfew.audit.record import Record
from curfew.core.activity import records
from curfew.core.activity.session import KeepDecision, Session
from curfew.core.activity.sessions import Sessions
from curfew.core.activity.tally import SessionTally
from curfew.core.activity.verdict import assess
from curfew.ports import Clock
from curfew.processes.monitor.feed import GIVE_UP
from curfew.processes.monitor.recollection import Recollection

LIVE_EVERY = timedelta(seconds=10)
"""How often at most the answer for a session that is used is written."""

LOOK_SECONDS = 1.0
"""How often to look at the sessions, besides when something has changed."""

KEEP = timedelta(hours=25)
"""How long after its end a session is known: late events, and tokens and pods that live on, still belong to it."""

FORGET_EVERY = timedelta(minutes=10)


class Rounds(Protocol):
    """The test calls, as far as answers wait for them."""

    def want_round(self) -> None:
        """Have a round made soon."""
        ...

    def is_under_way(self, since: datetime) -> bool:
        """Whether a round that began at this time or later is not confirmed yet."""
        ...


class Cuts(Protocol):
    """What is cut at the end of sessions."""

    def want(self, session: Session, tally: SessionTally) -> None:
        """Have the pods of a session that is over deleted, if its policy says so."""
        ...

    def forget(self, uid: str) -> None:
        """Forget a session."""
        ...


class Verdicts(Protocol):
    """Counts what was answered."""

    def verdict(self, changes: str, seconds: float) -> None:
        """Count a final answer, given so many seconds after the end."""
        ...

    def set_sessions(self, number: int) -> None:
        """Set how many sessions have no final answer."""
        ...


@dataclass(slots=True)
class _Progress:
    """What was answered for a session since the start."""

    answer: Activity | None = None  # the last one, without its time
    at: datetime | None = None
    is_dirty: bool = True
    is_final: bool = False
    kept: KeepDecision | None = None


class Assessing:
    """Looks at the sessions whose answers may have changed."""

    def __init__(
        self,
        sessions: Sessions,
        rounds: Rounds,
        clock: Clock,
        verdicts: Verdicts,
        *,
        span: timedelta,
        memory: Callable[[], Recollection],
        submit: Callable[[Record], None],
        write: Callable[[Session, Activity], None],
        cutting: Cuts,
    ) -> None:
        """`memory` returns what the monitor's own log holds; `submit` appends to it; `write` puts an answer on its request.

        `cutting` has the pods of each session deleted that has to be cut at its end.

        `span` is how long a session can be known, from its announcement on.
        """
        self._sessions = sessions
        self._rounds = rounds
        self._clock = clock
        self._verdicts = verdicts
        self._span = span
        self._memory = memory
        self._submit = submit
        self._write = write
        self._cutting = cutting
        self._progress: dict[str, _Progress] = {}
        self._forgot_at = clock.now()
        self._news = asyncio.Event()

    def changed(self) -> None:
        """Have the sessions looked at soon."""
        self._news.set()

    async def run(self) -> None:
        """Look at the sessions again and again, for ever."""
        while True:
            self._news.clear()
            self.look()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                continue

    def look(self) -> None:
        """Look at each session once."""
        now, memory = self._clock.now(), self._memory()
        if now - self._forgot_at >= FORGET_EVERY:
            self._forgot_at = now
            for uid in memory.forget(now - KEEP, now - self._span):
                self._progress.pop(uid, None)
                self._cutting.forget(uid)
        for found in memory.attribution.caught_up(now):
            self._submit(found.record)
        for uid in memory.take_changed():
            self._progress.setdefault(uid, _Progress()).is_dirty = True
        unanswered = 0
        for session in self._sessions.all():
            progress = self._progress.setdefault(session.uid, _Progress())
            if session.kept != progress.kept:
                progress.kept, progress.is_dirty = session.kept, True
            if session.is_over:
                self._look_at_ended(session, progress, memory, now)
            elif progress.is_dirty and (progress.at is None or now - progress.at >= LIVE_EVERY):
                self._answer(session, progress, memory, now)
            unanswered += not progress.is_final
        self._verdicts.set_sessions(unanswered)

    def _look_at_ended(self, session: Session, progress: _Progress, memory: Recollection, now: datetime) -> None:
        """Answer for a session that is over once all its calls have arrived, and again for each that comes later."""
        if progress.is_final:
            if progress.is_dirty and (progress.at is None or now - progress.at >= LIVE_EVERY):
                self._answer(session, progress, memory, now, is_last=True)
            return
        has_arrived = memory.covered_until is not None and memory.covered_until >= session.until
        if has_arrived or now - session.until > GIVE_UP:
            self._answer(session, progress, memory, now, is_last=True)
        elif not self._rounds.is_under_way(session.until):
            self._rounds.want_round()

    def _answer(
        self, session: Session, progress: _Progress, memory: Recollection, now: datetime, *, is_last: bool = False
    ) -> None:
        """Answer for a session; if it `is_last`, nothing is waited for any more."""
        tally = memory.tally(session.uid)
        answer = assess(session, tally, memory.coverage, now, given_up=is_last)
        same = answer.model_copy(update={"as_of": None})
        progress.is_dirty, progress.at = False, now
        if is_last:
            for stream in tally.streams.open:
                self._submit(records.stream_open_at_end(session, stream))
            self._cutting.want(session, tally)
        if same == progress.answer:
            return
        before, progress.answer = progress.answer, same
        progress.is_final = progress.is_final or is_last
        if is_last or before is None or before.changes is not answer.changes:
            self._record(session, answer, memory, now)
        self._write(session, answer)

    def _record(self, session: Session, answer: Activity, memory: Recollection, now: datetime) -> None:
        """Append an answer to the log, unless the log's last answer for the session is the same."""
        record = records.assessed(session, answer, covered_until=memory.covered_until, at=now)
        last = memory.assessed.get(session.uid)
        if last is not None and _told(last) == _told(record):
            return
        self._submit(record)
        if answer.final:
            self._verdicts.verdict(answer.changes, (now - session.until).total_seconds())


def _told(record: Record) -> dict[str, object]:
    """Return what an answer holds, without the times at which it was given."""
    detail = dict(record.block.get("detail", {}))
    detail.pop("covered_until", None)
    return detail
