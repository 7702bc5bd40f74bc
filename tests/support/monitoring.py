"""The monitor's parts around its log in memory, on the event loop's time; what is around them is played by the test."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from curfew.api.times import format_time
from curfew.audit.record import Record
from curfew.core.activity.call import Call
from curfew.core.activity.external.mapping import LineMapping
from curfew.core.activity.formats.forms import Form
from curfew.core.activity.sessions import Sessions
from curfew.ports import Batch
from curfew.processes.monitor.durability import Durability
from curfew.processes.monitor.feed import Feed
from curfew.processes.monitor.intake import Intake
from curfew.processes.monitor.recollection import Recollection
from curfew.trail import Appender
from tests.support.builders import NOON
from tests.support.logs import a_signer
from tests.support.stores import MemoryStore
from tests.support.trail import LoopClock, Observer, running, until

LOG = "main-activity"
SPAN = timedelta(hours=49)


def event(call: Call) -> dict[str, Any]:
    """Return a call as the API server writes it (audit.k8s.io/v1); `tests/recorded/audit_events` has real ones."""
    annotations = {
        "authorization.k8s.io/decision": call.decision,
        "authorization.k8s.io/reason": call.reason,
        "authentication.kubernetes.io/issued-credential-id": call.issued_credential,
    }
    extra = {"authentication.kubernetes.io/credential-id": [call.caller.credential]} if call.caller.credential else {}
    place = {
        "resource": call.resource,
        "subresource": call.subresource,
        "namespace": call.namespace,
        "name": call.name,
        "apiGroup": call.group,
        "apiVersion": call.version,
    }
    return {
        "level": "Metadata",
        "auditID": call.audit_id,
        "stage": str(call.stage),
        "requestURI": call.uri,
        "verb": call.verb,
        "user": {"username": call.caller.name, "groups": list(call.caller.groups), "extra": extra},
        "sourceIPs": list(call.source_addresses),
        "userAgent": call.user_agent,
        "objectRef": {key: value for key, value in place.items() if value},
        "responseStatus": {"metadata": {}, "code": call.code},
        "requestReceivedTimestamp": format_time(call.received_at),
        "stageTimestamp": format_time(call.at),
        "annotations": {key: value for key, value in annotations.items() if value is not None},
    }


def event_list(*calls: Call, source: str = "node-1") -> Batch:
    """Return calls as the API server's webhook backend sends them."""
    items = [event(call) for call in calls]
    body = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items}
    return Batch(source, Form.KUBERNETES, json.dumps(body).encode(), is_lines=False)


class Followed:
    """The operator's log, which is current unless the test holds it back."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = 0
        self.is_current = asyncio.Event()
        self.is_current.set()

    async def current(self) -> None:
        """Return when the test lets it."""
        self.asked += 1
        await self.is_current.wait()
        if self.error is not None:
            raise self.error


class NoCanaries:
    """No test calls are waited for."""

    def take(self, call: Call) -> bool:
        """Whether it is one of ours: never."""
        return False


@dataclass
class Counted:
    """Counts what arrives."""

    events: list[tuple[str, int]] = field(default_factory=list)
    refused: list[tuple[str, int]] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)

    def event(self, outcome: str, number: int = 1) -> None:
        """Count events that could be read."""
        self.events.append((outcome, number))

    def events_refused(self, reason: str, number: int) -> None:
        """Count events that could not be read."""
        self.refused.append((reason, number))

    def lines_not_taken(self, reason: str, number: int) -> None:
        """Count lines of other systems that became no record."""
        self.refused.append((reason, number))

    def set_waiting(self, size: int) -> None:
        """Note how many bytes wait."""
        self.waiting.append(size)


class _Moving(Observer):
    def __init__(self, durability: Durability) -> None:
        super().__init__()
        self._durability = durability

    def durable(self, records: Iterable[Record]) -> None:
        super().durable(tuple(records))
        self._durability.moved()


class AnIntake:
    """The way in, over a log in a store; what is killed is made anew over the same store and the same trail."""

    def __init__(
        self,
        trail: Iterable[Record],
        store: MemoryStore | None = None,
        *,
        mappings: Mapping[str, LineMapping] | None = None,
        start: datetime = NOON + timedelta(minutes=10, seconds=5),
    ) -> None:
        self.store = store if store is not None else MemoryStore()
        self.clock = LoopClock(start)
        self.sessions = Sessions()
        for record in trail:
            self.sessions.learn(record)
        self.followed = Followed()
        self.numbers = Counted()
        self.holes: list[str] = []
        self.feed = Feed(self.clock, lambda since, at, why: self.holes.append(why))
        durability = Durability()
        self.observer = _Moving(durability)
        self.own = Appender(
            self.store,
            self.clock,
            a_signer(LOG),
            LOG,
            "monitor-1",
            observer=self.observer,
            remember=partial(Recollection, LOG, self.sessions, SPAN),
            window=SPAN,
            jitter=lambda: 1.0,
        )
        self.intake = Intake(
            self.followed,
            self.own,
            durability,
            NoCanaries(),
            self.feed,
            self.clock,
            self.numbers,
            sessions=self.sessions,
            mappings=mappings or {},
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["AnIntake"]:
        """Write the log as long as the block."""
        await self.own.open()
        async with running(self.own):
            await self.healthy()
            yield self

    async def healthy(self) -> None:
        """Return when records become durable."""
        await until(self.observer, lambda: self.own.health.ok)
