"""An end is told as what it was: access that goes on has not ended, and who ended it is named."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from curfew.core.keys import RequestKey
from curfew.ports import Forbidden
from tests.support.builders import BOB, CAROL, a_decision, a_request
from tests.support.ocsf import validate
from tests.support.stage import Stage, active
from tests.support.world import Crash


def take_the_label_off(stage: Stage, uid: str) -> None:
    """Take our label off a binding: the watch, which selects by it, tells of a deletion."""
    (labelled,) = stage.bindings()
    stage.cluster.edit_binding(f"curfew-{uid}", lambda body: body["metadata"]["labels"].clear())
    stage._see("DELETED", "RoleBinding", labelled)


async def test_a_binding_whose_label_was_taken_off_is_removed() -> None:
    """It is ours by its UID, and goes on granting; only a binding that was read back as gone has ended (promise P1)."""
    stage = Stage()
    uid = await active(stage)

    take_the_label_off(stage, uid)
    await stage.settle()

    assert stage.bindings() == []
    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "BindingTampered")
    assert "label curfew.dev/request-uid is missing" in stage.condition("Active")["message"]
    assert stage.events(uid)[-3:] == ["grant.drifted", "grant.revoked", "request.closed"]
    assert stage.told.notices[-1].type == "Warning"
    for record in stage.log:
        validate(record)


def binding_of(stage: Stage, *, name: str, namespace: str = "payments") -> dict[str, Any]:
    """Return a copy of the only binding, as somebody might make it by hand."""
    (made,) = stage.bindings()
    kept = {key: made["metadata"][key] for key in ("labels", "annotations", "ownerReferences")}
    return {**made, "metadata": {"name": name, "namespace": namespace, **kept}}


async def test_a_binding_whose_label_names_another_request_is_removed_and_its_own_request_told() -> None:
    """Whose grant it is, its name says, which nobody can change."""
    stage = Stage()
    uid = await active(stage)
    other: str = stage.cluster.apply(a_request("inc-4712"))["metadata"]["uid"]
    await stage.settle()

    stage.cluster.edit_binding(
        f"curfew-{uid}", lambda body: body["metadata"]["labels"].update({"curfew.dev/request-uid": other})
    )
    await stage.settle()

    assert stage.bindings() == []
    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "BindingTampered")
    assert f"label curfew.dev/request-uid is {other}" in stage.condition("Active")["message"]
    assert stage.events(uid)[-3:] == ["grant.drifted", "grant.revoked", "request.closed"]
    assert stage.cluster.status("inc-4712")["phase"] == "Pending"


@pytest.mark.parametrize(("name", "namespace"), [("curfew", "payments"), ("curfew-{uid}", "orders")])
async def test_a_binding_that_is_like_a_grant_is_removed_and_the_grant_stays(name: str, namespace: str) -> None:
    """It has our label and another name, or is in another namespace, and takes no grant's place."""
    stage = Stage()
    uid = await active(stage)
    (grant,) = stage.bindings()

    stage.cluster.apply(binding_of(stage, name=name.format(uid=uid), namespace=namespace))
    await stage.settle()
    stage.restart()
    await stage.settle()

    assert [one["metadata"]["uid"] for one in stage.bindings()] == [grant["metadata"]["uid"]]
    assert stage.phase() == "Active"
    (orphan,) = (record for record in stage.log if record.event == "grant.orphan_removed")
    assert orphan.message.endswith("in " + namespace + " was removed: it looks like a grant but belongs to no request")


async def test_a_binding_kept_beside_a_grant_is_forgotten_also_when_the_grant_went_first() -> None:
    """It has the name of the grant, in another namespace."""
    stage = Stage()
    uid = await active(stage)
    (grant,) = stage.bindings()
    other = stage.cluster.apply(binding_of(stage, name=f"curfew-{uid}", namespace="orders"))
    assert len(stage.store.bindings()) == 2

    stage.store.see_binding_deleted(grant)
    stage.store.see_binding_deleted(other)

    assert not stage.store.bindings()


async def test_access_that_goes_on_without_our_label_is_an_alarm_until_somebody_ends_it() -> None:
    """Our own rules may refuse us to remove what does not carry our label; then it is not told as ended (promise P11)."""
    stage = Stage()
    uid = await active(stage)
    stage.cluster.refuse_removals = "only bindings that carry the label curfew.dev/request-uid"
    take_the_label_off(stage, uid)
    stage.dirty.clear()
    stage.restart()  # and whoever starts now finds no labelled binding
    await stage._list()
    for _ in range(3):
        with pytest.raises(Forbidden):
            await stage.reconciler.reconcile(RequestKey(uid))
        stage.clock.advance(seconds=3)
        stage.trail.flush()

    assert stage.phase() == "Active"
    (record,) = (record for record in stage.log if record.event == "grant.removal_failed")
    assert record.block["detail"]["end_reason"] == "BindingTampered"
    told = [notice for notice in stage.told.notices if notice.reason == "RemovalFailed"]
    assert {(notice.type, notice.regarding.kind) for notice in told} == {("Warning", "Namespace")}

    stage.cluster.delete("RoleBinding", f"curfew-{uid}")
    await stage.settle()
    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "BindingRemoved")


async def test_a_binding_that_goes_with_its_request_is_not_one_that_somebody_deleted() -> None:
    """As in `kubectl delete --cascade=foreground`: the garbage collector may remove the binding before Curfew does."""
    stage = Stage()
    uid = await active(stage)
    meta = stage.cluster._objects["AccessRequest", "payments", "inc-4711"]["metadata"]
    meta |= {"finalizers": ["foregroundDeletion"], "deletionTimestamp": "2026-11-24T12:00:00Z"}
    stage.cluster.delete("RoleBinding", f"curfew-{uid}")
    stage.restart()
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "RequestDeleted")


async def test_another_binding_under_the_name_of_a_grant_is_left_alone() -> None:
    """It is not ours: what was ours was deleted, and is told so."""
    stage = Stage()
    uid = await active(stage)
    (body,) = stage.bindings()
    stage.cluster.delete("RoleBinding", f"curfew-{uid}")
    body["metadata"].pop("labels")
    stage.cluster.apply(body)
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "BindingRemoved")
    assert len(stage.bindings()) == 1


@pytest.mark.parametrize("is_remembered", [True, False], ids=["by the process", "after a restart"])
async def test_a_no_that_ends_a_grant_is_told_of_whoever_said_it(
    *, is_remembered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came while the binding was made: the request was Pending still, and ends as a grant (promise P7)."""
    stage = Stage()
    uid: str = stage.cluster.apply(a_request())["metadata"]["uid"]
    await stage.settle()
    create_binding, patch_status = stage.cluster.create_binding, stage.cluster.patch_request_status

    async def deny_meanwhile(manifest: Mapping[str, Any], within: timedelta) -> dict[str, Any]:
        made = await create_binding(manifest, within)
        stage.cluster.decide("inc-4711", a_decision(CAROL, "Deny"))
        return made

    async def die_when_active(*args: Any) -> dict[str, Any]:
        patched = await patch_status(*args)
        if patched["status"]["phase"] == "Active" and not is_remembered:
            raise Crash
        return patched

    monkeypatch.setattr(stage.cluster, "create_binding", deny_meanwhile)
    monkeypatch.setattr(stage.cluster, "patch_request_status", die_when_active)
    stage.cluster.decide("inc-4711", a_decision(BOB))
    try:
        await stage.settle()
    except Crash:
        stage.restart()
        await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "RevokedByApprover")
    (revoked,) = (record for record in stage.log if record.event == "grant.revoked")
    assert revoked.block["actor"] == CAROL
    assert revoked.message.endswith(f"{CAROL} decided Deny")
    assert stage.events(uid)[-1] == "request.closed"
