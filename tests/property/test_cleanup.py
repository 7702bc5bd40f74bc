"""Whatever people do and whatever fails: nothing is deleted whose story is not in the log, and no deletion is news."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curfew.audit.record import CURFEW, Story, make_record
from curfew.audit.stories import AFTER_CLOSED
from curfew.core import cleanup as rules
from curfew.ports import ClosedRequest, Unavailable
from curfew.processes.operator.cleanup import Cleanup
from tests.support.builders import ALICE, BOB, a_decision, a_request
from tests.support.stage import Stage
from tests.support.world import FailurePlan

KEEP_FOR = timedelta(hours=3)

ACTIONS = (
    "ask",
    "ask in vain",
    "approve",
    "deny",
    "revoke",
    "cancel",
    "delete",
    "an hour",
    "the bucket goes",
    "the bucket comes back",
    "restart",
    "restore",
    "clean up",
    "clean up, and a call fails",
)


class Play:
    """One operator and its cleanup, and what was deleted by whom."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.backup = self.stage.cluster.snapshot()
        self.cleaned: dict[str, Sequence[str]] = {}  # by UID: what the log had told when it was first deleted by Curfew
        self.deleted_by_people: set[str] = set()
        self.number = 0
        self.start()

    def start(self) -> None:
        """Start the operator anew."""
        self.stage.closed.clear()
        self.stage.restart()
        self.cleanup = Cleanup(
            self.stage.cluster,
            self.stage.trail,
            self.stage.clock,
            self,
            keep_for=KEEP_FOR,
            policy=lambda key: self.stage.store.policies.get(key),
            is_settled=lambda request: self.stage.counting.is_settled(request),
        )

    def deleted(self, request: ClosedRequest) -> None:
        """Compare each deletion with the log."""
        told = self.stage.events(request.uid)
        assert told.count("request.closed") == 1, f"{request.name} is deleted, and the log has {told}"
        self.cleaned.setdefault(request.uid, told)

    def may_not_delete(self, namespace: str, problem: str) -> None:
        """Fail: nothing refuses here."""
        raise AssertionError(f"{namespace}: {problem}")

    def decide(self, decision: str, by: str) -> None:
        """Have somebody decide on the newest request, if it is there."""
        name = f"r-{self.number}"
        if any(body["metadata"]["name"] == name for body in self.stage.cluster.all("AccessRequest")):
            self.stage.cluster.decide(name, a_decision(by, decision))

    def delete(self) -> None:
        """Have somebody delete the newest request, if it is there."""
        name = f"r-{self.number}"
        for meta in [body["metadata"] for body in self.stage.cluster.all("AccessRequest")]:
            if meta["name"] == name:
                self.stage.cluster.delete("AccessRequest", name)
                self.deleted_by_people.add(meta["uid"])

    async def clean_up(self, failures: FailurePlan | None = None) -> None:
        """Look at a number of requests."""
        for closed in self.stage.closed:
            self.cleanup.closed(closed)
        self.stage.closed.clear()
        self.stage.plan_failure(failures or FailurePlan())
        for _ in range(12):
            await self.cleanup._step()
        self.stage.plan_failure(FailurePlan())

    async def do(self, action: str, number: int) -> None:
        """Do one thing, and let the operator work."""
        stage = self.stage
        match action:
            case "ask" | "ask in vain":
                self.number += 1
                spec = {"duration": "9h"} if action == "ask in vain" else {}
                stage.cluster.apply(a_request(f"r-{self.number}", created=stage.clock.now(), **spec))
            case "approve" | "deny" | "revoke":
                self.decide(action.capitalize(), BOB)
            case "cancel":
                self.decide("Cancel", ALICE)
            case "delete":
                self.delete()
            case "an hour":
                await stage.pass_time(hours=1)
            case "the bucket goes" | "the bucket comes back":
                stage.trail.ok = action == "the bucket comes back"
            case "restart":
                self.start()
            case "restore":  # with the operator down
                stage.cluster.restore(self.backup)
                self.start()
            case "clean up":
                await self.clean_up()
            case "clean up, and a call fails":
                await self.clean_up(FailurePlan(number % 4 + 1, how=Unavailable, after=number % 2 == 0))
        if action == "ask" and number % 3 == 0:
            self.backup = stage.cluster.snapshot()
        await stage.settle()

    async def run(self, actions: list[tuple[str, int]]) -> None:
        """Do all, and wait until what can go has gone."""
        for action, number in actions:
            await self.do(action, number)
        self.stage.trail.ok = True
        for _ in range(8):
            await self.do("an hour", 0)
        for _ in range(3):
            await self.do("clean up", 0)


def assert_no_cleaning_is_news(play: Play) -> None:
    """Hold what was deleted against the log."""
    for uid, told in play.cleaned.items():
        by_people = told.count("request.deleted") if uid in play.deleted_by_people else 0
        assert play.stage.events(uid).count("request.deleted") == by_people, f"the log tells that {uid} is deleted"


@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 7)), max_size=30))
@example([("ask", 0), ("delete", 0), ("restore", 0)])
def test_nothing_is_deleted_whose_story_is_not_in_the_log(actions: list[tuple[str, int]]) -> None:
    """And in the end everything has gone, with no record of its going.

    What a person deleted may be back by a restore: then the log has told of that, and tells no more when Curfew deletes it.
    """
    play = Play()
    asyncio.run(play.run(actions))

    assert play.stage.cluster.all("AccessRequest") == []
    twice = {id_: n for id_, n in Counter(record.id for record in play.stage.log).items() if n > 1}
    assert twice == {}
    assert_no_cleaning_is_news(play)


def without_the_log(patch: pytest.MonkeyPatch) -> None:
    """Believe what a request shows."""
    asked = rules.deletable_from
    patch.setattr(
        "curfew.processes.operator.cleanup.deletable_from",
        lambda request, policy, *, is_over, keep_for: asked(request, policy, is_over=True, keep_for=keep_for),
    )
    patch.setattr("tests.support.stage.FakeTrail.is_over", lambda self, uid, created: True)


@pytest.mark.parametrize("bug", [without_the_log])
def test_a_planted_bug_is_found(bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged label and phase are enough then."""
    bug(monkeypatch)

    async def forge() -> None:
        play = Play()
        stage = play.stage
        body = stage.cluster.apply(a_request("r-1"))
        stage.cluster.apply({**body, "metadata": {**body["metadata"], "labels": {"curfew.dev/closed": "true"}}})
        meta = stage.cluster.all("AccessRequest")[0]["metadata"]
        forged = {"phase": "Failed", "endedAt": "2026-01-01T00:00:00Z"}
        await stage.cluster.patch_request_status("payments", "r-1", meta["uid"], meta["resourceVersion"], forged)
        await stage.pass_time(hours=4)
        await play.clean_up()

    with pytest.raises(AssertionError, match="is deleted, and the log has"):
        asyncio.run(forge())


def test_a_record_of_cleaning_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A product that tells of each deletion is planted."""
    seen = Play.deleted

    def deleted(play: Play, request: ClosedRequest) -> None:
        seen(play, request)
        story = next(Story.of(record) for record in play.stage.log if record.subject == request.uid)
        told = make_record(
            "request.deleted", at=play.stage.clock.now(), actor=CURFEW, message="It is gone.", story=story
        )
        play.stage.trail.submit([told])

    monkeypatch.setattr(Play, "deleted", deleted)
    monkeypatch.setattr("tests.support.stage.AFTER_CLOSED", AFTER_CLOSED | {"request.deleted"})
    play = Play()
    asyncio.run(play.run([("ask", 0), ("deny", 0)]))

    with pytest.raises(AssertionError, match="is deleted"):
        assert_no_cleaning_is_news(play)
