"""A grant is one that the log announces: what a status claims is believed no further (promises P2 and P9)."""

import copy
from datetime import timedelta
from typing import Any

import pytest

from curfew.api.access_request import AccessRequest
from curfew.api.times import format_time
from curfew.audit.receipt import Receipt
from curfew.core.bindings import write_binding
from tests.support.builders import NOON, a_decision
from tests.support.stage import Stage, active, pending

END = NOON + timedelta(hours=1)


def forge_status(stage: Stage, **status: Any) -> None:
    """Write a status as somebody with the operator's token could."""
    body = copy.deepcopy(stage.cluster._objects["AccessRequest", "payments", "inc-4711"])
    body["status"].update(status)
    stage.cluster._write(("AccessRequest", "payments", "inc-4711"), body)


def forge_binding(stage: Stage) -> None:
    """Make the binding that Curfew would make, with a receipt that names a place in the log."""
    request = AccessRequest.model_validate(stage.cluster.all("AccessRequest")[0])
    receipt = Receipt(log="test", index=0, size=1, root="00" * 32)
    made = write_binding(request, starts_at=NOON, expires_at=END, receipt=receipt)
    body = {**made, "metadata": {**made["metadata"], "uid": "forged", "creationTimestamp": format_time(NOON)}}
    stage.cluster._write(("RoleBinding", "payments", made["metadata"]["name"]), body)


ACTIVE = {
    "phase": "Active",
    "startsAt": format_time(NOON),
    "grantedAt": format_time(NOON),
    "expiresAt": format_time(END),
}


@pytest.mark.parametrize("status", [ACTIVE, {"phase": "Approved"}, {}], ids=["Active", "Approved", "Pending"])
async def test_a_binding_that_the_log_does_not_announce_is_removed_and_told(status: dict[str, Any]) -> None:
    """Nobody agreed, whatever the status claims."""
    stage = Stage()
    uid = await pending(stage)
    forge_status(stage, **status)
    forge_binding(stage)
    await stage.settle()

    assert stage.bindings() == []
    assert "grant.intended" not in stage.events(uid)
    told = [record for record in stage.log if record.event in ("grant.drifted", "grant.orphan_removed")]
    assert [record.subject for record in told] == [uid]
    assert "the log does not announce it" in told[0].message
    if status == ACTIVE:
        assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "BindingUnannounced")
        assert stage.events(uid)[-3:] == ["grant.drifted", "grant.revoked", "request.closed"]


async def test_nothing_follows_from_a_log_that_is_not_read_yet() -> None:
    """Neither is a grant ended because the bucket is away at a start, nor is a forged one kept once it is back."""
    stage = Stage()
    await active(stage)
    stage.restart()
    stage.trail.is_open = False
    await stage.settle()
    assert len(stage.bindings()) == 1

    stage.log[:] = [record for record in stage.log if record.event != "grant.intended"]
    stage.restart()
    await stage.settle()

    assert (stage.phase(), stage.bindings()) == ("Revoked", [])


async def test_a_binding_that_lasts_longer_than_was_announced_is_removed() -> None:
    """The window was announced; only that one is a grant (promise P1)."""
    stage = Stage()
    uid = await pending(stage)
    stage.cluster.refuse_bindings = "not yet"
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    assert "grant.intended" in stage.events(uid)

    stage.clock.advance(seconds=10)
    request = AccessRequest.model_validate(stage.cluster.all("AccessRequest")[0])
    receipt = stage.trail.receipt(stage.log[-1].id)
    assert receipt is not None
    now = stage.clock.now()
    made = write_binding(request, starts_at=now, expires_at=now + timedelta(hours=1), receipt=receipt)
    body = {**made, "metadata": {**made["metadata"], "uid": "forged", "creationTimestamp": format_time(now)}}
    stage.cluster._write(("RoleBinding", "payments", made["metadata"]["name"]), body)
    await stage.settle()

    assert stage.bindings() == []
    (told,) = (record for record in stage.log if record.event == "grant.orphan_removed")
    assert f"its end is later than was announced, {format_time(END)}" in told.message
