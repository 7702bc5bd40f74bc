"""What an audit event shows of admission policies is read with bounds, and what is not as it should be shows nothing."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from curfew.core.activity.call import AdmissionRefusal
from curfew.core.activity.formats import kubernetes
from curfew.core.activity.formats.bounds import MOST_FAILURE, MOST_MESSAGE
from curfew.core.activity.formats.forms import Form
from curfew.core.activity.formats.reading import read_lines
from curfew.core.activity.formats.refusals import FAILURE, KIND, refusals
from tests.support.builders import NOON
from tests.support.monitoring import event
from tests.support.noticing import OWN, a_refusal, failure

POLICY = "curfew-request-decision"
DENIED = (
    f"accessrequests.curfew.dev \"inc\" is forbidden: ValidatingAdmissionPolicy '{POLICY}' with binding '{POLICY}' "
    f"denied request: {OWN}"
)


def an_event(
    code: int = 403, message: object = "", notes: Mapping[str, object] = MappingProxyType({})
) -> dict[str, Any]:
    """Return the event of a decision."""
    made = event(a_refusal())
    made["annotations"] |= {FAILURE: failure(POLICY, OWN), KIND: "Approve", **notes}
    made["responseStatus"] = {"code": code, "message": message}
    return made


def test_the_annotation_names_policy_and_message() -> None:
    call = kubernetes.parse(an_event())

    assert call.refusals == (AdmissionRefusal(POLICY, OWN),)
    assert call.decision_kind == "Approve"


def test_the_answer_names_them_if_the_annotation_is_that_of_another_policy() -> None:
    call = kubernetes.parse(an_event(message=DENIED, notes={FAILURE: failure("audits-only", "no")}))

    assert call.refusals == (AdmissionRefusal("audits-only", "no"), AdmissionRefusal(POLICY, OWN))


def test_both_may_say_the_same() -> None:
    assert kubernetes.parse(an_event(message=DENIED)).refusals == (AdmissionRefusal(POLICY, OWN),)


def test_what_was_let_through_was_not_refused() -> None:
    assert kubernetes.parse(an_event(code=200)).refusals == ()


@pytest.mark.parametrize(
    "annotation",
    [
        "", "[", "[]", "{}", "null", "1", '"x"', "[1]", "[{}]", '[{"policy": 1, "message": "x"}]',
        '[{"policy": "x"}]', "[" * 60_000, failure(POLICY, "x" * MOST_FAILURE), 7, ["x"], None,
    ],
)  # fmt: skip
def test_an_annotation_that_is_none_shows_nothing(annotation: object) -> None:
    call = kubernetes.parse(an_event(notes={FAILURE: annotation}))

    assert call.refusals == ()


@pytest.mark.parametrize("message", [7, None, "forbidden", f"ValidatingAdmissionPolicy '{'x' * 300}' with binding 'x'"])
def test_an_answer_that_names_no_policy_shows_nothing(message: object) -> None:
    assert refusals({}, {"message": message}) == ()


def test_long_messages_are_cut() -> None:
    (found,) = refusals({FAILURE: failure(POLICY, "x" * (MOST_MESSAGE + 1))}, {})

    assert len(found.message) == MOST_MESSAGE


@pytest.mark.parametrize("kind", ["", "approve", "Approve ", 7, None, {"a": "b"}])
def test_only_kinds_of_decisions_are_one(kind: object) -> None:
    assert kubernetes.parse(an_event(notes={KIND: kind})).decision_kind == ""


def test_google_writes_it_into_labels() -> None:
    entry = {
        "insertId": "a",
        "timestamp": "2026-11-23T12:00:00Z",
        "labels": {FAILURE: failure(POLICY, OWN), KIND: "Approve"},
        "protoPayload": {
            "serviceName": "k8s.io",
            "methodName": "dev.curfew.v1alpha1.accessrequests.status.patch",
            "resourceName": "curfew.dev/v1alpha1/namespaces/payments/accessrequests/inc/status",
            "authenticationInfo": {"principalEmail": "alice@example.com"},
            "status": {"code": 7, "message": DENIED},
        },
    }

    (call,) = read_lines(json.dumps(entry).encode(), Form.GKE, now=NOON).calls
    assert (call.code, call.refusals, call.decision_kind) == (403, (AdmissionRefusal(POLICY, OWN),), "Approve")
