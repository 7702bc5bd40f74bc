"""Kubernetes Events, for people who watch: posted once, in the background, and dropped rather than delaying anything.

They are never the audit trail. The name of an Event is derived from its content. So if it is posted again, after a
restart or by another replica, there is still only one. An Event waits while anything waits that gives or ends access, for
a bounded time. If many Events wait, only the latest about each object is posted.
"""

import asyncio
import hashlib
import re
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import structlog

from curfew.core.circle import Circle
from curfew.core.notices import Notice
from curfew.ports import AlreadyExists, Clock, ClusterError, Forbidden, Json, Unavailable

CONTROLLER = "curfew.dev/curfew"
"""The reportingController of our Events."""

DropObserver = Callable[[str], None]
"""Called for each Event that is dropped, with the reason: QueueFull, Superseded, Refused or Unavailable."""

PATIENCE = 5.0
"""How long Events wait for everything else, in seconds. After that, one Event is posted every `TRICKLE` seconds."""

TRICKLE = 0.05
"""Seconds between two Events while there is always something that comes before them."""

CROWD = 100
"""How many Events may wait before a newer one takes the place of an older one about the same object."""

REFUSALS = 6
"""How often an Event is posted that the API server refuses: an API server that has just started refuses what it will accept
soon. The pauses between the attempts add up to 15.5 seconds."""

_NOTE_BYTES = 1024  # the longest note that the API server accepts
_INSTANCE_CHARACTERS = 128
_NAME_CHARACTERS = 40  # of the object's name, at the start of the Event's name
_REMEMBERED = 10_000  # names of posted Events, so that most repetitions need no call
_NAMESPACES = 1000  # namespaces that are remembered because they refuse Events
_ATTEMPTS = 8  # 45 s in all; if the API server is away for longer, an old Event no longer matters
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0  # seconds between attempts, doubled each time

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

_log = structlog.get_logger(__name__)


class EventStore(Protocol):
    """Where Events are created: `KubeCluster`."""

    async def create_event(self, manifest: Json) -> None:
        """Create an Event, or raise a `ClusterError`."""
        ...


@dataclass(slots=True)
class _Entry:
    """An Event that waits."""

    source: str  # whose flood it may belong to
    event: dict[str, Any]
    refusals: int = 0

    @property
    def name(self) -> str:
        name: str = self.event["metadata"]["name"]
        return name


async def nothing_else() -> None:
    """Wait for nothing: Events are all there is to do."""


class Recorder:
    """Accepts notices from anywhere at any time, and posts them one by one in a task of its own."""

    def __init__(
        self,
        store: EventStore,
        clock: Clock,
        dropped: DropObserver,
        *,
        calm: Callable[[], Awaitable[None]] = nothing_else,
        capacity: int = 1000,
        instance: str | None = None,
    ) -> None:
        """`calm` returns when nothing waits that comes before Events. `capacity`: the most notices that may wait.

        `instance`: who reports; the host's name if it is None.
        """
        self._store = store
        self._clock = clock
        self._dropped = dropped
        self._calm = calm
        self._capacity = capacity
        self._instance = (instance or socket.gethostname())[:_INSTANCE_CHARACTERS]
        self._waiting: Circle[_Entry] = Circle(capacity)
        self._refused: OrderedDict[str, tuple[_Entry, asyncio.TimerHandle]] = OrderedDict()  # to be posted again
        self._refusing: OrderedDict[str, None] = OrderedDict()  # namespaces that refuse Events for good
        self._about: dict[
            tuple[str, str], str
        ] = {}  # object and source: its latest Event that waits and can be superseded
        self._told: OrderedDict[str, None] = OrderedDict()
        self._calm_at = 0.0  # when there was last nothing else to do
        self._sending: _Entry | None = None
        self._some = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()

    def post(self, notice: Notice) -> None:
        """Queue a notice. Returns at once and never fails.

        If the queue is full, the oldest notice is dropped, of the person or namespace that has most of them.
        """
        name = event_name(notice)
        if name in self._told:
            return
        entry = _Entry(notice.person or notice.namespace, render_event(notice, name, self._clock.now(), self._instance))
        if notice.type == "Normal" and notice.regarding.uid:
            self._supersede((notice.regarding.uid, entry.source), name)
        while self._refused and len(self._waiting) + len(self._refused) >= self._capacity:
            _, (oldest, timer) = self._refused.popitem(last=False)
            timer.cancel()
            self._give_up(oldest, "QueueFull")
        self._wait(entry)
        self._told[name] = None
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)

    @property
    def is_idle(self) -> bool:
        """Whether no notice is left in the queue."""
        return not self._waiting and not self._refused and self._sending is None

    async def run(self) -> None:
        """Post the queued notices, until cancelled."""
        while True:
            await self._some.wait()
            await self._let_others_pass()
            self._sending = self._waiting.take()
            if self._sending is not None:
                self._forget(self._sending)
                await self._send(self._sending)
                self._sending = None
            self._note()

    async def drained(self) -> None:
        """Wait until no notice is left in the queue. `run` must be running; the caller sets the limit."""
        await self._none.wait()

    # --- what waits -----------------------------------------------------------------------------------------------------

    def _wait(self, entry: _Entry) -> None:
        if not self._waiting:
            self._calm_at = asyncio.get_running_loop().time()
        lost = self._waiting.put(entry.source, entry.name, entry)
        if lost is not None:
            self._forget(lost)
            self._give_up(lost, "QueueFull")
        self._note()

    def _supersede(self, about: tuple[str, str], name: str) -> None:
        """Note the latest Event about an object; if many Events wait, drop the one before."""
        before, self._about[about] = self._about.get(about), name
        if before is not None and len(self._waiting) >= CROWD and self._waiting.remove(about[1], before) is not None:
            self._dropped("Superseded")  # its name stays told: what is newer says enough

    def _forget(self, entry: _Entry) -> None:
        about = (entry.event["regarding"]["uid"], entry.source)
        if self._about.get(about) == entry.name:
            del self._about[about]

    def _note(self) -> None:
        (self._some.set if self._waiting else self._some.clear)()
        (self._none.set if self.is_idle else self._none.clear)()

    async def _let_others_pass(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(max(self._calm_at + PATIENCE, loop.time() + TRICKLE)):
                await self._calm()
                self._calm_at = loop.time()

    # --- posting --------------------------------------------------------------------------------------------------------

    async def _send(self, entry: _Entry) -> None:
        """Post one Event. Try again if the API server does not answer."""
        pause = _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._store.create_event(entry.event)
            except AlreadyExists:
                return
            except Unavailable as error:
                if attempt == _ATTEMPTS:
                    _log.warning("event given up", event_name=entry.name, why=str(error))
                    self._give_up(entry, "Unavailable")
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except ClusterError as error:
                self._refuse(entry, error)
                return
            else:
                self._refusing.pop(entry.event["metadata"]["namespace"], None)
                return

    def _refuse(self, entry: _Entry, error: ClusterError) -> None:
        """Post a refused Event again later, if that may help. Others are posted meanwhile."""
        namespace = entry.event["metadata"]["namespace"]
        entry.refusals += 1
        may_pass = isinstance(error, Forbidden) and namespace not in self._refusing
        if may_pass and entry.refusals < REFUSALS and len(self._waiting) + len(self._refused) < self._capacity:
            pause = _FIRST_PAUSE * 2 ** (entry.refusals - 1)
            timer = asyncio.get_running_loop().call_later(pause, self._again, entry.name)
            self._refused[entry.name] = (entry, timer)
            return
        if isinstance(error, Forbidden):
            self._refusing[namespace] = None
            if len(self._refusing) > _NAMESPACES:
                self._refusing.popitem(last=False)
        _log.warning("event refused", event_name=entry.name, why=str(error))
        self._give_up(entry, "Refused")

    def _again(self, name: str) -> None:
        entry, _ = self._refused.pop(name)
        self._wait(entry)

    def _give_up(self, entry: _Entry, why: str) -> None:
        """Drop an Event, so that it may be posted again later."""
        self._told.pop(entry.name, None)
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
