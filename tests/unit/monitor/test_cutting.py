"""Pods are deleted at the end of a grant, each once; what cannot be deleted is an alert that names what is missing."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from curfew.audit.record import Record
from curfew.core.activity.cutting import MOST_PODS
from curfew.ports import ClusterError, Forbidden, NotFound, Unavailable
from curfew.processes.monitor.cutting import LONGEST_RETRY_SECONDS, Cutting
from tests.support.activity import UID, AMonitor, announced, ended
from tests.support.builders import NOON
from tests.support.world import FakeClock
from tests.unit.core.activity.test_cutting import begun

pytestmark = pytest.mark.looptime

NO_RIGHT = Forbidden('cannot delete pod payments/web-0: pods "web-0" is forbidden.')


class Pods:
    """Deletes pods, unless that is to fail first."""

    def __init__(self, *errors: ClusterError) -> None:
        self.errors = list(errors)
        self.deleted: list[str] = []
        self.calls = 0

    async def delete_pod(self, namespace: str, name: str) -> str:
        """Delete it."""
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        self.deleted.append(f"{namespace}/{name}")
        return f"uid-of-{name}"


class Here:
    """A session that is over, with open connections into pods, and a log that is durable at once."""

    def __init__(self, *errors: ClusterError, pods: int = 1) -> None:
        self.monitor = AMonitor(trail=[announced(on_end="DeletePods"), ended()])
        for number in range(pods):
            self.monitor.arrives(begun(f"pods/web-{number} (exec)", at=NOON + timedelta(seconds=number)))
        self.pods = Pods(*errors)
        self.restart()

    def restart(self) -> None:
        """Start the monitor's process."""
        self.cutting = Cutting(self.pods, FakeClock(NOON), self._submit)
        self.want()

    def want(self) -> None:
        """Answer for the session, as is done again when something more has arrived."""
        self.cutting.want(self.monitor.session(), self.monitor.tally())

    def _submit(self, record: Record) -> None:
        if record.id not in self.monitor.log:
            self.monitor.log[record.id] = record
            self.monitor.tally().learn(record)

    def records(self, event: str) -> list[dict[str, Any]]:
        """Return the details of the records of an event."""
        return [record.block["detail"] for record in self.monitor.log.values() if record.event == event]

    async def after(self, seconds: float) -> None:
        """Let it delete for so long."""
        task = asyncio.create_task(self.cutting.run())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])


async def test_a_pod_is_deleted_and_that_is_recorded() -> None:
    here = Here()
    await here.after(1)

    assert here.pods.deleted == ["payments/web-0"]
    assert here.records("session.pod_deleted") == [
        {"namespace": "payments", "name": "web-0", "uid": "uid-of-web-0", "by": "exec"}
    ]
    assert here.records("alert.pod_not_deleted") == []


async def test_it_is_deleted_once_however_often_the_session_is_answered_for() -> None:
    here = Here()
    await here.after(1)
    here.want()
    await here.after(1)
    here.restart()
    await here.after(1)

    assert here.pods.calls == 1


async def test_without_the_right_an_alert_names_what_has_to_be_given() -> None:
    here = Here(NO_RIGHT)
    await here.after(1)

    (alert,) = here.records("alert.pod_not_deleted")
    assert alert["problem"] == (
        'cannot delete pod payments/web-0: pods "web-0" is forbidden. To have it deleted, give the monitor the right to '
        "delete pods there: add the namespace to monitor.deletePods in the chart's values."
    )
    assert here.records("session.pod_deleted") == []


async def test_once_the_right_is_there_the_pod_goes() -> None:
    here = Here(NO_RIGHT, NO_RIGHT)
    await here.after(2 * LONGEST_RETRY_SECONDS + 1)

    assert here.pods.deleted == ["payments/web-0"]
    assert len(here.records("alert.pod_not_deleted")) == 1
    assert len(here.records("session.pod_deleted")) == 1


async def test_it_is_tried_again_while_the_api_server_is_away_and_then_alarmed() -> None:
    here = Here(*[Unavailable("no answer")] * 6)
    await here.after(6)
    assert here.records("alert.pod_not_deleted") == []
    await here.after(60)

    assert here.pods.deleted == ["payments/web-0"]
    assert len(here.records("alert.pod_not_deleted")) == 1


async def test_a_pod_that_is_gone_is_done_with() -> None:
    """Another one may have its name later, and is not deleted."""
    here = Here(NotFound("gone"))
    await here.after(1)
    here.want()
    await here.after(1)

    assert here.pods.calls == 1
    assert here.records("session.pod_deleted") == []


async def test_a_connection_that_ends_meanwhile_saves_its_pod() -> None:
    here = Here(NO_RIGHT)
    await here.after(1)
    (stream,) = here.monitor.tally().streams.open
    (record,) = [one for one in here.monitor.log.values() if one.event == "stream.opened"]
    end = {**record.block, "event": "call.connected"}
    here.monitor.tally().learn(Record("end", "call.connected", UID, {**record.body, "unmapped": {"curfew": end}}))
    assert stream not in here.monitor.tally().streams.open
    here.want()
    await here.after(2 * LONGEST_RETRY_SECONDS)

    assert here.pods.deleted == []


async def test_no_more_than_twenty_are_deleted_for_one_session() -> None:
    here = Here(pods=MOST_PODS + 5)
    await here.after(5)
    here.want()
    await here.after(5)
    here.restart()
    await here.after(5)

    assert len(here.pods.deleted) == MOST_PODS
    assert len(here.records("session.pod_deleted")) == MOST_PODS
    (alert,) = here.records("alert.pod_not_deleted")
    assert alert["name"] == f"web-{MOST_PODS}"
    assert alert["problem"].startswith("20 pods were deleted for this request already")


async def test_one_that_cannot_be_deleted_holds_up_no_other() -> None:
    here = Here(NO_RIGHT, pods=3)
    await here.after(1)

    assert here.pods.deleted == ["payments/web-1", "payments/web-2"]


async def test_a_session_that_is_forgotten_has_nothing_deleted() -> None:
    here = Here()
    here.cutting.forget(UID)
    await here.after(1)

    assert here.pods.calls == 0
