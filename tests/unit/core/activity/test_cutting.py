"""Which pods are deleted at the end of a grant: only those that can still be acted in, and only if its policy says so."""

from datetime import timedelta

import pytest

from curfew.core.activity import records
from curfew.core.activity.call import Call, CallStage
from curfew.core.activity.cutting import OpenPod, open_pods
from tests.support.activity import END, STANDING, AMonitor, a_call, announced, ended
from tests.support.builders import NOON

STARTED = CallStage.RESPONSE_STARTED


def begun(what: str = "pods/web-0 (exec)", **changes: object) -> Call:
    """Return the event of a connection that has begun."""
    return a_call("create", what, **{"code": 101, "stage": STARTED, **changes})


def monitor(*calls: Call, on_end: str | None = "DeletePods", is_over: bool = True) -> AMonitor:
    """Return a monitor that has seen these calls under a grant."""
    made = AMonitor(trail=[announced(on_end=on_end), *([ended()] if is_over else [])])
    made.arrives(*calls)
    return made


def found(*calls: Call, **how: object) -> tuple[OpenPod, ...]:
    """Return the pods that are to be deleted after these calls."""
    made = monitor(*calls, **how)  # type: ignore[arg-type]
    return open_pods(made.session(), made.tally())


@pytest.mark.parametrize(
    ("what", "by"), [("exec", "exec"), ("attach", "attach"), ("portforward", "port-forward")], ids=str
)
def test_the_pod_of_an_open_connection_is_one(what: str, by: str) -> None:
    assert found(begun(f"pods/web-0 ({what})")) == (OpenPod("payments", "web-0", by),)


def test_a_pod_with_an_ephemeral_container_is_one() -> None:
    assert found(a_call("patch", "pods/web-0 (ephemeralcontainers)")) == (
        OpenPod("payments", "web-0", "ephemeral container"),
    )


def test_a_pod_is_named_once_and_the_first_that_was_acted_in_comes_first() -> None:
    calls = (
        begun("pods/b (exec)"),
        begun("pods/a (attach)", at=NOON + timedelta(minutes=11)),
        begun("pods/b (attach)", at=NOON + timedelta(minutes=12)),
        a_call("patch", "pods/a (ephemeralcontainers)"),
        a_call("patch", "pods/c (ephemeralcontainers)"),
    )

    assert [pod.name for pod in found(*calls)] == ["b", "a", "c"]


@pytest.mark.parametrize(
    "calls",
    [
        (a_call("create", "pods/web-0 (exec)", code=101),),
        (begun(code=403, decision="forbid", reason=""),),
        (begun(code=404),),
        (begun(reason=STANDING),),
        (begun("pods/web-0 (proxy)"),),
        (begun("services/web (proxy)"),),
        (a_call("watch", "pods/", stage=STARTED),),
        (a_call("get", "pods/web-0 (log)", stage=STARTED),),
        (a_call("create", "pods/debug"),),
        (a_call("patch", "pods/web-0 (ephemeralcontainers)", code=403),),
        (
            a_call("patch", "pods/web-0 (ephemeralcontainers)"),
            a_call("delete", "pods/web-0", at=NOON + timedelta(minutes=11)),
        ),
    ],
    ids=[
        "an exec that has ended",
        "an exec that was refused",
        "an exec into no pod",
        "an exec by other access",
        "a proxied call to a pod",
        "a proxied call to a service",
        "a watch",
        "a log that is followed",
        "a pod that was made",
        "a container that was refused",
        "a pod that is gone",
    ],
)
def test_nothing_else_is(calls: tuple[Call, ...]) -> None:
    assert found(*calls) == ()


def test_nothing_is_deleted_under_another_policy_or_before_the_end() -> None:
    assert found(begun(), on_end=None) == ()
    assert found(begun(), on_end="Report") == ()
    assert found(begun(), is_over=False) == ()


def test_a_pod_in_another_namespace_is_not_the_policys_to_delete() -> None:
    """A token that was minted under the grant may reach further than the grant."""
    made = monitor(a_call("create", "serviceaccounts/deployer (token)", issued_credential="JTI=1"))
    why = 'RBAC: allowed by ClusterRoleBinding "deployer" of ClusterRole "edit" to ServiceAccount "deployer/payments"'
    caller = a_call().caller.__class__("system:serviceaccount:payments:deployer", credential="JTI=1")
    made.arrives(begun("pods/web-0 (exec)", caller=caller, reason=why, namespace="other"))
    assert [stream.namespace for stream in made.tally().streams.open] == ["other"]

    assert open_pods(made.session(), made.tally()) == ()


def test_a_pod_whose_deletion_is_recorded_is_not_deleted_again() -> None:
    """Another pod may have its name by now."""
    made = monitor(begun(), begun("pods/web-1 (exec)"))
    (first, second) = open_pods(made.session(), made.tally())
    made.tally().learn(records.pod_deleted(made.session(), first, uid="u-1", at=END))

    assert open_pods(made.session(), made.tally()) == (second,)
