"""Replacement, merge, strategic and JSON patches, races, and what is only tried (dry-run)."""

from http import HTTPStatus
from typing import Any

from tests.attacks.attack import Attack, conflict, policies, policy, schema, unreadable
from tests.attacks.calling import ALICE, BOB, CAROL, DAVE, ROOT, STRATEGIC, THIEF, Call
from tests.attacks.stage import EARLIER, LATER, Manifest, Scene, Stage, decide
from tests.attacks.ways import (
    adding,
    ask,
    bind,
    delete,
    merge,
    merge_status,
    operations,
    replace,
    replace_status,
    status_operations,
    step,
)

FORM = policy("request-decision", "only status.decisions may be changed by users")
ONE = policy("request-decision", "exactly one decision must be added")
DRY = {"dryRun": "All"}
OWN = {"by": BOB.name, "decision": "Approve", "stage": "owners"}


def pending(stage: Stage) -> Scene:
    """Have a request that waits."""
    return stage.in_phase("Pending")


def active(stage: Stage) -> Scene:
    """Have a request that is granted."""
    return stage.in_phase("Active")


def decided(stage: Stage) -> Scene:
    """Have a request that bob has approved."""
    return pending(stage).decided(BOB, stage="owners")


def outdated(stage: Stage) -> Scene:
    """Have a request of which we know an older version than is stored."""
    scene = pending(stage)
    decided_by_carol = decide(scene, CAROL)
    stage.do(decided_by_carol)
    return scene


def fresh(scene: Scene) -> Manifest:
    """Return the request as it is now."""
    return scene.stage.do(Call(ROOT, "GET", scene.path))


def also(decisions: list[Manifest], *more: Manifest) -> dict[str, Any]:
    """Return the part of a status that has these decisions."""
    return {"decisions": [*decisions, *more]}


def put_decision(scene: Scene, **meta: Any) -> Call:
    """Return a replacement of the status, with bob's decision and other metadata."""
    now = fresh(scene)
    status = {**now["status"], **also(now["status"]["decisions"], OWN)}
    return replace_status(scene, BOB, {**now, "metadata": {**now["metadata"], **meta}, "status": status})


TERMS = {
    "digest": "0" * 64,
    "policy": {"name": "debug", "uid": "p", "generation": 1},
    "role": {"kind": "ClusterRole", "name": "cluster-admin", "uid": "r", "rulesDigest": "0" * 64},
}
RECEIPT = {"log": "main", "index": 1, "size": 2, "root": "0" * 64}
CONDITION = {
    "type": "Approved",
    "status": "True",
    "reason": "Approved",
    "message": "so it is",
    "lastTransitionTime": EARLIER,
}
SMUGGLED: dict[str, Any] = {
    "approvals": "1/1",
    "conditions": [CONDITION],
    "terms": TERMS,
    "grant": {"binding": "x", "uid": "x", "receipt": RECEIPT},
    "outbox": [{"record": "{}", "seal": "00"}],
    "decidedAt": EARLIER,
    "decideBy": "2099-01-01T00:00:00Z",
    "startsAt": EARLIER,
    "grantedAt": EARLIER,
    "expiresAt": LATER,
    "reviewBy": LATER,
    "endedAt": EARLIER,
    "endReason": "DurationElapsed",
    "observedGeneration": 7,
}


def smuggling(field: str) -> Attack:
    """Have something that is the operator's put beside a decision that is bob's to make."""
    return Attack(
        f"{field} is smuggled in beside a decision",
        pending,
        lambda s: status_operations(
            s, BOB, adding(BOB, stage="owners"), step("add", f"/status/{field}", SMUGGLED[field])
        ),
        FORM,
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners")),
    )


PATCHES = [
    *map(smuggling, SMUGGLED),
    Attack(
        "a merge patch sets the list to one's own decision and drops bob's",
        decided,
        lambda s: merge_status(s, CAROL, also([], {"by": CAROL.name, "decision": "Approve"})),
        schema("decisions are append-only"),
        lambda s: merge_status(s, CAROL, also([OWN], {"by": CAROL.name, "decision": "Approve"})),
    ),
    Attack(
        "a merge patch removes the list",
        decided,
        lambda s: merge_status(s, CAROL, {"decisions": None}),
        schema("decisions are append-only"),
        lambda s: merge_status(s, CAROL, also([OWN], {"by": CAROL.name, "decision": "Deny"})),
    ),
    Attack(
        "a merge patch removes the phase",
        pending,
        lambda s: merge_status(s, BOB, {"phase": None, **also([], OWN)}),
        schema("phase cannot be rewound"),
        lambda s: merge_status(s, BOB, also([], OWN)),
    ),
    Attack(
        "a merge patch removes the deadline",
        pending,
        lambda s: merge_status(s, BOB, {"decideBy": None, **also([], OWN)}),
        schema("startsAt, grantedAt, endedAt, endReason, grant cannot be removed"),
        lambda s: merge_status(s, BOB, also([], OWN)),
    ),
    Attack(
        "a merge patch removes how many approvals there are",
        pending,
        lambda s: merge_status(s, BOB, {"approvals": None, **also([], OWN)}),
        FORM,
        lambda s: merge_status(s, BOB, also([], OWN)),
    ),
    Attack(
        "a strategic merge patch decides",
        pending,
        lambda s: Call(BOB, "PATCH", s.status, {"status": also([], OWN)}, STRATEGIC),
        unreadable("the body of the request was in an unknown format", HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        lambda s: merge_status(s, BOB, also([], OWN)),
    ),
    Attack(
        "a strategic merge patch replaces the spec",
        pending,
        lambda s: Call(ALICE, "PATCH", s.path, {"spec": {"$patch": "replace"}}, STRATEGIC),
        unreadable("the body of the request was in an unknown format", HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        lambda s: merge(s, ALICE, {"metadata": {"labels": {"team": "pay"}}}),
    ),
    Attack(
        "a JSON patch replaces the whole status",
        pending,
        lambda s: status_operations(
            s, BOB, step("replace", "/status", {"phase": "Pending", **also([], OWN), "decideBy": LATER})
        ),
        FORM,
        lambda s: status_operations(s, BOB, step("replace", "/status", {**s.body["status"], **also([], OWN)})),
    ),
    Attack(
        "a JSON patch removes the status",
        pending,
        lambda s: status_operations(s, BOB, step("remove", "/status")),
        schema("phase cannot be rewound"),
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners")),
    ),
    Attack(
        "a JSON patch puts bob's decision in carol's name",
        decided,
        lambda s: status_operations(s, CAROL, step("replace", "/status/decisions/0/by", CAROL.name)),
        schema("decisions are append-only"),
        lambda s: status_operations(s, CAROL, adding(CAROL)),
    ),
    Attack(
        "a JSON patch moves bob's decision to another stage",
        decided,
        lambda s: status_operations(s, BOB, step("replace", "/status/decisions/0/stage", "security")),
        schema("decisions are append-only"),
        lambda s: status_operations(s, BOB, adding(BOB, "Deny", stage="owners")),
    ),
    Attack(
        "a JSON patch copies bob's decision",
        decided,
        lambda s: status_operations(
            s, CAROL, {"op": "copy", "from": "/status/decisions/0", "path": "/status/decisions/-"}
        ),
        schema("Duplicate value"),
        lambda s: status_operations(s, CAROL, adding(CAROL)),
    ),
    Attack(
        "a JSON patch approves and denies at once",
        pending,
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners"), adding(BOB, "Deny", stage="owners")),
        ONE,
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners")),
    ),
    Attack(
        "a JSON patch adds another's decision behind one's own",
        pending,
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners"), adding(CAROL)),
        ONE,
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners")),
    ),
    Attack(
        "a decision has a field that nobody knows, and that is asked to be an error",
        pending,
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners", final=True), fieldValidation="Strict"),
        unreadable('unknown field "status.decisions[0].final"', HTTPStatus.UNPROCESSABLE_ENTITY),
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners"), fieldValidation="Strict"),
    ),
    Attack(
        "the list of decisions is made a map",
        pending,
        lambda s: merge_status(s, BOB, {"decisions": {"by": BOB.name}}),
        schema("must be of type array"),
        lambda s: merge_status(s, BOB, also([], OWN)),
    ),
    Attack(
        "the phase is made a number",
        pending,
        lambda s: merge_status(s, BOB, {"phase": 1}),
        schema("must be of type string"),
        lambda s: merge_status(s, BOB, also([], OWN)),
    ),
    Attack(
        "an approval is replaced by nothing in a list of one's own making",
        decided,
        lambda s: status_operations(s, BOB, step("replace", "/status/decisions/0", None)),
        schema("must be of type object", "decisions"),
        lambda s: status_operations(s, BOB, adding(BOB, "Deny", stage="owners")),
    ),
    Attack(
        "the spec is JSON-patched by a cluster admin",
        active,
        lambda s: operations(s, ROOT, step("replace", "/spec/requester", DAVE.name)),
        schema("spec is immutable"),
        lambda s: operations(s, ROOT, step("add", "/metadata/labels", {"team": "pay"})),
    ),
    Attack(
        "the spec is changed while the request is active, by the operator's token",
        active,
        lambda s: operations(s, THIEF, step("replace", "/spec/requester", DAVE.name)),
        schema("spec is immutable"),
        lambda s: status_operations(s, THIEF, step("replace", "/status/approvals", "1/1")),
    ),
]

REPLACEMENTS = [
    Attack(
        "a replacement of the status sets the phase",
        pending,
        lambda s: replace_status(s, BOB, s.changed(lambda r: r["status"].update(phase="Approved"))),
        FORM,
        put_decision,
    ),
    Attack(
        "a replacement of the status has two decisions",
        pending,
        lambda s: replace_status(
            s, BOB, s.changed(lambda r: r["status"].update(decisions=[OWN, {**OWN, "decision": "Deny"}]))
        ),
        ONE,
        put_decision,
    ),
    Attack(
        "a replacement of the status has lost all else",
        pending,
        lambda s: replace_status(
            s, BOB, s.changed(lambda r: r.update(status={"phase": "Pending", "decisions": [OWN]}))
        ),
        schema("startsAt, grantedAt, endedAt, endReason, grant cannot be removed"),
        put_decision,
    ),
    Attack(
        "a replacement of the status without a status",
        pending,
        lambda s: replace_status(s, BOB, s.changed(lambda r: r.pop("status"))),
        schema("phase cannot be rewound"),
        put_decision,
    ),
    Attack(
        "a replacement of the whole has another spec",
        pending,
        lambda s: replace(s, ALICE, s.changed(lambda r: r["spec"].update(duration="4h"))),
        schema("spec is immutable"),
        lambda s: replace(s, ALICE, s.changed(lambda r: r["metadata"].update(labels={"team": "pay"}))),
    ),
    Attack(
        "a replacement of the whole has no spec",
        pending,
        lambda s: replace(s, ALICE, s.changed(lambda r: r.pop("spec"))),
        schema("spec: Required value"),
        lambda s: replace(s, ALICE, s.body),
    ),
    Attack(
        "a replacement of the whole names another requester, by the operator's token with all rights",
        active,
        lambda s: replace(
            s, ROOT.as_(THIEF.name, "system:masters"), s.changed(lambda r: r["spec"].update(requester="x"))
        ),
        schema("spec is immutable"),
        lambda s: replace(s, ROOT.as_(THIEF.name, "system:masters"), s.body),
    ),
]

RACES = [
    Attack(
        "a replacement from before carol's decision would drop it",
        outdated,
        lambda s: replace_status(s, BOB, s.changed(lambda r: r["status"].update(decisions=[OWN]))),
        conflict("the object has been modified"),
        put_decision,
    ),
    Attack(
        "a replacement from before carol's decision repeats it",
        outdated,
        lambda s: replace_status(
            s, BOB, s.changed(lambda r: r["status"].update(decisions=[{"by": CAROL.name, "decision": "Approve"}, OWN]))
        ),
        conflict("the object has been modified"),
        put_decision,
    ),
    Attack(
        "a replacement without a version",
        pending,
        lambda s: replace_status(s, BOB, s.changed(lambda r: r["metadata"].pop("resourceVersion"))),
        schema("metadata.resourceVersion: Invalid value"),
        put_decision,
    ),
    Attack(
        "a replacement without a version drops a decision",
        outdated,
        lambda s: replace(s, ALICE, s.changed(lambda r: r["metadata"].pop("resourceVersion"))),
        schema("metadata.resourceVersion: Invalid value"),
        lambda s: replace(s, ALICE, fresh(s)),
    ),
    Attack(
        "a replacement of another request of the name",
        pending,
        lambda s: put_decision(s, uid="11111111-1111-1111-1111-111111111111"),
        conflict("Precondition failed: UID in precondition"),
        put_decision,
    ),
    Attack(
        "a merge patch of a version that is gone",
        outdated,
        lambda s: Call(
            BOB,
            "PATCH",
            s.status,
            {"metadata": {"resourceVersion": s.body["metadata"]["resourceVersion"]}, "status": also([], OWN)},
            "application/merge-patch+json",
        ),
        conflict("the object has been modified"),
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners")),
    ),
    Attack(
        "a merge patch made before carol decided",
        outdated,
        lambda s: merge_status(s, BOB, also([], OWN)),
        schema("decisions are append-only"),
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners")),
    ),
    Attack(
        "a JSON patch tests for a version that is gone",
        outdated,
        lambda s: status_operations(
            s,
            BOB,
            step("test", "/metadata/resourceVersion", s.body["metadata"]["resourceVersion"]),
            adding(BOB, stage="owners"),
        ),
        schema("the server rejected our request due to an error in our request"),
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners")),
    ),
    Attack(
        "a JSON patch tests for another phase",
        pending,
        lambda s: status_operations(s, BOB, step("test", "/status/phase", "Active"), adding(BOB, stage="owners")),
        schema("the server rejected our request due to an error in our request"),
        lambda s: status_operations(s, BOB, step("test", "/status/phase", "Pending"), adding(BOB, stage="owners")),
    ),
    Attack(
        "a JSON patch tests for an empty list that is no longer empty",
        outdated,
        lambda s: status_operations(s, BOB, step("test", "/status/decisions", []), adding(BOB, stage="owners")),
        schema("the server rejected our request due to an error in our request"),
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners")),
    ),
    Attack(
        "a deletion of another request of the name",
        pending,
        lambda s: delete(s.path, ALICE, preconditions={"uid": "11111111-1111-1111-1111-111111111111"}),
        conflict("does not match the UID in record"),
        lambda s: delete(s.path, ALICE, preconditions={"uid": s.uid}),
    ),
]

DRY_RUNS = [
    Attack(
        "tried only: a decision in another's name",
        pending,
        lambda s: status_operations(s, BOB, adding(CAROL, stage="owners"), **DRY),
        policy("request-decision", "decisions[].by must be bob@example.com"),
        lambda s: status_operations(s, BOB, adding(BOB, stage="owners"), **DRY),
    ),
    Attack(
        "tried only: the phase",
        pending,
        lambda s: merge_status(s, BOB, {"phase": "Approved"}, **DRY),
        FORM,
        lambda s: merge_status(s, BOB, also([], OWN), **DRY),
    ),
    Attack(
        "tried only: one's own request approved",
        pending,
        lambda s: status_operations(s, ALICE, adding(ALICE, stage="owners"), **DRY),
        policy("request-decision", "you cannot approve a request that you made"),
        lambda s: status_operations(s, ALICE, adding(ALICE, "Cancel"), **DRY),
    ),
    Attack(
        "tried only: a request in another's name",
        pending,
        lambda s: ask(s, ALICE, s.stage.request(ALICE, requester=BOB.name), **DRY),
        policy("request-identity", "spec.requester must be alice@example.com"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE), **DRY),
    ),
    Attack(
        "tried only: another spec",
        pending,
        lambda s: merge(s, ALICE, {"spec": {"duration": "4h"}}, **DRY),
        schema("spec is immutable"),
        lambda s: merge(s, ALICE, {"metadata": {"labels": {"a": "b"}}}, **DRY),
    ),
    Attack(
        "tried only: an orphaning deletion",
        pending,
        lambda s: delete(s.path, ALICE, propagationPolicy="Orphan", dryRun=["All"]),
        policy("request-no-orphan", "AccessRequests may not be deleted with --cascade=orphan"),
        lambda s: delete(s.path, ALICE, propagationPolicy="Background", dryRun=["All"]),
    ),
    Attack(
        "tried only: a binding with our label",
        pending,
        lambda s: bind(s, ROOT, s.grant(), **DRY),
        policies("managed-bindings"),
        lambda s: bind(s, THIEF, s.grant(), **DRY),
    ),
]

ATTACKS = [*PATCHES, *REPLACEMENTS, *RACES, *DRY_RUNS]
