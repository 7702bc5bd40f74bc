"""How a binding ends of whose request nothing is known, and what the end of one that was no grant means."""

from dataclasses import replace

import pytest

from curfew.api.access_request import AccessRequest
from curfew.core.bindings import Binding
from curfew.core.facts import Refusal
from curfew.core.reasons import Reason
from curfew.core.steps import Remove
from curfew.core.unclaimed import Verdict, judge, refuses_another, was_no_grant
from tests.support.builders import NOON, a_request

BINDING = Binding(
    namespace="payments",
    name="curfew-u1",
    uid="b1",
    created_at=NOON,
    request_uid="u1",
    request="inc-4711",
    owner_uid="u1",
    role=("ClusterRole", "payments-debug"),
    subjects=(("User", "alice"),),
    starts_at=NOON,
    expires_at=NOON,
    receipt=None,
    terms="",
)
ITS_END = Remove(BINDING, Reason.REQUEST_DELETED, "its request was deleted")
CLOSED = {"metadata": {"uid": "u1"}}


def orphan(binding: Binding, why: str) -> Verdict:
    """Return that a binding is removed as one that has no right to exist."""
    return Verdict(Remove(binding, Reason.BINDING_UNANNOUNCED, why))


def in_phase(phase: str | None) -> AccessRequest:
    """Return the request, in a phase."""
    body = a_request()
    body["metadata"] |= {"uid": "u1", "resourceVersion": "1"}
    if phase is not None:
        body["status"] = {"phase": phase}
    return AccessRequest.model_validate(body)


def test_the_binding_of_a_request_that_was_deleted_ends_as_its_grant() -> None:
    """Whether or not the log is read by now: its story is told elsewhere, and nothing is in doubt."""
    for is_log_read in (True, False):
        assert judge("u1", BINDING, None, is_explained=True, is_log_read=is_log_read) == Verdict(ITS_END)


def test_a_binding_that_the_log_knows_nothing_of_is_an_orphan() -> None:
    strange = replace(BINDING, name="curfew-u2")

    verdicts = [
        judge("u1", binding, found, is_explained=False, is_log_read=True)
        for binding, found in ((BINDING, None), (BINDING, CLOSED), (strange, None), (strange, CLOSED))
    ]

    assert verdicts == [
        orphan(BINDING, "its request does not exist"),
        orphan(BINDING, "its request is over"),
        orphan(strange, "it looks like a grant but belongs to no request"),
        orphan(strange, "it looks like a grant but belongs to no request"),
    ]


def test_until_the_log_is_read_an_orphan_ends_and_is_in_doubt() -> None:
    """It ends at once; what it was is told when the log is read."""
    verdict = judge("u1", BINDING, None, is_explained=False, is_log_read=False)

    assert verdict == Verdict(ITS_END, doubt="its request does not exist")


@pytest.mark.parametrize("reason", [Reason.BINDING_UNANNOUNCED, Reason.BINDING_TAMPERED, Reason.EXPIRY_MISSING])
def test_what_was_no_grant_ends_no_grant(reason: Reason) -> None:
    """But the binding of an Active request was one, whatever was done to it since."""
    removal = Remove(BINDING, reason, "")
    requests = [None, *map(in_phase, (None, "Pending", "Approved", "Active", "Expired"))]

    found = [was_no_grant(removal, request, is_story_closed=False) for request in requests]

    assert found == [True, True, True, True, False, True]


def test_what_was_a_grant_is_none_if_its_story_is_over() -> None:
    """It came back with an older state of the cluster."""
    removal = Remove(BINDING, Reason.DURATION_ELAPSED, "")

    assert not was_no_grant(removal, None, is_story_closed=False)
    assert not was_no_grant(removal, in_phase("Active"), is_story_closed=False)
    assert was_no_grant(removal, in_phase("Active"), is_story_closed=True)


def test_only_in_place_of_what_was_tampered_with_no_other_is_made() -> None:
    for reason in (Reason.BINDING_TAMPERED, Reason.EXPIRY_MISSING):
        refusal = Refusal(reason, "its binding was not as it was made: it grants more")
        assert refuses_another(Remove(BINDING, reason, "it grants more")) == refusal
    assert refuses_another(Remove(BINDING, Reason.BINDING_UNANNOUNCED, "")) is None
