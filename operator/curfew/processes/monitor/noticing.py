"""Has written down what calls show besides the use of grants, and looks at the bindings that calls have written.

The feed tells of a binding by name only, and tells of nothing while the monitor is not running. So each binding that is
written is read, and all bindings are listed at the start and every few minutes.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from curfew.audit.canonical import NotCanonical
from curfew.audit.record import Record
from curfew.core.activity.attribution import Found
from curfew.core.activity.call import Call
from curfew.core.activity.noticing.binding import KINDS, BindingKey, SeenBinding
from curfew.core.activity.noticing.noticing import Noticing
from curfew.core.activity.noticing.outside import written_binding
from curfew.core.activity.noticing.records import FoundBy
from curfew.ports import BindingSource, Clock, ClusterError, Forbidden, Invalid, NotFound, TooLarge

log = structlog.get_logger("curfew")

TICK_SECONDS: Final = 2.0
"""How often to see whether something is due, if nothing happens."""

RETRY: Final = timedelta(seconds=10)
FORBIDDEN: Final = timedelta(minutes=5)
"""How long to wait after a failure, and after a refusal: then somebody has to give the right first."""

SOON: Final = timedelta(seconds=10)
"""How long after a list the next one may begin, if there is a reason to list all bindings again."""

FRESH: Final = timedelta(minutes=1)
"""How long a list waits for the feed to tell who made a binding that is new. A call that comes later makes a hole."""

MOST_WANTED: Final = 1_000
"""How many bindings wait to be read. If more are written at once, all are listed."""

MOST_WRITTEN: Final = 1_000
"""Of how many bindings the last call that wrote them is remembered: a policy may offer the role a moment later."""

SECOND: Final = timedelta(seconds=1)
"""Kubernetes keeps times of creation to the second, and the call that creates something begins a little earlier."""


class Noticer:
    """Hands over the records, to `submit`."""

    def __init__(
        self,
        noticing: Noticing,
        source: BindingSource,
        clock: Clock,
        *,
        every: timedelta,
        submit: Callable[[Record], None],
    ) -> None:
        """`every` is how often all bindings are listed."""
        self._noticing = noticing
        self._source = source
        self._clock = clock
        self._every = every
        self._submit = submit
        self._wanted: OrderedDict[BindingKey, Call] = OrderedDict()  # each with the last call that wrote it
        self._written: OrderedDict[BindingKey, Call] = OrderedDict()  # each with the last call that wrote it
        self._woken = asyncio.Event()
        self._is_list_wanted = True
        self._listed_at: datetime | None = None  # when the last list began
        self._not_before: datetime | None = None
        self._offers = 0  # how often offers had changed when all were listed
        self.trouble = "The bindings have not been listed yet."
        """Why bindings outside may be unknown, as a sentence; empty if they are not."""

    def notice(self, call: Call, found: Sequence[Found]) -> Iterable[Record]:
        """Return the records of what a call shows. `found` is what it leads to as the use of a grant."""
        key = written_binding(call)
        if key is not None:
            self._remember(key, call)
            self._want(key, call)
        return tuple(self._noticing.notice(call, found, self._clock.now()))

    def finish(self) -> None:
        """Hand over what is still being counted: the process is about to end."""
        for record in self._noticing.finish():
            self._write(record)

    async def run(self) -> None:
        """Look at bindings, for ever. Both logs have to be read before."""
        while True:
            await self.turn()
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def turn(self) -> None:
        """Do what is due. A failure of the API server raises no error; the same is tried again later."""
        self._woken.clear()
        for record in self._noticing.due(self._clock.now()):
            self._write(record)
        if self._not_before is not None and self._clock.now() < self._not_before:
            return
        try:
            await self._read_wanted()
            if self._is_list_due():
                await self._list()
        except ClusterError as error:
            is_refused = isinstance(error, Forbidden)
            self._not_before = self._clock.now() + (FORBIDDEN if is_refused else RETRY)
            if not self.trouble.endswith(str(error)):
                log.warning("cannot look at bindings", problem=str(error))
            self.trouble = f"Bindings outside Curfew may be unknown: {error}"
        else:
            self._not_before = None

    def _write(self, record: Record) -> None:
        try:
            self._submit(record)
        except NotCanonical as error:  # nothing that an object holds may be in the way of all others
            log.warning("a record cannot be written", record=record.event, problem=str(error))

    # --- what calls have written ------------------------------------------------------------------------------------

    def _want(self, key: BindingKey, call: Call) -> None:
        if not key.name or len(self._wanted) >= MOST_WANTED:
            self._is_list_wanted = True
        elif self._noticing.outside.is_worth_a_look(key):
            self._wanted[key] = call
        else:
            return
        self._woken.set()

    def _remember(self, key: BindingKey, call: Call) -> None:
        self._written[key] = call
        self._written.move_to_end(key)
        if len(self._written) > MOST_WRITTEN:
            self._written.popitem(last=False)

    async def _read_wanted(self) -> None:
        while self._wanted:
            key, call = next(iter(self._wanted.items()))
            try:
                seen = await self._source.binding(key)
            except (Invalid, NotFound, TooLarge) as error:  # of this one alone: the list shows what there is
                log.warning("cannot look at a binding", problem=str(error))
                self._is_list_wanted = True
                if self._wanted.get(key) is call:
                    del self._wanted[key]
                continue
            except ClusterError:
                self._wanted.move_to_end(key)  # the others come first: this one may be to blame
                raise
            if self._wanted.get(key) is call:  # else it was written again, and is read again
                del self._wanted[key]
            now, outside = self._clock.now(), self._noticing.outside
            told = outside.saw(seen, call, FoundBy.FEED, now) if seen else outside.missed(key, call, now)
            for record in told:
                self._write(record)

    # --- all bindings -----------------------------------------------------------------------------------------------

    def _is_list_due(self) -> bool:
        if self._listed_at is None:
            return True
        is_soon = self._is_list_wanted or self._noticing.governed.changes != self._offers
        return self._clock.now() - self._listed_at >= (SOON if is_soon else self._every)

    async def _list(self) -> None:
        """List all bindings. What is written meanwhile is read afterwards."""
        self._is_list_wanted, self._offers = False, self._noticing.governed.changes
        self._listed_at = self._clock.now()
        outside = self._noticing.outside
        missing = {binding.key: binding for binding in outside.known}
        try:
            for kind in KINDS:
                async for seen in self._source.bindings(kind):
                    missing.pop(seen.key, None)
                    call = self._writer(seen)
                    if call is None and self._is_fresh(seen):
                        self._is_list_wanted = True
                    elif seen.key not in self._wanted:
                        how = FoundBy.LIST if call is None else FoundBy.FEED
                        for record in outside.saw(seen, call, how, self._clock.now()):
                            self._write(record)
        except ClusterError:
            self._is_list_wanted = True
            raise
        for record in outside.not_listed(missing.values(), self._clock.now()):
            self._write(record)
        self.trouble = ""

    def _writer(self, seen: SeenBinding) -> Call | None:
        """Return the call that wrote this binding, and not an earlier one of its name, if the feed has told of it."""
        call = self._written.get(seen.key)
        is_older = call is not None and seen.made_at is not None and call.received_at < seen.made_at - SECOND
        return None if is_older else call

    def _is_fresh(self, seen: SeenBinding) -> bool:
        return seen.made_at is not None and abs(self._clock.now() - seen.made_at) < FRESH
