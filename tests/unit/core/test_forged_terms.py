"""Terms that somebody with the operator's token writes ahead of Curfew: nothing is granted by them (promises P5 and P9)."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.builders import BOB, CAROL, a_decision, a_policy, a_request
from tests.support.stage import Stage

FORGED: Mapping[str, Mapping[str, Any]] = {
    "another role": {"role": {"kind": "ClusterRole", "name": "admin", "uid": "u", "rulesDigest": "0" * 64}},
    "no approval": {"mode": "Automatic"},
    "a glass to break": {"mode": "BreakGlass"},
    "a grant that outlasts its role": {"onRoleChange": "Keep"},
    "pods that are deleted": {"onEnd": "DeletePods"},
    "a role that outlives its grant": {"allowPermanence": True},
    "a stage without groups": {"stages": [{"name": "", "groups": []}]},
    "no stages": {"stages": None},
    "another digest": {"digest": "0" * 64},
}


@pytest.mark.parametrize("forged", [{}, *FORGED.values()], ids=["nothing", *FORGED])
async def test_nothing_is_granted_by_terms_that_are_not_the_policys(forged: Mapping[str, Any]) -> None:
    """Curfew is down when the request is made; the thief writes what Curfew would have, but for one thing."""
    stage = Stage(policy=a_policy(approval={"mode": "Review", "count": 1, "groups": ["owners"]}))
    body = stage.cluster.apply(a_request())
    await stage.settle()
    ours = stage.cluster.status("inc-4711")
    terms = {key: value for key, value in {**ours["terms"], **forged}.items() if value is not None}
    stage.log.clear()
    stage.cluster._write(
        ("AccessRequest", "payments", "inc-4711"),
        {**body, "status": {**ours, "terms": terms, "outbox": []}},
    )
    stage.restart()
    stage.cluster.decide("inc-4711", a_decision(BOB if forged else CAROL))
    await stage.settle()

    if not forged:
        assert stage.phase() == "Active"
        return
    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "TermsChanged")
    assert stage.bindings() == []
    assert "grant.intended" not in stage.events()
