"""A notice: what has happened to an object, reported once, for people who watch Kubernetes Events."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from curfew.api.access_request import AccessRequest
from curfew.api.names import API_VERSION
from curfew.api.times import format_time
from curfew.audit.record import Story
from curfew.core.bindings import Binding
from curfew.core.facts import ClockState, EnforcementState, LocksState


@dataclass(frozen=True, slots=True)
class Regarding:
    """The object that a notice is about."""

    api_version: str
    kind: str
    name: str
    namespace: str  # empty for a cluster-scoped object
    uid: str  # empty if it is not known


@dataclass(frozen=True, slots=True)
class Notice:
    """One Event: past tense, about one object, reported once. Never the audit trail."""

    namespace: str  # where the Event is stored
    regarding: Regarding
    type: Literal["Normal", "Warning"]
    reason: str  # one CamelCase word, as in the condition and the record
    action: str  # what Curfew did, one CamelCase word
    note: str  # a sentence for people, at most 1,024 characters
    key: str  # unique within the object: reporting the same thing twice makes one Event
    person: str = ""  # who submitted the object, so that nobody's flood takes the place of others; empty: nobody


def about_request(
    request: AccessRequest, type_: Literal["Normal", "Warning"], reason: str, action: str, note: str, *, key: str
) -> Notice:
    """Return a notice about a request."""
    meta = request.metadata
    regarding = Regarding(API_VERSION, "AccessRequest", meta.name, meta.namespace, meta.uid)
    told_once = f"{meta.uid}/{key}"
    return Notice(meta.namespace, regarding, type_, reason, action, note[:1024], told_once, request.spec.submitted_by)


def on_namespace(notice: Notice) -> Notice:
    """Return the same notice, put on the namespace: for what everybody there has to see."""
    return replace(notice, regarding=_namespace(notice.namespace), key=f"{notice.key}/namespace")


def about_orphan(binding: Binding, why: str) -> Notice:
    """Return the notice about a binding that carried our label and had no right to exist."""
    note = f"RoleBinding {binding.name} was removed: {why}"[:1024]
    where = _namespace(binding.namespace)
    return Notice(binding.namespace, where, "Warning", "OrphanRemoved", "Remove", note, f"orphan/{binding.uid}")


def about_stuck(binding: Binding, message: str) -> Notice:
    """Return the notice about a binding that must be removed and cannot be. It is put on the namespace."""
    where = _namespace(binding.namespace)
    return Notice(
        binding.namespace, where, "Warning", "RemovalFailed", "Remove", message[:1024], f"stuck/{binding.uid}"
    )


def about_deleted(told: Story) -> Notice:
    """Return the notice about access that ended because its request was deleted. Only the namespace is left to put it on."""
    note = f"request {told.request} of {told.requester} was deleted, and its access is gone"
    where = _namespace(told.namespace)
    return Notice(told.namespace, where, "Normal", "Revoked", "Revoke", note[:1024], f"{told.uid}/deleted")


def about_enforcement(state: EnforcementState, namespace: str) -> Notice:
    """Return the notice that our own rules are not in force. It is put on the namespace that Curfew runs in."""
    note = f"Nothing is granted; revocations continue: {state.message}"[:1024]
    key = f"enforcement/{state.reason}/{format_time(state.since)}"
    return Notice(namespace, _namespace(namespace), "Warning", state.reason, "Probe", note, key)


def about_clock(state: ClockState, namespace: str) -> Notice:
    """Return the notice that our clock differs from the API server's. It is put on the namespace that Curfew runs in."""
    key = f"clock/{state.reason}/{format_time(state.since)}"
    return Notice(namespace, _namespace(namespace), "Warning", state.reason, "Compare", state.message[:1024], key)


def about_locks(state: LocksState, namespace: str) -> Notice:
    """Return the notice that Curfew does not know which locks there are. It is put on the namespace that Curfew runs in."""
    key = f"locks/{state.reason}/{format_time(state.since)}"
    return Notice(namespace, _namespace(namespace), "Warning", state.reason, "List", state.message[:1024], key)


def about_sweeper(message: str, since: datetime, namespace: str) -> Notice:
    """Return the notice that the sweeper does not run. `since` tells one outage from another."""
    key = f"sweeper/{format_time(since)}"
    return Notice(namespace, _namespace(namespace), "Warning", "SweeperOverdue", "Compare", message[:1024], key)


def about_log(reason: str, action: str, note: str, namespace: str, *, key: str) -> Notice:
    """Return the notice that something is wrong with the log. It is put on the namespace that Curfew runs in."""
    return Notice(namespace, _namespace(namespace), "Warning", reason, action, note[:1024], f"log/{reason}/{key}")


def about_leader(me: str, before: str, at: datetime, namespace: str) -> Notice:
    """Return the notice that a replica leads from now on. It is put on the namespace that Curfew runs in."""
    after = f", after {before}" if before else ""
    note = f"{me} leads from now on{after}: it grants, and writes the log"
    return Notice(
        namespace,
        _namespace(namespace),
        "Normal",
        "LeaderElected",
        "Lead",
        note[:1024],
        f"leader/{me}/{format_time(at)}",
    )


def _namespace(name: str) -> Regarding:
    return Regarding("v1", "Namespace", name, name, "")
