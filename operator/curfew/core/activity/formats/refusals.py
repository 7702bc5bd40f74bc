"""What an event shows of admission policies: which one refused a call, and with which message.

The API server writes both into the event, not the caller. But the first policy that fails takes the annotation for itself,
also one that only audits; so the message of the answer is read as well.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from curfew.api.access_request import DecisionKind
from curfew.core.activity.call import AdmissionRefusal
from curfew.core.activity.formats.bounds import MOST_FAILURE, MOST_MESSAGE, MOST_PART
from curfew.core.activity.formats.fields import bounded

FAILURE: Final = "validation.policy.admission.k8s.io/validation_failure"
"""The annotation of a policy that a call does not satisfy: a list of JSON objects with policy and message."""

KIND: Final = "curfew-request-decision/decision"
"""The annotation that our own policy sets: the kind of decision, of any decision that comes as far as admission."""

_DENIED: Final = re.compile(
    r"ValidatingAdmissionPolicy '([^']{1,253})' with binding '[^']{1,253}' denied request: (.*)", re.DOTALL
)
_KINDS: Final = frozenset(map(str, DecisionKind))


def refusals(notes: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[AdmissionRefusal, ...]:
    """Return what the annotations and the answer of a call show of policies that it does not satisfy; nothing is an error."""
    found = (_in_annotation(notes.get(FAILURE)), _in_answer(status.get("message")))
    return tuple(dict.fromkeys(one for one in found if one is not None))


def decision_kind(notes: Mapping[str, Any]) -> str:
    """Return the kind of a decision about a request; empty if it is none, or of no kind that there is."""
    kind = notes.get(KIND)
    return kind if isinstance(kind, str) and kind in _KINDS else ""


def _in_annotation(value: object) -> AdmissionRefusal | None:
    if not isinstance(value, str) or len(value) > MOST_FAILURE:
        return None
    try:
        failures = json.loads(value)
    except (ValueError, RecursionError):
        return None
    failure = failures[0] if isinstance(failures, list) and failures else None
    if not isinstance(failure, dict):
        return None
    policy, message = failure.get("policy"), failure.get("message")
    if not isinstance(policy, str) or not isinstance(message, str):
        return None
    return AdmissionRefusal(bounded(policy, MOST_PART), bounded(message, MOST_MESSAGE))


def _in_answer(message: object) -> AdmissionRefusal | None:
    if not isinstance(message, str):
        return None
    found = _DENIED.search(message[:MOST_FAILURE])
    return AdmissionRefusal(found[1], bounded(found[2], MOST_MESSAGE)) if found is not None else None
