"""The records about sessions and about the feed: alerts, what was left behind and is gone, coverage, and the verdict.

`call_records` has the records of calls.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from curfew.api.activity import Activity
from curfew.api.names import granted_by
from curfew.api.times import format_time
from curfew.audit.canonical import digest
from curfew.audit.finding_info import FindingInfo
from curfew.audit.record import CURFEW, Record, make_record
from curfew.audit.wording import duration
from curfew.core.activity.call import Call
from curfew.core.activity.cutting import OpenPod
from curfew.core.activity.effect import How
from curfew.core.activity.reason import RbacReason
from curfew.core.activity.session import Session
from curfew.core.activity.streams import OpenStream
from curfew.core.activity.wording import kind_of, object_of, some


def audit_id_reused(session: Session, call: Call, *, other: str) -> Record:
    """Return the alert about a second call under one Audit-ID; `other` is the identity of the first. Once a day and ID."""
    return _alert(
        "alert.audit_id_reused",
        f"{call.audit_id}/{_day(call)}",
        title="Two different calls have the same Audit-ID",
        message=f"{_who(call)} made two different calls with one Audit-ID under request {session.request}; both are kept",
        at=call.received_at,
        actor=call.caller.name,
        session=session,
        detail={"audit_id": call.audit_id, "call": call.identity, "other": other},
    )


def used_after_end(session: Session, call: Call, how: How) -> Record:
    """Return the alert about access that was used after its end. Once a day and credential, pod or binding."""
    late = call.received_at - session.until
    pod = call.caller.pod
    by = {How.TOKEN: call.caller.credential, How.POD: pod[1] if pod is not None else None}.get(how)
    with_ = {
        How.TOKEN: "a token that was minted with it",
        How.POD: f"the pod {pod[0] if pod is not None else ''} that was made with it",
    }.get(how, "its binding")
    detail = {
        "call": call.identity,
        "late_ms": max(late // timedelta(milliseconds=1), 0),
        "how": str(how),
        "credential": call.caller.credential,
        "pod": {"name": pod[0], "uid": pod[1]} if pod is not None else None,
    }
    return _alert(
        "alert.used_after_end",
        f"{how}/{by or ''}/{_day(call)}",
        title="Access was used after its end",
        message=f"{_who(call)} used the access of request {session.request} {duration(late)} after its end, "
        f"with {with_}",
        at=call.received_at,
        actor=call.caller.name,
        session=session,
        detail={name: value for name, value in detail.items() if value is not None},
    )


def binding_name_reused(session: Session | None, call: Call, named: RbacReason) -> Record:
    """Return the alert about a binding that has the name of a grant's and is none. Once a day and binding.

    Without a session, no grant of that name was ever announced, as far as the trail is known.
    """
    return _alert(
        "alert.binding_name_reused",
        f"{named.namespace}/{named.binding}/{_day(call)}",
        title="A binding has the name of a grant's binding and is none",
        message=f"{_who(call)} was allowed by RoleBinding {named.binding} in {named.namespace}, which has the name of a "
        "grant's binding and is none; find out who made it",
        at=call.received_at,
        actor=call.caller.name,
        session=session,
        subject=granted_by(named.binding) or named.binding,
        detail={
            **({"call": call.identity} if session is not None else {}),
            "binding": named.binding,
            "namespace": named.namespace,
            "user": call.user,
        },
    )


def stream_open_at_end(session: Session, stream: OpenStream) -> Record:
    """Return the alert about a watch or a connection that was open when the grant ended. One for each stream."""
    what = object_of(stream.group, stream.resource, stream.namespace, stream.name)
    kind = stream.subresource or "watch"
    detail = {
        "call": stream.call,
        "resource": stream.resource,
        "subresource": stream.subresource,
        "namespace": stream.namespace,
        "name": stream.name,
    }
    return _alert(
        "alert.stream_open_at_end",
        stream.call,
        title="A connection was still open at the end of a grant",
        message=f"the {kind} of {stream.actor} on {what}, under request {session.request}, was still open when the access "
        "ended; the API server does not close it",
        at=session.until,
        actor=stream.actor,
        session=session,
        detail={name: value for name, value in detail.items() if value},
    )


def remains_gone(session: Session, call: Call) -> Record:
    """Return the record of a deletion, not under the grant, of something that the grant had left behind."""
    if call.resource == "namespaces" and not call.group:
        what = f"the namespace {call.name}, with what request {session.request} had left behind in it"
    elif call.verb == "deletecollection":
        kind = kind_of(call.group, call.resource)
        what = f"all {kind} in {call.namespace}, also what request {session.request} had left behind"
    else:
        one = object_of(call.group, call.resource, call.namespace, call.name)
        what = f"{one}, which request {session.request} had left behind"
    detail = {
        "verb": call.verb,
        "group": call.group,
        "resource": call.resource,
        "namespace": call.namespace,
        "name": call.name,
        "call": call.identity,
        "received_at": format_time(call.received_at),
    }
    return make_record(
        "session.remains_gone",
        at=call.received_at,
        actor=call.caller.name or CURFEW,
        message=f"{_who(call)} deleted {what}",
        story=session.story,
        qualifier=call.identity,
        detail={name: value for name, value in detail.items() if value},
    )


def pod_deleted(session: Session, pod: OpenPod, *, uid: str, at: datetime) -> Record:
    """Return the record of a pod that was deleted because a connection into it outlasted the grant. Once for each pod."""
    return make_record(
        "session.pod_deleted",
        at=at,
        actor=CURFEW,
        message=f"pod {pod.name} in {pod.namespace} was deleted at the end of request {session.request} of "
        f"{session.requester}, because of its {pod.by}: the policy has onEnd: DeletePods",
        story=session.story,
        qualifier=f"{pod.namespace}/{pod.name}",
        detail={"namespace": pod.namespace, "name": pod.name, "uid": uid, "by": pod.by},
    )


def pod_not_deleted(session: Session, pod: OpenPod, *, problem: str, at: datetime) -> Record:
    """Return the alert about a pod that had to be deleted at the end of a grant and is still there. Once for each pod."""
    return _alert(
        "alert.pod_not_deleted",
        f"{pod.namespace}/{pod.name}",
        title="A pod with a connection that outlasts its grant could not be deleted",
        message=f"pod {pod.name} in {pod.namespace} had to be deleted at the end of request {session.request}, because of "
        f"its {pod.by}, and is still there: {problem}",
        at=at,
        actor=CURFEW,
        session=session,
        detail={"namespace": pod.namespace, "name": pod.name, "by": pod.by, "problem": problem},
    )


def assessed(session: Session, activity: Activity, *, covered_until: datetime | None, at: datetime) -> Record:
    """Return the record of a verdict. The same verdict is the same record, so it is in the log once."""
    verdict = activity.model_dump(mode="json", by_alias=False, exclude_none=True, exclude={"as_of"})
    if covered_until is not None:
        verdict["covered_until"] = format_time(covered_until)
    answer = {
        "Yes": "something was changed",
        "No": "nothing was changed",
        "Unknown": "whether anything was changed is not known",
    }[activity.changes]
    why = f" ({'; '.join(activity.reasons)})" if activity.reasons else ""
    so_far = "" if activity.final else ", as far as is known now"
    return make_record(
        "session.assessed",
        at=at,
        actor=CURFEW,
        message=f"request {session.request} of {session.requester}: {answer}{so_far}: {activity.summary}{why}",
        story=session.story,
        # The id is a hash that could be guessed: no name is in it.
        qualifier=digest({name: value for name, value in verdict.items() if not name.startswith("kept_")}),
        detail={name: value for name, value in verdict.items() if value not in ("", [])},
    )


def coverage_confirmed(
    log: str, *, since: datetime, until: datetime, sources: Sequence[str], servers: int, classes: Sequence[str]
) -> Record:
    """Return the record of an interval in which the feed was whole: every class of test call arrived, from each server."""
    return make_record(
        "coverage.confirmed",
        at=until,
        actor=CURFEW,
        message=f"The feed of audit events was whole from {format_time(since)} to {format_time(until)} "
        f"({some(servers, 'API server')}).",
        subject=log,
        qualifier=f"{format_time(since)}/{format_time(until)}",
        detail={
            "since": format_time(since),
            "until": format_time(until),
            "sources": list(sources),
            "servers": servers,
            "classes": list(classes),
        },
    )


def coverage_lost(log: str, *, since: datetime, at: datetime, why: str) -> Record:
    """Return the record of a feed that is not known to be whole from `since` to `at`, whatever was confirmed before."""
    return make_record(
        "coverage.lost",
        at=at,
        actor=CURFEW,
        message=f"The feed of audit events is not known to be whole since {format_time(since)}: {why}",
        subject=log,
        qualifier=f"{format_time(since)}/{format_time(at)}",
        success=False,
        detail={"since": format_time(since), "why": why},
    )


def _alert(
    event: str,
    qualifier: str,
    *,
    title: str,
    message: str,
    at: datetime,
    actor: str,
    session: Session | None,
    subject: str = "",
    detail: Mapping[str, Any],
) -> Record:
    subject = session.uid if session is not None else subject
    return make_record(
        event,
        at=at,
        actor=actor or CURFEW,
        message=message,
        story=session.story if session is not None else None,
        subject=subject,
        qualifier=qualifier,
        detail=detail,
        finding=FindingInfo(f"{event}/{subject}", title),
    )


def _who(call: Call) -> str:
    who = call.caller.name or "somebody"
    return f"{who} as {call.impersonated}" if call.impersonated is not None else who


def _day(call: Call) -> str:
    return f"{call.received_at:%Y-%m-%d}"
