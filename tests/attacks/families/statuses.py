"""What is written into a status: by people, for whom a decision is all there is, and by a thief of the operator's token.

What becomes of what the thief can write is in `tests/attacks/test_statuses.py`, with the operator running.
"""

from collections.abc import Mapping
from itertools import cycle
from typing import Any, Final

from tests.attacks.attack import Attack, Refusal, policies, policy, schema
from tests.attacks.calling import ALICE, BOB, CAROL, ROOT, THIEF, Call
from tests.attacks.families.offering import READY, STATUS, offered, patch
from tests.attacks.stage import EARLIER, LATER, Manifest, Scene, Stage
from tests.attacks.ways import apply_status, merge_status, status_operations, step
from tests.integration.installed import MASTERS

NOT_PEOPLES: Final = policy("request-decision", "only status.decisions may be changed by users")
DECIDED: Final = policy("operator-decides-nothing", "the operator makes no decisions")

OF_OLD: Final = {"record": '{"event":"review.approved"}', "seal": "0" * 64}
"""An entry of an outbox, in the form in which Curfew writes it."""

TERMS: Final = {
    "digest": "0" * 64,
    "policy": {"name": "debug", "uid": "u", "generation": 1},
    "role": {"kind": "ClusterRole", "name": "cluster-admin", "uid": "u", "rulesDigest": "0" * 64},
}

OF_A_REQUEST: Final[Manifest] = {
    "observedGeneration": 7,
    "phase": "Active",
    "reviews": [{"by": CAROL.name, "decision": "Approve", "seenAt": EARLIER, "effect": "Counted"}],
    "approvals": "1/1",
    "terms": TERMS,
    "decideBy": "2031-01-01T00:00:00Z",
    "decidedAt": EARLIER,
    "startsAt": EARLIER,
    "grantedAt": EARLIER,
    "expiresAt": LATER,
    "activeUntil": LATER,
    "reviewBy": LATER,
    "endedAt": LATER,
    "endReason": "Revoked",
    "grant": {"binding": "owners", "uid": "u"},
    "countedIn": "2026-01-01T00:00:00Z",
    "countedWithOthers": True,
    "outbox": [OF_OLD],
    "activity": {"changes": "No", "summary": "read nothing", "final": True},
    "conditions": READY["conditions"],
}
"""A forgery of each field of a request's status but the decisions."""

GOES_WITH: Final[Mapping[str, Manifest]] = {"phase": {"expiresAt": LATER}}
"""What the schema asks for beside a field, so that it is the policy that refuses it."""

REFUSED: Final[Mapping[str, Refusal]] = {
    "countedIn": schema("a request is counted when it is refused, or never"),
    "activity": policies("request-decision", "monitor-containment"),
}
"""What refuses a field before the policy looks at it, or beside it."""

OF_A_POLICY: Final[Manifest] = {
    "observedGeneration": 7,
    "risk": ["ReadsSecrets"],
    "riskTable": 1,
    "recorded": {"generation": 7},
    "conditions": READY["conditions"],
}
"""A forgery of each field of a policy's status."""

ANYBODY: Final = {
    "who asked": ALICE,
    "an approver": BOB,
    "a namespace admin": CAROL,
    "a cluster admin": ROOT.as_("eve@example.com", *MASTERS),
}


def pending(stage: Stage) -> Scene:
    """Have a request of alice's that waits."""
    return stage.in_phase("Pending")


def with_terms(stage: Stage) -> Scene:
    """Have one whose terms are pinned, and that has an end."""
    return stage.in_phase("Active", terms=TERMS)


def cancelled(scene: Scene) -> Call:
    """Return what alice may write into the status of her request."""
    return status_operations(scene, ALICE, step("add", "/status/decisions/-", {"by": ALICE.name, "decision": "Cancel"}))


def forged(who: str, field: str) -> Attack:
    """Have somebody write a field of a request's status that is not theirs."""
    status = {field: OF_A_REQUEST[field], **GOES_WITH.get(field, {})}
    return Attack(
        f"{field} by {who}",
        pending,
        lambda scene: merge_status(scene, ANYBODY[who], status),
        REFUSED.get(field, NOT_PEOPLES),
        cancelled,
    )


def smuggled(field: str) -> Attack:
    """Have an approver write it along with a decision that is theirs to make."""
    decision = {"by": BOB.name, "decision": "Approve", "stage": "owners"}
    status = {field: OF_A_REQUEST[field], **GOES_WITH.get(field, {})}
    return Attack(
        f"{field} beside a decision",
        pending,
        lambda scene: merge_status(scene, BOB, {**status, "decisions": [decision]}),
        REFUSED.get(field, NOT_PEOPLES),
        lambda scene: merge_status(scene, BOB, {"decisions": [decision]}),
    )


def of_a_policy(who: str, field: str) -> Attack:
    """Have somebody write a field of a policy's status; the operator may."""
    return Attack(
        f"{field} of a policy by {who}",
        offered,
        lambda scene: patch(scene, ANYBODY[who], {"status": {field: OF_A_POLICY[field]}}, "/status"),
        STATUS,
        lambda scene: patch(scene, THIEF, {"status": {field: OF_A_POLICY[field]}}, "/status"),
    )


def stolen(title: str, refused: Refusal, attempt: Manifest, twin: Manifest | None = None) -> Attack:
    """Have the operator's token rewrite what stands in the status of a grant; the twin is what it may write there."""
    return Attack(
        f"with the operator's token: {title}",
        with_terms,
        lambda scene: merge_status(scene, THIEF, attempt),
        refused,
        lambda scene: merge_status(
            scene, THIEF, twin or {"phase": "Revoked", "endedAt": LATER, "endReason": "Revoked"}
        ),
    )


FIXED: Final = schema("grantedAt cannot be changed")
LASTING: Final = schema("cannot be removed")


def _by_the_token() -> list[Attack]:
    huge: Any = {"record": "x" * 131_073, "seal": "0" * 64}
    return [
        stolen("other terms than were pinned", schema("terms are pinned once"), {"terms": {"digest": "1" * 64}}),
        stolen("no terms", schema("terms are pinned once"), {"terms": None}),
        stolen("another time of the grant", FIXED, {"grantedAt": LATER}),
        stolen("no time by which it is decided", LASTING, {"decideBy": None}),
        stolen("no start", LASTING, {"startsAt": None}),
        stolen("no end", LASTING, {"expiresAt": None}),
        stolen(
            "65 records", schema("must have at most 64 items"), {"outbox": [OF_OLD] * 65}, {"outbox": [OF_OLD] * 64}
        ),
        stolen("a record that is too long", schema("Too long"), {"outbox": [huge]}, {"outbox": [OF_OLD]}),
        stolen(
            "what was done with the access",
            policy("monitor-containment", "status.activity is written by the monitor alone"),
            {"activity": OF_A_REQUEST["activity"]},
        ),
        Attack(
            "with the operator's token: a decision by server-side apply",
            pending,
            lambda s: apply_status(
                s, THIEF, {"decisions": [{"by": CAROL.name, "decision": "Approve"}]}, manager="kubectl", force=True
            ),
            DECIDED,
            lambda s: apply_status(s, THIEF, {"approvals": "1/1"}, manager="curfew", force=True),
        ),
    ]


BY_PEOPLE: Final = [
    *(forged(who, field) for field in ("outbox", "phase", "terms") for who in ANYBODY),
    *(
        forged(who, field)
        for who, field in zip(cycle(ANYBODY), OF_A_REQUEST, strict=False)
        if field not in ("outbox", "phase", "terms")
    ),
    *(smuggled(field) for field in OF_A_REQUEST),
]
OF_POLICIES: Final = [of_a_policy(who, field) for who, field in zip(cycle(ANYBODY), OF_A_POLICY, strict=False)]
BY_THE_TOKEN: Final = _by_the_token()
