"""Finalizers, owners, labels and annotations put on requests that are under way or over, and how requests are deleted."""

from typing import Any

from tests.attacks.attack import Attack, Refusal, conflict, policies, policy, schema
from tests.attacks.calling import ALICE, CAROL, ROOT, THIEF, Call, Who
from tests.attacks.stage import Scene, Stage
from tests.attacks.ways import delete, merge, operations, replace, step
from tests.integration.installed import MASTERS, OPERATOR

MARKS = policy("request-immutable", "labels and annotations that begin with curfew.dev/ are written by Curfew alone")
HELD = policy("request-immutable", "finalizers and ownerReferences stay as they are")
ORPHAN = policy("request-no-orphan", "AccessRequests may not be deleted with --cascade=orphan")
LABEL_ONLY = policy(
    "operator-labels-only", "the operator changes nothing but the labels curfew.dev/closed and curfew.dev/counted-in"
)
CLOSED = {"metadata": {"labels": {"curfew.dev/closed": "true"}}}
COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"


def tagged(scene: Scene) -> Call:
    """Return a label of alice's own."""
    return merge(scene, ALICE, {"metadata": {"labels": {"team": "pay"}}})


def written(title: str, phase: str, who: Who, meta: Any, refused: Refusal) -> Attack:
    """Have somebody write metadata in a phase; the twin writes a label that is alice's to write."""
    return Attack(
        f"{title}, {phase}",
        lambda stage: stage.in_phase(phase),
        lambda s: merge(s, who, {"metadata": meta}),
        refused,
        tagged,
    )


def closed(stage: Stage) -> Scene:
    """Have a request that is over and that the operator has labelled so."""
    scene = stage.in_phase("Expired")
    scene.body = stage.do(merge(scene, THIEF, CLOSED))
    return scene


def all_of_them(scene: Scene, **options: Any) -> Call:
    """Return a deletion of all requests that have the label of this one."""
    body = {"apiVersion": "meta.k8s.io/v1", "kind": "DeleteOptions", **options}
    query = {"labelSelector": f"only={scene.name}"}
    return Call(ALICE, "DELETE", scene.stage.path("accessrequests"), body, query=query)


def only(stage: Stage) -> Scene:
    """Have a request with a label that no other has."""
    scene = stage.in_phase("Active")
    return scene.labelled(only=scene.name)


MARKED = [
    *(
        written("hidden by its requester", phase, ALICE, {"labels": {"curfew.dev/closed": "true"}}, MARKS)
        for phase in ("Pending", "Approved", "Active", "Denied", "Revoked")
    ),
    written("hidden by an approver", "Active", CAROL, {"labels": {"curfew.dev/closed": ""}}, MARKS),
    written("hidden by an admin", "Approved", ROOT, {"labels": {"curfew.dev/closed": "true"}}, MARKS),
    written("labelled like a grant", "Active", ALICE, {"labels": {"curfew.dev/request-uid": "x"}}, MARKS),
    written("given a receipt", "Pending", ALICE, {"annotations": {"curfew.dev/receipt": "main/1/2/0"}}, MARKS),
    written(
        "given another end", "Active", ALICE, {"annotations": {"curfew.dev/expires-at": "2099-01-01T00:00:00Z"}}, MARKS
    ),
    written("held by a finalizer", "Active", ALICE, {"finalizers": ["a.io/stay"]}, HELD),
    written("held by a finalizer that looks like ours", "Approved", ALICE, {"finalizers": ["curfew.dev/stay"]}, HELD),
    written("held by a finalizer of an admin's", "Revoked", ROOT, {"finalizers": ["a.io/stay"]}, HELD),
    written("set to orphan its grant", "Active", ALICE, {"finalizers": ["orphan"]}, HELD),
    written("set to orphan its grant by an admin", "Active", ROOT, {"finalizers": ["orphan"]}, HELD),
    written(
        "owned by something that can be deleted",
        "Active",
        ALICE,
        {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}]},
        HELD,
    ),
    Attack(
        "hidden by a JSON patch that makes all labels anew",
        lambda stage: stage.in_phase("Active").labelled(team="pay"),
        lambda s: operations(s, ALICE, step("replace", "/metadata/labels", {"curfew.dev/closed": "true"})),
        MARKS,
        lambda s: operations(s, ALICE, step("replace", "/metadata/labels", {"closed": "true"})),
    ),
    Attack(
        "shown again by a JSON patch that removes all labels",
        closed,
        lambda s: operations(s, ALICE, step("remove", "/metadata/labels")),
        MARKS,
        tagged,
    ),
    Attack(
        "shown again by a replacement without labels",
        closed,
        lambda s: replace(s, ALICE, s.changed(lambda r: r["metadata"].pop("labels"))),
        MARKS,
        lambda s: replace(s, ALICE, s.changed(lambda r: r["metadata"]["labels"].update(team="pay"))),
    ),
    Attack(
        "renamed by a replacement",
        lambda stage: stage.in_phase("Pending"),
        lambda s: replace(s, ALICE, s.changed(lambda r: r["metadata"].update(name="other"))),
        Refusal(400, ("the name of the object (other) does not match the name on the URL",)),
        tagged,
    ),
    Attack(
        "moved to another namespace by a replacement",
        lambda stage: stage.in_phase("Pending"),
        lambda s: replace(s, ALICE, s.changed(lambda r: r["metadata"].update(namespace=s.stage.elsewhere))),
        Refusal(400, ("does not match the namespace",)),
        tagged,
    ),
    Attack(
        "given another UID",
        lambda stage: stage.in_phase("Pending"),
        lambda s: merge(s, ALICE, {"metadata": {"uid": "11111111-1111-1111-1111-111111111111"}}),
        schema("metadata.uid: Invalid value"),
        tagged,
    ),
]

BY_THE_OPERATOR = [
    Attack(
        f"the operator's token {what}",
        lambda stage: stage.in_phase("Expired"),
        lambda s, meta=meta: merge(s, THIEF, {"metadata": meta}),  # type: ignore[misc]
        LABEL_ONLY,
        lambda s: merge(s, THIEF, CLOSED),
    )
    for what, meta in {
        "annotates a request": {"annotations": {"note": "x"}},
        "annotates a request with a mark of its own": {"annotations": {"curfew.dev/receipt": "x"}},
        "puts a finalizer on a request": {"finalizers": ["a.io/stay"]},
        "gives a request an owner": {
            "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}]
        },
        "labels a request in another way": {"labels": {"curfew.dev/open": "true"}},
        "labels a request as its grant": {"labels": {"curfew.dev/request-uid": "x"}},
    }.items()
] + [
    Attack(
        f"the operator's token closes a request that is {phase}",
        lambda stage, phase=phase: stage.in_phase(phase),  # type: ignore[misc]
        lambda s: merge(s, THIEF, CLOSED),
        policy("operator-labels-only", "only a request in a final phase is closed"),
        lambda s: merge(s.stage.in_phase("Failed"), THIEF, CLOSED),
    )
    for phase in ("Pending", "Approved", "Active")
]

DELETED = [
    *(
        Attack(
            f"orphaned while {phase}",
            lambda stage, phase=phase: stage.in_phase(phase),  # type: ignore[misc]
            lambda s: delete(s.path, ALICE, propagationPolicy="Orphan"),
            ORPHAN,
            lambda s: delete(s.path, ALICE, propagationPolicy="Background"),
        )
        for phase in ("Pending", "Approved", "Active", "Revoked")
    ),
    Attack(
        "orphaned in the old way",
        lambda stage: stage.in_phase("Active"),
        lambda s: delete(s.path, ALICE, orphanDependents=True),
        ORPHAN,
        lambda s: delete(s.path, ALICE, orphanDependents=False),
    ),
    Attack(
        "orphaned by the query",
        lambda stage: stage.in_phase("Active"),
        lambda s: Call(ALICE, "DELETE", s.path, query={"propagationPolicy": "Orphan"}),
        ORPHAN,
        lambda s: Call(ALICE, "DELETE", s.path, query={"propagationPolicy": "Background"}),
    ),
    Attack(
        "orphaned all together",
        only,
        lambda s: all_of_them(s, propagationPolicy="Orphan"),
        ORPHAN,
        lambda s: all_of_them(s, propagationPolicy="Background"),
    ),
    Attack(
        "orphaned by the operator, with all rights there are",
        lambda stage: stage.in_phase("Active"),
        lambda s: delete(s.path, ROOT.as_(OPERATOR, *MASTERS), propagationPolicy="Orphan"),
        policies("request-no-orphan", "operator-labels-only"),
        lambda s: delete(s.path, ROOT),
    ),
    Attack(
        "orphaned by the garbage collector, whoever that is",
        lambda stage: stage.in_phase("Active"),
        lambda s: delete(s.path, ROOT.as_(COLLECTOR, *MASTERS), propagationPolicy="Orphan"),
        ORPHAN,
        lambda s: delete(s.path, ROOT.as_(COLLECTOR, *MASTERS)),
    ),
    Attack(
        "deleted as it was before it was active",
        lambda stage: stage.in_phase("Pending").decided(CAROL),
        lambda s: delete(s.path, ALICE, preconditions={"resourceVersion": "1"}),
        conflict("does not match the ResourceVersion"),
        lambda s: delete(s.path, ALICE, preconditions={"resourceVersion": s.body["metadata"]["resourceVersion"]}),
    ),
]
