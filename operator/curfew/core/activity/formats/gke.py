"""Audit events of GKE: entries of Cloud Logging, whose payload is Google's own AuditLog and not the event of Kubernetes.

They hold no query, no groups, no credential and no stage, so the beginning of a stream looks like its end.
"""

from collections.abc import Mapping
from typing import Any, Final

from curfew.api.characters import LONGEST_NAME
from curfew.core.activity.call import Call, Caller, CallStage
from curfew.core.activity.formats.bounds import MOST_ADDRESS, MOST_AGENT, MOST_ID, MOST_PART, MOST_REASON, MOST_URI
from curfew.core.activity.formats.fields import bounded, part, required, text, time, whole
from curfew.core.activity.formats.forms import EventRefused, Why
from curfew.core.activity.formats.kubernetes import DECISION, DELETIONS, ISSUED, REASON, asks_for_dry_run, made_name
from curfew.core.activity.formats.refusals import decision_kind, refusals

_CLUSTER: Final = ("project_id", "location", "cluster_name")

# Codes of google.rpc.Code, in order, as the codes of HTTP that its description names.
_HTTP: Final = (200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401)

_OF_NAMESPACES: Final = ("status", "finalize")  # subresources of a namespace, and no resources inside it


def parse(entry: Mapping[str, Any], cluster: str) -> Call:
    """Return the call of an entry, or raise `EventRefused`. The cluster is `project/location/name`."""
    payload, labels = part(entry, "protoPayload"), part(entry, "labels")
    if payload.get("serviceName") != "k8s.io":
        raise EventRefused(Why.NOT_AN_EVENT, "it is no audit log of Kubernetes")
    where = part(part(entry, "resource"), "labels")
    if cluster and "/".join(text(where, name, MOST_PART) for name in _CLUSTER) != cluster:
        raise EventRefused(Why.OTHER_CLUSTER, "it is of another cluster")
    who, caller = part(payload, "authenticationInfo"), part(payload, "requestMetadata")
    required(payload, "methodName", MOST_URI)
    method: str = payload["methodName"]  # whole: its last part is the verb
    verb = bounded(method.rpartition(".")[2], MOST_PART)
    at = time(entry, "timestamp")
    address = text(caller, "callerIp", MOST_ADDRESS)
    status = part(payload, "status")
    code = _code(status)
    return Call(
        # An entry that was too large comes in several, each with another insertId.
        audit_id=text(part(entry, "operation"), "id", MOST_ID) or required(entry, "insertId", MOST_ID),
        stage=CallStage.RESPONSE_COMPLETE,
        received_at=at,
        at=at,
        verb=verb,
        uri="/" + text(payload, "resourceName", MOST_URI - 1),
        caller=Caller(name=text(who, "principalEmail", LONGEST_NAME)),
        impersonated=text(who, "authoritySelector", LONGEST_NAME) or None,
        **_target(payload, method, verb),
        code=code,
        source_addresses=(address,) if address else (),
        user_agent=text(caller, "callerSuppliedUserAgent", MOST_AGENT) or None,
        decision=text(labels, DECISION, MOST_PART) or None,
        reason=text(labels, REASON, MOST_REASON) or None,
        issued_credential=text(labels, ISSUED, MOST_ID) or None,
        refusals=refusals(labels, status) if code is not None and code >= 400 else (),
        decision_kind=decision_kind(labels),
        shows_query=False,
        dry_run=verb in DELETIONS and asks_for_dry_run(payload.get("request")),
    )


def _target(payload: Mapping[str, Any], method: str, verb: str) -> dict[str, str]:
    """Return what was called: `resourceName` is group/version[/namespaces/NAMESPACE]/RESOURCE[/NAME[/SUBRESOURCE]].

    The method of a call that is about no resource has only a verb, such as `io.k8s.get`.
    """
    path = payload.get("resourceName")
    names = path.split("/") if isinstance(path, str) else []
    if method.count(".") < 4 or len(names) < 3:
        return {}
    group, version, *rest = [*names, "", ""]
    namespace = rest[1] if rest[0] == "namespaces" else ""
    if namespace and len(names) > 4 and rest[2] not in _OF_NAMESPACES:
        rest = rest[2:]
    found = {"group": "" if group == "core" else group, "version": version, "namespace": namespace}
    found |= zip(("resource", "name", "subresource"), [*rest, ""], strict=False)
    if verb == "create":
        found["name"] = found["name"] or made_name(payload.get("response"))
    return {name: bounded(value, MOST_PART) for name, value in found.items()}


def _code(status: Mapping[str, Any]) -> int | None:
    """Return the code of HTTP. Google leaves out the code of success."""
    code = whole(status, "code") or 0
    return _HTTP[code] if 0 <= code < len(_HTTP) else None
