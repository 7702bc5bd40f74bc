"""An approver keeps what a grant has left behind: during the grant, or long after its request is closed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from curfew.api.names import LABEL_CLOSED
from curfew.audit.record import Record
from curfew.ports import ClusterError, Conflict, Forbidden, Unavailable
from curfew.processes.operator.keeping import Keeping
from tests.support.builders import ALICE, BOB, CAROL, a_decision, a_policy, a_request
from tests.support.stage import Stage, active
from tests.support.world import copied

WHY = "the CronJob is the fix"
KEEP = a_decision(CAROL, "Keep", reason=WHY)
GLASS = a_policy(approval={"mode": "BreakGlass"})


class Finished:
    """The closed requests of a stage's cluster; what is watched, and what fails, is put in by the test."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.news: asyncio.Queue[dict[str, Any] | ClusterError | None] = asyncio.Queue()
        self.lists = 0
        stage.cluster.watchers.append(self._tell)

    def _tell(self, verb: str, kind: str, body: Any) -> None:
        if kind == "AccessRequest" and LABEL_CLOSED in body["metadata"].get("labels", {}):
            self.news.put_nowait(body if verb != "DELETED" else {"metadata": body["metadata"]})

    async def pages(self) -> AsyncIterator[list[dict[str, Any]]]:
        """List, in pages of one."""
        self.lists += 1
        for body in self._stage.cluster.all("AccessRequest"):
            if LABEL_CLOSED in body["metadata"].get("labels", {}):
                yield [body]

    async def watch(self, version: str) -> AsyncIterator[tuple[str, dict[str, Any] | None]]:
        """Watch."""
        while (seen := await self.news.get()) is not None:
            if isinstance(seen, ClusterError):
                raise seen
            yield seen["metadata"]["resourceVersion"], seen if "spec" in seen else None


class Closed:
    """A stage with a request whose grant is over, and which is closed."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.finished = Finished(stage)

    def start(self) -> asyncio.Task[None]:
        """Start what looks at closed requests."""
        stage = self.stage
        gather = stage.reconciler.gatherer
        return asyncio.create_task(Keeping(self.finished, stage.cluster, stage.trail, stage.told, gather.facts).run())

    @property
    def records(self) -> list[Record]:
        """Return what the log has of decisions to keep."""
        return [one for one in self.stage.log if one.block.get("detail", {}).get("decision") == "Keep"]

    @property
    def reviews(self) -> list[tuple[str, str]]:
        """Return who decided to keep, and to what effect."""
        reviews = self.stage.cluster.status("inc-4711").get("reviews", ())
        return [(one["by"], one["effect"]) for one in reviews if one["decision"] == "Keep"]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let time pass, and the log take what it is given, until something holds."""
        async with asyncio.timeout(600):
            while not holds():
                self.stage.trail.flush()
                await asyncio.sleep(0.1)


@pytest.fixture
async def closed() -> Closed:
    stage = Stage()
    await active(stage)
    await stage.pass_time(hours=1)
    assert stage.cluster.all("AccessRequest")[0]["metadata"]["labels"] == {LABEL_CLOSED: "true"}
    return Closed(stage)


@pytest.fixture
async def watched(closed: Closed) -> AsyncIterator[Closed]:
    task = closed.start()
    await closed.until(lambda: closed.finished.lists == 1)
    yield closed
    task.cancel()


class TestWhileARequestIsOpen:
    async def test_a_decision_during_the_grant_is_recorded_and_changes_nothing_else(self) -> None:
        stage = Stage()
        uid = await active(stage)
        binding = stage.bindings()

        stage.cluster.decide("inc-4711", KEEP)
        await stage.settle()

        record = stage.log[-1]
        assert (record.event, record.block["actor"]) == ("review.submitted", CAROL)
        assert record.block["detail"] == {"decision": "Keep", "effect": "TookEffect", "reason": WHY}
        assert record.message == f"{CAROL} kept what is left of request inc-4711 of {ALICE}: {WHY}"
        assert (stage.phase(), stage.bindings()) == ("Active", binding)
        await stage.pass_time(hours=1)
        assert stage.events(uid)[-2:] == ["grant.expired", "request.closed"]
        assert stage.events(uid).count("review.submitted") == 2

    @pytest.mark.parametrize(
        ("decision", "effect"),
        [
            (a_decision(ALICE, "Keep", reason=WHY), "OwnRequest"),
            (a_decision("Alice@example.com", "Keep", reason=WHY), "OwnRequest"),
            (a_decision(CAROL, "Keep"), "ReasonMissing"),
            (a_decision(CAROL, "Keep", reason="\u200b "), "ReasonMissing"),
        ],
    )
    async def test_what_admission_would_have_refused_does_not_count(
        self, decision: dict[str, str], effect: str
    ) -> None:
        stage = Stage()
        await active(stage)

        stage.cluster.decide("inc-4711", decision)
        await stage.settle()

        assert stage.log[-1].event == "review.refused"
        assert stage.log[-1].block["detail"]["effect"] == effect

    async def test_a_decision_while_a_review_is_owed_does_not_pass_for_the_review(self) -> None:
        stage = Stage(policy=GLASS)
        uid = stage.cluster.apply(a_request())["metadata"]["uid"]
        await stage.settle()
        await stage.pass_time(hours=1)

        stage.cluster.decide("inc-4711", KEEP)
        await stage.settle()

        assert stage.events(uid)[-2:] == ["grant.expired", "review.submitted"]
        assert stage.condition("Reviewed")["status"] == "False"
        stage.cluster.decide("inc-4711", a_decision(BOB, "Review"))
        await stage.settle()
        assert stage.events(uid)[-2:] == ["review.submitted", "request.closed"]
        assert stage.condition("Reviewed")["message"] == f"{BOB} has reviewed it"

    async def test_decisions_wait_for_room_in_the_status_and_lose_nothing(self) -> None:
        """As many as are taken, with the longest reasons, while the log takes nothing: the end is still written."""
        stage = Stage()
        uid = await active(stage)
        stage.trail.ok = False
        for number in range(20):
            stage.cluster.decide("inc-4711", a_decision(f"owner-{number}@example.com", "Keep", reason="<" * 1024))
        await stage.settle()
        stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
        await stage.settle()
        assert stage.bindings() == []

        stage.trail.ok = True
        stage.look_at_all_requests()
        await stage.settle()
        await stage.pass_time(minutes=1)

        assert stage.events(uid).count("review.submitted") == 22
        assert stage.events(uid).count("request.closed") == 1


@pytest.mark.looptime
class TestOnceItIsClosed:
    async def test_a_decision_is_recorded_as_every_other(self, watched: Closed) -> None:
        watched.stage.cluster.decide("inc-4711", KEEP)
        await watched.until(lambda: bool(watched.reviews))

        (record,) = watched.records
        assert (record.event, record.block["actor"]) == ("review.submitted", CAROL)
        assert record.block["detail"]["reason"] == WHY
        assert watched.reviews == [(CAROL, "TookEffect")]
        assert watched.stage.told.notices[-1].reason == "ReviewSubmitted"
        assert watched.stage.cluster.status("inc-4711")["phase"] == "Expired"

    async def test_one_that_was_made_while_curfew_was_down_is_found_at_the_start(self, closed: Closed) -> None:
        closed.stage.cluster.decide("inc-4711", KEEP)
        closed.stage.restart()
        closed.finished = Finished(closed.stage)

        task = closed.start()
        await closed.until(lambda: bool(closed.reviews))
        task.cancel()

        assert len(closed.records) == 1

    async def test_a_crash_before_the_status_is_written_records_nothing_twice(
        self, closed: Closed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage = closed.stage
        stage.cluster.decide("inc-4711", KEEP)

        async def lost(*_: object) -> dict[str, Any]:
            raise asyncio.CancelledError

        monkeypatch.setattr(stage.cluster, "patch_request_status", lost)
        task = closed.start()
        await closed.until(task.done)
        assert (len(closed.records), closed.reviews) == (1, [])

        monkeypatch.undo()
        stage.restart()
        closed.finished = Finished(stage)
        task = closed.start()
        await closed.until(lambda: bool(closed.reviews))
        task.cancel()

        assert len(closed.records) == 1

    async def test_what_the_monitor_writes_meanwhile_stays(
        self, closed: Closed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cluster = closed.stage.cluster
        cluster.decide("inc-4711", KEEP)
        patch = cluster.patch_request_status

        async def after_another(*args: Any) -> dict[str, Any]:
            monkeypatch.undo()
            body = copied(cluster.all("AccessRequest")[0])
            body["status"]["activity"] = {"changes": "Yes"}
            cluster._write(("AccessRequest", "payments", "inc-4711"), body)
            return await patch(*args)

        monkeypatch.setattr(cluster, "patch_request_status", after_another)
        task = closed.start()
        await closed.until(lambda: bool(closed.reviews))
        task.cancel()

        assert cluster.status("inc-4711")["activity"] == {"changes": "Yes"}
        assert len(closed.records) == 1

    async def test_nothing_is_shown_before_the_log_has_it(self, watched: Closed) -> None:
        watched.stage.trail.ok = False
        watched.stage.cluster.decide("inc-4711", KEEP)
        for _ in range(100):
            watched.stage.trail.flush()
            await asyncio.sleep(0.1)
        assert watched.reviews == []

        watched.stage.trail.ok = True
        await watched.until(lambda: bool(watched.reviews))
        assert len(watched.records) == 1

    @pytest.mark.parametrize("failure", [Unavailable("away"), Conflict("too old")])
    async def test_a_watch_that_fails_is_begun_anew_with_a_list(self, watched: Closed, failure: ClusterError) -> None:
        watched.finished.news.put_nowait(failure)
        await watched.until(lambda: watched.finished.lists == 2)

        watched.stage.cluster.decide("inc-4711", KEEP)
        await watched.until(lambda: bool(watched.reviews))

    async def test_one_that_cannot_be_shown_holds_up_no_other(
        self, watched: Closed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The API server may refuse to write a status for a reason of its own."""
        patch = watched.stage.cluster.patch_request_status

        async def refused(namespace: str, name: str, *rest: Any) -> dict[str, Any]:
            if name == "inc-4711":
                raise Forbidden("its namespace is not what it was")
            return await patch(namespace, name, *rest)

        monkeypatch.setattr(watched.stage.cluster, "patch_request_status", refused)
        watched.stage.cluster.decide("inc-4711", KEEP)
        await watched.until(lambda: len(watched.records) == 1)

        other = copied(watched.stage.cluster.all("AccessRequest")[0])
        other["metadata"] |= {"name": "inc-2", "uid": "uid-other"}
        watched.stage.cluster._write(("AccessRequest", "payments", "inc-2"), other)
        await watched.until(lambda: len(watched.records) == 2)

    async def test_a_request_that_goes_meanwhile_leaves_the_record(self, watched: Closed) -> None:
        watched.stage.trail.ok = False
        watched.stage.cluster.decide("inc-4711", KEEP)
        await asyncio.sleep(1)
        watched.stage.cluster.delete("AccessRequest", "inc-4711")
        watched.stage.trail.ok = True
        await watched.until(lambda: len(watched.records) == 1)

        watched.finished.news.put_nowait(Unavailable("away"))
        await watched.until(lambda: watched.finished.lists == 2)

    @pytest.mark.parametrize(
        "status",
        [None, {}, {"decisions": None}, {"decisions": ["Keep", 7, {"decision": "Keep"}]}, {"decisions": [{"by": "x"}]}],
    )
    async def test_what_cannot_be_read_is_passed_over(self, watched: Closed, status: Any) -> None:
        body = copied(watched.stage.cluster.all("AccessRequest")[0])
        watched.finished.news.put_nowait({**body, "status": status})

        watched.stage.cluster.decide("inc-4711", KEEP)
        await watched.until(lambda: bool(watched.reviews))
