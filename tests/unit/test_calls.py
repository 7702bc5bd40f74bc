"""How many calls one ordinary life of a request costs the API server: the main lever of speed under load."""

from collections import Counter

from tests.support.builders import a_decision, a_request
from tests.support.stage import Stage
from tests.support.world import FailurePlan

VERBS = {
    "patch status": "PATCH accessrequests/status",
    "label closed": "PATCH accessrequests",
    "create binding": "POST rolebindings",
    "delete binding": "DELETE rolebindings",
    "get RoleBinding": "GET rolebindings",
    "get ClusterRole": "GET clusterroles",
    "get AccessRequest": "GET accessrequests",
    "may request": "POST subjectaccessreviews",
    "may bind": "POST selfsubjectaccessreviews",
}
"""What a call of the fake API server is on a real one."""

LIFE = {
    "PATCH accessrequests/status": 3,
    "PATCH accessrequests": 1,
    "POST rolebindings": 1,
    "DELETE rolebindings": 1,
    "GET clusterroles": 1,
    "POST subjectaccessreviews": 1,
}
"""Asked, approved by one person, granted, expired and closed; Events are counted where they are made."""


def calls(failures: FailurePlan) -> dict[str, int]:
    """Return the calls to the API server by verb and resource."""
    made = Counter(" ".join(call.split()[:2]) for call in failures.calls if call != "append")
    return {VERBS[call]: count for call, count in made.items()}


async def test_an_ordinary_life_costs_few_calls() -> None:
    """One request, one approval, a short grant, its end."""
    stage = Stage()
    await stage.settle()
    counted = FailurePlan()
    stage.plan_failure(counted)

    stage.cluster.apply(a_request(duration="5m"))
    await stage.settle()
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    await stage.pass_time(minutes=5)

    assert stage.phase() == "Expired"
    assert stage.store.request("uid-0003") is None  # nothing is left to do
    assert calls(counted) == LIFE
