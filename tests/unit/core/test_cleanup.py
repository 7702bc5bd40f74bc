"""A finished request may be deleted once it is old, and only if its whole story is in the log."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest
from curfew.api.times import format_time
from curfew.core.cleanup import deletable_from
from curfew.core.plan import plan
from curfew.core.steps import Close, Patch, Step
from tests.support.builders import ALICE, BOB, NOON, a_decision, a_policy, a_request
from tests.support.stage import Stage, pending

MONTH = timedelta(hours=720)
BOT = "system:serviceaccount:flux-system:kustomize"
ENDED = NOON + timedelta(hours=1)
RECORD = {"record": "{}", "seal": "x"}


def finished(*, labels: dict[str, str] | None = None, asked: dict[str, Any] | None = None, **status: Any) -> Any:
    """Return a request that expired at one and is closed, with other things in it."""
    body = a_request(**(asked or {}))
    body["metadata"] |= {"uid": "u1", "labels": {"curfew.dev/closed": "true"} if labels is None else labels}
    said = {"phase": "Expired", "endedAt": format_time(ENDED), **status}
    return AccessRequest.model_validate({**body, "status": {key: v for key, v in said.items() if v is not None}})


def policy(mode: str = "Review", **limits: Any) -> AccessPolicy:
    """Return the policy as it is now."""
    return AccessPolicy.model_validate(a_policy(approval={"mode": mode}, limits=limits))


def seen(at: timedelta, by: str = BOB, decision: str = "Review") -> dict[str, Any]:
    """Return what the status has of a decision."""
    return {"by": by, "decision": decision, "seenAt": format_time(NOON + at), "effect": "TookEffect"}


@pytest.mark.parametrize("phase", ["Denied", "TimedOut", "Cancelled", "Expired", "Revoked", "Failed"])
def test_a_closed_request_may_go_when_it_is_old(phase: str) -> None:
    at = deletable_from(finished(phase=phase), policy(), is_over=True, keep_for=MONTH)

    assert at == ENDED + MONTH


@pytest.mark.parametrize("phase", [None, "Pending", "Approved", "Active"])
def test_what_is_not_over_stays_whatever_else_it_shows(phase: str | None) -> None:
    assert deletable_from(finished(phase=phase), policy(), is_over=True, keep_for=MONTH) is None


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(finished(labels={}), id="not labelled"),
        pytest.param(finished(labels={"curfew.dev/closed": "yes"}), id="labelled in other words"),
        pytest.param(finished(outbox=[RECORD]), id="something waits in its outbox"),
        pytest.param(finished(reviewBy=format_time(ENDED)), id="a review is owed"),
        pytest.param(
            finished(reviewBy=format_time(ENDED), decisions=[{"by": ALICE, "decision": "Review"}]),
            id="reviewed by who asked",
        ),
        pytest.param(finished(endedAt=None), id="no end"),
    ],
)
def test_what_is_not_closed_stays(request_: AccessRequest) -> None:
    assert deletable_from(request_, policy(), is_over=True, keep_for=MONTH) is None


def test_the_log_has_the_last_word() -> None:
    """A status and a label can be forged by whoever has the operator's token."""
    assert deletable_from(finished(), policy(), is_over=False, keep_for=MONTH) is None


def test_a_broken_glass_is_kept_from_its_review_on() -> None:
    """Whoever reviewed it can look at it for as long as at any other."""
    late = timedelta(days=20)
    reviewed = finished(
        reviewBy=format_time(ENDED), decisions=[{"by": BOB, "decision": "Review"}], reviews=[seen(late)]
    )

    assert deletable_from(reviewed, policy(), is_over=True, keep_for=MONTH) == NOON + late + MONTH


def test_the_self_test_stays() -> None:
    """It is made once, and made again whenever it is missing."""
    body = a_request("curfew-probe", submittedBy="system:serviceaccount:payments:curfew-probe")
    body["metadata"] |= {"uid": "u1", "labels": {"curfew.dev/closed": "true"}}
    request = AccessRequest.model_validate({**body, "status": {"phase": "Failed", "endedAt": format_time(ENDED)}})

    assert deletable_from(request, None, is_over=True, keep_for=MONTH) is None


@pytest.mark.parametrize("mode", ["Automatic", "BreakGlass"])
def test_what_gitops_would_have_granted_anew_stays(mode: str) -> None:
    """A controller that makes it anew would renew the access month after month, and nobody would be asked."""
    by_git = finished(asked={"submittedBy": BOT})

    assert deletable_from(by_git, policy(mode), is_over=True, keep_for=MONTH) is None
    assert deletable_from(by_git, policy(mode, oncePerName=True), is_over=True, keep_for=MONTH) is not None
    assert deletable_from(by_git, policy("Review"), is_over=True, keep_for=MONTH) is not None
    assert deletable_from(finished(), policy(mode), is_over=True, keep_for=MONTH) is not None, "alice asked herself"


@pytest.mark.parametrize(("mode", "stays"), [("Review", False), ("Automatic", True), ("BreakGlass", True)])
def test_a_policy_that_is_gone_counts_as_it_was(mode: str, stays: bool) -> None:
    """GitOps may bring it back together with the request."""
    terms = {
        "digest": "0" * 64,
        "mode": mode,
        "policy": {"name": "debug", "uid": "p", "generation": 1},
        "role": {"kind": "ClusterRole", "name": "view", "uid": "r", "rulesDigest": "0" * 64},
    }
    by_git = finished(asked={"submittedBy": BOT}, terms=terms)

    assert (deletable_from(by_git, None, is_over=True, keep_for=MONTH) is None) is stays
    assert deletable_from(finished(asked={"submittedBy": BOT}), None, is_over=True, keep_for=MONTH) is not None


async def test_what_came_back_from_a_backup_is_closed_with_an_empty_outbox() -> None:
    """The log has had its records for long; with anything in its outbox it would stay for ever."""
    stage = Stage()
    uid = await pending(stage)
    stage.trail.ok = False
    stage.cluster.decide("inc-4711", a_decision(decision="Deny"))
    await stage.settle()
    assert stage.cluster.status("inc-4711")["outbox"] != []
    request = stage.store.request(uid)
    assert request is not None
    restored = replace(stage.reconciler.gatherer.facts(request), story_closed=True, durable=frozenset())

    step = plan(restored)

    assert step == Step(act=Patch({}, outbox=()))
    emptied = request.model_copy(update={"status": request.status.model_copy(update={"outbox": ()})})
    assert plan(replace(restored, request=emptied)) == Step(act=Close())
