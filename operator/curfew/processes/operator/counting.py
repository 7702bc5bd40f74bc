"""Counts the refused requests that have no records of their own, and writes one record for each person, namespace and hour.

A counted request is labelled closed as soon as it is answered, so that a flood does not fill the memory. Another label and
the status show the hour of its count. At a start, these requests are listed, and counting goes on. Decision 0049 lists what
a crash can lose.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from pydantic import ValidationError

from curfew.api.access_request import AccessRequest
from curfew.audit.receipt import Receipt
from curfew.audit.record import Record, record_id
from curfew.core.counting import (
    HOUR,
    OWN_RECORDS,
    SETTLED_AFTER,
    Tally,
    TallyKey,
    counted,
    counted_key,
    hour_of,
    others,
)
from curfew.core.facts import TrailState
from curfew.core.refused_or_withdrawn import MOST_KEYS, RefusedOrWithdrawn
from curfew.ports import Clock, ClusterError
from curfew.processes.operator.known import Store

log = structlog.get_logger("curfew")

LOOK_SECONDS = 5.0
"""How often to check whether a count is due."""

AHEAD = 2 * HOUR
"""If a status names an hour later than this, the current hour is used: nobody except Curfew should write a status."""


class CountingTrail(Protocol):
    """What counting needs from the trail. Nothing here waits."""

    def submit(self, records: Iterable[Record]) -> None:
        """Hand records over. Records that were already handed over, or are durable, are ignored."""
        ...

    def receipt(self, record_id: str) -> Receipt | None:
        """Return the receipt of a durable record, or None."""
        ...

    def remembers(self, since: datetime) -> bool:
        """Whether each record that was written since `since` is known; False while the trail is not open."""
        ...

    @property
    def refused_or_withdrawn(self) -> RefusedOrWithdrawn:
        """The refusals and withdrawals in the log from this hour and the hour before."""
        ...

    @property
    def health(self) -> TrailState:
        """Whether records become durable now."""
        ...


class CountedRequests(Protocol):
    """Lists the requests that an earlier process has counted."""

    def counted_requests(self) -> AsyncIterator[Mapping[str, Any]]:
        """Yield all AccessRequests that are labelled as counted, a page at a time."""
        ...


class Counting:
    """The counts that are not in the log yet."""

    def __init__(self, store: Store, cluster: CountedRequests, trail: CountingTrail, clock: Clock) -> None:
        """Start empty."""
        self._store = store
        self._cluster = cluster
        self._trail = trail
        self._clock = clock
        self._refused_or_withdrawn = RefusedOrWithdrawn()  # includes what is on its way to the log
        self._tallies: dict[TallyKey, Tally] = {}
        self._told: set[TallyKey] = set()  # the counts with records that were handed over
        self._in_flight: defaultdict[TallyKey, set[str]] = defaultdict(set)  # refusals that are being written
        self._before_known: set[str] = set()  # counted by this process before it knew what earlier processes counted
        self._is_known = False
        self._whole_since = clock.now()  # since when no counted request was deleted unseen

    # --- what a decision needs to know ------------------------------------------------------------------------------

    def withdrawn(self, request: AccessRequest, now: datetime) -> int:
        """Return how many requests of the same person were withdrawn in the same namespace in this hour."""
        who, namespace = request.spec.requester, request.metadata.namespace
        return len(
            self._refused_or_withdrawn.withdrawn(who, namespace, now)
            | self._trail.refused_or_withdrawn.withdrawn(who, namespace, now)
        )

    def key_for(self, request: AccessRequest, now: datetime) -> TallyKey | None:
        """Return the count that a request belongs to if it is refused now, or None if it has records of its own."""
        uid = request.metadata.uid
        if request.status.decisions or self._trail.receipt(record_id(uid, "request.created")) is not None:
            return None  # somebody decided, or the log has its story: an older state of etcd was restored
        key = self._refused_or_withdrawn.slot(
            TallyKey(request.spec.submitted_by, request.metadata.namespace, hour_of(now))
        )
        own = self._refused_or_withdrawn.refused(key) | self._trail.refused_or_withdrawn.refused(key)
        if uid in own or len(own) < OWN_RECORDS:
            return None
        while self._is_told(key):  # the clock was set back between two processes
            key = key.later()
        return key

    def _is_told(self, key: TallyKey) -> bool:
        return key in self._told or self._trail.receipt(key.record_id) is not None

    # --- what happens -----------------------------------------------------------------------------------------------

    def learn(self, records: Iterable[Record]) -> None:
        """Learn from records that are handed over to the log or put into a status."""
        for record in records:
            self._refused_or_withdrawn.learn(record)

    def begin(self, key: TallyKey, uid: str) -> None:
        """Note that a refusal is being written into a status: the count waits for it."""
        self._in_flight[key].add(uid)

    def end(self, key: TallyKey, uid: str) -> None:
        """Note that the refusal was written, or could not be written."""
        self._in_flight[key].discard(uid)
        if not self._in_flight[key]:
            del self._in_flight[key]

    def closing(self, request: AccessRequest) -> None:
        """Note that a counted request is being labelled: the listing of labelled requests skips it."""
        if not self._is_known:
            self._before_known.add(request.metadata.uid)

    def count(self, request: AccessRequest) -> None:
        """Count a refused request, once. It was labelled closed or deleted, and is forgotten from now on."""
        key = counted_key(request)
        if key is not None and not self._is_told(key):
            self._add(self._tallies, key, request)

    def is_settled(self, request: AccessRequest) -> bool:
        """Whether nothing is left to be written for the count that a request is in, if it is in one."""
        key = counted_key(request)
        if key is None:
            return True
        is_durable = self._trail.receipt(key.record_id) is not None or not self._trail.remembers(key.hour)
        return self._is_known and key not in self._tallies and is_durable

    def _add(self, tallies: dict[TallyKey, Tally], key: TallyKey, request: AccessRequest) -> None:
        this_hour = hour_of(self._clock.now())
        if key.hour > this_hour + AHEAD:
            key = key._replace(hour=this_hour)
        if key not in tallies and len(tallies) >= MOST_KEYS:
            key = others(key.hour)
        tallies.setdefault(key, Tally()).add(request)

    # --- what becomes due -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Count what earlier processes have left, and write each count when it is due."""
        while True:
            if not self._is_known and self._trail.health.is_open and self._store.is_synced:
                try:
                    await self.find_counted()
                except ClusterError as error:
                    log.warning("cannot list counted requests yet", problem=str(error), again_in=LOOK_SECONDS)
            self.tell()
            await asyncio.sleep(LOOK_SECONDS)

    def start_over(self) -> None:
        """Forget all counts, and count again what exists: the API server's state went back."""
        self._tallies.clear()
        self._before_known.clear()
        self._is_known = False
        self._whole_since = self._clock.now()

    def leave(self) -> None:
        """Forget everything: another process counts from now on, and what was on its way to the log may not have arrived."""
        self.start_over()
        self._told.clear()
        self._refused_or_withdrawn = RefusedOrWithdrawn()

    async def find_counted(self) -> None:
        """Count the requests that earlier processes counted but did not write a record for. Raise a `ClusterError`."""
        found: dict[TallyKey, Tally] = {}
        async for body in self._cluster.counted_requests():
            try:
                request = AccessRequest.model_validate(body)
            except ValidationError:
                continue  # nothing is known about it
            key = counted_key(request)
            if key is not None and request.metadata.uid not in self._before_known and not self._is_past(key):
                self._add(found, key, request)
        for key, tally in found.items():
            self._tallies.setdefault(key, Tally()).merge(tally)
        self._before_known.clear()
        self._is_known = True

    def _is_past(self, key: TallyKey) -> bool:
        """Whether a count is in the log, or is so old that the log may hold it although nobody remembers."""
        return self._is_told(key) or not self._trail.remembers(key.hour)

    def tell(self) -> None:
        """Hand over the records of all counts that are due."""
        if not self._is_known or not self._trail.health.is_open:
            return
        now = self._clock.now()
        for key in (*self._tallies, *self._store.counted_keys()):
            is_due = now >= key.hour + HOUR + SETTLED_AFTER and not self._in_flight.get(key)
            if is_due and not self._is_past(key):
                self._tell(key, now)
        self._tallies = {key: tally for key, tally in self._tallies.items() if not self._is_past(key)}
        self._told = {key for key in self._told if key.hour >= now - timedelta(hours=25)}

    def _tell(self, key: TallyKey, now: datetime) -> None:
        tally = Tally()
        tally.merge(self._tallies.get(key, Tally()))
        for request in self._store.counted(key):  # answered and not yet labelled
            tally.add(request)
        if tally.total:
            self._trail.submit((counted(key, tally, at=now, is_exact=self._whole_since <= key.hour),))
            self._told.add(key)
