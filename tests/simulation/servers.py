"""The API server as a model: what `FakeCluster` keeps, the admission rules that matter here, and what happened, as facts."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from curfew.api import names
from curfew.api.times import parse_time
from curfew.evidence.history.facts import (
    BindingGone,
    BindingMade,
    BindingUnwatched,
    BindingWatched,
    DecisionTaken,
    HistoryFact,
    RequestGone,
    RequestMade,
)
from curfew.ports import Forbidden
from tests.support.world import FakeCluster

COLLECTED_AFTER = 0.5
"""How soon the garbage collector removes what has no owner any more, in seconds."""

FINAL = {"Denied", "TimedOut", "Cancelled", "Expired", "Revoked", "Failed"}

Watcher = Callable[[str, Mapping[str, Any]], None]


class ModelApiServer(FakeCluster):
    """An API server for two replicas. `tests/contract` and `tests/integration/test_cluster.py` hold it to the real one."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.facts: list[HistoryFact] = []
        self.by = ""  # whose call it does now
        self._watching: dict[str, list[Watcher]] = {}
        self._calls = 0
        self.watchers = [self._show]

    def watch(self, kind: str, watcher: Watcher) -> Callable[[], None]:
        """Tell a watcher of each change of a kind, and return how to stop that."""
        self._watching.setdefault(kind, []).append(watcher)
        return lambda: self._watching[kind].remove(watcher)

    async def create_binding(self, manifest: Mapping[str, Any], within: timedelta) -> dict[str, Any]:
        """Create a binding, if it is not over before it begins (`curfew-operator-containment`)."""
        ends = parse_time(manifest["metadata"]["annotations"][names.ANNOTATION_EXPIRES_AT])
        if ends <= self._clock.now().replace(microsecond=0):
            raise Forbidden("ValidatingAdmissionPolicy 'curfew-operator-containment' denied request: it is over")
        created = await super().create_binding(manifest, within)
        self._collect_if_orphaned(created)
        return created

    def _collect_if_orphaned(self, binding: Mapping[str, Any]) -> None:
        """Remove a binding whose owner is gone, as the garbage collector does after a while."""
        owners = {owner["uid"] for owner in binding["metadata"].get("ownerReferences", ())}
        if owners & {body["metadata"]["uid"] for body in self.all("AccessRequest")}:
            return
        meta = binding["metadata"]
        asyncio.get_running_loop().call_later(
            COLLECTED_AFTER, self._collect, ("RoleBinding", meta["namespace"], meta["name"]), meta["uid"]
        )

    def _collect(self, key: tuple[str, str, str], uid: str) -> None:
        there = self._objects.get(key)
        if there is not None and there["metadata"]["uid"] == uid:
            self.by = "garbage collector"
            self._remove(key)

    def ask(self, body: Mapping[str, Any]) -> None:
        """Create a request as a person."""
        self._calls += 1
        made = self.apply(body)
        meta, now = made["metadata"], self._clock.now()
        self.facts.append(
            RequestMade(now, now, meta["namespace"], meta["name"], made["spec"]["requester"], f"ask {self._calls}")
        )

    def decide_as(self, by: str, decision: str, name: str) -> bool:
        """Add a decision as a person. Return False if the API server would not take it yet."""
        if ("AccessRequest", "payments", name) not in self._objects:
            return True
        phase = self.status(name).get("phase")
        if phase in FINAL:
            return True
        fits = ("Approved", "Active") if decision == "Revoke" else ("Pending",)
        if phase not in fits and not (decision == "Cancel" and phase is not None):
            return False
        self._calls += 1
        self.decide(name, {"by": by, "decision": decision})
        self.facts.append(DecisionTaken(self._clock.now(), "payments", name, by, decision, f"decide {self._calls}"))
        return True

    def delete_as_person(self, name: str) -> None:
        """Delete a request; the garbage collector removes what it owned."""
        if ("AccessRequest", "payments", name) in self._objects:
            self.facts.append(RequestGone(self._clock.now(), "payments", name))
            self.by = "garbage collector"
            self.delete("AccessRequest", name)

    def _show(self, verb: str, kind: str, body: Mapping[str, Any]) -> None:
        now = self._clock.now()
        if kind == "RoleBinding" and names.LABEL_REQUEST_UID in (body["metadata"].get("labels") or {}):
            self._tell_of_binding(verb, body, now)
        for watcher in tuple(self._watching.get(kind, ())):
            watcher(verb, body)

    def _tell_of_binding(self, verb: str, body: Mapping[str, Any], now: datetime) -> None:
        meta = body["metadata"]
        request = meta["name"].removeprefix("curfew-")
        self._calls += 1
        if verb == "ADDED":
            self.facts.append(BindingMade(now, now, request, meta["namespace"], self.by, f"bind {self._calls}"))
            ends = parse_time(meta["annotations"][names.ANNOTATION_EXPIRES_AT])
            receipt = meta["annotations"][names.ANNOTATION_RECEIPT].split("/")
            announced = int(receipt[1]) if len(receipt) > 1 else None
            self.facts.append(BindingWatched(now, request, meta["uid"], ends, announced))
        elif verb == "DELETED":
            self.facts.append(BindingGone(now, now, request, meta["namespace"], self.by, was_deleted=True))
            self.facts.append(BindingUnwatched(now, request, meta["uid"]))
