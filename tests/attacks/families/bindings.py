"""Bindings that people make, or change, so that they look like grants or stand where grants will."""

from typing import Any

from tests.attacks.attack import Attack, conflict, policies, policy, rights
from tests.attacks.calling import ALICE, BOB, CAROL, DAVE, JSON, MERGE, ROOT, THIEF, Call, Who
from tests.attacks.stage import Manifest, Scene, Stage, a_user, in_hours, new_name
from tests.attacks.ways import bind, create, delete, step
from tests.integration.installed import MASTERS, RBAC

NOT_YOURS = policy("managed-bindings", "bindings labelled curfew.dev/request-uid are written by Curfew alone")
CLUSTER_WIDE = f"/apis/{RBAC}/v1/clusterrolebindings"


def pending(stage: Stage) -> Scene:
    """Have a request of alice's that waits."""
    return stage.in_phase("Pending")


def granted(stage: Stage) -> Scene:
    """Have a request of alice's with its binding."""
    return stage.granted()


def squatted(stage: Stage) -> Scene:
    """Have a binding of alice's own, without our label, where the grant of her request would be."""
    scene = pending(stage)
    stage.do(bind(scene, ALICE, scene.grant(meta={"labels": {}})))
    return scene


def patch(scene: Scene, who: Who, body: Any) -> Call:
    """Return a merge patch of the binding."""
    return Call(who, "PATCH", scene.grant_path, body, MERGE)


def own(scene: Scene, **meta: Any) -> Manifest:
    """Return a binding of alice's own."""
    return scene.stage.binding(meta={"name": new_name("b"), **meta})


def harmless(scene: Scene) -> Call:
    """Return a change to a binding that is nobody's grant."""
    made = scene.stage.do(bind(scene, ALICE, own(scene)))
    path = scene.stage.path("rolebindings", made["metadata"]["name"])
    return Call(ALICE, "PATCH", path, {"metadata": {"annotations": {"note": "mine"}}}, MERGE)


def changing(title: str, who: Who, body: Any) -> Attack:
    """Have a grant changed; the twin changes a binding that is none."""
    return Attack(title, granted, lambda s: patch(s, who, body), NOT_YOURS, harmless)


def for_the_cluster(scene: Scene, **labels: str) -> Manifest:
    """Return a ClusterRoleBinding of the admin's."""
    name = f"attacks-{scene.name}"
    binding = scene.stage.binding(meta={"name": name, "labels": labels})
    return {**binding, "kind": "ClusterRoleBinding", "subjects": [a_user("nobody@example.com")]}


MADE = [
    Attack(
        "made ahead, just as the operator would, by a cluster admin",
        pending,
        lambda s: bind(s, ROOT, s.grant()),
        NOT_YOURS,
        lambda s: bind(s, THIEF, s.grant()),
    ),
    Attack(
        "made ahead, with the label only, by the requester",
        pending,
        lambda s: bind(
            s, ALICE, s.stage.binding(meta={"name": s.grant_name, "labels": {"curfew.dev/request-uid": s.uid}})
        ),
        NOT_YOURS,
        lambda s: bind(s, ALICE, s.stage.binding(meta={"name": f"of-{s.uid}", "labels": {"request-uid": s.uid}})),
    ),
    Attack(
        "made under another name, with the label of somebody's request",
        pending,
        lambda s: bind(s, BOB, own(s, labels={"curfew.dev/request-uid": s.uid})),
        NOT_YOURS,
        lambda s: bind(s, BOB, own(s, labels={"curfew.dev/request": s.name})),
    ),
    Attack(
        "made with a label that is empty",
        pending,
        lambda s: bind(s, ALICE, own(s, labels={"curfew.dev/request-uid": ""})),
        NOT_YOURS,
        lambda s: bind(s, ALICE, own(s, labels={})),
    ),
    Attack(
        "made under a generated name that begins like ours",
        pending,
        lambda s: bind(
            s,
            ALICE,
            {
                **s.stage.binding(),
                "metadata": {"generateName": "curfew-", "labels": {"curfew.dev/request-uid": s.uid}},
            },
        ),
        NOT_YOURS,
        lambda s: bind(s, ALICE, {**s.stage.binding(), "metadata": {"generateName": "curfew-"}}),
    ),
    Attack(
        "made with our label by somebody in the operator's group",
        pending,
        lambda s: bind(s, ROOT.as_(DAVE.name, "system:serviceaccounts:curfew-system", *MASTERS), s.grant()),
        NOT_YOURS,
        lambda s: bind(s, THIEF, s.grant()),
    ),
    Attack(
        "made with our label by the sweeper",
        pending,
        lambda s: bind(s, ROOT.as_("system:serviceaccount:curfew-system:curfew-sweeper", *MASTERS), s.grant()),
        policies("managed-bindings", "operator-containment"),
        lambda s: bind(s, THIEF, s.grant()),
    ),
    Attack(
        "made by replacing what is not there",
        pending,
        lambda s: Call(ROOT, "PUT", s.grant_path, s.grant()),
        policies("managed-bindings"),
        lambda s: bind(s, THIEF, s.grant()),
    ),
    Attack(
        "made for the whole cluster with our label, by the API for the cluster",
        pending,
        lambda s: Call(ROOT, "POST", CLUSTER_WIDE, for_the_cluster(s, **{"curfew.dev/request-uid": s.uid})),
        NOT_YOURS,
        lambda s: Call(ROOT, "POST", CLUSTER_WIDE, for_the_cluster(s), query={"dryRun": "All"}),
    ),
    Attack(
        "made ahead without our label, and labelled then",
        squatted,
        lambda s: patch(s, ALICE, {"metadata": {"labels": {"curfew.dev/request-uid": s.uid}}}),
        NOT_YOURS,
        lambda s: patch(s, ALICE, {"metadata": {"labels": {"mine": "yes"}}}),
    ),
    Attack(
        "made ahead without our label, and overwritten by the operator",
        squatted,
        lambda s: bind(s, THIEF, s.grant()),
        conflict("already exists"),
        lambda s: delete(s.grant_path, ALICE),
    ),
    Attack(
        "made ahead without our label, and adopted by the operator",
        squatted,
        lambda s: patch(s, ROOT.as_(THIEF.name, *MASTERS), {"metadata": {"labels": {"curfew.dev/request-uid": s.uid}}}),
        policy("operator-containment", "a grant is made once and never changed"),
        lambda s: delete(s.grant_path, ROOT),
    ),
    Attack(
        "made ahead without our label, and deleted by the operator",
        squatted,
        lambda s: delete(s.grant_path, THIEF),
        policy("operator-containment", "only bindings that carry the label curfew.dev/request-uid"),
        lambda s: delete(s.grant_path, ALICE),
    ),
    Attack(
        "made for a role that one may not bind",
        pending,
        lambda s: bind(s, ALICE, s.stage.binding(role="cluster-admin")),
        rights("is attempting to grant RBAC permissions not currently held"),
        lambda s: bind(s, ALICE, s.stage.binding()),
    ),
]

CHANGED = [
    changing("given to somebody else as well", ALICE, {"subjects": [a_user(ALICE.name), a_user(DAVE.name)]}),
    changing("given to somebody else as well, by an admin", ROOT, {"subjects": [a_user(DAVE.name)]}),
    changing(
        "given to everybody", CAROL, {"subjects": [{"apiGroup": RBAC, "kind": "Group", "name": "system:authenticated"}]}
    ),
    changing("its start moved", ALICE, {"metadata": {"annotations": {"curfew.dev/starts-at": in_hours(1)}}}),
    changing("its end removed", ALICE, {"metadata": {"annotations": {"curfew.dev/expires-at": None}}}),
    changing("its end moved ahead", CAROL, {"metadata": {"annotations": {"curfew.dev/expires-at": in_hours(0)}}}),
    changing(
        "its receipt forged", ALICE, {"metadata": {"annotations": {"curfew.dev/receipt": f"main/1/2/{'f' * 64}"}}}
    ),
    changing("its terms forged", ROOT, {"metadata": {"annotations": {"curfew.dev/terms": "f" * 64}}}),
    changing("its policy forged", ROOT, {"metadata": {"annotations": {"curfew.dev/policy": "other"}}}),
    changing("said to be of another request", ALICE, {"metadata": {"annotations": {"curfew.dev/request": "other"}}}),
    changing("labelled as another's", ALICE, {"metadata": {"labels": {"curfew.dev/request-uid": "x"}}}),
    changing("its label made empty", ALICE, {"metadata": {"labels": {"curfew.dev/request-uid": ""}}}),
    changing("its label removed", ALICE, {"metadata": {"labels": {"curfew.dev/request-uid": None}}}),
    changing("a label of one's own put beside ours", ALICE, {"metadata": {"labels": {"team": "pay"}}}),
    changing("held by a finalizer", ALICE, {"metadata": {"finalizers": ["a.io/stay"]}}),
    changing("held by a finalizer, by an admin", ROOT, {"metadata": {"finalizers": ["foregroundDeletion"]}}),
    changing("taken from its request", ROOT, {"metadata": {"ownerReferences": []}}),
    Attack(
        "owned by something that stays, too",
        granted,
        lambda s: Call(
            ALICE,
            "PATCH",
            s.grant_path,
            [
                step(
                    "add",
                    "/metadata/ownerReferences/-",
                    {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"},
                )
            ],
            JSON,
        ),
        NOT_YOURS,
        harmless,
    ),
    Attack(
        "replaced without our label",
        granted,
        lambda s: Call(ALICE, "PUT", s.grant_path, s.grant(meta={"labels": {}})),
        NOT_YOURS,
        lambda s: delete(s.grant_path, ALICE),
    ),
    Attack(
        "replaced by nearly the same",
        granted,
        lambda s: Call(ROOT, "PUT", s.grant_path, s.grant(expires_at=in_hours(2))),
        NOT_YOURS,
        lambda s: delete(s.grant_path, ROOT),
    ),
    Attack(
        "a change only tried",
        granted,
        lambda s: Call(ALICE, "PATCH", s.grant_path, {"metadata": {"labels": {"a": "b"}}}, MERGE, {"dryRun": "All"}),
        NOT_YOURS,
        harmless,
    ),
    Attack(
        "made by the kind of thing that copies bindings into each namespace",
        pending,
        lambda s: create(
            s.stage, ROOT, "rolebindings", s.grant(meta={"ownerReferences": []}), namespace=s.stage.elsewhere
        ),
        NOT_YOURS,
        lambda s: create(
            s.stage,
            ROOT,
            "rolebindings",
            s.grant(meta={"ownerReferences": [], "labels": {}}),
            namespace=s.stage.elsewhere,
        ),
    ),
]
