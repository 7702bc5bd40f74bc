"""Kubernetes Events, for people who watch: posted once, in the background, and dropped rather than delaying anything.

They are never the audit trail. The name of an Event is derived from its content. So if it is posted again, after a
restart or by another replica, there is still only one.
"""

import asyncio
import hashlib
import re
import socket
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import structlog

from curfew.core.notices import Notice
from curfew.ports import AlreadyExists, Clock, ClusterError, Json, Unavailable

CONTROLLER = "curfew.dev/curfew"
"""The reportingController of our Events."""

DropObserver = Callable[[str], None]
"""Called for each Event that is dropped, with the reason: QueueFull, Refused or Unavailable."""

_NOTE_BYTES = 1024  # the longest note that the API server accepts
_INSTANCE_CHARACTERS = 128
_NAME_CHARACTERS = 40  # of the object's name, at the start of the Event's name
_REMEMBERED = 10_000  # names of posted Events, so that most repetitions need no call
_ATTEMPTS = 8  # 45 s in all; if the API server is away for longer, an old Event no longer matters
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0  # seconds between attempts, doubled each time

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

_log = structlog.get_logger(__name__)


class EventStore(Protocol):
    """Where Events are created: `KubeCluster`."""

    async def create_event(self, manifest: Json) -> None:
        """Create an Event, or raise a `ClusterError`."""
        ...


class Recorder:
    """Accepts notices from anywhere at any time, and posts them one by one in a task of its own."""

    def __init__(
        self,
        store: EventStore,
        clock: Clock,
        dropped: DropObserver,
        *,
        capacity: int = 1000,
        instance: str | None = None,
    ) -> None:
        """`capacity`: the most notices that may wait. `instance`: who reports; the host's name if it is None."""
        self._store = store
        self._clock = clock
        self._dropped = dropped
        self._capacity = capacity
        self._instance = (instance or socket.gethostname())[:_INSTANCE_CHARACTERS]
        self._waiting: deque[dict[str, Any]] = deque()
        self._told: OrderedDict[str, None] = OrderedDict()
        self._some = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()

    def post(self, notice: Notice) -> None:
        """Queue a notice. Returns at once and never fails; if the queue is full, the oldest notice in it is dropped."""
        name = event_name(notice)
        if name in self._told:
            return
        if len(self._waiting) >= self._capacity:
            self._give_up(self._waiting.popleft(), "QueueFull")
        self._waiting.append(render_event(notice, name, self._clock.now(), self._instance))
        self._told[name] = None
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        self._none.clear()
        self._some.set()

    @property
    def is_idle(self) -> bool:
        """Whether no notice is left in the queue."""
        return not self._waiting

    async def run(self) -> None:
        """Post the queued notices, until cancelled."""
        while True:
            await self._some.wait()
            event = self._waiting[0]
            await self._send(event)
            if self._waiting and self._waiting[0] is event:  # it may have been dropped in the meantime
                self._waiting.popleft()
            if not self._waiting:
                self._some.clear()
                self._none.set()

    async def drained(self) -> None:
        """Wait until no notice is left in the queue. `run` must be running; the caller sets the limit."""
        await self._none.wait()

    async def _send(self, event: dict[str, Any]) -> None:
        """Post one Event. Try again if the API server does not answer, but never if it refuses."""
        pause = _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._store.create_event(event)
            except AlreadyExists:
                return
            except Unavailable as error:
                if attempt == _ATTEMPTS:
                    _log.warning("event given up", event_name=event["metadata"]["name"], why=str(error))
                    self._give_up(event, "Unavailable")
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except ClusterError as error:
                _log.warning("event refused", event_name=event["metadata"]["name"], why=str(error))
                self._give_up(event, "Refused")
                return
            else:
                return

    def _give_up(self, event: dict[str, Any], why: str) -> None:
        """Drop an Event, so that it may be posted again later."""
        self._told.pop(event["metadata"]["name"], None)
        self._dropped(why)


def event_name(notice: Notice) -> str:
    """Return the name of the Event for a notice: the same for the same object, reason and key."""
    told = "\0".join((notice.regarding.uid, notice.reason, notice.key))
    prefix = notice.regarding.name[:_NAME_CHARACTERS].rstrip("-.")
    if not _SUBDOMAIN.fullmatch(prefix):  # the names of RBAC objects may hold any character
        prefix = re.sub(r"[^a-z0-9]+", "-", prefix.lower()).strip("-") or "object"
    return f"{prefix}.{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def render_event(notice: Notice, name: str, at: datetime, instance: str) -> dict[str, Any]:
    """Return the manifest of the Event for a notice."""
    about = notice.regarding
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": notice.namespace},
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": instance,
        "regarding": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "name": about.name,
            "namespace": about.namespace,
            "uid": about.uid,
        },
        "type": notice.type,
        "reason": notice.reason,
        "action": notice.action,
        "note": _shortened(notice.note),
    }


def _shortened(note: str) -> str:
    """Return a note that the API server accepts, with an ellipsis if it was cut."""
    if len(note.encode()) <= _NOTE_BYTES:
        return note
    return note.encode()[: _NOTE_BYTES - len("…".encode())].decode(errors="ignore") + "…"
