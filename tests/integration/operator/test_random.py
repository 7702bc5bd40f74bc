"""Random people doing random things on a real API server, and the promises looked at after each step.

The model is a few lines: who asked, who agreed, what must never be let through. Steps that must be refused are tried as
often as those that are allowed.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from curfew.api.access_request import Phase
from curfew.api.phases import PHASE_CHANGES
from curfew.api.times import parse_time
from tests.integration.installed import Installed
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.people import GROUP, RBAC, Answer, Body, Person
from tests.integration.operator.place import FINAL, Asked, Place
from tests.integration.operator.stage import a_stage
from tests.support.operator_process import OperatorProcess
from tests.support.scale import seed, soaks

STEPS: Final = int(os.environ.get("CURFEW_RANDOM_STEPS") or (2000 if soaks() else 80))
"""2,000 in `make soak`; CURFEW_RANDOM_STEPS sets another number."""

SEED: Final = seed()
"""Set CURFEW_SEED to the number that a failure names to have the same people again."""

CRASHES: Final = 3 if soaks() else 1
ON_TIME: Final = timedelta(seconds=1)
AFTER_RESTART: Final = timedelta(seconds=3)
SETTLED: Final = 90.0
"""Seconds in which every story comes to its end once nobody does anything any more: the longest window is one minute."""

NEEDED: Final = {"debug": 1, "staged": 2, "automatic": 0}


@dataclass
class Model:
    """What people did, and what was seen of it."""

    place: Place
    operator: OperatorProcess
    chance: random.Random
    asked: dict[str, Asked] = field(default_factory=dict)  # by UID
    policy: dict[str, str] = field(default_factory=dict)
    by: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    before: dict[str, Body] = field(default_factory=dict)  # each status as it last was
    steps: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def pick(self) -> Asked | None:
        """Return one of the requests that are there."""
        there = [asked for uid, asked in self.asked.items() if uid not in self.gone]
        return self.chance.choice(there) if there else None

    # --- what people do ----------------------------------------------------------------------------------------------

    async def ask(self) -> None:
        """Somebody who may ask does."""
        who = self.chance.choice([self.place.people.alice, self.place.people.carol])
        policy = self.chance.choice(list(NEEDED))
        made = await self.place.ask(who, policy)
        self.asked[made.uid], self.policy[made.uid], self.by[made.uid] = made, policy, who.name

    async def ask_for_another(self) -> None:
        """Alice asks in carol's name: never."""
        people = self.place.people
        body = self.place.request(people.carol, submittedBy=people.alice.name)
        answer = await people.alice.post(f"{GROUP}/namespaces/{self.place.namespace}/accessrequests", body)
        self.must_be_refused(answer, "requester must be")

    async def agree(self) -> None:
        """Somebody who may agree does, for a stage where there are any."""
        asked = self.pick()
        if asked is not None:
            who = self.chance.choice([self.place.people.bob, self.place.people.dave])
            stage = {"bob": "owners", "dave": "security"}[who.name.partition("@")[0]]
            more = {"stage": stage} if self.policy[asked.uid] == "staged" else {}
            await asked.decide(who, **more)

    async def agree_with_oneself(self) -> None:
        """Who asked agrees: never."""
        asked = self.pick()
        if asked is not None:
            self.must_be_refused(await asked.decide(self.person(self.by[asked.uid])), "")

    async def agree_without_the_right(self) -> None:
        """The other one of those who only ask agrees: never."""
        asked = self.pick()
        if asked is not None:
            people = self.place.people
            other = people.carol if self.by[asked.uid] == people.alice.name else people.alice
            self.must_be_refused(await asked.decide(other), "")

    async def agree_in_anothers_name(self) -> None:
        """Bob writes dave's name: never."""
        asked = self.pick()
        if asked is not None:
            said = {"by": self.place.people.dave.name, "decision": "Approve"}
            operations = [{"op": "add", "path": "/status/decisions/-", "value": said}]
            self.must_be_refused(await self.place.people.bob.patch(f"{asked.path}/status", operations), "")

    async def say_no(self) -> None:
        """An approver denies or revokes, or who asked gives up."""
        asked = self.pick()
        if asked is None:
            return
        kind = self.chance.choice(["Deny", "Revoke", "Cancel"])
        who = self.person(self.by[asked.uid]) if kind == "Cancel" else self.place.people.bob
        await asked.decide(who, kind)

    async def rewrite(self) -> None:
        """Somebody changes what is not theirs: never."""
        asked = self.pick()
        if asked is None:
            return
        who = self.chance.choice([self.place.people.alice, self.place.people.bob, self.place.people.admin])
        changes: list[tuple[str, Body]] = [
            (asked.path, {"op": "replace", "path": "/spec/duration", "value": "4h"}),
            (asked.path, {"op": "add", "path": "/metadata/labels", "value": {"curfew.dev/closed": "true"}}),
            (f"{asked.path}/status", {"op": "add", "path": "/status/phase", "value": "Active"}),
            (f"{asked.path}/status", {"op": "add", "path": "/status/expiresAt", "value": "2099-01-01T00:00:00Z"}),
            (f"{asked.path}/status", {"op": "add", "path": "/status/decisions", "value": []}),
        ]
        path, operation = self.chance.choice(changes)
        before = (await self.place.people.admin.get(asked.path)).body
        answer = await who.patch(path, [operation])
        if answer.is_ok:  # what changes nothing is let through: the label or the empty list were there already
            after = answer.done()
            assert after["spec"] == before["spec"], "a spec was rewritten"
            assert "curfew.dev/closed" not in after["metadata"].get("labels", {}) or _is_final(after)
            assert after.get("status", {}).get("decisions", []) == before.get("status", {}).get("decisions", [])
        else:
            self.refused["rewrite"] += 1

    async def delete(self) -> None:
        """Who asked deletes the request."""
        asked = self.pick()
        if asked is not None:
            await asked.delete(self.person(self.by[asked.uid]))
            self.gone.add(asked.uid)

    async def take_away(self) -> None:
        """The admin deletes a binding, which is a revocation."""
        bindings = await self.bindings()
        if bindings:
            name = self.chance.choice(bindings)["metadata"]["name"]
            await self.place.people.admin.delete(f"{RBAC}/namespaces/{self.place.namespace}/rolebindings/{name}")

    async def tamper(self) -> None:
        """The admin edits a binding: never."""
        bindings = await self.bindings()
        if bindings:
            name = self.chance.choice(bindings)["metadata"]["name"]
            path = f"{RBAC}/namespaces/{self.place.namespace}/rolebindings/{name}"
            person = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": self.place.people.carol.name}
            answer = await self.place.people.admin.patch(path, [{"op": "add", "path": "/subjects/-", "value": person}])
            if answer.status != 404:
                self.must_be_refused(answer, "written by Curfew alone")

    def must_be_refused(self, answer: Answer, words: str) -> None:
        """Fail where the API server let through what it must not."""
        assert not answer.is_ok, f"it was let through: {answer.body}"
        assert words in answer.message, answer.message
        self.refused["forged"] += 1

    def person(self, name: str) -> Person:
        """Return somebody by their name."""
        people = self.place.people
        return next(who for who in (people.alice, people.bob, people.carol, people.dave) if who.name == name)

    async def bindings(self) -> list[Body]:
        """Return the bindings that are there and are ours."""
        path = f"{RBAC}/namespaces/{self.place.namespace}/rolebindings?labelSelector=curfew.dev/request-uid"
        items: list[Body] = (await self.place.people.admin.get(path)).done()["items"]
        return items

    # --- the promises ------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Look at everything there is, and compare it with what people did."""
        asked_at = datetime.now(UTC)
        bindings = await self.bindings()
        path = f"{GROUP}/namespaces/{self.place.namespace}/accessrequests?limit=5000"
        requests = {body["metadata"]["uid"]: body for body in (await self.place.people.admin.get(path)).done()["items"]}
        for binding in bindings:
            notes, uid = binding["metadata"]["annotations"], binding["metadata"]["labels"]["curfew.dev/request-uid"]
            ends, starts = parse_time(notes["curfew.dev/expires-at"]), parse_time(notes["curfew.dev/starts-at"])
            # P1: not there after its end, and no longer than was asked for.
            pulse = self.place.sights.pulse
            on_time = ends + pulse.within(ON_TIME, ends, asked_at)
            if asked_at > on_time:  # an operator that was killed is back when Python has loaded it
                awake = self.operator.first_words()[-1] or asked_at
                assert asked_at <= awake + pulse.within(AFTER_RESTART, awake, asked_at), f"{uid} outlives {ends}"
            assert ends - starts <= timedelta(minutes=1)
            assert notes["curfew.dev/receipt"]  # P2
            assert [subject["name"] for subject in binding["subjects"]] == [self.by[uid]]  # P4, P9
            if uid in requests:
                decisions = requests[uid]["status"]["decisions"]
                agreed = {one["by"] for one in decisions if one["decision"] == "Approve"} - {self.by[uid]}
                assert len(agreed) >= NEEDED[self.policy[uid]], f"{uid} was agreed to by {agreed}"  # P4, P8
        for uid, body in requests.items():
            self.compare(uid, body.get("status", {}))

    def compare(self, uid: str, status: Body) -> None:
        """P6: nothing that was ever said is taken back."""
        was = self.before.get(uid, {})
        phase, before = status.get("phase"), was.get("phase")
        if phase != before:
            assert phase is not None
            assert _leads_to(Phase(before) if before else None, Phase(phase)), f"{uid} went from {before} to {phase}"
        assert status.get("decisions", [])[: len(was.get("decisions", []))] == was.get("decisions", [])
        assert status.get("expiresAt", "") <= was.get("expiresAt", "9")
        for name in ("grantedAt", "startsAt", "endedAt", "endReason", "decideBy", "terms"):
            assert was.get(name) in (None, status.get(name)), f"{uid}: {name} was rewritten"
        self.before[uid] = status


def _is_final(body: Body) -> bool:
    return body.get("status", {}).get("phase") in FINAL


def _leads_to(before: Phase | None, phase: Phase) -> bool:
    """Tell whether one phase can become another in some steps: between two looks there may be several."""
    seen, todo = {before}, [before]
    while todo:
        for after in PHASE_CHANGES[todo.pop()]:
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return phase in seen


WEIGHTS: Final[dict[str, int]] = {
    "ask": 14,
    "agree": 30,
    "say_no": 10,
    "agree_with_oneself": 8,
    "agree_without_the_right": 8,
    "agree_in_anothers_name": 8,
    "ask_for_another": 4,
    "rewrite": 10,
    "delete": 2,
    "take_away": 2,
    "tamper": 4,
}


@pytest.fixture(scope="module")
def model(cluster: Installed, certificates: Path, operator: OperatorProcess) -> Model:
    """Let people do what they do, once."""
    print(f"CURFEW_SEED={SEED}")  # noqa: T201  shown where something fails

    async def play() -> Model:
        async with a_stage(cluster, certificates, has_pulse=True) as stage:
            model = Model(await stage.place(), operator, random.Random(SEED))  # noqa: S311  to be had again, not secret
            crashes = {model.chance.randrange(STEPS) for _ in range(CRASHES)}
            for number in range(STEPS):
                if number in crashes:
                    operator.kill()
                    operator.start()
                (name,) = model.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
                step: Callable[[], Awaitable[None]] = getattr(model, name)
                await step()
                model.steps[name] += 1
                await model.look()
            for uid, asked in model.asked.items():
                if uid in model.gone:
                    continue
                await asked.answered(SETTLED)
                if asked.status["phase"] not in FINAL:
                    await asked.decide(model.person(model.by[uid]), "Cancel")
            for uid, asked in model.asked.items():
                if uid not in model.gone:
                    await asked.closed(SETTLED)
            await model.look()
            return model

    return asyncio.run(play())


def test_no_step_broke_a_promise(model: Model) -> None:
    """P1 to P6, P8 and P9 were looked at after each of the steps; here they are counted."""
    print(f"CURFEW_SEED={SEED}: {dict(model.steps)}; refused {dict(model.refused)}; {len(model.asked)} requests")  # noqa: T201  shown with -s
    assert sum(model.steps.values()) == STEPS
    assert model.refused["forged"] > STEPS // 20


def test_each_story_is_told_once_and_to_its_end(
    model: Model, operator: OperatorProcess, read_log: Callable[[OperatorProcess], Evidence]
) -> None:
    """P2 and P7: the log verifies, nothing is there twice, and each request has its last word."""
    operator.restart()  # stopping writes what is left to write, also of those that were deleted
    evidence = read_log(operator)

    assert evidence.twice == []
    for uid in model.asked:
        story: list[Any] = evidence.story(uid)
        if story:  # one that was deleted before Curfew had seen it has none
            assert story.count("request.closed") == 1, f"{uid}: {story}"
            if "grant.activated" in story:
                assert story.index("grant.intended") < story.index("grant.activated")
        else:
            assert uid in model.gone
