"""What a grant left behind, and what closes it."""

from datetime import timedelta

import pytest

from curfew.core.activity import remains
from curfew.core.activity.attribution import Gone
from curfew.core.activity.call import Call
from tests.support.activity import END, OTHER_UID, STANDING, UID, AMonitor, a_call, announced, ended, of_account, reason
from tests.support.builders import BOB, NOON

RBAC = "rbac.authorization.k8s.io"
LATER = NOON + timedelta(minutes=30)
CONTROLLER = "system:serviceaccount:kube-system:namespace-controller"


def by_bob(verb: str, what: str, **changes: object) -> Call:
    """Return a later call of somebody else."""
    return a_call(verb, what, **{"user": BOB, "reason": "his own", "at": LATER, **changes})


def left(monitor: AMonitor, uid: str = UID) -> list[str]:
    """Return what a grant has left behind."""
    return [f"{one.key.resource}/{one.key.name}" for one in monitor.tally(uid).remains.left]


def gone(monitor: AMonitor, *calls: Call) -> list[str]:
    """Return the grants whose remains these calls have deleted."""
    return [one.session.uid for one in monitor.arrives(*calls) if isinstance(one, Gone)]


@pytest.mark.parametrize(
    "what",
    [
        "pods/debug",
        "jobs.batch/once",
        "cronjobs.batch/often",
        "deployments.apps/web",
        "statefulsets.apps/db",
        "daemonsets.apps/agent",
        "replicasets.apps/web-1",
        "secrets/token",
        f"rolebindings.{RBAC}/mine",
        f"roles.{RBAC}/mine",
        "workflows.argoproj.io/build",
    ],
)
def test_what_can_act_or_give_access_is_left_behind_until_it_is_deleted(what: str) -> None:
    monitor = AMonitor()
    monitor.arrives(a_call("create", what))
    assert monitor.verdict().remains == 1

    assert gone(monitor, by_bob("delete", what)) == [UID]

    assert monitor.verdict().remains == 0


@pytest.mark.parametrize("what", ["configmaps/settings", "services/web", "events/seen", "widgets.example.org/one"])
def test_other_things_are_only_changes(what: str) -> None:
    assert AMonitor().verdict(a_call("create", what)).remains == 0


@pytest.mark.parametrize(
    ("verb", "what", "changes"),
    [
        ("patch", "pods/web-0 (ephemeralcontainers)", {}),
        ("update", "pods/web-0 (ephemeralcontainers)", {}),
        ("patch", f"rolebindings.{RBAC}/theirs", {}),
        ("update", f"rolebindings.{RBAC}/theirs", {}),
        ("patch", "deployments.apps/web", {"code": 201}),
        ("update", "deployments.apps/web", {"code": 201}),
    ],
)
def test_what_was_changed_to_give_access_or_made_by_applying_it_is_left_behind(
    verb: str, what: str, changes: dict[str, int]
) -> None:
    assert AMonitor().verdict(a_call(verb, what, **changes)).remains == 1


@pytest.mark.parametrize(
    "call",
    [
        a_call("patch", "deployments.apps/web"),
        a_call("create", "pods/debug", dry_run=True),
        a_call("create", "pods/debug", code=403),
        a_call("create", "pods/debug", code=504),
        a_call("create", "pods/debug", reason=STANDING),
        a_call("create", "serviceaccounts/deployer (token)", issued_credential="JTI=1"),
        a_call("create", "pods/web-0 (eviction)"),
    ],
)
def test_what_the_grant_did_not_surely_make_is_not(call: Call) -> None:
    assert AMonitor().verdict(call).remains == 0


def test_an_ephemeral_container_goes_with_its_pod() -> None:
    monitor = AMonitor()
    monitor.arrives(a_call("patch", "pods/web-0 (ephemeralcontainers)"))
    assert "left one ephemeral container behind" in monitor.verdict().summary

    assert gone(monitor, by_bob("delete", "pods/web-0")) == [UID]

    assert left(monitor) == []


def test_what_a_token_of_the_grant_made_is_left_behind_too() -> None:
    monitor = AMonitor()
    monitor.arrives(
        a_call("create", "serviceaccounts/deployer (token)", issued_credential="JTI=1"),
        of_account("create", "pods/miner", credential="JTI=1", at=END + timedelta(days=1)),
    )

    assert left(monitor) == ["pods/miner"]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(by_bob("deletecollection", "pods/", uri="/api/v1/namespaces/payments/pods"), id="all pods"),
        pytest.param(
            by_bob("deletecollection", "pods/", uri="/pods?propagationPolicy=Background"), id="all pods, in words"
        ),
        pytest.param(by_bob("delete", "namespaces/payments", user=CONTROLLER), id="the namespace"),
        pytest.param(by_bob("delete", "pods/debug", at=END + timedelta(days=30)), id="long after the end"),
        pytest.param(a_call("delete", "pods/debug", at=LATER), id="the grant itself"),
        pytest.param(a_call("delete", "pods/debug", at=LATER, reason=STANDING), id="the same person by other access"),
    ],
)
def test_a_deletion_by_anybody_closes_it(call: Call) -> None:
    monitor = AMonitor()

    monitor.arrives(a_call("create", "pods/debug"), call)

    assert left(monitor) == []


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(by_bob("delete", "pods/other"), id="another pod"),
        pytest.param(by_bob("delete", "pods/debug", namespace="default"), id="in another namespace"),
        pytest.param(by_bob("delete", "pods.other.io/debug"), id="of another group"),
        pytest.param(by_bob("delete", "pods/debug", code=404), id="without success"),
        pytest.param(by_bob("delete", "pods/debug", dry_run=True), id="a dry run"),
        pytest.param(by_bob("delete", "pods/debug", dry_run=None), id="what may be a dry run"),
        pytest.param(by_bob("delete", "pods/debug", at=NOON), id="before it was made"),
        pytest.param(by_bob("deletecollection", "pods/", uri="/pods?labelSelector=app%3Dweb"), id="some pods"),
        pytest.param(by_bob("deletecollection", "pods/", uri="/pods?limit=1"), id="the first pods"),
        pytest.param(by_bob("deletecollection", "pods/", uri="/pods", shows_query=False), id="what may be some pods"),
        pytest.param(by_bob("deletecollection", "pods/", uri="/pods?" + "x" * 10_000), id="a query that was cut"),
        pytest.param(by_bob("deletecollection", "jobs.batch/"), id="all of another kind"),
        pytest.param(by_bob("deletecollection", "pods/", code=403), id="all pods, refused"),
        pytest.param(by_bob("delete", "namespaces/default"), id="another namespace"),
        pytest.param(by_bob("create", "pods/debug (eviction)"), id="an eviction, which may be a dry run"),
        pytest.param(by_bob("patch", "pods/debug"), id="a change"),
    ],
)
def test_nothing_else_closes_it(call: Call) -> None:
    monitor = AMonitor()

    monitor.arrives(a_call("create", "pods/debug"), call)

    assert left(monitor) == ["pods/debug"]


def test_a_binding_that_is_called_like_a_pattern_is_one_binding() -> None:
    """RBAC's objects may be called nearly anything, also `*`."""
    monitor = AMonitor()
    monitor.arrives(a_call("create", f"rolebindings.{RBAC}/mine"), by_bob("delete", f"rolebindings.{RBAC}/*"))

    assert left(monitor) == ["rolebindings/mine"]


def test_what_is_made_again_is_left_behind_again() -> None:
    monitor = AMonitor()
    monitor.arrives(
        a_call("create", "pods/debug", at=NOON),
        a_call("delete", "pods/debug", at=NOON + timedelta(minutes=1)),
        a_call("create", "pods/debug", at=NOON + timedelta(minutes=2)),
    )

    assert left(monitor) == ["pods/debug"]


def test_a_deletion_that_arrives_before_the_creation_counts() -> None:
    monitor = AMonitor()

    monitor.arrives(by_bob("delete", "pods/debug"), a_call("create", "pods/debug"))

    assert left(monitor) == []
    assert monitor.events() == ["call.created", "session.remains_gone"]


def test_the_second_deletion_of_a_pod_by_its_node_is_no_news() -> None:
    monitor = AMonitor()
    monitor.arrives(a_call("create", "pods/debug"), by_bob("delete", "pods/debug"))

    node = by_bob("delete", "pods/debug", user="system:node:node-1", at=LATER + timedelta(seconds=30))

    assert gone(monitor, node) == []
    assert gone(monitor, by_bob("delete", "pods/debug", at=END + timedelta(days=1))) == []


def test_each_grant_that_made_something_there_is_told_of_the_end_of_all_of_it() -> None:
    monitor = AMonitor(trail=[announced(), ended(), announced(OTHER_UID)])
    monitor.arrives(a_call("create", "pods/one"), a_call("create", "jobs.batch/two", reason=reason(OTHER_UID)))

    assert gone(monitor, by_bob("delete", "namespaces/payments")) == sorted([UID, OTHER_UID])


def test_a_pod_of_one_grant_that_another_grant_deletes_is_gone_for_the_first() -> None:
    monitor = AMonitor(trail=[announced(), announced(OTHER_UID, requester=BOB)])
    monitor.arrives(a_call("create", "pods/debug"))

    monitor.arrives(a_call("delete", "pods/debug", user=BOB, reason=reason(OTHER_UID, user=BOB), at=LATER))

    assert monitor.events() == ["call.created", "call.deleted", "session.remains_gone"]
    assert left(monitor) == []


def test_a_generated_name_is_not_known_so_only_the_end_of_all_closes_it() -> None:
    monitor = AMonitor()
    monitor.arrives(a_call("create", "pods/"), a_call("create", "pods/"), by_bob("delete", "pods/debug-x7k2p"))
    assert monitor.verdict().remains == 2
    assert monitor.verdict().changed == ("pods/(generated name)", "pods/(generated name)")

    monitor.arrives(by_bob("deletecollection", "pods/", uri="/pods"))

    assert monitor.verdict().remains == 0


def test_a_start_knows_what_was_left_behind() -> None:
    monitor = AMonitor()
    monitor.arrives(a_call("create", "pods/debug"))

    monitor.restart()

    assert left(monitor) == ["pods/debug"]
    assert gone(monitor, by_bob("delete", "pods/debug")) == [UID]
    monitor.restart()
    assert left(monitor) == []


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (["pods/a"], "one pod"),
        (["pods/a", "pods/b", f"rolebindings.{RBAC}/r"], "2 pods and one rolebinding"),
        (["jobs.batch/a", "pods/b", "secrets/c"], "one job, one pod and one secret"),
        (["jobs.batch/a", "pods/b", "secrets/c", "deployments.apps/d"], "4 objects"),
        (["networkpolicies.kyverno.io/a"], ""),
    ],
)
def test_it_is_counted_in_words(made: list[str], words: str) -> None:
    monitor = AMonitor()
    monitor.arrives(*(a_call("create", what) for what in made))

    assert monitor.tally().remains.words() == words


def test_objects_beyond_the_bound_stay_counted_whatever_is_deleted() -> None:
    monitor, most = AMonitor(), remains.MOST_OBJECTS
    monitor.arrives(*(a_call("create", f"pods/pod-{number}") for number in range(most + 7)))
    assert monitor.verdict().remains == most + 7
    assert f"left up to {most + 7} objects behind" in monitor.verdict().summary

    monitor.arrives(*(a_call("delete", f"pods/pod-{number}", at=LATER) for number in range(most + 7)))

    assert monitor.verdict().remains == 7


def test_many_objects_one_after_another_need_no_memory_and_are_all_closed() -> None:
    monitor = AMonitor()
    for number in range(3 * remains.MOST_OBJECTS):
        at = NOON + timedelta(milliseconds=number)
        monitor.arrives(a_call("create", f"pods/pod-{number}", at=at))
        monitor.arrives(a_call("delete", f"pods/pod-{number}", at=at + timedelta(microseconds=1)))

    monitor.arrives(a_call("create", "pods/last"))

    assert left(monitor) == ["pods/last"]


def test_deleting_many_other_things_does_not_bring_back_what_is_gone() -> None:
    monitor = AMonitor()
    monitor.arrives(a_call("create", "pods/debug"), a_call("delete", "pods/debug", at=LATER))

    monitor.arrives(*(a_call("delete", f"pods/other-{number}") for number in range(2 * remains.MOST_OBJECTS)))

    assert left(monitor) == []


BINDING = "rolebindings.rbac.authorization.k8s.io/mine"


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(a_call("delete", BINDING, at=LATER, uid=""), id="with a finalizer, by the grant itself"),
        pytest.param(by_bob("delete", BINDING, uid=""), id="with a finalizer, by another"),
        pytest.param(
            by_bob("deletecollection", BINDING.replace("mine", ""), uri="/rolebindings"), id="perhaps with a finalizer"
        ),
    ],
)
def test_a_binding_that_a_finalizer_keeps_gives_access_on_and_is_left_behind(call: Call) -> None:
    """Only the status in the answer shows that it is gone (`test_real_events` has one); else the answer is the object."""
    monitor = AMonitor()

    monitor.arrives(a_call("create", BINDING), call)

    assert len(left(monitor)) == 1
    monitor.arrives(by_bob("delete", BINDING, at=LATER + timedelta(minutes=1)))
    assert left(monitor) == []
