"""What was asked for cannot be changed, hidden or orphaned."""

import pytest

from tests.integration.admission.asking import ALICE, GIT, Attempt, World, succeed
from tests.integration.installed import MASTERS, OPERATOR
from tools.servers.pki import ADMIN

CLOSED = {"metadata": {"labels": {"curfew.dev/closed": "true"}}}


def closed(world: World) -> str:
    """Have a finished request that the operator has labelled closed, and return its name."""
    name = world.finished()
    succeed(world.mark(OPERATOR, "accessrequest", name, {"curfew.dev/closed": "true"}, groups=MASTERS))
    return name


def labelled(world: World) -> str:
    """Have a request with a label of alice's own, and return its name."""
    name = world.pending()
    succeed(world.mark(ALICE, "accessrequest", name, {"team": "pay"}))
    return name


ATTEMPTS = [
    Attempt("spec by its owner", lambda w: w.merge(w.pending(), {"spec": {"duration": "4h"}}, ALICE), "immutable"),
    Attempt(
        "spec by a cluster admin", lambda w: w.merge(w.pending(), {"spec": {"duration": "4h"}}, ADMIN), "immutable"
    ),
    Attempt(
        "spec by the operator",
        lambda w: w.merge(w.pending(), {"spec": {"duration": "4h"}}, OPERATOR, MASTERS),
        "immutable",
    ),
    Attempt(
        "optional field added later", lambda w: w.merge(w.pending(), {"spec": {"ticket": "INC-1"}}, ALICE), "immutable"
    ),
    Attempt(
        "finalizer by a user",
        lambda w: w.merge(w.pending(), {"metadata": {"finalizers": ["x.example.com/stay"]}}, ALICE),
        "finalizers and ownerReferences stay as they are",
    ),
    Attempt(
        "owner by a user",
        lambda w: w.merge(
            w.pending(),
            {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}]}},
            ALICE,
        ),
        "finalizers and ownerReferences stay as they are",
    ),
    Attempt("a label by a user", lambda w: w.mark(ALICE, "accessrequest", w.pending(), {"team": "pay"})),
    Attempt("a label taken away by a user", lambda w: w.mark(ALICE, "accessrequest", labelled(w), {"team": None})),
    Attempt(
        "hidden from the operator by a user", lambda w: w.merge(w.active(), CLOSED, ALICE), "written by Curfew alone"
    ),
    Attempt(
        "hidden from the operator by a cluster admin",
        lambda w: w.merge(w.active(), CLOSED, ADMIN),
        "written by Curfew alone",
    ),
    Attempt(
        "hidden from the operator by replacing it",
        lambda w: w.mark(ALICE, "accessrequest", w.active(), {"curfew.dev/closed": ""}),
        "written by Curfew alone",
    ),
    Attempt(
        "opened again by a user",
        lambda w: w.mark(ALICE, "accessrequest", closed(w), {"curfew.dev/closed": None}),
        "written by Curfew alone",
    ),
    Attempt(
        "the label's value changed by a user",
        lambda w: w.mark(ALICE, "accessrequest", closed(w), {"curfew.dev/closed": "no"}),
        "written by Curfew alone",
    ),
    Attempt("a label beside ours by a user", lambda w: w.mark(ALICE, "accessrequest", closed(w), {"team": "pay"})),
    Attempt(
        "an annotation of ours by a user",
        lambda w: w.mark(ALICE, "accessrequest", w.pending(), {"curfew.dev/anything": "x"}, "annotations"),
        "written by Curfew alone",
    ),
    Attempt(
        "an annotation by a user",
        lambda w: w.mark(ALICE, "accessrequest", w.pending(), {"note": "see ticket"}, "annotations"),
    ),
    Attempt(
        "closed by the operator once it is over",
        lambda w: w.merge(w.finished(), CLOSED, OPERATOR, MASTERS),
    ),
    Attempt(
        "closed by the operator while it is active",
        lambda w: w.merge(w.active(), CLOSED, OPERATOR, MASTERS),
        "only a request in a final phase is closed",
    ),
    Attempt(
        "closed by the operator before it was looked at",
        lambda w: w.merge(w.asked(), CLOSED, OPERATOR, MASTERS),
        "only a request in a final phase is closed",
    ),
    Attempt(
        "closed by the operator in other words",
        lambda w: w.merge(w.finished(), {"metadata": {"labels": {"curfew.dev/closed": "yes"}}}, OPERATOR, MASTERS),
        "only a request in a final phase is closed",
    ),
    Attempt(
        "opened again by the operator",
        lambda w: w.merge(closed(w), {"metadata": {"labels": {"curfew.dev/closed": None}}}, OPERATOR, MASTERS),
        "nothing but the label",
    ),
    Attempt(
        "another label by the operator",
        lambda w: w.merge(w.finished(), {"metadata": {"labels": {"team": "x"}}}, OPERATOR, MASTERS),
        "nothing but the label",
    ),
    Attempt(
        "a user's label taken away by the operator",
        lambda w: w.merge(labelled(w), {"metadata": {"labels": {"team": None}}}, OPERATOR, MASTERS),
        "nothing but the label",
    ),
    Attempt(
        "a finalizer by the operator",
        lambda w: w.merge(w.active(), {"metadata": {"finalizers": ["curfew.dev/stay"]}}, OPERATOR, MASTERS),
        "nothing but the label",
    ),
    Attempt(
        "made by the operator",
        lambda w: w.create(w.request(ALICE, OPERATOR), OPERATOR, MASTERS),
        "the operator makes no requests",
    ),
    Attempt(
        "deleted by the operator while it is active",
        lambda w: w.delete(OPERATOR, "accessrequest", w.active()),
        "the operator deletes a request only if it is in a final phase, closed",
    ),
    Attempt(
        "deleted by the operator, finished and not closed",
        lambda w: w.delete(OPERATOR, "accessrequest", w.finished()),
        "the operator deletes a request only if it is in a final phase, closed",
    ),
    Attempt(
        "deleted by the operator, finished and closed",
        lambda w: w.delete(OPERATOR, "accessrequest", closed(w)),
    ),
    Attempt(
        "orphaning delete",
        lambda w: w.delete(ALICE, "accessrequest", w.pending(), "Orphan"),
        "may not be deleted with --cascade=orphan",
    ),
    Attempt(
        "orphaning delete by a cluster admin",
        lambda w: w.delete(ADMIN, "accessrequest", w.active(), "Orphan"),
        "may not be deleted with --cascade=orphan",
    ),
    Attempt("delete", lambda w: w.delete(ALICE, "accessrequest", w.pending())),
    Attempt(
        # The collector removes the finalizer with which it waits; it looks for new kinds every 30 s.
        "delete in the foreground",
        lambda w: w.kubectl(ALICE, "delete", "accessrequest", w.pending(), "--cascade=foreground", "--timeout=90s"),
    ),
    Attempt("rewritten as it is, by a storage migrator", lambda w: w.rewrite("accessrequest", w.active(), ADMIN)),
    Attempt(
        "its status rewritten as it is, by a storage migrator",
        lambda w: w.rewrite("accessrequest", w.active(), ADMIN, "--subresource=status"),
    ),
    Attempt(
        "its status rewritten by a storage migrator, with an earlier end",
        lambda w: w.rewrite(
            "accessrequest",
            w.active(),
            ADMIN,
            "--subresource=status",
            change=lambda request: request["status"].update(expiresAt="2029-06-01T00:00:00Z"),
        ),
        "only status.decisions may be changed by users",
    ),
    Attempt("a GitOps controller labels it", lambda w: w.mark(GIT, "accessrequest", w.pending(), {"app": "x"})),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)
def test_changing(world: World, attempt: Attempt) -> None:
    """Somebody changes or deletes an AccessRequest."""
    attempt.judge(world)
