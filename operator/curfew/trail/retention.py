"""States from where on the log is kept (`audit.keepFor`). Curfew itself removes nothing; a rule of the bucket does.

Once a day, the newest segment that is too old to be kept is looked for, and read with the segment after it: both must be
signed and must follow each other. The first one holds the state from which everything after it is verified, and that state
goes into the log. A segment that cannot be read does no harm: then an older one is stated, or none.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta

from curfew.audit.beginning import Beginning, statement
from curfew.audit.checkpoint import KeyRefused, Verifier
from curfew.audit.record import Record
from curfew.audit.rotation import successor
from curfew.audit.segment import ChainBroken, Head, follow, origin, partition, resume, sequence
from curfew.audit.unverified_seal import claimed_day, claimed_key
from curfew.ports import Clock, NamesUnreadable, ObjectMissing, ObjectStore, StoreError
from curfew.trail.lineage import Lineage

STATE_EVERY = timedelta(hours=24)
"""How old the newest statement becomes before the next one is made."""

LOOK_EVERY = 3600.0
"""Seconds between two checks whether a statement is due."""

NO_ANSWER_PAUSE = 60.0
"""Seconds until the store is asked again if it did not answer."""

DAY = timedelta(days=1)

MOST_DAYS = 1000
MOST_LISTED = 100_000
MOST_TRIED, MOST_OPENED = 16, 64
"""Limits: how many partitions are searched at once, how many names are listed in each, and how many are read in each and
in all."""


class Retention:
    """States once a day from where on the log is kept."""

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        submit: Callable[[Iterable[Record]], None],
        *,
        log: str,
        writer: str,
        keep_for: timedelta,
        verifiers: Iterable[Verifier],
        known: Callable[[], Lineage],
    ) -> None:
        """`verifiers` are the keys from the settings. `known` returns what is known about the log, with the earlier keys."""
        self._store = store
        self._clock = clock
        self._submit = submit
        self._log = log
        self._writer = writer
        self._keep_for = keep_for
        self._verifiers = tuple(verifiers)
        self._known = known

    async def run(self) -> None:
        """Make the statements until cancelled."""
        while True:
            try:
                await self._state()
            except StoreError:
                await asyncio.sleep(NO_ANSWER_PAUSE)  # the log's health shows it already
                continue
            await asyncio.sleep(LOOK_EVERY)

    async def _state(self) -> None:
        now, known = self._clock.now(), self._known()
        if known.stated_at is not None and now - known.stated_at < STATE_EVERY:
            return
        found = await self._find(now - self._keep_for, known.stated)
        if found is not None and (known.stated is None or found.segment > known.stated.segment):
            self._submit([statement(found, at=now, keep_for=self._keep_for, writer=self._writer)])

    async def _find(self, until: datetime, before: Beginning | None) -> Beginning | None:
        """Return where the log begins if everything sealed up to `until` is removed; None if no beginning is found."""
        day, first = until.date() - DAY, await self._first_day(before)
        days, objects = MOST_DAYS, MOST_OPENED
        while day >= first and days and objects:
            for name in await self._newest_of(day, objects):
                objects -= 1
                with suppress(ObjectMissing, ChainBroken, KeyRefused):
                    found = await self._begun_after(name)
                    if found.head.at is not None and found.head.at <= until:
                        return found
            day, days = day - DAY, days - 1
        return None

    async def _first_day(self, before: Beginning | None) -> date:
        """Return the first day of the search: nothing can be found before it."""
        if before is not None:
            return before.head.next_day
        try:
            day = claimed_day(await self._store.get(Head.genesis(self._log).next_name()))
        except ObjectMissing:
            day = None
        return day or date.min + DAY

    async def _newest_of(self, day: date, most: int) -> list[str]:
        """Return the names with the highest numbers in a day's partition, the highest first."""
        folder = partition(self._log, day)
        try:
            names = await self._store.list(folder, keep=lambda name: sequence(name) >= 0, most=MOST_LISTED)
        except NamesUnreadable:
            return []
        return sorted(names, key=sequence, reverse=True)[: min(MOST_TRIED, most)]

    async def _begun_after(self, name: str) -> Beginning:
        """Return the beginning of the log if everything up to a segment is removed. Raise if the log cannot begin there."""
        stored = await self._store.get(name)
        claimed = claimed_key(stored, origin(self._log))
        verifier = next((key for key in self._keys() if key.key_hash == claimed), None)
        if verifier is None:
            raise ChainBroken(sequence(name), name, "is not signed by a known key")
        segment, after = resume(name, stored, verifier, self._log)
        following = successor(segment, verifier)
        follow(after, after.next_name(), await self._store.get(after.next_name()), following)
        return Beginning(after, following)

    def _keys(self) -> Iterator[Verifier]:
        """Yield the keys of the log, those in the settings first."""
        yield from self._verifiers
        for key in self._known().keys:
            with suppress(KeyRefused):
                yield Verifier.parse(key)
