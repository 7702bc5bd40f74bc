"""Server-side apply, with one's own field manager and with forged ones, and with force."""

from typing import Any

from tests.attacks.attack import Attack, conflict, policy, schema, unreadable
from tests.attacks.calling import ALICE, BOB, CAROL, ROOT, Call, Who
from tests.attacks.stage import EARLIER, Scene, Stage, in_hours
from tests.attacks.ways import apply, apply_new, apply_status

FORM = policy("request-decision", "only status.decisions may be changed by users")
MARKS = policy("request-immutable", "labels and annotations that begin with curfew.dev/ are written by Curfew alone")
NOT_YOURS = policy("managed-bindings", "bindings labelled curfew.dev/request-uid are written by Curfew alone")


def pending(stage: Stage) -> Scene:
    """Have a request that waits."""
    return stage.in_phase("Pending")


def applied(stage: Stage) -> Scene:
    """Have a request that bob has approved with kubectl's server-side apply."""
    scene = pending(stage)
    stage.do(apply_status(scene, BOB, {"decisions": [approval(BOB.name)]}, manager="kubectl"))
    return scene


def approval(by: str, decision: str = "Approve", stage: str = "owners") -> dict[str, str]:
    """Return a decision as it is in the list."""
    return {"by": by, "decision": decision, **({"stage": stage} if stage else {})}


def grant_applied(scene: Scene, who: Who, **annotations: str) -> Call:
    """Return an apply of annotations to the binding of a request."""
    body = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": scene.grant_name, "annotations": annotations},
        "roleRef": scene.grant()["roleRef"],
    }
    return apply_new(scene.stage, who, "rolebindings", body, manager="curfew")


ATTACKS = [
    Attack(
        "a decision in carol's name is applied by bob",
        pending,
        lambda s: apply_status(s, BOB, {"decisions": [approval(CAROL.name)]}, manager="carol"),
        policy("request-decision", "decisions[].by must be bob@example.com"),
        lambda s: apply_status(s, BOB, {"decisions": [approval(BOB.name)]}, manager="carol"),
    ),
    Attack(
        "the phase is applied with force",
        pending,
        lambda s: apply_status(s, BOB, {"phase": "Approved"}, manager="bob", force=True),
        FORM,
        lambda s: apply_status(s, BOB, {"decisions": [approval(BOB.name)]}, manager="bob", force=True),
    ),
    Attack(
        "the phase is applied with force under the operator's field manager",
        pending,
        lambda s: apply_status(
            s, BOB, {"phase": "Approved", "decisions": [approval(BOB.name)]}, manager="curfew", force=True
        ),
        FORM,
        lambda s: apply_status(s, BOB, {"decisions": [approval(BOB.name)]}, manager="curfew", force=True),
    ),
    Attack(
        "the phase is applied without force",
        pending,
        lambda s: apply_status(
            s, BOB, {"phase": "Approved", "decisions": [approval(BOB.name)]}, manager="bob", force=False
        ),
        conflict("Apply failed with 1 conflict"),
        lambda s: apply_status(
            s, BOB, {"phase": "Pending", "decisions": [approval(BOB.name)]}, manager="bob", force=False
        ),
    ),
    Attack(
        "an earlier end is applied along with a revocation",
        lambda stage: stage.in_phase("Active"),
        lambda s: apply_status(
            s,
            CAROL,
            {"expiresAt": EARLIER, "decisions": [approval(CAROL.name, "Revoke", "")]},
            manager="carol",
            force=True,
        ),
        FORM,
        lambda s: apply_status(
            s, CAROL, {"decisions": [approval(CAROL.name, "Revoke", "")]}, manager="carol", force=True
        ),
    ),
    Attack(
        "bob's decision is dropped by carol who applies under his field manager",
        applied,
        lambda s: apply_status(s, CAROL, {"decisions": [approval(CAROL.name, stage="")]}, manager="kubectl"),
        schema("decisions are append-only"),
        lambda s: apply_status(s, CAROL, {"decisions": [approval(CAROL.name, stage="")]}, manager="carol"),
    ),
    Attack(
        "a decision is taken back by applying none",
        applied,
        lambda s: apply_status(s, BOB, {"decisions": []}, manager="kubectl"),
        schema("decisions are append-only"),
        lambda s: apply_status(
            s, BOB, {"decisions": [approval(BOB.name), approval(BOB.name, "Deny")]}, manager="kubectl"
        ),
    ),
    Attack(
        "a decision is rewritten by applying another reason with force",
        applied,
        lambda s: apply_status(
            s, CAROL, {"decisions": [{**approval(BOB.name), "reason": "forged"}]}, manager="carol", force=True
        ),
        schema("decisions are append-only"),
        lambda s: apply_status(
            s, CAROL, {"decisions": [{**approval(CAROL.name, stage=""), "reason": "mine"}]}, manager="carol", force=True
        ),
    ),
    Attack(
        "two decisions are applied at once",
        pending,
        lambda s: apply_status(s, BOB, {"decisions": [approval(BOB.name), approval(BOB.name, "Deny")]}, manager="bob"),
        policy("request-decision", "exactly one decision must be added"),
        lambda s: apply_status(s, BOB, {"decisions": [approval(BOB.name)]}, manager="bob"),
    ),
    Attack(
        "the spec is applied with force",
        pending,
        lambda s: apply(s, ALICE, {"spec": {**s.body["spec"], "duration": "4h"}}, manager="alice", force=True),
        schema("spec is immutable"),
        lambda s: apply(s, ALICE, {"spec": s.body["spec"]}, manager="alice", force=True),
    ),
    Attack(
        "the spec is made smaller by its own field manager",
        lambda stage: applied_spec(stage, ticket="INC-1"),
        lambda s: apply(s, ALICE, {"spec": without(s.body["spec"], "ticket")}, manager="alice"),
        schema("spec is immutable"),
        lambda s: apply(s, ALICE, {"spec": s.body["spec"]}, manager="alice"),
    ),
    Attack(
        "a request is created by applying it in another's name",
        pending,
        lambda s: apply_new(s.stage, ALICE, "accessrequests", s.stage.request(ALICE, requester=CAROL.name)),
        policy("request-identity", "spec.requester must be alice@example.com"),
        lambda s: apply_new(s.stage, ALICE, "accessrequests", s.stage.request(ALICE)),
    ),
    Attack(
        "a request is created by applying it with a finalizer",
        pending,
        lambda s: apply_new(
            s.stage,
            ALICE,
            "accessrequests",
            s.stage.request(ALICE, meta={"name": f"{s.name}-2", "finalizers": ["a.io/b"]}),
        ),
        policy("request-identity", "an AccessRequest is created without finalizers and ownerReferences"),
        lambda s: apply_new(s.stage, ALICE, "accessrequests", s.stage.request(ALICE)),
    ),
    Attack(
        "a request is created by applying it as closed",
        pending,
        lambda s: apply_new(
            s.stage,
            ALICE,
            "accessrequests",
            s.stage.request(ALICE, meta={"name": f"{s.name}-2", "labels": {"curfew.dev/closed": "true"}}),
        ),
        policy("request-identity", "labels and annotations that begin with curfew.dev/ are written by Curfew alone"),
        lambda s: apply_new(
            s.stage,
            ALICE,
            "accessrequests",
            s.stage.request(ALICE, meta={"name": f"{s.name}-2", "labels": {"closed": "true"}}),
        ),
    ),
    Attack(
        "a finalizer is applied",
        pending,
        lambda s: apply(s, ALICE, {"metadata": {"finalizers": ["a.io/b"]}}, manager="curfew", force=True),
        policy("request-immutable", "finalizers and ownerReferences stay as they are"),
        lambda s: apply(s, ALICE, {"metadata": {"labels": {"team": "pay"}}}, manager="curfew", force=True),
    ),
    Attack(
        "an active request is hidden by applying our label with force",
        lambda stage: stage.in_phase("Active"),
        lambda s: apply(
            s, ALICE, {"metadata": {"labels": {"curfew.dev/closed": "true"}}}, manager="curfew", force=True
        ),
        MARKS,
        lambda s: apply(s, ALICE, {"metadata": {"labels": {"closed": "true"}}}, manager="curfew", force=True),
    ),
    Attack(
        "a later end is applied to a grant with force",
        lambda stage: stage.granted(),
        lambda s: grant_applied(s, ALICE, **{"curfew.dev/expires-at": in_hours(20)}),
        NOT_YOURS,
        lambda s: apply_new(
            s.stage, ALICE, "rolebindings", s.stage.binding(meta={"name": f"{s.name}-own", "annotations": {"x": "y"}})
        ),
    ),
    Attack(
        "a later end is applied to a grant by an admin",
        lambda stage: stage.granted(),
        lambda s: grant_applied(s, ROOT, **{"curfew.dev/expires-at": in_hours(20)}),
        NOT_YOURS,
        lambda s: apply_new(
            s.stage, ROOT, "rolebindings", s.stage.binding(meta={"name": f"{s.name}-own", "annotations": {"x": "y"}})
        ),
    ),
    Attack(
        "our label is applied to a binding of one's own",
        pending,
        lambda s: apply_new(
            s.stage,
            ALICE,
            "rolebindings",
            s.stage.binding(meta={"name": f"{s.name}-own", "labels": {"curfew.dev/request-uid": s.uid}}),
        ),
        NOT_YOURS,
        lambda s: apply_new(
            s.stage,
            ALICE,
            "rolebindings",
            s.stage.binding(meta={"name": f"{s.name}-own", "labels": {"request-uid": s.uid}}),
        ),
    ),
    Attack(
        "the history of field managers is forged",
        pending,
        lambda s: apply(
            s,
            ALICE,
            {
                "metadata": {
                    "managedFields": [{"manager": "curfew", "operation": "Update", "apiVersion": "curfew.dev/v1alpha1"}]
                }
            },
            manager="alice",
        ),
        unreadable("metadata.managedFields must be nil"),
        lambda s: apply(s, ALICE, {"metadata": {"labels": {"team": "pay"}}}, manager="alice"),
    ),
]


def applied_spec(stage: Stage, **spec: Any) -> Scene:
    """Have a request of alice's that she has made by applying it."""
    made = stage.do(apply_new(stage, ALICE, "accessrequests", stage.request(ALICE, **spec), manager="alice"))
    return Scene(stage, made)


def without(fields: dict[str, object], name: str) -> dict[str, object]:
    """Return the fields but for one."""
    return {key: value for key, value in fields.items() if key != name}
