"""The records of what was noticed. Each is about a call, or about what a list of bindings shows."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from curfew.api.times import format_time
from curfew.audit.record import CURFEW, Entity, Record, Source, Story, make_record
from curfew.core.activity import classify
from curfew.core.activity.call import Call
from curfew.core.activity.call_records import addresses
from curfew.core.activity.effect import Effect
from curfew.core.activity.noticing.binding import OutsideBinding
from curfew.core.activity.reason import RbacReason
from curfew.core.activity.wording import listed, object_of


class RefusedBecause(StrEnum):
    """Why the API server refused a decision, in four kinds."""

    OWN_REQUEST = "own_request"  # who asked wanted to agree
    NOT_ELIGIBLE = "not_eligible"  # the policy's rules or RBAC do not let this person make it
    FORGED = "forged"  # in somebody else's name, or more was changed than one decision
    OTHER = "other"  # not possible now, or not written as it has to be


class FoundBy(StrEnum):
    """How a binding was found."""

    FEED = "Feed"  # an audit event showed that it was written
    LIST = "List"  # it was there when the bindings were listed


class GoneBecause(StrEnum):
    """Why a binding is outside no more."""

    DELETED = "Deleted"
    CHANGED = "Changed"  # it is another one now; if that is outside too, it is found again
    ALLOWED = "Allowed"  # the allow list names it now
    NOT_GOVERNED = "NotGoverned"  # no policy offers its role any more


class GuardPart(StrEnum):
    """What kind of guard was changed."""

    ADMISSION = "Admission"  # an admission policy or its binding
    KINDS = "Kinds"  # the CustomResourceDefinition of one of our kinds
    LOCKS = "Locks"  # an AccessLock: its own records do not tell who lifted it
    INSTALLATION = "Installation"  # rights, workloads, settings or keys that Curfew was installed with


class SeenBy(StrEnum):
    """On which occasion a person was seen."""

    REQUEST = "Request"  # a call about AccessRequests
    GRANT = "Grant"  # a call under a grant


_REFUSED = {
    RefusedBecause.OWN_REQUEST: "it is their own request",
    RefusedBecause.NOT_ELIGIBLE: "they may not make it",
    RefusedBecause.FORGED: "it is in somebody else's name, or changes more than one decision",
    RefusedBecause.OTHER: "it is not possible as it was made",
}
_GONE = {
    GoneBecause.DELETED: "is deleted",
    GoneBecause.CHANGED: "was changed",
    GoneBecause.ALLOWED: "is on the allow list now",
    GoneBecause.NOT_GOVERNED: "gives a role that no policy offers any more",
}


def decision_refused(
    call: Call,
    story: Story | None,
    *,
    decision: str,
    policy: str,
    why: RefusedBecause,
    count: int = 1,
) -> Record:
    """Return the record of a refused decision, or of `count` alike, of which `call` is the first.

    `story` is that of the request, if it is known; `decision` is the kind of decision, empty if the event does not show it;
    `policy` is the admission policy that refused it.
    """
    request = f"{call.namespace}/{call.name}"
    times = f", {count} times" if count > 1 else ""
    kind = f"decision {decision}" if decision else "a decision"
    return make_record(
        "decision.refused",
        at=call.received_at,
        actor=call.caller.name or CURFEW,
        message=f"{who(call)} was refused {kind} about request {request}{times}: {_REFUSED[why]}",
        story=story,
        entity=Entity(request, "AccessRequest", request),
        qualifier=f"{call.identity}/{count}",
        success=False,
        detail=_known(
            {
                "namespace": call.namespace,
                "request": call.name,
                "decision": decision,
                "policy": policy,
                "why": str(why),
                "dry_run": call.dry_run is True,
                "count": count,
            },
            call,
        ),
        source=source(call),
    )


def found_outside(binding: OutsideBinding, call: Call | None, how: FoundBy, *, at: datetime) -> Record:
    """Return the record of a binding outside. `call` is the one that wrote it, if that is known."""
    whom = listed((*binding.subjects[:1], "others") if binding.more_subjects else binding.subjects)
    by = f"; {who(call)} wrote it" if call is not None else ""
    made = {"made_at": format_time(binding.made_at)} if binding.made_at is not None else {}
    return _of_binding(
        "binding.found_outside",
        binding,
        call,
        f"{binding.title} gives {binding.role} to {whom or 'nobody'}, and is no grant{by}",
        {"how": str(how), **made},
        at=at,
    )


def gone_outside(binding: OutsideBinding, call: Call | None, why: GoneBecause, *, at: datetime) -> Record:
    """Return the record that a binding is outside no more. `call` is the one that did it, if that is known."""
    by = f"; {who(call)} did it" if call is not None else ""
    return _of_binding(
        "binding.gone_outside",
        binding,
        call,
        f"{binding.title}, which gave {binding.role}, {_GONE[why]}{by}",
        {"why": str(why)},
        at=at,
    )


def guard_changed(call: Call, part: GuardPart, *, is_ours: bool) -> Record:
    """Return the record of a changed guard. `is_ours` is False for an admission policy that somebody else made."""
    what = object_of(call.group, call.resource, call.namespace, call.name)
    within = f" ({call.subresource})" if call.subresource else ""
    did = "changed" if classify.effect(call) is Effect.CHANGED else "may have changed"
    return make_record(
        "guard.changed",
        at=call.received_at,
        actor=call.caller.name or CURFEW,
        message=f"{who(call)} {did} what guards Curfew: {call.verb} {what}{within}",
        entity=_entity(call.resource, call.namespace, call.name),
        qualifier=call.identity,
        detail=_known(
            {
                "part": str(part),
                "verb": call.verb,
                "group": call.group,
                "resource": call.resource,
                "subresource": call.subresource,
                "namespace": call.namespace,
                "name": call.name,
                "ours": is_ours,
            },
            call,
        ),
        source=source(call),
    )


def used_outside(call: Call, named: RbacReason) -> Record:
    """Return the record of a call that a binding outside allowed. `named` is the API server's reason."""
    where = f" in {named.namespace}" if named.namespace else ""
    what = object_of(call.group, call.resource, call.namespace, call.name)
    return make_record(
        "role.used_outside",
        at=call.received_at,
        actor=call.caller.name or CURFEW,
        message=f"{who(call)} used {named.role_kind}/{named.role} through {named.binding_kind} {named.binding}{where}, "
        f"which is no grant: {call.verb} {what}",
        entity=_entity(named.binding_kind, named.namespace, named.binding),
        qualifier=call.identity,
        detail=_known(
            {
                "role": f"{named.role_kind}/{named.role}",
                "kind": named.binding_kind,
                "namespace": named.namespace,
                "name": named.binding,
                "subjects": [f"{named.subject_kind} {named.subject}"],
                "verb": call.verb,
                "group": call.group,
                "resource": call.resource,
                "target": call.namespace,
            },
            call,
        ),
        source=source(call),
    )


def person_seen(call: Call, log: str, *, network: str, credential: str, by: SeenBy) -> Record:
    """Return the record that a person came from a network with a credential. `log` is the id of the log of activity."""
    return make_record(
        "person.seen",
        at=call.received_at,
        actor=call.caller.name,
        message=f"{call.caller.name} came from {network or 'an unknown network'}"
        + (f" with credential {credential}" if credential else ""),
        subject=log,
        qualifier=call.identity,
        detail={name: value for name, value in _seen(network, credential, by).items() if value},
        source=source(call),
    )


def source(call: Call) -> Source:
    """Return where a call came from."""
    return Source(addresses(call), call.user_agent, (call.audit_id,))


def who(call: Call) -> str:
    """Return who called, and as whom."""
    name = call.caller.name or "somebody"
    return f"{name} as {call.impersonated}" if call.impersonated is not None else name


def _seen(network: str, credential: str, by: SeenBy) -> Mapping[str, str]:
    return {"network": network, "credential": credential, "by": str(by)}


def _of_binding(
    event: str, binding: OutsideBinding, call: Call | None, message: str, more: Mapping[str, Any], *, at: datetime
) -> Record:
    detail = {
        "kind": binding.kind,
        "namespace": binding.namespace,
        "name": binding.name,
        "uid": binding.uid,
        "role": binding.role,
        "subjects": list(binding.subjects),
        "more_subjects": binding.more_subjects,
        **more,
    }
    return make_record(
        event,
        at=at,
        actor=(call.caller.name if call is not None else "") or CURFEW,
        message=message,
        entity=_entity(binding.kind, binding.namespace, binding.name, binding.uid),
        qualifier=at.isoformat(),  # it may be found, go and be found again
        detail=_known(detail, call),
        source=source(call) if call is not None else None,
    )


def _known(detail: Mapping[str, Any], call: Call | None) -> Mapping[str, Any]:
    """Return the fields that are known, with those of the caller."""
    by = {"user": call.impersonated, "credential": call.caller.credential} if call is not None else {}
    return {name: value for name, value in {**detail, **by}.items() if value not in (None, "", False, 0, [])}


def _entity(kind: str, namespace: str, name: str, uid: str = "") -> Entity:
    title = f"{namespace}/{name}" if namespace else name or "*"
    return Entity(title, kind, uid or f"{kind}/{title}")
