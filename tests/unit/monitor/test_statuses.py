"""Answers are written one at a time, the newest for each request, until they are there or their request is gone."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from curfew.api.activity import Activity, Changes
from curfew.core.activity.session import Session
from curfew.ports import ClusterError, DroppedEvents, Invalid, NotFound, Unavailable
from curfew.processes.monitor.statuses import Statuses
from tests.support.builders import NOON

pytestmark = pytest.mark.looptime

NO, YES = Activity(changes=Changes.NO), Activity(changes=Changes.YES)


def session(number: int = 1) -> Session:
    return Session(
        uid=f"uid-{number}",
        namespace="payments",
        request=f"inc-{number}",
        requester="alice@example.com",
        binding=f"curfew-uid-{number}",
        announced_at=NOON,
        expires_at=NOON + timedelta(hours=1),
    )


class Requests:
    """Takes what is written, unless it is to fail first."""

    def __init__(self, *errors: ClusterError) -> None:
        self.errors = list(errors)
        self.written: list[tuple[str, str, str, str]] = []
        self.calls = 0

    async def write_activity(self, namespace: str, name: str, uid: str, activity: Mapping[str, Any]) -> None:
        """Take it."""
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        self.written.append((namespace, name, uid, activity["changes"]))

    async def api_servers(self) -> Mapping[str, str]:
        """Nobody asks."""
        raise NotImplementedError

    async def dropped_events(self) -> DroppedEvents:
        """Nobody asks."""
        raise NotImplementedError

    async def canary(self, class_: str, audit_id: str) -> None:
        """Nobody asks."""
        raise NotImplementedError


async def after(statuses: Statuses, seconds: float) -> None:
    """Let it write for so long."""
    task = asyncio.create_task(statuses.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait([task])


def written(requests: Requests, dropped: list[str] | None = None) -> Statuses:
    return Statuses(requests, (dropped if dropped is not None else []).append)


async def test_an_answer_is_written_with_all_that_says_which_request_it_is_for() -> None:
    requests = Requests()
    statuses = written(requests)
    statuses.write(session(), NO)
    await after(statuses, 1)
    assert requests.written == [("payments", "inc-1", "uid-1", "No")]
    assert len(statuses) == 0


async def test_only_the_newest_answer_for_a_request_is_written() -> None:
    requests = Requests()
    statuses = written(requests)
    statuses.write(session(), NO)
    statuses.write(session(2), NO)
    statuses.write(session(), YES)
    await after(statuses, 1)
    assert [(uid, changes) for _, _, uid, changes in requests.written] == [("uid-1", "Yes"), ("uid-2", "No")]


async def test_trouble_with_the_api_server_is_tried_again() -> None:
    requests = Requests(Unavailable("no answer"), Unavailable("no answer"))
    statuses = written(requests)
    statuses.write(session(), NO)
    await after(statuses, 10)
    assert requests.written == [("payments", "inc-1", "uid-1", "No")]


async def test_a_newer_answer_is_not_replaced_by_one_that_is_tried_again() -> None:
    requests = Requests(Unavailable("no answer"))
    statuses = written(requests)
    statuses.write(session(), NO)
    await after(statuses, 0.5)
    statuses.write(session(), YES)
    await after(statuses, 10)
    assert [changes for *_, changes in requests.written][-1] == "Yes"


async def test_trouble_with_one_request_holds_up_no_other() -> None:
    requests = Requests(Unavailable("no answer"))
    statuses = written(requests)
    for number in (1, 2, 3):
        statuses.write(session(number), NO)
    await after(statuses, 0.5)
    assert [uid for _, _, uid, _ in requests.written] == ["uid-2", "uid-3"]


@pytest.mark.parametrize(("error", "why"), [(NotFound("gone"), "Gone"), (Invalid("no"), "Refused")])
async def test_an_answer_for_a_request_that_is_gone_is_dropped(error: ClusterError, why: str) -> None:
    dropped: list[str] = []
    requests = Requests(error)
    statuses = written(requests, dropped)
    statuses.write(session(), NO)
    await after(statuses, 120)
    assert requests.calls == 1
    assert dropped == [why]
    assert len(statuses) == 0


async def test_no_more_than_ten_are_written_in_a_second() -> None:
    requests = Requests()
    statuses = written(requests)
    for number in range(100):
        statuses.write(session(number), NO)
    await after(statuses, 2.05)
    assert len(requests.written) == 21
