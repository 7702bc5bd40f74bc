"""One busy minute, in which everything happens that takes a minute: every course of a request, and requests that are no good.

It is played once; the tests look at what was seen of it.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from tests.integration.operator.courses import A_MINUTE, COURSES, Walk
from tests.integration.operator.people import Body, Person
from tests.integration.operator.place import REASON, SOON, Asked, Place, now
from tests.integration.operator.stage import Stage
from tests.integration.operator.watching import Sight
from tests.support.operator_process import OperatorProcess
from tests.support.pausing import a_moment

LATE_AFTER: Final = 20.0
"""Seconds from the last grant to a request that will be approved too late: its minute ends so long after all others."""

START_IN: Final = timedelta(seconds=10)
"""What waits for its start is approved before that, also in the crowd at the beginning."""

PROBE_PAUSE: Final = 0.1

MISSING_ROLE: Final = "payments-debug"
"""A role that the operator may bind, and that does not exist until somebody makes it."""


@dataclass
class Access:
    """What a person was told, asking again and again; each change with the instant at which it was first seen."""

    can_i: list[tuple[datetime, bool]] = field(default_factory=list)
    real_call: list[tuple[datetime, bool]] = field(default_factory=list)

    async def ask_on(self, person: Person, namespace: str) -> None:
        """Ask until cancelled: may I list pods, and do I get a list of them?"""
        while True:
            self._note(self.can_i, await person.may(namespace, "list", "pods"))
            self._note(self.real_call, (await person.get(f"/api/v1/namespaces/{namespace}/pods")).is_ok)
            await asyncio.sleep(PROBE_PAUSE)

    @property
    def is_open(self) -> bool:
        """Whether a last answer was yes."""
        return any(told and told[-1][1] for told in (self.can_i, self.real_call))

    @staticmethod
    def _note(told: list[tuple[datetime, bool]], answer: bool) -> None:
        if not told or told[-1][1] != answer:
            told.append((now(), answer))


@dataclass
class Told:
    """A request and everything that was seen of it."""

    asked: Asked
    bindings: list[Sight]
    events: list[Body]
    status: Mapping[str, Any]
    is_closed: bool


@dataclass
class Minute:
    """What was seen."""

    operator: OperatorProcess
    place: Place
    courses: dict[str, Told] = field(default_factory=dict)
    bare: Told | None = None  # alice's, with kubectl alone
    access: Access = field(default_factory=Access)
    can_i: list[str] = field(default_factory=list)  # `kubectl auth can-i`: before, meanwhile, after
    patch_began: datetime | None = None
    patched: datetime | None = None
    namespace_events: list[Body] = field(default_factory=list)
    late: Told | None = None
    late_approved: datetime | None = None
    stopped_in: timedelta | None = None
    policy_without_role: list[tuple[str, str, str]] = field(default_factory=list)  # its Ready: status, reason, message
    request_without_role: Told | None = None
    request_without_policy: Told | None = None
    first_words: dict[str, str] = field(default_factory=dict)  # what the two said at once
    metrics: dict[tuple[str, frozenset[tuple[str, str]]], float] = field(default_factory=dict)

    def within_a_second(self, begin: datetime, end: datetime) -> timedelta:
        """Return a second, and what the machine needed on top between two times."""
        return self.place.sights.pulse.within(timedelta(seconds=1), begin, end)


async def play(stage: Stage, operator: OperatorProcess) -> Minute:
    """Play it, with an operator that runs, and that runs again afterwards."""
    place, quiet = await stage.place(), await stage.place()
    minute = Minute(operator, place)
    walks = [Walk(course, place, start_in=START_IN) for course in COURSES]
    async with asyncio.TaskGroup() as group:
        group.create_task(_bare_kubectl(minute, quiet))
        group.create_task(_without_policy(minute, place))
        group.create_task(_without_role(minute, place))
        late = group.create_task(_asked_last(place, quiet))
        for walk in walks:
            group.create_task(walk.take())
    for walk in walks:
        if walk.course.phase is not None:
            await walk.asked.closed()
        minute.courses[walk.course.name] = await _told(walk.asked, *walk.course.events.split())
    # The gauges are set every few seconds: one of them may have been set between an end and the answer to it.
    await asyncio.to_thread(
        operator.await_so, lambda: operator.metric("curfew_past_expiry") == 0, "count no access past its end", SOON
    )
    minute.metrics = await asyncio.to_thread(operator.metrics)
    await _approve_too_late(minute, late.result())
    minute.namespace_events = await place.events()
    return minute


async def _told(asked: Asked, *reasons: str) -> Told:
    bindings, status, is_closed = asked.place.sights.bindings_of(asked.uid), asked.status, asked.is_closed
    return Told(asked, bindings, await asked.events(*reasons), status, is_closed)


async def _bare_kubectl(minute: Minute, place: Place) -> None:
    """As alice and bob would: nothing but kubectl and their certificates."""
    people, name = place.people, "inc-4711"
    manifest = place.request(people.alice, name=name)
    if place.cluster.stamps_identity:
        del manifest["spec"]["requester"], manifest["spec"]["submittedBy"]
    question = ("auth", "can-i", "list", "pods")
    minute.can_i.append((await place.kubectl(*question, user="alice", check=False)).strip())
    await place.kubectl("apply", "--filename=-", user="alice", stdin=manifest)
    uid = await place.kubectl("get", "accessrequest", name, "--output=jsonpath={.metadata.uid}", user="bob")
    asked = Asked(place, {**manifest, "metadata": {**manifest["metadata"], "uid": uid}})
    await asked.phase("Pending")
    probing = asyncio.create_task(minute.access.ask_on(people.alice, place.namespace))
    async with asyncio.timeout(SOON):
        while not (minute.access.can_i and minute.access.real_call):  # both had their first answer before the patch
            await a_moment()
    patch = (
        f'[{{"op":"test","path":"/metadata/uid","value":"{uid}"}},'
        f'{{"op":"add","path":"/status/decisions/-","value":{{"by":"{people.bob.name}","decision":"Approve"}}}}]'
    )
    minute.patch_began = now()
    await place.kubectl(
        "patch", "accessrequest", name, "--subresource=status", "--type=json", f"--patch={patch}", user="bob"
    )
    minute.patched = now()
    await asked.phase("Active")
    minute.can_i.append((await place.kubectl(*question, user="alice", check=False)).strip())
    await asked.unbound(A_MINUTE)
    await asked.closed()
    minute.can_i.append((await place.kubectl(*question, user="alice", check=False)).strip())
    async with asyncio.timeout(SOON):  # what was asked in the last instant may have been answered late
        while minute.access.is_open:
            await a_moment()
    probing.cancel()
    with suppress(asyncio.CancelledError):
        await probing
    minute.bare = await _told(asked)


async def _without_policy(minute: Minute, place: Place) -> None:
    asked = await place.ask(place.people.carol, "debugg")
    minute.first_words["policy"] = await asked.said("Ready", "PolicyNotFound")
    await asked.closed(A_MINUTE)
    minute.request_without_policy = await _told(asked, "Rejected")


async def _without_role(minute: Minute, place: Place) -> None:
    """A policy whose role comes when the request for it has been given up."""
    await place.apply(place.policy("ghost", role=MISSING_ROLE))

    def ready() -> tuple[str, str, str] | None:
        for body in place.sights.policies.objects.values():
            if (body["metadata"]["namespace"], body["metadata"]["name"]) == (place.namespace, "ghost"):
                for said in body.get("status", {}).get("conditions", ()):
                    return said["status"], said["reason"], said["message"]
        return None

    minute.policy_without_role.append(
        await place.sights.policies.until(ready, "what is wrong with the policy without a role", SOON)
    )
    asked = await place.ask(place.people.carol, "ghost")
    minute.first_words["role"] = await asked.said("Ready", "RoleNotFound")
    await asked.closed(A_MINUTE)
    minute.request_without_role = await _told(asked, "Rejected")
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": MISSING_ROLE},
        "rules": rules,
    }
    await place.apply(role)
    try:
        minute.policy_without_role.append(
            await place.sights.policies.until(
                lambda: said if (said := ready()) and said[0] == "True" else None, "the policy, ready", A_MINUTE
            )
        )
    finally:
        await place.kubectl("delete", "clusterrole", MISSING_ROLE, user="admin")


async def _asked_last(place: Place, quiet: Place) -> Asked:
    """Ask some time after all grants were made: the time-out of this one has to come after everything else."""
    here, expected = {place.namespace, quiet.namespace}, 1 + sum(course.is_granted for course in COURSES)

    def all_made() -> bool:
        made = (history[0].body["metadata"]["namespace"] for history in place.sights.bindings.history.values())
        return sum(namespace in here for namespace in made) == expected

    await place.sights.bindings.until(all_made, "all grants", A_MINUTE)
    await asyncio.sleep(LATE_AFTER)
    return await place.pending(place.people.carol, "hurried", reason=REASON)


async def _approve_too_late(minute: Minute, asked: Asked) -> None:
    """Stop the operator before the time is up, approve after it, and start the operator again."""
    began = now()
    await asyncio.to_thread(minute.operator.stop)
    minute.stopped_in = now() - began
    assert asked.status["phase"] == "Pending", "the minute took so long that this can no longer be shown"
    await asyncio.sleep(max(0.0, (asked.time("decideBy") - now()).total_seconds()))
    (await asked.decide(asked.place.people.bob)).done()
    minute.late_approved = now()
    minute.operator.start()
    await asked.closed(SOON + SOON)
    minute.late = await _told(asked)
