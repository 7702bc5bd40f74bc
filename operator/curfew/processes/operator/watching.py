"""What Kopf calls when an object was seen: store the object and give its key a turn. Nothing else happens here.

Kopf is only the watcher: no annotations, no finalizers, no daemons, no retries of its own. Each handler names the arguments
that it uses; a name that is not an argument would be Python's built-in.
"""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import kopf

from curfew.api import names
from curfew.core.keys import Key, RequestKey
from curfew.processes.operator.known import Store, is_closed
from curfew.processes.operator.unreadable import Unreadable

Enqueue = Callable[[Key], None]
Complain = Callable[[Unreadable], None]


def register(registry: kopf.OperatorRegistry, store: Store, enqueue: Enqueue, complain: Complain) -> None:
    """Register our handlers."""

    def turn(key: Key | None) -> None:
        if key is not None:
            enqueue(key)

    # The event holds the object as it came; Kopf's `body` is a view of it, whose every look-up costs microseconds.

    @kopf.on.event(names.GROUP, names.VERSION, "accessrequests", registry=registry)
    async def request_was_seen(event: kopf.RawEvent, **_: Any) -> None:
        body: Mapping[str, Any] = event["object"]
        try:
            if event["type"] == "DELETED":
                turn(store.see_request_deleted(body))
            elif not is_closed(body):
                turn(store.see_request(body))
        except Unreadable as error:
            complain(error)
            turn(RequestKey(body["metadata"]["uid"]))  # it gets its answer

    @kopf.on.event(names.GROUP, names.VERSION, "accesspolicies", registry=registry)
    async def policy_was_seen(event: kopf.RawEvent, **_: Any) -> None:
        body: Mapping[str, Any] = event["object"]
        try:
            key = store.policies.see_deleted(body) if event["type"] == "DELETED" else store.policies.see(body)
        except Unreadable as error:
            complain(error)
        else:
            turn(key)
            for request in store.under_policy(key) if key is not None else ():
                enqueue(request)

    @kopf.on.event("rbac.authorization.k8s.io", "v1", "rolebindings", registry=registry)
    async def binding_was_seen(event: kopf.RawEvent, **_: Any) -> None:
        body: Mapping[str, Any] = event["object"]
        turn(store.see_binding_deleted(body) if event["type"] == "DELETED" else store.see_binding(body))


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
    settings.process.ultimate_exiting_timeout = 25


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
