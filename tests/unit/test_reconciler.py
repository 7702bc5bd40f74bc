"""The life of a request, told as: the world before, what happens, the world after, and what is in the log."""

import itertools
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from curfew.api.times import format_time
from curfew.core.facts import EnforcementState
from curfew.core.keys import RequestKey
from curfew.ports import Forbidden
from tests.support.builders import ALICE, BOB, CAROL, NOON, a_decision, a_policy, a_request, a_role
from tests.support.ocsf import validate
from tests.support.stage import FakeTrail, Stage, active, pending


@pytest.fixture(autouse=True)
def every_record_is_what_the_catalogue_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at each record that any test here makes durable."""
    flush = FakeTrail.flush

    def flush_and_look(trail: FakeTrail) -> set[Any]:
        known = len(trail.log)
        keys = flush(trail)
        for record in trail.log[known:]:
            validate(record)
        return keys

    monkeypatch.setattr(FakeTrail, "flush", flush_and_look)


HAPPY = [
    "request.created",
    "request.accepted",
    "review.submitted",
    "review.approved",
    "grant.intended",
    "grant.activated",
    "grant.expired",
    "request.closed",
]


async def test_a_request_lives_from_asking_to_the_end_of_its_hour() -> None:
    """The main story: every transition is in the log exactly once, in order (promises P1, P2, P7)."""
    stage = Stage()

    uid = await pending(stage)
    assert stage.phase() == "Pending"
    assert stage.cluster.status("inc-4711")["decisions"] == []
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    assert stage.phase() == "Active"
    assert [b["metadata"]["name"] for b in stage.bindings()] == [f"curfew-{uid}"]
    await stage.pass_time(minutes=59, seconds=59)
    assert stage.phase() == "Active"
    await stage.pass_time(seconds=1)

    assert stage.phase() == "Expired"
    assert stage.bindings() == []
    assert stage.events() == HAPPY


async def test_a_binding_is_made_only_after_its_announcement_is_durable() -> None:
    """No access without a record (promise P2)."""
    stage = Stage()
    await pending(stage)

    stage.trail.ok = False
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert stage.phase() == "Approved"
    assert stage.bindings() == []
    assert stage.condition("Recorded")["reason"] == "TrailUnavailable"
    told = [notice for notice in stage.told.notices if notice.type == "Warning"]
    assert [notice.note for notice in told] == ["request inc-4711 waits: the bucket is away"]

    stage.trail.ok = True
    stage.look_at_all_requests()
    await stage.settle()

    assert stage.phase() == "Active"
    assert stage.events().index("grant.intended") < stage.events().index("grant.activated")


async def test_an_end_does_not_wait_for_the_trail() -> None:
    """Revocation waits for nothing (promise P3)."""
    stage = Stage()
    await active(stage)

    stage.trail.ok = False
    await stage.pass_time(hours=1)

    assert stage.bindings() == []
    assert stage.phase() == "Expired"
    assert "grant.expired" not in stage.events()

    stage.trail.ok = True
    stage.look_at_all_requests()
    await stage.settle()

    assert stage.events() == HAPPY


@pytest.mark.parametrize(
    ("decision", "phase", "reason", "event"),
    [
        pytest.param(
            a_decision(BOB, "Revoke"), "Revoked", "RevokedByApprover", "grant.revoked", id="an approver ends it"
        ),
        pytest.param(
            a_decision(ALICE, "Cancel"),
            "Revoked",
            "ReleasedByRequester",
            "grant.revoked",
            id="the requester gives it back",
        ),
    ],
)
async def test_access_ends_early(decision: dict[str, str], phase: str, reason: str, event: str) -> None:
    """People end a grant before its time."""
    stage = Stage()
    await active(stage)

    stage.cluster.decide("inc-4711", decision)
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == (phase, reason)
    assert stage.bindings() == []
    assert stage.events()[-3:] == ["review.submitted", event, "request.closed"]


@pytest.mark.parametrize(
    ("decision", "phase", "event"),
    [
        pytest.param(a_decision(BOB, "Deny"), "Denied", "review.denied", id="denied"),
        pytest.param(a_decision(ALICE, "Cancel"), "Cancelled", "request.cancelled", id="cancelled"),
    ],
)
async def test_a_request_is_turned_down(decision: dict[str, str], phase: str, event: str) -> None:
    """People say no before anything is granted."""
    stage = Stage()
    await pending(stage)

    stage.cluster.decide("inc-4711", decision)
    await stage.settle()

    assert stage.phase() == phase
    assert stage.events()[-3:] == ["review.submitted", event, "request.closed"]


async def test_a_late_approval_is_refused() -> None:
    """Whoever was slow: an approval that is seen after decideBy grants nothing."""
    stage = Stage()
    await pending(stage)

    stage.wakes.clear()  # the operator was not looking
    await stage.pass_time(hours=1)
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert stage.phase() == "TimedOut"
    assert stage.bindings() == []
    assert stage.cluster.status("inc-4711")["reviews"][0]["effect"] == "TooLate"
    assert stage.events()[-3:] == ["review.refused", "request.timed_out", "request.closed"]


@pytest.mark.parametrize(
    ("decision", "effect", "words"),
    [
        pytest.param(a_decision(ALICE), "OwnRequest", "they asked for it themselves", id="of who asked"),
        pytest.param(
            a_decision(BOB, stage="friends"), "UnknownStage", "the policy has no stage of that name", id="for no stage"
        ),
    ],
)
async def test_a_decision_that_may_not_count_is_told_once_and_as_refused(
    decision: dict[str, str], effect: str, words: str
) -> None:
    """Who tries to approve their own request is found by one event, whatever else was decided (promise P4)."""
    stage = Stage(policy=a_policy(approval={"mode": "Review", "count": 2}))
    await pending(stage)

    stage.cluster.decide("inc-4711", decision)
    stage.cluster.decide("inc-4711", a_decision(CAROL))
    await stage.settle()

    refused, counted = (record for record in stage.log if record.event.startswith("review."))
    assert (refused.event, refused.block["actor"]) == ("review.refused", decision["by"])
    assert (refused.block["detail"]["effect"], refused.body["status_id"]) == (effect, 2)
    assert refused.message.endswith(f"(it did not count: {words})")
    assert (counted.event, counted.block["detail"]["effect"]) == ("review.submitted", "Counted")
    warnings = [notice for notice in stage.told.notices if notice.type == "Warning"]
    assert [(notice.reason, notice.note) for notice in warnings] == [("ReviewRefused", refused.message)]


async def test_a_binding_that_cannot_be_removed_is_told_once() -> None:
    """Late is an alarm, and one try that fails is not late (promises P1 and P11)."""
    stage = Stage()
    uid = await active(stage)
    stage.cluster.refuse_removals = "rolebindings is forbidden"
    stage.clock.advance(hours=1)
    for _ in range(4):
        with pytest.raises(Forbidden):
            await stage.reconciler.reconcile(RequestKey(uid))
        stage.clock.advance(seconds=3)
        stage.trail.flush()

    (record,) = (record for record in stage.log if record.event == "grant.removal_failed")
    assert record.block["detail"] == {
        "end_reason": "DurationElapsed",
        "since": "2026-11-23T13:00:00Z",
        "seconds": 6,
        "problem": "rolebindings is forbidden",
    }
    assert record.message == (
        f"RoleBinding curfew-{uid} in payments has to be removed, but this has failed for 6 s; Curfew tries again: "
        "rolebindings is forbidden"
    )
    assert record.block["story"]["ticket"] == "INC-4711"
    told = {notice.key for notice in stage.told.notices if notice.reason == "RemovalFailed"}
    assert len(told) == 1

    stage.cluster.refuse_removals = None
    stage.dirty.add(RequestKey(uid))
    await stage.settle()

    assert stage.events() == [*HAPPY[:-2], "grant.removal_failed", *HAPPY[-2:]]
    expired = next(record for record in stage.log if record.event == "grant.expired")
    assert expired.block["detail"]["late_ms"] == 12_000


async def test_an_orphan_that_cannot_be_removed_is_told_by_what_is_on_it() -> None:
    """Nothing is known of its request."""
    stage = Stage()
    uid = await active(stage)
    binding = stage.bindings()[0]
    stage.cluster.delete("AccessRequest", "inc-4711")
    await stage.settle()
    stage.cluster.refuse_removals = "rolebindings is forbidden"
    stage.cluster.apply(binding)
    for _ in range(2):
        with pytest.raises(Forbidden):
            await stage.reconciler.reconcile(RequestKey(uid))
        stage.clock.advance(seconds=6)

    stage.trail.flush()
    assert stage.log[-1].event == "grant.removal_failed"
    assert stage.log[-1].block["story"]["requester"] == ALICE


async def test_a_late_approval_is_refused_by_an_operator_that_starts_after_it() -> None:
    """Until the trail is read nothing is known of an announcement in time, so nothing is granted and nothing refused."""
    stage = Stage()
    await pending(stage)
    stage.wakes.clear()  # the operator was not running
    await stage.pass_time(hours=1)
    stage.cluster.decide("inc-4711", a_decision())

    stage.restart()
    stage.trail.is_open = False
    await stage.settle()
    assert stage.phase() == "Pending"
    stage.trail.is_open = True
    stage.look_at_all_requests()
    await stage.settle()

    assert stage.phase() == "TimedOut"
    assert stage.bindings() == []


async def announced_at_the_last_moment(stage: Stage) -> str:
    """Have a request whose grant is handed to the trail a second before the time is up, and not durable yet."""
    uid = await pending(stage)
    stage.clock.advance(minutes=59, seconds=59)
    stage.cluster.decide("inc-4711", a_decision())
    await stage.reconciler.reconcile(RequestKey(uid))
    return uid


async def test_an_announcement_that_is_on_its_way_when_the_time_is_up_was_in_time() -> None:
    """Whatever the bucket takes to answer: enough people agreed, and that was seen."""
    stage = Stage()
    uid = await announced_at_the_last_moment(stage)

    stage.clock.advance(seconds=2)
    await stage.reconciler.reconcile(RequestKey(uid))
    assert stage.phase() == "Pending"
    assert "grant.intended" not in stage.events()
    await stage.settle()

    assert stage.phase() == "Active"
    assert stage.cluster.status("inc-4711")["reviews"][0]["effect"] == "Counted"


async def test_an_announcement_that_waits_for_the_bucket_when_the_time_is_up_was_in_time() -> None:
    """The request is Approved until the bucket is back, and what bob said has counted."""
    stage = Stage()
    uid = await announced_at_the_last_moment(stage)

    stage.trail.ok = False
    stage.clock.advance(seconds=2)
    await stage.settle()
    assert stage.phase() == "Approved"
    assert stage.cluster.status("inc-4711")["reviews"][0]["effect"] == "Counted"
    stage.trail.ok = True
    stage.dirty.add(RequestKey(uid))
    await stage.settle()

    assert stage.phase() == "Active"
    assert stage.cluster.status("inc-4711")["expiresAt"] == "2026-11-23T13:59:59Z"


async def test_nobody_decides_in_time() -> None:
    """The pending clock runs out by itself."""
    stage = Stage()
    await pending(stage)

    await stage.pass_time(hours=1)

    assert stage.phase() == "TimedOut"
    assert stage.events()[-2:] == ["request.timed_out", "request.closed"]


async def test_a_policy_may_grant_without_review() -> None:
    """Mode Automatic is still recorded and still bounded."""
    stage = Stage(policy=a_policy(approval={"mode": "Automatic"}))
    await pending(stage)

    assert stage.phase() == "Active"
    assert stage.events() == [
        "request.created",
        "request.accepted",
        "review.auto_approved",
        "grant.intended",
        "grant.activated",
    ]


async def test_all_stages_have_to_agree_and_a_person_counts_once() -> None:
    """Stages are filled by different people; one without a stage fills what is left."""
    stage = Stage(
        policy=a_policy(
            approval={"mode": "Review", "stages": [{"name": "owners", "count": 1}, {"name": "security", "count": 1}]}
        )
    )
    await pending(stage)
    assert stage.cluster.status("inc-4711")["approvals"] == "0/2"

    stage.cluster.decide("inc-4711", a_decision(BOB, stage="owners"))
    await stage.settle()
    assert (stage.phase(), stage.cluster.status("inc-4711")["approvals"]) == ("Pending", "1/2")

    stage.cluster.decide("inc-4711", a_decision(CAROL))
    await stage.settle()
    assert (stage.phase(), stage.cluster.status("inc-4711")["approvals"]) == ("Active", "2/2")
    assert stage.events().count("review.submitted") == 2


async def test_a_start_in_the_future_is_waited_for() -> None:
    """The window begins at notBefore, not at the approval."""
    stage = Stage()
    await pending(stage, notBefore="2026-11-23T14:00:00Z")

    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    assert stage.phase() == "Approved"
    await stage.pass_time(hours=2)

    assert stage.phase() == "Active"
    assert stage.cluster.status("inc-4711")["expiresAt"] == "2026-11-23T15:00:00Z"
    await stage.pass_time(hours=1)
    assert stage.phase() == "Expired"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        pytest.param({"duration": "8h"}, "DurationTooLong", id="longer than the policy allows"),
        pytest.param({"ticket": None}, "TicketMissing", id="no ticket"),
        pytest.param({"ticket": "later"}, "TicketMalformed", id="a ticket that is none"),
        pytest.param({"reason": "hm"}, "ReasonTooShort", id="a reason that says nothing"),
        pytest.param({"requester": "system:serviceaccount:a:b"}, "RequesterNotAPerson", id="not a person"),
    ],
)
async def test_what_can_never_be_granted_is_refused_with_a_sentence(spec: dict[str, str], reason: str) -> None:
    """Bad input gets one clear answer, where its reader looks."""
    stage = Stage(policy=a_policy(reason={"minLength": 10}, ticket={"required": True, "pattern": "INC-[0-9]+"}))
    await pending(stage, **spec)

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", reason)
    assert stage.condition("Ready")["reason"] == reason
    assert stage.events() == ["request.created", "request.rejected", "request.closed"]


async def test_a_policy_that_comes_a_moment_later_is_waited_for() -> None:
    """One kubectl apply of a folder sends objects in any order."""
    stage = Stage()
    await pending(stage, policyName="late")
    assert stage.condition("Ready")["reason"] == "PolicyNotFound"

    stage.cluster.apply(a_policy("late"))
    await stage.settle()

    assert stage.phase() == "Pending"


async def test_a_policy_that_never_comes_is_a_refusal() -> None:
    """Unknown means no (promise P8)."""
    stage = Stage()
    await pending(stage, policyName="nothing")

    await stage.pass_time(seconds=31)

    assert stage.phase() == "Failed"
    assert "kubectl get accesspolicies -n payments" in stage.condition("Ready")["message"]


@pytest.mark.parametrize(
    ("what", "reason", "words"),
    [
        ("policy", "TermsChanged", "AccessPolicy debug was changed"),
        ("role", "TermsChanged", "the rules of ClusterRole payments-debug were changed"),
        ("policy deleted", "PolicyDeleted", "AccessPolicy debug was deleted"),
        ("role deleted", "TermsChanged", "ClusterRole payments-debug was deleted"),
        ("role made anew", "TermsChanged", "ClusterRole payments-debug was deleted and created again"),
    ],
)
async def test_changed_terms_grant_nothing(what: str, reason: str, words: str) -> None:
    """What was approved is what is granted (promise P5), and the difference is named."""
    stage = Stage()
    await pending(stage)
    if what == "policy":
        stage.cluster.apply(a_policy(maxDuration="5h"))
    elif what == "role":
        stage.cluster.apply(a_role(rules=[{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]))
    elif what == "policy deleted":
        stage.cluster.delete("AccessPolicy", "debug")
    else:
        stage.cluster.delete("ClusterRole", "payments-debug", "")
    if what == "role made anew":
        stage.cluster.apply(a_role())
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", reason)
    assert words in stage.condition("Approved")["message"]
    assert stage.bindings() == []
    assert stage.events()[-2:] == ["grant.activation_failed", "request.closed"]


async def test_a_drifted_binding_is_removed_and_never_repaired() -> None:
    """What is not as it was made has no right to exist."""
    stage = Stage()
    uid = await active(stage)

    stage.cluster.edit_binding(f"curfew-{uid}", lambda b: b["subjects"].append({"kind": "User", "name": CAROL}))
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "BindingTampered")
    assert stage.bindings() == []
    assert stage.events()[-3:] == ["grant.drifted", "grant.revoked", "request.closed"]
    assert len(stage.cluster.bindings_made) == 1


async def test_a_binding_without_its_end_is_removed() -> None:
    """An Active grant without an end is revoked."""
    stage = Stage()
    uid = await active(stage)

    stage.cluster.edit_binding(f"curfew-{uid}", lambda b: b["metadata"]["annotations"].pop("curfew.dev/expires-at"))
    await stage.settle()

    assert stage.cluster.status("inc-4711")["endReason"] == "ExpiryMissing"
    assert stage.bindings() == []


async def test_a_binding_that_somebody_deletes_is_a_revocation() -> None:
    """A plain delete is fail-safe; it is seen, recorded, and not undone."""
    stage = Stage()
    uid = await active(stage)

    stage.cluster.delete("RoleBinding", f"curfew-{uid}")
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "BindingRemoved")
    assert stage.events()[-2:] == ["grant.binding_removed", "request.closed"]
    assert len(stage.cluster.bindings_made) == 1


async def test_a_deleted_request_ends_its_access_and_its_story() -> None:
    """Deleting a request is an end like any other, and recorded though no status is left."""
    stage = Stage()
    await active(stage)

    stage.cluster.delete("AccessRequest", "inc-4711")
    await stage.settle()

    assert stage.bindings() == []
    assert stage.events()[-3:] == ["request.deleted", "grant.revoked", "request.closed"]
    told = stage.told.notices[-1]
    assert (told.regarding.kind, told.reason) == ("Namespace", "Revoked")
    assert told.note == f"request inc-4711 of {ALICE} was deleted, and its access is gone"


@pytest.mark.parametrize("is_ours", [True, False], ids=["a grant", "an orphan"])
async def test_a_binding_without_its_request_is_removed_before_the_trail_is_read_and_told_of_after(
    *, is_ours: bool
) -> None:
    """Removing waits for nothing (promise P3); whether it was a grant, only the trail knows, and each is told as what it is."""
    stage = Stage()
    await active(stage)
    (binding,) = stage.bindings()
    stage.cluster.watchers = []
    stage.cluster.delete("AccessRequest", "inc-4711")
    if not is_ours:
        stage.log.clear()
    stage.cluster.apply(binding)  # the garbage collector has not come by yet
    before = list(stage.events())

    stage.restart()
    stage.trail.is_open = False
    await stage.settle()
    assert stage.bindings() == []
    assert stage.events() == before
    stage.trail.is_open = True
    await stage.reconciler.deleted.close_stories()
    await stage.settle()

    told = ["request.deleted", "grant.revoked", "request.closed"] if is_ours else ["grant.orphan_removed"]
    assert stage.events() == [*before, *told]


async def test_a_request_deleted_while_curfew_was_down_is_closed_at_the_start() -> None:
    """The log is the memory."""
    stage = Stage()
    await active(stage)
    stage.cluster.watchers = []
    stage.cluster.delete("AccessRequest", "inc-4711")

    stage.restart()
    await stage.settle()

    assert stage.events()[-3:] == ["request.deleted", "grant.revoked", "request.closed"]
    assert stage.told.notices[-1].note == f"request inc-4711 of {ALICE} was deleted, and its access is gone"


async def test_a_binding_past_its_end_is_removed_before_anything_else_is_known() -> None:
    """The binding alone is enough, whatever cannot be listed (promise P3)."""
    stage = Stage()
    uid = await active(stage)
    stage.restart()
    stage.clock.advance(hours=2)

    for body in await stage.cluster.list_bindings():
        stage.store.see_binding(body)
    await stage.reconciler.reconcile(RequestKey(uid))

    assert stage.bindings() == []
    await stage.settle()
    assert stage.phase() == "Expired"


async def test_a_strangers_binding_under_our_name_is_an_alarm_and_no_grant() -> None:
    """AlreadyExists is not success."""
    stage = Stage()
    uid = await pending(stage)
    stranger = {
        "kind": "RoleBinding",
        "metadata": {"name": f"curfew-{uid}", "namespace": "payments"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "name": CAROL}],
    }
    stage.cluster.apply(stranger)

    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "BindingConflict")
    assert len(stage.bindings()) == 1


async def test_a_labelled_binding_without_a_request_is_removed() -> None:
    """An orphan has no right to exist, and is told of."""
    stage = Stage()
    orphan = {
        "kind": "RoleBinding",
        "metadata": {
            "name": "curfew-nobody",
            "namespace": "payments",
            "labels": {"curfew.dev/request-uid": "nobody"},
            "annotations": {"curfew.dev/expires-at": "2030-01-01T00:00:00Z"},
        },
        "roleRef": {"kind": "ClusterRole", "name": "payments-debug"},
        "subjects": [{"kind": "User", "name": CAROL}],
    }
    await stage.settle()
    stage.cluster.apply(orphan)
    await stage.settle()

    assert stage.bindings() == []
    assert stage.events() == ["grant.orphan_removed"]


async def test_what_the_api_server_refuses_to_bind_fails_with_its_words() -> None:
    """A role Curfew may not bind is no reason to try for ever."""
    stage = Stage()
    await pending(stage)
    stage.cluster.refuse_bindings = 'user "curfew" cannot bind role'

    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    await stage.pass_time(seconds=6)

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "CannotBind")
    assert "cannot bind role" in stage.condition("Active")["message"] + stage.condition("Approved")["message"]


async def test_an_api_server_that_does_not_know_our_rights_yet_loses_no_grant() -> None:
    """For a moment after its start it refuses everything; what people agreed to is tried again."""
    stage = Stage()
    await pending(stage)
    stage.cluster.refuse_bindings = 'user "curfew" cannot create resource "rolebindings"'
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    await stage.pass_time(seconds=2)
    assert (stage.phase(), stage.bindings()) == ("Pending", [])

    stage.cluster.refuse_bindings = None
    await stage.pass_time(seconds=1)

    assert stage.phase() == "Active"


async def test_a_restart_grants_nothing_again() -> None:
    """A finished request stays finished, also when somebody applies it again."""
    stage = Stage()
    await active(stage)
    await stage.pass_time(hours=1)
    assert stage.phase() == "Expired"

    stage.restart()
    await stage.settle()

    assert len(stage.cluster.bindings_made) == 1
    assert stage.events() == HAPPY


async def test_running_twice_changes_nothing() -> None:
    """An operator with nothing to do does nothing."""
    stage = Stage()
    await active(stage)
    before = stage.cluster.all("AccessRequest")

    stage.restart()
    await stage.settle()

    assert stage.cluster.all("AccessRequest") == before


async def test_a_request_on_behalf_needs_the_persons_own_right() -> None:
    """Nobody gets through another what they may not ask for themselves (promise P4)."""
    stage = Stage()
    stage.cluster.may_not_request.add(ALICE)
    await pending(stage, submittedBy="system:serviceaccount:argocd:controller")

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "RequesterMayNotAsk")


async def test_a_right_lost_before_the_grant_grants_nothing() -> None:
    """It is asked again at the moment of the grant."""
    stage = Stage()
    await pending(stage, submittedBy="system:serviceaccount:argocd:controller")
    assert stage.phase() == "Pending"

    stage.cluster.may_not_request.add(ALICE)
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "RequesterMayNotAsk")


async def test_who_asked_for_themselves_by_name_and_lost_the_right_gets_nothing() -> None:
    """It was theirs by name when they asked, so it can be asked again at the start."""
    stage = Stage()
    await pending(stage, notBefore=format_time(NOON + timedelta(minutes=10)))
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    status = stage.cluster.status("inc-4711")
    assert (status["phase"], status["terms"]["right"]) == ("Approved", "ByName")

    stage.cluster.may_not_request.add(ALICE)
    await stage.pass_time(minutes=11)

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "RequesterMayNotAsk")
    assert f"{ALICE} no longer has the verb request" in stage.condition("Active")["message"]
    assert stage.cluster.bindings_made == []


async def test_a_right_is_not_asked_again_in_the_first_seconds() -> None:
    """One of several API servers may not know of the binding yet, and would fail a grant that follows at once."""
    stage = Stage()
    await pending(stage)
    stage.cluster.may_not_request.add(ALICE)

    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert stage.phase() == "Active"


async def test_a_right_that_has_to_be_asked_for_by_now_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first seconds are over while the role is read: nobody has lost a right that was not asked for."""
    stage = Stage()
    await pending(stage)
    read = stage.cluster.get_role

    async def read_slowly(kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        stage.clock.advance(seconds=0.2)
        return await read(kind, namespace, name)

    monkeypatch.setattr(stage.cluster, "get_role", read_slowly)
    stage.clock.advance(seconds=4.9)

    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert stage.phase() == "Active"


async def test_a_right_that_came_through_a_group_is_not_asked_again() -> None:
    """Asked by name, RBAC said no from the start; the API server, which knows the groups, let them ask."""
    stage = Stage()
    stage.cluster.may_not_request.add(ALICE)
    await active(stage)

    assert stage.cluster.status("inc-4711")["terms"]["right"] == "NotByName"


async def test_a_request_from_before_the_right_was_pinned_is_granted() -> None:
    """Its terms say nothing of the right, and their digest is the same."""
    stage = Stage()
    await pending(stage)
    del stage.cluster.status("inc-4711")["terms"]["right"]
    stage.restart()
    stage.cluster.may_not_request.add(ALICE)
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert "right" not in stage.cluster.status("inc-4711")["terms"]
    assert stage.phase() == "Active"


async def test_a_role_that_curfew_was_not_given_is_said_before_anybody_decides() -> None:
    """The policy is not Ready, and a request fails with the next step in words."""
    stage = Stage()
    stage.cluster.may_bind_roles = False
    await pending(stage)
    assert "values roles and namespaces" in stage.condition("Ready")["message"]

    await stage.pass_time(seconds=6)

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "CannotBind")


async def test_curfew_asks_for_its_own_right_again_if_a_binding_was_refused() -> None:
    """A yes is remembered for ten minutes, a no is not, and the API server decides about each binding anyway."""
    stage = Stage()
    await stage.settle()
    stage.cluster.may_bind_roles = False
    await pending(stage)
    assert stage.phase() == "Pending"
    stage.cluster.refuse_bindings = "may not bind"
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    await stage.pass_time(seconds=6)
    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "CannotBind")

    stage.cluster.apply(a_request("again", created=stage.clock.now()))
    await stage.settle()
    assert stage.phase("again") is None
    await stage.pass_time(seconds=6)
    assert (stage.phase("again"), stage.cluster.status("again")["endReason"]) == ("Failed", "CannotBind")


async def test_a_role_that_was_mended_a_moment_ago_is_accepted() -> None:
    """The watch shows it as permanent still; nobody is refused before the role was read."""
    stage = Stage()
    stage.cluster.apply(a_role(rules=[{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]))
    await stage.settle()
    watchers, stage.cluster.watchers = stage.cluster.watchers, []
    stage.cluster.apply(a_role())
    stage.cluster.watchers = watchers

    await pending(stage)

    assert stage.phase() == "Pending"


@pytest.mark.parametrize("what", ["edited", "deleted"])
async def test_a_grant_ends_when_its_role_changes(what: str) -> None:
    """What was approved is what is held, to the end (promise P5)."""
    stage = Stage()
    stage.cluster.apply(a_role())  # the watch has seen it
    await active(stage)

    if what == "edited":
        stage.cluster.apply(a_role(rules=[{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]))
    else:
        stage.cluster.delete("ClusterRole", "payments-debug", "")
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "RoleChanged")
    assert stage.bindings() == []
    assert stage.events()[-3:] == ["grant.role_changed", "grant.revoked", "request.closed"]


async def test_a_policy_may_keep_a_grant_whose_role_changes() -> None:
    """Recorded once, told, and kept."""
    stage = Stage(policy=a_policy(onRoleChange="Keep"))
    await active(stage)

    stage.cluster.apply(a_role(rules=[{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]))
    await stage.settle()
    stage.look_at_all_requests()
    await stage.settle()

    assert stage.phase() == "Active"
    assert stage.condition("RoleUnchanged")["status"] == "False"
    assert stage.events().count("grant.role_changed") == 1


BREAK_GLASS = a_policy(approval={"mode": "BreakGlass"})


async def test_breaking_the_glass_grants_at_once_and_tells_everybody() -> None:
    """Nobody is asked; a Warning on request and namespace, a record of its own, and a review is owed."""
    stage = Stage(policy=BREAK_GLASS)
    await pending(stage)

    assert stage.phase() == "Active"
    assert "review.break_glass_invoked" in stage.events()
    told = [notice for notice in stage.told.notices if notice.reason == "BreakGlassInvoked"]
    assert [(notice.type, notice.regarding.kind) for notice in told] == [
        ("Warning", "AccessRequest"),
        ("Warning", "Namespace"),
    ]
    assert stage.condition("Reviewed")["reason"] == "ReviewOwed"


async def test_a_broken_glass_stays_open_until_somebody_else_has_looked_at_it() -> None:
    """The review is a decision of its own, by somebody else, and closes the story."""
    stage = Stage(policy=BREAK_GLASS)
    await pending(stage)
    await stage.pass_time(hours=1)
    assert stage.phase() == "Expired"
    assert "request.closed" not in stage.events()

    stage.cluster.decide("inc-4711", a_decision(ALICE, "Review"))
    await stage.settle()
    assert stage.events()[-1] == "review.refused"
    assert stage.condition("Reviewed")["status"] == "False"
    await stage.pass_time(hours=24)
    assert stage.condition("Reviewed")["reason"] == "ReviewOverdue"
    overdue = stage.log[-1]
    assert (overdue.event, overdue.block["detail"]) == ("review.overdue", {"review_by": "2026-11-24T12:00:00Z"})
    stage.restart()
    await stage.settle()
    assert stage.events().count("review.overdue") == 1

    stage.cluster.decide("inc-4711", a_decision(BOB, "Review", reason="it was right"))
    await stage.settle()
    assert stage.condition("Reviewed")["status"] == "True"
    assert stage.events()[-2:] == ["review.submitted", "request.closed"]
    assert stage.cluster.all("AccessRequest")[0]["metadata"]["labels"] == {"curfew.dev/closed": "true"}


async def test_a_review_while_it_is_active_closes_the_story_at_its_end() -> None:
    """Nobody has to wait for the end to look."""
    stage = Stage(policy=BREAK_GLASS)
    await pending(stage)
    stage.cluster.decide("inc-4711", a_decision(BOB, "Review"))
    await stage.settle()

    await stage.pass_time(hours=1)

    assert stage.events()[-2:] == ["grant.expired", "request.closed"]


async def test_a_broken_glass_that_is_deleted_is_told_to_the_end() -> None:
    """Deleting the request does not make the debt invisible."""
    stage = Stage(policy=BREAK_GLASS)
    await pending(stage)
    await stage.pass_time(hours=1)

    stage.cluster.delete("AccessRequest", "inc-4711")
    await stage.settle()

    assert stage.events()[-2:] == ["request.deleted", "request.closed"]


async def test_nothing_is_granted_while_our_rules_are_not_in_force() -> None:
    """Policies cannot protect themselves: switched off, nothing is granted; ends go on (promises P3 and P8)."""
    stage = Stage()
    stage.cluster.apply(a_request("active"))
    await stage.settle()
    stage.cluster.decide("active", a_decision())
    await stage.settle()
    assert stage.phase("active") == "Active"
    await pending(stage)

    stage.enforcement = EnforcementState(
        ok=False, reason="NotEnforced", message="curfew-request-decision is not in force", since=stage.clock.now()
    )
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    await stage.pass_time(hours=1)

    assert (stage.phase(), stage.phase("active")) == ("Approved", "Expired")
    assert stage.condition("Active")["reason"] == "NotEnforced"
    assert stage.bindings() == []

    stage.enforcement = EnforcementState(ok=True, reason="Enforced", message="", since=stage.clock.now())
    stage.look_at_all_requests()
    await stage.settle()

    assert stage.phase() == "Active"


KINDS = ("AccessRequest", "AccessPolicy", "RoleBinding")


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
@pytest.mark.parametrize("phase", ["Pending", "Approved", "Active"])
@pytest.mark.parametrize("order", list(itertools.permutations(KINDS)), ids=" then ".join)
async def test_a_namespace_goes_in_any_order(order: tuple[str, ...], phase: str, at_once: bool) -> None:
    """Nothing of it is left, its end is told once, and what is made anew under the same names inherits nothing (P1, P7)."""
    stage = Stage()
    starts = {"notBefore": "2026-11-23T14:00:00Z"} if phase == "Approved" else {}
    uid = await pending(stage, **starts)
    if phase != "Pending":
        stage.cluster.decide("inc-4711", a_decision())
        await stage.settle()
    assert stage.phase() == phase

    for kind in order:
        for body in stage.cluster.all(kind):
            stage.cluster.delete(kind, body["metadata"]["name"])
        if not at_once:
            await stage.settle()
    stage.cluster.apply(a_policy())
    again = await pending(stage, **starts)
    await stage.pass_time(minutes=50)

    told = Counter(stage.events(uid))
    assert stage.bindings() == []
    assert (told.total(), stage.events(uid)[-1]) == (len(told), "request.closed")
    assert told["grant.revoked"] + told["grant.binding_removed"] == (phase == "Active")
    assert phase == "Active" or told["request.deleted"] + told["grant.activation_failed"] == 1

    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    assert [body["metadata"]["labels"]["curfew.dev/request-uid"] for body in stage.bindings()] in ([again], [])
    assert stage.phase() == ("Approved" if starts else "Active")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["Deny", "Cancel", "deletion"])
async def test_what_races_the_binding_ends_it(what: str, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A no that comes while the grant is being made is carried out; the story has one beginning and one end."""
    stage = Stage()
    uid = await pending(stage)
    create_binding = stage.cluster.create_binding

    def race() -> None:
        if what == "deletion":
            stage.cluster.delete("AccessRequest", "inc-4711")
        else:
            stage.cluster.decide("inc-4711", a_decision(ALICE if what == "Cancel" else CAROL, what))

    async def create(manifest: Any, within: Any) -> Any:
        if when == "before":
            race()
        made = await create_binding(manifest, within)
        if when == "after":
            race()
        return made

    monkeypatch.setattr(stage.cluster, "create_binding", create)
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert stage.bindings() == []
    assert len(stage.cluster.bindings_made) == 1
    assert stage.events(uid)[-2:] == ["grant.revoked", "request.closed"]
    assert stage.events(uid).count("grant.revoked") == 1
    assert what == "deletion" or stage.phase() == "Revoked"


async def test_the_record_of_an_accepted_request_has_what_its_approvers_have_to_know() -> None:
    stage = Stage()
    await pending(stage)

    (record,) = (record for record in stage.trail.log if record.event == "request.accepted")
    assert record.block["detail"]["needed"] == 1
    assert record.block["story"]["decide_by"] == stage.cluster.status("inc-4711")["decideBy"]
