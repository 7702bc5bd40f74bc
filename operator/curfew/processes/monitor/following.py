"""Follows the operator's log: every grant is announced there before its binding exists.

So whoever waits until the log was looked at once more knows each session that can have allowed a call that has ended.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from curfew.audit.checkpoint import Verifier
from curfew.audit.record import Record
from curfew.audit.segment import ChainBroken, Segment
from curfew.audit.wording import sentence
from curfew.ports import Clock, ObjectStore, StoreError
from curfew.ports.intake import IntakeUnavailable
from curfew.reader.errors import CannotRead, Unfounded
from curfew.reader.follow import Follower, find_start
from curfew.reader.stream import read_record
from curfew.storage.people import People

log = structlog.get_logger("curfew")

POLL_SECONDS = 1.0
"""How often the log is looked at while nobody waits: an end must be noticed well within the 5 s for a verdict."""

LEAST_PAUSE_SECONDS = 0.1
"""Between two looks, however many wait: each look is a call that costs money."""

RETRY_SECONDS = 2.0
LASTING_SECONDS = 60.0
"""Between two tries to find a place to begin in a log that is not whole: nothing but a person can mend that."""


class TrailReader:
    """The operator's log, read in order. `learn` is called with each record, `changed` after each look with news."""

    def __init__(
        self,
        store: ObjectStore,
        name: str,
        key: Verifier | None,
        clock: Clock,
        *,
        span: timedelta,
        people: People | None,
        learn: Callable[[Record], None],
        changed: Callable[[], None],
    ) -> None:
        """Nothing is read yet. `span` is how much of the log is read back at the start."""
        self._store = store
        self._name = name
        self._key = key
        self._clock = clock
        self._span = span
        self._people = people
        self._learn = learn
        self._changed = changed
        self._follower: Follower | None = None
        self._listed: Sequence[str] = ()
        self._pending: deque[Segment] = deque()  # read and verified, and not learnt
        self._waiting: list[asyncio.Future[None]] = []
        self._wanted = asyncio.Event()
        self._trouble = "The operator's log has not been read yet."

    @property
    def trouble(self) -> str:
        """Why nothing can be attributed now, as a sentence for people; empty if all is well."""
        doubt = self._follower.doubt if self._follower is not None else None
        if doubt is not None:
            return f"The operator's log at {self._store.url} is not whole: {sentence(str(doubt))}"
        return self._trouble

    async def open(self) -> None:
        """Read the log back. This is tried until it succeeds; until then, `trouble` shows what is wrong."""
        while True:
            pause = RETRY_SECONDS
            try:
                await self._open()
            except (StoreError, CannotRead) as error:  # at a first installation, there is no log yet
                self._trouble = str(error)
            except (Unfounded, ChainBroken) as error:
                self._trouble, pause = sentence(str(error)), LASTING_SECONDS
            else:
                self._trouble = ""
                return
            log.warning("cannot read the operator's log yet", problem=self._trouble, again_in=pause)
            await asyncio.sleep(pause)

    async def _open(self) -> None:
        if self._follower is None:
            start = await find_start(self._store, self._name, self._key, (self._clock.now() - self._span).date())
            self._follower, self._listed = Follower(self._store, start.head, start.verifier, self._bad), start.names
            if start.segment is not None:
                self._pending.append(start.segment)
        async for segment in self._follower.listed(self._listed):
            self._pending.append(segment)
            await self._digest()
        await self._digest()
        self._listed = ()

    async def run(self) -> None:
        """Look again and again, at once if somebody waits. `open` comes first."""
        while True:
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            waiting, self._waiting = self._waiting, []
            trouble = "The operator's log cannot be read."  # unless the look succeeds
            try:
                await self._look()
                trouble = ""
            except StoreError as error:
                trouble = str(error)
            finally:
                self._trouble = trouble
                self._release(waiting)
            await asyncio.sleep(RETRY_SECONDS if self._trouble else LEAST_PAUSE_SECONDS)

    async def current(self) -> None:
        """Return when the log was read up to what was in it at the call. Raise `IntakeUnavailable` if it cannot be read."""
        if self.trouble:
            raise IntakeUnavailable(self.trouble)
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._wanted.set()
        await done

    def _release(self, waiting: list[asyncio.Future[None]]) -> None:
        trouble = self.trouble
        for each in waiting:
            if each.done():
                continue  # whoever waited has gone
            if trouble:
                each.set_exception(IntakeUnavailable(trouble))
            else:
                each.set_result(None)

    async def _look(self) -> None:
        if self._follower is None:
            raise RuntimeError("the log is looked at before it was opened")
        async for segment in self._follower.appended():
            self._pending.append(segment)
        await self._digest()

    async def _digest(self) -> None:
        """Learn what was read. What cannot be learnt yet, because the names of people cannot be read, stays for later."""
        is_news = False
        while self._pending:
            segment = self._pending[0]
            records = [record for line in segment.lines if (record := read_record(line)) is not None]
            if self._people is not None:
                records = list(await self._people.reveal_often(records))
            self._pending.popleft()
            for record in records:
                self._learn(record)
            is_news = is_news or bool(records)
            await asyncio.sleep(0)  # several segments may be ready; others have work as well
        if is_news:
            self._changed()

    def _bad(self, broken: ChainBroken) -> None:
        log.error("the operator's log holds an object that is no segment of it", problem=str(broken))
