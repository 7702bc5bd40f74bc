"""Objects so big that a rule might give up: it must refuse then, and what ends an access must still find its way."""

from tests.attacks.attack import Attack, policy, schema
from tests.attacks.calling import ALICE, CAROL, ROOT, THIEF
from tests.attacks.stage import Manifest, Scene, Stage, decide
from tests.attacks.ways import ask, bind, merge, merge_status
from tests.integration.installed import MASTERS

ROOM = policy(
    "request-decision", "there are 24 decisions already; the remaining room is reserved for ending the request"
)
LONGEST = "\U0001f512" * 1024
"""As many characters as fit, each of four bytes."""


def filled(stage: Stage, phase: str = "Pending", *, reason: str = "", ends: int = 0) -> Scene:
    """Have a request with as many approvals as are taken, and revocations on top of them."""
    scene = stage.in_phase("Pending")
    more = {"reason": reason} if reason else {}
    for number in range(24):
        scene.decided(ROOT.as_(f"{'long-' * 48 if reason else ''}{number}@example.com", *MASTERS), **more)
    if phase == "Active":
        scene.operator_writes({"phase": "Active", "expiresAt": "2030-01-01T00:00:00Z"})
    for number in range(ends):
        scene.decided(ROOT.as_(f"{number}@example.com", *MASTERS), "Revoke")
    return scene


def labels(number: int) -> Manifest:
    """Return that many labels, as short as they can be."""
    return {f"a{index:x}": "" for index in range(number)}


ATTACKS = [
    Attack(
        "a 25th approval",
        filled,
        lambda s: decide(s, CAROL),
        ROOM,
        lambda s: decide(s, ALICE, "Cancel"),
    ),
    Attack(
        "a 25th decision, a denial",
        filled,
        lambda s: decide(s, CAROL, "Deny"),
        ROOM,
        lambda s: decide(s, ALICE, "Cancel"),
    ),
    Attack(
        "a 25th approval, after 24 of the longest that there can be",
        lambda stage: filled(stage, reason=LONGEST),
        lambda s: decide(s, CAROL, reason=LONGEST),
        ROOM,
        lambda s: decide(s, ALICE, "Cancel", reason=LONGEST),
    ),
    Attack(
        "somebody else's revocation, after 24 approvals of the longest that there can be",
        lambda stage: filled(stage, "Active", reason=LONGEST),
        lambda s: decide(s, CAROL, "Revoke", by="bob@example.com", reason=LONGEST),
        policy("request-decision", "decisions[].by must be carol@example.com"),
        lambda s: decide(s, CAROL, "Revoke", reason=LONGEST),
    ),
    Attack(
        "a 33rd decision",
        lambda stage: filled(stage, "Active", ends=8),
        lambda s: decide(s, CAROL, "Revoke"),
        schema("must have at most 32 items"),
        lambda s: merge_status(s, THIEF, {"phase": "Revoked"}),
    ),
    Attack(
        "33 decisions at once",
        lambda stage: stage.in_phase("Pending"),
        lambda s: merge_status(
            s, CAROL, {"decisions": [{"by": f"{number}", "decision": "Approve"} for number in range(33)]}
        ),
        schema("must have at most 32 items"),
        lambda s: merge_status(s, CAROL, {"decisions": [{"by": CAROL.name, "decision": "Approve"}]}),
    ),
    Attack(
        "32 of the longest decisions at once",
        lambda stage: stage.in_phase("Pending"),
        lambda s: merge_status(
            s,
            CAROL,
            {
                "decisions": [
                    {"by": f"{number}" * 100, "decision": "Approve", "reason": LONGEST} for number in range(10, 42)
                ]
            },
        ),
        policy("request-decision", "exactly one decision must be added"),
        lambda s: merge_status(s, CAROL, {"decisions": [{"by": CAROL.name, "decision": "Approve", "reason": LONGEST}]}),
    ),
    Attack(
        "a request with more labels than anybody needs",
        lambda stage: stage.in_phase("Pending"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE, meta={"name": f"{s.name}-2", "labels": labels(20_000)})),
        policy("request-identity", "an AccessRequest has at most 100 labels"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE, meta={"name": f"{s.name}-2", "labels": labels(100)})),
    ),
    Attack(
        "more labels than anybody needs on a request that is there",
        lambda stage: stage.in_phase("Active"),
        lambda s: merge(s, ALICE, {"metadata": {"labels": labels(101)}}),
        policy("request-immutable", "an AccessRequest has at most 100 labels"),
        lambda s: merge(s, ALICE, {"metadata": {"labels": labels(100)}}),
    ),
    Attack(
        "our label among a hundred others",
        lambda stage: stage.in_phase("Active"),
        lambda s: merge(s, ALICE, {"metadata": {"labels": {**labels(99), "curfew.dev/closed": "true"}}}),
        policy("request-immutable", "labels and annotations that begin with curfew.dev/ are written by Curfew alone"),
        lambda s: merge(s, ALICE, {"metadata": {"labels": labels(99)}}),
    ),
    Attack(
        "a request with annotations that leave no room for a status",
        lambda stage: stage.in_phase("Pending"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE, meta={"name": f"{s.name}-2", "annotations": {"x": "y" * 8192}})),
        policy("request-identity", "the annotations of an AccessRequest have at most 8192 characters together"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE, meta={"name": f"{s.name}-2", "annotations": {"x": "y" * 8191}})),
    ),
    Attack(
        "annotations that leave no room for the end, on a request that is there",
        lambda stage: stage.in_phase("Active"),
        lambda s: merge(s, ALICE, {"metadata": {"annotations": {"x": "y" * 200_000}}}),
        policy("request-immutable", "the annotations of an AccessRequest have at most 8192 characters together"),
        lambda s: merge(s, ALICE, {"metadata": {"annotations": {"x": "y" * 8000}}}),
    ),
    Attack(
        "a request with more annotations than anybody needs",
        lambda stage: stage.in_phase("Pending"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE, meta={"name": f"{s.name}-2", "annotations": labels(20_000)})),
        policy("request-identity", "an AccessRequest has at most 100 annotations"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE, meta={"name": f"{s.name}-2", "annotations": labels(100)})),
    ),
    Attack(
        "more annotations than anybody needs on a request that is there",
        lambda stage: stage.in_phase("Active"),
        lambda s: merge(s, ALICE, {"metadata": {"annotations": labels(101)}}),
        policy("request-immutable", "an AccessRequest has at most 100 annotations"),
        lambda s: merge(s, ALICE, {"metadata": {"annotations": labels(100)}}),
    ),
    Attack(
        "a grant for a thousand people",
        lambda stage: stage.in_phase("Pending"),
        lambda s: bind(
            s,
            THIEF,
            {
                **s.grant(),
                "subjects": [
                    {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": f"{number}"}
                    for number in range(1000)
                ],
            },
        ),
        policy("operator-containment", "exactly one person per grant"),
        lambda s: bind(s, THIEF, s.grant()),
    ),
    Attack(
        "the longest request there can be, for somebody else",
        lambda stage: stage.in_phase("Pending"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE, requester="x" * 512, reason=LONGEST, ticket="\U0001f512" * 256)),
        policy("request-identity", "spec.requester must be alice@example.com"),
        lambda s: ask(s, ALICE, s.stage.request(ALICE, reason=LONGEST, ticket="\U0001f512" * 256)),
    ),
]
