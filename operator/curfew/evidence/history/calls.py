"""What a call of the API server's audit log is a fact of, if of anything."""

import re
from datetime import datetime
from typing import Final, Protocol

from curfew.api import names
from curfew.evidence.history.facts import (
    BindingGone,
    BindingMade,
    BindingsCleared,
    BindingSeen,
    CallFact,
    DecisionTaken,
    RequestGone,
    RequestMade,
)

_UID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAKING: Final = ("create", "patch", "update")  # a server-side apply makes what is not there
_NARROWED: Final = ("labelSelector=", "fieldSelector=")
_CACHED: Final = "resourceVersion="

OK, MADE, NOT_FOUND, CONFLICT, SERVER_ERROR = 200, 201, 404, 409, 500


class JudgedCall(Protocol):
    """The parts of a call that a history needs."""

    @property
    def at(self) -> datetime:
        """When it was answered."""

    @property
    def received_at(self) -> datetime:
        """When the API server got it."""

    @property
    def verb(self) -> str:
        """The verb, in lower case."""

    @property
    def uri(self) -> str:
        """The URI with its query, if the event shows it."""

    @property
    def group(self) -> str:
        """The group of the resource."""

    @property
    def resource(self) -> str:
        """The resource, in the plural."""

    @property
    def subresource(self) -> str:
        """The subresource; empty if there is none."""

    @property
    def namespace(self) -> str:
        """The namespace; empty if there is none."""

    @property
    def name(self) -> str:
        """The name of the object; empty if the event does not show it."""

    @property
    def code(self) -> int | None:
        """The status code of HTTP."""

    @property
    def user(self) -> str:
        """Whose rights were used."""

    @property
    def decision_kind(self) -> str:
        """The kind of a decision about a request; empty if it is none."""

    @property
    def dry_run(self) -> bool | None:
        """Whether nothing was to be stored."""

    @property
    def identity(self) -> str:
        """What makes two events the same call."""


def fact_of(call: JudgedCall) -> CallFact | None:
    """Return what a call that is over is a fact of, or None if a history has no use for it."""
    if call.dry_run:
        return None
    match call.group, call.resource:
        case "rbac.authorization.k8s.io", "rolebindings" if not call.subresource:
            return _of_binding(call)
        case names.GROUP, "accessrequests":
            return _of_request(call)
    return None


def _of_binding(call: JudgedCall) -> CallFact | None:
    if call.verb == "deletecollection":
        is_all = call.code == OK and not any(word in call.uri for word in _NARROWED)
        return BindingsCleared(call.at, call.namespace, call.user) if is_all else None
    uid = names.granted_by(call.name)
    if uid is None or _UID.fullmatch(uid) is None:
        return None
    if call.verb in _MAKING and (call.code == MADE or _is_unsettled(call)):
        certain = call.code == MADE
        return BindingMade(call.at, call.received_at, uid, call.namespace, call.user, call.identity, certain)
    if call.verb == "delete" and call.code == OK:
        return BindingGone(call.at, call.received_at, uid, call.namespace, call.user, was_deleted=True)
    if _CACHED in call.uri:
        return None  # answered from what the API server remembers, which may be old
    if call.verb in ("get", "delete", "patch") and call.code == NOT_FOUND:
        return BindingGone(call.at, call.received_at, uid, call.namespace, call.user, was_deleted=False)
    if (call.verb, call.code) in (("get", OK), ("create", CONFLICT)):
        return BindingSeen(call.received_at, uid)
    return None


def _is_unsettled(call: JudgedCall) -> bool:
    """Whether a call may have stored something and ended with an error: if a client is killed, its call gets the code 504."""
    return call.code is None or call.code >= SERVER_ERROR


def _of_request(call: JudgedCall) -> CallFact | None:
    if call.verb == "deletecollection" and call.code == OK and not any(word in call.uri for word in _NARROWED):
        return RequestGone(call.at, call.namespace, "")
    if not call.name:
        return None  # the API server has made the name up, and the event does not show it
    if call.subresource == "status":
        is_decision = bool(call.decision_kind) and call.code == OK
        return _decision(call) if is_decision else None
    if call.subresource:
        return None
    if call.verb in _MAKING and call.code == MADE:
        return RequestMade(call.at, call.received_at, call.namespace, call.name, call.user, call.identity)
    if call.verb == "delete" and call.code == OK:
        return RequestGone(call.at, call.namespace, call.name)
    return None


def _decision(call: JudgedCall) -> DecisionTaken:
    return DecisionTaken(call.at, call.namespace, call.name, call.user, call.decision_kind, call.identity)
