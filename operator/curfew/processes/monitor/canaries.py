"""Test calls in rounds: one call of each class, which must all arrive as audit events. This shows that the feed is whole.

A round is confirmed when all its calls have arrived, as many API servers as there are were heard since it began, and no batch
is to come again. Batches are sent side by side: those that arrived before the round's last one must be done, and an older one
that is still on its way gets as much time as the round's own calls took. Two confirmed rounds in a row cover the time between
them.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import structlog

from curfew.audit.record import Record
from curfew.core.activity import records
from curfew.core.activity.call import Call
from curfew.core.activity.canary_calls import CanaryClass, is_canary
from curfew.ports import Clock, ClusterError, MonitoredCluster
from curfew.processes.monitor.feed import GIVE_UP, Feed, Lost

log = structlog.get_logger("curfew")

LEAST_PAUSE_SECONDS = 1.0
"""Between the beginnings of two rounds, however many sessions end."""

CHECK_SECONDS = 0.25
"""How often to look whether a round is confirmed, while one is under way."""

SETTLE_SECONDS = (0.25, 2.0)
"""The least and the most time that a batch may be overtaken by a later one, once a round has arrived."""

MOST_ROUNDS = 400
"""Rounds under way: `GIVE_UP` at one in `LEAST_PAUSE_SECONDS`, and some more."""


@dataclass(slots=True)
class Round:
    """One call of each class."""

    at: datetime  # before the first call; by our clock or the API server's, whichever is earlier
    missing: dict[str, CanaryClass]  # by Audit-ID, the calls that did not arrive yet
    made_at: datetime | None = None  # when the last call had its answer
    arrived_at: datetime | None = None  # when the last event arrived
    arrivals: int = 0  # how many batches had arrived by then
    problems: list[str] = field(default_factory=list)  # why calls were not made


class Canaries:
    """Makes the rounds, and keeps what follows from them: up to when the feed is known to be whole."""

    def __init__(
        self,
        cluster: MonitoredCluster,
        feed: Feed,
        clock: Clock,
        *,
        log: str,
        namespace: str,
        every: timedelta,
        servers: int | Literal["Leases"],
        submit: Callable[[Record], None],
        lost: Lost,
        look_for_drops: Callable[[], Awaitable[None]],
        arrived: Callable[[float], None],
        changed: Callable[[], None],
    ) -> None:
        """`log` is the name of the monitor's log, `namespace` Curfew's own; `servers` is how many API servers there are.

        `submit` is called with records of confirmed coverage, `lost` with holes, `look_for_drops` in each
        round, `arrived` with the seconds that a test
        call's event took, and `changed` when a round was confirmed or given up.
        """
        self._cluster = cluster
        self._feed = feed
        self._clock = clock
        self._log = log
        self._namespace = namespace
        self._every = every.total_seconds()
        self._leases = servers == "Leases"
        self.servers = servers if isinstance(servers, int) else 0
        """How many API servers there are; 0 if that is not known."""
        self._holders: tuple[Mapping[str, str], datetime] = {}, clock.now()  # the leases, and when they were asked for
        self._submit = submit
        self._lost = lost
        self._look_for_drops = look_for_drops
        self._arrived = arrived
        self._changed = changed
        self._rounds: list[Round] = []  # under way, in the order of their beginnings
        self._expected: dict[str, Round] = {}  # by Audit-ID
        self._wanted = asyncio.Event()
        self._whole_since: datetime | None = None  # the last confirmed round; None: the time before is not covered
        self._told_at: datetime | None = None
        self.trouble = "No test call has arrived yet."
        """Why the feed is not known to be whole now, as a sentence; empty if it is."""

    def want_round(self) -> None:
        """Have a round made soon: somebody waits to know that everything up to now has arrived."""
        self._wanted.set()

    def is_under_way(self, since: datetime) -> bool:
        """Whether a round that began at this time or later is not confirmed yet."""
        return any(round_.at >= since for round_ in self._rounds)

    async def run(self) -> None:
        """Make rounds, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._make_rounds())
            group.create_task(self._check_rounds())

    # --- making rounds ----------------------------------------------------------------------------------------------

    async def _make_rounds(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._wanted.clear()
            if len(self._rounds) < MOST_ROUNDS:
                await self.make_round()
            await asyncio.sleep(max(0.0, began + LEAST_PAUSE_SECONDS - loop.time()))
            try:
                async with asyncio.timeout(max(0.0, began + self._every - loop.time())):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def make_round(self) -> None:
        """Make one call of each class, and find out how many API servers there are, and whether they have lost events."""
        calls = {str(uuid.uuid4()): class_ for class_ in CanaryClass}
        round_ = Round(self._clock.now(), dict(calls))
        self._rounds.append(round_)
        self._expected |= dict.fromkeys(calls, round_)
        await asyncio.gather(
            self._count_servers(),
            self._look_for_drops(),
            *(self._call(round_, class_, audit_id) for audit_id, class_ in calls.items()),
        )
        round_.made_at = self._clock.now()

    async def _call(self, round_: Round, class_: CanaryClass, audit_id: str) -> None:
        try:
            await self._cluster.canary(class_, audit_id)
        except ClusterError as error:
            round_.problems.append(str(error))

    async def _count_servers(self) -> None:
        if not self._leases:
            return
        at = self._clock.now()
        try:
            holders = await self._cluster.api_servers()
        except ClusterError as error:
            log.warning("cannot count the API servers", problem=str(error))
            self.servers = 0  # there may be more by now, and nobody would miss them
            return
        known, since = self._holders
        if any(name in known and known[name] != holder for name, holder in holders.items()):
            self._lost(since - GIVE_UP, self._clock.now(), "an API server was started again; it may have lost events")
        self._holders, self.servers = (holders, at), len(holders)

    # --- what arrives -----------------------------------------------------------------------------------------------

    def take(self, call: Call) -> bool:
        """Whether a call is one of ours, which is then noted. Anybody may send any Audit-ID; nobody can guess ours."""
        round_ = self._expected.get(call.audit_id)
        if round_ is None:
            return False
        class_ = round_.missing.get(call.audit_id)
        if class_ is None or not is_canary(class_, self._namespace, call):
            return False
        del round_.missing[call.audit_id]
        round_.arrived_at, round_.arrivals = self._clock.now(), self._feed.arrivals
        self._arrived((self._clock.now() - round_.at).total_seconds())
        round_.at = min(round_.at, call.received_at)
        return True

    async def _check_rounds(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self.check()

    def check(self) -> None:
        """Confirm or give up the rounds for which it is time."""
        self._feed.give_up()
        while self._rounds:
            round_ = self._rounds[0]
            missing = self._what_is_missing(round_)
            if missing and self._clock.now() - round_.at <= GIVE_UP:
                self._look_late(round_, missing)
                return
            del self._rounds[0]
            self._expected = {id_: other for id_, other in self._expected.items() if other is not round_}
            if missing:
                self._give_up(round_, missing)
            else:
                self._confirm(round_)
            self._changed()

    def _what_is_missing(self, round_: Round) -> str:
        """Return why a round is not confirmed, as words; empty if nothing is missing."""
        if round_.made_at is None:
            return "the API server does not answer"
        if round_.missing:
            late = ", ".join(sorted(round_.missing.values()))
            told = f" ({round_.problems[0]})" if round_.problems else ""
            return f"no audit event arrived of the test call {late}{told}"
        if not self.servers:
            return "it is not known how many API servers there are"
        heard = len(self._feed.heard_since(round_.at))
        if heard < self.servers:
            return f"{heard} of {self.servers} API servers were heard"
        if self._feed.is_waiting:
            return "a batch of audit events is to come again"
        if not self._feed.is_done(round_.arrivals):
            return "a batch of audit events is not recorded yet"
        return "" if self._is_settled(round_) else "batches that were sent earlier may still arrive"

    def _is_settled(self, round_: Round) -> bool:
        assert round_.made_at is not None and round_.arrived_at is not None  # noqa: S101, PT018  the caller looked
        least, most = SETTLE_SECONDS
        took = (round_.arrived_at - round_.made_at).total_seconds()
        return (self._clock.now() - round_.arrived_at).total_seconds() >= min(max(took, least), most)

    def _look_late(self, round_: Round, missing: str) -> None:
        if (self._clock.now() - round_.at).total_seconds() > self._every:
            self.trouble = f"The feed of audit events is behind: {missing}."

    def _confirm(self, round_: Round) -> None:
        since, until = self._whole_since, round_.at
        if since is not None and since < until:
            self._submit(
                records.coverage_confirmed(
                    self._log,
                    since=since,
                    until=until,
                    sources=self._feed.heard_since(since),
                    servers=self.servers,
                    classes=tuple(CanaryClass),
                )
            )
        self._whole_since = until if since is not None else round_.made_at
        self.trouble = ""

    def _give_up(self, round_: Round, missing: str) -> None:
        now = self._clock.now()
        self.trouble = f"The feed of audit events is not whole: {missing}."
        if self._whole_since is not None or self._told_at is None or now - self._told_at >= GIVE_UP:
            self._told_at = now
            self._lost(self._whole_since or round_.at, now, missing)
        self._whole_since = None
