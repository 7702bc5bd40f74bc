"""Whatever people write, a status can be written, and the story ended and recorded (promises P3 and P7)."""

import json

from tests.support.builders import ALICE, a_decision, a_policy, a_request
from tests.support.stage import Stage

REQUEST_LIMIT = 3 * 1024 * 1024
"""Bytes that the API server takes in one request."""

ETCD_LIMIT = 1536 * 1024
"""Bytes that etcd takes in one write by default."""

LONG = "\U0001f525" * 1024


async def test_a_burst_of_decisions_with_long_reasons_can_be_written_and_ended() -> None:
    """The bucket is away; 31 people decide with the longest reasons there can be, and the requester cancels."""
    stage = Stage(policy=a_policy(approval={"mode": "Review", "count": 10}))
    uid: str = stage.cluster.apply(a_request(reason=LONG))["metadata"]["uid"]
    await stage.settle()
    stage.trail.ok = False
    for number in range(31):
        stage.cluster.decide("inc-4711", a_decision(f"approver-{number}@example.com", stage="none", reason=LONG))
        await stage.settle()
    stage.cluster.decide("inc-4711", a_decision(ALICE, "Cancel", reason=LONG))
    await stage.settle()

    status = stage.cluster.status("inc-4711")
    assert stage.phase() == "Cancelled"
    assert len(status["outbox"]) >= 34
    assert len(json.dumps(status)) < REQUEST_LIMIT
    assert len(json.dumps(stage.cluster.all("AccessRequest")[0], ensure_ascii=False).encode()) < ETCD_LIMIT
    stage.trail.ok = True
    await stage.settle()
    assert stage.events(uid)[-2:] == ["request.cancelled", "request.closed"]
    told = [record for record in stage.log if record.event in ("review.submitted", "review.refused")]
    assert [record.block["detail"]["reason"] for record in told] == [LONG] * 32
