"""The detectors at work over two logs in memory: the process is killed at will, and the logs stay."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from curfew.audit.record import PolicyRef, Record, Story, make_record
from curfew.audit.segment import Head, follow
from curfew.core.detectors.alert import WhichLog
from curfew.core.detectors.all import tunings
from curfew.core.detectors.configuration import changed_configuration
from curfew.core.detectors.engine import Engine
from curfew.core.detectors.many_requests import ManyRequests
from curfew.core.detectors.privilege import Privilege
from curfew.core.detectors.records import told
from curfew.core.notices import Notice
from curfew.processes.monitor.alerting import Alerting
from curfew.processes.monitor.detecting import Detecting
from curfew.processes.monitor.reading import LogReader
from curfew.trail import Appender
from curfew.trail.memory import Memory
from curfew.trail.recovery import records_of
from tests.support.logs import ALog, a_signer, opened
from tests.support.stores import Flaky, MemoryStore
from tests.support.trail import START, LoopClock, Observer, running

OWN = "main-activity"


def asked(number: int, at: datetime, who: str = "alice@example.com") -> Record:
    """Return the record of a request that was understood."""
    story = Story(
        uid=f"uid-{who}-{number}",
        namespace="payments",
        request=f"inc-{number}",
        requester=who,
        policy=PolicyRef("debug", "p-1", 1),
    )
    return make_record("request.accepted", at=at, actor=who, message=f"{who} asks for debug", story=story)


def late_use(at: datetime) -> Record:
    """Return an alert as the monitor records it while it takes calls."""
    story = Story(uid="uid-late", namespace="payments", request="inc-late", requester="bob@example.com")
    return make_record(
        "alert.used_after_end", at=at, actor="bob@example.com", message="used after its end", story=story, detail={}
    )


@dataclass
class Events:
    """Takes Events, and may hold them back."""

    is_idle: bool = True
    posted: list[Notice] = field(default_factory=list)

    def post(self, notice: Notice) -> None:
        """Note it."""
        self.posted.append(notice)


@dataclass
class Numbers:
    """Counts alerts."""

    alerts: list[tuple[str, str, bool]] = field(default_factory=list)
    ok: list[bool] = field(default_factory=list)

    def alert(self, detector: str, severity: str, *, is_silenced: bool) -> None:
        """Count."""
        self.alerts.append((detector, severity, is_silenced))

    def alert_recorded(self, seconds: float) -> None:
        """Nothing here depends on it."""

    def set_detection(self, *, ok: bool) -> None:
        """Note it."""
        self.ok.append(ok)

    def detection_started(self, seconds: float) -> None:
        """Nothing here depends on it."""

    def set_detection_losses(self, unreadable: Mapping[str, int], dropped: int) -> None:
        """Nothing may be lost here."""
        assert not unreadable
        assert not dropped


class Watching(Observer):
    """Hands durable records on, unless the process is killed just then."""

    alerting: Alerting | None = None
    detecting: Detecting | None = None

    def durable(self, records: Sequence[Record]) -> None:
        """Report them."""
        super().durable(records)
        if self.alerting is not None:
            self.alerting.durable(records)
        if self.detecting is not None:
            self.detecting.changed()


class Monitor:
    """The detectors over a trail and a log of their own. What is killed is made anew over the same stores."""

    def __init__(self, trail: Flaky, own: Flaky, start: datetime, settings: Mapping[str, Any]) -> None:
        self.clock = LoopClock(start)
        self.events, self.numbers, self.observer = Events(), Numbers(), Watching()
        self.notified: list[Record] = []
        self.log = Appender(
            own,
            self.clock,
            a_signer(OWN),
            OWN,
            "monitor-1",
            observer=self.observer,
            remember=partial(Memory, OWN),
            jitter=lambda: 1.0,
        )
        tuned = tunings(settings, {})
        # One alone: others would find things to say about these short logs.
        detectors = Engine([ManyRequests(tuned["ManyRequests"], Privilege(()))], log=OWN, now=start)
        self.alerting = Alerting(
            self.events,
            self.clock,
            self.numbers,
            home="curfew-system",
            is_silenced=lambda alert: detectors.silences.covering(alert) is not None,
            notify=self.notified.append,
        )
        self.detecting = Detecting(
            LogReader(trail, "main", None, WhichLog.TRAIL, None),
            LogReader(own, OWN, None, WhichLog.ACTIVITY, None),
            detectors,
            self.clock,
            look_back=timedelta(days=90),
            configured=lambda before, at: changed_configuration(tuned, before, OWN, at),
            submit=lambda record: self.log.submit([record]),
            reports=self.alerting,
            numbers=self.numbers,
        )

    @property
    def reasons(self) -> list[str]:
        """The reasons of the Events that were posted."""
        return [notice.reason for notice in self.events.posted]


class Place:
    """A trail that grows, and the log of activity, which outlives each monitor."""

    def __init__(self) -> None:
        self.trail_log, self.trail, self.own = ALog(), Flaky(), Flaky()
        self.grow(opened(self.trail_log.signer), at=START - timedelta(hours=3))

    def grow(self, *records: Record, at: datetime) -> None:
        """Append a segment to the trail."""
        self.trail_log.append(records, at)
        self.trail.objects |= self.trail_log.objects

    @asynccontextmanager
    async def monitored(
        self,
        start: datetime = START,
        *,
        reports: bool = True,
        settings: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[Monitor]:
        """Run a monitor for as long as the block; then it is killed. Without `reports`, it is killed before it reports."""
        loop = asyncio.get_running_loop()
        monitor = Monitor(self.trail, self.own, start - timedelta(seconds=loop.time()), settings or {})
        monitor.observer.detecting = monitor.detecting
        if reports:
            monitor.observer.alerting = monitor.alerting
        await monitor.log.open()
        async with running(monitor.log):
            task = asyncio.create_task(monitor.detecting.run())
            try:
                yield monitor
            finally:
                task.cancel()
                await asyncio.wait([task])

    def records(self, event: str) -> list[Record]:
        """Return the records of an event in the log of activity."""
        return [record for record in _all(self.own) if record.event == event]

    def alerts(self) -> list[str]:
        """Return the detectors of all alerts that the log holds."""
        return [alert.detector for record in _all(self.own) if (alert := told(record)) is not None]


def _all(store: MemoryStore) -> list[Record]:
    """Return all records of the log of activity, which has to verify."""
    head, verifier, found = Head.genesis(OWN), a_signer(OWN).verifier, list[Record]()
    while head.next_name() in store.objects:
        segment, head = follow(head, head.next_name(), store.objects[head.next_name()], verifier)
        found += records_of(segment)
    return found


def many(since: datetime, number: int = 4, who: str = "alice@example.com") -> list[Record]:
    """Return requests of one person, a minute apart."""
    return [asked(each, since + timedelta(minutes=each), who) for each in range(number)]
