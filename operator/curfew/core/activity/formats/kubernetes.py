"""Audit events of Kubernetes itself (audit.k8s.io/v1), as its log and its webhook backend write them.

Bodies are not read, but for two things: whether a deletion was a dry run, and the name of an object that the API server
has made up.
"""

from collections.abc import Mapping
from typing import Any, Final

from curfew.api.characters import LONGEST_NAME
from curfew.core.activity.call import Call, Caller, CallStage
from curfew.core.activity.formats.bounds import (
    MOST_ADDRESS,
    MOST_ADDRESSES,
    MOST_AGENT,
    MOST_GROUPS,
    MOST_ID,
    MOST_PART,
    MOST_REASON,
    MOST_URI,
)
from curfew.core.activity.formats.fields import bounded, part, required, text, texts, time, whole, wrong
from curfew.core.activity.formats.forms import EventRefused, Why
from curfew.core.activity.formats.refusals import decision_kind, refusals

VERSION: Final = "audit.k8s.io/v1"

DECISION: Final = "authorization.k8s.io/decision"
REASON: Final = "authorization.k8s.io/reason"
ISSUED: Final = "authentication.kubernetes.io/issued-credential-id"
_CREDENTIAL: Final = "authentication.kubernetes.io/credential-id"
_POD_NAME: Final = "authentication.kubernetes.io/pod-name"
_POD_UID: Final = "authentication.kubernetes.io/pod-uid"
_TRUNCATED: Final = "audit.k8s.io/truncated"

_KNOWN_PARTS: Final = frozenset(
    {"", "approval", "binding", "ephemeralcontainers", "eviction", "finalize", "resize", "scale", "status"}
)
"""Subresources that Kubernetes itself serves, each of which heeds `dryRun` in the URI. `status` and `scale` are also those of
custom resources. What another API server does with it is its own affair: KubeVirt's `start` takes it from the body."""

_WITH_REQUEST: Final = ("Request", "RequestResponse")
DELETIONS: Final = ("delete", "deletecollection")


def parse(event: Mapping[str, Any]) -> Call:
    """Return the call that an event is about, or raise `EventRefused`. The items of an EventList have no kind."""
    is_one = event.get("kind", "Event") == "Event" and event.get("apiVersion", VERSION) == VERSION
    if not is_one or event.keys().isdisjoint(("kind", "stage", "auditID")):
        raise EventRefused(Why.NOT_AN_EVENT, f"it is no Event of {VERSION}")
    target, status, notes = part(event, "objectRef"), part(event, "responseStatus"), part(event, "annotations")
    stage, verb, code = _stage(event), required(event, "verb", MOST_PART), code_of(status)
    return Call(
        audit_id=required(event, "auditID", MOST_ID),
        stage=stage,
        received_at=time(event, "requestReceivedTimestamp"),
        at=time(event, "stageTimestamp"),
        verb=verb,
        uri=text(event, "requestURI", MOST_URI),
        caller=_caller(part(event, "user")),
        impersonated=text(part(event, "impersonatedUser"), "username", LONGEST_NAME) or None,
        group=text(target, "apiGroup", MOST_PART),
        version=text(target, "apiVersion", MOST_PART),
        resource=text(target, "resource", MOST_PART),
        subresource=text(target, "subresource", MOST_PART),
        namespace=text(target, "namespace", MOST_PART),
        name=text(target, "name", MOST_PART) or (made_name(event.get("responseObject")) if verb == "create" else ""),
        uid=_uid(target, status, verb, code),
        code=code,
        source_addresses=texts(event, "sourceIPs", MOST_ADDRESSES, MOST_ADDRESS),
        user_agent=text(event, "userAgent", MOST_AGENT) or None,
        decision=text(notes, DECISION, MOST_PART) or None,
        reason=text(notes, REASON, MOST_REASON) or None,
        issued_credential=text(notes, ISSUED, MOST_ID) or None,
        shows_query=len(event.get("requestURI") or "") <= MOST_URI,
        refusals=refusals(notes, status) if code is not None and code >= 400 else (),
        decision_kind=decision_kind(notes),
        dry_run=_dry_run(event, target, verb),
    )


def code_of(status: Mapping[str, Any]) -> int | None:
    """Return the status code of HTTP. What lies behind a proxy may answer with any number of three digits."""
    code = whole(status, "code")
    return code if code is not None and 100 <= code <= 999 else None


def made_name(response: object) -> str:
    """Return the name of the object that a call has made, if the event holds the object: nobody else tells made-up names."""
    metadata = response.get("metadata") if isinstance(response, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return bounded(name, MOST_PART) if isinstance(name, str) else ""


def _stage(event: Mapping[str, Any]) -> CallStage:
    stage = text(event, "stage", MOST_PART)
    if stage == "RequestReceived":
        raise EventRefused(Why.REQUEST_RECEIVED, "nothing was decided yet")
    try:
        return CallStage(stage)
    except ValueError as error:
        raise wrong("stage") from error


def _caller(user: Mapping[str, Any]) -> Caller:
    """Return who called. Nobody has a name if authentication failed."""
    extra = part(user, "extra")
    pod, pod_uid = _one(extra, _POD_NAME), _one(extra, _POD_UID)
    return Caller(
        name=text(user, "username", LONGEST_NAME),
        groups=texts(user, "groups", MOST_GROUPS, MOST_PART),
        credential=_one(extra, _CREDENTIAL),
        pod=(pod, pod_uid) if pod is not None and pod_uid is not None else None,
    )


def _one(extra: Mapping[str, Any], name: str) -> str | None:
    """Return the value of an extra field; there is one in each list."""
    found = texts(extra, name, 1, MOST_ID)
    return found[0] if found else None


def _uid(target: Mapping[str, Any], status: Mapping[str, Any], verb: str, code: int | None) -> str:
    """Return the UID of the object as far as the API server vouches for it.

    `objectRef.uid` is what the caller wrote into the body. An update that succeeds has checked it; a creation ignores it.
    """
    checked = verb in ("update", "patch") and code is not None and code < 300
    return text(part(status, "details"), "uid", MOST_ID) or (text(target, "uid", MOST_ID) if checked else "")


def _dry_run(event: Mapping[str, Any], target: Mapping[str, Any], verb: str) -> bool | None:
    """Return whether nothing was to be stored, as `Call.dry_run` says it.

    A deletion that has a body takes its options from there and ignores those in the URI (k8s.io/apiserver, delete.go); the
    body is in the event from level Request on. Tokens are issued in a dry run too.
    """
    resource, subresource = target.get("resource"), target.get("subresource", "")
    if (resource, subresource) == ("serviceaccounts", "token"):
        return False
    uri = event.get("requestURI")
    asked = isinstance(uri, str) and "dryRun=All" in uri.partition("?")[2].split("&")
    if asked and subresource not in _KNOWN_PARTS:
        return None
    if verb not in DELETIONS:
        return asked
    body = event.get("requestObject")
    if isinstance(body, dict):
        return asks_for_dry_run(body)
    is_whole = event.get("level") in _WITH_REQUEST and _TRUNCATED not in part(event, "annotations") and body is None
    return asked if is_whole or not asked else None


def asks_for_dry_run(options: object) -> bool:
    """Whether the body of a deletion (DeleteOptions) asks for a dry run."""
    values = options.get("dryRun") if isinstance(options, dict) else None
    return isinstance(values, list) and "All" in values
