"""Helm uninstalls while access is held: it ends first and is recorded, and nothing that could give access stays (P1)."""

from collections.abc import Callable
from datetime import timedelta

from tests.pods.ground import ALICE, Ground, name_of, now, until
from tools.installation import SYSTEM

ALL_KINDS = (
    "pods,jobs,cronjobs,deployments,services,serviceaccounts,roles,rolebindings,poddisruptionbudgets,networkpolicies"
)
OF_THE_CLUSTER = (
    "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings,"
    "mutatingadmissionpolicies,mutatingadmissionpolicybindings,priorityclasses,flowschemas"
)
OURS = "--selector=app.kubernetes.io/name=curfew"


def test_grants_end_before_curfew_goes(ground: Ground, measured: Callable[[str, timedelta], None]) -> None:
    ground.await_replicas()
    name = ground.grant(duration="10m")

    begun = now()
    told = ground.helm("uninstall", "curfew", "--wait")

    measured("uninstalling took", now() - begun)
    assert name in told
    assert ALICE in told
    assert not ground.may_list_pods()
    assert ground.bindings() == []
    assert ground.phase(name) == "Revoked"
    assert ground.story_of(name)[-2:] == ["grant.revoked", "request.closed"]
    ground.verify()


def test_nothing_is_left_behind_but_what_the_documentation_says(ground: Ground) -> None:
    """Helm does not wait for pods that are still stopping."""

    def left() -> str:
        rest = ground.kubectl("get", ALL_KINDS, "--all-namespaces", OURS, "--output=name")
        return rest + ground.kubectl("get", OF_THE_CLUSTER, OURS, "--output=name")

    until(lambda: not left().split(), "that nothing of Curfew's is left")
    kept = ground.get(f"/api/v1/namespaces/{SYSTEM}/secrets")["items"]
    assert {name_of(one) for one in kept} >= {"curfew-bucket", "curfew-signing-key"}
