"""Whatever is in an object or a record, access ends on time, and a Revoke is carried out (promises P1 and P3).

The binding has its own end, and the API server keeps the metadata of objects to its own rules. Everything else is rubbish in
turn: each field of the request, its policy, its role and its binding, and each field of each record in the log.
"""

import contextlib
import copy
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from curfew.api import names
from curfew.audit.record import Record, RecordRefused
from curfew.core import policy_records
from curfew.core.keys import RequestKey
from tests.support.builders import ALICE, BOB, CAROL, a_decision
from tests.support.scale import times
from tests.support.stage import Stage, active

Path = tuple[Any, ...]

WORDS = st.sampled_from(
    ["", "Active", "Dreaming", "grant.intended", "2030-01-01T00:00:00,5Z", "9999-12-31T23:59:59-23:59", "-1"]
)
RUBBISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([10**400, 1e308, -0.5]) | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | WORDS, inner, max_size=3),
    max_leaves=6,
)
KEPT = {  # the API server's own, or the one thing that an end needs
    *(("metadata", key) for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation")),
    ("apiVersion",),
    ("kind",),
    ("metadata", "annotations", names.ANNOTATION_EXPIRES_AT),
    ("metadata", "labels", names.LABEL_REQUEST_UID),
}


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of everything in an object that may be rubbish, but for the object itself."""
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        if (*path, key) not in KEPT:
            if not any(kept[: len(path) + 1] == (*path, key) for kept in KEPT):
                yield (*path, key)
            yield from paths(part, (*path, key))


def put(value: Any, path: Path, rubbish: Any) -> None:
    """Put rubbish in place of what is there."""
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = rubbish


async def work(stage: Stage) -> None:
    """Give everything its turn, as the queue does: what fails is tried again, and stops nothing else."""
    for _ in range(3):
        for key in stage.store.bindings().keys() | {RequestKey.of(request) for request in stage.store.requests()}:
            try:
                await stage.reconciler.reconcile(key)
            except Exception:  # noqa: BLE001  as in the queue
                stage.trail.flush()


async def spoil_an_object(data: st.DataObject, stage: Stage, *, spared: Path) -> None:
    """Put rubbish into one field of one object, in a running operator or before a start."""
    kind, name = data.draw(
        st.sampled_from(
            [(body["kind"], body["metadata"]["name"]) for kind in KINDS for body in stage.cluster.all(kind)]
        )
    )
    key = (kind, "" if kind == "ClusterRole" else "payments", name)
    body = copy.deepcopy(stage.cluster._objects[key])
    where = [path for path in paths(body) if path[: len(spared)] != spared and path != spared[: len(path)]]
    # All in a RoleBinding is text: so the API server has it.
    rubbish = data.draw(st.text(max_size=40) | WORDS if kind == "RoleBinding" else RUBBISH)
    if kind == "RoleBinding":
        where = [path for path in where if not isinstance(_at(body, path), Mapping | list)]
    put(body, data.draw(st.sampled_from(where)), rubbish)
    stage.cluster.watchers = [] if (restarts := data.draw(st.booleans())) else [stage.see_as_handlers_do]
    stage.cluster._write(key, body)
    if restarts:
        await begin_anew(stage)


KINDS = ("AccessRequest", "AccessPolicy", "ClusterRole", "RoleBinding")


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


async def begin_anew(stage: Stage) -> None:
    """Start the operator's process anew: it lists everything, and reads the log."""
    stage.restart()
    stage.cluster.watchers = []
    for kind in KINDS:
        for body in stage.cluster.all(kind):
            stage.see_as_handlers_do("ADDED", kind, body)
    stage.store.is_synced = True
    stage.reconciler.policies.tell_deleted()
    with contextlib.suppress(RecordRefused):  # it is told, and every other story is closed
        await stage.reconciler.deleted.close_stories()
    stage.cluster.watchers = [stage.see_as_handlers_do]


@given(data=st.data())
@settings(max_examples=times(300), deadline=None)
async def test_rubbish_in_an_object_delays_no_end(data: st.DataObject) -> None:
    """The window is over, and the binding goes at once."""
    stage = Stage()
    await active(stage)
    await spoil_an_object(data, stage, spared=("none",))
    stage.clock.advance(hours=1)

    await work(stage)

    assert stage.bindings() == []


@given(data=st.data())
@settings(max_examples=times(300), deadline=None)
async def test_rubbish_in_an_object_keeps_no_decision_from_being_carried_out(data: st.DataObject) -> None:
    """Somebody decides to end the access; their decision can be read, and nothing else need be."""
    stage = Stage()
    await active(stage)
    decision = data.draw(
        st.sampled_from([a_decision(BOB, "Revoke"), a_decision(CAROL, "Deny"), a_decision(ALICE, "Cancel")])
    )
    stage.cluster.watchers = []
    stage.cluster.decide("inc-4711", decision)
    await spoil_an_object(data, stage, spared=("status", "decisions"))
    body = stage.cluster.all("AccessRequest")[0]
    stage.see_as_handlers_do("MODIFIED", "AccessRequest", body)

    await work(stage)

    assert stage.bindings() == []


@given(data=st.data())
@settings(max_examples=times(300), deadline=None)
async def test_rubbish_in_a_record_delays_no_end_and_ends_no_process(data: st.DataObject) -> None:
    """A record that can be read as one may hold anything; it was written by another version, or by a thief."""
    stage = Stage()
    await active(stage)
    place = data.draw(st.integers(0, len(stage.log) - 1))
    body = copy.deepcopy(dict(stage.log[place].body))
    put(body, data.draw(st.sampled_from(list(paths(body)))), data.draw(RUBBISH))
    try:
        stage.log[place] = Record.parse(body)
    except RecordRefused:
        return  # then the log cannot be read, nothing is granted, and ends go on
    if data.draw(st.booleans()):
        stage.cluster.delete("AccessPolicy", "debug")
    await begin_anew(stage)
    if revokes := data.draw(st.booleans()):
        stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
    stage.clock.advance(minutes=0 if revokes else 60)

    await work(stage)

    assert stage.bindings() == []
    for record in stage.log:
        policy_records.place_of(record)  # asked of each record that becomes durable
