"""What is remembered of a request besides its objects ends with the request, and orphans leave nothing behind."""

from typing import Any

import pytest

from curfew.core.facts import Refusal, Removal
from curfew.core.keys import RequestKey
from curfew.core.reasons import Reason
from curfew.processes.operator.lister import Lister
from curfew.processes.operator.memory import NOTHING, Memories
from tests.support.builders import ALICE, CAROL, NOON, a_decision
from tests.support.stage import Stage, active, pending


def an_orphan(expires_at: str = "2030-01-01T00:00:00Z") -> dict[str, Any]:
    """Return a binding with our label that belongs to no request."""
    return {
        "kind": "RoleBinding",
        "metadata": {
            "name": "curfew-nobody",
            "namespace": "payments",
            "labels": {"curfew.dev/request-uid": "nobody"},
            "annotations": {"curfew.dev/expires-at": expires_at},
        },
        "roleRef": {"kind": "ClusterRole", "name": "payments-debug"},
        "subjects": [{"kind": "User", "name": CAROL}],
    }


def test_what_is_only_read_is_not_kept() -> None:
    memories = Memories()

    assert memories.of("u") == NOTHING
    memories.unstuck("u")
    memories.saw_stranger("u", None)
    memories.role_changing("u", None)
    assert memories.uids() == ()


def test_what_was_no_grant_was_not_removed() -> None:
    """But that the API server refused another binding stays, unless there is another reason."""
    memories, refusal = Memories(), Refusal(Reason.CANNOT_BIND, "no")
    memories.removed("u", Removal(NOON, Reason.DURATION_ELAPSED, "its window is over"))
    memories.refused("u", refusal, since=NOON)

    memories.disowned("u", None)

    assert (memories.of("u").removal, memories.of("u").refusal) == (None, refusal)
    tampered = Refusal(Reason.BINDING_TAMPERED, "it grants more")
    memories.disowned("u", tampered)
    assert memories.of("u").refusal == tampered


@pytest.mark.parametrize("how", ["at once", "by somebody else", "past its end"])
async def test_a_binding_of_no_request_leaves_nothing_behind(how: str) -> None:
    stage = Stage()
    await stage.settle()
    stage.cluster.apply(an_orphan("2020-01-01T00:00:00Z" if how == "past its end" else "2030-01-01T00:00:00Z"))
    if how == "by somebody else":
        stage.cluster.delete("RoleBinding", "curfew-nobody")
    await stage.settle()

    assert stage.bindings() == []
    assert stage.store.memories.uids() == ()


async def test_a_binding_of_no_request_that_ends_before_everything_is_listed_leaves_nothing_behind() -> None:
    """Until then it may be a request's; and so it may if a list was the first to show that it is gone."""
    stage = Stage()
    stage.cluster.apply(an_orphan("2020-01-01T00:00:00Z"))
    await stage.reconciler.reconcile(RequestKey("nobody"))
    assert stage.store.memories.uids() == ("nobody",)

    lister = Lister(stage.store, stage.cluster, stage.dirty.add, lambda _: None)
    await lister.relist()
    assert stage.store.memories.uids() == ()

    stage.cluster.apply(an_orphan())
    stage.cluster.watchers = []
    stage.cluster.delete("RoleBinding", "curfew-nobody")
    await lister.relist()
    assert not stage.store.bindings()
    assert stage.store.memories.uids() == ()


async def test_what_was_removed_before_everything_was_listed_is_remembered_for_its_request() -> None:
    """It was Curfew that ended it, and when and why is told."""
    stage = Stage()
    uid = await active(stage)
    stage.restart()
    stage.clock.advance(hours=2)
    for body in await stage.cluster.list_bindings():
        stage.store.see_binding(body)
    await stage.reconciler.reconcile(RequestKey(uid))
    await stage.reconciler.reconcile(RequestKey(uid))

    removal = stage.store.memories.of(uid).removal
    assert removal is not None
    assert removal.reason is Reason.DURATION_ELAPSED
    await stage.settle()
    assert stage.phase() == "Expired"
    assert stage.store.memories.uids() == ()


@pytest.mark.parametrize("end", ["its time", "a no", "a deletion", "a deletion while it is active"])
async def test_a_request_that_is_over_and_told_is_forgotten(end: str) -> None:
    stage = Stage()
    if end == "a no":
        await pending(stage)
        stage.cluster.decide("inc-4711", a_decision(ALICE, "Cancel"))
    elif end == "a deletion":
        await pending(stage)
        stage.cluster.delete("AccessRequest", "inc-4711")
    else:
        await active(stage)
        if end == "its time":
            await stage.pass_time(hours=2)
        else:
            stage.cluster.delete("AccessRequest", "inc-4711")
    await stage.settle()

    assert stage.events()[-1] == "request.closed"
    assert not stage.store.requests()
    assert stage.store.memories.uids() == ()


async def test_a_request_that_cannot_be_read_leaves_nothing_behind() -> None:
    """It had a binding, which ended, and is deleted before it has its answer."""
    stage = Stage()
    await active(stage)
    stage.cluster._objects["AccessRequest", "payments", "inc-4711"]["status"]["decidedAt"] = "2030-01-01T00:00:00,5Z"
    stage.restart()
    await stage._list()
    stage.clock.advance(hours=2)
    (key,) = stage.store.bindings()
    await stage.reconciler.reconcile(key)
    assert stage.bindings() == []
    assert stage.store.memories.uids() == (key.uid,)

    stage.cluster.delete("AccessRequest", "inc-4711")

    assert stage.store.memories.uids() == ()
