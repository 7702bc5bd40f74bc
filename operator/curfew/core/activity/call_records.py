"""The records of calls: who did what on which object, under which grant, with what outcome.

No body, no query string and no header but the Audit-ID and the user agent is in them (promise P12).
"""

import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

from curfew.api.times import format_time
from curfew.audit.api_call import ApiCall
from curfew.audit.record import CURFEW, Record, Source, make_record
from curfew.audit.wording import duration
from curfew.core.activity import classify
from curfew.core.activity.call import Call, CallStage
from curfew.core.activity.classify import DELETES
from curfew.core.activity.effect import Effect, How, Sensitive
from curfew.core.activity.reason import parse
from curfew.core.activity.session import Session
from curfew.core.activity.wording import cut, object_of

BEGAN: Final = "stream.opened"
"""The event of a stream's beginning. Its end is a record of the call."""

_WRITTEN: Final = {
    "create": "call.created",
    "update": "call.updated",
    "patch": "call.updated",
    "delete": "call.deleted",
    "deletecollection": "call.deleted",
}
_BY_EFFECT: Final = {
    Effect.READ: "call.read",
    Effect.OPAQUE: "call.connected",
    Effect.UNSURE: "call.unsettled",
    Effect.DENIED: "call.refused",
    Effect.FAILED: "call.failed",
    Effect.DRY_RUN: "call.simulated",
}
_DID: Final = {
    "get": "read",
    "list": "listed",
    "watch": "watched",
    "create": "created",
    "update": "changed",
    "patch": "changed",
    "delete": "deleted",
    "deletecollection": "deleted",
}
_HOW: Final = {
    How.BINDING: "under request {}",
    How.IMPERSONATION: "as a service account that request {} lets its person act as",
    How.TOKEN: "with a token from request {}",
    How.POD: "from a pod that was made under request {}",
    How.STANDING: "by other access, which request {} would have allowed too",
    How.UNEXPLAINED: "perhaps under request {}: the event does not show what allowed it",
    How.PERSON: "while request {} gave access",
}

_WHOLE: Final = frozenset({"", "fieldManager", "gracePeriodSeconds", "orphanDependents", "pretty", "propagationPolicy"})
"""Parameters of a deletecollection that leave no object out. Selectors and limits do, and what is unknown may."""

_ALWAYS_RETURNED: Final = frozenset({("", "pods"), ("", "serviceaccounts"), ("", "podtemplates"), ("", "namespaces")})
"""Kinds whose deletion is believed: the kubelet ends a pod, and the others give nobody access."""

_LONGEST: Final = 256  # characters of a reason that no RoleBinding is in


def called(session: Session, call: Call, how: How, effect: Effect, *, after_end: bool) -> Record:
    """Return the record of a call that belongs to a session, or of the beginning of one that lasts."""
    kind = classify.sensitive(call)
    return make_record(
        event_of(call, effect),
        at=call.received_at,
        actor=call.caller.name or CURFEW,
        message=sentence(session, call, how, effect, after_end=after_end),
        story=session.story,
        qualifier=call.identity,
        success=effect in (Effect.READ, Effect.CHANGED, Effect.OPAQUE, Effect.DRY_RUN),
        detail=_detail(call, how, effect, kind, after_end=after_end),
        source=Source(addresses(call), call.user_agent, (call.audit_id,)),
        call=ApiCall(
            verb=call.verb,
            audit_id=call.audit_id,
            group=call.group,
            version=call.version,
            resource=call.resource,
            subresource=call.subresource,
            namespace=call.namespace,
            name=call.name,
            uid=call.uid,
            code=call.code,
        ),
    )


def event_of(call: Call, effect: Effect) -> str:
    """Return the event that a call is recorded as."""
    if call.stage is CallStage.RESPONSE_STARTED:
        return BEGAN
    if effect is not Effect.CHANGED:
        return _BY_EFFECT[effect]
    # Server-side apply makes what is missing: a patch that is answered with 201 Created.
    return "call.created" if call.code == 201 and call.verb in ("patch", "update") else _event_of_verb(call.verb)


def sentence(session: Session, call: Call, how: How, effect: Effect, *, after_end: bool) -> str:
    """Return who did what on which object, how that is tied to the session, and with what outcome."""
    who = call.caller.name or "somebody"
    if call.impersonated is not None:
        who = f"{who} as {call.impersonated}"
    what = _what(call)
    match effect:
        case Effect.READ | Effect.CHANGED:
            did = f"{_did(call)} {what}"
        case Effect.OPAQUE:
            did = f"opened {call.subresource or 'a connection'} to {what}"
        case Effect.UNSURE:
            did = f"may have {_did(call)} {what}"
        case Effect.DENIED:
            did = f"was refused: {call.verb} {what}"
        case Effect.FAILED:
            did = f"failed: {call.verb} {what}"
        case Effect.DRY_RUN:
            did = f"tried without effect (dry run): {call.verb} {what}"
    length = _length(call)
    took = f" for {duration(length)}" if effect is Effect.OPAQUE and length >= timedelta(seconds=1) else ""
    begun = " (it has begun)" if call.stage is CallStage.RESPONSE_STARTED else ""
    answer = f" (answer {call.code})" if call.code is not None and call.code >= 400 else ""
    late = ", after its end" if after_end else ""
    return f"{who} {did}{took}{begun}{answer}, {_HOW[how].format(session.request)}{late}"


def is_selected(call: Call) -> bool:
    """Whether a deletecollection may have left some of the objects of its kind: it does not ask for all, or may not."""
    if call.verb != "deletecollection":
        return False
    query = call.uri.partition("?")[2]
    return not call.shows_query or any(
        name not in _WHOLE for name, _ in parse_qsl(query, keep_blank_values=True, errors="replace")
    )


def may_remain(call: Call) -> bool:
    """Whether what a call deleted may be there still: finalizers keep it, and a binding that is kept gives its access on.

    What is gone at once is answered with a status that names its UID; what stays is answered with itself. Some kinds are
    always answered with themselves, and collections with a list.
    """
    return call.verb in DELETES and not call.uid and (call.group, call.resource) not in _ALWAYS_RETURNED


def allowed_by(call: Call) -> str:
    """Return what allowed a call, as the API server names it; empty if it was refused or the event does not show it."""
    if call.decision != "allow" or not call.reason:
        return ""
    named = parse(call.reason)
    # The subject is left out: it is the caller, or a group.
    return f"{named.binding_kind} {named.binding}" if named is not None else cut(call.reason, _LONGEST)


def _detail(call: Call, how: How, effect: Effect, kind: Sensitive | None, *, after_end: bool) -> Mapping[str, Any]:
    pod = call.caller.pod
    known: dict[str, Any] = {
        "verb": call.verb,
        "group": call.group,
        "version": call.version,
        "resource": call.resource,
        "subresource": call.subresource,
        "namespace": call.namespace,
        "name": call.name,
        "path": "" if call.resource else call.uri.partition("?")[0],
        "selected": is_selected(call),
        "may_remain": effect is Effect.CHANGED and may_remain(call),
        "code": call.code,
        "effect": str(effect),
        "sensitive": str(kind) if kind is not None else None,
        "how": str(how),
        "after_end": after_end,
        "stage": str(call.stage),
        "call": call.identity,
        "audit_id": call.audit_id,
        "received_at": format_time(call.received_at),
        "milliseconds": _length(call) // timedelta(milliseconds=1)
        if call.stage is not CallStage.RESPONSE_STARTED
        else None,
        "user": call.impersonated,
        "credential": call.caller.credential,
        "issued_credential": call.issued_credential,
        "pod": {"name": pod[0], "uid": pod[1]} if pod is not None else None,
        "allowed_by": allowed_by(call),
    }
    return {name: value for name, value in known.items() if value not in (None, "", False)}


def _event_of_verb(verb: str) -> str:
    return _WRITTEN.get(verb, "call.updated")  # a verb that is not known and is no reading


def _what(call: Call) -> str:
    if not call.resource:
        return cut(call.uri.partition("?")[0], _LONGEST)
    part = f" ({call.subresource})" if call.subresource and not classify.is_connection(call) else ""
    where = f" in {call.namespace}" if call.namespace else ""
    is_made = call.verb == "create" and not call.subresource and classify.effect(call) is not Effect.READ
    name = call.name or ("(a generated name)" if is_made else "*")
    return f"{object_of(call.group, call.resource, '', name)}{part}{where}"


def _did(call: Call) -> str:
    if call.verb in classify.READS:
        return _DID.get(call.verb, "read")
    if classify.effect(call) is Effect.READ:
        return "asked"
    return "changed" if call.subresource and call.verb != "create" else _DID.get(call.verb, "changed")


def _length(call: Call) -> timedelta:
    return max(call.at - call.received_at, timedelta(0))


def addresses(call: Call) -> tuple[str, ...]:
    """Return the addresses that are addresses: a proxy can pass on anything, and OCSF wants an address."""
    return tuple(address for address in call.source_addresses if _is_address(address))


def _is_address(text: str) -> bool:
    if "%" in text:
        return False  # a zone may be any text, and no address of another machine has one
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
