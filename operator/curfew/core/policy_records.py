"""The records of a policy: that it was created, how it was changed, and that it was deleted.

A change is recorded once, across all restarts: the log holds the version before, and the next version is compared with it.
Until the record is durable, the same record is handed over again; its id prevents duplicates. The status shows which version
the log holds.
Kubernetes does not show who changed an object, only which program did: the field manager in `detail.manager`. The actor of
the record is Curfew, which saw the change.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from curfew.api.access_policy import AccessPolicy, AccessPolicySpec
from curfew.api.meta import Model
from curfew.api.times import format_duration
from curfew.audit.record import CURFEW, Entity, Record, make_record
from curfew.core.keys import PolicyKey
from curfew.core.weakening import BEFORE_IS_NOT_KNOWN, differences, is_weaker


def changed(policy: AccessPolicy, last: Record | None, *, at: datetime) -> Record | None:
    """Return the record of the version that a policy has now, or None if that version was recorded.

    `last` is the policy's last record in the log. Its status does not count: others could write it (promise P7).
    """
    meta, known = policy.metadata, _version(last)
    if known is None:
        return _tell("policy.created", policy, at=at, qualifier=str(meta.generation), what=_offer(policy))
    before = _read(known.spec)
    is_set_back = last is not None and before is not None and before != policy.spec  # an older etcd was restored
    if known.generation >= meta.generation and not is_set_back:
        return None
    event, what, words = "policy.updated", f"was changed: {BEFORE_IS_NOT_KNOWN}", [BEFORE_IS_NOT_KNOWN]
    if before is not None:
        found = differences(before, policy.spec)
        words = [difference.words for difference in found]
        what = f"was changed: {'; '.join(words)}" if words else "was changed, and requires the same as before"
        if is_weaker(found):
            loosened = "; ".join(difference.words for difference in found if difference.loosens)
            event, what = "policy.weakened", f"was weakened: {loosened}"
    return _tell(
        event,
        policy,
        at=at,
        # Generations are reused after a restore, so the id of the record also contains the id of the record before.
        qualifier=f"{meta.generation}/{last.id}" if last is not None else str(meta.generation),
        what=what,
        previous_generation=known.generation,
        differences=words,
    )


class _Version(Model):
    """A version of a policy, as the detail of its record holds it."""

    generation: int
    spec: dict[str, Any]


def _version(last: Record | None) -> _Version | None:
    """Return the version that a record contains, or None if it contains none."""
    try:
        return _Version.model_validate(last.block.get("detail")) if last is not None else None
    except ValidationError:
        return None


def is_recorded(policy: AccessPolicy) -> bool:
    """Whether the status of a policy shows the current version as recorded."""
    known = policy.status.recorded
    return known is not None and known.generation == policy.metadata.generation


def recorded(policy: AccessPolicy) -> dict[str, Any]:
    """Return what a policy's status shows once the record of its version is durable."""
    return {"recorded": {"generation": policy.metadata.generation}}


def deleted(policy: AccessPolicy, last: Record | None, *, at: datetime) -> tuple[Record, ...]:
    """Return the last records of a deleted policy. They include the record of its last version if nobody had written it."""
    version = changed(policy, last, at=at)
    gone = make_record(
        "policy.deleted",
        at=at,
        actor=CURFEW,
        message=f"{_name(policy)} was deleted; nothing is granted under it any more",
        entity=_entity(policy),
        detail=_detail(policy),
    )
    return (gone,) if version is None else (version, gone)


def deleted_unseen(last: Record, *, at: datetime) -> tuple[Record, ...]:
    """Return the record of a policy that was deleted unseen; none if `last`, its last record in the log, names no policy."""
    place, told = place_of(last), last.block.get("detail")
    if place is None or not isinstance(told, Mapping):
        return ()
    gone = make_record(
        "policy.deleted",
        at=at,
        actor=CURFEW,
        message=f"AccessPolicy {place.name} in {place.namespace} was deleted while Curfew was not watching",
        entity=Entity(str(place), "AccessPolicy", last.subject),
        detail={key: told[key] for key in ("namespace", "policy", "generation", "spec") if key in told},
    )
    return (gone,)


def place_of(record: Record) -> PolicyKey | None:
    """Return the key of the policy that a record is about, or None for a record of anything else.

    No record may end a process, whatever the record contains (promise P3).
    """
    told = record.block.get("detail")
    if not record.event.startswith("policy.") or not isinstance(told, Mapping):
        return None
    namespace, name = told.get("namespace"), told.get("policy")
    return PolicyKey(namespace, name) if isinstance(namespace, str) and isinstance(name, str) else None


def _tell(event: str, policy: AccessPolicy, *, at: datetime, qualifier: str, what: str, **more: Any) -> Record:
    manager = policy.metadata.manager
    return make_record(
        event,
        at=at,
        actor=CURFEW,
        message=f"{_name(policy)} {what}",
        entity=_entity(policy),
        qualifier=qualifier,
        detail=_detail(policy) | ({"manager": manager} if manager else {}) | more,
    )


def _offer(policy: AccessPolicy) -> str:
    ref, spec, generation = policy.spec.role_ref, policy.spec, policy.metadata.generation
    offer = (
        f"offers {ref.kind} {ref.name} for at most {format_duration(spec.max_duration)} in mode {spec.approval.mode}"
    )
    return offer if generation <= 1 else f"{offer}; it was changed before Curfew saw it, and {BEFORE_IS_NOT_KNOWN}"


def _name(policy: AccessPolicy) -> str:
    return f"AccessPolicy {policy.metadata.name} in {policy.metadata.namespace}"


def _entity(policy: AccessPolicy) -> Entity:
    return Entity(str(PolicyKey.of(policy)), "AccessPolicy", policy.metadata.uid)


def _detail(policy: AccessPolicy) -> dict[str, Any]:
    meta = policy.metadata
    spec = policy.spec.model_dump(by_alias=True, exclude_none=True, mode="json")
    return {"namespace": meta.namespace, "policy": meta.name, "generation": meta.generation, "spec": spec}


def _read(spec: Mapping[str, Any]) -> AccessPolicySpec | None:
    """Read back a spec that another version of Curfew may have written, or return None."""
    try:
        return AccessPolicySpec.model_validate(spec)
    except ValidationError:
        return None
