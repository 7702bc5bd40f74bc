"""A binding that carries our label is the operator's, and the operator can make no others."""

import functools
from collections.abc import Callable

import pytest

from tests.integration.admission.asking import (
    ALICE,
    BOB,
    DAVE,
    RBAC,
    UNINSTALLER,
    Attempt,
    Manifest,
    World,
    a_user,
    changed,
    in_hours,
    with_meta,
    with_owner,
)
from tests.integration.installed import MASTERS, OPERATOR, SWEEPER, Done
from tools.servers.pki import ADMIN

ADD_DAVE = {"op": "add", "path": "/subjects/-", "value": a_user(DAVE)}


def made_by_operator(world: World, manifest: Manifest) -> Done:
    """Have the operator create a binding."""
    return world.create(manifest, OPERATOR)


def removed(world: World, cascade: str) -> Done:
    """Have a grant removed by hand; kubectl waits until the garbage collector has taken its finalizer off."""
    return world.kubectl(ALICE, "delete", "rolebinding", world.granted(), f"--cascade={cascade}", "--timeout=90s")


def rewritten(change: Callable[[Manifest], None], world: World) -> Done:
    """Have a grant read and written by a cluster admin, with a change."""
    return world.rewrite("rolebinding", world.granted(), ADMIN, change=change)


def for_the_cluster(manifest: Manifest) -> Manifest:
    """Return a grant as a ClusterRoleBinding."""
    meta = {key: value for key, value in manifest["metadata"].items() if key != "namespace"}
    return changed(manifest, kind="ClusterRoleBinding", metadata=meta)


def to_role(manifest: Manifest, kind: str, name: str) -> Manifest:
    """Return a grant of another role."""
    return changed(manifest, roleRef={"apiGroup": RBAC, "kind": kind, "name": name})


REWRITTEN: dict[str, Callable[[Manifest], None]] = {
    "subjects": lambda binding: binding["subjects"].append(a_user(DAVE)),
    "labels": lambda binding: binding["metadata"]["labels"].pop("curfew.dev/request-uid"),
    "annotations": lambda binding: binding["metadata"]["annotations"].update({"curfew.dev/expires-at": in_hours(20)}),
    "owners": lambda binding: binding["metadata"].pop("ownerReferences"),
    "finalizers": lambda binding: binding["metadata"].update(finalizers=["example.com/stay"]),
}

BY_USERS = [
    Attempt("labelled, by a user", lambda w: w.create(w.binding(), ALICE), "written by Curfew alone"),
    Attempt("labelled, by a cluster admin", lambda w: w.create(w.binding(), ADMIN), "written by Curfew alone"),
    Attempt(
        "labelled, for the whole cluster, by a cluster admin",
        lambda w: w.create(for_the_cluster(w.binding()), ADMIN),
        "written by Curfew alone",
    ),
    Attempt(
        "label put on one's own binding",
        lambda w: w.mark(ALICE, "rolebinding", "users", {"curfew.dev/request-uid": "x"}),
        "written by Curfew alone",
    ),
    Attempt("edited by an admin", lambda w: w.edit_binding(w.granted(), ADMIN, ADD_DAVE), "written by Curfew alone"),
    Attempt(
        "label stripped by an admin",
        lambda w: w.mark(ADMIN, "rolebinding", w.granted(), {"curfew.dev/request-uid": None}),
        "written by Curfew alone",
    ),
    Attempt(
        "its end moved by a user",
        lambda w: w.mark(ALICE, "rolebinding", w.granted(), {"curfew.dev/expires-at": in_hours(20)}, "annotations"),
        "written by Curfew alone",
    ),
    Attempt(
        "its owner removed by a user",
        lambda w: w.edit_binding(w.granted(), ALICE, {"op": "remove", "path": "/metadata/ownerReferences"}),
        "written by Curfew alone",
    ),
    Attempt("rewritten as it is, by a storage migrator", lambda w: w.rewrite("rolebinding", w.granted(), ADMIN)),
    *(
        Attempt(
            f"rewritten by a storage migrator, with other {what}",
            functools.partial(rewritten, change),
            "written by Curfew alone",
        )
        for what, change in REWRITTEN.items()
    ),
    Attempt("removed by someone whom RBAC lets", lambda w: w.delete(ALICE, "rolebinding", w.granted())),
    Attempt("removed in the foreground, by someone whom RBAC lets", lambda w: removed(w, "foreground")),
    Attempt("removed as an orphan's owner, by someone whom RBAC lets", lambda w: removed(w, "orphan")),
    Attempt(
        "without our label, by someone whom RBAC lets",
        lambda w: w.create(with_meta(w.binding(), labels={}), ALICE),
    ),
]

BY_THE_OPERATOR = [
    Attempt("a grant", lambda w: made_by_operator(w, w.binding())),
    Attempt(
        "a grant of the longest time, from a clock that is a little ahead",
        lambda w: made_by_operator(w, w.binding(starts_at=in_hours(0.005), expires_at=in_hours(24.005))),
    ),
    Attempt(
        "a grant to the microsecond",
        lambda w: made_by_operator(w, w.binding(expires_at=in_hours(1).replace("Z", ".250000Z"))),
    ),
    Attempt("removes a grant", lambda w: w.delete(OPERATOR, "rolebinding", w.granted())),
    Attempt(
        "edits a grant",
        lambda w: w.mark(OPERATOR, "rolebinding", w.granted(), {"x": "y"}, "annotations"),
        "never changed",
    ),
    Attempt(
        "moves the end of a grant",
        lambda w: w.mark(OPERATOR, "rolebinding", w.granted(), {"curfew.dev/expires-at": in_hours(20)}, "annotations"),
        "never changed",
    ),
    Attempt("no label", lambda w: made_by_operator(w, with_meta(w.binding(), labels={})), "carry the label"),
    Attempt("other name", lambda w: made_by_operator(w, with_meta(w.binding(), name="x2")), "named after its request"),
    Attempt(
        "two people",
        lambda w: made_by_operator(w, changed(w.binding(), subjects=[a_user(ALICE), a_user(BOB)])),
        "exactly one person",
    ),
    Attempt("nobody", lambda w: made_by_operator(w, changed(w.binding(), subjects=[])), "exactly one person"),
    Attempt(
        "a group",
        lambda w: made_by_operator(
            w,
            changed(w.binding(), subjects=[{"apiGroup": RBAC, "kind": "Group", "name": "system:authenticated"}]),
        ),
        "exactly one person",
    ),
    Attempt(
        "a service account",
        lambda w: made_by_operator(
            w,
            changed(w.binding(), subjects=[{"kind": "ServiceAccount", "name": "default", "namespace": w.namespace}]),
        ),
        "exactly one person",
    ),
    Attempt(
        "a service account as a user",
        lambda w: made_by_operator(w, changed(w.binding(), subjects=[a_user(OPERATOR)])),
        "exactly one person",
    ),
    Attempt("no receipt", lambda w: made_by_operator(w, w.binding(receipt=None)), "without the receipt"),
    Attempt("empty receipt", lambda w: made_by_operator(w, w.binding(receipt="")), "without the receipt"),
    Attempt("no end", lambda w: made_by_operator(w, w.binding(expires_at=None)), "carries its start and its end"),
    Attempt(
        "an end that is no time", lambda w: made_by_operator(w, w.binding(expires_at="soon")), "carries its start and"
    ),
    Attempt("no start", lambda w: made_by_operator(w, w.binding(starts_at=None)), "carries its start and its end"),
    Attempt("two days", lambda w: made_by_operator(w, w.binding(expires_at=in_hours(48))), "at most 24h apart"),
    Attempt(
        "a day, in two days",
        lambda w: made_by_operator(w, w.binding(starts_at=in_hours(25), expires_at=in_hours(48))),
        "carries its end, at most 24h away",
    ),
    Attempt(
        "a grant that is over, from a clock that is behind",
        lambda w: made_by_operator(w, w.binding(starts_at=in_hours(-2), expires_at=in_hours(-0.001))),
        "not over before it begins; compare the clocks",
    ),
    Attempt(
        "a grant that ends within the second in which it is made",
        lambda w: made_by_operator(w, w.binding(starts_at=in_hours(-1), expires_at=this_second())),
        "not over before it begins; compare the clocks",
    ),
    Attempt(
        "a grant that is over, and claims to be older than that",
        lambda w: made_by_operator(
            w,
            with_meta(w.binding(starts_at=in_hours(-2), expires_at=in_hours(-1)), creationTimestamp=in_hours(-1.5)),
        ),
        "not over before it begins; compare the clocks",
    ),
    Attempt(
        "a grant whose log was away for most of its time",
        lambda w: made_by_operator(w, w.binding(starts_at=in_hours(-0.99), expires_at=in_hours(0.01))),
    ),
    Attempt(
        "a grant that begins later, from a clock that is ahead",
        lambda w: made_by_operator(w, w.binding(starts_at=in_hours(0.1), expires_at=in_hours(1))),
        "does not begin later than its binding; compare the clocks",
    ),
    Attempt(
        "an end before its start",
        lambda w: made_by_operator(w, w.binding(starts_at=in_hours(2), expires_at=in_hours(1))),
        "carries its start and its end",
    ),
    Attempt(
        "a role it may not bind",
        lambda w: made_by_operator(w, to_role(w.binding(), "ClusterRole", "cluster-admin")),
        "attempting to grant",
    ),
    Attempt(
        "a ClusterRole that the namespace's admin let it bind",
        lambda w: made_by_operator(w, to_role(w.binding(), "ClusterRole", given_besides(w, "ClusterRole"))),
        "that Curfew was given by name",
    ),
    Attempt(
        "a Role that the namespace's admin let it bind",
        lambda w: made_by_operator(w, to_role(w.binding(), "Role", given_besides(w, "Role"))),
        "that Curfew was given by name",
    ),
    Attempt("for the whole cluster", lambda w: cluster_wide(w), "no ClusterRoleBindings"),
    Attempt(
        "no owner",
        lambda w: made_by_operator(w, with_meta(w.binding(), ownerReferences=[])),
        "owned by its request, and by nothing else",
    ),
    Attempt(
        "owned by another request",
        lambda w: made_by_operator(w, with_owner(w.binding(), uid="another")),
        "owned by its request, and by nothing else",
    ),
    Attempt(
        "owned by a request of another name",
        lambda w: made_by_operator(w, with_owner(w.binding(), name="another")),
        "owned by its request, and by nothing else",
    ),
    Attempt(
        "owned by something else",
        lambda w: made_by_operator(w, with_owner(w.binding(), kind="ConfigMap", apiVersion="v1")),
        "owned by its request, and by nothing else",
    ),
    Attempt(
        "owned, but not as by a controller",
        lambda w: made_by_operator(w, with_owner(w.binding(), controller=False)),
        "owned by its request, and by nothing else",
    ),
    Attempt(
        "owned by two", lambda w: made_by_operator(w, owned_by_two(w)), "owned by its request, and by nothing else"
    ),
    Attempt(
        "with a finalizer",
        lambda w: made_by_operator(w, with_meta(w.binding(), finalizers=["curfew.dev/stay"])),
        "no finalizers",
    ),
    Attempt("no policy", lambda w: made_by_operator(w, w.binding(policy=None)), "names its policy"),
    Attempt("no terms", lambda w: made_by_operator(w, w.binding(terms=None)), "the digest of its terms"),
    Attempt(
        "terms that are no digest", lambda w: made_by_operator(w, w.binding(terms="agreed")), "the digest of its terms"
    ),
    Attempt("no request", lambda w: made_by_operator(w, w.binding(request=None)), "owned by its request"),
    Attempt(
        "deletes a stranger's binding",
        lambda w: w.delete(OPERATOR, "rolebinding", "users"),
        "carry the label",
    ),
    Attempt(
        "takes a stranger's binding over",
        lambda w: w.mark(OPERATOR, "rolebinding", "users", {"curfew.dev/request-uid": "x"}),
        "never changed",
    ),
]

BY_THE_SWEEPER = [
    Attempt(
        "creates", lambda w: w.create(w.binding(), SWEEPER), ("the sweeper only removes", "written by Curfew alone")
    ),
    Attempt(
        "creates, without our label",
        lambda w: w.create(with_meta(w.binding(), labels={}), SWEEPER),
        "carry the label",
    ),
    Attempt("removes a grant", lambda w: w.delete(SWEEPER, "rolebinding", w.granted())),
    Attempt(
        "removes a stranger's binding",
        lambda w: w.delete(SWEEPER, "rolebinding", "users"),
        "carry the label",
    ),
    Attempt("removes a grant before the release goes", lambda w: w.delete(UNINSTALLER, "rolebinding", w.granted())),
    Attempt(
        "removes a stranger's binding before the release goes",
        lambda w: w.delete(UNINSTALLER, "rolebinding", "users"),
        "carry the label",
    ),
    Attempt(
        "creates before the release goes",
        lambda w: w.create(w.binding(), UNINSTALLER),
        ("the sweeper only removes", "written by Curfew alone"),
    ),
]


def this_second() -> str:
    """Return the last moment of this second."""
    return in_hours(0).replace("Z", ".999999Z")


def given_besides(world: World, kind: str) -> str:
    """Have somebody who may write RBAC in the namespace let the operator bind a role, and return the role's name."""
    name, resource = ("admin", "clusterroles") if kind == "ClusterRole" else ("besides", "roles")
    meta = {"name": f"besides-{resource}", "namespace": world.namespace}
    rule = {"apiGroups": [RBAC], "resources": [resource], "verbs": ["bind"], "resourceNames": [name]}
    world.cluster.apply(
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": [rule]},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": meta["name"]},
            "subjects": [a_user(OPERATOR)],
        },
    )
    world.cluster.await_right(OPERATOR, "bind", f"{resource}/{name}", namespace=world.namespace)
    return name


def cluster_wide(world: World) -> Done:
    """Have the operator bind for the whole cluster, with all rights there are."""
    return world.create(for_the_cluster(world.binding()), OPERATOR, MASTERS)


def owned_by_two(world: World) -> Manifest:
    """Return a grant that would outlive its request, because something else owns it too."""
    manifest = world.binding()
    (owner,) = manifest["metadata"]["ownerReferences"]
    another = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}
    return with_meta(manifest, ownerReferences=[owner, another])


@pytest.mark.parametrize("attempt", BY_USERS, ids=str)
def test_by_users(world: World, attempt: Attempt) -> None:
    """People write bindings."""
    attempt.judge(world)


@pytest.mark.parametrize("attempt", BY_THE_OPERATOR, ids=str)
def test_by_the_operator(world: World, attempt: Attempt) -> None:
    """The operator writes bindings."""
    attempt.judge(world)


@pytest.mark.parametrize("attempt", BY_THE_SWEEPER, ids=str)
def test_by_the_sweeper(world: World, attempt: Attempt) -> None:
    """The sweeper writes bindings."""
    attempt.judge(world)
