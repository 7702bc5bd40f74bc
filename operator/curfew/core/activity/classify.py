"""What a call did, and which kind of access it was.

An answer that does not show whether something was changed is never taken for "no": then the effect is Opaque or Unsure.
The API server's own behaviour is behind each rule; `tests/unit/core/activity/test_real_events.py` shows it on its events.
"""

from typing import Final

from curfew.core.activity.call import Call, CallStage
from curfew.core.activity.effect import Effect, Sensitive
from curfew.core.risk import words_of
from curfew.core.risk_table import DELETE, READ

READS: Final = frozenset({*READ, "head", "options"})
"""Verbs that read; for a URL that is no resource, the verb is the HTTP method."""

DELETES: Final = frozenset(DELETE)

_ASKS: Final = frozenset(
    {
        ("authorization.k8s.io", "subjectaccessreviews"),
        ("authorization.k8s.io", "localsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authentication.k8s.io", "tokenreviews"),
        ("authentication.k8s.io", "selfsubjectreviews"),
    }
)
"""Resources that are only created to ask something. Nothing is stored."""

_STREAMS: Final = {"exec": Sensitive.EXEC, "attach": Sensitive.ATTACH, "portforward": Sensitive.PORT_FORWARD}
_BY_RISK: Final = {
    "WritesRBAC": Sensitive.RBAC,
    "RemovesRBAC": Sensitive.RBAC,
    "ConfiguresAdmission": Sensitive.ADMISSION,
}
_SWITCHED: Final = 101  # HTTP's Switching Protocols: from here on, the API server only passes bytes on


def effect(call: Call) -> Effect:
    """Return what a call did, by its verb and the answer to it."""
    if _is_proxied(call):
        # Also an error may come from what was called, after it has done what it was called for.
        return Effect.DENIED if _is_refused(call) and call.decision != "allow" else Effect.OPAQUE
    if is_connection(call):
        return _of_connection(call)
    if call.verb in READS or _asks(call):
        return _of_error(call) or Effect.READ
    return _of_write(call)


def sensitive(call: Call) -> Sensitive | None:
    """Return the kind of access that makes a call stand out, whatever its outcome; None for most calls."""
    if is_connection(call):
        return _STREAMS.get(call.subresource) or (Sensitive.PROXY if _is_proxied(call) else Sensitive.CONNECTION)
    match call.group, call.resource, call.subresource:
        case "", "secrets", "":
            return Sensitive.SECRETS
        case "", "serviceaccounts", "token":
            return Sensitive.TOKEN_REQUEST
        case "", "pods", "ephemeralcontainers" if call.verb not in READS:
            return Sensitive.EPHEMERAL_CONTAINERS
    if call.verb in READS or call.subresource:
        return None
    words = words_of(call.group, call.resource, call.verb)
    return next((kind for word, kind in _BY_RISK.items() if word in words), None)


def is_connection(call: Call) -> bool:
    """Whether a call opens a connection that the API server passes on without looking into it."""
    return call.subresource in _STREAMS or _is_proxied(call) or (call.code == _SWITCHED and not _is_output(call))


def is_stream(call: Call) -> bool:
    """Whether a call lasts: the API server writes an event when it begins and another one when it ends."""
    return is_connection(call) or _is_output(call)


def _is_proxied(call: Call) -> bool:
    return call.subresource == "proxy" or call.verb == "proxy"


def _is_output(call: Call) -> bool:
    """Whether the API server only sends: a watch, or the output of a container."""
    return call.verb == "watch" or call.subresource == "log"


def _asks(call: Call) -> bool:
    return call.verb == "create" and not call.subresource and (call.group, call.resource) in _ASKS


def _is_refused(call: Call) -> bool:
    return call.decision == "forbid" or call.code in (401, 403)


def _is_error(call: Call) -> bool:
    return call.stage is CallStage.PANIC or (call.code is not None and call.code >= 400)


def _of_error(call: Call) -> Effect | None:
    if _is_refused(call):
        return Effect.DENIED
    return Effect.FAILED if _is_error(call) else None


def _of_connection(call: Call) -> Effect:
    if call.stage is CallStage.PANIC and not _is_refused(call):
        return Effect.OPAQUE  # it may have been open until then
    return _of_error(call) or Effect.OPAQUE


def _of_write(call: Call) -> Effect:
    if not _is_refused(call) and not _is_error(call):
        return {True: Effect.DRY_RUN, False: Effect.CHANGED, None: Effect.UNSURE}[call.dry_run]
    if call.dry_run is not True and _may_have_changed(call):
        return Effect.UNSURE
    return _of_error(call) or Effect.FAILED


def _may_have_changed(call: Call) -> bool:
    """Whether a call that ended with an error may have changed something before.

    A timeout, which the caller chooses, does not undo a change. Deleting a collection ends at the first object that it may
    not delete; those before it are gone.
    """
    if call.decision == "forbid" or call.code == 401:
        return False
    is_cut_short = call.stage is CallStage.PANIC or (call.code is not None and call.code >= 500)
    return is_cut_short or (call.verb == "deletecollection" and call.decision == "allow")
