"""What Kopf calls when an object was seen: store the object and give its key a turn. Nothing else happens here.

Kopf is only the watcher: no annotations, no finalizers, no daemons, no retries of its own. What it does around a call of a
handler is left out (`handing_over`).
"""

import asyncio
import itertools
import random
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

from curfew.api import names
from curfew.core.keys import Key, RequestKey
from curfew.processes.operator.known import Store, is_closed
from curfew.processes.operator.kopf_alone import Identity, kopf, processing
from curfew.processes.operator.unreadable import Unreadable

log = structlog.get_logger("curfew")

Enqueue = Callable[[Key], None]
Complain = Callable[[Unreadable], None]
Handlers = Mapping[tuple[str, str, str], Callable[[kopf.RawEvent], None]]
"""What is called for an event, by the group, version and plural name of the kind."""


def make_handlers(store: Store, enqueue: Enqueue, complain: Complain) -> Handlers:
    """Return our handlers. An event holds the object as it came."""

    def turn(key: Key | None) -> None:
        if key is not None:
            enqueue(key)

    def request_was_seen(event: kopf.RawEvent) -> None:
        body: Mapping[str, Any] = event["object"]
        try:
            if event["type"] == "DELETED":
                turn(store.see_request_deleted(body))
            elif not is_closed(body):
                turn(store.see_request(body))
        except Unreadable as error:
            complain(error)
            turn(RequestKey(body["metadata"]["uid"]))  # it gets its answer

    def policy_was_seen(event: kopf.RawEvent) -> None:
        body: Mapping[str, Any] = event["object"]
        try:
            key = store.policies.see_deleted(body) if event["type"] == "DELETED" else store.policies.see(body)
        except Unreadable as error:
            complain(error)
        else:
            turn(key)
            for request in store.under_policy(key) if key is not None else ():
                enqueue(request)

    def binding_was_seen(event: kopf.RawEvent) -> None:
        body: Mapping[str, Any] = event["object"]
        turn(store.see_binding_deleted(body) if event["type"] == "DELETED" else store.see_binding(body))

    return {
        (names.GROUP, names.VERSION, "accessrequests"): request_was_seen,
        (names.GROUP, names.VERSION, "accesspolicies"): policy_was_seen,
        ("rbac.authorization.k8s.io", "v1", "rolebindings"): binding_was_seen,
    }


def register(registry: kopf.OperatorRegistry, handlers: Handlers) -> None:
    """Register our handlers, so that Kopf watches their kinds and calls them."""
    for kind, handler in handlers.items():
        kopf.on.event(*kind, registry=registry)(_called_by_kopf(handler))


def _called_by_kopf(handler: Callable[[kopf.RawEvent], None]) -> Callable[..., Coroutine[None, None, None]]:
    async def was_seen(event: kopf.RawEvent, **_: Any) -> None:
        handler(event)

    return was_seen


@contextmanager
def handing_over(handlers: Handlers) -> Iterator[None]:
    """Let the watches that Kopf starts within the block hand their events to our handlers, and do nothing else with them.

    For each event, Kopf looks for changes, finalizers, daemons and retries: a sixth of a request's CPU. There is no setting
    for that, only a function in a module. In a version of Kopf that has none, Kopf calls the handlers, more slowly.
    """

    async def hand_over(*, resource: kopf.Resource, raw_event: kopf.RawEvent, **_: Any) -> None:
        try:
            handlers[resource.group, resource.version, resource.plural](raw_event)
        except Exception:  # as Kopf does: it would end the process, and with it what ends access
            log.exception("an event was not taken in", kind=resource.plural)

    module, name = vars(processing), "process_resource_event"
    before = module.get(name)
    module[name] = hand_over
    try:
        yield
    finally:
        module[name] = before


async def start(
    registry: kopf.OperatorRegistry, settings: kopf.OperatorSettings, handlers: Handlers, end: asyncio.Event
) -> Collection[asyncio.Task[Any]]:
    """Start Kopf, which hands what it sees to our handlers, and return its tasks. They wind down when `end` is set."""
    # Kopf would make itself a name from the user's, and end where the user is a number that has no name, as in most pods.
    me = Identity("curfew")
    with handing_over(handlers):
        return await kopf.spawn_tasks(
            registry=registry, settings=settings, identity=me, clusterwide=True, stop_flag=end
        )


def configure(settings: kopf.OperatorSettings) -> None:
    """Set Kopf up as a watcher and nothing more."""
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.admission.managed = None
    settings.queueing.idle_timeout = 0.05  # 0 spins, the default of 5 s keeps a task for each object
    settings.queueing.worker_limit = None
    settings.watching.chunk_size = 50  # the largest request has 300 KiB
    settings.watching.initial_streaming = False  # streaming the first list loses objects
    settings.watching.inactivity_timeout = 70
    settings.watching.server_timeout = 290
    settings.watching.label_selectors["rbac.authorization.k8s.io", "rolebindings"] = names.LABEL_REQUEST_UID
    settings.watching.label_selectors[names.GROUP, "accessrequests"] = f"!{names.LABEL_CLOSED}"
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = Backoffs()
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.persistence.consistency_timeout = 0
    # Kopf would end the process by SIGKILL so long after it failed, even if it was started again since.
    settings.process.ultimate_exiting_timeout = None


class Backoffs:
    """An endless, jittered sequence of delays capped at two seconds: Kopf's own gives up and exits after 54 s."""

    def __iter__(self) -> Iterator[float]:
        """Start over."""
        for delay in itertools.chain((0.1, 0.2, 0.5, 1.0), itertools.repeat(2.0)):
            yield delay * random.uniform(0.5, 1.0)  # noqa: S311  jitter is no secret


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no last-seen state on our objects, and makes none: Kopf would copy each object for a comparison with nothing."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        """Return nothing: nothing is compared."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Return nothing: nothing is kept."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Keep nothing."""


class NoProgress(kopf.ProgressStorage):
    """Keeps no handler progress on our objects."""

    def fetch(self, *, key: str, body: kopf.Body) -> Any:
        """Return nothing: nothing is kept."""
        return None

    def store(self, *, key: str, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Keep nothing."""

    def purge(self, *, key: str, body: kopf.Body, patch: kopf.Patch) -> None:
        """Remove nothing: nothing is kept."""

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        """Touch nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Leave the object as it is."""
        return essence
