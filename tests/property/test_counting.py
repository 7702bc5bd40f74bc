"""Whatever one person does with requests that come to nothing: a bounded number of records an hour, and counts that add up."""

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from curfew.api.times import format_time
from curfew.core.counting import OWN_RECORDS, hour_of
from curfew.core.refused_or_withdrawn import WITHDRAWALS
from tests.support.builders import ALICE, BOB, a_decision, a_policy, a_request
from tests.support.scale import times
from tests.support.stage import Stage

WAITING = 2

ACTS = st.sampled_from(
    ["ask"] * 4 + ["flood"] * 4 + ["cancel", "delete", "deny", "crash", "outage", "minutes", "hour", "bob asks"]
)


class Course:
    """What people did, what a model of a few lines expects, and the stage."""

    def __init__(self) -> None:
        limits = {"activePerRequester": 1, "pendingPerRequester": WAITING}
        self.stage = Stage(policy=a_policy(decideWithin="3h", limits=limits))
        self.made = 0
        self.asked: list[str] = []  # all that got an answer
        self.lost: set[str] = set()  # deleted while the bucket was away, and the process died before it was back

    async def ask(self, who: str = ALICE) -> None:
        self.made += 1
        name = f"r{self.made:04}"
        body = a_request(name, created=self.stage.clock.now(), requester=who, submittedBy=who)
        self.asked.append(self.stage.cluster.apply(body)["metadata"]["uid"])
        await self.stage.settle()

    def waiting(self) -> list[str]:
        bodies = self.stage.cluster.all("AccessRequest")
        return [
            body["metadata"]["name"]
            for body in bodies
            if body.get("status", {}).get("phase") == "Pending" and body["spec"]["requester"] == ALICE
        ]

    def told_by_nobody(self) -> set[str]:
        """Return what is in the memory of the process alone: in an outage, not in the log; deleted, not in the cluster."""
        if self.stage.trail.ok:
            return set()
        in_cluster = {body["metadata"]["uid"] for body in self.stage.cluster.all("AccessRequest")}
        return set(self.asked) - in_cluster - {record.subject for record in self.stage.log}

    async def do(self, act: str) -> None:
        stage, waiting = self.stage, self.waiting()
        match act:
            case "ask":
                await self.ask()
            case "bob asks":
                await self.ask(BOB)
            case "flood":
                for _ in range(15):
                    await self.ask()
            case "cancel" if waiting:
                stage.cluster.decide(waiting[0], a_decision(ALICE, "Cancel"))
            case "delete" if waiting:
                stage.cluster.delete("AccessRequest", waiting[0])
            case "deny" if waiting:
                stage.cluster.decide(waiting[0], a_decision(BOB, "Deny"))
            case "crash":
                self.lost |= self.told_by_nobody()
                stage.restart()
            case "outage":
                stage.trail.ok = not stage.trail.ok
                stage.look_at_all_requests()
            case "minutes":
                await stage.pass_time(minutes=7)
            case "hour":
                await stage.pass_time(hours=1)
            case _:
                pass
        await stage.settle()

    async def end(self) -> None:
        """Let the bucket be there, and the last hour be over."""
        self.stage.trail.ok = True
        self.stage.look_at_all_requests()
        await self.stage.settle()
        await self.stage.pass_time(hours=1, minutes=3)
        await self.stage.settle()

    def judge(self) -> None:
        log, bodies = self.stage.log, self.stage.cluster.all("AccessRequest")
        assert len({record.id for record in log}) == len(log)
        counted = Counter(b["status"]["countedIn"] for b in bodies if "countedIn" in b.get("status", {}))
        counts = [record.block["detail"] for record in log if record.event == "request.rejections_counted"]
        assert {count["hour"]: count["rejected"] for count in counts} == counted
        assert all(count["submitter"] == ALICE for count in counts)

        # Each request has its whole story, or is counted, and never both.
        told = {record.subject for record in log if record.event == "request.closed"}
        in_counts = {b["metadata"]["uid"] for b in bodies if "countedIn" in b.get("status", {})}
        assert not told & in_counts
        still_open = {b["metadata"]["uid"] for b in bodies if b["status"]["phase"] == "Pending"}
        assert told | in_counts | still_open == set(self.asked) - self.lost

        hours: Counter[tuple[str, str, str]] = Counter()
        for record in log:
            story = record.block.get("story")
            if story is not None:
                hours[format_time(hour_of(record.at)), story["requester"], record.event] += 1
        for (_, _, event), number in hours.items():
            if event == "request.rejected":
                assert number <= OWN_RECORDS
            if event in ("request.cancelled", "request.deleted"):
                assert number <= WITHDRAWALS + WAITING


@settings(max_examples=times(100), deadline=None)
@given(st.lists(ACTS, min_size=5, max_size=25))
def test_records_are_bounded_and_counts_add_up(acts: list[str]) -> None:
    """For every course: with crashes, outages, withdrawals, denials and other people in between (decision 0049)."""

    async def course() -> None:
        done = Course()
        for act in acts:
            await done.do(act)
        await done.end()
        done.judge()

    asyncio.run(course())
