"""What matters beside the use of grants is noticed on a real API server, and is in the log within seconds, once."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from curfew.audit.record import Record
from tests.integration.installed import SYSTEM, Installed
from tests.integration.monitor.acting import polled
from tests.integration.monitor.sessions import Sessions
from tests.integration.operator.evidence import Evidence, recorded
from tests.integration.operator.people import GROUP as CURFEW
from tests.integration.operator.people import RBAC, Body
from tests.support.monitor_process import MonitorProcess
from tests.support.operator_process import OperatorProcess

pytestmark = pytest.mark.usefixtures("monitor")

WITHIN: Final = 60.0  # seconds; a busy machine takes longer, so what it took is reported and not limited
"""Seconds from the answer of the API server to the record in the bucket."""

GROUP: Final = "rbac.authorization.k8s.io"

Facts = Callable[..., Any]


@pytest.fixture
def facts(monitor: MonitorProcess, read_log: Callable[[OperatorProcess], Evidence]) -> Facts:
    """Return how to wait for the records of an event whose detail has some fields."""

    def found(event: str, number: int, fields: Mapping[str, Any]) -> list[Record]:
        records = read_log(monitor).records
        fitting = [
            record
            for record in records
            if record.event == event and fields.items() <= dict(record.block.get("detail", {})).items()
        ]
        return fitting if len(fitting) >= number else []

    async def wait(event: str, number: int = 1, **fields: Any) -> list[Record]:
        return await polled(lambda: found(event, number, fields), f"{event} with {fields}", WITHIN)

    return wait


def a_binding(name: str, role: str, user: str, kind: str = "RoleBinding") -> Body:
    """Return a binding that is no grant."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": {"name": name},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": GROUP, "kind": "User", "name": user}],
    }


async def test_a_decision_about_ones_own_request_is_noticed(
    sessions: Sessions, facts: Facts, operator: OperatorProcess
) -> None:
    """Alice may decide here. That the request is hers is what counts, and one record tells of many attempts."""
    place, alice, bob = sessions.place, sessions.alice, sessions.place.people.bob
    deciding = place.role(
        "alice-decides", [{"apiGroups": ["curfew.dev"], "resources": ["*"], "verbs": ["*"]}], [alice.name]
    )
    await place.apply(*deciding)
    asked = await place.pending(alice)
    await recorded(operator, asked)  # from which the monitor knows its story
    refused = await asked.decide(alice)
    assert (refused.status, "a request that you made" in refused.message) == (403, True)

    (own,) = await facts("decision.refused", request=asked.name, namespace=place.namespace)
    assert own.block["detail"] | {"credential": ""} == {
        "namespace": place.namespace,
        "request": asked.name,
        "decision": "Approve",
        "policy": "curfew-request-decision",
        "why": "own_request",
        "credential": "",
        "count": 1,
    }
    assert own.block["detail"]["credential"].startswith("X509SHA256=")
    assert (own.block["actor"], own.subject) == (alice.name, asked.uid)
    assert own.block["story"]["policy"]["name"] == "debug"
    assert own.block["source"]["addresses"] == ["127.0.0.1"]

    forged = [{"op": "add", "path": "/status/decisions/-", "value": {"by": bob.name, "decision": "Approve"}}]
    assert (await alice.patch(f"{asked.path}/status", forged)).status == 403
    await facts("decision.refused", request=asked.name, why="forged")
    carol = place.people.carol
    assert (await asked.decide(carol)).status == 403
    (third,) = await facts("decision.refused", request=asked.name, why="not_eligible")
    assert third.block["actor"] == carol.name
    (seen,) = [record for record in await facts("person.seen") if record.block["actor"] == carol.name]
    assert (seen.block["detail"]["network"], seen.block["detail"]["by"]) == ("private", "Request")


async def test_a_binding_that_is_no_grant_is_found_used_and_gone(sessions: Sessions, facts: Facts) -> None:
    place, admin, mallory = sessions.place, sessions.place.people.admin, sessions.place.people.dave
    bindings = f"{RBAC}/namespaces/{place.namespace}/rolebindings"
    made = (await admin.post(bindings, a_binding("quick", "edit", mallory.name))).done()

    (found,) = await facts("binding.found_outside", uid=made["metadata"]["uid"])
    detail = found.block["detail"]
    assert (detail["role"], detail["subjects"], detail["how"]) == ("ClusterRole/edit", [f"User {mallory.name}"], "Feed")
    assert (found.block["actor"], found.subject) == (admin.name, made["metadata"]["uid"])

    (await mallory.get(f"{sessions.path}/secrets")).done()
    (use,) = await facts("role.used_outside", name="quick", namespace=place.namespace)
    assert (use.block["actor"], use.block["detail"]["resource"]) == (mallory.name, "secrets")

    (await admin.delete(f"{bindings}/quick")).done()
    (gone,) = await facts("binding.gone_outside", uid=made["metadata"]["uid"])
    assert (gone.block["detail"]["why"], gone.block["actor"]) == ("Deleted", admin.name)


async def test_a_binding_of_another_role_and_a_grant_are_not_outside(
    sessions: Sessions, facts: Facts, monitor: MonitorProcess, read_log: Callable[[OperatorProcess], Evidence]
) -> None:
    place, admin = sessions.place, sessions.place.people.admin
    bindings = f"{RBAC}/namespaces/{place.namespace}/rolebindings"
    (await admin.post(bindings, a_binding("harmless", "system:discovery", "eve"))).done()
    session = await sessions.begin()
    (await admin.post(bindings, a_binding("after", "edit", "eve"))).done()  # calls are noticed in their order

    await facts("binding.found_outside", name="after", namespace=place.namespace)
    outside = {
        record.block["detail"]["name"]
        for record in read_log(monitor).records
        if record.event == "binding.found_outside" and record.block["detail"].get("namespace") == place.namespace
    }
    assert outside == {"after"}
    await session.end()


async def test_whoever_takes_a_guard_away_is_in_the_record(sessions: Sessions, facts: Facts) -> None:
    """The guard of a request's deletion is not tried by the operator, so granting goes on."""
    place, admin = sessions.place, sessions.place.people.admin
    kind, name = "validatingadmissionpolicybinding", "curfew-request-deletion"
    kept = json.loads(await place.kubectl("get", kind, name, "--output=json", user="admin"))
    kept["metadata"] = {"name": name, "labels": kept["metadata"]["labels"]}
    await place.kubectl("delete", kind, name, user="admin")
    try:
        (record,) = await facts("guard.changed", verb="delete", name=name)
    finally:
        await place.apply(kept)
    assert (record.block["actor"], record.block["detail"]["part"]) == (admin.name, "Admission")
    assert record.block["detail"]["ours"] is True
    assert record.block["source"]["user_agent"].startswith("kubectl/")


async def test_whoever_lifts_a_lock_is_in_the_record(
    sessions: Sessions, facts: Facts, monitor: MonitorProcess, read_log: Callable[[OperatorProcess], Evidence]
) -> None:
    """The operator writes the lock's status in between; that is not noticed."""
    place, admin = sessions.place, sessions.place.people.admin
    name = f"{place.namespace}-lifted"
    spec = {"target": {"person": "nobody@example.com"}, "reason": "a drill", "submittedBy": admin.name}
    lock = {"apiVersion": "curfew.dev/v1alpha1", "kind": "AccessLock", "metadata": {"name": name}, "spec": spec}
    (await admin.post(f"{CURFEW}/accesslocks", lock)).done()
    await place.kubectl("wait", f"accesslock/{name}", "--for=condition=InForce", "--timeout=60s", user="admin")
    await place.kubectl("delete", "accesslock", name, user="admin")

    (record,) = await facts("guard.changed", verb="delete", name=name)
    assert (record.block["actor"], record.block["detail"]["part"]) == (admin.name, "Locks")
    about = [one for one in read_log(monitor).records if (one.block.get("detail") or {}).get("name") == name]
    assert {one.block["actor"] for one in about if one.event == "guard.changed"} == {admin.name}
    assert {one.block["detail"]["verb"] for one in about} - {"delete"} <= {"create", "patch"}


async def test_a_binding_that_is_made_while_the_monitor_is_down_is_found_in_the_list_and_nothing_twice(
    sessions: Sessions,
    facts: Facts,
    monitor: MonitorProcess,
    read_log: Callable[[OperatorProcess], Evidence],
    record_property: Callable[[str, object], None],
) -> None:
    place, admin = sessions.place, sessions.place.people.admin
    bindings = f"{RBAC}/namespaces/{place.namespace}/rolebindings"
    (await admin.post(bindings, a_binding("before", "edit", "eve"))).done()
    (before,) = await facts("binding.found_outside", name="before", namespace=place.namespace)
    monitor.kill()
    made = (await admin.post(bindings, a_binding("meanwhile", "edit", "eve"))).done()
    (await admin.delete(f"{bindings}/before")).done()
    began = time.monotonic()
    await asyncio.to_thread(monitor.start)
    await asyncio.to_thread(monitor.await_ready)

    (found,) = await facts("binding.found_outside", uid=made["metadata"]["uid"])
    await facts("binding.gone_outside", uid=before.subject)
    record_property("found after a start", f"{time.monotonic() - began:.1f} s")
    assert found.block["detail"]["made_at"] == made["metadata"]["creationTimestamp"]
    evidence = read_log(monitor)
    assert evidence.twice == []
    told = [record.block["detail"]["name"] for record in evidence.records if record.event == "binding.found_outside"]
    assert (told.count("before"), told.count("meanwhile")) == (1, 1)


async def test_the_operators_own_attempts_are_not_noticed(
    facts: Facts, cluster: Installed, monitor: MonitorProcess, read_log: Callable[[OperatorProcess], Evidence]
) -> None:
    """Every 30 s the operator tries what must be refused; and it writes its checkpoint all the time."""
    noticed = [
        record
        for record in read_log(monitor).records
        if record.event in ("decision.refused", "guard.changed", "binding.found_outside")
        and str(record.block["actor"]).startswith(f"system:serviceaccount:{SYSTEM}:")
    ]
    assert noticed == []
