"""A person may add one decision, their own, that their rights allow, to a request that is not theirs."""

import pytest

from tests.integration.admission.asking import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    GIT,
    ROOT,
    Attempt,
    World,
    add_decision,
    succeed,
)
from tests.integration.installed import MASTERS, OPERATOR, Done
from tools.servers.pki import ADMIN

FORM = "only status.decisions may be changed by users"
APPROVE = {"op": "replace", "path": "/status/phase", "value": "Approved"}


def decided(world: World) -> str:
    """Have a request that bob has approved for owners, and return its name."""
    name = world.pending()
    succeed(world.decide(name, BOB, stage="owners"))
    return name


def crowded(world: World) -> str:
    """Have a request with as many decisions as are taken before it is granted, and return its name."""
    name = world.pending()
    for number in range(24):
        succeed(world.decide(name, f"approver-{number}", groups=MASTERS))
    return name


ATTEMPTS = [
    Attempt(
        "before the operator has seen it",
        lambda w: w.write_status(w.asked(), {"decisions": [{"by": CAROL, "decision": "Approve"}]}, CAROL, ()),
        "Curfew has not looked at this request yet",
    ),
    Attempt(
        "before the operator has seen it, by adding to a list that nobody has written yet",
        lambda w: w.decide(w.asked(), CAROL),
        "Curfew has not looked at this request yet; if its phase stays empty, Curfew is not running",
    ),
    Attempt(
        "own request",
        lambda w: w.decide(w.pending(), ALICE, stage="owners"),
        "you cannot approve a request that you made",
    ),
    Attempt("in another's name", lambda w: w.decide(w.pending(), BOB, by=CAROL, stage="owners"), "by must be bob"),
    Attempt(
        "without the verb",
        lambda w: w.decide(w.pending(), DAVE, stage="owners"),
        "verb approve on accesspolicies/debug",
    ),
    Attempt("stage that is not theirs", lambda w: w.decide(w.pending(), BOB, stage="security"), "subresource security"),
    Attempt("no stage when only a stage is theirs", lambda w: w.decide(w.pending(), BOB), "verb approve on"),
    Attempt("made-up stage", lambda w: w.decide(w.pending(), BOB, stage="nope"), "subresource nope"),
    Attempt(
        "revoke before it is active", lambda w: w.decide(w.pending(), CAROL, "Revoke"), "not possible in phase Pending"
    ),
    Attempt(
        "cancel by a stranger",
        lambda w: w.decide(w.pending(), BOB, "Cancel"),
        "only the person who made the request may cancel it",
    ),
    Attempt(
        "two at once",
        lambda w: w.edit_status(w.pending(), BOB, add_decision(BOB, stage="owners"), add_decision(CAROL)),
        "exactly one",
    ),
    Attempt(
        "phase along with a decision",
        lambda w: w.edit_status(w.pending(), BOB, add_decision(BOB, stage="owners"), APPROVE),
        FORM,
    ),
    Attempt("phase alone", lambda w: w.write_status(w.pending(), {"phase": "Approved"}, BOB, ()), FORM),
    Attempt(
        "a later expiry along with a revocation",
        lambda w: w.edit_status(
            w.active(),
            CAROL,
            add_decision(CAROL, "Revoke"),
            {"op": "replace", "path": "/status/expiresAt", "value": "2029-06-01T00:00:00Z"},
        ),
        FORM,
    ),
    Attempt(
        "a service account approves", lambda w: w.decide(w.pending(), GIT, stage="owners"), "only people may decide"
    ),
    Attempt("approve, own stage", lambda w: w.decide(w.pending(), BOB, stage="owners")),
    Attempt(
        "approve, own stage, with a reason", lambda w: w.decide(w.pending(), BOB, stage="owners", reason="on call")
    ),
    Attempt("approve twice", lambda w: w.decide(decided(w), BOB, stage="owners"), "Duplicate"),
    Attempt("approve twice in two stages", lambda w: w.decide(decided(w), BOB, stage="security"), "Duplicate"),
    Attempt(
        "take a decision back",
        lambda w: w.edit_status(decided(w), BOB, {"op": "remove", "path": "/status/decisions/0"}),
        "append-only",
    ),
    Attempt(
        "take another's decision back while making one",
        lambda w: w.edit_status(
            decided(w), CAROL, {"op": "remove", "path": "/status/decisions/0"}, add_decision(CAROL)
        ),
        "append-only",
    ),
    Attempt(
        "rewrite a decision",
        lambda w: w.edit_status(
            decided(w), BOB, {"op": "replace", "path": "/status/decisions/0/decision", "value": "Deny"}
        ),
        "append-only",
    ),
    Attempt(
        "rewrite the reason of another's decision",
        lambda w: w.edit_status(decided(w), CAROL, {"op": "add", "path": "/status/decisions/0/reason", "value": "x"}),
        "append-only",
    ),
    Attempt("wipe the status", lambda w: w.write_status(decided(w), None, BOB, ()), "status"),
    Attempt("approve with the verb on the whole policy", lambda w: w.decide(decided(w), CAROL)),
    Attempt(
        "approve a stage with the verb on the whole policy only",
        lambda w: w.decide(w.pending(), CAROL, stage="owners"),
        "subresource owners",
    ),
    Attempt(
        "submitter approves what they submitted",
        lambda w: w.decide(w.pending(BOB), BOB, stage="owners"),
        "you cannot approve a request that you made",
    ),
    Attempt(
        "an admin approves what they submitted for somebody else",
        lambda w: w.decide(submitted_by_root(w), ROOT, groups=MASTERS),
        "you cannot approve a request that you made",
    ),
    Attempt("deny", lambda w: w.decide(w.pending(), CAROL, "Deny")),
    Attempt("deny without the verb", lambda w: w.decide(w.pending(), DAVE, "Deny"), "verb approve on"),
    Attempt("cancel by the requester", lambda w: w.decide(w.pending(), ALICE, "Cancel")),
    Attempt("cancel by the submitter", lambda w: w.decide(submitted_by_root(w), ROOT, "Cancel", groups=MASTERS)),
    Attempt("approve once it is active", lambda w: w.decide(w.active(), CAROL), "not possible in phase Active"),
    Attempt("approve once it is over", lambda w: w.decide(w.finished(), CAROL), "not possible in phase Denied"),
    Attempt(
        "cancel once it is over", lambda w: w.decide(w.finished(), ALICE, "Cancel"), "not possible in phase Denied"
    ),
    Attempt("revoke while it waits for its start", lambda w: w.decide(w.approved(), CAROL, "Revoke")),
    Attempt("revoke while active", lambda w: w.decide(w.active(), CAROL, "Revoke")),
    Attempt(
        "revoke without the verb", lambda w: w.decide(w.active(), DAVE, "Revoke"), "verb revoke on accesspolicies/debug"
    ),
    Attempt("cancel while active, by the requester", lambda w: w.decide(w.active(), ALICE, "Cancel")),
    Attempt("cluster admin forges a decision", lambda w: w.decide(w.pending(), ADMIN, by=CAROL), "by must be admin"),
    Attempt(
        "cluster admin changes the phase", lambda w: w.write_status(w.pending(), {"phase": "Approved"}, ADMIN, ()), FORM
    ),
    Attempt(
        "cluster admin approves own request",
        lambda w: w.decide(w.pending(ROOT, MASTERS), ROOT, groups=MASTERS),
        "you cannot approve a request that you made",
    ),
    Attempt(
        "a decision of an unknown kind",
        lambda w: w.decide(w.pending(), CAROL, "Escalate"),
        'Unsupported value: "Escalate"',
    ),
    Attempt(
        "a review along with a decision",
        lambda w: w.edit_status(
            w.pending(),
            CAROL,
            add_decision(CAROL),
            {
                "op": "add",
                "path": "/status/reviews",
                "value": [{"by": CAROL, "decision": "Approve", "seenAt": "2026-01-01T00:00:00Z", "effect": "Counted"}],
            },
        ),
        FORM,
    ),
]


def submitted_by_root(world: World) -> str:
    """Have a request for alice that an admin has submitted, and return its name."""
    manifest = world.request(ALICE, ROOT)
    succeed(world.create(manifest, ROOT, MASTERS))
    name = str(manifest["metadata"]["name"])
    world.status(name, phase="Pending", decisions=[])
    return name


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_deciding(world: World, attempt: Attempt) -> None:
    """Somebody writes to the status of an AccessRequest."""
    attempt.judge(world)


def test_a_crowd_of_approvals_leaves_room_for_a_revocation(world: World) -> None:
    """The list of decisions is bounded; what ends a request must find a place in it."""
    name = crowded(world)

    late = world.decide(name, CAROL)
    cancelled = world.decide(name, ALICE, "Cancel")

    assert "the remaining room is reserved for ending the request" in late.stderr
    succeed(cancelled)


def test_the_operator_makes_no_decisions(world: World) -> None:
    """It carries them out, whoever has its token and whatever rights that has."""
    name = world.pending()

    def refusal(done: Done) -> str:
        assert done.returncode != 0
        return done.stderr

    assert "the operator makes no decisions" in refusal(world.decide(name, OPERATOR, by=BOB, groups=MASTERS))
    assert "the operator makes no decisions" in refusal(
        world.write_status(name, {"phase": "Approved", "decisions": [{"by": BOB, "decision": "Approve"}]})
    )
